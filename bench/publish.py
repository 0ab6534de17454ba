# SPDX-License-Identifier: Apache-2.0
"""Durable publishes with 64 callers: through the gateway (an async communication; a 202 means fsynced), into the bare log (bench-log,
records of the same size), and into redis (XADD, appendfsync always). Each in turn, on the same disk, all cores for all.

CPU per message is that of the server: of commute it contains the views and the delivery to a provider that costs next to nothing,
which neither of the others does; the share of each thread is given, too.
"""
import json
import statistics
import time

import rig

CALLERS = 64
RECORD = 400                                    # header and body of the gateway's MESSAGE record, about


def gateway(options, seconds):
    with rig.Rig(options.build, options.folder) as it:
        process, port = it.commute(it.backend(), "async")
        call = {"target": "/COMM-040/accruals", "body": rig.body(), "connections": CALLERS, "lanes": 100000}
        it.load(port, seconds=0.5, **call)
        before = process.cpu_by_thread()
        result = it.load(port, seconds=seconds, **call)
        time.sleep(0.3)                         # what is still to be delivered
        threads = {name: (used - before.get(name, 0)) / result["requests"] * 1e6 for name, used in process.cpu_by_thread().items()}
        return {**result, "cpu_us": sum(threads.values()), "threads_us": threads}


def bare_log(options, seconds):
    with rig.Rig(options.build, options.folder) as it:
        process = it.start([it.build / "bench/bench-log", "--json", it.folder, seconds, RECORD, CALLERS], stdout=-1)
        return json.loads(process.child.communicate()[0])


def redis(options, seconds):
    with rig.Rig(options.build, options.folder) as it:
        port = rig.free_port()
        process = it.start(["redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", it.folder, "--appendonly", "yes",
                            "--appendfsync", "always", "--save", "", "--auto-aof-rewrite-percentage", "0"], None, port)
        it.load(port, protocol="redis", seconds=0.5, connections=CALLERS, body="x" * RECORD)
        before = process.cpu()
        result = it.load(port, protocol="redis", seconds=seconds, connections=CALLERS, body="x" * RECORD)
        return {**result, "cpu_us": (process.cpu() - before) / result["requests"] * 1e6}


def run(options):
    rounds, seconds = (7, 5) if rig.FULL else (3, 3)
    results = []
    for number in range(rounds):
        order = (gateway, bare_log, redis)[:: -1 if number % 2 else 1]
        results.append({one.__name__: one(options, seconds) for one in order})
    return {"rounds": results}


def report(result):
    rounds = result["rounds"]

    def median(name, key):
        return statistics.median(one[name][key] for one in rounds)

    def ratio(name, key):
        return statistics.median(one["gateway"][key] / one[name][key] for one in rounds)
    print(f"  {CALLERS} callers, records of about {RECORD} bytes, {len(rounds)} rounds; medians")
    print(f"    {'':20}{'gateway':>10}{'bare log':>10}{'redis':>10}{'gw/log':>8}{'gw/redis':>9}")
    for key, label in (("rate", "durable/s"), ("cpu_us", "CPU each, µs"), ("p50_us", "p50, µs"), ("p99_us", "p99, µs")):
        print(f"    {label:20}" + "".join(f"{median(name, key):10.1f}" for name in ("gateway", "bare_log", "redis"))
              + f"{ratio('bare_log', key):8.2f}{ratio('redis', key):9.2f}")
    threads = {name: statistics.median(one["gateway"]["threads_us"].get(name, 0) for one in rounds)
               for name in rounds[0]["gateway"]["threads_us"]}
    print("    CPU by thread, µs: " + ", ".join(f"{name} {used:.1f}" for name, used in sorted(threads.items(), key=lambda x: -x[1])))

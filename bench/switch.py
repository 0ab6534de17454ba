# SPDX-License-Identifier: Apache-2.0
"""Switches from sync to async and back under a small load: a topic with 1,000 events beside one with 1,000,000 (FULL=1; else
100,000), in turns, 20 of each. A switch must cost what is in flight, never what is in the topic.

Time: from the order until every lane has changed, on the gateway's clock (bench-gateway: orders without the steps and gates of a
migration around them). What callers see is from an open loop, so that a request that is held up counts from when it was due: p99
and longest of the requests in the windows of the switches beside those of control windows of the same length before each. Records
read and written are counted while nobody calls: then they are the switch's alone.
"""
import array
import bisect
import json
import statistics
import subprocess
import threading
import time

import rig

SWITCHES, RATE, WINDOW_NS, AIM = 20, 300, 100_000_000, 1.2
CALL = {"target": "/COMM-040/accruals", "connections": 32}


class Topic:
    """A gateway whose topic has so many events already."""

    def __init__(self, it, events):
        self.it, self.events, self.switches, self.samples = it, events, [], it.folder / "samples"
        configuration, self.port = it.configuration(it.backend(), "async")
        self.process = it.start([it.build / "bench/bench-gateway", configuration], None, self.port, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE)
        it.load(self.port, count=events, lanes=1000, body=rig.body(), **CALL)
        while self.order("state")["waiting"]:
            time.sleep(0.05)

    def order(self, what):
        self.process.child.stdin.write(what + "\n")
        self.process.child.stdin.flush()
        answer = json.loads(self.process.child.stdout.readline())
        if not answer["ok"]:
            raise SystemExit(f"switch: {answer['error']}")
        return answer

    def begin_load(self, seconds):
        self.thread = threading.Thread(target=self.it.load, args=(self.port,), kwargs={
            "seconds": seconds, "rate": RATE, "lanes": 1000, "body": rig.body(), "samples": self.samples, **CALL})
        self.thread.start()

    def switch(self, mode):
        self.switches.append((mode, self.order(mode)))

    def seen_by_callers(self):
        """Latencies in µs of the requests that ended in the windows of each kind of switch, and before them."""
        numbers = array.array("Q", self.samples.read_bytes())
        ends, latencies = numbers[0::2], numbers[1::2]
        seen = {"async": [], "record": [], "control": []}
        for mode, switch in self.switches:
            length = max(switch["took_ns"], WINDOW_NS)
            for kind, begin in ((mode, switch["began_ns"]), ("control", switch["began_ns"] - length)):
                inside = slice(bisect.bisect_left(ends, begin), bisect.bisect_left(ends, begin + length))
                seen[kind] += [latency / 1e3 for latency in latencies[inside]]
        return seen


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0


def in_turns(topics):
    """Every switch with a pause before it in which nothing happens; gives nothing, the topics remember."""
    topics[0].order("record"), topics[1].order("record")
    for topic in topics:
        topic.begin_load(SWITCHES * 2 * len(topics) * 0.35 + 2)
    time.sleep(1)
    for number in range(SWITCHES):
        for mode in ("async", "record"):
            for topic in topics[:: -1 if number % 2 else 1]:
                time.sleep(0.25)
                topic.switch(mode)
    for topic in topics:
        topic.thread.join()


def figures(topic):
    seen = topic.seen_by_callers()
    state = topic.order("state")
    idle = {mode: topic.order(mode) for mode in ("async", "record")}
    return {
        "events": topic.events, "longest_fence_us": state["longest_hold_ns"] / 1e3, "fences": state["fences"],
        "overruns": state["overruns"],
        "records": {mode: [answer["records_read"], answer["records_written"]] for mode, answer in idle.items()},
        "took_us": {mode: [switch["took_ns"] / 1e3 for done, switch in topic.switches if done == mode] for mode in idle},
        "callers": {kind: {"requests": len(values), "p99_us": quantile(values, 0.99), "longest_us": max(values, default=0)}
                    for kind, values in seen.items()},
    }


def run(options):
    large = 1_000_000 if rig.FULL else 100_000
    with rig.Rig(options.build, options.folder) as small, rig.Rig(options.build, options.folder) as big:
        topics = [Topic(small, 1000), Topic(big, large)]
        in_turns(topics)
        result = [figures(topic) for topic in topics]
    ratios = {mode: statistics.median(b / a for a, b in zip(*(one["took_us"][mode] for one in result)))
              for mode in ("async", "record")}
    return {"topics": result, "median_ratio": ratios}


def report(result):
    print(f"    {'':38}{'1,000 events':>14}{result['topics'][1]['events']:>12,} events")

    def line(label, get):
        print(f"    {label:38}" + "".join(f"{get(topic):>17,.0f}" for topic in result["topics"]))
    for mode, name in (("async", "to async"), ("record", "to sync")):
        line(f"{name}: median time, µs", lambda topic: statistics.median(topic["took_us"][mode]))
        line("  records read + written, nobody calling", lambda topic: sum(topic["records"][mode]))
        line("  callers' p99, µs", lambda topic: topic["callers"][mode]["p99_us"])
        line("  callers' longest, µs", lambda topic: topic["callers"][mode]["longest_us"])
    line("control windows: callers' p99, µs", lambda topic: topic["callers"]["control"]["p99_us"])
    line("  callers' longest, µs", lambda topic: topic["callers"]["control"]["longest_us"])
    line("longest wait at a fence, µs", lambda topic: topic["longest_fence_us"])
    line("fences, all together", lambda topic: topic["fences"])
    for mode, name in (("async", "to async"), ("record", "to sync")):
        print(f"    median ratio of the times {name}: {result['median_ratio'][mode]:.2f}   aim ≤ {AIM}")

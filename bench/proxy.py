# SPDX-License-Identifier: Apache-2.0
"""Steady sync mode against nginx's proxy_pass with keep-alive: the same backend and callers, one worker thread each, in turns.

Each proxy has one core for itself while it is measured, callers and backend have another. A round is, for each proxy, a time in
which the callers send as fast as they are answered (CPU per request, requests/s), and a time at one fixed rate for both (p99; half
of what the slower proxy managed). requests/s compares the proxies only where the proxy's core is the bottleneck: connections are
raised until it is at work, or waiting for its core, 95 % of the time; both shares are printed. What is printed are medians, and the
median of each round's ratio.
"""
import os
import shutil
import statistics
import time

import rig

AIMS = {"cpu_us": 0.80, "rate": 1.10, "p99_us": 1.00}
LABELS = {"cpu_us": "CPU per request, µs", "rate": "requests/s", "p99_us": "p99 at a fixed rate, µs", "core": "share of its core",
          "busy": "… or ready for it"}
CASES = {"POST of 120 bytes": {"target": "/COMM-040/accruals", "body": rig.body()},
         "GET": {"target": "/COMM-060/tasks/17/rating"}}

NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log crit;
events {{ worker_connections 8192; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 75s; client_max_body_size 16m;
    client_body_temp_path {folder}/n-body; proxy_temp_path {folder}/n-proxy; fastcgi_temp_path {folder}/n-fastcgi;
    uwsgi_temp_path {folder}/n-uwsgi; scgi_temp_path {folder}/n-scgi;
    upstream backend {{ server 127.0.0.1:{backend}; keepalive 1024; keepalive_requests 1000000000; }}
    server {{ listen 127.0.0.1:{port}; location / {{
        proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering on; }} }}
}}
"""


def start_nginx(it, backend, cores):
    port = rig.free_port()
    configuration = it.folder / "nginx.conf"
    configuration.write_text(NGINX.format(folder=it.folder, backend=backend, port=port))
    program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    return it.start([program, "-c", configuration, "-e", it.folder / "nginx.log", "-p", it.folder], cores, port), port


def saturate(it, proxy, other, options, connections, seconds):
    process, port = proxy
    used, wanted, began = process.cpu(), process.wanted(), time.monotonic()
    result = it.load(port, other, connections=connections, seconds=seconds, **options)
    used, lasted = process.cpu() - used, time.monotonic() - began
    wanted = max(seconds - wanted.get(thread, 0) for thread, seconds in process.wanted().items())
    return {"cpu_us": used / result["requests"] * 1e6, "rate": result["rate"], "core": used / lasted, "busy": wanted / lasted}


def measure(it, proxies, other, options, rounds, seconds):
    connections, share = 64, 0
    while share < 0.95 and connections < 512:
        share = max(saturate(it, proxy, other, options, connections, 0.7)["busy"] for proxy in proxies.values())
        connections *= 1 if share >= 0.95 else 2
    results = []
    for number in range(rounds):
        order = sorted(proxies, reverse=number % 2)
        one = {name: saturate(it, proxies[name], other, options, connections, seconds) for name in order}
        rate = min(each["rate"] for each in (results[0] if results else one).values()) / 2
        for name in order:
            fixed = it.load(proxies[name][1], other, connections=64, seconds=seconds, rate=rate, **options)
            one[name]["p99_us"] = fixed["p99_us"]
        results.append(one)
    return {"connections": connections, "fixed_rate": rate, "rounds": results}


def summary(case):
    rounds = case["rounds"]
    return {key: {"nginx": statistics.median(one["nginx"][key] for one in rounds),
                  "commute": statistics.median(one["commute"][key] for one in rounds),
                  "ratio": statistics.median(one["commute"][key] / one["nginx"][key] for one in rounds)} for key in LABELS}


def run(options):
    rounds, seconds = (9, 4) if rig.FULL else (5, 1.5)
    first, last = rig.CORES[:1], rig.CORES[-1:]
    cases = {}
    with rig.Rig(options.build) as it:
        backend = it.backend(last)
        proxies = {"nginx": start_nginx(it, backend, first), "commute": it.commute(backend, "sync", first)}
        # A path for each case, which the backend does not look at.
        for name, case in CASES.items():
            cases[name] = measure(it, proxies, last, case, rounds, seconds)
            cases[name]["median"] = summary(cases[name])
    return cases


def report(cases):
    for name, case in cases.items():
        print(f"  {name}: {len(case['rounds'])} rounds, {case['connections']} connections, fixed rate {case['fixed_rate']:.0f}/s")
        print(f"    {'':26}{'nginx':>10}{'commute':>10}{'ratio':>8}{'aim':>8}")
        for key, label in LABELS.items():
            value = case["median"][key]
            aim = "" if key not in AIMS else ("≥" if key == "rate" else "≤") + f" {AIMS[key]:.2f}"
            print(f"    {label:26}{value['nginx']:10.2f}{value['commute']:10.2f}{value['ratio']:8.2f}{aim:>8}")

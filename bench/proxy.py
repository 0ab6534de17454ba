#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The gateway against nginx's proxy_pass: same machine, same backend, same run, one worker thread each, in alternating rounds.

    bench/proxy.py [--build build] [--program "… {listen} {backend}"] [--path /] [--rounds 7] [--seconds 3]
                   [--connections 64] [--body BYTES] [--json FILE]

A round puts load (wrk) first on one, then on the other. CPU per request is the process's own time (/proc/PID/stat, user and
system) over the requests wrk counted. The proxies have one core, wrk and the backend (nginx, a worker of its own) another.
requests/s compares the proxies only while the proxy's core is the bottleneck: its share is printed, and when it is well below 1
the other core was full, and p99 then shows the queue there. What is printed are medians over the rounds and the median of each
round's ratio.

--program: a command with {listen} (127.0.0.1:PORT) and {backend} (http://127.0.0.1:PORT); the default is the HTTP core's
test-proxy. The command must become the proxy itself (no shell in between). nginx and wrk must be installed.
"""
import argparse
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
TICK = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))

NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/{name}.pid; error_log {folder}/{name}.log crit;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 75s; client_max_body_size 16m;
    client_body_temp_path {folder}/{name}-body; proxy_temp_path {folder}/{name}-proxy; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    {http}
}}
"""
BACKEND = """server {{ listen 127.0.0.1:{port}; location / {{ default_type application/json; return 200 '{body}'; }} }}"""
PROXY = """upstream backend {{ server 127.0.0.1:{backend}; keepalive 256; keepalive_requests 1000000000; }}
    server {{ listen 127.0.0.1:{port}; location / {{
        proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering on; }} }}"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(command, core):
    return subprocess.Popen(["taskset", "-c", str(core), *command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def wait_for(port):
    for _ in range(500):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    sys.exit(f"nobody listens on port {port}")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def nginx(folder, name, http, core):
    configuration = folder / f"{name}.conf"
    configuration.write_text(NGINX.format(folder=folder, name=name, http=http))
    program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    return start([program, "-c", configuration, "-e", folder / f"{name}.log", "-p", folder], core)


UNITS = {"us": 1e-3, "ms": 1, "s": 1e3}


def load(port, pid, options, core):
    """One run of wrk; gives CPU µs per request, requests/s, p99 in ms, and how full the proxy's core was."""
    script = []
    if options.body:
        lua = options.folder / "post.lua"
        lua.write_text('wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
                       f'wrk.body = string.rep("x", {options.body})\n')
        script = ["-s", lua]
    before, began = cpu_seconds(pid), time.monotonic()
    done = subprocess.run(["taskset", "-c", str(core), "wrk", "-t", "1", "-c", str(options.connections), "-d",
                           f"{options.seconds}s", "--latency", *script, f"http://127.0.0.1:{port}{options.path}"],
                          check=True, capture_output=True, text=True)
    used, lasted = cpu_seconds(pid) - before, time.monotonic() - began
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        sys.exit(done.stdout)
    requests = int(re.search(r"(\d+) requests in", done.stdout)[1])
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", done.stdout)
    return {"cpu_us": used / requests * 1e6, "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1]),
            "p99_ms": float(p99[1]) * UNITS[p99[2]], "core": used / lasted}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--program", help="command of the proxy under test")
    parser.add_argument("--path", default="/")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--body", type=int, default=0, help="POST a body of so many bytes instead of GET")
    parser.add_argument("--json", help="write the numbers to this file")
    options = parser.parse_args()
    command = options.program or f"{(ROOT / options.build / 'tests/wire/test-proxy')} --listen {{listen}} --upstream {{backend}}"
    options.folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-proxy-"))
    proxy_core, other_core = CORES[0], CORES[-1]
    backend, theirs, ours = free_port(), free_port(), free_port()
    body = '{"task_id":4711,"rating":17,"rated_at":"2024-05-01T12:00:00Z","note":"' + "x" * 120 + '"}'
    processes = {}
    try:
        processes["backend"] = nginx(options.folder, "backend", BACKEND.format(port=backend, body=body), other_core)
        processes["nginx"] = nginx(options.folder, "proxy", PROXY.format(port=theirs, backend=backend), proxy_core)
        filled = command.format(listen=f"127.0.0.1:{ours}", backend=f"http://127.0.0.1:{backend}")
        processes["commute"] = start(shlex.split(filled), proxy_core)
        for port in (backend, theirs, ours):
            wait_for(port)
        for port in (theirs, ours):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{options.path}") as answer:
                assert answer.read().decode() == body, "the proxy does not give the backend's answer"
        rounds = []
        ports = {"nginx": theirs, "commute": ours}
        for number in range(options.rounds):
            order = list(ports) if number % 2 else list(ports)[::-1]
            rounds.append({name: load(ports[name], processes[name].pid, options, other_core) for name in order})
    finally:
        for process in processes.values():
            process.send_signal(signal.SIGTERM)
        for process in processes.values():
            process.wait(10)
        shutil.rmtree(options.folder, ignore_errors=True)
    report(rounds, options)


def report(rounds, options):
    def median(name, key):
        return statistics.median(one[name][key] for one in rounds)

    def ratio(key):
        return statistics.median(one["commute"][key] / one["nginx"][key] for one in rounds)
    print(f"{len(rounds)} rounds of {options.seconds} s, {options.connections} connections, "
          + (f"POST of {options.body} bytes" if options.body else "GET"))
    print(f"{'':24}{'nginx':>10}{'commute':>10}{'ratio':>8}  {'aim':>6}")
    for key, label, aim in (("cpu_us", "CPU per request, µs", "≤ 0.80"), ("rate", "requests/s", "≥ 1.10"),
                            ("p99_ms", "p99, ms", "≤ 1.00")):
        print(f"{label:24}{median('nginx', key):10.2f}{median('commute', key):10.2f}{ratio(key):8.2f}  {aim:>6}")
    print(f"{'share of its core':24}{median('nginx', 'core'):10.2f}{median('commute', 'core'):10.2f}")
    if options.json:
        result = {"rounds": rounds, "ratio": {key: ratio(key) for key in ("cpu_us", "rate", "p99_ms")}}
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Starts and stops the hiring platform: used by run-direct, by the tests, and by what puts a gateway in between.

    with Platform(build, folder) as platform:
        platform.start()                      # the four services, directly against each other
        load = platform.start_load(rate=500, seconds=10)
        platform.kill("bonuses"); platform.start_service("bonuses")
        load.wait()
        platform.stop()
        result = platform.audit()

Every service listens on a port of 127.0.0.1 that is chosen once and kept over restarts; its database is <folder>/<name>.db.
`options[name]` holds the further command line of a service and may be changed before it is started."""
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import time

SERVICES = ("staff", "tasks", "bonuses", "portal")
START_SECONDS = 10
STOP_SECONDS = 15


def free_port():
    """One on which nobody listens, below the range from which the kernel gives ports to clients: none of them takes it meanwhile."""
    while True:
        port = random.randrange(10000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def request(port, method, path, body=None, headers=None, timeout=10):
    """One request; returns (status, headers, parsed JSON body or None)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        text = body if body is None or isinstance(body, (str, bytes)) else json.dumps(body)
        connection.request(method, path, text, headers or {})
        answer = connection.getresponse()
        raw = answer.read()
        return answer.status, dict(answer.getheaders()), json.loads(raw) if raw else None
    finally:
        connection.close()


class Platform:
    def __init__(self, build, folder):
        self.programs = os.path.join(os.path.abspath(build), "examples", "hiring")
        self.folder = os.path.abspath(folder)
        self.ports = {name: free_port() for name in SERVICES}
        self.processes = {}
        self.loads = []
        self.log = os.path.join(self.folder, "load.log")
        self.options = {
            "staff": [],
            "tasks": ["--bonuses-url", self.url("bonuses"), "--push-ratings-url", self.url("bonuses"),
                      "--push-cards-url", self.url("portal")],
            "bonuses": [],
            "portal": ["--managers-url", self.url("staff")],
        }

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in [*self.loads, *self.processes.values()]:
            if process.poll() is None:
                process.kill()
                process.wait()

    def url(self, name):
        return f"http://127.0.0.1:{self.ports[name]}"

    def database(self, name):
        return os.path.join(self.folder, f"{name}.db")

    def program(self, name):
        return os.path.join(self.programs, f"hiring-{name}")

    def start(self):
        for name in SERVICES:
            self.start_service(name)

    def start_service(self, name):
        """Starts one service and waits until it answers."""
        command = [self.program(name), "--port", str(self.ports[name]), "--database", self.database(name), *self.options[name]]
        with open(os.path.join(self.folder, f"{name}.out"), "ab") as out:
            self.processes[name] = subprocess.Popen(command, stdout=out, stderr=out)
        deadline = time.monotonic() + START_SECONDS
        while True:
            if self.processes[name].poll() is not None:
                raise RuntimeError(f"{name} ended with {self.processes[name].returncode}; see {self.folder}/{name}.out")
            try:
                return request(self.ports[name], "GET", "/health", timeout=1)[2]
            except OSError:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{name} does not answer") from None
                time.sleep(0.02)

    def kill(self, name):
        """kill -9."""
        self.processes[name].kill()
        self.processes[name].wait()

    def stop_service(self, name):
        process = self.processes[name]
        process.send_signal(signal.SIGTERM)
        code = process.wait(STOP_SECONDS)
        if code != 0:
            raise RuntimeError(f"{name} ended with {code}; see {self.folder}/{name}.out")

    def settle(self, seconds=15):
        """Waits until what tasks pushes itself has been pushed."""
        deadline = time.monotonic() + seconds
        while request(self.ports["tasks"], "GET", "/health")[2]["pushes_waiting"]:
            if time.monotonic() > deadline:
                raise RuntimeError("ratings or cards are still waiting to be pushed")
            time.sleep(0.05)

    def stop(self):
        """Lets pushes end, then stops callers before those they call."""
        self.settle()
        for name in ("portal", "tasks", "bonuses", "staff"):
            self.stop_service(name)

    def faults(self, name, **faults):
        status, _, body = request(self.ports[name], "POST", "/admin/faults", faults)
        if status != 200:
            raise RuntimeError(f"faults of {name}: {body}")

    def start_load(self, staff_url=None, tasks_url=None, tasks_writes_url=None, portal_url=None, stdout=None, **options):
        """Starts the load; options are its long options, with underscores. Returns the process."""
        command = [self.program("load"), "--staff-url", staff_url or self.url("staff"),
                   "--tasks-url", tasks_url or self.url("tasks"), "--portal-url", portal_url or self.url("portal"),
                   "--log", self.log]
        if tasks_writes_url:
            command += ["--tasks-writes-url", tasks_writes_url]
        for name, value in options.items():
            option = "--" + name.replace("_", "-")
            command += [option] if value is True else [] if value is None or value is False else [option, str(value)]
        self.loads.append(subprocess.Popen(command, stdout=stdout))
        return self.loads[-1]

    def audit_command(self, *options):
        command = [self.program("auditor"), "--log", self.log]
        for name in SERVICES:
            command += [f"--{name}", self.database(name)]
        return [*command, *options]

    def audit(self, *options):
        """Runs the auditor; returns (exit code, its --json result)."""
        done = subprocess.run(self.audit_command("--json", *options), stdout=subprocess.PIPE, check=False)
        return done.returncode, json.loads(done.stdout) if done.returncode in (0, 1) else None

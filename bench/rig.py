# SPDX-License-Identifier: Apache-2.0
"""What the benches share: processes on given cores, their CPU time and memory, and the load client (bench/load.c)."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
CORES = sorted(os.sched_getaffinity(0))
FULL = os.environ.get("FULL") == "1"
COMMUNICATION = """\
listen: {{gateway: "127.0.0.1:{port}", registry: "127.0.0.1:{registry}", control: "127.0.0.1:{control}"}}
data: "{folder}/data"
threads: 1
limits: {{max_backlog: 10000000}}
services:
  tasks: {{url: "http://127.0.0.1:{provider}"}}
  bonuses: {{url: "http://127.0.0.1:{provider}"}}
events:
  TaskCompletedSuccessful:
    from: tasks
    topic: task-completed
    schemas: "{root}/contracts/TaskCompletedSuccessful.v*.json"
    key: /payload/task_id
communications:
  COMM-040:
    functional: tasks -> bonuses
    initially: {mode}
    call: POST /accruals
    key: $body/task_id
    recognises: {{header: Idempotency-Key}}
    async:
      event: TaskCompletedSuccessful
      wrap: {{event_id: $sequence, created_at: $now, payload: $body}}
      unwrap: $event/payload
  COMM-060:
    data: bonuses -> tasks
    initially: pull
    pull: GET /tasks/{{task_id}}/rating
"""


def body(size=120):
    """A template for bench-load whose bodies have about `size` bytes: what is left is space, as a pretty-printer leaves."""
    text = '{"task_id":%l,"candidate_id":%n,"manager_id":12}'
    return text[:-1] + " " * max(0, size - len(text) - 6) + "}"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def machine():
    """What a reader must know of the machine to judge the numbers."""
    model = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines()
                  if line.startswith("model name")), "?")
    return {"cores": len(CORES), "processor": model, "load_before": os.getloadavg()[0], "kernel": os.uname().release}


class Process:
    """A child and what the kernel says of it."""

    def __init__(self, command, cores, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL):
        cores = ",".join(str(core) for core in cores)
        self.child = subprocess.Popen(["taskset", "-c", cores, *map(str, command)], stdin=stdin, stdout=stdout, text=True)
        self.pid = self.child.pid

    def cpu_by_thread(self):
        """Seconds on a core of each thread, by name (threads of one name together)."""
        used = {}
        for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
            name = (task / "comm").read_text(encoding="ascii").strip()
            used[name] = used.get(name, 0) + int((task / "schedstat").read_text(encoding="ascii").split()[0]) / 1e9
        return used

    def wanted(self):
        """Of each thread, seconds on a core or ready for one: while that grows as the clock does, the thread is the bottleneck,
        however busy the machine is otherwise."""
        return {task.name: sum(map(int, (task / "schedstat").read_text(encoding="ascii").split()[:2])) / 1e9
                for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir()}

    def cpu(self):
        return sum(self.cpu_by_thread().values())

    def pss_mb(self):
        for line in pathlib.Path(f"/proc/{self.pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
        raise OSError("no Pss")

    def stop(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


class Rig:
    """A folder and the processes in it; all end with the `with`."""

    def __init__(self, build, folder=None):
        self.build = pathlib.Path(build).resolve()
        self.parent = folder
        self.processes = []

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="commute-bench-", dir=self.parent))
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, command, cores=None, port=None, **streams):
        process = Process(command, cores or CORES, **streams)
        self.processes.append(process)
        if port:
            self.wait_for(port, process)
        return process

    @staticmethod
    def wait_for(port, process):
        for _ in range(2000):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            if process.child.poll() is not None:
                sys.exit(f"bench: {process.child.args} ended")
            time.sleep(0.01)
        sys.exit(f"bench: nobody listens on port {port}")

    def backend(self, cores=None, status=201):
        port = free_port()
        self.start([self.build / "bench/bench-backend", port, status], cores, port)
        return port

    def configuration(self, provider, mode):
        """A configuration with a functional and a pulled communication; gives its path and the gateway's port."""
        ports = {"port": free_port(), "registry": free_port(), "control": free_port()}
        path = self.folder / "commute.yaml"
        path.write_text(COMMUNICATION.format(folder=self.folder, provider=provider, root=ROOT, mode=mode, **ports))
        return path, ports["port"]

    def commute(self, provider, mode, cores=None):
        path, port = self.configuration(provider, mode)
        process = self.start([self.build / "src/commute", "serve", "-c", path, "--log-level", "error"], cores, port)
        return process, port

    def load(self, port, cores=None, **options):
        """One run of bench-load; gives its numbers."""
        command = ["taskset", "-c", ",".join(str(core) for core in cores or CORES), str(self.build / "bench/bench-load"), str(port)]
        for name, value in options.items():
            if value is not None:
                command += [f"--{name}", str(value)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr or f"bench-load: {done.returncode}")
        result = json.loads(done.stdout)
        if result["failed"]:
            sys.exit(f"bench: {result['failed']} of {result['requests']} requests failed\n{done.stderr}")
        return result

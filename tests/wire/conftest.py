# SPDX-License-Identifier: Apache-2.0
"""What all wire tests share: the built programs, free ports, and processes that never outlive their test.

    def test_staff_answers(start, build, free_port):
        port = free_port()
        staff = start(build / "examples/hiring/staff", "--port", port, ready=port)
        ...
        staff.stop()            # SIGTERM; fails unless it exits with 0

Every process that a test starts is ended with it, and its test fails if a sanitizer had something to say.
The build folder is `--build` (default: $COMMUTE_BUILD, else build).
"""
import os
import pathlib
import re
import random
import signal
import socket
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SLOW = 10 if os.environ.get("COMMUTE_SLOW") else 1      # sanitized builds on a busy machine: more patience, same tests
COMPLAINTS = re.compile(r"(ERROR|WARNING): (Address|Leak|Thread|Memory)Sanitizer|runtime error:|invariant broken:")


def pytest_addoption(parser):
    parser.addoption("--build", default=os.environ.get("COMMUTE_BUILD", "build"), help="the build folder to test")


@pytest.fixture(scope="session")
def build(request):
    """The build folder, absolute."""
    folder = (ROOT / request.config.getoption("--build")).resolve()
    assert folder.is_dir(), f"{folder} does not exist: run make"
    return folder


@pytest.fixture(scope="session")
def commute(build):
    """The program under test."""
    return build / "src/commute"


@pytest.fixture(scope="session")
def free_port():
    """A function that gives a TCP port of 127.0.0.1 on which nobody listens, never the same one twice. Below the range from which
    the kernel gives ports to clients, so that none of them takes it before the test does."""
    given = set()

    def find():
        while True:
            port = random.randrange(10000, 32000)
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
            if port not in given:
                given.add(port)
                return port
    return find


def wait_until(condition, seconds=10, what="the condition"):
    """Polls until condition() is true and returns what it said; fails after so many seconds (more when sanitized)."""
    deadline = time.monotonic() + seconds * SLOW
    while True:
        said = condition()
        if said:
            return said
        assert time.monotonic() < deadline, f"waited {seconds * SLOW} s in vain for {what}"
        time.sleep(0.01)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0


class Process:
    """A running program; its output goes to files, so it never blocks on a pipe."""

    def __init__(self, folder, arguments, environment):
        self.arguments = [str(argument) for argument in arguments]
        self.name = pathlib.Path(self.arguments[0]).name
        number = len(list(folder.glob("*.err")))
        self.out, self.err = folder / f"{number}-{self.name}.out", folder / f"{number}-{self.name}.err"
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.child = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                          env={**os.environ, **(environment or {})})

    @property
    def pid(self):
        return self.child.pid

    def stdout(self):
        return self.out.read_text(errors="replace")

    def stderr(self):
        return self.err.read_text(errors="replace")

    def wait_ready(self, ready, seconds):
        """ready: a port that must be listening, or a function without arguments that must become true."""
        condition = ready if callable(ready) else lambda: listens(ready)

        def ready_or_dead():
            assert self.child.poll() is None, f"{self.name} ended with {self.child.returncode}:\n{self.stderr()}"
            return condition()
        wait_until(ready_or_dead, seconds, f"{self.name} to be ready")

    def wait(self, seconds=10):
        """Waits for it to end by itself; returns its exit code."""
        return self.child.wait(seconds * SLOW)

    def stop(self, seconds=10):
        """SIGTERM, and it must end with 0."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        code = self.child.wait(seconds * SLOW)
        assert code == 0, f"{self.name} ended with {code}:\n{self.stderr()}"

    def kill(self):
        """kill -9, as in a power cut."""
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()


@pytest.fixture
def start(tmp_path):
    """start(program, argument…, ready=port or function, env={…}, seconds=10) gives a Process."""
    started = []
    folder = tmp_path / "processes"
    folder.mkdir()

    def begin(*arguments, ready=None, env=None, seconds=10):
        process = Process(folder, arguments, env)
        started.append(process)
        if ready is not None:
            process.wait_ready(ready, seconds)
        return process
    yield begin
    for process in reversed(started):
        process.kill()
    for process in started:
        complaint = COMPLAINTS.search(process.stderr())
        assert not complaint, f"{process.name} complained:\n{process.stderr()[-8000:]}"

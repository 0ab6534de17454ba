# SPDX-License-Identifier: Apache-2.0
"""SIGHUP: another configuration, in the same process, on the same sockets; and what is refused before anything ends."""
import contextlib
import json
import os
import signal
import socket
import threading

import pytest

from commute import Commute, Provider, ask
from conftest import SLOW, wait_until

CONTRACT = {"type": "object", "required": ["event_id", "payload"],
            "properties": {"event_id": {"type": "integer"}, "payload": {"type": "object", "required": ["task_id"]}}}
CONFIG = """\
listen: {{gateway: "127.0.0.1:{gateway}", registry: "127.0.0.1:{registry}", control: "127.0.0.1:{control}"}}
data: data
threads: {threads}
services:
  tasks: {{url: "http://127.0.0.1:{provider}"}}
  bonuses: {{url: "http://127.0.0.1:{provider}", auth: {{bearer_file: bonuses.token}}}}
events:
  TaskDone: {{from: tasks, topic: task-done, schemas: TaskDone.v*.json, key: /payload/task_id}}
  TaskLate: {{from: tasks, topic: task-late, schemas: TaskDone.v*.json, key: /payload/task_id}}
communications:
  COMM-040:
    functional: tasks -> bonuses
    initially: async
    call: POST /accruals
    key: $body/task_id
    recognises: {{header: Idempotency-Key, replayed: "Idempotent-Replayed: true", probe: POST /probe}}
    async: {{event: TaskDone, wrap: {{event_id: $sequence, payload: $body}}, unwrap: $event/payload}}
  COMM-041: {{functional: tasks -> bonuses, initially: sync, call: POST /accruals}}
  COMM-042:
    functional: tasks -> bonuses
    initially: sync
    call: POST /accruals
    key: $body/task_id
    async: {{event: TaskLate, wrap: {{event_id: $sequence, payload: $body}}, unwrap: $event/payload}}
defaults: {{partitions: 2, settle: 300ms, timeout: 5s, retry: {{first: 20ms, longest: 200ms}}}}
"""


@pytest.fixture
def provider():
    server = Provider()
    yield server
    server.close()


@pytest.fixture
def make(commute, start, tmp_path, free_port, provider):
    def made(threads=2):
        (tmp_path / "TaskDone.v0.json").write_text(json.dumps(CONTRACT))
        (tmp_path / "bonuses.token").write_text("secret\n")
        ports = free_port(), free_port(), free_port()
        names = dict(zip(("gateway", "registry", "control"), ports), provider=provider.port, threads=threads)
        return Commute(commute, start, tmp_path, ports, CONFIG.format(**names))
    return made


@pytest.fixture
def it(make):
    made = make()
    made.serve()
    return made


def change(it, old, new):
    text = it.config.read_text()
    assert old in text
    it.config.write_text(text.replace(old, new, 1))


def hang_up(it):
    os.kill(it.process.pid, signal.SIGHUP)


def said(it, event):
    return [line for line in it.process.stderr().splitlines() if f" {event} " in line]


def reload(it, old, new, count=1):
    """Changes the configuration, and waits until the process has begun anew with it."""
    change(it, old, new)
    hang_up(it)
    wait_until(lambda: len(said(it, "ready")) == count + 1, 20, "commute to be ready again")


class Callers:
    """Each connects anew for each call, and sends it once: whatever happens to a connection, it keeps."""

    def __init__(self, it, target, count=4):
        self.it, self.target, self.ending = it, target, False
        self.statuses, self.broken, self.lock = {}, [], threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(caller,), daemon=True) for caller in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, caller):
        number = 0
        while not self.ending:
            body = json.dumps({"task_id": caller, "number": number})
            try:
                status = self.it.call(body, self.target, Idempotency_Key=f"{self.target}-{caller}-{number}")[0]
            except OSError as error:
                status = repr(error)
            with self.lock:
                self.statuses[status] = self.statuses.get(status, 0) + 1
            number += 1

    def end(self):
        self.ending = True
        for thread in self.threads:
            thread.join(30 * SLOW)
        return sum(self.statuses.values())


@pytest.mark.parametrize("threads", [1, 2])
def test_callers_do_not_notice_a_reload(make, provider, threads):
    it = make(threads)
    it.serve()
    pid = it.process.pid
    accepted, answered = Callers(it, "/COMM-040/accruals"), Callers(it, "/COMM-041/accruals", 2)
    for count in range(1, 4):
        before = sum(accepted.statuses.values())
        wait_until(lambda before=before: sum(accepted.statuses.values()) > before + 50, 20, "calls")
        reload(it, f"timeout: {4 + count}s", f"timeout: {5 + count}s", count)
    wait_until(lambda: sum(accepted.statuses.values()) > before + 150, 20, "calls on the new configuration")
    sent = accepted.end() + answered.end()
    assert accepted.statuses.keys() == {202}, accepted.statuses
    assert answered.statuses.keys() == {201}, answered.statuses
    wait_until(lambda: len(provider.done) >= sent, 20, "what was accepted to be done")
    done = [request.identity for request in list(provider.done)]
    assert len(done) == len(set(done)) == sent, "none is lost, none is done twice"
    assert it.process.pid == pid and len(said(it, "reloading")) == 3
    it.process.stop()


@pytest.mark.parametrize("before, after", [(1, 3), (3, 1)])
def test_more_threads_and_fewer_take_who_waits(make, provider, before, after):
    it = make(before)
    it.serve()
    callers = Callers(it, "/COMM-041/accruals", 8)
    wait_until(lambda: sum(callers.statuses.values()) > 50, 20, "calls")
    reload(it, f"threads: {before}", f"threads: {after}")
    seen = sum(callers.statuses.values())
    wait_until(lambda: sum(callers.statuses.values()) > seen + 100, 20, "calls")
    callers.end()
    assert callers.statuses.keys() == {201}, callers.statuses
    assert f"threads={after}" in said(it, "ready")[-1]


# ---- refused: nothing has changed ----

def refused(it, pid):
    """The lines of a refused reload, after which everything is as before."""
    lines = wait_until(lambda: said(it, "reload-refused"), what="the refusal")
    assert it.call(b'{"task_id": 1}')[0] == 202 and it.get("/readyz")[0] == 200
    assert it.process.pid == pid and len(said(it, "ready")) == 1 and not said(it, "ending")
    return lines


@pytest.mark.parametrize("old, new, at, part", [
    ("data: data", "data: [data", "commute.yaml:3:", "flow sequence"),
    ("call: POST /accruals", "cull: POST /accruals", "commute.yaml:14:", "cull"),
    ("timeout: 5s", "timeout: 5 s", "commute.yaml:25:", "timeout"),
    ("-> bonuses", "-> bonus", "commute.yaml:12:", "bonus"),
])
def test_a_wrong_configuration_is_told_with_its_place(it, old, new, at, part):
    pid = it.process.pid
    change(it, old, new)
    hang_up(it)
    lines = refused(it, pid)
    assert any(at in line and part in line for line in lines), lines
    it.config.unlink()
    hang_up(it)
    wait_until(lambda: any("No such file" in line for line in said(it, "reload-refused")), what="the file to be missed")
    refused(it, pid)


@pytest.mark.parametrize("old, new, part", [
    ("data: data", "data: other", "another folder is another log"),
    ("key: $body/task_id", "key: $body/number", "its lanes have records"),
    ("partitions: 2", "partitions: 4", "its lanes have records"),
])
def test_what_a_start_would_refuse_is_refused_before_anything_ends(it, old, new, part):
    assert it.call(b'{"task_id": 1}')[0] == 202
    wait_until(lambda: it.accounts()["delivered"] == 1, what="the delivery")
    change(it, old, new)
    if "number" in new:
        change(it, "key: /payload/task_id", "key: /payload/number")
    hang_up(it)
    (line,) = refused(it, it.process.pid)
    assert part in line, line


def test_a_contract_that_was_registered_never_changes(it, tmp_path):
    (tmp_path / "TaskDone.v0.json").write_text(json.dumps(dict(CONTRACT, title="another")))
    hang_up(it)
    (line,) = refused(it, it.process.pid)
    assert "a contract that was registered never changes" in line


def test_a_migration_under_way_is_not_lost(it):
    assert it.get("/migrations/COMM-042", method="POST", body='{"to": "async", "auto": false}')[0] == 200
    text = it.config.read_text()
    it.config.write_text(text[:text.index("  COMM-042:")] + text[text.index("defaults:"):])
    hang_up(it)
    (line,) = refused(it, it.process.pid)
    assert "a migration of COMM-042 is under way" in line


def test_an_address_that_somebody_else_has(it):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        change(it, f"127.0.0.1:{it.registry}", f"127.0.0.1:{other.getsockname()[1]}")
        hang_up(it)
        (line,) = refused(it, it.process.pid)
        assert "in use" in line and str(other.getsockname()[1]) in line


def test_the_same_configuration(it):
    it.config.write_text("# only a comment\n" + it.config.read_text())
    hang_up(it)
    wait_until(lambda: said(it, "reload-unchanged"), what="it to be said")
    assert len(said(it, "ready")) == 1 and it.call(b'{"task_id": 1}')[0] == 202


# ---- what a reload takes over ----

def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_addresses_come_and_go(it, free_port):
    old, new = it.registry, free_port()
    change(it, f"127.0.0.1:{it.gateway}", f"127.0.0.1:{old}")           # the gateway listens where the registry did
    gateway, it.gateway, it.registry = it.gateway, old, new
    reload(it, f'registry: "127.0.0.1:{old}"', f'registry: "127.0.0.1:{new}"')
    assert it.call(b'{"task_id": 1}')[0] == 202
    assert ask(new, "GET", "/subjects")[0] == 200
    assert not listens(gateway), "nobody listens there any more"
    assert len(os.listdir(f"/proc/{it.process.pid}/fd")) < 64


def test_a_secret_is_read_again(it, provider, tmp_path):
    assert it.call(b'{"task_id": 1}')[0] == 202
    wait_until(lambda: len(provider.calls()) == 1, what="the delivery")
    (tmp_path / "bonuses.token").write_text("changed\n")
    hang_up(it)
    wait_until(lambda: len(said(it, "ready")) == 2, 20, "commute to be ready again")
    assert it.call(b'{"task_id": 2}')[0] == 202
    wait_until(lambda: len(provider.calls()) == 2, what="the delivery")
    assert [call.headers["Authorization"] for call in provider.calls()] == ["Bearer secret", "Bearer changed"]


def test_a_supervisor_is_told(make, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(tmp_path / "notify"))
        supervisor.settimeout(20 * SLOW)
        it = make()
        it.serve(env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert supervisor.recv(100) == b"READY=1"
        for new in ("timeout: 6s", "timeout: 6s", "timeout: six"):      # another, the same, a wrong one
            change(it, it.config.read_text().split("settle: 300ms, ")[1].split(", retry")[0], new)
            hang_up(it)
            first = supervisor.recv(100)
            assert first.startswith(b"RELOADING=1\nMONOTONIC_USEC="), first
            assert supervisor.recv(100) == b"READY=1"
        it.process.stop()
        assert supervisor.recv(100) == b"STOPPING=1"


def call_that_hangs(it):
    def call():
        with contextlib.suppress(OSError):              # it is cut off in the end
            it.call(b'{"task_id": 1}', "/COMM-041/accruals")
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread


def test_a_start_that_fails_all_the_same_says_so_and_ends(it, provider):
    provider.rule = lambda request: "hang"
    waiting = call_that_hangs(it)
    wait_until(provider.calls, what="the call to be at the provider")
    change(it, "timeout: 5s", "timeout: 6s")
    hang_up(it)
    wait_until(lambda: said(it, "reloading"), what="the drain to begin")
    change(it, "timeout: 6s", "timeout: six")                           # behind its back
    provider.release()
    assert it.process.wait() == 65
    assert "commute.yaml:25:" in it.process.stderr()
    waiting.join(20 * SLOW)


def test_a_signal_to_end_ends_a_reload(it, provider):
    provider.rule = lambda request: "hang"
    waiting = call_that_hangs(it)
    wait_until(provider.calls, what="the call to be at the provider")
    change(it, "timeout: 5s", "timeout: 6s")
    hang_up(it)
    wait_until(lambda: said(it, "reloading"), what="the drain to begin")
    os.kill(it.process.pid, signal.SIGTERM)
    assert it.process.wait() == 75
    assert said(it, "cut-short")
    waiting.join(20 * SLOW)

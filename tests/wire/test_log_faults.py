# SPDX-License-Identifier: Apache-2.0
"""What the log does not take: a full disk, messages that do not match, identities that come again; and files not its own.

The disk is a tmpfs of a mount namespace of its own, which outlives commute: `unshare --mount` needs root (CI has it)."""
import contextlib
import http.client
import itertools
import json
import os
import pathlib
import subprocess
import threading
import time

import pytest

from commute import Commute, Provider, ask
from conftest import SLOW, wait_until

CONTRACT = {"type": "object", "additionalProperties": False, "required": ["event_id", "payload"],
            "properties": {"event_id": {"type": "integer"},
                           "payload": {"type": "object", "required": ["task_id"], "additionalProperties": False,
                                       "properties": {"task_id": {"type": "integer"}, "number": {"type": "integer", "minimum": 0},
                                                      "candidate": {"type": "object", "properties": {"name": {"maxLength": 5}}},
                                                      "padding": {"type": "string"}}}}}
CONFIG = """\
listen: {{gateway: "127.0.0.1:{gateway}", registry: "127.0.0.1:{registry}", control: "127.0.0.1:{control}"}}
data: data
services:
  tasks: {{url: "http://127.0.0.1:{provider}"}}
  bonuses: {{url: "http://127.0.0.1:{provider}"}}
events:
  TaskDone: {{from: tasks, topic: task-done, schemas: TaskDone.v*.json, key: /payload/task_id}}
communications:
  COMM-040:
    functional: tasks -> bonuses
    initially: {initially}
    call: POST /accruals
    key: $body/task_id
    recognises: {{header: Idempotency-Key, replayed: "Idempotent-Replayed: true", probe: POST /probe}}
    async: {{event: TaskDone, wrap: {{event_id: $sequence, payload: $body}}, unwrap: $event/payload}}
  COMM-041: {{functional: tasks -> bonuses, initially: sync, call: POST /accruals}}
defaults: {{partitions: 2, settle: 300ms, timeout: 2s, retry: {{first: 20ms, longest: 200ms}},
            shadow: {{messages: {messages}, minutes: 10}}}}
"""


@pytest.fixture
def provider():
    server = Provider()
    yield server
    server.close()


@pytest.fixture
def make(commute, start, tmp_path, free_port, provider):
    """make(initially="async"): a Commute that does not serve yet; inside: in what its process is started."""
    def made(initially="async", inside=(), messages=10, folder=tmp_path):
        folder.mkdir(exist_ok=True)
        (folder / "TaskDone.v0.json").write_text(json.dumps(CONTRACT))
        ports = free_port(), free_port(), free_port()
        names = dict(zip(("gateway", "registry", "control"), ports), provider=provider.port)
        return Commute(commute, start, folder, ports, CONFIG.format(**names, initially=initially, messages=messages), inside)
    return made


def until_delivered(it, count):
    wait_until(lambda: it.accounts()["delivered"] == count, 20, f"{count} delivered")


# ---- a full disk ----

class Disk:
    """A small disk under the data folder, seen by what runs `inside`, and by the test through /proc."""
    SIZE = 24 * 1024 * 1024

    def __init__(self, start, folder):
        folder.mkdir()
        self.holder = start("unshare", "--mount", "--propagation", "private", "sh", "-c",
                            f"mount -t tmpfs -o size={self.SIZE},mode=700 tmpfs '{folder}' && echo mounted && exec sleep 3600")
        wait_until(lambda: self.holder.stdout() == "mounted\n", what="the disk to be mounted")
        self.inside = ("nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt")
        self.folder = pathlib.Path(f"/proc/{self.holder.pid}/root{folder}")
        self.filler = self.folder / "filler"

    def fill(self):
        with open(self.filler, "ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)

    def free(self):
        self.filler.unlink()


@pytest.fixture
def disk(start, tmp_path):
    probe = subprocess.run(["unshare", "--mount", "--propagation", "private", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
                           capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"no mount namespace of its own can be made here (needs root): {probe.stderr.strip()}")
    return Disk(start, tmp_path / "data")


@pytest.fixture
def on_disk(make, disk):
    """A Commute whose data folder is the small disk."""
    def made(**options):
        it = make(inside=disk.inside, **options)
        it.data = disk.folder
        it.serve()
        return it
    return made


class Callers:
    """Each repeats a message under its identity until it is accepted; what was answered is counted."""

    def __init__(self, it, count=4, pause=0.01):
        self.it, self.pause, self.ending = it, pause, False
        self.accepted, self.answers, self.lock = [], {}, threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(caller,), daemon=True) for caller in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, caller):
        for number in itertools.count():
            body = json.dumps({"task_id": caller, "number": number, "padding": "x" * 500})
            while not self.ending:
                try:
                    status = self.it.call(body, Idempotency_Key=f"{caller}-{number}")[0]
                except OSError:
                    status = 0
                with self.lock:
                    self.answers[status] = self.answers.get(status, 0) + 1
                    if status in (201, 202):
                        self.accepted.append((caller, number))
                        break
                time.sleep(self.pause)
            if self.ending:
                return
            time.sleep(self.pause)

    def end(self):
        self.ending = True
        for thread in self.threads:
            thread.join(30 * SLOW)

    def count(self, status):
        with self.lock:
            return self.answers.get(status, 0)


def check_done(it, provider, callers):
    """What was accepted was done, once each, in each caller's order."""
    callers.end()
    wait_until(lambda: it.accounts()["waiting"] == 0 and it.accounts()["indeterminate"] == 0, 20, "everything to be delivered")
    done = [(request.json["task_id"], request.json["number"]) for request in list(provider.done)]
    assert len(done) == len(set(done)), "nothing is done twice"
    assert set(callers.accepted) - set(done) == set(), "nothing accepted is lost"
    for caller in range(4):
        numbers = [number for task, number in done if task == caller]
        assert numbers == sorted(numbers)
    print(f"{len(callers.accepted)} accepted, answers {callers.answers}, {len(done)} done")


def test_plain_calls_go_on_with_a_full_disk(on_disk, disk, provider):
    it = on_disk(initially="sync")
    disk.fill()
    for number in range(20):
        assert it.call(json.dumps({"task_id": number}))[0] == 201
        assert it.call(json.dumps({"task_id": number}), "/COMM-041/accruals")[0] == 201
    status, refused = it.order("", {"to": "async"})
    assert status == 503 or status == 507, refused
    assert len(provider.done) == 40 and it.status()["mode"] == "sync"
    disk.free()
    wait_until(lambda: it.order("", {"to": "async"})[0] == 200, what="the log to take the migration")


def test_a_shadow_steps_back_when_the_disk_is_full(on_disk, disk, provider):
    it = on_disk(initially="sync", messages=100000)
    callers = Callers(it)
    it.migrate("async")
    it.until("gate", "producer")
    wait_until(lambda: it.migration()["steps"][3]["evidence"]["figures"].get("compared", 0) > 20, what="comparisons")
    disk.fill()
    wait_until(lambda: it.status()["steps_back"] > 0, 20, "the step back")
    before = callers.count(201)
    wait_until(lambda: callers.count(201) > before + 50, 20, "calls to go on without records")
    assert set(callers.answers) <= {201, 409}, callers.answers       # 409: an earlier attempt is still under way
    disk.free()

    def said():
        return [entry["what"] for entry in it.migration()["history"] if "the log failed" in entry["what"]]
    assert wait_until(said, 20, "the migration to say it")[0].startswith("the evidence is void")
    wait_until(lambda: it.migration()["steps"][3]["evidence"]["figures"].get("compared", 0) > 20, 20, "comparisons anew")
    assert it.order("/cancel")[0] == 200
    it.until("cancelled")
    check_done(it, provider, callers)


def test_a_shadow_steps_back_when_calls_pile_up(make, provider):
    it = make(initially="sync", messages=100000)
    it.config.write_text(it.config.read_text() + "limits: {max_backlog: 3}\n")
    it.serve()
    it.migrate("async")
    it.until("gate", "producer")
    provider.rule = lambda request: "hang" if request.json.get("number") == 1 else None

    def call(task):
        return it.call(json.dumps({"task_id": task, "number": 1}), Idempotency_Key=f"hangs-{task}")[0]
    waiting = [threading.Thread(target=call, args=(task,), daemon=True) for task in range(8)]
    for thread in waiting:                                  # of two shards: one of them has three of these at least
        thread.start()
    wait_until(lambda: it.status()["steps_back"] > 0, what="the step back")
    for task in range(8):
        assert it.call(json.dumps({"task_id": task}))[0] == 201, "callers do not notice"
    provider.release()
    for thread in waiting:
        thread.join(20 * SLOW)
    for task in range(8):                                   # what nobody knew is known, and waits no more
        wait_until(lambda task=task: call(task) == 201, what="the answer to a repeat")
    wait_until(lambda: any("did not keep up" in entry["what"] for entry in it.migration()["history"]), what="the migration to say it")
    wait_until(lambda: it.call(b'{"task_id": 1}') and it.migration()["steps"][3]["evidence"]["figures"].get("compared", 0) > 2, 20,
               "comparisons anew")


def test_async_calls_get_503_on_a_full_disk_and_nothing_accepted_is_lost(on_disk, disk, provider):
    it = on_disk()
    callers = Callers(it)
    wait_until(lambda: callers.count(202) > 50, what="50 accepted")
    for _ in range(2):
        disk.fill()
        before = callers.count(503)
        wait_until(lambda: callers.count(503) > before + 20, 20, "calls to be refused")
        assert it.call(b'{"task_id": 99}', "/COMM-041/accruals")[0] == 201, "what is plain goes on"
        disk.free()
        accepted = callers.count(202)
        wait_until(lambda: callers.count(202) > accepted + 50, 20, "appends to go on")
    assert set(callers.answers) <= {202, 409, 503}
    provider.done[:] = [request for request in provider.done if request.json["task_id"] != 99]
    check_done(it, provider, callers)


def test_kill_9_with_a_full_disk(on_disk, disk, provider):
    it = on_disk()
    callers = Callers(it)
    wait_until(lambda: callers.count(202) > 50, what="50 accepted")
    disk.fill()
    wait_until(lambda: callers.count(503) > 10, 20, "calls to be refused")
    it.kill()
    refused = it.serve(wait=False)
    if refused.wait() == 0 or "refused-to-start" not in refused.stderr():
        raise AssertionError(refused.stderr())
    assert "full" in refused.stderr() or "space" in refused.stderr(), refused.stderr()
    disk.free()
    it.serve()
    accepted = callers.count(202)
    wait_until(lambda: callers.count(202) > accepted + 50, 20, "appends to go on")
    check_done(it, provider, callers)


# ---- what is refused, and appends nothing ----

@pytest.mark.parametrize("body, path, keyword", [
    ('{"task_id": 1.5}', "/task_id", "type"),
    ('{"task_id": "1"}', "/task_id", "type"),
    ('{"task_id": 1, "number": -1}', "/number", "minimum"),
    ('{"task_id": 1, "rating": 5}', "/rating", "additionalProperties"),
    ('{"task_id": 1, "candidate": {"name": "Anastasia"}}', "/candidate/name", "maxLength"),
])
def test_a_message_that_does_not_match_says_where(make, provider, body, path, keyword):
    it = make()
    it.serve()
    end = it.get("/status")[1]["log"]
    status, _, answer = it.call(body)
    said = json.loads(answer)
    assert status == 422
    print(said)
    assert path in said["message"] and keyword in said["message"], said
    assert "byte" in said["message"]
    assert it.accounts()["admitted"] == 0 and provider.calls() == []
    assert it.get("/status")[1]["log"]["position"] == end["position"], "nothing was appended"
    assert it.call(b'{"task_id": 1}')[0] == 202, "the lane is free"


@pytest.mark.parametrize("body", ["", "{", '{"task_id": 1}}', '{"task_id": 1, "task_id": 2}', '{"number": 1}', "[1]", "\xff",
                                  '{"task_id": 1e-400}', "[" * 200 + "]" * 200])
def test_what_cannot_be_a_message_is_refused(make, provider, body):
    it = make()
    it.serve()
    status, _, answer = it.call(body.encode("latin-1"))
    assert status in (400, 413, 422), answer
    assert json.loads(answer)["message"]
    assert it.accounts()["admitted"] == 0 and provider.calls() == []


# ---- identities ----

def test_an_identity_with_another_body_is_refused(make, provider):
    it = make()
    it.serve()
    first = it.call(b'{"task_id": 1, "number": 1}', Idempotency_Key="a")
    assert first[0] == 202
    for other in (b'{"task_id": 1, "number": 2}', b'{"task_id": 2, "number": 1}'):      # of the same lane, of another
        assert it.call(other, Idempotency_Key="a")[0] == 409
    same = it.call(b'{ "number":1, "task_id":1 }', Idempotency_Key="a")                  # the same, written otherwise
    assert (same[0], same[1]["Location"]) == (202, first[1]["Location"])
    until_delivered(it, 1)
    assert it.call(b'{"task_id": 1, "number": 2}', Idempotency_Key="a")[0] == 409, "when it is delivered, too"
    assert provider.tasks() == [1]


def test_an_identity_that_is_given_twice_is_refused(make, provider):
    it = make()
    it.serve()
    connection = http.client.HTTPConnection("127.0.0.1", it.gateway, timeout=20 * SLOW)
    connection.putrequest("POST", "/COMM-040/accruals")
    for name, value in (("Idempotency-Key", "a"), ("Content-Length", "14"), ("idempotency-key", "b")):
        connection.putheader(name, value)
    connection.endheaders(b'{"task_id": 1}')
    answer = connection.getresponse()
    assert answer.status == 400 and "more than once" in json.loads(answer.read())["message"]
    connection.close()
    assert it.accounts()["admitted"] == 0 and provider.calls() == []


def test_a_repeat_gets_the_first_answer_after_restarts(make, provider):
    it = make()
    it.serve()
    first = it.call(b'{"task_id": 1}', Idempotency_Key="a")
    until_delivered(it, 1)
    for lose_views in (False, True):
        it.kill()
        if lose_views:
            for path in it.data.glob("state.db*"):
                path.unlink()
        it.serve()
        again = it.call(b'{"task_id": 1}', Idempotency_Key="a")
        assert (again[0], again[1]["Location"]) == (first[0], first[1]["Location"])
        assert it.call(b'{"task_id": 1, "number": 7}', Idempotency_Key="a")[0] == 409
    assert provider.tasks() == [1]


def test_a_repeat_of_a_call_with_records_gets_the_providers_answer(make, provider):
    it = make(initially="sync")
    it.serve()
    it.migrate("async")
    it.until("gate", "producer")
    first = it.call(b'{"task_id": 1}', Idempotency_Key="a")
    assert first[0] == 201
    wait_until(lambda: it.accounts()["answered"] == 1, what="the outcome's record")      # else it is sent again, and recognised
    it.kill()
    it.serve()
    it.until("gate", "producer")
    assert it.call(b'{"task_id": 1}', Idempotency_Key="a")[::2] == first[::2]
    assert it.call(b'{"task_id": 1, "number": 1}', Idempotency_Key="a")[0] == 409
    assert len(provider.calls()) == 1


# ---- files that are not what they should be ----

def refused_to_start(it):
    process = it.serve(wait=False)
    assert process.wait() not in (0, -6, -11), process.stderr()
    line = next(line for line in process.stderr().splitlines() if "refused-to-start" in line)
    print(line)
    return line


@pytest.mark.parametrize("how", ["to nothing", "to half", "to a page and a half", "overwritten"])
def test_a_damaged_log_is_refused(make, how):
    it = make()
    it.serve()
    for task in range(300):
        it.call(json.dumps({"task_id": task, "padding": "x" * 300}))
    until_delivered(it, 300)
    it.process.stop()
    log = it.data / "log.db"
    size = log.stat().st_size
    assert size > 100_000 and not (it.data / "log.db-wal").exists() or (it.data / "log.db-wal").stat().st_size == 0
    if how == "overwritten":
        with open(log, "r+b") as file:
            file.seek(size // 2)
            file.write(os.urandom(size // 4))
    else:
        os.truncate(log, {"to nothing": 0, "to half": size // 2, "to a page and a half": 6144}[how])
    line = refused_to_start(it)
    assert "log" in line


def test_views_of_another_log_are_not_taken(make, tmp_path):
    one, other = make(folder=tmp_path / "one"), make(folder=tmp_path / "other")
    for it, count in ((one, 3), (other, 5)):
        it.serve()
        for task in range(count):
            assert it.call(json.dumps({"task_id": task}), Idempotency_Key=f"{it.folder.name}-{task}")[0] == 202
        until_delivered(it, count)
        it.process.stop()
    for path in other.data.glob("state.db*"):
        path.unlink()
    for path in one.data.glob("state.db*"):
        (other.data / path.name).write_bytes(path.read_bytes())
    line = refused_to_start(other)
    assert "state.db" in line and "another log" in line
    for path in other.data.glob("state.db*"):
        path.unlink()
    other.serve()
    assert other.accounts()["delivered"] == 5


def test_views_that_are_ahead_of_the_log_are_not_taken(make, tmp_path):
    """The log was brought back from an older backup; what its views say came later never was."""
    it = make()
    it.serve()
    assert it.call(b'{"task_id": 1}', Idempotency_Key="a")[0] == 202
    until_delivered(it, 1)
    it.process.stop()
    backup = (it.data / "log.db").read_bytes()
    it.serve()
    for task in range(2, 30):
        it.call(json.dumps({"task_id": task}))
    until_delivered(it, 29)
    it.process.stop()
    (it.data / "log.db").write_bytes(backup)
    line = refused_to_start(it)
    assert "state.db" in line


def test_a_state_db_that_is_no_database_is_refused_or_rebuilt(make, provider):
    it = make()
    it.serve()
    it.call(b'{"task_id": 1}', Idempotency_Key="a")
    until_delivered(it, 1)
    it.process.stop()
    (it.data / "state.db").write_bytes(b"not a database" * 1000)
    assert "state.db" in refused_to_start(it)

# SPDX-License-Identifier: Apache-2.0
"""Migrations of a functional communication: sync to async and back under load, with kill -9, and what is refused."""
import collections
import http.client
import http.server
import itertools
import json
import os
import random
import re
import subprocess
import threading
import time

import pytest

from commute import Commute
from conftest import SLOW, wait_until

CONTRACT = {"type": "object", "additionalProperties": False, "required": ["event_id", "payload"],
            "properties": {"event_id": {"type": "integer"}, "created_at": {"type": "string"},
                           "payload": {"type": "object", "required": ["task_id"]}}}
CONFIG = """\
listen: {{gateway: "127.0.0.1:{gateway}", registry: "127.0.0.1:{registry}", control: "127.0.0.1:{control}"}}
data: data
services:
  tasks: {{url: "http://127.0.0.1:{provider}"}}
  bonuses: {{url: "http://127.0.0.1:{provider}"}}
events:
  TaskCompletedSuccessful: {{from: tasks, topic: task-completed, schemas: contracts/TaskCompletedSuccessful.v*.json,
                            key: /payload/task_id}}
communications:
  COMM-040:
    functional: tasks -> bonuses
    initially: sync
    call: POST /accruals
    key: $body/task_id
    recognises: {recognises}
    async: {{event: TaskCompletedSuccessful, answer: 202, wrap: {wrap}, unwrap: $event/payload}}
  COMM-041:
    functional: tasks -> bonuses
    initially: sync
    call: POST /bare
defaults: {{shadow: {{messages: 40, minutes: 10}}, partitions: 4, settle: 1s}}
"""
PROBED = '{header: Idempotency-Key, replayed: "Idempotent-Replayed: true", probe: POST /probe}'
WRAP = "{event_id: $sequence, created_at: $now, payload: $body}"


class Bonuses(http.server.ThreadingHTTPServer):
    """Accrues each identity once and says so when it sees it again; keeps what it accrued, in order."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Bonuses.Answer)
        self.lock, self.known, self.accrued, self.recognises = threading.Lock(), {}, [], True
        self.pause, self.held = threading.Event(), []           # set: calls are held until it is cleared
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]

    def handle_error(self, *_):
        """Connections break when commute is killed."""

    class Answer(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self, status, body, replayed=False):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if replayed:
                self.send_header("Idempotent-Replayed", "true")
            self.end_headers()
            self.wfile.write(body)

        def do_HEAD(self):
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            identity = self.headers.get("Idempotency-Key")
            server = self.server
            if server.pause.is_set():
                server.held.append(body)
                while server.pause.is_set():
                    time.sleep(0.01)
            with server.lock:
                if identity in server.known and server.recognises:
                    return self.answer(201, server.known[identity], replayed=True)
                if self.path == "/accruals":
                    server.accrued.append(json.loads(body))
                server.known[identity] = answer = json.dumps({"accrued": len(server.accrued)}).encode()
            self.answer(201, answer)

        def log_message(self, *_):
            pass


@pytest.fixture
def provider():
    server = Bonuses()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def commute_with(commute, start, tmp_path, free_port, provider):
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts/TaskCompletedSuccessful.v0.json").write_text(json.dumps(CONTRACT))

    def make(recognises=PROBED, wrap=WRAP):
        ports = free_port(), free_port(), free_port()
        names = dict(zip(("gateway", "registry", "control"), ports), provider=provider.port, recognises=recognises, wrap=wrap)
        return Commute(commute, start, tmp_path, ports, CONFIG.format(**names))
    return make


class Load:
    """Callers that complete tasks, each repeating a call under its identity until it is told what became of it."""

    def __init__(self, port, callers=4, tasks=6):
        self.port, self.tasks, self.stopping = port, tasks, False
        self.accepted, self.statuses, self.lock = [], collections.Counter(), threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(caller,), daemon=True) for caller in range(callers)]
        for thread in self.threads:
            thread.start()

    def run(self, caller):
        for number in itertools.count():
            if self.stopping:
                return
            task = {"task_id": caller * self.tasks + number % self.tasks, "candidate": caller, "number": number}
            self.complete(task, f"{caller}-{number}")
            time.sleep(0.004)

    def complete(self, task, identity):
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10 * SLOW)
                connection.request("POST", "/COMM-040/accruals", json.dumps(task),
                                   {"Content-Type": "application/json", "Idempotency-Key": identity})
                status = connection.getresponse().status
                connection.close()
            except OSError:
                status = 0
            except http.client.HTTPException:
                status = 0
            with self.lock:
                self.statuses[status] += 1
                if status in (201, 202):
                    self.accepted.append(task)
                    return
            time.sleep(0.02)

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join(20 * SLOW)
            assert not thread.is_alive()


@pytest.fixture
def load():
    running = []

    def begin(port, **options):
        running.append(Load(port, **options))
        return running[-1]
    yield begin
    for each in running:
        each.stopping = True


def migration(it):
    return it.get("/migrations/COMM-040")[1]


def order(it, what, body=None):
    return it.get(f"/migrations/COMM-040{what}", method="POST", body=None if body is None else json.dumps(body))


def begin(it, to, auto=True):
    status, answer = order(it, "", {"to": to, "auto": auto})
    assert status == 200, answer
    return answer


def until(it, status, step=None, seconds=30):
    def there():
        now = migration(it)
        return now["status"] == status and (step is None or now["step"] == step) and now
    try:
        return wait_until(there, seconds, f"{status} at {step}")
    except AssertionError:
        print(json.dumps(migration(it), indent=1))
        raise


def check(load, provider):
    """Nothing that was accepted is lost or doubled, and each caller's tasks come in its order."""
    load.stop()
    wait_until(lambda: len(provider.accrued) >= len(load.accepted), 20, "every accepted task to be accrued")
    time.sleep(0.2)
    counted = collections.Counter((task["candidate"], task["number"]) for task in provider.accrued)
    assert [task for task, times in counted.items() if times > 1] == []
    assert {(task["candidate"], task["number"]) for task in load.accepted} - set(counted) == set()
    last = {}
    for task in provider.accrued:
        assert task["number"] > last.get((task["candidate"], task["task_id"]), -1)
        last[task["candidate"], task["task_id"]] = task["number"]
    assert len(load.accepted) > 100


# ---- basics ----

def test_a_call_becomes_an_event_and_a_call_again(commute_with, provider, load):
    it = commute_with()
    it.serve()
    traffic = load(it.gateway)
    begin(it, "async")
    there = until(it, "done")
    assert [step["evidence"]["verdict"] for step in there["steps"]] == ["pass"] * 7
    producer = there["steps"][3]["evidence"]
    assert re.match(r"\d+ comparisons, none differs", producer["sentence"]) and producer["figures"]["compared"] >= 40
    wait_until(lambda: traffic.statuses[202] > 50)
    begin(it, "sync")
    there = until(it, "done")
    assert there["id"] == 2 and there["to"] == "sync"
    before = traffic.statuses[202]
    wait_until(lambda: traffic.statuses[201] > 50)
    assert traffic.statuses[202] - before <= 4
    check(traffic, provider)


def test_says_what_a_migration_would_do(commute_with):
    it = commute_with()
    it.serve()
    status, plan = it.get("/plan/COMM-040?to=async")
    assert status == 200
    assert [step["name"] for step in plan["steps"]] == ["contract", "registered", "consumer", "producer", "switch", "old-way-off",
                                                        "clean"]
    assert plan["steps"][0]["holds"] and not plan["steps"][1]["holds"]
    assert plan["steps"][1]["sentence"] == "version 0 of TaskCompletedSuccessful is not registered (version 1 of its subject)"
    assert re.fullmatch(r"bonuses answers \(HEAD /: 404 after \d+\.\d ms\); bonuses recognises Idempotency-Key: "
                        r"Idempotent-Replayed to the second probe", plan["steps"][2]["sentence"])
    assert it.get("/migrations") == (200, {"migrations": []})


def test_waits_for_advance_before_each_act(commute_with, load):
    it = commute_with()
    it.serve()
    load(it.gateway, callers=2)
    begin(it, "async", auto=False)
    for step in "registered", "producer", "switch", "clean":
        there = until(it, "ready", step)
        assert there["steps"][there["number"] - 1]["evidence"]["verdict"] == "pass"
        assert order(it, "/advance")[0] == 200
    until(it, "done")


def test_pauses_and_goes_back(commute_with, provider, load):
    it = commute_with()
    it.serve()
    traffic = load(it.gateway)
    begin(it, "async")
    wait_until(lambda: migration(it)["number"] >= 5 or migration(it)["status"] == "done")
    until(it, "done")
    begin(it, "sync", auto=False)
    until(it, "ready", "switch")
    order(it, "/advance")
    until(it, "ready", "consumer-off")
    assert order(it, "/pause")[0] == 200
    assert order(it, "/rollback")[0] == 200
    there = until(it, "paused", "switch")
    assert there["history"][-1]["what"].startswith("went back: every lane is async")
    assert order(it, "/cancel")[0] == 200
    until(it, "cancelled")
    check(traffic, provider)


def test_a_parked_lane_stays_async_until_a_person_has_settled_it(commute_with, provider):
    it = commute_with("none")
    process = it.serve()
    traffic = Load(it.gateway, callers=1)
    begin(it, "async")
    until(it, "done")
    traffic.stop()
    wait_until(lambda: len(provider.accrued) == len(traffic.accepted))
    provider.pause.set()                        # what is delivered now is at the provider when commute is killed
    assert it.call(b'{"task_id": 777, "candidate": 7, "number": 0}')[0] == 202
    wait_until(lambda: provider.held)
    process.kill()
    provider.pause.clear()
    it.serve()
    begin(it, "sync")
    until(it, "acting", "switch")

    def waits():
        evidence = migration(it)["steps"][2]["evidence"]
        return evidence and "1 lane still async: 1 parked" in evidence["sentence"] and evidence
    assert "a person has to settle what is parked" in wait_until(waits)["sentence"]
    assert it.call(b'{"task_id": 778, "candidate": 8, "number": 0}')[0] == 201     # other lanes are sync
    position = it.get("/parked")[1]["parked"][0]["position"]
    wait_until(lambda: it.get(f"/parked/{position}/settle", method="POST", body=b'{"done": true}')[0] == 200)
    until(it, "done")
    assert [task["task_id"] for task in provider.accrued].count(777) == 1


# ---- the command line ----

@pytest.fixture
def cli(commute, tmp_path):
    def run(it, *arguments):
        done = subprocess.run([commute, *arguments, "-c", it.config], capture_output=True, text=True, timeout=60 * SLOW)
        return done.returncode, done.stdout, done.stderr
    return run


def test_the_command_line_plans_and_follows_to_the_end(commute_with, load, cli):
    it = commute_with()
    it.serve()
    code, out, err = cli(it, "plan", "COMM-040", "--to", "async")
    assert (code, err) == (0, "")
    assert "  1  ✓ the event's schema is written (it is so already: nothing to do)\n" in out
    assert "        does      registers every version of TaskCompletedSuccessful that is not there yet\n" in out
    assert "  7  … clean up, update the documentation\n" in out
    load(it.gateway)
    code, out, err = cli(it, "migrate", "COMM-040", "--to", "async", "--auto")
    assert (code, err) == (0, "")
    assert out.count("begun: from sync to async") == 1 and out.count("done: COMM-040 is async\n") == 1
    assert "COMM-040, from sync to async: done, step 7 of 7\n" in out
    assert re.search(r"  4  ✓ the producer sends the event, in shadow\n        \d+ comparisons, none differs\n", out)
    code, out, err = cli(it, "migrate", "COMM-040", "--to", "async")
    assert (code, out, err) == (75, "", "commute: COMM-040 is async already\n")


def test_the_command_line_gives_commands(commute_with, cli):
    it = commute_with()
    it.serve()
    code, out, _ = cli(it, "migrate", "COMM-040", "--to", "async", "--step")
    assert code == 0 and out.startswith("COMM-040, from sync to async: ")
    until(it, "ready", "registered")
    code, out, _ = cli(it, "advance", "COMM-040")
    assert code == 0 and "acting" in out
    until(it, "ready", "producer")
    code, out, _ = cli(it, "pause", "COMM-040")
    assert code == 0 and "paused: `commute advance` goes on" in out
    code, _, err = cli(it, "rollback", "COMM-040")
    assert code == 75 and err == "commute: COMM-040: no step has been taken that could be undone\n"
    code, out, _ = cli(it, "cancel", "COMM-040", "--json")
    assert code == 0 and json.loads(out)["status"] == "cancelled"


# ---- refused ----

@pytest.mark.parametrize("name, body, status, part", [
    ("COMM-999", {"to": "async"}, 404, 'there is no communication and no event "COMM-999"'),
    ("COMM-041", {"to": "async"}, 501, "COMM-041 has no `async` in the configuration"),
    ("COMM-040", {"to": "sync"}, 409, "COMM-040 is sync already"),
    ("COMM-040", {"to": "push"}, 501, "COMM-040 is functional: it is sync or async, never push"),
    ("COMM-040", {"to": "sideways"}, 400, "COMM-040 is a communication: expected sync, pull, push or async"),
    ("COMM-040", {}, 400, "expected sync, pull, push or async"),
    ("COMM-040", {"to": "async", "auto": 1}, 400, "auto: expected true or false"),
    ("COMM-040", {"to": "async", "fast": True}, 400, "fast"),
])
def test_refuses_with_the_reason(commute_with, name, body, status, part):
    it = commute_with()
    it.serve()
    got, answer = it.get(f"/migrations/{name}", method="POST", body=json.dumps(body))
    assert got == status and part in answer["message"]
    assert it.get("/migrations") == (200, {"migrations": []})


def test_refuses_a_second_migration(commute_with):
    it = commute_with()
    it.serve()
    begin(it, "async")
    status, answer = order(it, "", {"to": "async"})
    assert status == 409 and "COMM-040: a migration is under way" in answer["message"]


def test_a_mapping_that_swaps_two_ids_fails_at_the_gate(commute_with, load):
    it = commute_with(wrap="{event_id: $sequence, payload: "
                           "{task_id: $body/task_id, number: $body/candidate, candidate: $body/number}}")
    it.serve()
    load(it.gateway, callers=1)
    begin(it, "async")
    until(it, "gate", "producer")

    def fails():
        evidence = migration(it)["steps"][3]["evidence"]
        return evidence and evidence["verdict"] == "fail" and evidence
    evidence = wait_until(fails)
    assert re.match(r"\d+ of \d+ comparisons differs?; first: body /(candidate|number): the call has \d+, the delivery "
                    r"would have \d+", evidence["sentence"])
    assert order(it, "/advance")[0] == 409
    order(it, "/cancel")
    until(it, "cancelled")


def test_a_provider_that_recognises_nothing_fails_at_the_gate(commute_with, provider):
    provider.recognises = False
    it = commute_with()
    it.serve()
    begin(it, "async")
    there = until(it, "person", "consumer")
    assert "does not show that it recognises Idempotency-Key" in there["steps"][2]["evidence"]["sentence"]
    provider.recognises = True
    until(it, "gate", "producer")


# ---- kill -9 ----

def boundaries(it, process, restart, status_of_end="done"):
    """Kills commute at each step boundary that it sees, until the migration is over; gives the last process."""
    seen = set()
    deadline = time.monotonic() + 90 * SLOW
    while True:
        assert time.monotonic() < deadline, migration(it)
        now = migration(it)
        if now["status"] in ("done", "cancelled"):
            assert now["status"] == status_of_end
            return process, seen
        at = now["step"], now["status"]
        if at not in seen:
            seen.add(at)
            process.kill()
            process = restart()


def test_goes_there_and_back_though_killed_at_each_step(commute_with, provider, load):
    it = commute_with()
    process = it.serve()
    traffic = load(it.gateway)
    begin(it, "async")
    process, seen = boundaries(it, process, it.serve)
    assert len(seen) >= 5, seen
    begin(it, "sync")
    process, seen = boundaries(it, process, it.serve)
    assert len(seen) >= 3, seen
    check(traffic, provider)
    process.stop()


def test_goes_back_though_killed_on_the_way(commute_with, provider, load):
    it = commute_with()
    process = it.serve()
    traffic = load(it.gateway)
    begin(it, "async")
    wait_until(lambda: traffic.statuses[202] > 20)
    until(it, "done")
    begin(it, "sync", auto=False)
    until(it, "ready", "switch")
    order(it, "/advance")
    order(it, "/cancel")
    process, _ = boundaries(it, process, it.serve, "cancelled")
    wait_until(lambda: traffic.statuses[202] > 40)
    check(traffic, provider)
    process.stop()


def test_what_was_compared_before_a_kill_does_not_count(commute_with, provider, load):
    it = commute_with()
    process = it.serve()
    traffic = load(it.gateway, callers=1)
    begin(it, "async", auto=False)
    for step in "registered", "producer":
        until(it, "ready", step)
        order(it, "/advance")
    until(it, "ready", "switch")
    traffic.stop()
    process.kill()
    it.serve()
    there = until(it, "gate", "producer")
    assert "the evidence is void: commute was started again" in [entry["what"] for entry in there["history"]]
    wait_until(lambda: "no call has come" in (migration(it)["steps"][3]["evidence"] or {"sentence": ""})["sentence"])


def test_survives_kills_at_random_instants(commute_with, provider, load):
    seed = int(os.environ.get("COMMUTE_SEED", random.randrange(1 << 32)))
    print(f"COMMUTE_SEED={seed}")
    dice = random.Random(seed)
    it = commute_with()
    process = it.serve()
    traffic = load(it.gateway)
    for to in "async", "sync", "async":
        begin(it, to)
        for _ in range(3):
            time.sleep(dice.random() * 0.8)
            process.kill()
            process = it.serve()
        until(it, "done")
    check(traffic, provider)
    process.stop()

# SPDX-License-Identifier: Apache-2.0
"""Pseudonyms, personal values that are never shown, erasure, and the search for what is left."""
import http.server
import itertools
import json
import os
import random
import re
import sqlite3
import stat
import subprocess
import time
import urllib.parse

import pytest

from commute import LONG, Commute, Provider, ask
from conftest import wait_until
from test_data import Owner, Service
from test_log_faults import disk            # a fixture

MANAGERS = [{"manager_id": 700100 + i, "name": f"Ludmilla{i}-Zoë", "work_email": f"ludmilla.quast{i}@example.org"} for i in range(20)]
MANAGER_V0 = {"type": "object", "required": ["manager_id", "name", "work_email"], "additionalProperties": False,
              "properties": {"manager_id": {"type": "integer"}, "name": {"type": "string", "x-pii": True},
                             "work_email": {"type": "string", "confluent:tags": ["PII"]}}}
MANAGER_V1 = {"type": "object", "required": ["manager_id", "manager_ref"], "additionalProperties": False,
              "properties": {"manager_id": {"type": "integer"}, "manager_ref": {"type": "string"}}}
DONE_V0 = {"type": "object", "additionalProperties": False, "required": ["event_id", "payload"],
           "properties": {"event_id": {"type": "integer"}, "payload": {"$ref": "#/$defs/Payload"}},
           "$defs": {"Payload": {"type": "object", "required": ["task_id", "manager_email"], "additionalProperties": False,
                                 "properties": {"task_id": {"type": "integer"}, "manager_email": {"type": "string"}}}}}
DONE_V1 = {"type": "object", "additionalProperties": False, "required": ["event_id", "payload"],
           "properties": {"event_id": {"type": "integer"},
                          "payload": {"type": "object", "required": ["task_id", "manager_ref"], "additionalProperties": False,
                                      "properties": {"task_id": {"type": "integer"}, "manager_ref": {"type": "string"}}}}}
CONFIG = """\
listen: {{gateway: "127.0.0.1:{gateway}", registry: "127.0.0.1:{registry}", control: "127.0.0.1:{control}"}}
data: data
services:
  staff: {{url: "http://127.0.0.1:{owner}"}}
  portal: {{url: "http://127.0.0.1:{provider}", resolves: [portal], token_file: portal.token}}
  tasks: {{url: "http://127.0.0.1:{provider}"}}
  bonuses: {{url: "http://127.0.0.1:{provider}", resolves: [accruals, other], token_file: bonuses.token}}
events:
  ManagerCreated:
    from: staff
    topic: manager-streaming
    schemas: Manager.v*.json
    key: /manager_id
    capture: [POST /managers, "PUT /managers/{{manager_id}}"]
    backfill: GET /managers?after={{cursor}}
    produces: {produces}
{manager_up}
  TaskDone:
    from: tasks
    topic: task-done
    schemas: TaskDone.v*.json
    key: /payload/task_id
    personal: [/payload/manager_email]
    produces: {produces}
{task_up}
communications:
  COMM-010:
    data: staff -> portal
    initially: async
    pull: GET /managers/{{manager_id}}
    async: {{event: ManagerCreated, keep: gateway, reads: [{produces}]}}
  COMM-040:
    functional: tasks -> bonuses
    initially: {mode}
    call: POST /accruals
    key: $body/task_id
    recognises: {{header: Idempotency-Key, replayed: "Idempotent-Replayed: true"}}
    async:
      event: TaskDone
      wrap: {{event_id: $sequence, payload: $body}}
      unwrap: $event/payload
{forms}
defaults: {{partitions: 2, settle: 300ms, timeout: 1s, reconcile: 1h, retry: {{first: 20ms, longest: 200ms}}}}
"""
MANAGER_UP = """\
    versions:
      1: {up: {manager_id: $event/manager_id, manager_ref: {$pseudonym: {purpose: portal, of: $event/work_email}}}}"""
TASK_UP = """\
    versions:
      1:
        up:
          event_id: $event/event_id
          payload: {task_id: $event/payload/task_id, manager_ref: {$pseudonym: {purpose: accruals, of: $event/payload/manager_email}}}"""
FORMS = """\
      versions:
        1:
          wrap:
            event_id: $sequence
            payload: {task_id: $body/task_id, manager_ref: {$pseudonym: {purpose: accruals, of: $body/manager_email}}}
          unwrap: {task_id: $event/payload/task_id, manager_email: {$resolve: {purpose: accruals, of: $event/payload/manager_ref}}}"""


class Platform(Commute):
    """commute with a provider and an owner of managers, before (version 0) and after the change (version 1)."""

    def __init__(self, program, start, folder, ports, owner, provider):
        super().__init__(program, start, folder, ports, "")
        self.owner, self.provider = owner, provider
        (folder / "portal.token").write_text("portal-secret\n")
        (folder / "bonuses.token").write_text("bonuses-secret\n")
        self.configure(0)

    def configure(self, version, mode="async"):
        (self.folder / "Manager.v0.json").write_text(json.dumps(MANAGER_V0))
        (self.folder / "TaskDone.v0.json").write_text(json.dumps(DONE_V0))
        if version:
            (self.folder / "Manager.v1.json").write_text(json.dumps(MANAGER_V1))
            (self.folder / "TaskDone.v1.json").write_text(json.dumps(DONE_V1))
        self.config.write_text(CONFIG.format(
            gateway=self.gateway, registry=self.registry, control=self.control, owner=self.owner.port, provider=self.provider.port,
            produces=version, mode=mode, manager_up=MANAGER_UP if version else "", task_up=TASK_UP if version else "",
            forms=FORMS if version else ""))

    def post(self, path, value):
        return self.get(path, method="POST", body=json.dumps(value))

    def erase(self, *events):
        return self.post("/privacy/erase", {"events": list(events)})

    def erased(self, seconds=60):
        return wait_until(lambda: (lambda state: state if state and state["status"] != "running" else None)(self.get("/privacy/erase")[1]),
                          seconds, "the erasure to end")


def encodings(text):
    """The forms in which a value may lie in a file."""
    escaped = json.dumps(text)[1:-1]
    return {form.encode() for form in (text, escaped, escaped.replace("\\u00e", "\\u00E"), urllib.parse.quote(text),
                                       urllib.parse.quote_plus(text))}


def left_in(folder, values):
    """Which of the values are in which live file of the data folder."""
    found = []
    for root, _, names in os.walk(folder):
        for name in names:
            content = open(os.path.join(root, name), "rb").read()
            found += [(name, value) for value in values for form in encodings(value) if form in content]
    return found


SECRETS = [value for manager in MANAGERS for value in (manager["name"], manager["work_email"])]


class Staff(Owner):
    """Owns managers, whole rows."""

    def act(self, server, path, key, body):
        if self.command == "PUT":
            server.rows[int(key)] = body
            return 200, {"saved": True}
        return super().act(server, path, key, body)


@pytest.fixture
def provider():
    server = Provider()
    yield server
    server.close()


@pytest.fixture
def staff():
    server = Service(Staff)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def platform(commute, start, tmp_path, free_port, staff, provider):
    return Platform(commute, start, tmp_path, (free_port(), free_port(), free_port()), staff, provider)


def fill(it, count=60):
    """Managers through the capture, completions through the call; all settled."""
    for manager in MANAGERS:
        status = ask(it.gateway, "PUT", f"/staff/managers/{manager['manager_id']}", json.dumps(manager))[0]
        assert status == 200
    for task in range(count):
        body = json.dumps({"task_id": task, "manager_email": MANAGERS[task % 20]["work_email"]})
        assert it.call(body, Idempotency_Key=f"task-{task}-{MANAGERS[task % 20]['work_email']}")[0] in (200, 201, 202)
    wait_until(lambda: it.accounts()["delivered"] == count and len(it.provider.done) == count, 20, "deliveries")


# ---- pseudonyms ----

def test_a_service_resolves_what_it_may_and_nothing_else(platform):
    it = platform
    it.configure(1)
    it.serve()
    key = it.data / "pseudonym.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600 and key.stat().st_size == 32
    unknown = "A" * 40
    answers = {
        "no token": (it.get(f"/pseudonyms/accruals/{unknown}", token=None), 401),
        "another's": (it.get(f"/pseudonyms/accruals/{unknown}", token="portal-secret"), 403),
        "the control API's": (it.get(f"/pseudonyms/accruals/{unknown}"), 403),
        "its own": (it.get(f"/pseudonyms/accruals/{unknown}", token="bonuses-secret"), 404),
        "a purpose that nobody has": (it.get(f"/pseudonyms/nothing/{unknown}", token="bonuses-secret"), 403),
    }
    for who, ((status, answer), expected) in answers.items():
        assert status == expected, (who, answer)
        assert unknown not in json.dumps(answer)
    it.kill()
    key.chmod(0o644)
    process = it.serve(wait=False)
    assert process.wait(10) == 77 and "chmod 600" in process.stderr()
    key.chmod(0o600)
    key.write_bytes(os.urandom(32))
    process = it.serve(wait=False)
    assert process.wait(10) == 74 and "pseudonym.key" in process.stderr()


# ---- erasure ----

def test_an_erasure_leaves_nothing_and_changes_nothing_else(platform):
    it = platform
    it.serve()
    fill(it)
    accounts = it.accounts()
    status, answer = it.erase("ManagerCreated")
    assert status == 409 and "version 0" in answer["message"] and "itself" in answer["message"]
    it.kill()
    assert left_in(it.data, SECRETS)
    it.configure(1)
    it.serve()
    status, answer = it.erase("ManagerCreated", "TaskDone")
    assert status == 200, answer
    state = it.erased()
    assert state["status"] == "done", state
    assert state["converted"] == 80 and state["emptied"] > 0
    assert left_in(it.data, SECRETS) == []
    assert it.accounts() == accounts
    row = json.loads(ask(it.gateway, "GET", f"/COMM-010/managers/{MANAGERS[3]['manager_id']}")[2])
    assert set(row) == {"manager_id", "manager_ref"}
    status, answer = it.get(f"/pseudonyms/portal/{row['manager_ref']}", token="portal-secret")
    assert (status, answer) == (200, {"value": MANAGERS[3]["work_email"]})
    body = json.dumps({"task_id": 5, "manager_email": MANAGERS[5]["work_email"]})       # a repeat is known still
    status, headers, _ = it.call(body, Idempotency_Key=f"task-5-{MANAGERS[5]['work_email']}")
    assert status in (200, 202) and len(it.provider.done) == 60
    accounts = wait_until(lambda: (lambda now: now if now["repeats"] == 1 else None)(it.accounts()), 10, "the repeat to be counted")
    before = it.get("/status")[1]
    it.kill()
    (it.data / "state.db").unlink()                     # views built anew are the same
    it.serve()
    assert it.accounts() == accounts
    assert it.get("/status")[1]["faults"] == before["faults"]
    assert json.loads(ask(it.gateway, "GET", f"/COMM-010/managers/{MANAGERS[3]['manager_id']}")[2]) == row
    assert left_in(it.data, SECRETS) == []


def places(it):
    """Where every record is: position, stream, offset. The program is not running."""
    with sqlite3.connect(it.data / "log.db") as db:
        return db.execute("SELECT position, stream, offset FROM record ORDER BY position").fetchall()


@pytest.mark.parametrize("seed", range(6 if LONG else 2))
def test_a_kill_at_any_instant_of_an_erasure_loses_nothing(platform, seed):
    it, rng = platform, random.Random(seed)
    it.serve()
    fill(it, 400)
    accounts = it.accounts()
    it.kill()
    before = places(it)
    it.configure(1)
    it.serve()
    status, answer = it.erase("TaskDone", "ManagerCreated")
    assert status == 200, answer
    for pause in [0, *(rng.random() * 0.15 for _ in range(6))]:     # at once: what was answered is known
        time.sleep(pause)
        it.kill()
        assert places(it)[:len(before)] == before
        it.serve()
    state = it.erased()
    assert state["status"] == "done", state
    assert left_in(it.data, SECRETS) == []
    assert it.accounts() == accounts
    assert it.get("/status")[1]["faults"] == []
    for manager in MANAGERS:
        row = json.loads(ask(it.gateway, "GET", f"/COMM-010/managers/{manager['manager_id']}")[2])
        assert set(row) == {"manager_id", "manager_ref"}, row
    status, proof = it.get("/proof/COMM-040")
    assert status == 200, proof
    it.process.stop()
    assert places(it)[:len(before)] == before
    assert len(it.provider.done) == 400                 # nothing was delivered again
    assert left_in(it.data, SECRETS) == []


def test_an_erasure_that_is_not_durable_has_not_begun(platform, disk):
    it = platform
    it.inside, it.data = disk.inside, disk.folder
    it.configure(1)
    it.serve()
    disk.fill()
    status, refused = it.erase("TaskDone")
    assert status in (503, 507), refused
    assert it.get("/privacy/erase") == (200, None)
    it.kill()
    disk.free()
    it.serve()
    assert it.get("/privacy/erase") == (200, None)
    status, answer = it.erase("TaskDone")
    assert status == 200, answer
    assert it.erased()["status"] == "done"


def test_what_is_unsettled_below_the_version_is_named(platform):
    it = platform
    it.provider.rule = lambda request: 422 if request.json.get("task_id") == 7 else None
    it.serve()
    for task in (6, 7):
        it.call(json.dumps({"task_id": task, "manager_email": MANAGERS[0]["work_email"]}), Idempotency_Key=f"task-{task}")
    parked = wait_until(it.parked, 10, "a parked message")[0]
    it.kill()
    it.configure(1)
    it.serve()
    status, answer = it.erase("TaskDone")
    assert status == 409 and "TaskDone" in answer["message"] and f"position {parked['position']}" in answer["message"], answer
    assert "parked" in answer["message"]
    it.decide_soon(parked, "discard")
    status, answer = wait_until(lambda: (lambda a: a if a[0] == 200 else None)(it.erase("TaskDone")), 10, "the erasure to be taken")
    assert it.erased()["status"] == "done"
    assert left_in(it.data, [MANAGERS[0]["work_email"]]) == []
    assert it.erase("Nothing")[0] == 404
    assert it.post("/privacy/erase", {"events": []})[0] == 400
    assert it.post("/privacy/erase", {"events": ["TaskDone", "TaskDone"]})[0] == 400
    assert it.post("/privacy/erase", {"events": ["TaskDone"], "now": True})[0] == 400


def test_the_command_follows_an_erasure(platform):
    it = platform
    it.serve()
    fill(it, 20)
    it.kill()
    it.configure(1)
    it.serve()

    def run(*arguments):
        return subprocess.run([it.program, "privacy", *arguments, "-c", it.config], capture_output=True, text=True, check=False)
    assert run("status").stdout == "There never was an erasure.\n"
    done = run("erase", "TaskDone", "ManagerCreated")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("done, sweep: "), done.stdout
    assert json.loads(run("status", "--json").stdout)["status"] == "done"
    wrong = run("erase", "Nothing")
    assert wrong.returncode == 66 and 'there is no event "Nothing"' in wrong.stderr


# ---- the search ----

def scan(it, *arguments, values=None):
    """Exit status, and what was found, by value's number."""
    if values is not None:
        (it.folder / "values").write_text("".join(value + "\n" for value in values))
        arguments += ("--values", it.folder / "values")
    ran = subprocess.run([it.program, "privacy", "scan", "-c", it.config, "--json", *arguments], capture_output=True, text=True,
                         check=False)
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    for value in values or ():
        assert value not in ran.stdout
    return ran.returncode, json.loads(ran.stdout)


def wheres(found, number):
    return [place["where"] for place in found["places"] if place["value"] == number]


def test_the_search_finds_a_value_in_each_kind_of_place(platform):
    it = platform
    it.provider.rule = lambda request: 422 if request.json.get("task_id") == 7 else None
    it.serve()
    for manager in MANAGERS[:3]:
        ask(it.gateway, "PUT", f"/staff/managers/{manager['manager_id']}", json.dumps(manager, ensure_ascii=False).encode())
    it.call(json.dumps({"task_id": 7, "manager_email": MANAGERS[9]["work_email"]}), Idempotency_Key=f"for-{MANAGERS[10]['work_email']}")
    it.call(json.dumps({"task_id": 8, "manager_email": "x"}), target=f"/COMM-040/accruals?for={urllib.parse.quote(MANAGERS[11]['name'])}",
            Idempotency_Key="task-8")
    wait_until(it.parked, 10, "a parked message")
    values = [MANAGERS[0]["name"], MANAGERS[9]["work_email"], MANAGERS[10]["work_email"], MANAGERS[11]["name"], "nowhere@example.org"]
    wait_until(lambda: any("table replica" in where for where in wheres(scan(it, values=values)[1], 1)), 20, "the copy")
    status, found = scan(it, values=values)
    assert status == 1
    name = wheres(found, 1)
    assert any(where.startswith("topic/manager-streaming/") and where.endswith("body /name") for where in name), name
    assert any(where.startswith("state.db, table replica") for where in name), name
    assert any("log.db" in where and ", byte " in where for where in name), name
    assert any("log.db-wal, byte " in where for where in name), name                    # not checkpointed yet
    assert any(where.startswith("topic/task-done/") and where.endswith("/payload/manager_email") for where in wheres(found, 2))
    assert any("table message" in where for where in wheres(found, 3)), wheres(found, 3)        # the identity of what is parked
    assert any(where.endswith("identity") for where in wheres(found, 3))
    assert any(where.endswith("request") for where in wheres(found, 4)), wheres(found, 4)
    assert wheres(found, 5) == []
    assert scan(it, values=["nowhere@example.org"])[0] == 0
    status, found = scan(it, "--tag")
    assert status == 1 and any(where.endswith("body /work_email") for where in wheres(found, None))


def test_the_search_finds_what_was_deleted_and_what_is_in_snapshots(platform):
    it = platform
    it.serve()
    it.process.stop()
    with sqlite3.connect(it.data / "log.db") as db:             # a row that was deleted: its bytes are in a free page
        db.execute("PRAGMA secure_delete = off")
        db.execute("CREATE TABLE gone(body)")
        db.execute("INSERT INTO gone VALUES (?)", ("x" * 9000 + "deleted@example.org" + "x" * 9000,))
    with sqlite3.connect(it.data / "log.db") as db:
        db.execute("PRAGMA secure_delete = off")
        db.execute("DROP TABLE gone")
    (it.data / "kept.json").write_text(json.dumps({"name": "Zoë in a file"}))
    it.serve()
    status, found = scan(it, values=["deleted@example.org", "Zoë in a file", "it is not there"])
    assert status == 1
    assert any("log.db, byte " in where for where in wheres(found, 1)), found
    assert any("kept.json, byte " in where for where in wheres(found, 2)), found
    assert wheres(found, 3) == []
    it.erase("TaskDone")
    wait_until(lambda: it.get("/privacy/scan")[0] == 200, 5)


def kinds(wheres_):
    """Of places in records: stream's kind and record's kind, with what is behind."""
    told = [re.match(r"(.*?)/.* \((\w+)\): (.*)", where) for where in wheres_]
    return {one.groups() for one in told if one}


def test_shadows_calls_answers_and_copies_are_searched_and_erased(platform):
    it = platform
    it.configure(0, mode="sync")
    it.provider.execute = lambda request: (201, json.dumps({"for": [{"manager_email": MANAGERS[9]["work_email"]}]}).encode(), False)
    it.serve()
    for manager in MANAGERS[:3]:
        ask(it.gateway, "PUT", f"/staff/managers/{manager['manager_id']}", json.dumps(manager))
    it.order("", {"to": "async", "auto": False})

    def shadows():
        now = it.migration()
        if now["status"] == "ready":
            it.order("/advance")
        return now["step"] == "producer" and now["status"] in ("acting", "gate")
    wait_until(shadows, 20, "the shadow")
    tasks = itertools.count(1)

    def shadowed():
        task = next(tasks)
        status, _, _ = it.call(json.dumps({"task_id": task, "manager_email": MANAGERS[4]["work_email"]}), Idempotency_Key=f"task-{task}")
        assert status == 201
        return any(where.startswith("shadow/") for where in wheres(scan(it, values=[MANAGERS[4]["work_email"]])[1], 1))
    wait_until(shadowed, 20, "a shadow")
    values = [MANAGERS[4]["work_email"], MANAGERS[9]["work_email"], MANAGERS[0]["name"]]
    status, found = scan(it, values=values)
    assert status == 1
    assert {("shadow", "SHADOW", "body /payload/manager_email"), ("COMM-040", "INTENT", "body /manager_email")} <= kinds(wheres(found, 1))
    assert ("COMM-040", "ANSWERED", "body") in kinds(wheres(found, 2)), wheres(found, 2)
    wait_until(lambda: any("table replica" in where for where in wheres(scan(it, "--tag")[1], None)), 20, "the copy")
    status, found = scan(it, "--tag")                                               # without being told a value
    tagged = wheres(found, None)
    assert status == 1 and {("shadow", "SHADOW", "body /payload/manager_email"), ("COMM-040", "INTENT", "body /manager_email"),
                            ("COMM-040", "ANSWERED", "body /for/0/manager_email"), ("topic", "MESSAGE", "body /name"),
                            ("topic", "MESSAGE", "body /work_email")} <= kinds(tagged), tagged
    assert any(where.startswith("state.db, table replica, topic/manager-streaming, position ") and where.endswith(": body /work_email")
               for where in tagged), tagged
    it.kill()
    it.configure(1, mode="sync")
    it.serve()
    assert ask(it.registry, "PUT", "/config/TaskDone", json.dumps({"compatibility": "NONE"}))[0] == 200
    registered = ask(it.registry, "POST", "/subjects/TaskDone/versions", json.dumps({"schemaType": "JSON", "schema": json.dumps(DONE_V1)}))
    assert registered[0] == 200, registered
    status, answer = it.erase("TaskDone", "ManagerCreated")
    assert status == 200, answer
    assert it.erased()["status"] == "done", it.erased()
    assert scan(it, values=values) == (0, {**scan(it, values=values)[1], "places": [], "found": 0})
    status, found = scan(it, "--tag")
    assert (status, found["places"]) == (0, []), found
    assert left_in(it.data, values) == []


def test_a_parked_message_is_found_by_its_tag(platform):
    it = platform
    it.provider.rule = lambda request: 422
    it.serve()
    it.call(json.dumps({"task_id": 7, "manager_email": MANAGERS[9]["work_email"]}), Idempotency_Key="task-7")
    (row,) = wait_until(it.parked, 10, "a parked message")
    found = scan(it, "--tag")[1]
    told = f", position {row['position']} (MESSAGE), parked: body /payload/manager_email"
    assert [where for where in wheres(found, None) if where.endswith(told)], found


def test_snapshots_are_searched_and_erased(platform):
    it = platform
    it.serve()
    fill(it, 20)
    it.kill()
    it.configure(1)
    text = it.config.read_text()
    begin = text.index("  ManagerCreated:")
    it.config.write_text(text[:begin] + text[begin:].replace("produces: 1", "produces: 0", 1).replace("reads: [1]", "reads: [0]", 1))
    it.serve()
    assert it.erase("TaskDone")[0] == 200               # which makes snapshots, in which managers are still
    assert it.erased()["status"] == "done"
    values = [MANAGERS[3]["name"], MANAGERS[3]["work_email"]]
    found = scan(it, values=values)[1]
    for number in (1, 2):
        assert any(where.startswith("snapshot views/") and where.endswith(": its rows") for where in wheres(found, number)), found
    it.kill()
    it.configure(1)
    it.serve()
    assert it.erase("ManagerCreated")[0] == 200
    wait_until(lambda: it.get("/privacy/erase")[1]["status"] == "done" and it.get("/privacy/erase")[1]["events"] == ["ManagerCreated"], 60)
    assert scan(it, values=values)[0] == 0 and left_in(it.data, SECRETS) == []


def test_many_values_are_looked_for_in_passes(platform):
    it = platform
    it.serve()
    for manager in MANAGERS[:3]:
        ask(it.gateway, "PUT", f"/staff/managers/{manager['manager_id']}", json.dumps(manager))
    values = [f"nobody-{number}@example.org" for number in range(12000)]
    hits = {0: MANAGERS[0]["name"], 5000: MANAGERS[1]["work_email"], 11999: MANAGERS[2]["work_email"]}
    for at, value in hits.items():
        values[at] = value
    status, found = scan(it, values=values)
    assert status == 1 and {place["value"] for place in found["places"]} == {at + 1 for at in hits}
    for at in hits:
        kept = wheres(found, at + 1)
        assert any("topic/manager-streaming/" in where for where in kept) and any("log.db" in where for where in kept), kept
    assert found["records"] < 1000 and found["files"] < 20      # a pass is counted once
    (it.folder / "values").write_text("x\n" * 200001)
    ran = subprocess.run([it.program, "privacy", "scan", "-c", it.config, "--values", it.folder / "values"], capture_output=True, text=True,
                         check=False)
    assert ran.returncode == 65 and "more than 200000 values" in ran.stderr


@pytest.mark.parametrize("arguments, status, what", [
    ((), 65, "nothing to look for"), (("--values", "/nonexistent"), 66, "/nonexistent"), (("x" * 1025,), 65, "value 1 has 1025 bytes")])
def test_a_search_that_cannot_be_says_why(platform, arguments, status, what):
    platform.serve()
    ran = subprocess.run([platform.program, "privacy", "scan", "-c", platform.config, *arguments], capture_output=True, text=True,
                         check=False)
    assert ran.returncode == status and what in ran.stderr, ran
    assert "x" * 100 not in ran.stderr


def test_what_a_search_has_not_looked_for_is_said(platform):
    it = platform
    plain = json.loads(json.dumps(MANAGER_V0))
    for member in plain["properties"].values():
        member.pop("x-pii", None)
        member.pop("confluent:tags", None)
    (it.folder / "Manager.v0.json").write_text(json.dumps(plain))
    tagged = it.config.read_text()
    it.config.write_text(tagged.replace("    personal: [/payload/manager_email]\n", ""))
    it.serve()

    def said(*arguments):
        ran = subprocess.run([it.program, "privacy", "scan", "-c", it.config, *arguments], capture_output=True, text=True, check=False)
        assert ran.returncode in (0, 1), ran.stderr
        return ran.stdout
    assert "no event has personal values" in said("--tag")
    assert "1 values are shorter than 4 bytes" in said("abc", "abcd")
    assert "shorter" not in said("abcd") and "no event" not in said("abcd")
    assert {"short_values": 1, "tagged_events": 0}.items() <= scan(it, "--tag", values=["abc", "abcd"])[1].items()
    it.kill()
    it.config.write_text(tagged)
    it.serve()
    assert "no event" not in said("--tag")
    assert scan(it, "--tag")[1]["tagged_events"] == 1


# ---- what is told ----

def everything_told(it):
    """All that commute answers to those who run it, and all that it has printed."""
    told = []
    for path in ("/status", "/status/COMM-010", "/status/COMM-040", "/parked", "/migrations", "/migrations/COMM-010",
                 "/migrations/COMM-040", "/config", "/metrics", "/proof/COMM-010", "/proof/COMM-040", "/privacy/erase",
                 "/plan/COMM-040?to=sync", "/plan/COMM-010?to=pull", "/evolve", "/migrations/ManagerCreated", "/plan/ManagerCreated?to=1"):
        told.append(json.dumps(it.get(path)[1], ensure_ascii=False))
    for row in it.get("/parked")[1]["parked"]:
        told.append(json.dumps(it.get(f"/parked/{row['position']}?body=1")[1], ensure_ascii=False))
        told.append(ask(it.gateway, "GET", f"/receipts/{row['position']}")[2].decode())
    for process in (it.folder / "processes").iterdir():
        told.append(process.read_text(errors="replace"))
    return "\n".join(told)


def test_no_personal_value_is_told(platform):
    """Refused, parked, captured, bypassed, differing in a shadow: pointers and hashes at most."""
    it = platform
    it.provider.rule = lambda request: 422 if request.json.get("task_id") == 7 else None
    it.configure(0, mode="sync")
    it.config.write_text(it.config.read_text().replace("reconcile: 1h", "reconcile: 1s").replace(
        "unwrap: $event/payload\n", "unwrap: {task_id: $event/payload/task_id, manager_email: changed}\n"))
    it.serve("--log-level", "debug")
    answers = []
    for manager in MANAGERS[:5]:
        answers.append(ask(it.gateway, "PUT", f"/staff/managers/{manager['manager_id']}", json.dumps(manager))[2].decode())
    # an event that its schema refuses, and a row that another has changed behind commute's back
    broken = {**MANAGERS[6], "name": 17, "surname": MANAGERS[7]["name"]}
    answers.append(ask(it.gateway, "PUT", f"/staff/managers/{broken['manager_id']}", json.dumps(broken))[2].decode())
    it.owner.rows.pop(broken["manager_id"])
    it.owner.rows[MANAGERS[0]["manager_id"]] = {**MANAGERS[0], "name": MANAGERS[8]["name"]}
    wait_until(lambda: "(personal, " in json.dumps(it.get("/status/COMM-010")[1]), 20, "the reconciliation to find the bypass")
    it.order("", {"to": "async", "auto": True})
    tasks = itertools.count(7)

    def differs():
        task = next(tasks)
        it.call(json.dumps({"task_id": task, "manager_email": MANAGERS[task % 20]["work_email"]}), Idempotency_Key=f"task-{task}")
        return "(personal, " in json.dumps(it.migration())
    wait_until(differs, 20, "the shadow to find a difference")         # the first is told: only then others
    answers.append(it.call(json.dumps({"task_id": 1, "manager_email": [MANAGERS[9]["work_email"]]}), Idempotency_Key="x-1")[2].decode())
    told = everything_told(it) + "\n".join(answers)
    assert "(personal, " in told                        # something was to be told, and was not
    for value in SECRETS:
        for form in encodings(value):
            assert form.decode() not in told, value


def test_what_is_parked_is_shown_by_pointers_and_hashes(platform):
    it = platform
    it.provider.rule = lambda request: 422 if request.json.get("task_id") in (1, 2) else None
    it.serve()
    for task in (3, 4, 5, 1, 2):
        it.call(json.dumps({"task_id": task, "manager_email": MANAGERS[0]["work_email"]}), Idempotency_Key=f"task-{task}")
    rows = wait_until(lambda: (lambda rows: rows if len(rows) == 2 else None)(it.parked()), 10, "two parked messages")
    shown = [it.get(f"/parked/{row['position']}?body=1")[1]["body"] for row in rows]
    assert [one["payload"]["task_id"] for one in shown] in ([1, 2], [2, 1])
    masks = {one["payload"]["manager_email"] for one in shown}
    assert len(masks) == 1 and masks.pop().startswith("(personal, "), shown     # the same value, the same hash
    assert MANAGERS[0]["work_email"] not in everything_told(it)


SAYS = """\
    versions:
      1: {up: 'error("nobody is called " + .name + ", at " + .work_email)'}"""


@pytest.mark.parametrize("kept", ["keep: gateway", 'keep: portal, deliver: "PUT /accruals/{manager_id}"'])
def test_what_a_program_says_of_a_person_is_not_told(platform, kept):
    """error() of a mapping, in a read of the copy, a delivery that is parked, what an owner gives, a proof."""
    it = platform
    it.configure(1)
    text = it.config.read_text()
    for find, replace in ((MANAGER_UP, SAYS), ("keep: gateway, reads: [1]", kept + ", reads: [1]"),
                          ("    produces: 1\n", "    produces: 0\n")):
        assert find in text
        text = text.replace(find, replace)
    it.config.write_text(text)
    it.serve("--log-level", "debug")
    answers = []
    for manager in MANAGERS[:3]:
        assert ask(it.gateway, "PUT", f"/staff/managers/{manager['manager_id']}", json.dumps(manager))[0] == 200
        if kept == "keep: gateway":
            answers.append(ask(it.gateway, "GET", f"/COMM-010/managers/{manager['manager_id']}")[2].decode())
    if kept != "keep: gateway":
        rows = wait_until(lambda: (lambda rows: rows if len(rows) == 3 else None)(it.get("/parked")[1]["parked"]), 20, "three of them")
        assert all("error() with" in row["why"] for row in rows), rows
    else:
        assert all("error() with" in answer for answer in answers), answers
    assert it.get("/migrations/ManagerCreated", method="POST", body=json.dumps({"to": 1, "auto": True}))[0] == 200
    wait_until(lambda: "events fail; first:" in json.dumps(it.get("/migrations/ManagerCreated")[1]), 20, "the proof to fail")
    told = everything_told(it) + "\n".join(answers)
    assert "error() with" in json.dumps(it.get("/migrations/ManagerCreated")[1])
    assert "error() with" in json.dumps(it.get("/evolve/ManagerCreated")[1]["conversions"])
    for value in SECRETS:
        for form in encodings(value):
            assert form.decode() not in told, value


# ---- keys ----

KEYED = {"type": "object", "required": ["staff_login", "rank"], "additionalProperties": False,
         "properties": {"staff_login": {"type": "string", "x-pii": True}, "rank": {"type": "integer"}}}
KEYED_CONFIG = """\
listen: {{gateway: "127.0.0.1:{gateway}", registry: "127.0.0.1:{registry}", control: "127.0.0.1:{control}"}}
data: data
services:
  staff: {{url: "http://127.0.0.1:{owner}"}}
  portal: {{url: "http://127.0.0.1:{reader}"}}
events:
  Ranked:
    from: staff
    topic: ranks
    schemas: Ranked.v*.json
    key: /staff_login
    {personal}
    capture: ["PUT /managers/{{staff_login}}", "DELETE /managers/{{staff_login}}"]
    backfill: GET /managers?after={{cursor}}
    read: GET /managers/{{staff_login}}
communications:
  COMM-010:
    data: staff -> portal
    initially: async
    pull: GET /managers/{{staff_login}}
    async: {{event: Ranked, {kept}}}
defaults: {{partitions: 2, settle: 300ms, timeout: 1s, reconcile: {reconcile}, retry: {{first: 20ms, longest: 200ms}}}}
"""


class Ranks(Owner):
    """Rows by a text, as the event is."""

    def act(self, server, path, key, body):
        if self.command == "GET" and path.path == "/managers":
            return 200, {"items": [server.rows[key] for key in sorted(server.rows)], "next": None}
        key = urllib.parse.unquote(key)
        if self.command == "PUT":
            server.rows[key] = body
            return 200, {"saved": True}
        if self.command == "DELETE":
            return (204, None) if server.rows.pop(key, None) else (404, {"error": "no such manager"})
        return (200, server.rows[key]) if key in server.rows else (404, {"error": "no such manager"})

    do_GET = do_PUT = do_DELETE = Owner.work


class Seen(http.server.BaseHTTPRequestHandler):
    """Takes what is delivered."""
    protocol_version = "HTTP/1.1"

    def work(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.command, urllib.parse.unquote(self.path.split("/")[-1])))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_PUT = do_DELETE = work

    def log_message(self, *_):
        pass


@pytest.fixture
def keyed(commute, start, tmp_path, free_port):
    """keyed(kept) is commute with an event whose key is a login."""
    owner, reader = Service(Ranks), Service(Seen)
    (tmp_path / "Ranked.v0.json").write_text(json.dumps(KEYED))
    it = Commute(commute, start, tmp_path, (free_port(), free_port(), free_port()), "")
    it.owner, it.reader = owner, reader

    def begin(kept="keep: gateway", reconcile="1h", personal=""):
        it.config.write_text(KEYED_CONFIG.format(gateway=it.gateway, registry=it.registry, control=it.control, owner=owner.port,
                                                 reader=reader.port, kept=kept, reconcile=reconcile, personal=personal))
        it.serve()
        return it
    yield begin
    for server in (owner, reader):
        server.shutdown()
        server.server_close()


LOGINS = [f"quast/{i} Zoë" for i in range(10)]


def write(it, method, login, rank=None):
    body = None if rank is None else json.dumps({"staff_login": login, "rank": rank})
    return ask(it.gateway, method, f"/staff/managers/{urllib.parse.quote(login, safe='')}", body)[0]


def stored_keys(it):
    """Keys as the tables of state.db have them, and headers of records."""
    with sqlite3.connect(it.data / "state.db") as db:
        keys = {row[0] for table in ("lane", "replica", "dirty") for row in db.execute(f"SELECT key FROM {table}")}
    with sqlite3.connect(it.data / "log.db") as db:
        headers = [row[0] for row in db.execute("SELECT header FROM record")]
    return keys, headers


def test_a_personal_key_is_nowhere_but_in_bodies(keyed):
    it = keyed()
    for rank, login in enumerate(LOGINS):
        assert write(it, "PUT", login, rank) == 200
    assert write(it, "DELETE", LOGINS[0]) == 204
    for restarted in (False, True):
        if restarted:
            it.kill()
            it.serve()
        for rank, login in enumerate(LOGINS[1:], 1):
            status, _, body = ask(it.gateway, "GET", f"/COMM-010/managers/{urllib.parse.quote(login, safe='')}")
            assert status == 200 and json.loads(body) == {"staff_login": login, "rank": rank}
        assert ask(it.gateway, "GET", f"/COMM-010/managers/{urllib.parse.quote(LOGINS[0], safe='')}")[0] == 404
    it.process.stop()
    keys, headers = stored_keys(it)
    assert len(keys) == len(LOGINS)
    for login in LOGINS:
        for form in encodings(login):
            assert not any(form.decode() in key for key in keys)
            assert not any(form in header for header in headers)


def test_a_tombstone_of_a_personal_key_reaches_the_reader(keyed):
    it = keyed('keep: portal, deliver: "PUT /ranks/{staff_login}"')
    for method, login, rank in (("PUT", LOGINS[1], 1), ("PUT", LOGINS[2], 2), ("DELETE", LOGINS[1], None)):
        assert write(it, method, login, rank) in (200, 204)
    wait_until(lambda: len(it.reader.seen) == 3, 20, "three deliveries")
    assert sorted(it.reader.seen) == [("DELETE", LOGINS[1]), ("PUT", LOGINS[1]), ("PUT", LOGINS[2])]


def test_a_reconciliation_finds_rows_by_their_personal_keys(keyed):
    it = keyed(reconcile="1s")
    for rank, login in enumerate(LOGINS):
        assert write(it, "PUT", login, rank) == 200
    del it.owner.rows[LOGINS[4]]                        # behind commute's back
    it.owner.rows[LOGINS[5]] = {"staff_login": LOGINS[5], "rank": 500}

    def repaired():
        gone = ask(it.gateway, "GET", f"/COMM-010/managers/{urllib.parse.quote(LOGINS[4], safe='')}")[0] == 404
        row = ask(it.gateway, "GET", f"/COMM-010/managers/{urllib.parse.quote(LOGINS[5], safe='')}")[2]
        return gone and json.loads(row)["rank"] == 500
    wait_until(repaired, 20, "the reconciliation to repair both")
    told = json.dumps(it.get("/status/COMM-010")[1], ensure_ascii=False)
    assert "(personal, " in told and "quast" not in told


def test_a_key_cannot_become_personal_once_lanes_have_records(keyed, tmp_path):
    (tmp_path / "Ranked.v0.json").write_text(json.dumps({**KEYED, "properties": {"staff_login": {"type": "string"},
                                                                                  "rank": {"type": "integer"}}}))
    it = keyed()
    assert write(it, "PUT", LOGINS[0], 1) == 200
    it.process.stop()
    it.config.write_text(it.config.read_text().replace("    key: /staff_login\n", "    key: /staff_login\n    personal: [/staff_login]\n"))
    process = it.serve(wait=False)
    assert process.wait(10) == 75 and "which is personal" in process.stderr()


def test_a_personal_key_has_a_limit(keyed):
    it = keyed()
    assert write(it, "PUT", "x" * 174, 1) == 200
    assert write(it, "PUT", "x" * 175, 1) == 413
    assert ask(it.gateway, "GET", f"/COMM-010/managers/{'x' * 174}")[0] == 200
    assert ask(it.gateway, "GET", f"/COMM-010/managers/{'x' * 200}")[0] == 404


def test_a_mapping_in_jq_erases_too(platform):
    it = platform
    it.serve()
    fill(it, 30)
    it.kill()
    it.configure(1)
    text = it.config.read_text()
    assert TASK_UP in text
    it.config.write_text(text.replace(TASK_UP, """\
    versions:
      1: {up: '{event_id, payload: {task_id: .payload.task_id, manager_ref: "gone"}}'}"""))
    it.serve()
    status, answer = it.erase("TaskDone", "ManagerCreated")
    assert status == 200, answer
    state = it.erased()
    assert state["status"] == "done" and state["converted"] == 50, state
    assert left_in(it.data, SECRETS) == []


def test_a_message_that_cannot_be_converted_is_named_and_kept(platform):
    it = platform
    it.serve()
    fill(it, 5)
    it.kill()
    it.configure(1)
    it.config.write_text(it.config.read_text().replace(TASK_UP, """\
    versions:
      1: {up: '{event_id, payload: {task_id: .payload.task_id}}'}"""))
    it.serve()
    before = it.accounts()
    assert it.erase("TaskDone")[0] == 200
    state = it.erased()
    assert state["status"] == "failed" and "topic/task-done/" in state["reason"] and "manager_ref" in state["reason"], state
    assert it.accounts() == before
    assert not [value for value in SECRETS if value in json.dumps(state)]

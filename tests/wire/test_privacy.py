# SPDX-License-Identifier: Apache-2.0
"""Pseudonyms, personal values that are never shown, erasure, and the search for what is left."""
import base64
import json
import os
import random
import stat
import subprocess
import urllib.parse

import pytest

from commute import Commute, Provider, ask
from conftest import wait_until
from test_data import Owner, Service

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
    async: {{event: ManagerCreated, keep: gateway}}
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
          wrap: {event_id: $sequence, payload: {task_id: $body/task_id, manager_ref: {$pseudonym: {purpose: accruals, of: $body/manager_email}}}}
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
    wait_until(lambda: it.accounts().get("waiting", 0) == 0 and len(it.provider.done) == count, 20, "deliveries")


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
    before = it.get("/status")[1]
    it.kill()
    (it.data / "state.db").unlink()                     # views built anew are the same
    it.serve()
    assert it.accounts() == accounts
    assert it.get("/status")[1]["faults"] == before["faults"]
    assert json.loads(ask(it.gateway, "GET", f"/COMM-010/managers/{MANAGERS[3]['manager_id']}")[2]) == row
    assert left_in(it.data, SECRETS) == []

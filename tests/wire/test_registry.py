# SPDX-License-Identifier: Apache-2.0
"""The schema registry over the wire: what a new data folder begins with, what survives kill -9, and what commute registers itself."""
import json
import os
import pathlib
import sqlite3
import subprocess

import pytest

from commute import Commute, ask

CONFIG = """\
listen: {{gateway: "127.0.0.1:{gateway}", registry: "127.0.0.1:{registry}", control: "127.0.0.1:{control}"}}
data: data
services:
  tasks: {{url: "http://127.0.0.1:1"}}
  bonuses: {{url: "http://127.0.0.1:1"}}
events:
  Done: {{from: tasks, topic: done, schemas: "Done.v*.json", key: /task_id{versions}}}
communications:
  COMM-040:
    functional: tasks -> bonuses
    initially: async
    call: POST /accruals
    key: $body/task_id
    recognises: Idempotency-Key
    async: {{event: Done, answer: 202, wrap: $body, unwrap: $event}}
"""
CLOSED = {"type": "object", "properties": {"task_id": {"type": "integer"}}, "required": ["task_id"], "additionalProperties": False}
OTHER = {**CLOSED, "properties": {"task_id": {"type": "integer"}, "area": {"type": "string"}}, "required": ["task_id", "area"]}


OLDER_PSEUDONYM_KEY = bytes.fromhex("96f17741e3309c99639bc469a3877b3e3ae7d80264e29b903156237efb5145af")


class Registry(Commute):
    def __init__(self, commute, start, folder, ports):
        super().__init__(commute, start, folder, ports, "")
        self.names = dict(zip(("gateway", "registry", "control"), ports))
        (folder / "Done.v0.json").write_text(json.dumps(CLOSED))
        self.configure()

    def configure(self, versions=""):
        self.config.write_text(CONFIG.format(versions=versions, **self.names))

    def rest(self, method, target, body=None):
        status, _, content = ask(self.registry, method, target, json.dumps(body) if body is not None else None)
        return status, json.loads(content)

    def register(self, subject, schema, **more):
        return self.rest("POST", f"/subjects/{subject}/versions", {"schemaType": "JSON", "schema": json.dumps(schema), **more})


@pytest.fixture
def it(commute, start, tmp_path, free_port):
    return Registry(commute, start, tmp_path, (free_port(), free_port(), free_port()))


def group(value):
    return {"metadata": {"properties": {"event_version": value}}}


def test_it_needs_no_communication(it):
    it.config.write_text(CONFIG.split("services:")[0].format(**it.names))
    it.serve()
    assert it.register("orders", CLOSED)[1]["id"] == 1
    it.kill()
    it.serve()
    assert it.rest("GET", "/subjects") == (200, ["orders"])
    assert it.get("/status")[1]["communications"] == []
    assert ask(it.gateway, "GET", "/tasks/7")[0] == 404


def test_a_new_data_folder_begins_with_confluents_default(it):
    it.serve()
    assert it.rest("GET", "/config") == (200, {"compatibilityLevel": "BACKWARD", "compatibilityGroup": "event_version"})
    assert it.rest("GET", "/subjects/Done/versions/1")[1]["metadata"] == group("0")["metadata"]
    assert it.register("plain", CLOSED)[0] == 200
    status, refused = it.register("plain", OTHER)
    assert status == 409 and refused["error_code"] == 409
    assert "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL" in refused["message"] and "{oldSchemaVersion: 1}" in refused["message"]
    assert it.rest("PUT", "/config/plain", {"compatibility": "NONE"}) == (200, {"compatibility": "NONE"})
    assert it.register("plain", OTHER, **group("7"))[0] == 200


def test_levels_groups_metadata_and_references_survive_kill_9(it):
    it.serve()
    assert it.rest("PUT", "/config/a", {"compatibility": "FULL_TRANSITIVE", "compatibilityGroup": "team"})[0] == 200
    assert it.register("city", {"type": "string"})[0] == 200
    refers = {"references": [{"name": "city.json", "subject": "city", "version": 1}], "metadata": {"properties": {"team": "x"}}}
    assert it.register("a", {"properties": {"city": {"$ref": "city.json"}}}, **refers)[0] == 200
    before = [it.rest("GET", target) for target in ("/config", "/config/a", "/schemas", "/subjects/city/versions/1/referencedby")]
    assert before[1][1] == {"compatibilityLevel": "FULL_TRANSITIVE", "compatibilityGroup": "team"} and before[3][1] == [3]
    it.kill()
    it.serve()
    assert before == [it.rest("GET", target) for target in ("/config", "/config/a", "/schemas", "/subjects/city/versions/1/referencedby")]
    assert it.register("a", {"properties": {"city": {"type": "null"}}}, **refers)[0] == 409


def test_a_schema_and_all_that_it_refers_to_have_a_limit_together(it):
    it.serve()
    for name in "ab":
        assert it.register(name, {"title": name * (600 << 10)})[0] == 200
    refers = {"references": [{"name": name, "subject": name, "version": 1} for name in "ab"]}
    assert it.register("one", {"$ref": "a"}, **refers)[0] == 200
    status, refused = it.register("both", {"allOf": [{"$ref": "a"}, {"$ref": "b"}]}, **refers)
    assert (status, refused["error_code"]) == (413, 413) and "at most 1048576 are allowed" in refused["message"]
    assert it.rest("GET", "/subjects/both/versions")[0] == 404


def older_folder(it):
    """What an earlier commute left (older_registry.sql says which): its log and its keys (no record depends on the first)."""
    it.data.mkdir()
    for name, key in (("key", bytes(32)), ("pseudonym.key", OLDER_PSEUDONYM_KEY)):
        (it.data / name).touch(mode=0o600)
        (it.data / name).write_bytes(key)
    with sqlite3.connect(it.data / "log.db") as database:
        database.executescript((pathlib.Path(__file__).parent / "older_registry.sql").read_text())
    database.close()


def test_an_older_data_folder_keeps_no_level(it):
    older_folder(it)
    it.configure(versions=", partitions: 1")
    it.serve()
    assert it.rest("GET", "/config") == (200, {"compatibilityLevel": "NONE"})
    assert it.rest("GET", "/subjects") == (200, ["Done", "old"]) and it.rest("GET", "/subjects/old/versions") == (200, [1, 2])
    assert "metadata" not in it.rest("GET", "/subjects/Done/versions/1")[1]
    assert it.register("old", OTHER)[1]["id"] == 4
    # versions of events are in groups of their own, whatever the level
    assert it.rest("PUT", "/config", {"compatibility": "FULL_TRANSITIVE"})[0] == 200
    (it.folder / "Done.v1.json").write_text(json.dumps(OTHER))
    it.configure(versions=", partitions: 1, versions: {1: {up: {task_id: $event/task_id, area: none}, "
                          "down: {task_id: $event/task_id}}}, produces: 1")
    it.kill()
    it.serve()
    assert it.rest("GET", "/subjects/Done/versions") == (200, [1, 2])
    assert it.rest("GET", "/subjects/Done/versions/2")[1]["metadata"] == group("1")["metadata"]
    # no level is taken away by null: it is the default then
    assert it.rest("PUT", "/config", {"compatibility": None}) == (200, {"compatibility": "BACKWARD"})
    it.kill()
    it.serve()
    assert it.rest("GET", "/config") == (200, {"compatibilityLevel": "BACKWARD"})


def test_memory_has_a_limit_that_keeps_nobody_from_starting(it):
    it.serve()
    large = it.register("large", {"title": "x" * (900 << 10)})
    assert (large[0], large[1]["id"], large[1]["version"]) == (200, 2, 1)
    it.kill()
    it.config.write_text("limits: {max_registry: 1MiB}\n" + it.config.read_text())
    it.serve()
    status, refused = it.register("more", OTHER)
    assert (status, refused["error_code"]) == (507, 507) and "1048576 are allowed (limits.max_registry)" in refused["message"]
    assert it.register("large", {"title": "x" * (900 << 10)}) == large          # is there already
    assert it.rest("PUT", "/config/large", {"compatibility": "NONE"})[0] == 200 and it.rest("GET", "/subjects")[1] == ["Done", "large"]
    taken = [line for line in it.get("/metrics")[1].splitlines() if line.startswith("commute_registry_bytes ")]
    assert len(taken) == 1 and int(taken[0].split()[1]) > 1 << 20


def test_requests_that_are_none(it):
    """What the HTTP server refuses itself has the form of the registry's errors, too."""
    it.serve()
    status, headers, content = ask(it.registry, "PATCH", "/config/a")
    assert (status, headers["Allow"]) == (405, "GET, HEAD, PUT, DELETE") and json.loads(content)["error_code"] == 405
    status, headers, content = ask(it.registry, "HEAD", "/subjects")
    assert (status, content, int(headers["Content-Length"])) == (200, b"", len(ask(it.registry, "GET", "/subjects")[2]))
    assert it.rest("POST", "/subjects/a/versions", "x" * (4 << 20)) == (
        413, {"error_code": 413, "message": "the body is larger than is allowed"})
    status, refused = it.rest("GET", "/subjects/%2e%2e/versions")
    assert (status, refused["error_code"]) == (400, 400)
    for body in (None, "[" * 100000, "7", '{"schemaType": "JSON", "schema": {}}'):
        status, _, content = ask(it.registry, "POST", "/subjects/a/versions", body)
        assert 400 <= status < 500 and str(json.loads(content)["error_code"]).startswith(str(status)), body


def test_the_command_line_and_the_registry_agree(it, commute, tmp_path):
    it.serve()
    files = [tmp_path / "old.json", tmp_path / "new.json"]
    pairs = [(CLOSED, OTHER), (OTHER, CLOSED), ({}, CLOSED), (CLOSED, {}), ({"type": "integer"}, {"type": "number"}),
             ({"pattern": "a"}, {"pattern": "b"}), ({"enum": [1]}, {"type": "integer", "minimum": 1})]
    for number, pair in enumerate(pairs):
        for file, schema in zip(files, pair):
            file.write_text(json.dumps(schema))
        done = subprocess.run([commute, "schema", "diff", *files, "--json"], capture_output=True, text=True, check=False,
                              env=dict(os.environ))
        levels = json.loads(done.stdout)["levels"]
        assert it.register(f"s{number}", pair[0])[0] == 200
        for level in ("BACKWARD", "FORWARD", "FULL"):
            assert it.rest("PUT", f"/config/s{number}", {"compatibility": level})[0] == 200
            status, answer = it.rest("POST", f"/compatibility/subjects/s{number}/versions/latest?verbose=true",
                                     {"schemaType": "JSON", "schema": json.dumps(pair[1])})
            assert (status, answer["is_compatible"]) == (200, levels[level]), (pair, level, answer)
        assert done.returncode == (0 if levels["BACKWARD"] else 65)

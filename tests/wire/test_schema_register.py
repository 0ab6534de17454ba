# SPDX-License-Identifier: Apache-2.0
"""`commute schema register`: a schema's way into a running registry."""
import http.server
import json
import subprocess
import threading

import pytest

from commute import Commute, ask

CONFIG = """\
listen: {{gateway: "127.0.0.1:{gateway}", registry: "127.0.0.1:{registry}", control: "127.0.0.1:{control}"}}
data: data
services: {{tasks: {{url: "http://127.0.0.1:1"}}, bonuses: {{url: "http://127.0.0.1:1"}}}}
communications: {{COMM-040: {{functional: tasks -> bonuses, initially: sync, call: POST /accruals}}}}
"""
CLOSED = {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False}
WIDER = {**CLOSED, "properties": {"a": {"type": "number"}}}


class Registry(Commute):
    def __init__(self, commute, start, folder, ports):
        super().__init__(commute, start, folder, ports, "")
        self.folder, self.program = folder, commute
        self.config.write_text(CONFIG.format(**dict(zip(("gateway", "registry", "control"), ports))))

    def register(self, *words):
        done = subprocess.run([self.program, "schema", "register", *words], capture_output=True, text=True, cwd=self.folder)
        assert "Sanitizer" not in done.stderr, done.stderr
        return done.returncode, done.stdout, done.stderr

    def write(self, name, schema):
        (self.folder / name).write_text(schema if isinstance(schema, str) else json.dumps(schema))
        return name


@pytest.fixture
def it(commute, start, tmp_path, free_port):
    registry = Registry(commute, start, tmp_path, (free_port(), free_port(), free_port()))
    registry.serve()
    return registry


def test_a_schema_is_registered_and_its_version_told(it):
    it.write("a.json", CLOSED)
    assert it.register("a/b é", "a.json", "-c", str(it.config)) == (0, "a/b é: version 1, id 1\n", "")
    assert it.register("a/b é", "a.json", "--registry", f"http://127.0.0.1:{it.registry}") == (0, "a/b é: version 1, id 1\n", "")
    it.write("a.json", WIDER)
    code, out, _ = it.register("a/b é", "a.json", "-c", str(it.config), "--json")
    assert code == 0 and json.loads(out) == {"subject": "a/b é", "version": 2, "id": 2}
    assert json.loads(ask(it.registry, "GET", "/subjects")[2]) == ["a/b é"]
    assert json.loads(json.loads(ask(it.registry, "GET", "/schemas/ids/2")[2])["schema"]) == WIDER


def test_what_is_not_compatible_is_refused_and_a_dry_run_changes_nothing(it):
    it.write("wide.json", WIDER)
    it.write("narrow.json", CLOSED)
    assert it.register("x", "wide.json", "--dry-run", "-c", str(it.config)) == (
        0, "x: would be taken (nothing was compared: subject 'x' has no version)\n", "")
    assert json.loads(it.register("x", "wide.json", "--dry-run", "-c", str(it.config), "--json")[1]) == {
        "subject": "x", "is_compatible": True, "backward": [], "forward": [], "messages": [],
        "remark": "nothing was compared: subject 'x' has no version"}
    assert json.loads(ask(it.registry, "GET", "/subjects")[2]) == []
    assert it.register("x", "wide.json", "-c", str(it.config))[0] == 0
    refusal = """refused: not BACKWARD compatible with version 1
BACKWARD  no: readers with the new schema cannot read all that was written with the old
  narrow.json:1:49: #/properties/a/type: TYPE_NARROWED: the new schema allows fewer types here than the old schema
"""
    assert it.register("x", "narrow.json", "--dry-run", "-c", str(it.config)) == (65, f"x: would be {refusal}", "")
    assert it.register("x", "narrow.json", "-c", str(it.config)) == (65, f"x: {refusal}", "")
    code, out, err = it.register("x", "narrow.json", "--dry-run", "-c", str(it.config), "--json")
    assert (code, out, err) == it.register("x", "narrow.json", "-c", str(it.config), "--json") and (code, err) == (65, "")
    said = json.loads(out)
    assert said.pop("messages")[0].startswith('{errorType:"TYPE_NARROWED", ') and said == {
        "subject": "x", "is_compatible": False, "error": "rejected", "message": "not compatible with an earlier version",
        "compatibility": "BACKWARD", "oldSchemaVersion": 1, "forward": [],
        "backward": [{"errorType": "TYPE_NARROWED", "file": "narrow.json", "place": "#/properties/a/type", "line": 1, "column": 49,
                      "description": "the new schema allows fewer types here than the old schema", "decided": True, "allowed": False}]}
    assert json.loads(ask(it.registry, "GET", "/subjects/x/versions")[2]) == [1]


def test_a_refusal_is_told_in_the_directions_that_the_level_asks_for(it):
    it.write("a.json", {**CLOSED, "properties": {"a": {"type": "integer"}, "b": {}}})
    it.write("b.json", '{"type": "object", "additionalProperties": false,\n "properties": {"a": {"type": "number"}}}')
    words = "x", "b.json", "-c", str(it.config)
    assert it.register("x", "a.json", *words[2:])[0] == 0
    ask(it.registry, "PUT", "/config/x", b'{"compatibility": "FULL_TRANSITIVE"}')
    removed, wider = ("the old schema has this member, and the new schema, which is closed, does not",
                      "the old schema allows fewer types here than the new schema")
    code, out, err = it.register(*words)
    assert (code, err) == (65, "") and out.splitlines() == [
        "x: refused: not FULL_TRANSITIVE compatible with version 1",
        "BACKWARD  no: readers with the new schema cannot read all that was written with the old",
        f"  version 1: #/properties/b: PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL: {removed}",
        "FORWARD   no: readers with the old schema cannot read all that is written with the new",
        f"  version 1: #/properties/a/type: TYPE_NARROWED: {wider}"]
    said = json.loads(it.register(*words, "--json")[1])
    assert said["backward"] == [{"errorType": "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL", "version": 1, "place": "#/properties/b",
                                 "description": removed, "decided": True, "allowed": False}]
    assert [(one["errorType"], one["version"]) for one in said["forward"]] == [("TYPE_NARROWED", 1)]
    ask(it.registry, "PUT", "/config/x", b'{"compatibility": "FORWARD"}')
    assert "BACKWARD " not in it.register(*words)[1]


@pytest.fixture
def other():
    """A registry of somebody else: it refuses all, and its opinion is `opinion`."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            opinion = self.path.startswith("/compatibility/")
            answer = json.dumps(self.server.opinion if opinion else self.server.refusal).encode()
            self.send_response(200 if opinion else 409)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.refusal, server.opinion = {"error_code": 409, "message": "all of it in one line"}, {}
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_another_registry_is_told_in_its_own_words(it, other):
    it.write("a.json", CLOSED)
    words = "x", "a.json", "--registry", f"http://127.0.0.1:{other.server_port}"
    other.opinion = {"is_compatible": False, "messages": ["one\x1b[31m", "two"]}
    assert it.register(*words) == (65, "x: refused\n  one\\u001b[31m\n  two\n", "")
    assert it.register(*words, "--dry-run") == (65, "x: would be refused\n  one\\u001b[31m\n  two\n", "")
    assert json.loads(it.register(*words, "--json")[1]) == {
        "subject": "x", "is_compatible": False, "error": "rejected", "message": "not compatible with an earlier version", "backward": [],
        "forward": [], "messages": other.opinion["messages"]}
    # It was refused, and whatever the registry says then: why it was is known.
    for opinion in {"is_compatible": True}, [], None:
        other.opinion = opinion
        code, out, err = it.register(*words)
        assert (code, err) == ((65, "commute: all of it in one line\n") if opinion else (65, "")), opinion
    other.opinion = {"is_compatible": False, "differences": [7, {}, {"reader": "old", "place": 3}], "messages": 3, "oldSchemaVersion": "x"}
    assert it.register(*words)[0] == 65


def test_references_lead_to_what_is_registered(it):
    it.write("part.json", CLOSED)
    it.write("whole.json", {"properties": {"p": {"$ref": "part.json"}, "q": {"$ref": "other.json"}}})
    assert it.register("part", "part.json", "-c", str(it.config))[0] == 0
    code, _, err = it.register("whole", "whole.json", "-c", str(it.config))
    assert code in (65, 69) and "part.json" in err
    assert it.register("whole", "whole.json", "-c", str(it.config), "--references", "part.json=part:1,other.json=part:1")[0] == 0
    assert json.loads(ask(it.registry, "GET", "/subjects/part/versions/1/referencedby")[2]) == [2]
    for wrong in "part.json", "part.json=part", "=part:1", "part.json=:1", "part.json=part:x", "part.json=part:1,":
        code, _, err = it.register("whole", "whole.json", "-c", str(it.config), "--references", wrong)
        assert code == 65 and "NAME=SUBJECT:VERSION" in err
    code, _, err = it.register("whole", "whole.json", "-c", str(it.config), "--references", ",".join(["part.json=part:1"] * 101))
    assert code == 65 and "more than 100" in err


def test_what_is_wrong_is_said(it, free_port):
    it.write("broken.json", "{\n")
    it.write("none.json", {"type": "objct"})
    code, _, err = it.register("x", "broken.json", "-c", str(it.config))
    assert (code, err) == (65, "broken.json:2:1: not JSON: expected a key in quotes, or }\n")
    wrong = "expected a type: null, boolean, integer, number, string, array or object"
    for dry in [], ["--dry-run"]:               # whoever finds it
        assert it.register("x", "none.json", "-c", str(it.config), *dry) == (65, "", f"none.json:1:10: /type: {wrong}\n")
        assert json.loads(it.register("x", "none.json", "-c", str(it.config), "--json", *dry)[1]) == {
            "error": "invalid", "message": wrong, "file": "none.json", "line": 1, "column": 10, "keywordLocation": "/type"}
    assert it.register("x", "absent.json", "-c", str(it.config))[0] == 66
    code, _, err = it.register("", "none.json", "-c", str(it.config))
    assert code == 65 and "subject" in err
    code, _, err = it.register("x", "none.json", "--registry", f"http://127.0.0.1:{free_port()}")
    assert code == 75 and "the registry at 127.0.0.1" in err
    code, _, err = it.register("x", "none.json", "-c", "absent.yaml")
    assert code == 66 and "--registry" in err

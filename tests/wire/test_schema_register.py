# SPDX-License-Identifier: Apache-2.0
"""`commute schema register`: a schema's way into a running registry."""
import json
import subprocess

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
    assert it.register("x", "wide.json", "--dry-run", "-c", str(it.config)) == (0, "x: would be taken\n", "")
    assert json.loads(ask(it.registry, "GET", "/subjects")[2]) == []
    assert it.register("x", "wide.json", "-c", str(it.config))[0] == 0
    code, out, _ = it.register("x", "narrow.json", "--dry-run", "-c", str(it.config))
    assert code == 65 and out.startswith("x: would be refused\n  ") and "TYPE_NARROWED" in out
    code, out, _ = it.register("x", "narrow.json", "--dry-run", "-c", str(it.config), "--json")
    assert code == 65 and json.loads(out)["is_compatible"] is False and json.loads(out)["messages"]
    code, out, err = it.register("x", "narrow.json", "-c", str(it.config))
    assert (code, out) == (65, "") and err.startswith("commute: ") and "TYPE_NARROWED" in err
    code, out, _ = it.register("x", "narrow.json", "-c", str(it.config), "--json")
    assert code == 65 and json.loads(out)["error"] == "rejected"
    assert json.loads(ask(it.registry, "GET", "/subjects/x/versions")[2]) == [1]


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
    assert code == 65 and err.startswith("commute: broken.json: line 2, column 1")
    code, _, err = it.register("x", "none.json", "-c", str(it.config))
    assert code == 65 and "/type" in err
    assert it.register("x", "absent.json", "-c", str(it.config))[0] == 66
    code, _, err = it.register("", "none.json", "-c", str(it.config))
    assert code == 65 and "subject" in err
    code, _, err = it.register("x", "none.json", "--registry", f"http://127.0.0.1:{free_port()}")
    assert code == 75 and "the registry at 127.0.0.1" in err
    code, _, err = it.register("x", "none.json", "-c", "absent.yaml")
    assert code == 66 and "--registry" in err

# SPDX-License-Identifier: Apache-2.0
"""`commute schema …`: validate, check, lint, bundle; offline."""
import json
import os
import pty
import subprocess

import pytest

DRAFT = {"$schema": "https://json-schema.org/draft/2020-12/schema"}


@pytest.fixture
def schema(build, tmp_path):
    def run(*words, text=None):
        done = subprocess.run([build / "src/commute", "schema", *map(str, words)], input=text, capture_output=True, text=True, cwd=tmp_path)
        assert "Sanitizer" not in done.stderr
        return done.returncode, done.stdout, done.stderr
    return run


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return name
    return write


def test_lines_are_instances_of_their_own(schema, write):
    write("s.json", {**DRAFT, "properties": {"a": {"type": "integer"}}})
    write("i.jsonl", '{"a":1}\n{"a":"x"}\r\n \t\r\n{oops\n[]')
    code, out, _ = schema("validate", "s.json", "i.jsonl")
    assert code == 65 and out.splitlines() == [
        "i.jsonl:2:6: /a: type: is string, expected integer",
        "i.jsonl:4:2: not JSON: expected a key in quotes, or }", "i.jsonl: 4 instances, 2 invalid"]
    code, out, _ = schema("validate", "s.json", "-", "--lines", text='{"a":1}\n{"a":2}\n')
    assert (code, out) == (0, "-: 2 instances, 0 invalid\n")


DEEP = "[" * 200 + "]" * 200


def test_what_cannot_be_decided_is_said_and_the_rest_goes_on(schema, write, tmp_path):
    write("s.json", {**DRAFT, "type": ["object", "array"]})
    write("deep.json", DEEP)
    write("good.json", "{}")
    write("bad.json", "1")
    write("i.jsonl", f"{{}}\n{DEEP}\n1e9999999999\n1\n")
    (tmp_path / "folder").mkdir()
    files = ["deep.json", "none.json", "i.jsonl", "folder", "bad.json", "none.jsonl", "folder/", "good.json"]
    code, out, err = schema("validate", "s.json", *files)
    assert code == 66 and out.splitlines() == [
        "deep.json:1:129: not decided: too many arrays and objects within each other; --max-depth allows more",
        "i.jsonl:2:129: not decided: too many arrays and objects within each other; --max-depth allows more",
        "i.jsonl:3:3: not decided: an exponent beyond 1000000000",
        "i.jsonl:4:1: the document: type: is number, expected array or object",
        "i.jsonl: 4 instances, 1 invalid, 2 not decided",
        "bad.json:1:1: the document: type: is number, expected array or object",
        "good.json: valid"]
    assert err.splitlines() == ["commute: none.json: No such file or directory", "commute: folder: is a directory, not a file",
                                "commute: none.jsonl: No such file or directory", "commute: folder/: is a directory, not a file"]
    code, out, err = schema("validate", "s.json", *files, "--json")
    said = json.loads(out)
    assert (code, err) == (66, "") and [(one["file"], one.get("fileLine"), one["valid"], one.get("code")) for one in said] == [
        ("deep.json", None, None, "limit"), ("none.json", None, None, "not-found"), ("i.jsonl", 1, True, None),
        ("i.jsonl", 2, None, "limit"), ("i.jsonl", 3, None, "limit"), ("i.jsonl", 4, False, None),
        ("folder", None, None, "not-found"), ("bad.json", None, False, None), ("none.jsonl", None, None, "not-found"),
        ("folder/", None, None, "not-found"), ("good.json", None, True, None)]
    assert said[1]["error"] == "No such file or directory" and said[0]["error"] == "too many arrays and objects within each other"
    assert [said[0][name] for name in ("line", "column", "byte")] == [1, 129, 128]
    assert schema("validate", "s.json", "deep.json", "bad.json")[0] == 65


def test_an_instance_may_be_deeper_if_it_is_said_so(schema, write):
    def nested(levels, inner=""):
        return "[" * levels + inner + "]" * levels
    write("any.json", {})
    write("array.json", {"type": "array", "items": {"$ref": "#"}})
    write("unevaluated.json", {"anyOf": [{"items": {"$ref": "#"}}], "unevaluatedItems": False})
    write("deep.json", nested(129))
    assert schema("validate", "any.json", "deep.json")[1] == (
        "deep.json:1:129: not decided: too many arrays and objects within each other; --max-depth allows more\n")
    assert schema("validate", "any.json", "deep.json", "--max-depth", "129") == (0, "deep.json: valid\n", "")
    assert schema("validate", "any.json", "deep.json", "--max-depth=128")[1] == (
        "deep.json:1:129: not decided: too many arrays and objects within each other\n")
    write("deep.jsonl", f"{nested(512)}\n{nested(513)}\n{nested(450, '1')}\n")
    for name, invalid in ("any", []), ("array", [f"deep.jsonl:3:451: {'/0' * 450}: type: is number, expected array"]):
        code, out, _ = schema("validate", f"{name}.json", "deep.jsonl", "--max-depth", "512")
        assert code == 65 and out.splitlines() == [
            "deep.jsonl:2:513: not decided: too many arrays and objects within each other", *invalid,
            f"deep.jsonl: 3 instances, {len(invalid)} invalid, 1 not decided"]
    write("one.json", nested(512))              # of which each level takes three subschemas, and 1,000 are allowed
    code, out, _ = schema("validate", "unevaluated.json", "one.json", "--max-depth", "512")
    assert code == 65 and out.startswith("one.json: not decided: a limit of the evaluation was reached: subschemas within each other")
    code, out, _ = schema("validate", "array.json", "deep.jsonl", "--max-depth", "512", "--json")
    said = json.loads(out)
    assert [one["valid"] for one in said] == [True, None, False] and said[2]["errors"][-1]["instanceLocation"] == "/0" * 450
    code, out, _ = schema("validate", "any.json", "deep.jsonl", "--max-depth", "512", "--benchmark", "--json")
    assert code == 0 and (json.loads(out)["valid"], json.loads(out)["not_json"]) == (2, 1)
    for wrong in "513", "0", "-1", "", "12x", "1e2", "99999999999999999999":
        code, out, err = schema("validate", "any.json", "deep.json", "--max-depth", wrong)
        assert (code, out) == (64, "") and f'--max-depth is a number from 1 to 512, not "{wrong}"' in err
    assert schema("validate", "any.json", "deep.json", "--max-depth", "1", "--max-depth", "2")[0] == 64
    assert schema("check", "any.json", "--max-depth", "2")[0] == 64


def test_the_greatest_exit_status_counts_and_a_file_that_vanishes_is_only_missed(schema, write, tmp_path):
    write("s.json", {})
    write("i.json", "{")
    assert schema("validate", "s.json", "i.json")[0] == 65
    os.symlink("i.json", tmp_path / "link.json")
    os.unlink(tmp_path / "i.json")
    code, _, err = schema("validate", "s.json", "link.json", "--lines")
    assert code == 66 and "link.json: No such file" in err
    code, _, err = schema("validate", "s.json", "/proc/self/mem", "i.json")         # there, and cannot be read
    assert code == 74 and "/proc/self/mem: " in err and "i.json" in err
    code, out, err = schema("validate", "s.json", "/proc/self/mem", "--lines", "--json")
    assert (code, err) == (74, "") and json.loads(out)[0]["code"] == "io"


def test_what_does_not_match_for_reasons_beyond_a_limit_is_invalid_all_the_same(schema, write):
    chain = {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(12)}
    write("s.json", {**DRAFT, "properties": {"a": {"$ref": "#/$defs/d0"}, "b": {"type": "string"}},
                     "$defs": {**chain, "d12": {"$ref": "#"}}})
    write("i.json", '{"a":' * 120 + '{"b":1}' + "}" * 120)
    assert schema("validate", "s.json", "i.json") == (65, "i.json:1:1: the document: false: does not match; a limit was reached before "
                                                          "it was known where\n", "")
    code, out, _ = schema("validate", "s.json", "i.json", "--json")
    assert code == 65 and json.loads(out) == [{"file": "i.json", "valid": False, "truncated": True, "errors": []}]


def test_a_line_of_any_length_costs_no_more_than_the_limit(schema, write, tmp_path):
    write("s.json", {})
    with open(tmp_path / "i.jsonl", "wb") as file:
        file.write(b"[]\n")
        file.seek(300 << 20, os.SEEK_CUR)           # a hole, of NUL
        file.write(b"\n{}\n")
    code, out, _ = schema("validate", "s.json", "i.jsonl")
    assert code == 65 and out.splitlines() == ["i.jsonl:2: not decided: more than 268435456 bytes",
                                               "i.jsonl: 3 instances, 0 invalid, 1 not decided"]


def test_lines_are_told_as_they_come(build, write, tmp_path):
    write("s.json", {"type": "integer"})
    with subprocess.Popen([build / "src/commute", "schema", "validate", "s.json", "-", "--lines"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, cwd=tmp_path) as done:
        done.stdin.write(b'1\n"x"\n')
        done.stdin.flush()
        assert done.stdout.readline() == b"-:2:1: the document: type: is string, expected integer\n"         # before the input ends
        done.stdin.close()
        assert done.stdout.read() == b"-: 2 instances, 1 invalid\n"


@pytest.mark.parametrize("content, said", [
    (b"\xef\xbb\xbf{}", "byte order mark"), ("{}".encode("utf-16"), "UTF-16"), (b"", "the text ends here"),
    (b'"\xe9"', "not valid UTF-8"),
    (b'"\\ud800"', "surrogate"), (b'{"a":1,"a":2}', "there already"),
    (b"{'a':1}", "expected a key in quotes"), (b"NaN", "expected a value"),
])
def test_what_is_not_json_is_explained(schema, write, tmp_path, content, said):
    write("s.json", {})
    (tmp_path / "i.json").write_bytes(content)
    code, out, _ = schema("validate", "s.json", "i.json")
    assert code == 65 and out.startswith("i.json:1:") and ": not JSON: " in out and said in out
    code, out, err = schema("check", "i.json", "s.json")
    assert (code, out) == (65, "s.json: compiles\n") and said in err


def test_what_nobody_could_read_was_not_said(build, write, tmp_path):
    write("s.json", {})
    write("i.jsonl", "{}\n" * 1000)
    with open("/dev/full", "w") as full:
        done = subprocess.run([build / "src/commute", "schema", "validate", "s.json", "i.jsonl"], cwd=tmp_path, stdout=full,
                              stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (74, "commute: standard output could not be written\n")


def test_standard_input_is_read_once_and_more_failures_are_said_to_be_there(schema, write):
    for words in (["validate", "-", "-"], ["validate", "s.json", "-", "-"], ["check", "-", "-"], ["lint", "-", "s.json", "-"],
                  ["diff", "-", "-"]):
        assert schema(*words, text="{}") == (64, "", "commute schema: standard input (-) can be read once\n")
    assert schema("check", "-", text="{}") == (0, "-: compiles\n", "")
    write("s.json", {"items": {"type": "string"}})
    write("i.json", json.dumps(list(range(30))))
    out = schema("validate", "s.json", "i.json")[1].splitlines()
    assert len(out) == 21 and out[20] == "i.json: and more, which --output basic tells"
    write("i.json", json.dumps(list(range(20))))
    assert len(schema("validate", "s.json", "i.json")[1].splitlines()) == 20


def test_what_cannot_be_read_or_written_is_said(schema, write, tmp_path):
    write("s.json", {})
    (tmp_path / "folder").mkdir()
    empty = "commute: an empty name is that of no file\n"
    for words in ["check", ""], ["lint", ""], ["bundle", ""], ["diff", "", "s.json"], ["diff", "s.json", ""], ["validate", "", "s.json"], \
            ["validate", "s.json", ""]:
        assert schema(*words) == (66, "", empty), words
    for target, why in ("none/x.json", "No such file or directory"), ("folder", "Is a directory"), ("/dev/full", "No space left on device"):
        assert schema("bundle", "s.json", "-o", target) == (74, "", f"commute: {target}: cannot be written: {why}\n")
        assert json.loads(schema("bundle", "s.json", "-o", target, "--json")[1]) == {
            "error": "io", "message": f"{target}: cannot be written: {why}"}


def test_no_key_and_no_file_name_commands_a_terminal(schema, write):
    closed, bad, odd = write("closed.json", {"additionalProperties": False}), write("bad.json", '{"\\u001b[31m\\u009b":1}'), "o\ndd.json"
    code, out, _ = schema("validate", closed, bad)
    assert code == 65 and "/\\u001b[31m\\u009b: additionalProperties" in out and "\x1b" not in out and "\x9b" not in out
    code, _, err = schema("check", odd + "x")
    assert code == 66 and err.count("\n") == 1 and "o\\u000add.jsonx" in err
    esc = write("e\x1b[31m.json", '{"additionalProperties": false, "\\u001b[31m": 1, "properties": {"\\u001b[31m": {}}}')
    write("e\x1b[31m.jsonl", "{}\n")
    write("n\x1b[31m.json", "{")
    for words in (["check", esc], ["lint", esc], ["diff", closed, esc], ["diff", esc, closed], ["validate", esc, bad],
                  ["validate", "s.json", esc, "n\x1b[31m.json", "\x1b[31m"], ["validate", "s.json", "e\x1b[31m.jsonl"],
                  ["bundle", "n\x1b[31m.json"], ["diff", "n\x1b[31m.json", esc], ["check", esc, "--with", "n\x1b[31m.json"],
                  ["check", esc, "--with", "\x1b[31m"]):
        write("s.json", {})
        _, out, err = schema(*words)
        assert "\x1b" not in out + err and "\\u001b[31m" in out + err, words


def test_what_with_gives_is_read_once_for_all(build, write, tmp_path):
    os.mkfifo(tmp_path / "with")                # gives what it has once
    names = [write(f"s{number}.json", {"$ref": "http://x/a"}) for number in range(5)]
    with subprocess.Popen([build / "src/commute", "schema", "check", "--with", "with", *names], stdout=subprocess.PIPE, text=True,
                          cwd=tmp_path) as running:
        (tmp_path / "with").write_text(json.dumps({"$id": "http://x/a", "type": "string"}))
        assert running.communicate(timeout=60)[0] == "".join(f"{name}: compiles\n" for name in names)


def test_thousands_of_files_are_one_command(schema, write):
    write("s.json", {})
    code, out, _ = schema("validate", "s.json", *["s.json"] * 5000)
    assert code == 0 and out == "s.json: valid\n" * 5000
    code, out, err = schema("validate", "s.json", *["x"] * 100000)
    assert (code, out) == (64, "") and "too many arguments" in err


def test_every_schema_is_told_of(schema, write):
    write("a.json", {"type": "objct"})
    write("b.json", {})
    write("c.json", {"pattern": "("})
    for command in "check", "lint":
        code, out, err = schema(command, "a.json", "b.json", "none.json", "c.json")
        assert code == 66 and out == ("b.json: compiles\n" if command == "check" else "")
        assert [line.removeprefix("commute: ").split(":")[0] for line in err.splitlines()] == ["a.json", "none.json", "c.json"]
        code, out, err = schema(command, "a.json", "b.json", "none.json", "c.json", "--json")
        said = {one["file"]: one.get("code") for one in json.loads(out)}
        assert (code, err) == (66, "") and all("error" in one for one in json.loads(out) if one["file"] != "b.json")
        good = {"b.json": None} if command == "check" else {}
        assert said == {"a.json": "invalid", "none.json": "not-found", "c.json": "invalid", **good}
        assert schema(command, "a.json", "c.json")[0] == 65
    code, out, _ = schema("check", "b.json", "--json")
    assert code == 0 and json.loads(out) == [{"file": "b.json", "compiles": True}]
    write("i.json", "1")
    code, out, _ = schema("validate", "a.json", "i.json", "--json")
    assert code == 65 and [(one["file"], one["valid"], one["code"]) for one in json.loads(out)] == [("a.json", None, "invalid")]


def test_an_error_of_a_schema_has_its_place_as_an_instance_has(schema, write):
    wrong = "expected a type: null, boolean, integer, number, string, array or object"
    write("s.json", '{"properties":\r\n {"é": {"type": "objct"}}}')
    write("t.json", {"type": "objct"})
    write("root.json", "3")
    write("parts/t.json", {"items": {"type": "objct"}})
    write("parts/broken.json", "{\n")
    write("whole.json", {"$ref": "parts/t.json"})
    write("far.json", {"items": {"$ref": "whole2.json"}})
    write("whole2.json", {"$ref": "parts/broken.json"})
    write("given.json", {"$ref": "https://example.com/t"})
    write("more/a.json", {"$id": "https://example.com/t", "type": 1})
    write("i.json", "{}")
    said = {                                    # file: in which file, where, at which pointer, what, who names that file
        ("s.json",): ("s.json", 2, 17, "/properties/é/type", wrong, ""),
        ("root.json",): ("root.json", 1, 1, "", "expected a schema: an object, true or false", ""),
        ("parts/broken.json",): ("parts/broken.json", 2, 1, None, "not JSON: expected a key in quotes, or }", ""),
        ("whole.json",): ("parts/t.json", 1, 20, "/items/type", wrong, ""),
        ("far.json",): ("parts/broken.json", 2, 1, None, "not JSON: expected a key in quotes, or }", " (named by whole2.json:1:10)"),
        ("given.json", "--with", "more"): ("more/a.json", 1, 42, "/type", wrong, ""),
        ("given.json", "--with", "parts"): ("parts/broken.json", 2, 1, None, "not JSON: expected a key in quotes, or }",
                                            " (named by --with)"),
    }
    for words, (file, line, column, pointer, sentence, named) in said.items():
        place = "" if pointer is None else f"{pointer or 'the document'}: "
        text = f"{file}:{line}:{column}: {place}{sentence}{named}\n"
        fields = {"line": line, "column": column, **({"byte": 2} if pointer is None else {"keywordLocation": pointer})}
        elsewhere = {} if file == words[0] else {"errorFile": file}
        for command in "check", "lint", "bundle":
            assert schema(command, *words) == (65, "", text)
        assert schema("validate", words[0], "i.json", *words[1:]) == schema("diff", words[0], "i.json", *words[1:]) == (65, "", text)
        error = {"error": sentence, "code": "invalid", **fields, **elsewhere}
        code, out, err = schema("check", *words, "--json")
        assert (code, json.loads(out), err) == (65, [{"file": words[0], "compiles": False, **error}], "")
        assert json.loads(schema("lint", *words, "--json")[1]) == [{"file": words[0], **error}]
        assert json.loads(schema("validate", words[0], "i.json", *words[1:], "--json")[1]) == [{"file": words[0], "valid": None, **error}]
        for command in ["bundle", words[0]], ["diff", words[0], "i.json"], ["diff", "i.json", words[0]]:
            code, out, err = schema(*command, *words[1:], "--json")
            assert (code, err) == (65, "") and json.loads(out) == {"error": "invalid", "message": sentence, "file": file, **fields}
    fake = r'a\" (line 7, column 8): b'                # a key that looks like a place
    write("fake.json", '{"properties": {"%s": {"type": "objct"}}}' % fake)
    assert schema("check", "fake.json") == (65, "", "fake.json:1:55: /properties/%s/type: %s\n" % (fake.replace("\\", ""), wrong))
    write("fake.json", {"$ref": "b.json#/properties/p"})
    write("b.json", '{"properties": {"p": {"properties": {"%s": {"type": "objct"}}}}}' % fake)
    assert schema("check", "fake.json") == (65, "", "b.json:1:76: /properties/p/properties/%s/type: %s\n" % (fake.replace("\\", ""), wrong))
    code, _, err = schema("check", "t.json", "--with", "none")
    assert (code, err) == (66, "commute: none: No such file or directory (named by --with)\n")
    code, out, _ = schema("check", "t.json", "--with", "none", "--json")
    assert (code, json.loads(out)) == (66, [{"file": "t.json", "compiles": False, "error": "No such file or directory", "code": "not-found",
                                             "errorFile": "none"}])


def test_outputs_are_those_of_the_specification(schema, write):
    write("s.json", {**DRAFT, "properties": {"a": {"type": "integer", "title": "A"}}})
    write("good.json", {"a": 1})
    write("bad.json", {"a": "secret"})
    assert schema("validate", "s.json", "good.json", "--output", "flag") == (0, '{"file":"good.json","valid":true}\n', "")
    code, out, _ = schema("validate", "s.json", "bad.json", "good.json", "--output=basic")
    bad, good = map(json.loads, out.splitlines())
    assert code == 65 and good["valid"] and not bad["valid"] and "secret" not in out
    assert [(one["keywordLocation"], one["instanceLocation"], one["line"]) for one in bad["errors"]] == [("/properties/a/type", "/a", 1)]
    code, out, _ = schema("validate", "s.json", "bad.json", "--output", "detailed")
    assert code == 65 and json.loads(out)["valid"] is False
    code, out, _ = schema("validate", "s.json", "good.json", "--output", "basic", "--annotations")
    assert "/properties/a/title" in out
    assert schema("validate", "s.json", "good.json", "--annotations") == (code, out, "")
    code, out, _ = schema("validate", "s.json", "bad.json", "good.json", "--json")
    assert code == 65 and [one["file"] for one in json.loads(out)] == ["bad.json", "good.json"]
    code, _, err = schema("validate", "s.json", "bad.json", "--output", "verbose")
    assert code == 64 and "flag, basic or detailed" in err


def test_formats_assert_when_asked_to(schema, write):
    write("s.json", {**DRAFT, "format": "date"})
    write("i.json", '"2021-02-29"')
    assert schema("validate", "s.json", "i.json")[0] == 0
    code, out, _ = schema("validate", "s.json", "i.json", "--format-assertion")
    assert code == 65 and "format" in out


def test_a_schema_that_names_no_draft_is_of_the_one_that_is_given(schema, write):
    write("s.json", {"items": [{"type": "string"}], "additionalItems": False, "definitions": {"a": {"const": 1}}})
    write("i.json", ["x", 1])
    assert schema("validate", "s.json", "i.json")[0] == 65 and "prefixItems" in schema("validate", "s.json", "i.json")[2]
    for draft in "4", "6", "7", "2019-09":
        assert schema("validate", "s.json", "i.json", "--draft", draft)[1] == "i.json:1:7: /1: additionalItems: is an element too many\n"
    code, out, _ = schema("lint", "s.json", "--draft", "4")
    assert code == 65 and "/definitions/a/const: unknown-keyword" in out
    assert "unknown-keyword" not in schema("lint", "s.json", "--draft=6")[1]
    assert schema("check", "s.json", "--draft", "2020-12")[0] == 65
    write("named.json", {**DRAFT, "prefixItems": [{"type": "string"}]})
    assert schema("diff", "named.json", "named.json", "--draft", "4")[0] == 0
    code, _, err = schema("check", "s.json", "--draft", "5")
    assert code == 64 and '--draft is 4, 6, 7, 2019-09 or 2020-12, not "5"' in err


def test_other_schemas_come_from_files_beside_it_and_from_those_given(schema, write):
    write("s.json", {**DRAFT, "properties": {"a": {"$ref": "parts/a.json"}, "b": {"$ref": "https://example.com/b"}}})
    write("parts/a.json", {"type": "integer"})
    write("more/b.json", {"$id": "https://example.com/b", "type": "string"})
    write("i.json", {"a": 1, "b": 2})
    code, _, err = schema("validate", "s.json", "i.json")
    assert code == 69 and "https://example.com/b" in err
    code, out, _ = schema("validate", "s.json", "i.json", "--with", "more")
    assert code == 65 and "/b: type" in out and "/a" not in out
    assert schema("check", "s.json", "--with", "more/b.json")[0] == 0
    write("out.json", {**DRAFT, "$ref": "../secret.json"})
    code, _, err = schema("check", "out.json")
    assert code == 69 and "neither in the schema's folder nor in one given by --with" in err
    write("none.json", {**DRAFT, "$ref": "absent.json"})
    code, _, err = schema("check", "none.json")
    assert code == 69 and "absent.json: No such file" in err


def test_a_reference_may_climb_to_what_with_gives(schema, write, tmp_path):
    (tmp_path / "all/order").mkdir(parents=True)
    write("all/order/o.json", {"items": {"$ref": "../common/a%20b.json"}})
    write("all/common/a b.json", {"properties": {"c": {"$ref": "../order/c.json"}}})
    write("all/order/c.json", {"type": "string"})
    write("secret.json", {})
    write("i.json", [{"c": 1}])
    assert schema("check", "all/order/o.json")[0] == 69
    assert schema("validate", "all/order/o.json", "i.json", "--with", "all")[1] == "i.json:1:8: /0/c: type: is number, expected string\n"
    code, out, _ = schema("bundle", "all/order/o.json", "--with", "all")
    write("bundle.json", out)
    assert code == 0 and schema("validate", "bundle.json", "i.json")[1] == "i.json:1:8: /0/c: type: is number, expected string\n"
    for climbing in "../../secret.json", "%2e%2e/../secret.json", "../common/../../secret.json":
        write("all/order/o.json", {"$ref": climbing})
        assert schema("check", "all/order/o.json", "--with", "all")[0] == 69, climbing


def test_a_uri_is_the_file_that_with_says(schema, write):
    write("s.json", {"$ref": "https://example.com/s?v=1"})
    write("i.json", "1")
    write("text.json", {"type": "string"})
    write("1=b.json", {"type": "string"})
    write("2=c.json", {"type": "number"})
    write("https:/own", {"$id": "https://example.com/s?v=1", "type": "null"})
    write("other.json", {"$id": "https://example.com/other", "$ref": "text"})
    uri, refused = "https://example.com/s?v=1", (65, "i.json:1:1: the document: type: is number, expected string\n", "")
    commands = ["check", "s.json"], ["lint", "s.json"], ["bundle", "s.json"], ["diff", "s.json", "s.json"], ["validate", "s.json", "i.json"]
    for command in commands:                    # each that takes it
        assert schema(*command)[0] == 69 and "--with URI=FILE" in schema(*command)[2]
        assert schema(*command, "--with", f"{uri}=2=c.json")[0] == 0
    assert schema("validate", "s.json", "i.json", "--with", f"{uri}=text.json") == refused
    assert schema("validate", "s.json", "i.json", "--with", f"{uri}#=text.json") == refused
    assert schema("validate", "s.json", "i.json", "--with", "https://example.com/s?v=1=b.json")[0] == 69      # of the URI that ends in v
    assert schema("validate", "s.json", "i.json", "--with", f"{uri}=1=b.json") == refused
    # A file of the whole name goes first, and URI=FILE before a $id.
    write("a=https:b.json", {"$id": uri, "type": "string"})
    assert schema("validate", "s.json", "i.json", "--with", "a=https:b.json") == refused
    assert schema("validate", "s.json", "i.json", "--with", "a=https:b.json", "--with", f"{uri}=2=c.json")[0] == 0
    # References of such a file lead from its URI, or its own $id.
    write("s.json", {"$ref": "https://example.com/a/b"})
    write("b.json", {"$ref": "text"})
    words = ["--with", "https://example.com/a/b=b.json", "--with", "https://example.com/a/text=text.json"]
    assert schema("validate", "s.json", "i.json", *words) == refused
    words = ["--with", "https://example.com/a/b=other.json", "--with", "https://example.com/text=text.json"]
    assert schema("validate", "s.json", "i.json", *words) == refused
    code, _, err = schema("bundle", "s.json", *words)
    assert code == 69 and 'says that it is "https://example.com/other"' in err


def test_what_with_cannot_be_is_refused(schema, write, tmp_path):
    write("s.json", {"$ref": "urn:s"})
    write("a.json", {"$id": "urn:s", "type": "string"})
    write("more/b.json", {"$id": "urn:s", "type": "number"})
    for value, code, said in [
            ("relative=a.json", 65, '--with relative=a.json: there is no such file, and "relative" is no absolute URI'),
            ("/s=a.json", 65, '--with /s=a.json: there is no such file, and "/s" is no absolute URI'),
            ("urn:=a.json", 65, '--with urn:=a.json: there is no such file, and "urn:" is no absolute URI'),
            ("urn:a b=a.json", 65, '--with urn:a b=a.json: there is no such file, and "urn:a b" is no absolute URI'),
            ("urn:s#a=a.json", 65, "--with urn:s#a=a.json: a URI with a fragment names no document"),
            ("urn:s=-", 65, "--with urn:s=-: expected a file behind =, not standard input"),
            ("urn:s=none.json", 66, "none.json: No such file or directory (named by --with)"),
            ("urn:s=more", 66, "more: is a directory, not a file (named by --with)"),
            ("=a.json", 66, "=a.json: No such file or directory (named by --with)"), ("", 65, "--with : this is no file")]:
        assert schema("check", "s.json", "--with", value) == (code, "", f"commute: {said}\n")
        one, = json.loads(schema("check", "s.json", "--with", value, "--json")[1])
        assert said.removesuffix(" (named by --with)") == (f'{one["errorFile"]}: ' if "errorFile" in one else "") + one["error"]
    assert schema("check", "s.json", "--with", "urn:s=a.json", "--with", f"urn:s={tmp_path}/a.json")[0] == 0
    assert schema("check", "s.json", "--with", "urn:s=a.json", "--with", "urn:s=more/b.json") == (
        65, "", "commute: --with urn:s=more/b.json: this URI is that of a.json already\n")
    # Two of one $id matter when it is asked for.
    assert schema("check", "a.json", "--with", "a.json", "--with", "more")[0] == 0
    code, _, err = schema("check", "s.json", "--with", "a.json", "--with", "more")
    assert code == 65 and err.startswith("s.json:1:10: /$ref: ") and "a.json and more/b.json both have this $id; --with urn:s=FILE" in err
    assert schema("check", "s.json", "--with", "a.json", "--with", "more", "--with", "urn:s=a.json")[0] == 0
    write("more/b.json", (tmp_path / "a.json").read_text())
    assert schema("check", "s.json", "--with", "a.json", "--with", "more")[0] == 0
    assert schema("check", "s.json", *["--with", "a.json"] * 1000)[0] == 0
    code, _, err = schema("check", "s.json", *["--with", "a.json"] * 1001)
    assert code == 64 and "too often: --with" in err


def test_hints_at_what_is_meant(schema, write):
    write("s.json", {"$schema": "https://json-schema.org/draft-07/schema#"})
    code, _, err = schema("check", "s.json")
    assert code == 69 and 'is "http://json-schema.org/draft-07/schema" meant?' in err
    write("s.json", {})
    write("i.json", "{}\n{}\n")
    assert schema("validate", "s.json", "i.json")[1] == ("i.json:2:1: not JSON: expected nothing more behind the document; "
                                                        "with --lines each line is a document\n")
    write("i.NDJSON", "{}\n{}\n")
    assert schema("validate", "s.json", "i.NDJSON") == (0, "i.NDJSON: 2 instances, 0 invalid\n", "")
    code, _, err = schema("valid", "s.json")
    assert code == 64 and 'no command "schema valid"' in err and "schema validate SCHEMA" in err


def test_a_bundle_validates_the_same(schema, write):
    for old in (False, True):
        dialect = {"$schema": "http://json-schema.org/draft-07/schema#"} if old else DRAFT
        write("s.json", {**dialect, "$ref": "parts/a.json#/properties/x"} if old else {**dialect, "$ref": "parts/a.json"})
        write("parts/a.json", {"properties": {"x": {"items": {"$ref": "b.json"}, "type": "array"}}, "items": {"$ref": "b.json"}})
        write("parts/b.json", "false" if not old else {"not": {}})
        code, out, _ = schema("bundle", "s.json")
        bundle = json.loads(out)
        assert code == 0 and set(bundle["definitions" if old else "$defs"]) == {"parts/a.json", "parts/b.json"}
        write("elsewhere/x.json", "{}")         # where none of the parts is
        assert schema("bundle", "s.json", "-o", "elsewhere/bundle.json")[0] == 0
        for instance, valid in ("[]", True), ("[1]", False), ("{}", not old), ("1", not old):
            write("i.json", instance)
            assert schema("validate", "elsewhere/bundle.json", "i.json")[0] == (0 if valid else 65), (old, instance)
    write("alone.json", ' {"type": "integer"} ')
    assert schema("bundle", "alone.json") == schema("bundle", "alone.json", "-o", "-") == (0, ' {"type": "integer"} \n', "")
    write("s.json", {**DRAFT, "$ref": "parts/c.json"})
    write("parts/c.json", {"$id": "https://example.com/c"})
    code, _, err = schema("bundle", "s.json")
    assert code == 69 and "https://example.com/c" in err


@pytest.mark.parametrize("rule, place, body", [
    ("never-matches", "/minimum", {"minimum": 3, "maximum": 2.5}),
    ("never-matches", "/exclusiveMinimum", {"exclusiveMinimum": 3, "maximum": 3.0}),
    ("never-matches", "/enum", {"type": "string", "enum": [1]}),
    ("never-matches", "/const", {"type": "integer", "const": 1.5}),
    ("never-matches", "/maxProperties", {"required": ["a", "b"], "maxProperties": 1}),
    ("never-matches", "/required/0", {"properties": {"a": False}, "required": ["a"]}),
    ("never-matches", "/oneOf", {"oneOf": [{}, True]}),
    ("never-matches", "/allOf/1", {"allOf": [{"type": "string"}, False]}),
    ("unknown-keyword", "/maxLenght", {"maxLenght": 3}),
    ("unknown-keyword", "/additionalItems", {"additionalItems": False}),
    ("without-effect", "/minLength", {"type": "integer", "minLength": 3}),
    ("without-effect", "/minContains", {"minContains": 3}),
    ("without-effect", "/then", {"then": False}),
    ("unreachable", "/else", {"if": True, "then": {"type": "string"}, "else": False}),
    ("unreachable", "/anyOf", {"anyOf": [True, {"type": "string"}]}),
    ("not-a-property", "/required/1", {"properties": {"a": {}}, "required": ["a", "b"], "additionalProperties": False}),
    ("duplicate", "/enum/1", {"enum": [1, 1.0]}),
    ("duplicate", "/oneOf/1", {"oneOf": [{"type": "string"}, {"type": "string"}]}),
    ("wrong-value", "/default", {"type": "string", "default": 1}),
    ("wrong-value", "/examples/1", {"minimum": 2, "examples": [3, 1]}),
    ("wrong-value", "/enum/0", {"minLength": 2, "enum": ["a", "ab"]}),
    ("unknown-format", "/format", {"format": "datetime"}),
    ("unused", "/$defs/a", {"$defs": {"a": {}}}),
    ("never-matches", "/const", {"const": 1, "enum": [2, 3]}),
    ("never-matches", "/properties/a", {"properties": {"a": {"allOf": [{"type": "string"}, {"type": "integer"}]}}}),
    ("never-matches", "", {"type": "array", "prefixItems": [{}], "items": False, "minItems": 2}),
    ("never-matches", "", {"type": "object", "properties": {"a": {}}, "additionalProperties": False, "minProperties": 2}),
    ("never-matches", "/minContains", {"contains": {}, "minContains": 3, "maxContains": 2}),
    ("never-matches", "/pattern", {"pattern": "^a^"}),
    ("unreachable", "/patternProperties/[^\\s\\S]", {"patternProperties": {"[^\\s\\S]": {}}}),
    ("unknown-keyword", "/nullable", {"nullable": True}),
    ("unknown-keyword", "/id", {"id": "https://example.com/s"}),
    ("unknown-keyword", "/titel", {"titel": "A"}),
    ("without-effect", "/format", {"type": "integer", "format": "date"}),
    ("not-a-property", "/required/0", {"properties": {"a": {}}, "required": ["b"]}),
    ("duplicate", "/required/1", {"required": ["a", "a"]}),
    ("duplicate", "/type/1", {"type": ["string", "string"]}),
    ("meta-schema", "/title", {"title": 1}),
    ("meta-schema", "/properties/a/deprecated", {"properties": {"a": {"deprecated": "yes"}}}),
    ("unreachable", "/additionalProperties", {"properties": {"a": {}}, "allOf": [{"$ref": "#/$defs/b"}], "additionalProperties": False,
                                              "$defs": {"b": {"properties": {"b": {}}}}}),
    ("unreachable", "/additionalProperties", {"if": {}, "then": {"properties": {"b": {}}}, "additionalProperties": False}),
])
def test_lint_finds(schema, write, rule, place, body):
    write("s.json", json.dumps({**DRAFT, **body}, indent=1))
    code, out, _ = schema("lint", "s.json", "--json")
    found = {(one["rule"], one["keywordLocation"]): one for one in json.loads(out)}
    assert code == 65 and (rule, place) in found
    name = place.split("/")[1] if place else ""
    lines = json.dumps({**DRAFT, **body}, indent=1).split("\n")
    assert found[rule, place]["line"] >= next(number for number, line in enumerate(lines, 1) if name in line)
    assert f": {rule}: " in schema("lint", "s.json")[1]


def test_lint_says_what_ref_hides_and_finds_nothing_in_what_is_good(schema, write):
    write("s.json", {"$schema": "http://json-schema.org/draft-07/schema#", "$ref": "#/definitions/a", "minimum": 1,
                     "definitions": {"a": {}}})
    code, out, _ = schema("lint", "s.json")
    assert code == 65 and "/minimum: ignored" in out and "unused" not in out
    write("s.json", {**DRAFT, "type": "object", "properties": {"a": {"$ref": "#/$defs/a"}, "b": {"enum": ["x", "y"], "default": "x"}},
                     "required": ["a"], "$defs": {"a": {"type": "integer", "minimum": 1, "maximum": 1}}, "x-owner": "me"})
    assert schema("lint", "s.json") == (0, "", "")
    write("s.json", {"type": "nothing"})
    assert schema("lint", "s.json")[0] == 65


@pytest.mark.parametrize("draft, rule, place, body", [
    ("04", "never-matches", "/minimum", {"minimum": 3, "maximum": 3, "exclusiveMinimum": True}),
    ("04", "never-matches", "/minimum", {"minimum": 3, "maximum": 3.0, "exclusiveMaximum": True}),
    ("04", "without-effect", "/exclusiveMaximum", {"exclusiveMaximum": True}),
    ("04", "unknown-keyword", "/$id", {"$id": "https://example.com/s"}),
    ("06", "never-matches", "/const", {"type": "integer", "const": 1.5}),
    ("07", "unknown-keyword", "/unevaluatedProperties", {"unevaluatedProperties": False}),
    ("07", "unknown-format", "/format", {"format": "uuid"}),
    ("04", "never-matches", "/not", {"type": "string", "not": {}}),
])
def test_lint_knows_the_drafts(schema, write, draft, rule, place, body):
    write("s.json", {"$schema": f"http://json-schema.org/draft-{draft}/schema#", **body})
    code, out, _ = schema("lint", "s.json", "--json")
    assert code == 65 and [(one["rule"], one["keywordLocation"]) for one in json.loads(out)] == [(rule, place)]


def test_lint_tells_a_keyword_of_another_draft_once_and_says_which_has_it(schema, write):
    write("s.json", {"$schema": "http://json-schema.org/draft-04/schema#", "type": "string", "const": 3})
    assert schema("lint", "s.json")[1] == ('s.json:1:83: /const: unknown-keyword: this draft does not have the keyword "const", which is '
                                           'there from draft 6 on\n')


OLD = {"$schema": "http://json-schema.org/draft-07/schema#"}


@pytest.mark.parametrize("body", [
    {"type": "integer", "const": 1e30, "examples": [1e30]},
    {**OLD, "properties": {"x": {"not": {}}}},                                              # as draft 4 writes false
    {"properties": {"a": {}}, "allOf": [{"$ref": "#/$defs/b"}], "required": ["b"], "$defs": {"b": {"properties": {"b": {}}}}},
    {"properties": {"a": {}}, "then": {"required": ["b"], "properties": {"a": {"const": 1}}}, "if": {"minProperties": 1}},
    {"properties": {"a": {}}, "required": ["b"], "additionalProperties": {"type": "string"}},
    {"anyOf": [{"properties": {"a": {}}, "required": ["a"]}, {}], "unevaluatedProperties": False},
    {"if": {"properties": {"a": {}}}, "unevaluatedProperties": False},
    {"allOf": [{"properties": {"a": {"minLength": 1}, "c": False}}], "properties": {"a": {}}, "additionalProperties": False},
    {"patternProperties": {"^x-": {}}, "allOf": [{"properties": {"x-a": {"type": "string"}}}], "additionalProperties": False},
    {"$ref": "https://example.com/old", "$defs": {"old": {**OLD, "$id": "https://example.com/old", "items": [{}],
                                                          "additionalItems": False, "definitions": {"a": {}}}}},
    {"enum": ["a", "b", None], "type": ["string", "null"], "default": None},
    {"$defs": {"a/b": {"type": "string"}}, "$ref": "#/$defs/a~1b"},
    {"$defs": {"a": {"$defs": {"b": {}}}}, "$ref": "#/$defs/a/$defs/b"},
])
def test_lint_gives_no_false_alarm(schema, write, body):
    write("s.json", body if "$schema" in body else {**DRAFT, **body})
    assert schema("lint", "s.json") == (0, "", "")


def test_lint_is_quick_with_schemas_that_are_large(schema, write):
    large = {
        "enum": {"enum": list(range(50000))},
        "branches": {"oneOf": [{"const": i} for i in range(10000)]},
        "definitions": {"$defs": {f"d{i}": {"type": "integer"} for i in range(6000)}, "items": {"$ref": "#/$defs/d7"}},
        "patterns": {"patternProperties": {f"^x{i}": {} for i in range(900)}, "required": [f"y{i}" for i in range(20000)],
                     "additionalProperties": False},
        "defaults": {"properties": {f"p{i}": {"properties": {"a": {"$ref": "#", "default": 3}}} for i in range(8000)}},
    }
    for name, body in large.items():
        write("s.json", {**DRAFT, **body})
        code, out, _ = schema("lint", "s.json", "--json")
        assert (code, len(json.loads(out))) == {"enum": (0, 0), "branches": (0, 0), "definitions": (65, 1000), "patterns": (65, 1000),
                                                "defaults": (0, 0)}[name], name


def test_contracts_have_no_mistakes(schema):
    contracts = os.path.join(os.path.dirname(__file__), "../../contracts")
    for name in sorted(os.listdir(contracts)):
        assert schema("lint", os.path.join(os.path.abspath(contracts), name)) == (0, "", ""), name


def test_benchmark_counts_what_it_measures(schema, write):
    write("s.json", {**DRAFT, "type": "integer"})
    write("i.jsonl", "1\n2\n\"x\"\n{\n")
    code, out, _ = schema("validate", "s.json", "i.jsonl", "--benchmark", "--json")
    said = json.loads(out)
    assert code == 0 and (said["instances"], said["valid"], said["not_json"]) == (4, 2, 1) and said["ns_per_instance"] > 0


def test_progress_is_shown_on_a_terminal_only(build, tmp_path):
    (tmp_path / "s.json").write_text("{}")
    (tmp_path / "i.jsonl").write_text("1\n" * 300000)
    leader, follower = pty.openpty()
    done = subprocess.Popen([build / "src/commute", "schema", "validate", "s.json", "i.jsonl"], stderr=follower, cwd=tmp_path,
                            stdout=subprocess.PIPE, text=True)
    os.close(follower)
    said = b""
    while True:
        try:
            piece = os.read(leader, 4096)
        except OSError:         # the other end is closed
            break
        if not piece:
            break
        said += piece
    assert done.wait() == 0 and done.stdout.read() == "i.jsonl: 300000 instances, 0 invalid\n"
    assert b"instances" in said


def test_diff_says_which_levels_hold_and_what_breaks_the_others(schema, write):
    write("old.json", '{"type": "object", "properties": {"foo": {"$ref": "text.json"}},\n "additionalProperties": false}')
    write("new.json", '{"type": "object", "properties": {"foo": {"type": "string", "maxLength": 3},\n'
                      '  "bar": {"type": "number", "default": 3}}, "required": ["bar"], "additionalProperties": false}')
    write("text.json", {"type": "string"})
    code, out, _ = schema("diff", "old.json", "new.json")
    assert code == 65 and out.splitlines() == [
        "BACKWARD  no: readers with the new schema cannot read all that was written with the old",
        "  new.json:2:10: #/properties/bar: allowed: REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_UNOPEN_CONTENT_MODEL: the new schema requires "
        "this member, which the old schema does not describe; it has a default",
        "  new.json:1:74: #/properties/foo/maxLength: MAX_LENGTH_ADDED: the new schema has a greatest length here that the old schema "
        "has not",
        "FORWARD   no: readers with the old schema cannot read all that is written with the new",
        "  new.json:2:10: #/properties/bar: PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL: the new schema has this member, and the old "
        "schema, which is closed, does not",
        "FULL      no"]
    code, out, _ = schema("diff", "old.json", "old.json", "--json")
    assert (code, json.loads(out)) == (0, {"levels": {"BACKWARD": True, "FORWARD": True, "FULL": True}, "backward": [], "forward": []})
    write("wide.json", {"type": "object"})
    code, out, _ = schema("diff", "old.json", "wide.json", "--json")
    found = json.loads(out)
    assert code == 0 and found["levels"] == {"BACKWARD": True, "FORWARD": False, "FULL": False}
    assert found["forward"][0]["file"] == "old.json" and found["forward"][-1]["errorType"] == "ADDITIONAL_PROPERTIES_REMOVED"
    write("text.json", {"type": "null"})
    code, out, _ = schema("diff", "new.json", "old.json", "--json")
    assert "  text.json:1:10: text.json#/type: TYPE_CHANGED: the new schema " in schema("diff", "new.json", "old.json")[1]
    assert {"errorType": "TYPE_CHANGED", "file": "text.json", "place": "text.json#/type", "line": 1, "column": 10,
            "description": "the new schema allows none of what the old schema allows here", "decided": True,
            "allowed": False} in json.loads(out)["backward"]
    code, _, err = schema("diff", "old.json", "none.json")
    assert code == 66 and "none.json" in err


def test_diff_compares_formats_where_they_assert(schema, write):
    write("a.json", {"format": "email"})
    write("b.json", {"format": "uri"})
    assert schema("diff", "a.json", "b.json")[0] == 0
    code, out, _ = schema("diff", "a.json", "b.json", "--format-assertion")
    assert code == 65 and "not decided: FORMAT_CHANGED" in out

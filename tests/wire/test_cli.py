# SPDX-License-Identifier: Apache-2.0
"""The command line as a person meets it: help, exit codes, and the commands that work offline."""
import http.server
import json
import pathlib
import subprocess
import threading

import pytest

from commute import found_from_anywhere

ROOT = pathlib.Path(__file__).resolve().parents[2]
HIRING = ROOT / "examples/hiring/commute.yaml"


@pytest.fixture
def run(commute):
    """run(argument…) gives exit code, standard output and standard error."""
    def begin(*arguments, cwd=None):
        done = subprocess.run([commute, *map(str, arguments)], capture_output=True, text=True, check=False, cwd=cwd)
        assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
        return done.returncode, done.stdout, done.stderr
    return begin


def test_without_a_command_it_says_how_it_is_used(run):
    code, out, err = run()
    assert (code, out) == (64, "")
    assert "commute COMMAND" in err
    assert run("--help")[0] == 0


def test_it_says_its_version(run):
    code, out, _ = run("--version")
    assert code == 0 and out.startswith("commute 0.")


@pytest.mark.parametrize("command", ["serve", "check", "plan", "migrate", "advance", "pause", "rollback", "cancel", "status",
                                     "evolve", "parked list", "parked settle", "proof", "verify", "schema validate",
                                     "schema register", "docs"])
def test_every_command_has_a_help(run, command):
    code, out, err = run(*command.split(), "--help")
    assert code == 0 and err == ""
    assert out.startswith(f"commute {command}") and "--help" in out


def test_a_command_that_does_not_exist_is_refused(run):
    code, _, err = run("conquer")
    assert code == 64 and 'no command "conquer"' in err


def test_a_command_that_is_not_there_yet_is_refused_by_name(run):
    code, _, err = run("docs")
    assert code == 69 and err == "commute: docs: not in this version\n"
    code, out, _ = run("docs", "--json")
    assert code == 69 and json.loads(out) == {"error": "unsupported", "message": "docs: not in this version"}


@pytest.mark.parametrize("arguments, said", [
    (["check", "--colour"], "no option --colour"),
    (["check", "-c"], "a value is missing behind -c"),
    (["check", "--json=yes"], "takes no value: --json"),
    (["check", "--json", "--json"], "given twice: --json"),
    (["check", "commute.yaml"], "one argument too many: commute.yaml"),
    (["plan"], "an argument is missing"),
    (["verify", "--to", "sync", "x"], "no option --to"),
    (["parked"], "commute parked list"),
])
def test_a_wrong_command_line_is_told(run, arguments, said):
    code, out, err = run(*arguments)
    assert code == 64 and out == "" and said in err


@pytest.mark.parametrize("arguments, what", [
    (["evolve", "a b", "--to", "1"], "an event"),
    (["migrate", "a b", "--to", "async"], "a communication"),
    (["pause", "a b"], "a communication or an event"),
])
def test_what_is_no_name_is_told_for_what(run, arguments, what):
    assert run(*arguments)[::2] == (65, f'commute: "a b" is no name of {what}\n')


def test_the_hiring_platforms_configuration_has_no_mistake(run):
    code, out, err = run("check", "-c", HIRING)
    assert (code, err) == (0, "")
    assert "4 services, 4 events, 4 communications" in out


def test_check_reads_commute_yaml_of_the_folder(run):
    assert run("check", cwd=HIRING.parent)[0] == 0


def test_check_prints_the_effective_configuration_with_its_hash(run):
    code, out, _ = run("check", "-c", HIRING, "--json")
    said = json.loads(out)
    assert code == 0 and len(said["hash"]) == 64
    assert said["configuration"]["communications"]["COMM-040"]["deadline"] == "25ms"
    assert json.loads(run("check", "-c", HIRING, "--json")[1])["hash"] == said["hash"]


def test_check_tells_all_mistakes_with_their_places(run, tmp_path):
    file = tmp_path / "commute.yaml"
    file.write_text(found_from_anywhere(HIRING.read_text())
                    .replace("initially: sync", "initialy: sync").replace("call: POST /accruals", "call: POST accruals"))
    code, out, err = run("check", "-c", file)
    lines = err.splitlines()
    assert code == 65 and out == "" and len(lines) == 3
    assert lines[0].startswith(f"{file}:") and "communications.COMM-040: a communication needs the key \"initially\"" in lines[0]
    assert 'unknown key "initialy" in a communication; did you mean "initially"?' in lines[1]
    assert "communications.COMM-040.call: \"POST accruals\", column 6: expected a path" in lines[2]
    code, out, err = run("check", "-c", file, "--json")
    said = json.loads(out)
    assert code == 65 and err == "" and said["error"] == "invalid"
    text = file.read_text().splitlines()
    for problem in said["problems"]:
        assert 0 < problem["column"] <= len(text[problem["line"] - 1])
    assert [problem["line"] for problem in said["problems"]] == [int(line.split(":")[1]) for line in lines]


def test_check_refuses_by_name_what_is_not_supported_yet(run, tmp_path):
    file = tmp_path / "commute.yaml"
    file.write_text("kafka: {}\n" + found_from_anywhere(HIRING.read_text()))
    assert run("check", "-c", file)[0::2] == (69, f'{file}:1:1: kafka: "kafka" is not supported yet\n')


def test_check_of_a_file_that_is_not_there(run, tmp_path):
    code, _, err = run("check", "-c", tmp_path / "none.yaml")
    assert code == 66 and "No such file" in err


def test_the_documented_configuration_has_no_mistake(run, tmp_path):
    """The long example of docs/configuration.md, exactly as it stands there."""
    text = (ROOT / "docs/configuration.md").read_text().split("```yaml\n# commute.yaml\n")[1].split("```")[0]
    (tmp_path / "contracts").mkdir()
    for contract in (ROOT / "contracts").iterdir():
        (tmp_path / "contracts" / contract.name).write_text(contract.read_text())
    (tmp_path / "bonuses.token").write_text("secret\n")
    (tmp_path / "commute.yaml").write_text(text)
    code, _, err = run("check", cwd=tmp_path)
    assert (code, err) == (0, "")


def test_every_key_is_documented(run):
    documented = (ROOT / "docs/configuration.md").read_text()

    def keys(schema):
        for key, value in schema.get("properties", {}).items():
            yield key
            yield from keys(value)
        for inner in [schema.get("additionalProperties"), *schema.get("anyOf", []), *schema.get("$defs", {}).values()]:
            if isinstance(inner, dict):
                yield from keys(inner)
    code, out, _ = run("check", "--print-schema")
    assert code == 0
    missing = {key for key in keys(json.loads(out)) if f"`{key}`" not in documented}
    assert not missing


def test_documents_are_validated_against_a_schema(run, tmp_path):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text('{"task_id": 1, "rating": 5, "rating_version": 1}')
    bad.write_text('{"task_id": "x",\n "rating": 5}')
    contract = ROOT / "contracts/TaskRatingChanged.v0.json"
    assert run("schema", "validate", contract, good) == (0, f"{good}: valid\n", "")
    code, out, _ = run("schema", "validate", contract, good, bad)
    assert code == 65 and f"{bad}:1:13: /task_id: type" in out and "required" in out
    code, out, _ = run("schema", "validate", contract, good, bad, "--json")
    said = json.loads(out)
    assert code == 65 and [one["valid"] for one in said] == [True, False]
    assert {error["keywordLocation"] for error in said[1]["errors"]} == {"/properties/task_id/type", "/required"}
    assert run("schema", "validate", tmp_path / "none.json", good)[0] == 66


@pytest.fixture
def control(tmp_path):
    """A stand-in for the control API: `asked` is what it was asked, `answers` what it says next (status, JSON)."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.server.asked.append((self.command, self.path, self.headers["Authorization"], body and json.loads(body)))
            status, answer = self.server.answers.pop(0)
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        do_GET = do_POST = do

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.answers = [], []
    (tmp_path / "token").write_text("t0ken\n")
    server.options = ["--control", f"http://127.0.0.1:{server.server_port}", "--token-file", tmp_path / "token"]
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("arguments, method, path, body", [
    (["status"], "GET", "/status", b""),
    (["status", "COMM-040"], "GET", "/status/COMM-040", b""),
    (["plan", "COMM-040", "--to", "async"], "GET", "/plan/COMM-040?to=async", b""),
    (["migrate", "COMM-040", "--to", "async"], "POST", "/migrations/COMM-040", {"to": "async", "auto": False}),
    (["migrate", "COMM-040", "--to=async", "--auto"], "POST", "/migrations/COMM-040", {"to": "async", "auto": True}),
    (["advance", "COMM-040"], "POST", "/migrations/COMM-040/advance", b""),
    (["pause", "COMM-040"], "POST", "/migrations/COMM-040/pause", b""),
    (["rollback", "COMM-040"], "POST", "/migrations/COMM-040/rollback", b""),
    (["cancel", "COMM-040"], "POST", "/migrations/COMM-040/cancel", b""),
])
def test_commands_call_the_control_api_with_the_token(run, control, arguments, method, path, body):
    control.answers = [(200, {"step": 1})]
    assert run(*arguments, *control.options, "--json") == (0, '{"step":1}\n', "")
    assert control.asked == [(method, path, "Bearer t0ken", body)]


def test_what_the_control_api_refuses_is_told_with_its_exit_code(run, control):
    control.answers = [(409, {"error": "conflict", "message": "COMM-040 is migrating"}), (502, b"<html>")]
    assert run("pause", "COMM-040", *control.options) == (75, "", "commute: COMM-040 is migrating\n")
    code, _, err = run("pause", "COMM-040", *control.options)
    assert code == 75 and "status 502" in err


def test_an_answer_that_is_not_json_is_told(run, control):
    control.answers = [(200, b"hello")]
    code, _, err = run("status", *control.options)
    assert code == 75 and "is it commute's?" in err


def test_without_a_running_commute_it_says_where_it_looked(run, free_port, tmp_path):
    (tmp_path / "token").write_text("t\n")
    port = free_port()
    code, _, err = run("status", "--control", f"http://127.0.0.1:{port}", "--token-file", tmp_path / "token")
    assert code == 75 and f"127.0.0.1:{port}" in err


def test_the_control_api_is_found_by_the_configuration(run, control, tmp_path):
    port = control.server_port
    (tmp_path / "commute.yaml").write_text(
        f"listen: {{control: ':{port}'}}\nservices: {{a: {{url: 'http://a'}}, b: {{url: 'http://b'}}}}\n"
        "communications: {c: {functional: a -> b, initially: sync, call: POST /x}}\n")
    code, _, err = run("status", cwd=tmp_path)
    assert code == 66 and "commute-data/token" in err
    (tmp_path / "commute-data").mkdir()
    (tmp_path / "commute-data/token").write_text("other\n")
    control.answers = [(200, [])]
    assert run("status", cwd=tmp_path)[:2] == (0, "[]\n")
    assert control.asked[0][2] == "Bearer other"


@pytest.mark.parametrize("arguments", [["advance", "COMM/040"], ["plan", "COMM-040"], ["plan", "COMM-040", "--to", "a b"],
                                       ["status", "../x"]])
def test_names_are_checked_before_anything_is_called(run, control, arguments):
    assert run(*arguments, *control.options)[0] == 65
    assert control.asked == []

# SPDX-License-Identifier: Apache-2.0
"""The command line as a person meets it: help, exit codes, and the commands that work offline."""
import json
import pathlib
import subprocess

import pytest

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
                                     "evolve", "parked list", "parked settle", "proof", "verify", "schema validate", "docs"])
def test_every_command_has_a_help(run, command):
    code, out, err = run(*command.split(), "--help")
    assert code == 0 and err == ""
    assert out.startswith(f"commute {command}") and "--help" in out


def test_a_command_that_does_not_exist_is_refused(run):
    code, _, err = run("conquer")
    assert code == 64 and 'no command "conquer"' in err


def test_a_command_that_is_not_there_yet_is_refused_by_name(run):
    code, _, err = run("evolve", "TaskCompletedSuccessful", "--to", "1")
    assert code == 69 and err == "commute: evolve: not in this version\n"
    code, out, _ = run("evolve", "TaskCompletedSuccessful", "--to=1", "--json")
    assert code == 69 and json.loads(out) == {"error": "unsupported", "message": "evolve: not in this version"}


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


def test_the_hiring_platforms_configuration_has_no_mistake(run):
    code, out, err = run("check", "-c", HIRING)
    assert (code, err) == (0, "")
    assert "4 services, 3 events, 3 communications" in out


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
    file.write_text(HIRING.read_text().replace("../../contracts", str(ROOT / "contracts"))
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
    file.write_text("kafka: {}\n" + HIRING.read_text().replace("../../contracts", str(ROOT / "contracts")))
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

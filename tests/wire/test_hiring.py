# SPDX-License-Identifier: Apache-2.0
"""The hiring platform by itself: its services keep their word, and the auditor finds what does not."""
import contextlib
import http.server
import json
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples" / "hiring"))
from platform_hiring import Platform, request  # noqa: E402

ANNA = {"name": "Anna", "surname": "Orlova", "work_email": "anna@hiring.example", "staff_login": "anna"}


@pytest.fixture
def platform(build, tmp_path):
    with Platform(build, tmp_path) as platform:
        yield platform


def ask(platform, service, method, path, body=None, **headers):
    status, answered, parsed = request(platform.ports[service], method, path, body,
                                       {name.replace("_", "-"): value for name, value in headers.items()})
    return status, parsed, answered


def told(platform, service, method, path, body=None, **headers):
    """The body of an answer that must be good."""
    status, parsed, _ = ask(platform, service, method, path, body, **headers)
    assert 200 <= status < 300, parsed
    return parsed


def a_task(platform):
    manager = told(platform, "staff", "POST", "/managers", ANNA)
    return told(platform, "tasks", "POST", "/tasks", {"title": "[C] Write a list", "manager_id": manager["manager_id"]})


def rows(platform, service, sql):
    with contextlib.closing(sqlite3.connect(platform.database(service))) as database:
        return database.execute(sql).fetchall()


def until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def run_load(platform, count=1500, **options):
    load = platform.start_load(count=count, rate=0, tasks=30, managers=10, stdout=subprocess.DEVNULL, **options)
    assert load.wait(60) == 0
    platform.stop()
    return platform.audit()


def findings(result):
    return {(finding["kind"], finding["about"]) for finding in result["findings"]}


def numbers(result):
    return {name: result[name] for name in ("lost", "doubled", "reordered", "wrong")}


# --- the whole, under load

def test_a_run_without_faults_is_clean(platform):
    platform.start()
    code, result = run_load(platform)
    assert (code, result["findings"]) == (0, [])
    assert result["figures"]["accruals"] == result["figures"]["completions told accepted"] > 500
    assert result["figures"]["cards viewed"] > 50


def test_the_runner_prints_the_verdict_last_and_survives_crashes(build):
    runner = pathlib.Path(__file__).parents[2] / "examples/hiring/run-direct"
    done = subprocess.run([runner, "--build", build, "--seconds", "3", "--rate", "300", "--crashes", "4"],
                          stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    assert re.fullmatch(r"verdict: \d+ accepted, 0 lost, 0 doubled, 0 reordered, \d+ repeats recognised by the provider",
                        done.stdout.splitlines()[-1])


@pytest.mark.parametrize("plant, counted, about", [
    ("lost", "lost", "accrual"),
    ("double", "doubled", "accrual"),
    ("swap", "reordered", "accrual"),
    ("amount", "wrong", "amount"),
    ("account", "wrong", "account"),
    ("rating", "wrong", "rating"),
    ("card", "wrong", "card"),
])
def test_the_auditor_finds_one_planted_mistake(platform, plant, counted, about):
    platform.options["portal" if plant == "card" else "bonuses"] += ["--plant", plant]
    platform.start()
    code, result = run_load(platform)
    assert code == 1
    assert (counted, about) in findings(result)
    assert {kind for kind, _ in findings(result)} == {counted}, "one mistake is not taken for another"


def test_bonuses_killed_under_load_loses_nothing_that_was_accepted(platform):
    platform.start()
    load = platform.start_load(rate=300, seconds=4, tasks=30, managers=10, stdout=subprocess.DEVNULL)
    for _ in range(2):
        time.sleep(1)
        platform.kill("bonuses")
        time.sleep(0.2)
        platform.start_service("bonuses")
    assert load.wait(60) == 0
    platform.stop()
    code, result = platform.audit()
    assert (code, result["findings"]) == (0, [])


def test_tasks_killed_under_load_loses_nothing_that_was_accepted(platform):
    platform.start()
    load = platform.start_load(rate=300, seconds=3, tasks=30, managers=10, stdout=subprocess.DEVNULL)
    time.sleep(1)
    platform.kill("tasks")
    platform.start_service("tasks")
    assert load.wait(60) == 0
    platform.stop()
    code, result = platform.audit()
    assert (code, result["findings"]) == (0, [])


def broken_answers(platform):
    """Some answers of bonuses never reach tasks, though the accrual was made."""
    platform.start()
    platform.faults("bonuses", break_percent=10, for_ms=60000)
    return run_load(platform)


def test_repeats_are_recognised_and_change_nothing(platform):
    code, result = broken_answers(platform)
    assert (code, result["findings"]) == (0, [])
    assert result["figures"]["repeats recognised"] > 20


def test_a_provider_that_recognises_nothing_accrues_a_repeat_again_and_the_auditor_says_so(platform):
    platform.options["bonuses"] += ["--recognises", "none"]
    code, result = broken_answers(platform)
    assert code == 1
    assert result["doubled"] > 20 and result["lost"] == result["wrong"] == 0
    assert result["figures"]["repeats recognised"] == 0


def test_answers_that_come_after_the_callers_patience_are_recognised_when_repeated(platform):
    platform.options["tasks"] += ["--call-timeout-ms", "200"]
    platform.start()
    platform.faults("bonuses", hang_percent=3, hang_ms=400, for_ms=60000)
    code, result = run_load(platform, count=600)
    assert (code, result["findings"]) == (0, [])
    assert result["figures"]["repeats recognised"] > 2


def test_refusals_that_were_asked_for_delay_and_lose_nothing(platform):
    platform.start()
    platform.faults("bonuses", fail_percent=30, for_ms=60000)
    code, result = run_load(platform, count=600, connections=32)
    assert (code, result["findings"]) == (0, [])
    assert result["figures"]["calls refused by bonuses"] > 50


# --- the auditor, on a good run whose databases are changed afterwards

@pytest.fixture(scope="module")
def good_run(build, tmp_path_factory):
    with Platform(build, tmp_path_factory.mktemp("good")) as platform:
        platform.start()
        code, _ = run_load(platform)
        assert code == 0
        yield platform


LAST_RATED = "(SELECT max(task_id) FROM rating_history)"
CHANGED = "(SELECT manager_id FROM manager_history WHERE version=2 AND body IS NOT NULL LIMIT 1)"


@pytest.mark.parametrize("service, sql, found", [
    ("bonuses", "DELETE FROM accruals WHERE accrual_id=7",
     {("lost", "accrual"), ("wrong", "account")}),
    ("tasks", "UPDATE completions SET state='unaccepted', order_no=NULL WHERE completion_id="
     "(SELECT max(completion_id) FROM completions)", {("lost", "completion")}),
    ("staff", "DELETE FROM manager_history WHERE body IS NULL", {("lost", "manager write"), ("lost", "manager state")}),
    ("staff", f"UPDATE managers SET version=1 WHERE manager_id={CHANGED}", {("lost", "manager state")}),
    ("tasks", f"UPDATE rating_history SET rating=rating+1 WHERE task_id={LAST_RATED} AND rating_version=1",
     {("lost", "rating change")}),
    ("bonuses", "UPDATE ratings SET rating_version=rating_version-1 WHERE task_id=(SELECT max(task_id) FROM ratings)",
     {("lost", "rating")}),
    ("portal", "DELETE FROM cards WHERE task_id=3", {("lost", "card")}),
    ("portal", "UPDATE cards SET body=json_set(body, '$.manager_id', 999) WHERE task_id=3", {("wrong", "card")}),
    ("portal", "UPDATE cards SET body=json_set(body, '$.title', '[C] Other') WHERE task_id=3", {("wrong", "card")}),
    ("portal", "UPDATE views SET title='Other' WHERE view_id=3", {("wrong", "view")}),
    ("portal", "UPDATE views SET knowledge_area='Other' WHERE view_id=3", {("wrong", "view")}),
    ("portal", "UPDATE views SET manager_id=999 WHERE view_id=3", {("wrong", "view")}),
    ("tasks", "DELETE FROM task_history WHERE task_id=(SELECT max(task_id) FROM task_history)", {("lost", "task change")}),
    ("portal", "UPDATE views SET manager=replace(manager, 'Name', 'Nome') WHERE view_id=3", {("wrong", "manager shown")}),
    ("portal", "UPDATE views SET began_us=began_us-60000000, ended_us=ended_us-60000000 WHERE view_id=3",
     {("wrong", "manager shown")}),
    ("bonuses", "INSERT INTO accruals SELECT 1000000, task_id, 999999, manager_id, 0, 0, 0, 'table', 0, 'x', 'x', 0"
     " FROM accruals LIMIT 1", {("wrong", "accrual"), ("wrong", "call"), ("wrong", "amount")}),
    ("bonuses", "INSERT INTO calls SELECT 1000000, identity, task_id, candidate_id, manager_id, body_hash, at_us, 'done',"
     " accrual_id FROM calls LIMIT 1", {("doubled", "call")}),
    ("bonuses", "INSERT INTO calls SELECT 1000000, 'other', task_id, candidate_id, manager_id, body_hash, at_us, 'recognised',"
     " accrual_id FROM calls LIMIT 1", {("wrong", "recognition")}),
    ("bonuses", "UPDATE accruals SET manager_id=manager_id+1 WHERE accrual_id=7", {("wrong", "manager"), ("wrong", "account")}),
    ("bonuses", "UPDATE accruals SET rating_version=1000 WHERE accrual_id=7", {("wrong", "rating")}),
    ("bonuses", "UPDATE accruals SET rating_source='call', rating_version=0, rating=0, amount=1000 WHERE accrual_id="
     "(SELECT max(accrual_id) FROM accruals WHERE rating_version>0 AND rating>0)", {("wrong", "freshness"), ("wrong", "account")}),
])
def test_the_auditor_finds_what_was_changed_afterwards(good_run, tmp_path, service, sql, found):
    for name in ("staff", "tasks", "bonuses", "portal"):
        shutil.copy(good_run.database(name), tmp_path)
    changed = Platform(good_run.programs + "/../..", tmp_path)
    changed.log = good_run.log
    with contextlib.closing(sqlite3.connect(changed.database(service))) as database, database:
        assert database.execute(sql).rowcount > 0
    code, result = changed.audit()
    assert code == 1
    assert found <= findings(result), result["findings"]
    assert {kind for kind, _ in findings(result)} - {"wrong"} == {kind for kind, _ in found} - {"wrong"}


def test_the_auditor_limits_ages_as_it_is_told(good_run, tmp_path):
    for name in ("staff", "tasks", "bonuses", "portal"):
        shutil.copy(good_run.database(name), tmp_path)
    changed = Platform(good_run.programs + "/../..", tmp_path)
    changed.log = good_run.log
    with contextlib.closing(sqlite3.connect(changed.database("bonuses"))) as database, database:
        database.execute("UPDATE accruals SET rating_version=0, rating=0, amount=1000, rating_read_us=rating_read_us+60000000"
                         " WHERE accrual_id=(SELECT max(accrual_id) FROM accruals WHERE rating_version>0 AND rating>0)")
    assert ("wrong", "freshness") not in findings(changed.audit()[1])
    assert ("wrong", "freshness") in findings(changed.audit("--rating-freshness-ms", "30000")[1])


# --- each service

def test_a_manager_is_answered_with_the_fields_of_the_contract_and_nothing_else(platform):
    platform.start_service("staff")
    anna = told(platform, "staff", "POST", "/managers", ANNA)
    contract = json.loads((pathlib.Path(__file__).parents[2] / "contracts/ManagerCreated.v0.json").read_text())
    assert set(anna) == set(contract["required"])
    changed = told(platform, "staff", "PUT", f"/managers/{anna['manager_id']}", {**ANNA, "surname": "Petrova"})
    assert changed == {**anna, "surname": "Petrova"}
    assert told(platform, "staff", "GET", f"/managers/{anna['manager_id']}") == changed
    assert told(platform, "staff", "DELETE", f"/managers/{anna['manager_id']}") is None
    assert ask(platform, "staff", "GET", f"/managers/{anna['manager_id']}")[0] == 404


def test_managers_are_listed_page_by_page(platform):
    platform.start_service("staff")
    ids = [told(platform, "staff", "POST", "/managers", ANNA)["manager_id"] for _ in range(230)]
    first = told(platform, "staff", "GET", "/managers?after=0")
    second = told(platform, "staff", "GET", f"/managers?after={first['next']}")
    assert [item["manager_id"] for item in first["items"] + second["items"]] == ids
    assert second["next"] is None


def test_a_completion_asked_for_twice_is_accrued_once(platform):
    platform.start()
    task = a_task(platform)
    completion = {"task_id": task["task_id"], "candidate_id": 9}
    assert ask(platform, "tasks", "POST", "/completions", completion)[0] == 201
    assert ask(platform, "tasks", "POST", "/completions", completion)[0] == 200
    assert rows(platform, "bonuses", "SELECT task_id, candidate_id, manager_id, amount FROM accruals") == [
        (task["task_id"], 9, task["manager_id"], 1000)]
    assert told(platform, "bonuses", "GET", f"/accounts/{task['manager_id']}")["balance"] == 1000


def test_a_completion_that_bonuses_did_not_accept_is_told_so_and_goes_on_under_the_same_identity(platform):
    platform.options["tasks"] += ["--attempts", "2", "--backoff-ms", "10"]
    platform.start()
    task = a_task(platform)
    completion = {"task_id": task["task_id"], "candidate_id": 9}
    platform.faults("bonuses", fail_percent=100, for_ms=60000)
    assert ask(platform, "tasks", "POST", "/completions", completion)[0] == 503
    assert rows(platform, "tasks", "SELECT state, attempts FROM completions") == [("unaccepted", 2)]
    platform.faults("bonuses", for_ms=0)
    assert ask(platform, "tasks", "POST", "/completions", completion)[0] == 201
    assert rows(platform, "bonuses", "SELECT identity, became FROM calls") == [
        ("completion-1", "refused"), ("completion-1", "refused"), ("completion-1", "done")]


def test_a_known_identity_is_answered_as_the_first_time_and_another_body_under_it_refused(platform):
    platform.start_service("bonuses")
    body = {"task_id": 1, "candidate_id": 2, "manager_id": 3}
    status, first, _ = ask(platform, "bonuses", "POST", "/accruals", body, Idempotency_Key="k1")
    again, repeated, headers = ask(platform, "bonuses", "POST", "/accruals", body, Idempotency_Key="k1")
    assert (status, again, repeated, headers["Idempotent-Replayed"]) == (201, 201, first, "true")
    assert ask(platform, "bonuses", "POST", "/accruals", {**body, "candidate_id": 5}, Idempotency_Key="k1")[0] == 422
    assert ask(platform, "bonuses", "POST", "/accruals", body, Idempotency_Key="k2")[0] == 422
    assert rows(platform, "bonuses", "SELECT became FROM calls") == [("done",), ("recognised",), ("refused",), ("refused",)]
    assert rows(platform, "bonuses", "SELECT balance FROM accounts") == [(1000,)]


def test_a_rating_reaches_bonuses_and_an_older_one_changes_nothing(platform):
    platform.start()
    task = a_task(platform)
    rated = told(platform, "tasks", "PUT", f"/tasks/{task['task_id']}/rating", {"rating": 7})
    assert rated == {"task_id": task["task_id"], "rating": 7, "rating_version": 1}
    until(lambda: rows(platform, "bonuses", "SELECT rating FROM ratings") == [(7,)])
    stale = told(platform, "bonuses", "PUT", f"/ratings/{task['task_id']}", {**rated, "rating": 3, "rating_version": 0})
    assert stale == {"stale": True}
    told(platform, "tasks", "POST", "/completions", {"task_id": task["task_id"], "candidate_id": 9})
    assert rows(platform, "bonuses", "SELECT amount, rating, rating_version, rating_source FROM accruals") == [
        (1700, 7, 1, "table")]


def test_a_rating_that_the_owner_does_not_have_is_deleted(platform):
    platform.start()
    for _ in range(2):
        assert told(platform, "bonuses", "DELETE", "/ratings/5") == {}
        told(platform, "bonuses", "PUT", "/ratings/5", {"task_id": 5, "rating": 3, "rating_version": 1})
    told(platform, "bonuses", "DELETE", "/ratings/5")
    assert rows(platform, "bonuses", "SELECT * FROM ratings") == []


@contextlib.contextmanager
def modes(mode):
    """Answers GET /modes/COMM-060 with what mode[0] says."""
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            text = json.dumps({"communication": "COMM-060", "mode": mode[0]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/modes/COMM-060"
    server.shutdown()
    server.server_close()


def test_bonuses_asks_for_the_mode_and_the_table_may_be_dropped_when_it_calls(platform):
    mode = ["async"]
    with modes(mode) as url:
        platform.options["bonuses"] += ["--rating-source", "ask", "--rating-url", platform.url("tasks"), "--modes-url", url]
        platform.start()
        task = a_task(platform)
        candidates = iter(range(1, 1000))

        def source():
            told(platform, "tasks", "POST", "/completions", {"task_id": task["task_id"], "candidate_id": next(candidates)})
            return rows(platform, "bonuses", "SELECT rating_source FROM accruals ORDER BY accrual_id DESC LIMIT 1")[0][0]
        assert source() == "table"
        mode[0] = "pull"
        until(lambda: source() == "call")
        told(platform, "bonuses", "POST", "/admin/drop-ratings")
        assert source() == "call"
        assert ask(platform, "bonuses", "PUT", "/ratings/1", {"task_id": 1, "rating": 1, "rating_version": 9})[0] == 410
        told(platform, "bonuses", "POST", "/admin/create-ratings")
        mode[0] = "push"
        until(lambda: source() == "table")


def test_a_card_shows_the_task_and_the_manager_in_charge_as_he_is_now(platform):
    platform.start()
    task = a_task(platform)
    path = f"/tasks/{task['task_id']}/card"
    until(lambda: ask(platform, "portal", "GET", path)[0] == 200)
    told(platform, "staff", "PUT", f"/managers/{task['manager_id']}", {**ANNA, "name": "Olga"})
    shown = told(platform, "portal", "GET", path)
    assert (shown["card"], shown["manager"]["name"]) == (task, "Olga")
    told(platform, "staff", "DELETE", f"/managers/{task['manager_id']}")
    assert told(platform, "portal", "GET", path)["manager"] is None
    platform.kill("staff")
    assert ask(platform, "portal", "GET", path)[0] == 503


# --- bad input

@pytest.mark.parametrize("service, method, path, body, status, says", [
    ("staff", "POST", "/managers", "{", 400, "not JSON"),
    ("staff", "POST", "/managers", '{"name":"a","name":"b"}', 400, "duplicate"),
    ("staff", "POST", "/managers", {"name": "Anna"}, 422, "'surname' is missing"),
    ("staff", "POST", "/managers", {**ANNA, "version": 3}, 422, "'version' is not known"),
    ("staff", "POST", "/managers", {**ANNA, "name": 7}, 422, "'name' must be a string"),
    ("staff", "POST", "/managers", {**ANNA, "name": "x" * 201}, 422, "from 1 to 200 bytes"),
    ("staff", "POST", "/managers", {**ANNA, "name": "x" * 70000}, 413, "at most 65536 bytes"),
    ("staff", "PUT", "/managers/77", ANNA, 404, "manager 77 does not exist"),
    ("staff", "GET", "/managers/anna", None, 400, "must be a number"),
    ("staff", "GET", "/managers?after=x", None, 400, "a cursor is expected"),
    ("staff", "PATCH", "/managers/1", ANNA, 405, "not possible"),
    ("staff", "GET", "/nothing", None, 404, "nothing is here"),
    ("staff", "POST", "/admin/faults", {"fail_percent": 60, "hang_percent": 60}, 422, "more than 100"),
    ("tasks", "POST", "/tasks", {"title": "No area", "manager_id": 1}, 422, "[Knowledge Area] Title"),
    ("tasks", "POST", "/completions", {"task_id": 77, "candidate_id": 1}, 404, "task 77 does not exist"),
    ("tasks", "POST", "/completions", {"task_id": 1.5, "candidate_id": 1}, 422, "must be an integer"),
    ("tasks", "PUT", "/tasks/1/rating", {"rating": 1001}, 422, "from 0 to 1000"),
    ("tasks", "PUT", "/tasks/77", {}, 404, "task 77 does not exist"),
    ("tasks", "PUT", "/tasks/77", {"title": "No area"}, 422, "[Knowledge Area] Title"),
    ("bonuses", "POST", "/accruals", {"task_id": 1, "candidate_id": 0, "manager_id": 1}, 422, "'candidate_id' must be from 1"),
    ("bonuses", "POST", "/accruals", '{"task_id":99999999999999999999}', 400, "too big"),
    ("bonuses", "PUT", "/ratings/2", {"task_id": 1, "rating": 1, "rating_version": 1}, 422, "the path says task 2"),
    ("portal", "GET", "/tasks/5/card", None, 404, "no card of task 5"),
    ("portal", "PUT", "/cards/2", {"task_id": 1, "title": "x", "manager_id": 1, "created_at": "x"}, 422, "the path says task 2"),
    ("portal", "PUT", "/cards/1", {"task_id": 1, "knowledge_area": "x", "manager_id": 1, "created_at": "x"}, 422,
     "'title' is missing"),
    ("portal", "PUT", "/cards/1", {"task_id": 1, "title": "x", "manager_ref": "x", "created_at": "x"}, 422,
     "'knowledge_area' is missing"),
    ("portal", "PUT", "/cards/1", {"task_id": 1, "knowledge_area": "", "title": "x", "manager_ref": "x/y", "created_at": "x"}, 422,
     "letters, digits, - and _"),
    ("portal", "PUT", "/cards/1", {"task_id": 1, "knowledge_area": "", "title": "x", "manager_ref": "x", "manager_id": 1,
                                   "created_at": "x"}, 422, "'manager_id' is not known"),
])
def test_bad_input_is_refused_with_what_is_wrong(platform, service, method, path, body, status, says):
    platform.start_service(service)
    got, answer, _ = ask(platform, service, method, path, body)
    assert (got, says in answer["error"]) == (status, True), answer


@pytest.mark.parametrize("program, options, says", [
    ("staff", ["--port", "99999"], "--port: an integer from 0 to 65535 is expected, not '99999'"),
    ("staff", ["--prot", "1"], "unknown option --prot"),
    ("staff", ["--database", "/nowhere/staff.db"], "unable to open database file"),
    ("tasks", [], "--bonuses-url is needed"),
    ("tasks", ["--bonuses-url", "bonuses:1"], "http://host:port[/prefix] is expected"),
    ("bonuses", ["--plant", "chaos"], "'chaos' is not a choice"),
    ("bonuses", ["--rating-source", "call"], "needs --rating-url"),
])
def test_a_bad_command_line_is_refused(platform, program, options, says):
    done = subprocess.run([platform.program(program), *options], stderr=subprocess.PIPE, text=True, timeout=10, check=False)
    assert done.returncode == 2
    assert says in done.stderr


def test_a_port_in_use_is_said(platform):
    platform.start_service("staff")
    again = [platform.program("staff"), "--port", str(platform.ports["staff"]), "--database", platform.database("other")]
    done = subprocess.run(again, stderr=subprocess.PIPE, text=True, timeout=10, check=False)
    assert done.returncode == 2
    assert "cannot listen" in done.stderr


def test_an_audit_without_its_files_is_no_verdict(platform):
    platform.start()
    run_load(platform, count=100)
    with open(platform.log, "a", encoding="utf-8") as log:
        log.write("not a line\n")
    assert platform.audit() == (2, None)
    pathlib.Path(platform.database("tasks")).unlink()
    assert platform.audit() == (2, None)

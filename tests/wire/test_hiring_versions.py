# SPDX-License-Identifier: Apache-2.0
"""US-160 and US-170 in the hiring platform, step by step and small: what portal and bonuses get while versions move, and what is
left of managers in the end. `make demo` does the same under load."""
import contextlib
import json
import pathlib
import signal
import sqlite3
import subprocess

import pytest

from conftest import SLOW, wait_until
from hiring import MANAGER, Through, request

PERSON = {"name": "Annabel", "surname": "Orlova-Ройс", "work_email": "annabel@hiring.example", "staff_login": "a.orlova"}


@pytest.fixture
def hiring(build, commute, start, tmp_path, free_port):
    with Through(build, commute, start, tmp_path, (free_port(), free_port(), free_port())) as platform:
        pathlib.Path(platform.log).touch()
        platform.start()
        yield platform


def reads(platform, **versions):
    """Other versions that readers understand, by an edited configuration and SIGHUP."""
    commute = platform.commute
    text = commute.config.read_text()
    for name, said in versions.items():
        begin = text.index(f"  {name.replace('_', '-')}:")
        at = text.index("reads: [", begin)
        text = text[:at] + f"reads: {said}" + text[text.index("]", at) + 1:]
    commute.config.write_text(text)
    commute.process.child.send_signal(signal.SIGHUP)

    def taken():
        with contextlib.suppress(OSError):
            held = commute.get("/config")[1]["configuration"]["communications"]
            return all(held[name.replace("_", "-")]["async"]["reads"] == said for name, said in versions.items())
    wait_until(taken, 20)


def move(platform, what, to, meanwhile=lambda: None, kill_at=None):
    """A migration of a communication or an event to its end; `meanwhile` is what makes traffic."""
    get, killed = platform.commute.get, False
    status, answer = get(f"/migrations/{what}", method="POST", body=json.dumps({"to": to, "auto": True}))
    assert status == 200, answer

    def over():
        nonlocal killed
        meanwhile()
        now = get(f"/migrations/{what}")[1]
        if kill_at == now["step"] and not killed:
            killed = True
            platform.commute.kill()
            platform.commute.serve()
        assert now["status"] not in ("paused", "cancelled"), now
        return now["status"] == "done" and now["to"] == to
    wait_until(over, 60, f"{what} to be {to}")


def writer(platform, manager, title="[C [11]] Lists"):
    """Another task at each call, and the same of a manager: traffic for the gates."""
    def write():
        platform.write("POST", "/tasks/tasks", {"title": title, "manager_id": manager})
        platform.write("PUT", f"/staff/managers/{manager}", PERSON)
    return write


def cards(platform):
    with contextlib.closing(sqlite3.connect(platform.database("portal"))) as data:
        return [(version, json.loads(body)) for version, body in data.execute("SELECT version, body FROM cards ORDER BY task_id")]


def a_manager(platform):
    return platform.write("POST", "/staff/managers", PERSON)["manager_id"]


TITLES = ["[C [11]] Lists", "[Go] [Draft] Lists", "[Сети]  Маршруты", "[Go [old] Lists"]
PARTS = [("C [11]", "Lists"), ("Go", "[Draft] Lists"), ("Сети", " Маршруты"), ("", "[Go [old] Lists")]


def test_titles_are_divided_in_new_cards_and_in_those_that_were_there(hiring):
    manager = a_manager(hiring)
    before = [hiring.write("POST", "/tasks/tasks", {"title": title, "manager_id": manager}) for title in TITLES]
    wait_until(lambda: [version for version, _ in cards(hiring)] == [0, 0, 0, 0])
    assert [hiring.shown(task["task_id"]) for task in before] == PARTS
    reads(hiring, COMM_020=[0, 1])
    move(hiring, "TaskCreated", 1, writer(hiring, manager), kill_at="producer")
    wait_until(lambda: hiring.settled("COMM-020"))
    held = cards(hiring)
    assert {version for version, _ in held} == {1} and len(held) > 4
    assert [(body["knowledge_area"], body["title"]) for _, body in held[:4]] == PARTS
    assert [hiring.shown(task["task_id"]) for task in before] == PARTS
    for task in before:
        assert hiring.ask("portal", "GET", f"/tasks/{task['task_id']}/card")[2]["card"] == task, "what old readers know"


def test_a_portal_that_reads_version_0_alone_goes_on_getting_it(hiring):
    manager = a_manager(hiring)
    move(hiring, "TaskCreated", 1, writer(hiring, manager))
    task = hiring.write("POST", "/tasks/tasks", {"title": TITLES[1], "manager_id": manager})
    wait_until(lambda: hiring.shown(task["task_id"]) == PARTS[1])
    assert {version for version, _ in cards(hiring)} == {0}
    assert cards(hiring)[-1][1] == task


def test_a_bonus_lands_on_the_account_though_the_event_has_a_pseudonym(hiring):
    manager = a_manager(hiring)
    task = hiring.write("POST", "/tasks/tasks", {"title": TITLES[0], "manager_id": manager})["task_id"]
    candidates = iter(range(1, 100000))

    def complete():
        status, _, answered = hiring.ask("tasks", "POST", "/completions", {"task_id": task, "candidate_id": next(candidates)})
        assert status == 201, answered
    move(hiring, "COMM-040", "async", complete)
    move(hiring, "TaskCompletedSuccessful", 1, complete, kill_at="old-off")
    complete()
    wait_until(lambda: hiring.settled("COMM-040"))
    done = next(candidates) - 1
    assert hiring.ask("bonuses", "GET", f"/accounts/{manager}")[2]["balance"] == 1000 * done
    payloads = [event["payload"] for event in bodies(hiring) if isinstance(event, dict) and event.get("event_version") == 1]
    assert payloads and {tuple(sorted(payload)) for payload in payloads} == {("candidate_id", "manager_ref", "task_id")}


def bodies(hiring):
    """What records of the log hold, where it is JSON."""
    with contextlib.closing(sqlite3.connect(hiring.commute.data / "log.db")) as log:
        for body, in log.execute("SELECT body FROM record WHERE body IS NOT NULL"):
            with contextlib.suppress(ValueError):
                yield json.loads(bytes(body))


def anonymous(hiring, manager):
    """US-170 without its last step."""
    traffic = writer(hiring, manager)
    traffic()
    task = cards_come(hiring)[0][1]["task_id"]
    candidates = iter(range(1, 100000))

    def all_traffic():
        traffic()
        hiring.ask("portal", "GET", f"/tasks/{task}/card")
        hiring.ask("tasks", "POST", "/completions", {"task_id": task, "candidate_id": next(candidates)})
    move(hiring, "COMM-010", "async", all_traffic)
    move(hiring, "COMM-040", "async", all_traffic)
    reads(hiring, COMM_020=[0, 1])
    move(hiring, "TaskCreated", 1, all_traffic)
    reads(hiring, COMM_010=[0, 1], COMM_020=[1, 2])
    for event, version in (("ManagerCreated", 1), ("TaskCompletedSuccessful", 1), ("TaskCreated", 2)):
        move(hiring, event, version, all_traffic)
    wait_until(lambda: hiring.settled("COMM-010", "COMM-020", "COMM-040"), 20)
    assert {version for version, _ in cards(hiring)} == {2}
    return task


def cards_come(hiring):
    wait_until(lambda: cards(hiring))
    return cards(hiring)


def test_in_the_end_nothing_of_any_manager_is_left_and_every_card_is_right(hiring, tmp_path):
    manager = a_manager(hiring)
    gone = hiring.write("POST", "/staff/managers", MANAGER)["manager_id"]
    request(hiring.commute.gateway, "DELETE", f"/staff/managers/{gone}")
    task = anonymous(hiring, manager)
    before = str(tmp_path / "before.db")
    with contextlib.closing(sqlite3.connect(hiring.database("portal"))) as data, contextlib.closing(sqlite3.connect(before)) as copy:
        data.backup(copy)
    assert hiring.ask("portal", "POST", "/admin/erase-managers", {})[2] == {"cards": 0, "views": 0, "erased": True}
    reads(hiring, COMM_010=[1], COMM_020=[2])
    for value in PERSON.values():
        assert found(hiring, value), "what is to be erased is there"
    erase(hiring)
    hiring.commute.kill()
    hiring.commute.serve()
    wait_until(lambda: hiring.commute.get("/privacy/erase")[1]["status"] == "done", 60)

    seen = hiring.ask("portal", "GET", f"/tasks/{task}/card")[2]
    reference = seen["card"]["manager_ref"]
    assert seen["manager"] == {"manager_ref": reference, "created_at": hiring.ask("staff", "GET", f"/managers/{manager}")[2]["created_at"]}
    for asked in (reference, manager):
        status, _, body = request(hiring.commute.gateway, "GET", f"/COMM-010/managers/{asked}")
        assert not any(value in json.dumps(body, ensure_ascii=False) for value in PERSON.values()), (asked, status)
    hiring.write("PUT", f"/staff/managers/{manager}", {**PERSON, "surname": "Орлова-Смит"})      # a new name leaves no trace either
    wait_until(lambda: hiring.settled("COMM-010", "COMM-020", "COMM-040"), 20)
    assert scan(hiring, "Орлова-Смит", *PERSON.values()) == 0
    hiring.commute.process.child.terminate()
    assert hiring.commute.process.child.wait(20 * SLOW) == 0
    hiring.stop()
    assert not any(found(hiring, value) for value in PERSON.values())
    options = [f"--portal-before={before}", f"--no-personal={hiring.commute.data}"]
    code, result = hiring.audit(*options)
    assert (code, result["findings"], result["personal_values_found"]) == (0, [], 0)


def erase(hiring):
    status, answer = hiring.commute.get("/privacy/erase", method="POST", body=json.dumps({"events": [
        "ManagerCreated", "TaskCompletedSuccessful", "TaskCreated"]}))
    assert status < 300, answer


def found(hiring, value):
    return any(value.encode() in path.read_bytes() for path in hiring.commute.data.iterdir())


def scan(hiring, *values):
    done = subprocess.run([hiring.commute.program, "privacy", "scan", *values, "-c", hiring.commute.config], timeout=60 * SLOW,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout
    return done.returncode

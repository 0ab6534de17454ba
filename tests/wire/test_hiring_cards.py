# SPDX-License-Identifier: Apache-2.0
"""COMM-020 of the hiring platform through commute: tasks' writes are captured, and each becomes a card of portal, once and in order,
whatever is killed. Judged by the auditor, which reads only the services' databases."""
import subprocess
import time

import pytest

from conftest import SLOW, wait_until
from hiring import MANAGER, Through, request


@pytest.fixture
def hiring(build, commute, start, tmp_path, free_port):
    with Through(build, commute, start, tmp_path, (free_port(), free_port(), free_port())) as platform:
        platform.start()
        yield platform


def test_a_task_becomes_a_card_and_each_change_of_it_too(hiring):
    manager = hiring.write("POST", "/staff/managers", MANAGER)["manager_id"]
    task = hiring.write("POST", "/tasks/tasks", {"title": "[C [11]] Lists", "manager_id": manager})
    wait_until(lambda: hiring.shown(task["task_id"]) == ("C [11]", "Lists"))
    for number in range(20):
        hiring.write("PUT", f"/tasks/tasks/{task['task_id']}", {"title": f"[Go] Lists {number}"})
    wait_until(lambda: hiring.shown(task["task_id"]) == ("Go", "Lists 19"))
    assert hiring.status("COMM-020")["mode"] == "async"


def test_cards_wait_for_portal_and_come_in_order(hiring):
    manager = hiring.write("POST", "/staff/managers", MANAGER)["manager_id"]
    hiring.kill("portal")
    tasks = [hiring.write("POST", "/tasks/tasks", {"title": f"[Go] Lists {n}", "manager_id": manager})["task_id"] for n in range(10)]
    for task in tasks:
        hiring.write("PUT", f"/tasks/tasks/{task}", {"title": f"[SQL] Joins {task}"})
    hiring.start_service("portal")
    wait_until(lambda: [hiring.shown(task) for task in tasks] == [("SQL", f"Joins {task}") for task in tasks])


def test_a_task_whose_registration_was_cut_off_has_a_card_in_the_end(hiring):
    """commute is killed while tasks registers: the owner has the task, nobody was told, no event was written."""
    manager = hiring.write("POST", "/staff/managers", MANAGER)["manager_id"]
    hiring.faults("tasks", hang_percent=100, hang_ms=1500, for_ms=60000)
    caller = subprocess.Popen(["curl", "-s", "-o", "/dev/null", "-d", f'{{"title": "[Go] Lists", "manager_id": {manager}}}',
                               f"http://127.0.0.1:{hiring.commute.gateway}/tasks/tasks"])
    wait_until(lambda: request(hiring.ports["tasks"], "GET", "/tasks?after=0")[2]["items"])
    hiring.commute.kill()
    caller.wait()
    hiring.faults("tasks", for_ms=0)
    hiring.commute.serve()
    wait_until(lambda: hiring.shown(1) == ("Go", "Lists"), 20)


def test_every_card_is_right_though_commute_and_portal_are_killed_under_load(hiring):
    load = hiring.start_load(rate=150, seconds=6, tasks=30, managers=10, stdout=subprocess.DEVNULL, **hiring.writes)
    for _ in range(2):
        time.sleep(1.2)
        hiring.commute.kill()
        hiring.commute.serve()
        time.sleep(0.5)
        hiring.kill("portal")
        hiring.start_service("portal")
    load.wait(120 * SLOW)
    wait_until(lambda: hiring.settled("COMM-020"), 60)
    hiring.stop()
    code, result = hiring.audit()
    assert (code, result["findings"]) == (0, [])
    assert result["figures"]["task changes accepted"] > 5 and result["figures"]["cards viewed"] > 20

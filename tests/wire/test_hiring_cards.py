# SPDX-License-Identifier: Apache-2.0
"""COMM-020 of the hiring platform through commute: tasks' writes are captured, and each becomes a card of portal, once and in order,
whatever is killed. Judged by the auditor, which reads only the services' databases."""
import pathlib
import re
import subprocess
import sys
import time

import pytest

from commute import Commute
from conftest import SLOW, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples/hiring"))
from platform_hiring import SERVICES, Platform, request  # noqa: E402

MANAGER = {"name": "Anna", "surname": "Orlova", "work_email": "anna@hiring.example", "staff_login": "anna"}


@pytest.fixture
def hiring(build, commute, start, tmp_path, free_port):
    """The platform, and commute with the example's configuration between tasks, bonuses and portal."""
    with Platform(build, tmp_path) as platform:
        text = (ROOT / "examples/hiring/commute.yaml").read_text()
        for name in SERVICES:
            text = re.sub(rf'(  {name}: {{url: )"[^"]*"', rf'\1"{platform.url(name)}"', text)
        text = text.replace("../../contracts/", f"{ROOT}/contracts/").replace("mappings/", f"{ROOT}/examples/hiring/mappings/")
        ports = free_port(), free_port(), free_port()
        text += ('\nlisten: {gateway: "127.0.0.1:%d", registry: "127.0.0.1:%d", control: "127.0.0.1:%d"}\ndata: data\n' % ports +
                 "defaults: {settle: 1s, timeout: 800ms, retry: {first: 50ms, longest: 500ms}}\n")
        platform.commute = Commute(commute, start, tmp_path, ports, text)
        gateway = f"http://127.0.0.1:{platform.commute.gateway}"
        platform.options["tasks"] = ["--bonuses-url", f"{gateway}/COMM-040"]
        platform.options["portal"] = ["--managers-url", f"{gateway}/COMM-010"]
        platform.writes = {"staff_url": f"{gateway}/staff", "tasks_writes_url": f"{gateway}/tasks"}
        platform.start()
        platform.commute.serve()
        yield platform


def write(platform, method, path, body):
    status, _, answered = request(platform.commute.gateway, method, path, body, timeout=20 * SLOW)
    assert 200 <= status < 300, answered
    return answered


def shown(platform, task_id):
    status, _, answered = request(platform.ports["portal"], "GET", f"/tasks/{task_id}/card")
    return (answered["knowledge_area"], answered["title"]) if status == 200 else None


def settled(platform):
    state = platform.commute.get("/status/COMM-020")[1]
    return not any(state[name] for name in ("waiting", "in_flight", "parked", "indeterminate", "dirty_keys", "captures_under_way"))


def test_a_task_becomes_a_card_and_each_change_of_it_too(hiring):
    manager = write(hiring, "POST", "/staff/managers", MANAGER)["manager_id"]
    task = write(hiring, "POST", "/tasks/tasks", {"title": "[C [11]] Lists", "manager_id": manager})
    wait_until(lambda: shown(hiring, task["task_id"]) == ("C [11]", "Lists"))
    for number in range(20):
        write(hiring, "PUT", f"/tasks/tasks/{task['task_id']}", {"title": f"[Go] Lists {number}"})
    wait_until(lambda: shown(hiring, task["task_id"]) == ("Go", "Lists 19"))
    assert hiring.commute.get("/status/COMM-020")[1]["mode"] == "async"


def test_cards_wait_for_portal_and_come_in_order(hiring):
    manager = write(hiring, "POST", "/staff/managers", MANAGER)["manager_id"]
    hiring.kill("portal")
    tasks = [write(hiring, "POST", "/tasks/tasks", {"title": f"[Go] Lists {n}", "manager_id": manager})["task_id"] for n in range(10)]
    for task in tasks:
        write(hiring, "PUT", f"/tasks/tasks/{task}", {"title": f"[SQL] Joins {task}"})
    hiring.start_service("portal")
    wait_until(lambda: [shown(hiring, task) for task in tasks] == [("SQL", f"Joins {task}") for task in tasks])


def test_a_task_whose_registration_was_cut_off_has_a_card_in_the_end(hiring):
    """commute is killed while tasks registers: the owner has the task, nobody was told, no event was written."""
    manager = write(hiring, "POST", "/staff/managers", MANAGER)["manager_id"]
    hiring.faults("tasks", hang_percent=100, hang_ms=1500, for_ms=60000)
    caller = subprocess.Popen(["curl", "-s", "-o", "/dev/null", "-d", f'{{"title": "[Go] Lists", "manager_id": {manager}}}',
                               f"http://127.0.0.1:{hiring.commute.gateway}/tasks/tasks"])
    wait_until(lambda: request(hiring.ports["tasks"], "GET", "/tasks?after=0")[2]["items"])
    hiring.commute.kill()
    caller.wait()
    hiring.faults("tasks", for_ms=0)
    hiring.commute.serve()
    wait_until(lambda: shown(hiring, 1) == ("Go", "Lists"), 20)


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
    wait_until(lambda: settled(hiring), 60)
    hiring.stop()
    code, result = hiring.audit()
    assert (code, result["findings"]) == (0, [])
    assert result["figures"]["task changes accepted"] > 5 and result["figures"]["cards viewed"] > 20

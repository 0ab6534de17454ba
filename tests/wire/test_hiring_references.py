# SPDX-License-Identifier: Apache-2.0
"""The hiring platform with references in place of managers (US-170): what portal holds, shows, refuses and erases, and what the
auditor finds where something is left."""
import contextlib
import json
import pathlib
import re
import shutil
import signal
import sqlite3
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples" / "hiring"))
from platform_hiring import Platform, request  # noqa: E402

SAID = ("Annabel", "Orlova-Ройс", "annabel@hiring.example", "a.orlova")
ANNA = dict(zip(("name", "surname", "work_email", "staff_login"), SAID))


def card(task, version):
    """The task as version 0, 1 or 2 of its event."""
    area, title = re.fullmatch(r"\[(.*?)\] (.*)", task["title"]).groups()
    parts = {"title": task["title"]} if version == 0 else {"knowledge_area": area, "title": title}
    manager = {"manager_ref": f"ref-{task['manager_id']}"} if version == 2 else {"manager_id": task["manager_id"]}
    return {"task_id": task["task_id"], **parts, **manager, "created_at": task["created_at"]}


@contextlib.contextmanager
def managers(platform):
    """In place of commute: a manager by id, or by reference and then without what is personal."""
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            reference = self.path.startswith("/managers/ref-")
            status, _, body = request(platform.ports["staff"], "GET", self.path.replace("ref-", ""))
            if reference and status == 200:
                body = {"manager_ref": self.path.rsplit("/", 1)[1], "created_at": body["created_at"]}
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def platform(build, tmp_path):
    with Platform(build, tmp_path) as platform, managers(platform) as url:
        platform.options["portal"] = ["--managers-url", url]
        platform.options["tasks"] = ["--bonuses-url", platform.url("bonuses")]
        platform.start()
        pathlib.Path(platform.log).touch()
        yield platform


def good(platform, service, method, path, body=None):
    status, _, answered = request(platform.ports[service], method, path, body)
    assert 200 <= status < 300, answered
    return answered


def a_task(platform, title="[C] Write a list"):
    manager = good(platform, "staff", "POST", "/managers", ANNA)
    return good(platform, "tasks", "POST", "/tasks", {"title": title, "manager_id": manager["manager_id"]})


def deliver(platform, task, version):
    good(platform, "portal", "PUT", f"/cards/{task['task_id']}", card(task, version))


def shown(platform, task):
    return good(platform, "portal", "GET", f"/tasks/{task['task_id']}/card")


def stored(platform):
    """All bytes of portal's database."""
    folder = pathlib.Path(platform.folder)
    return b"".join(path.read_bytes() for path in folder.glob("portal.db*"))


@pytest.mark.parametrize("version", [0, 1, 2])
def test_a_card_of_any_version_shows_area_and_title_and_old_readers_see_what_they_know(platform, version):
    task = a_task(platform)
    deliver(platform, task, version)
    seen = shown(platform, task)
    assert (seen["knowledge_area"], seen["title"], seen["card"]["title"]) == ("C", "Write a list", "[C] Write a list")
    with contextlib.closing(sqlite3.connect(platform.database("portal"))) as data:
        assert json.loads(data.execute("SELECT body FROM cards").fetchone()[0]) == card(task, version), "it holds what came"
    if version < 2:
        assert seen["card"] == task
        assert seen["manager"]["name"] == ANNA["name"]
    else:
        assert seen["card"] == {**{k: v for k, v in task.items() if k != "manager_id"}, "manager_ref": "ref-1"}
        assert set(seen["manager"]) == {"manager_ref", "created_at"}


def test_a_newer_version_replaces_an_older_and_the_owners_missing_row_the_card(platform):
    task = a_task(platform)
    for version in (0, 1, 2):
        deliver(platform, task, version)
        platform.stop_service("portal")
        assert platform.start_service("portal")
    assert "manager_ref" in shown(platform, task)["card"]
    good(platform, "portal", "DELETE", f"/cards/{task['task_id']}")
    assert request(platform.ports["portal"], "GET", f"/tasks/{task['task_id']}/card")[0] == 404


def test_a_task_written_again_without_a_change_is_answered_as_it_is(platform):
    task = a_task(platform)
    assert good(platform, "tasks", "PUT", f"/tasks/{task['task_id']}", {}) == task
    changed = good(platform, "tasks", "PUT", f"/tasks/{task['task_id']}", {"title": "[Go] Other"})
    assert changed == {**task, "title": "[Go] Other"} == good(platform, "tasks", "GET", f"/tasks/{task['task_id']}")


def test_erasing_is_refused_while_a_card_has_an_id(platform):
    task = a_task(platform)
    deliver(platform, task, 1)
    status, _, body = request(platform.ports["portal"], "POST", "/admin/erase-managers", {})
    assert status == 409 and "1 cards" in body["error"]
    assert good(platform, "portal", "GET", "/admin/managers-held") == {"cards": 1, "views": 0, "erased": False}
    assert shown(platform, task)["manager"]["name"] == ANNA["name"], "nothing has changed"


def erased(platform, tasks=5):
    """Views with names, then cards by reference, then erased. Gives the tasks."""
    tasks = [a_task(platform, f"[C] Write list {number}") for number in range(tasks)]
    for task in tasks:
        deliver(platform, task, 1)
        for _ in range(20):
            shown(platform, task)
        deliver(platform, task, 2)
    for value in SAID:
        assert value.encode() in stored(platform), "the names were there"
    assert good(platform, "portal", "GET", "/admin/managers-held") == {"cards": 0, "views": 20 * len(tasks), "erased": False}
    shutil.copy(platform.database("portal"), platform.folder + "/before.db")
    shutil.copy(platform.database("portal") + "-wal", platform.folder + "/before.db-wal")
    assert good(platform, "portal", "POST", "/admin/erase-managers", {}) == {"cards": 0, "views": 0, "erased": True}
    return tasks


def test_after_erasing_no_byte_of_a_manager_is_in_the_file_and_no_id_comes_back(platform):
    tasks = erased(platform)
    for value in SAID:
        assert value.encode() not in stored(platform)
    status, _, body = request(platform.ports["portal"], "PUT", f"/cards/{tasks[0]['task_id']}", card(tasks[0], 1))
    assert status == 422 and "manager_ref" in body["error"]
    assert set(shown(platform, tasks[0])["manager"]) == {"manager_ref", "created_at"}
    assert good(platform, "portal", "GET", "/admin/managers-held") == {"cards": 0, "views": 0, "erased": True}
    assert good(platform, "portal", "POST", "/admin/erase-managers", {})["erased"], "once more does no harm"


def test_an_erasure_cut_short_is_not_complete_and_is_done_again(platform):
    tasks = erased(platform, 2)
    platform.stop_service("portal")
    with contextlib.closing(sqlite3.connect(platform.database("portal"))) as data, data:
        data.execute("UPDATE erasure SET complete=0")           # killed between the rows and the file
    platform.start_service("portal")
    assert good(platform, "portal", "GET", "/admin/managers-held")["erased"] is False
    assert request(platform.ports["portal"], "PUT", f"/cards/{tasks[0]['task_id']}", card(tasks[0], 1))[0] == 422
    assert good(platform, "portal", "POST", "/admin/erase-managers", {})["erased"] is True


def test_portal_killed_while_it_erases_has_all_or_nothing_shown_and_ends_erased(platform):
    tasks = [a_task(platform, f"[C] Write list {number}") for number in range(3)]
    for task in tasks:
        deliver(platform, task, 1)
        for _ in range(50):
            shown(platform, task)
        deliver(platform, task, 2)
    killer = threading.Timer(0.003, lambda: platform.processes["portal"].send_signal(signal.SIGKILL))
    killer.start()
    with contextlib.suppress(OSError):
        request(platform.ports["portal"], "POST", "/admin/erase-managers", {})
    killer.join()
    platform.processes["portal"].wait()
    platform.start_service("portal")
    held = good(platform, "portal", "GET", "/admin/managers-held")
    assert held["views"] in (0, 150) and held["cards"] == 0
    assert good(platform, "portal", "POST", "/admin/erase-managers", {})["erased"] is True
    assert not [value for value in SAID if value.encode() in stored(platform)]


# --- the auditor

@pytest.fixture
def quiet(platform, tmp_path):
    """An erased platform that has stopped, and a folder without a person in it."""
    tasks = erased(platform)
    for task in tasks:
        shown(platform, task)
    platform.stop()
    (tmp_path / "clean").mkdir()
    (tmp_path / "clean/log.db").write_bytes(bytes(range(256)) * 100)
    return platform


def audit(platform, *folders, before=True):
    options = [f"--no-personal={folder}" for folder in folders]
    if before:
        options.append(f"--portal-before={platform.folder}/before.db")
    code, result = platform.audit(*options)
    return code, result, [(one["about"], one["finding"]) for one in result["findings"]]


def test_nothing_is_found_where_nothing_is(quiet, tmp_path):
    code, result, found = audit(quiet, tmp_path / "clean")
    assert (code, found, result["personal_values_found"]) == (0, [], 0)
    assert result["figures"]["managers shown, erased since"] == 0, "the copy of before explains every view"
    assert result["figures"]["cards of version 2"] == 5
    code, result, _ = audit(quiet, before=False)
    assert code == 0 and "personal_values_found" not in result
    assert result["figures"]["managers shown, erased since"] == 100


@pytest.mark.parametrize("planted, field", [
    (SAID[0].encode(), "name"), (SAID[1].encode(), "surname"), (SAID[2].encode(), "work_email"), (SAID[3].encode(), "staff_login"),
    (json.dumps(SAID[1])[1:-1].encode(), "surname"), (b"annabel%40hiring.example", "work_email"),
])
def test_one_value_anywhere_in_a_file_is_found(quiet, tmp_path, planted, field):
    folder = tmp_path / "clean/deep/er"
    folder.mkdir(parents=True)
    (folder / "file").write_bytes(b"x" * 70001 + planted)
    code, result, found = audit(quiet, tmp_path / "clean")
    assert code == 1 and result["personal_values_found"] == 1
    assert found == [("personal", f"{folder}/file, byte 70001: a manager's {field}")]


def test_a_part_of_a_value_is_none(quiet, tmp_path):
    (tmp_path / "clean/file").write_bytes(b"Annabe" + b"\0" + b"hiring.example" + b"annabel@hiring.exampl" + b"a.orlov")
    assert audit(quiet, tmp_path / "clean")[0] == 0


@pytest.mark.parametrize("sql, about", [
    ("UPDATE cards SET version=1, body=json_set(json_remove(body, '$.manager_ref'), '$.manager_id', 3) WHERE task_id=3", "personal"),
    ("UPDATE views SET manager_id=3 WHERE task_id=3", "personal"),
    ("UPDATE views SET manager=json_set(manager, '$.manager_id', 3) WHERE manager_ref IS NOT NULL AND task_id=3", "personal"),
    ("UPDATE cards SET body=json_set(body, '$.manager_ref', 'ref-2') WHERE task_id=3", "reference"),
    ("UPDATE cards SET body=json_set(body, '$.manager_ref', 'ref-9') WHERE task_id=3", "reference"),
    ("UPDATE views SET manager_ref='ref-9' WHERE manager_ref='ref-3'", "reference"),
    ("UPDATE views SET manager=json_set(manager, '$.manager_ref', 'ref-9') WHERE manager_ref='ref-3'", "reference"),
    ("UPDATE views SET manager=json_set(manager, '$.created_at', '2020') WHERE manager_ref='ref-3'", "manager shown"),
    ("UPDATE views SET manager=NULL WHERE manager_ref='ref-3'", "manager shown"),
])
def test_the_auditor_finds_what_is_left_and_what_is_mistaken(quiet, tmp_path, sql, about):
    with contextlib.closing(sqlite3.connect(quiet.database("portal"))) as data, data:
        assert data.execute(sql).rowcount > 0
    code, _, found = audit(quiet, tmp_path / "clean")
    assert code == 1
    assert about in [name for name, _ in found], found


def test_an_id_is_no_reference(quiet, tmp_path):
    with contextlib.closing(sqlite3.connect(quiet.database("portal"))) as data, data:
        data.execute("UPDATE cards SET body=replace(body, 'ref-', '')")
        data.execute("UPDATE views SET manager_ref=replace(manager_ref, 'ref-', ''), manager=replace(manager, 'ref-', '')")
    found = audit(quiet, tmp_path / "clean")[2]
    assert {about for about, _ in found} == {"reference"} and "his id" in found[0][1]


def test_a_view_that_was_erased_is_judged_by_the_copy_of_before(quiet, tmp_path):
    with contextlib.closing(sqlite3.connect(quiet.folder + "/before.db")) as data, data:
        data.execute("UPDATE views SET manager=replace(manager, 'Annabel', 'Isabel') WHERE view_id=7")
    code, _, found = audit(quiet, tmp_path / "clean")
    assert code == 1 and [about for about, _ in found] == ["manager shown"]


def test_an_audit_that_cannot_search_is_no_verdict(quiet, tmp_path):
    assert quiet.audit(f"--no-personal={tmp_path}/nowhere") == (2, None)
    with contextlib.closing(sqlite3.connect(quiet.database("staff"))) as data, data:
        data.execute("UPDATE managers SET staff_login='an' WHERE manager_id=1")
    assert quiet.audit(f"--no-personal={tmp_path}/clean") == (2, None), "two bytes are everywhere"


def test_many_values_are_searched_for_in_a_large_file(quiet, tmp_path):
    with contextlib.closing(sqlite3.connect(quiet.database("staff"))) as data, data:
        data.executemany("INSERT INTO manager_history VALUES(1, ?, ?, 0)", [
            (version, json.dumps({"name": f"Name {version}", "surname": f"Surname {version}", "work_email": f"m{version}@x",
                                  "staff_login": f"login{version}", "created_at": "x"})) for version in range(1000, 11000)])
    (tmp_path / "clean/large").write_bytes(b"Name Surname login m12 @ " * 2000000 + b"Name 4711")
    found = audit(quiet, tmp_path / "clean")[2]
    assert ("personal", f"{tmp_path}/clean/large, byte 50000000: a manager's name") in found

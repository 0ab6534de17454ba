# SPDX-License-Identifier: Apache-2.0
"""`[Knowledge Area] Title`: what version 1 of TaskCreated makes of a title, and that version 0 comes back unchanged. The table is
the one of examples/hiring/README.md. The mappings are run by Debian's jq; portal and the auditor have rules of their own code,
and must come to the same."""
import contextlib
import json
import pathlib
import random
import re
import sqlite3
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HIRING = ROOT / "examples/hiring"
sys.path.insert(0, str(HIRING))
from platform_hiring import Platform, request  # noqa: E402

# title of version 0, knowledge area, title of version 1
TABLE = [
    ("[Go] Lists", "Go", "Lists"),
    # missing
    ("Lists", "", "Lists"),
    ("", "", ""),
    ("Lists [Go] again", "", "Lists [Go] again"),
    (" [Go] Lists", "", " [Go] Lists"),
    # nested, several
    ("[C [11]] Lists", "C [11]", "Lists"),
    ("[[Go]] Lists", "[Go]", "Lists"),
    ("[Go] [Draft] Lists", "Go", "[Draft] Lists"),
    ("[Go] Lists [a] ] b", "Go", "Lists [a] ] b"),
    # not closed, closed too often, closed elsewhere
    ("[Go Lists", "", "[Go Lists"),
    ("[Go [old] Lists", "", "[Go [old] Lists"),
    ("[Go]] Lists", "", "[Go]] Lists"),
    ("]Go[ Lists", "", "]Go[ Lists"),
    # empty, blank
    ("[] Lists", "", "[] Lists"),
    ("[ ] Lists", "", "[ ] Lists"),
    ("[\u3000\u00a0] Lists", "", "[\u3000\u00a0] Lists"),
    ("[Go]", "", "[Go]"),
    ("[Go] ", "", "[Go] "),
    ("[Go] \u2003", "", "[Go] \u2003"),
    ("[[]] Lists", "[]", "Lists"),
    # blanks are kept; one space is the separator, and only that
    ("[ Go ] Lists", " Go ", "Lists"),
    ("[Go]  Lists ", "Go", " Lists "),
    ("[Go]Lists", "", "[Go]Lists"),
    ("[Go]\tLists", "", "[Go]\tLists"),
    ("[Go]\u00a0Lists", "", "[Go]\u00a0Lists"),
    ("[Go\nC] Li\nsts", "Go\nC", "Li\nsts"),
    # Unicode
    ("[Сети] Маршруты", "Сети", "Маршруты"),
    ("[أمن] اختراق", "أمن", "اختراق"),
    ("[算法] 排序", "算法", "排序"),
    ("[👩\u200d💻] 🧪", "👩\u200d💻", "🧪"),
    ("［Go］ Lists", "", "［Go］ Lists"),
    ("【Go】 Lists", "", "【Go】 Lists"),
    ("[e\u0301] \u0301x", "e\u0301", "\u0301x"),
    ("[\u00e9] x", "\u00e9", "x"),
    ("[Go]\u0301 Lists", "", "[Go]\u0301 Lists"),
    ("[\u200b] Lists", "\u200b", "Lists"),
    ("\ufeff[Go] Lists", "", "\ufeff[Go] Lists"),
]


def event(title):
    return {"task_id": 7, "title": title, "manager_id": 3, "created_at": "2026-03-01T12:00:00.000000Z"}


def convert(way, events):
    program = HIRING / f"mappings/TaskCreated.v1.{way}.jq"
    done = subprocess.run(["jq", "-c", "-f", program], input="\n".join(json.dumps(one) for one in events), text=True,
                          stdout=subprocess.PIPE, timeout=60, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def random_titles(count):
    draw = random.Random(11)
    pieces = ["[", "]", "] ", " ", "[[", "]]", "a", "Go", "\u3000", "\u00a0", "\t", "é", "e\u0301", "算", "ش", "😀", "［", "\u2003",
              "\u200b"]
    weights = [6, 4, 6] + [1] * (len(pieces) - 3)
    return [draw.choice(["[", "[a", ""]) + "".join(draw.choices(pieces, weights, k=draw.randrange(0, 14))) for _ in range(count)]


@pytest.mark.parametrize("title, area, name", TABLE)
def test_a_title_becomes_area_and_name_and_itself_again(title, area, name):
    up = convert("up", [event(title)])
    assert up == [{"task_id": 7, "knowledge_area": area, "title": name, "manager_id": 3, "created_at": event("")["created_at"]}]
    assert convert("down", up) == [event(title)]


def test_no_title_is_lost():
    events = [event(title) for title in random_titles(5000) + ["\x00", "[a\x00] \x00", "[" * 3000 + "]" * 3000 + " x"]]
    up = convert("up", events)
    assert convert("down", up) == events
    split = sum(1 for one in up if one["knowledge_area"])
    assert 200 < split < 4000, "both cases are met"


def test_what_version_1_can_say_and_version_0_cannot_is_the_documented_rest():
    """down then up: an area that a title's brackets cannot carry comes back as part of the title, or elsewhere divided."""
    lossy = [("a] b", "x"), ("[a", "x"), (" ", "x"), ("a", ""), ("a", " "), ("", "[a] x")]
    events = [{"task_id": 7, "knowledge_area": area, "title": title, "manager_id": 3, "created_at": "x"}
              for area, title in [("a", "x"), ("a [b]", "x"), ("", "x"), *lossy]]
    back = convert("up", convert("down", events))
    assert back[:3] == events[:3]
    assert all(one != other for one, other in zip(back[3:], events[3:]))


@pytest.mark.parametrize("version", [1, 2])
def test_what_the_mappings_make_fits_the_closed_contract(version):
    contract = next(path for folder in ("contracts", "examples/hiring/next")
                    if (path := ROOT / folder / f"TaskCreated.v{version}.json").exists())
    contract = json.loads(contract.read_text(encoding="utf-8"))
    assert contract["additionalProperties"] is False
    assert contract["required"] == list(contract["properties"])
    if version == 1:
        assert list(convert("up", [event("[Go] Lists")])[0]) == contract["required"]


def test_portal_and_auditor_read_titles_as_the_mappings_do(build, tmp_path):
    titles = [title for title, _, _ in TABLE] + random_titles(400)
    up = convert("up", [event(title) for title in titles])
    with Platform(build, tmp_path) as platform:
        platform.start()
        manager = {"name": "Anna", "surname": "Orlova", "work_email": "anna@hiring.example", "staff_login": "anna"}
        assert request(platform.ports["staff"], "POST", "/managers", manager)[2]["manager_id"] == 1
        for number, (title, parts) in enumerate(zip(titles, up), 1):
            card = {**event(title), "task_id": number, "manager_id": 1}
            assert request(platform.ports["portal"], "PUT", f"/cards/{number}", card)[0] == 204
            shown = request(platform.ports["portal"], "GET", f"/tasks/{number}/card")[2]
            assert (shown["knowledge_area"], shown["title"]) == (parts["knowledge_area"], parts["title"]), title
            assert shown["card"] == card
        platform.stop()
        pathlib.Path(platform.log).touch()
        with contextlib.closing(sqlite3.connect(platform.database("tasks"))) as data, data:
            data.executemany("INSERT INTO tasks VALUES(?, ?, 1, ?)", [(number, title, event("")["created_at"])
                                                                       for number, title in enumerate(titles, 1)])
            data.execute("INSERT INTO task_history SELECT task_id, 1, title, 0 FROM tasks")
        assert platform.audit()[1]["findings"] == [], "cards of version 0, and what was shown of them"
        with contextlib.closing(sqlite3.connect(platform.database("portal"))) as data, data:
            data.executemany("UPDATE cards SET version=1, body=? WHERE task_id=?",
                             [(json.dumps({**one, "task_id": number, "manager_id": 1}), number) for number, one in enumerate(up, 1)])
        assert platform.audit()[1]["findings"] == [], "cards of version 1"
        with contextlib.closing(sqlite3.connect(platform.database("portal"))) as data, data:
            data.execute("UPDATE cards SET body=json_set(body, '$.knowledge_area', 'C [11', '$.title', ' Lists') WHERE task_id=?",
                         (1 + titles.index("[C [11]] Lists"),))
        assert [(one["kind"], one["about"]) for one in platform.audit()[1]["findings"]] == [("wrong", "card")]


def test_the_readmes_table_is_this_one():
    lines = re.findall(r"^\| `(.*)` \| (?:`(.*)`|none) \| (?:`(.*)`|the whole) \|", (HIRING / "README.md").read_text(encoding="utf-8"),
                       re.M)
    said = [(title, area, name or title) for title, area, name in lines]
    assert len(said) > 10
    assert [one for one in said if one not in TABLE] == []

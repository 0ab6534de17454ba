# SPDX-License-Identifier: Apache-2.0
"""Event versions, live: conversion on the way in and out, POST /events, and `commute evolve` there and back."""
import http.client
import itertools
import json
import signal
import subprocess

import pytest

from commute import ask
from conftest import wait_until
from versions import World


@pytest.fixture
def world(commute, start, tmp_path, free_port):
    worlds = []

    def make(**arguments):
        worlds.append(World(commute, start, tmp_path, free_port, **arguments))
        return worlds[-1]
    yield make
    for one in worlds:
        one.services.close()


def card(it, task):
    return it.services.cards.get(task)


# ---- conversion ----

def test_a_reader_of_the_new_version_gets_it_made_of_the_old_one(world):
    it = world(reads="[1]")
    it.serve()
    assert it.put(1, "[Databases] Tune a query") == 200
    assert it.put(2, "no area") == 200
    wait_until(lambda: card(it, 1) and card(it, 2), what="the cards")
    assert card(it, 1) == {"task_id": 1, "area": "Databases", "title": "Tune a query"}
    assert card(it, 2) == {"task_id": 2, "area": "", "title": "no area"}


def test_the_copy_is_read_in_the_newest_version_that_the_reader_understands(world):
    it = world(keep="gateway", reads="[1]")
    it.serve()
    assert it.put(7, "[Net] Route") == 200
    assert it.read(7) == {"task_id": 7, "area": "Net", "title": "Route"}
    it.services.tasks[8] = {"task_id": 8, "title": "[Past] The gateway"}
    assert it.read(8) == {"task_id": 8, "area": "Past", "title": "The gateway"}     # the owner answers for the copy


def test_events_are_published_in_both_versions_and_appended_in_one(world):
    it = world(reads="[0]")
    it.serve()
    status, answer = it.publish("TaskCreated", {"task_id": 3, "title": "[A] B"}, Idempotency_Key="one")
    assert status == 202, answer
    again = it.publish("TaskCreated", {"task_id": 3, "title": "[A] B"}, Idempotency_Key="one")
    assert again == (status, answer)
    assert it.publish("TaskCreated", {"task_id": 3, "title": "[A] C"}, Idempotency_Key="one")[0] == 409
    status, answer = it.publish("TaskCreated", {"task_id": 4, "area": "A", "title": "B"}, Commute_Event_Version="1")
    assert status == 202, answer            # a producer that is ahead of the others
    status, answer = it.publish("TaskCreated", {"task_id": 3, "title": 5})
    assert status == 422 and "does not match version 0" in answer
    wait_until(lambda: card(it, 3) and card(it, 4), what="the cards")
    assert sorted(it.services.seen, key=lambda one: one["task_id"]) == [{"task_id": 3, "title": "[A] B"}, {"task_id": 4, "title": "[A] B"}]


def test_two_that_say_another_version_are_both_named(world):
    it = world()
    it.serve()
    status, answer = it.publish("TaskDone", {"event_version": 1, "payload": {"task_id": 1, "person": "x"}}, Commute_Event_Version="0")
    assert status == 422
    assert "Commute-Event-Version says 0, and event_version in the body says 1" in answer
    status, answer = it.publish("TaskDone", {"event_version": 9, "payload": {"task_id": 1, "who": "x"}})
    assert (status, "there is no version 9 of TaskDone" in answer) == (422, True)
    assert it.publish("Nothing", {})[0] == 404


def test_a_functional_event_is_delivered_as_a_call(world):
    it = world()
    it.serve()
    status, answer = it.publish("TaskDone", {"payload": {"task_id": 5, "who": "ann"}}, Idempotency_Key="d")
    assert status == 202, answer
    assert it.publish("TaskDone", {"payload": {"task_id": 5, "who": "ann"}}, Idempotency_Key="d") == (status, answer)
    wait_until(lambda: it.services.calls, what="the call")
    assert it.services.calls == [{"task_id": 5, "who": "ann"}]


# ---- there and back ----

def writer(it, tasks=5):
    """Writes one task after the other, again and again."""
    numbers = itertools.count()

    def write():
        number = next(numbers)
        assert it.put(1 + number % tasks, f"[Area {number}] Title {number}") == 200
    return write


def test_an_event_moves_to_the_next_version_and_back(world):
    it = world()
    it.serve()
    write = writer(it)
    for _ in range(12):
        write()
    status, answer = it.evolve(1)
    assert status == 200, answer
    done = it.until_moved("done", traffic=write)
    by_name = {step["name"]: step["evidence"] for step in done["steps"]}
    assert by_name["registered"]["figures"]["retained"] >= 12
    assert by_name["registered"]["figures"]["generated"] == 200
    assert by_name["registered"]["figures"]["failed"] == 0
    assert "each comes back as it was" in by_name["registered"]["sentence"]
    assert done["emitted"] == 1 and done["refused_below"] == 1
    write()
    number = it.services.tasks[1]["title"]
    assert it.put(1, number) == 200
    wait_until(lambda: "area" in (card(it, 1) or {}), what="a card of version 1")
    assert f"[{card(it, 1)['area']}] {card(it, 1)['title']}" == number
    said = it.versions()
    assert said["emitted"] == 1 and said["may_go"] is True, said
    assert {user["version"] for user in said["consumers"]} == {0, 1}
    assert it.evolve(1)[0] == 409
    assert it.publish("TaskCreated", {"task_id": 9, "title": "old"})[0] == 422
    assert it.evolve(0)[0] == 200
    done = it.until_moved("done", traffic=write)
    assert done["emitted"] == 0
    write()
    assert it.versions()["emitted"] == 0


def test_a_functional_event_moves_to_the_next_version(world):
    it = world()
    it.serve()
    numbers = itertools.count(1)

    def call():
        assert it.call(json.dumps({"task_id": next(numbers), "who": "ann"}).encode())[0] == 202
    call()
    assert it.evolve(1, event="TaskDone")[0] == 200
    it.until_moved("done", event="TaskDone", traffic=call)
    made = next(numbers) - 1
    wait_until(lambda: len(it.services.calls) == made, what="every call")
    assert sorted(one["task_id"] for one in it.services.calls) == list(range(1, made + 1))
    assert all(one["who"] == "ann" for one in it.services.calls)


def test_the_copy_is_read_again_before_the_old_version_goes(world):
    it = world(keep="gateway", reads="[0, 1]")
    it.serve()
    for task in range(1, 31):
        assert it.put(task, f"[Area] Title {task}") == 200
    assert it.evolve(1)[0] == 200
    done = it.until_moved("done", traffic=lambda: it.put(1, "[Area] Other"))
    assert done["emitted"] == 1
    assert it.versions()["old"]["copy_rows"] == 0
    assert it.read(17) == {"task_id": 17, "area": "Area", "title": "Title 17"}


def test_steps_are_taken_one_by_one_and_back(world):
    it = world()
    it.serve()
    write = writer(it)
    write()
    assert it.evolve(1, auto=False)[0] == 200
    for step in ("old-registered", "registered", "producer"):
        it.until_moved("ready", step)
        assert it.say("advance")[0] == 200
    it.until_moved("gate", "producer")
    assert it.versions()["emitted"] == 1
    assert it.say("rollback")[0] == 200
    it.until_moved("paused", "producer")
    assert it.versions()["emitted"] == 0
    assert it.say("cancel")[0] == 200
    it.until_moved("cancelled")
    assert it.say("advance")[0] == 409
    write()


def test_kill_9_at_each_step_goes_on(world):
    it = world()
    it.serve()
    write = writer(it)
    write()
    assert it.evolve(1, auto=False)[0] == 200
    for step in ("old-registered", "registered", "producer", "drained", "clean"):
        it.until_moved("ready", step, traffic=write)
        it.kill()
        it.serve()
        it.until_moved("ready", step, traffic=write)
        assert it.say("advance")[0] == 200
        it.kill()
        it.serve()
    it.until_moved("done", traffic=write)
    it.kill()
    it.serve()
    assert it.versions()["emitted"] == 1
    write()
    last = it.services.tasks[1]["title"]
    wait_until(lambda: card(it, 1) and f"[{card(it, 1).get('area')}] {card(it, 1)['title']}" == last, what="the card of the last write")


def test_the_plan_changes_nothing(world):
    it = world()
    it.serve()
    status, plan = it.get("/plan/TaskCreated?to=1")
    assert status == 200 and [step["name"] for step in plan["steps"]] == [
        "contract", "old-registered", "registered", "consumers", "producer", "old-off", "drained", "clean"]
    assert plan["steps"][0]["holds"] is True
    assert it.moved() is None
    assert it.get("/plan/TaskCreated?to=7")[0] == 404
    assert it.get("/plan/TaskCreated?to=async")[0] == 400
    assert it.get("/plan/TaskCreated?to=0")[0] == 409


# ---- what would be lost, live ----

def to_drained(it, write):
    assert it.evolve(1)[0] == 200
    it.until_moved("acting", "drained", traffic=write)


def test_a_parked_event_of_the_old_version_holds_it(world):
    it = world()
    it.serve()
    it.services.rule = lambda method, path, body: 422 if path == "/cards/77" and "area" not in body else None
    assert it.put(77, "[A] refused") == 200
    assert it.put(5, "[A] taken") == 200
    wait_until(lambda: it.get("/parked?communication=COMM-020")[1]["parked"], what="the parked event")
    position = it.get("/parked")[1]["parked"][0]["position"]
    write = writer(it)
    to_drained(it, write)
    said = it.until_says("1 parked", traffic=write)
    assert f"the first at position {position} (`commute parked show {position}`)" in said and "portal has not passed" in said
    assert it.versions()["may_go"] is False
    it.services.rule = lambda *_: None
    wait_until(lambda: it.get(f"/parked/{position}/retry", method="POST")[0] == 200, what="the retry to be taken")
    it.until_moved("done", traffic=write)
    assert it.versions()["may_go"] is True


def test_a_slow_reader_and_a_paused_one_hold_it(world):
    it = world()
    it.serve()
    write = writer(it)
    it.services.rule = lambda method, path, body: 503 if path == "/cards/77" else None
    assert it.put(77, "[A] later") == 200
    to_drained(it, write)
    it.until_says("1 waiting (the last delivery that failed got 503)", traffic=write)
    old = it.versions()["old"]
    assert [partition for partition in old["partitions"] if partition["open"] == 1]
    it.services.rule = lambda *_: None
    it.until_moved("done", traffic=write)
    assert card(it, 77) is not None


def test_a_producer_of_the_old_version_that_wakes_up_holds_it(world):
    it = world()
    it.serve()
    write = writer(it)
    assert it.evolve(1, auto=False)[0] == 200
    for step in ("old-registered", "registered", "producer"):
        it.until_moved("ready", step, traffic=write)
        assert it.say("advance")[0] == 200
    wait_until(lambda: it.versions()["emitted"] == 1, what="the new version to be emitted")
    status, answer = it.publish("TaskCreated", {"task_id": 60, "title": "[Night] Job"}, Commute_Producer="nightly")
    assert status == 202, answer
    wait_until(lambda: card(it, 60), what="its card")
    assert card(it, 60) == {"task_id": 60, "area": "Night", "title": "Job"}         # the fact is in the log once, in version 1
    it.until_says("nightly by POST /events/TaskCreated sent version 0", traffic=write)
    for job in range(20):
        assert it.publish("TaskCreated", {"task_id": 61, "area": "Day", "title": f"Job {job}"}, Commute_Event_Version="1",
                          Commute_Producer="nightly")[0] == 202
        if job == 9:
            it.until_says("of another since (20 in a row, or one and a minute, are wanted)", traffic=write)
    it.until_moved("ready", "drained", traffic=write)


def test_a_reader_that_does_not_answer_holds_it(world):
    it = world()
    it.serve()
    write = writer(it)
    write()
    it.services.rule = lambda method, path, body: "hang" if method == "HEAD" else None
    assert it.evolve(1)[0] == 200
    it.until_says("portal does not answer", seconds=30)
    it.services.rule = lambda *_: None
    it.until_moved("done", traffic=write)


def test_an_event_that_does_not_convert_stops_it_before_anything_moves(world):
    it = world()
    (it.folder / "up.jq").write_text('if .title == "poison" then error("no area") else . + {area: ""} end')
    it.serve()
    assert it.put(13, "poison") == 200
    assert it.evolve(1)[0] == 200
    said = it.until_says("no area")
    assert "1 of 1 retained" in said and "the event at position" in said
    assert it.versions()["emitted"] == 0
    assert it.say("cancel")[0] == 200


def test_what_the_way_back_loses_is_named(world):
    it = world()
    (it.folder / "down.jq").write_text("{task_id, title}")
    it.serve()
    write = writer(it)
    write()
    assert it.evolve(1)[0] == 200
    done = it.until_moved("done", traffic=write)
    registered = next(step for step in done["steps"] if step["name"] == "registered")
    assert "do not come back as they were: /title" in registered["evidence"]["sentence"]
    assert {"field": "/title", "place": "TaskCreated, `up` of version 1, " + str(it.folder / "up.jq")} in it.versions()["where"]


def test_an_owner_that_gives_the_old_version_holds_it_until_it_gives_the_new_one(world):
    it = world(produces="")
    it.serve()
    write = writer(it)
    write()
    assert it.evolve(1)[0] == 200
    said = it.until_says("tasks gives version 0 by itself (tasks by PUT /tasks/{task_id}, ", traffic=write)
    assert "say `produces: 1` of TaskCreated, or say `owner: stays`" in said
    assert it.moved()["step"] == "old-off"
    read = "    read: GET /tasks/{task_id}\n"
    it.config.write_text(it.config.read_text().replace(read, read + "    produces: 1\n"))
    it.process.child.send_signal(signal.SIGHUP)
    wait_until(lambda: it.get("/config")[1]["configuration"]["events"]["TaskCreated"]["produces"] == 1, what="the reload")

    def write_new():
        body = json.dumps({"area": "New", "title": "Title"}).encode()
        assert ask(it.gateway, "PUT", "/tasks/tasks/1", body)[0] == 200
    it.until_moved("done", traffic=write_new)
    wait_until(lambda: card(it, 1) == {"task_id": 1, "area": "New", "title": "Title"}, what="the card")
    assert it.versions()["may_go"] is True


def test_the_old_version_may_not_go_while_a_reader_gets_it(world):
    it = world(reads="[0]")
    it.serve()
    write = writer(it)
    assert it.evolve(1)[0] == 200
    it.until_moved("done", traffic=write)
    wait_until(lambda: it.versions()["old"]["waiting"] == 0, what="the deliveries")
    said = it.versions()
    assert said["emitted"] == 1 and said["may_go"] is False, said
    assert said["why"] == "portal by COMM-020 still gets version 0, which is made of version 1: it reads no newer one"


def test_a_producer_of_the_old_version_is_seen_among_many(world):
    it = world()
    it.serve()
    for number in range(40):
        body = {"task_id": 1, "area": "A", "title": "T"} if number < 39 else {"task_id": 1, "title": "T"}
        status, answer = it.publish("TaskCreated", body, Commute_Producer=f"p{number}", Commute_Event_Version="1" if number < 39 else "0")
        assert status == 202, answer
    users = {(user["name"], user["version"]) for user in it.versions()["producers"]}
    assert ("others", 0) in users and ("p3 by POST /events/TaskCreated", 1) in users, users
    consumers = it.versions()["consumers"]              # they have a row of their own
    assert consumers and all(user["name"].startswith("portal by") or user["name"] == "others" for user in consumers), consumers


# ---- functional events that their producer publishes ----

def functional(it, *changes):
    text = it.config.read_text()
    for find, replace in changes:
        assert find in text
        text = text.replace(find, replace)
    it.config.write_text(text)
    it.serve()


SYNC_LANES = ("    initially: async\n    call: POST /accruals", "    initially: sync\n    call: POST /accruals")


def test_an_event_that_is_published_into_a_sync_lane_is_a_call(world):
    it = world()
    functional(it, SYNC_LANES)
    status, answer = it.publish("TaskDone", {"payload": {"task_id": 5, "who": "ann"}})
    assert (status, answer) == (201, "{}")                                          # the provider's own
    status, answer = it.publish("TaskDone", {"event_version": 1, "payload": {"task_id": 6, "person": "ben"}})
    assert (status, answer) == (201, "{}")
    assert it.services.calls == [{"task_id": 5, "who": "ann"}, {"task_id": 6, "who": "ben"}]
    it.services.rule = lambda method, path, body: 422 if path == "/accruals" else None
    status, answer = it.publish("TaskDone", {"payload": {"task_id": 7, "who": "cy"}})
    assert (status, json.loads(answer)) == (422, {"error": "refused"})
    it.services.rule = lambda *_: None
    status, answer = it.publish("TaskDone", {"payload": {"task_id": "seven", "who": "cy"}})
    assert status == 422 and "does not match version 0" in answer                   # refused here: nobody was called
    assert len(it.services.calls) == 2


def test_published_events_pass_a_switch_each_exactly_once(world):
    it = world()
    functional(it, SYNC_LANES, ("defaults: {", "defaults: {shadow: {messages: 5, minutes: 1}, "),
               ("    recognises: Idempotency-Key\n", ""))
    numbers, taken = itertools.count(1), []

    def publish():
        number = next(numbers)
        body = {"payload": {"task_id": number, "who": "ann"}}
        if number % 2:
            body = {"event_version": 1, "payload": {"task_id": number, "person": "ann"}}
        status, answer = it.publish("TaskDone", body, Idempotency_Key=f"event-{number}")
        assert status in (201, 202), answer
        again = it.publish("TaskDone", body, Idempotency_Key=f"event-{number}") if number % 5 == 0 and len(seen) > 1 else None
        assert not again or again[0] in (201, 202), again
        taken.append(number)
        seen.add(status)
        it.call(json.dumps({"task_id": 1000 + number, "who": "bea"}).encode())      # the shadow compares calls
    seen = set()
    for _ in range(3):
        publish()
    assert seen == {201}
    it.migrate("async")

    def moved():
        publish()
        return it.migration()["status"] == "done"
    wait_until(moved, 60, "the move to async")
    publish()
    assert seen == {201, 202}
    wait_until(lambda: len([one for one in it.services.calls if one["task_id"] < 1000]) >= len(taken), 20, "every event")
    assert sorted(one["task_id"] for one in it.services.calls if one["task_id"] < 1000) == taken
    assert all(one["who"] == "ann" for one in it.services.calls if one["task_id"] < 1000)


def test_a_version_in_a_call_that_disagrees_is_refused_however_it_is_spelt(world):
    it = world()
    functional(it, ("    key: $body/task_id\n", "    key: $body/payload/task_id\n"),
               ("      wrap: {event_version: 0, payload: $body}\n", "      wrap: $body\n"),
               ("{task_id: $body/task_id, person: $body/who}", "{task_id: $body/payload/task_id, person: $body/payload/who}"))
    for body in ('{"event_version": 1, "payload": {"task_id": 1, "who": "x"}}',
                 r'{"event\u005fversion": 1, "payload": {"task_id": 1, "who": "x"}}',
                 r'{"payload": {"task_id": 1, "who": "x"}, "\u0065vent_version": 10e-1}'):
        status, _, answer = it.call(body.encode())
        assert status == 422 and b"event_version says 1" in answer and b"is version 0 of TaskDone" in answer, (body, answer)
        status, _, answer = ask(it.gateway, "POST", "/events/TaskDone", body.encode(), Commute_Event_Version="0")
        assert status == 422 and b"Commute-Event-Version says 0, and event_version in the body says 1" in answer, (body, answer)
    assert it.call(rb'{"event\u005fversion": 0, "payload": {"task_id": 1, "who": "x"}}')[0] == 202
    wait_until(lambda: it.services.calls, what="the call")
    connection = http.client.HTTPConnection("127.0.0.1", it.gateway)
    connection.putrequest("POST", "/events/TaskDone")
    body = json.dumps({"payload": {"task_id": 1, "who": "x"}}).encode()
    for header in (("Commute-Event-Version", "0"), ("Commute-Event-Version", "1"), ("Content-Length", str(len(body)))):
        connection.putheader(*header)
    connection.endheaders(body)
    answer = connection.getresponse()
    assert answer.status == 400 and b"Commute-Event-Version is given more than once" in answer.read()


# ---- wherever the old name is ----

SYNC = """\
  COMM-070:
    functional: tasks -> portal
    initially: sync
    call: POST /accruals
  COMM-080:
    data: tasks -> portal
    initially: pull
    pull: GET /tasks?after={cursor}
"""


def test_an_old_field_in_synchronous_bodies_is_seen_and_its_value_is_not_told(world):
    it = world(more=SYNC)
    it.serve()
    it.services.tasks[5] = {"task_id": 5, "title": "[Secret] Plan"}
    seen = []

    def pass_by():
        status, _, _ = ask(it.gateway, "POST", "/COMM-070/accruals", json.dumps({"task": {"title": "[Hidden] Goal", "n": 1}}).encode())
        assert status == 201
        assert ask(it.gateway, "GET", "/COMM-080/tasks?after=0")[0] == 200
        seen[:] = [place for place in it.versions()["where"] if "direction" in place]
        return len(seen) >= 2 and all(place["samples"] >= 2 for place in seen)
    wait_until(pass_by, 20, "the samples")
    found = {(place["communication"], place["direction"]): place for place in seen}
    assert set(found) == {("COMM-070", "request"), ("COMM-080", "answer")}, seen
    assert found["COMM-070", "request"]["pointer"] == "/task/title" and found["COMM-080", "answer"]["pointer"] == "/items/-/title"
    assert all(place["field"] == "/title" and place["last"] > 1.6e12 and place["looked_at"] >= place["samples"] for place in seen)
    said = it.versions()
    assert {(one["communication"], one["direction"]) for one in said["samples"]} >= {("COMM-070", "request"), ("COMM-070", "answer")}
    assert "Secret" not in json.dumps(said) and "Hidden" not in json.dumps(said)
    printed = subprocess.run([it.program, "evolve", "TaskCreated", "status", "-c", it.config], capture_output=True, text=True,
                             check=True).stdout
    assert "COMM-070, requests: /task/title in" in printed and "tasks gives version 0: PUT /tasks/{task_id}" in printed, printed

# SPDX-License-Identifier: Apache-2.0
"""Targets of deliveries of an event whose key, and whose other values, lie elsewhere in a later version."""
import json

import pytest

from commute import ask
from conftest import wait_until
from versions import World

V0 = {"type": "object", "additionalProperties": False, "required": ["task_id", "room", "title"],
      "properties": {"task_id": {"type": "integer"}, "room": {"type": "string"}, "title": {"type": "string"}}}
V1 = {"type": "object", "additionalProperties": False, "required": ["about", "title"],
      "properties": {"about": {"type": "object", "additionalProperties": False, "required": ["task", "where"],
                               "properties": {"task": {"type": "integer"}, "where": {"type": "string"}}},
                     "title": {"type": "string"}}}
UP = "{about: {task: $event/task_id, where: $event/room}, title: $event/title}"
DOWN = "{task_id: $event/about/task, room: $event/about/where, title: $event/title}"
DOWN_JQ = "'{task_id: .about.task, room: .about.where, title}'"
MOVED = """
  Moved:
    from: tasks
    topic: moved
    schemas: contracts/Moved.v*.json
    key: /task_id
    capture: ["PUT /tasks/{task_id}"]
    read: GET /tasks/{task_id}
    owner: stays
    versions: {1: {key: /about/task, up: %s%s}}
communications:
  COMM-090:
    data: tasks -> portal
    initially: async
    pull: GET /tasks/{task_id}
    async: {event: Moved, %s, reads: %s}
"""
DELIVER = 'keep: portal, deliver: "PUT /rooms/{room}/cards/{task_id}"'


@pytest.fixture
def world(commute, start, tmp_path, free_port):
    worlds = []

    def make(down=DOWN, reads="[0, 1]", kept=DELIVER, closed=True):
        it = World(commute, start, tmp_path, free_port)
        worlds.append(it)
        (it.folder / "contracts/Moved.v0.json").write_text(json.dumps(V0))
        (it.folder / "contracts/Moved.v1.json").write_text(json.dumps({**V1, "additionalProperties": not closed}))
        head = it.config.read_text().split("  TaskCreated:")[0]
        it.config.write_text(head + MOVED % (UP, down and f", down: {down}", kept, reads))
        it.serve()
        return it
    yield make
    for one in worlds:
        one.services.close()


def put(it, task, room, title="T"):
    status = ask(it.gateway, "PUT", f"/tasks/tasks/{task}", json.dumps({"room": room, "title": title}).encode())[0]
    assert status == 200


@pytest.mark.parametrize("down", [DOWN, DOWN_JQ])
def test_a_target_is_the_same_in_every_version(world, down):
    it = world(down)
    put(it, 7, "red")
    assert it.evolve(1, event="Moved")[0] == 200
    it.until_moved("done", event="Moved", traffic=lambda: put(it, 8, "blue"))
    put(it, 9, "green")
    wait_until(lambda: "/rooms/green/cards/9" in it.services.paths, what="the delivery of version 1")
    assert set(it.services.paths) == {"/rooms/red/cards/7", "/rooms/blue/cards/8", "/rooms/green/cards/9"}
    assert it.services.cards[9] == {"about": {"task": 9, "where": "green"}, "title": "T"}
    assert it.get("/parked")[1]["parked"] == []


def test_a_reader_of_the_new_version_gets_an_old_event_under_its_target(world):
    it = world(reads="[1]")
    put(it, 7, "red")
    wait_until(lambda: it.services.paths, what="the delivery")
    assert it.services.paths == ["/rooms/red/cards/7"]
    assert it.services.cards[7] == {"about": {"task": 7, "where": "red"}, "title": "T"}


@pytest.mark.parametrize("closed", [True, False])
def test_a_target_that_could_not_be_made_stops_the_move_before_anything_moves(world, closed):
    it = world(down="", closed=closed)
    put(it, 7, "red")
    assert it.evolve(1, event="Moved")[0] == 200
    said = it.until_says("names no $event/room", event="Moved")
    assert "version 1 names no $event/room, of which the target of its deliveries is made" in said and "no `down`" in said
    assert it.moved("Moved")["step"] == "consumers" and it.versions("Moved")["emitted"] == 0


def test_the_copy_is_asked_by_the_key_whatever_version_its_row_has(world):
    it = world(kept="keep: gateway", reads="[0, 1]")
    put(it, 7, "red")
    assert it.evolve(1, event="Moved")[0] == 200
    it.until_moved("done", event="Moved", traffic=lambda: put(it, 8, "blue"))
    for task, room in ((7, "red"), (8, "blue")):
        status, _, body = ask(it.gateway, "GET", f"/COMM-090/tasks/{task}")
        assert (status, json.loads(body)) == (200, {"about": {"task": task, "where": room}, "title": "T"})
    assert ask(it.gateway, "GET", "/COMM-090/tasks/99")[0] == 404


def test_what_waits_for_a_reader_that_keeps_nothing_any_more_is_parked(world):
    it = world(reads="[1]")
    it.services.rule = lambda method, path, body: 503 if "/cards/" in path else None
    put(it, 7, "red")
    wait_until(lambda: it.get("/status/COMM-090")[1]["waiting"] == 1, what="the event to wait")
    it.kill()
    it.config.write_text(it.config.read_text().replace(DELIVER, "keep: gateway"))
    it.serve()
    parked = wait_until(lambda: it.get("/parked")[1]["parked"], what="the message to be parked")
    assert "COMM-090 delivers nothing" in json.dumps(parked)
    assert it.get("/status")[1]["faults"] == []

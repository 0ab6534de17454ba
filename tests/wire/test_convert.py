# SPDX-License-Identifier: Apache-2.0
"""Deliveries that a jq program converts: in order whatever the program does to its process, parked with a reason where there is no
event for the reader, never dropped."""
import http.server
import json
import os
import pathlib
import signal
import threading
import time

import pytest

from commute import Commute, ask
from conftest import SLOW, wait_until

CONFIG = """\
listen: {{gateway: "127.0.0.1:{gateway}", registry: "127.0.0.1:{registry}", control: "127.0.0.1:{control}"}}
data: data
services:
  tasks: {{url: "http://127.0.0.1:{owner}"}}
  portal: {{url: "http://127.0.0.1:{reader}"}}
events:
  TaskCreated:
    from: tasks
    topic: task-created
    schemas: TaskCreated.v*.json
    key: /task_id
    capture: ["PUT /tasks/{{task_id}}"]
    read: GET /tasks/{{task_id}}
    {versions}
communications:
  COMM-020:
    data: tasks -> portal
    initially: async
    async: {{event: TaskCreated, keep: portal, deliver: "PUT /cards/{{task_id}}", reads: [{reads}]}}
defaults: {{settle: 1s, timeout: 20s, reconcile: 1h, partitions: 2, retry: {{first: 20ms, longest: 200ms}}}}
"""


def schema(*names):
    return json.dumps({"type": "object", "required": ["task_id", *names], "additionalProperties": False,
                       "properties": {"task_id": {"type": "integer"}, **{name: {"type": "string"} for name in names}}})


# What a title makes the program do: `loop`, `allocate`, `fail`, `wrong` (an event that version 1 refuses), else split it.
UP = r"""
if .title == "loop" then last(repeat(.))
elif .title == "allocate" then [range(1e12)]
elif .title == "fail" then error("no such title")
elif .title == "wrong" then {task_id, title: 7}
else (.title | capture("^\\[(?<area>[^]]*)\\] (?<title>.*)$")) as $t | {task_id, area: $t.area, title: $t.title} end
"""
DOWN = r"""{task_id, title: "[\(.area)] \(.title)"}"""
WITH_MAPPINGS = "versions: {1: {up: up.jq, down: down.jq}}"


class Table(http.server.ThreadingHTTPServer):
    """Owner and reader alike: PUT stores, GET gives; what came is remembered in order."""
    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.lock, self.rows, self.came, self.fail = threading.Lock(), {}, {}, 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def work(self):
            server, key = self.server, int(self.path.split("/")[-1])
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with server.lock:
                status = server.fail
                if not status and self.command == "PUT":
                    server.rows[key] = json.loads(body)
                    server.came.setdefault(key, []).append(server.rows[key])
                answer = json.dumps(server.rows.get(key) if self.command == "GET" else {}).encode()
            try:
                self.send_response(status or (404 if answer == b"null" else 200))
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
            except OSError:
                pass

        do_GET = do_PUT = work

        def log_message(self, *_):
            pass

    def of(self, key):
        with self.lock:
            return list(self.came.get(key, []))


@pytest.fixture
def owner():
    table = Table()
    yield table
    table.shutdown()
    table.server_close()


@pytest.fixture
def reader():
    table = Table()
    yield table
    table.shutdown()
    table.server_close()


class World(Commute):
    def __init__(self, commute, start, folder, ports, owner, reader):
        super().__init__(commute, start, folder, ports, "")
        self.names = dict(zip(("gateway", "registry", "control"), ports), owner=owner.server_address[1],
                          reader=reader.server_address[1])
        (folder / "up.jq").write_text(UP)
        (folder / "down.jq").write_text(DOWN)

    def configure(self, versions=2, mappings=WITH_MAPPINGS, reads="1", produces=0):
        contracts = [schema("title"), schema("area", "title")]
        for number, text in enumerate(contracts):
            file = self.folder / f"TaskCreated.v{number}.json"
            file.write_text(text) if number < versions else file.unlink(missing_ok=True)
        text = f"produces: {produces}\n    {mappings}" if mappings else f"produces: {produces}"
        self.config.write_text(CONFIG.format(versions=text, reads=reads, **self.names))

    def write(self, key, **body):
        status, _, content = ask(self.gateway, "PUT", f"/tasks/tasks/{key}", json.dumps({"task_id": key, **body}))
        assert status == 200, content

    def register(self, version):
        """As a migration to that version does."""
        text = (self.folder / f"TaskCreated.v{version}.json").read_text()
        status, _, content = ask(self.registry, "POST", "/subjects/TaskCreated/versions",
                                 json.dumps({"schema": text, "schemaType": "JSON"}))
        assert status == 200, content

    def parked_rows(self):
        return self.get("/parked?communication=COMM-020")[1]["parked"]

    def converter(self):
        """The process's number; None while there is none."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task")
        for task in children.iterdir():
            for child in (task / "children").read_text().split():
                try:
                    command = pathlib.Path(f"/proc/{child}/cmdline").read_bytes()
                except OSError:
                    continue
                if b"converter-process" in command:
                    return int(child)
        return None


@pytest.fixture
def world(commute, start, tmp_path, free_port, owner, reader):
    return World(commute, start, tmp_path, (free_port(), free_port(), free_port()), owner, reader)


def serve_registered(world, **configuration):
    world.configure(**configuration)
    world.serve()
    # The subject is open for what the usual compatibility would refuse: versions are compared by their mappings.
    status, _, content = ask(world.registry, "PUT", "/config/TaskCreated", json.dumps({"compatibility": "NONE"}))
    assert status == 200, content
    world.register(1)


def card(key, area, title):
    return {"task_id": key, "area": area, "title": title}


def test_a_reader_gets_the_version_that_it_understands(world, reader):
    serve_registered(world)
    world.write(7, title="[Java] Sort [quickly]")
    wait_until(lambda: reader.of(7), 20, "the card")
    assert reader.of(7) == [card(7, "Java", "Sort [quickly]")]


@pytest.mark.parametrize("title, why", [
    ("loop", "it takes more than 250 ms"),
    ("allocate", "it "),                                # needs too much memory, or takes too long where memory is not limited
    ("fail", "no such title"),
    ("no brackets", "gave no output"),
    ("wrong", "does not"),
])
def test_what_cannot_be_converted_is_parked_and_the_rest_goes_on(world, reader, title, why):
    serve_registered(world)
    world.write(1, title="[a] before")
    world.write(7, title=title)
    world.write(7, title="[b] behind it")
    for key in range(20, 30):
        world.write(key, title=f"[c] {key}")
    rows = wait_until(world.parked_rows, 30, "the message to be parked")
    assert len(rows) == 1, rows
    said = json.dumps(world.get(f"/parked/{rows[0]['position']}")[1])
    if title != "wrong":
        assert why in said, said
    assert "TaskCreated" in said
    wait_until(lambda: all(reader.of(key) for key in range(20, 30)), 30, "the other lanes")
    assert reader.of(7) == []                           # what is behind it waits
    wait_until(lambda: world.decide(rows[0], "discard")[0] == 200, 20, "the discard")
    wait_until(lambda: reader.of(7), 20, "what was behind it")
    assert reader.of(7) == [card(7, "b", "behind it")]


def test_a_parked_message_is_delivered_when_its_mapping_is_mended(world, reader):
    serve_registered(world)
    world.write(7, title="fail")
    rows = wait_until(world.parked_rows, 30, "the message to be parked")
    world.process.stop()
    (world.folder / "up.jq").write_text("{task_id, area: \"none\", title}")
    world.serve()
    assert len(world.parked_rows()) == 1
    wait_until(lambda: world.decide(rows[0], "retry")[0] == 200, 20, "the retry")
    wait_until(lambda: reader.of(7), 20, "the card")
    assert reader.of(7) == [card(7, "none", "fail")]


def test_an_unknown_version_is_parked_and_reported_never_dropped(world, owner, reader):
    serve_registered(world, produces=1, reads="1")
    reader.fail = 503
    world.write(7, area="Java", title="Sort")
    world.write(8, area="C", title="Link")
    world.process.stop()
    # The version that lies in the topic is in no configuration any more.
    world.configure(versions=1, mappings="", reads="0")
    reader.fail = 0
    world.serve()
    rows = wait_until(lambda: len(world.parked_rows()) == 2 and world.parked_rows(), 30, "both to be parked")
    for row in rows:
        said = json.dumps(world.get(f"/parked/{row['position']}")[1])
        assert "no version of TaskCreated" in said, said
    assert reader.of(7) == reader.of(8) == []
    world.process.stop()
    world.configure(produces=1, reads="1")
    world.serve()
    assert len(world.parked_rows()) == 2
    for row in rows:
        wait_until(lambda row=row: world.decide(row, "retry")[0] == 200, 20, "the retry")
    wait_until(lambda: reader.of(7) and reader.of(8), 20, "both cards")
    assert (reader.of(7), reader.of(8)) == ([card(7, "Java", "Sort")], [card(8, "C", "Link")])


def collapse(cards):
    """Without repeats that follow each other: an upsert may be delivered again."""
    return [card for place, card in enumerate(cards) if place == 0 or cards[place - 1] != card]


def write_many(world, keys, rounds, started):
    def writer(key):
        for number in range(rounds):
            world.write(key, title=f"[{number}] task {key}")
            started.set()
    threads = [threading.Thread(target=writer, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    return threads


def expected(key, rounds):
    return [card(key, str(number), f"task {key}") for number in range(rounds)]


def test_lanes_keep_their_order_while_the_converter_is_killed(world, reader):
    serve_registered(world)
    keys, rounds, started, killed = range(1, 9), 15, threading.Event(), set()
    threads = write_many(world, keys, rounds, started)
    started.wait(20)
    while any(thread.is_alive() for thread in threads) or len(killed) < 3:
        process = world.converter()
        if process and process > 1 and process not in killed:
            killed.add(process)
            os.kill(process, signal.SIGKILL)
        world.write(99, title="[0] wakes it")
        time.sleep(0.05)
    for thread in threads:
        thread.join()
    wait_until(lambda: all(collapse(reader.of(key)) == expected(key, rounds) for key in keys), 60 * SLOW, "every card, in order")
    assert world.parked_rows() == [] and len(killed) >= 3


def test_lanes_keep_their_order_over_a_kill_of_commute(world, reader):
    serve_registered(world)
    keys, rounds = range(1, 9), 12
    reader.fail = 503                                   # everything waits to be converted and delivered
    for thread in write_many(world, keys, rounds, threading.Event()):
        thread.join()
    for _ in range(3):
        reader.fail = 0
        wait_until(lambda: any(reader.of(key) for key in keys), 20, "deliveries to begin")
        converter = world.converter()
        world.kill()
        assert not converter or wait_until(lambda c=converter: not pathlib.Path(f"/proc/{c}").exists(), 10, "its process to end too")
        world.serve()
    wait_until(lambda: all(reader.of(key)[-1:] == expected(key, rounds)[-1:] for key in keys), 60 * SLOW, "the newest of every card")
    for key in keys:
        # A kill may deliver again what had been delivered, never an older one behind a newer one but such a repeat.
        came = collapse(reader.of(key))
        assert [one for one in expected(key, rounds) if one in came] == expected(key, rounds), came
    assert world.parked_rows() == []

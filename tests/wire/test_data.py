# SPDX-License-Identifier: Apache-2.0
"""Data communications through `commute serve`: captured writes, the copy, dirty keys, tables of readers, push."""
import http.client
import http.server
import json
import random
import threading
import time
import urllib.parse

import pytest

from conftest import SLOW, wait_until

SCHEMA = json.dumps({
    "type": "object", "required": ["manager_id", "name"], "additionalProperties": False,
    "properties": {"manager_id": {"type": "integer"}, "name": {"type": "string"}},
})

CONFIG = """\
listen: {{gateway: "127.0.0.1:{gateway}", registry: "127.0.0.1:{registry}", control: "127.0.0.1:{control}"}}
data: data
services:
  staff: {{url: "http://127.0.0.1:{owner}"}}
  portal: {{url: "http://127.0.0.1:{reader}"}}
events:
  ManagerCreated:
    from: staff
    topic: manager-streaming
    schemas: Manager.v*.json
    key: /manager_id
    capture: [POST /managers, "PUT /managers/{{manager_id}}", "DELETE /managers/{{manager_id}}"]
    backfill: GET /managers?after={{cursor}}
communications:
  COMM-010:
    data: staff -> portal
    initially: {mode}
    pull: GET /managers/{{manager_id}}
    {more}
defaults: {{settle: {settle}, timeout: 1s, shadow: {{messages: 10, minutes: 10}}, reconcile: {reconcile}, deadline: 300ms,
            retry: {{first: 20ms, longest: 200ms}}}}
"""
KEPT = "async: {event: ManagerCreated, keep: gateway}"
TABLE = ('async: {event: ManagerCreated, keep: portal, deliver: "PUT /managers/{manager_id}"}\n'
         '    push: PUT /managers/{manager_id}')


class Service(http.server.ThreadingHTTPServer):
    """A program with a table, which can be told to be slow, to fail, or to do its work and lose the answer."""
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.lock, self.rows, self.seen = threading.Lock(), {}, []
        self.pause, self.fail, self.pause_before_work = 0, None, 0
        self.next_id = 1000
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]


class Owner(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def give(self, status, value=None):
        body = b"" if value is None else json.dumps(value).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            pass                                        # the caller had waited long enough

    def work(self):
        server = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = urllib.parse.urlsplit(self.path)
        with server.lock:
            server.seen.append((self.command, self.path))
            reads = self.command == "GET"
            fail = None if reads else server.fail
            pause = 0 if reads else server.pause
            before = 0 if reads else server.pause_before_work
        if fail:
            return self.give(fail, {"error": "told to"})
        time.sleep(before)
        key = path.path.split("/")[-1]
        with server.lock:
            status, value = self.act(server, path, key, json.loads(body) if body else None)
        time.sleep(pause)
        self.give(status, value)

    def act(self, server, path, key, body):
        if self.command == "GET" and path.path == "/managers":
            after = urllib.parse.parse_qs(path.query, keep_blank_values=True).get("after", [""])[0]
            keys = [k for k in sorted(server.rows) if k > int(after or 0)][:10]
            return 200, {"items": [server.rows[k] for k in keys], "next": str(keys[-1]) if len(keys) == 10 else None}
        if self.command == "POST":
            server.next_id += 1
            server.rows[server.next_id] = {"manager_id": server.next_id, "name": body["name"]}
            return 201, server.rows[server.next_id]
        key = int(key)
        if self.command == "PUT":
            if not body.get("name"):
                return 422, {"error": "a manager has a name"}
            server.rows[key] = {"manager_id": key, "name": body["name"]}
            return 200, {"saved": True}
        if self.command == "DELETE":
            return (204, None) if server.rows.pop(key, None) else (404, {"error": "no such manager"})
        return (200, server.rows[key]) if key in server.rows else (404, {"error": "no such manager"})

    do_GET = do_POST = do_PUT = do_DELETE = work

    def log_message(self, *_):
        pass


class Reader(http.server.BaseHTTPRequestHandler):
    """Keeps its own table, and refuses what is older than what it has (200, {"stale": true})."""
    protocol_version = "HTTP/1.1"

    def work(self):
        server = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        key, sequence = int(self.path.split("/")[-1]), int(self.headers["Commute-Sequence"])
        time.sleep(server.pause_before_work)
        with server.lock:
            fail = server.fail
            server.seen.append((self.command, key, sequence, json.loads(body) if body else None))
            stale = not fail and server.rows.get(key, (0, None))[0] >= sequence
            if not fail and not stale:
                server.rows[key] = (sequence, json.loads(body) if body else None)
        answer = json.dumps({"stale": stale}).encode()
        try:
            self.send_response(fail or 200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
        except OSError:
            pass

    do_PUT = do_DELETE = work

    def log_message(self, *_):
        pass


@pytest.fixture
def owner():
    server = Service(Owner)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def reader():
    server = Service(Reader)
    yield server
    server.shutdown()
    server.server_close()


def ask(port, method, target, body=None, token=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20 * SLOW)
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connection.request(method, target, body=None if body is None else json.dumps(body), headers=headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, json.loads(content) if content else None


class Commute:
    def __init__(self, program, start, folder, ports, text):
        self.program, self.start, self.folder = program, start, folder
        self.gateway, self.registry, self.control = ports
        (folder / "commute.yaml").write_text(text)
        (folder / "Manager.v0.json").write_text(SCHEMA)

    def serve(self):
        self.process = self.start(self.program, "serve", "-c", self.folder / "commute.yaml", ready=self.is_ready, seconds=20)
        return self.process

    def is_ready(self):
        try:
            return ask(self.control, "GET", "/readyz")[0] == 200
        except OSError:
            return False

    def write(self, method, key, body=None):
        return ask(self.gateway, method, "/staff/managers" + ("" if key is None else f"/{key}"), body)

    def read(self, key):
        return ask(self.gateway, "GET", f"/COMM-010/managers/{key}")

    def mode(self):
        return ask(self.gateway, "GET", "/modes/COMM-010")[1]

    def control_of(self, method, target, body=None):
        return ask(self.control, method, target, body, (self.folder / "data/token").read_text().strip())

    def get(self, target):
        return self.control_of("GET", target)[1]

    def order(self, target, body=None):
        return self.control_of("POST", target, body)


@pytest.fixture
def commute_with(commute, start, tmp_path, free_port, owner, reader):
    def make(mode="async", more=KEPT, settle="1s", reconcile="1h"):
        ports = free_port(), free_port(), free_port()
        names = dict(zip(("gateway", "registry", "control"), ports), owner=owner.port, reader=reader.port)
        it = Commute(commute, start, tmp_path, ports, CONFIG.format(mode=mode, more=more, settle=settle, reconcile=reconcile, **names))
        it.serve()
        return it
    return make


def owner_was_asked(owner, method, path):
    with owner.lock:
        return (method, path) in owner.seen


# ---- pulled: as without commute ----

def test_what_is_pulled_is_the_owners(commute_with, owner):
    it = commute_with(mode="pull")
    owner.rows[7] = {"manager_id": 7, "name": "Ada"}
    assert it.read(7) == (200, {"manager_id": 7, "name": "Ada"})
    assert it.write("PUT", 7, {"name": "Bea"}) == (200, {"saved": True})
    assert it.read(7)[1]["name"] == "Bea"
    assert it.mode() == {"communication": "COMM-010", "mode": "pull", "epoch": 1}


# ---- captured writes are in the copy when their caller is told ----

def test_a_put_is_readable_in_the_same_instant(commute_with, owner):
    it = commute_with()
    assert it.mode()["mode"] == "async"
    for n in range(20):
        assert it.write("PUT", 7, {"name": f"Ada {n}"}) == (200, {"saved": True})
        assert it.read(7) == (200, {"manager_id": 7, "name": f"Ada {n}"})
    with owner.lock:
        owner.rows.clear()                              # … without asking the owner
    assert it.read(7) == (200, {"manager_id": 7, "name": "Ada 19"})


def test_a_post_is_readable_under_the_key_that_the_owner_gave(commute_with, owner):
    it = commute_with()
    status, row = it.write("POST", None, {"name": "Ada"})
    assert status == 201
    with owner.lock:
        owner.rows.clear()
    assert it.read(row["manager_id"]) == (200, row)


def test_a_delete_is_gone(commute_with, owner):
    it = commute_with()
    it.write("PUT", 7, {"name": "Ada"})
    assert it.write("DELETE", 7) == (204, None)
    with owner.lock:
        owner.rows[7] = {"manager_id": 7, "name": "the owner is not asked"}
    assert it.read(7)[0] == 404


def test_a_write_that_the_owner_refuses_changes_nothing(commute_with):
    it = commute_with()
    it.write("PUT", 7, {"name": "Ada"})
    assert it.write("PUT", 7, {"name": ""}) == (422, {"error": "a manager has a name"})
    assert it.read(7) == (200, {"manager_id": 7, "name": "Ada"})


def test_rows_from_before_are_the_owners(commute_with, owner):
    owner.rows[7] = {"manager_id": 7, "name": "Ada"}
    it = commute_with()
    assert it.read(7) == (200, {"manager_id": 7, "name": "Ada"})
    assert it.read(8)[0] == 404


def test_the_copy_outlives_the_process(commute_with, owner):
    it = commute_with()
    it.write("PUT", 7, {"name": "Ada"})
    it.write("PUT", 8, {"name": "Bea"})
    it.write("DELETE", 8)
    it.process.kill()
    with owner.lock:
        owner.rows.clear()
    it.serve()
    assert it.read(7) == (200, {"manager_id": 7, "name": "Ada"})
    assert it.read(8)[0] == 404


def test_concurrent_writes_of_one_key_end_in_one_value(commute_with, owner):
    it = commute_with()

    def writer(which):
        for n in range(15):
            assert it.write("PUT", 7, {"name": f"{which}-{n}"})[0] == 200
    threads = [threading.Thread(target=writer, args=(which,)) for which in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with owner.lock:
        final = owner.rows.pop(7)
    assert it.read(7) == (200, final)


def test_writes_that_wait_for_their_turn_while_capturing_ends_go_to_their_own_rows(commute_with, owner):
    it = commute_with(mode="pull")
    assert it.order("/migrations/COMM-010", {"to": "async"})[0] == 200

    def shards_that_capture():
        return it.get("/status/COMM-010")["shards"]["record"]

    def captures():
        if shards_that_capture():
            return True
        it.order("/migrations/COMM-010/advance")        # refused until the step's gate has passed
    wait_until(captures, what="capturing to begin")
    owner.pause_before_work = 0.2                       # so that the second write of a row waits for the first
    answers = []

    def writer(key, n):
        answers.append(it.write("PUT", key, {"name": f"Ada {n}"}))
    threads = [threading.Thread(target=writer, args=(key, n)) for key in (7, 8) for n in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: owner_was_asked(owner, "PUT", "/managers/7"), what="the first write to be under way")
    assert it.order("/migrations/COMM-010/cancel")[0] == 200
    wait_until(lambda: not shards_that_capture(), what="capturing to end")
    for thread in threads:
        thread.join()
    assert answers == [(200, {"saved": True})] * 16
    with owner.lock:
        assert sorted(path for method, path in owner.seen if method == "PUT") == ["/managers/7"] * 8 + ["/managers/8"] * 8


def test_a_write_that_was_forwarded_before_a_kill_9_is_waited_for(commute_with, owner):
    it = commute_with(mode="pull", settle="6s")
    owner.rows.update({key: {"manager_id": key, "name": "Ada"} for key in (7, 8)})
    owner.pause_before_work = 4

    def lost():
        with pytest.raises((OSError, http.client.HTTPException)):
            it.write("PUT", 7, {"name": "Bea"})
    writer = threading.Thread(target=lost)
    writer.start()
    wait_until(lambda: owner_was_asked(owner, "PUT", "/managers/7"), what="the write to reach the owner")
    it.process.kill()
    writer.join()
    it.serve()
    assert it.order("/migrations/COMM-010", {"to": "async", "auto": True})[0] == 200

    def filled():
        return it.get("/status/COMM-010")["backfill"]["phase"] == "complete"
    wait_until(filled, 20, "the backfill")
    wait_until(lambda: it.read(8) and it.mode()["mode"] == "async", 20, "readers to use the copy")
    wait_until(lambda: owner.rows[7]["name"] == "Bea", 20, "the owner to do it")
    assert it.read(7) == (200, {"manager_id": 7, "name": "Bea"})


# ---- writes of which nobody knows the outcome ----

def test_a_write_that_times_out_leaves_its_key_to_the_owner_until_it_is_read_again(commute_with, owner):
    it = commute_with(settle="2s")
    it.write("PUT", 7, {"name": "Ada"})
    owner.pause = 2                                     # longer than `timeout`: it is done, and nobody is told
    status, error = it.write("PUT", 7, {"name": "Bea"})
    assert status == 504 and error["error"] == "owner-timeout"
    owner.pause = 0
    assert it.read(7)[1]["name"] == "Bea"               # the owner's answer
    assert owner_was_asked(owner, "GET", "/managers/7")
    wait_until(lambda: reads_copy_only(it, owner, 7), 10, "the key to be read again")
    assert it.read(7) == (200, {"manager_id": 7, "name": "Bea"})


def reads_copy_only(it, owner, key):
    """Whether a read does not reach the owner."""
    with owner.lock:
        owner.seen.clear()
    it.read(key)
    return not owner_was_asked(owner, "GET", f"/managers/{key}")


def test_a_write_that_is_done_late_is_seen(commute_with, owner):
    """The owner executes it long after its caller was told that nobody knows, but within `settle`."""
    it = commute_with(settle="3s")
    it.write("PUT", 7, {"name": "Ada"})
    owner.pause_before_work = 2
    assert it.write("PUT", 7, {"name": "Bea"})[0] == 504
    owner.pause_before_work = 0
    assert it.read(7)[1]["name"] == "Ada"
    wait_until(lambda: it.read(7)[1]["name"] == "Bea" and reads_copy_only(it, owner, 7), 15, "the late write")


def test_a_post_without_an_answer_makes_misses_the_owners_until_a_backfill(commute_with, owner):
    for key in range(1, 26):
        owner.rows[key] = {"manager_id": key, "name": f"number {key}"}
    it = commute_with(settle="1s")
    owner.pause = 2
    assert it.write("POST", None, {"name": "Ada"})[0] == 504
    owner.pause = 0
    assert it.read(1001) == (200, {"manager_id": 1001, "name": "Ada"})
    wait_until(lambda: reads_copy_only(it, owner, 1001) and reads_copy_only(it, owner, 25), 10, "the backfill")
    assert it.read(1001) == (200, {"manager_id": 1001, "name": "Ada"})


def test_killed_between_the_intent_and_the_event(commute_with, owner):
    it = commute_with(settle="1s")
    it.write("PUT", 7, {"name": "Ada"})
    owner.pause = 0.5                                   # done at once, and answered after the kill
    writer = threading.Thread(target=lambda: pytest.raises(OSError, it.write, "PUT", 7, {"name": "Bea"}))
    writer.start()
    wait_until(lambda: owner.rows[7]["name"] == "Bea", 5)
    it.process.kill()
    writer.join()
    owner.pause = 0
    it.serve()
    assert it.read(7)[1]["name"] == "Bea"               # not what the copy says
    wait_until(lambda: reads_copy_only(it, owner, 7), 10, "the key to be read again")
    assert it.read(7)[1]["name"] == "Bea"


# ---- writes that came past the gateway ----

def test_reconciliation_repairs_what_came_past_the_gateway(commute_with, owner):
    it = commute_with(reconcile="1s", settle="1s")
    it.write("PUT", 7, {"name": "Ada"})
    it.write("PUT", 8, {"name": "Bea"})
    with owner.lock:
        owner.rows[7] = {"manager_id": 7, "name": "not through the gateway"}
        del owner.rows[8]
    wait_until(lambda: it.read(7)[1]["name"] == "not through the gateway", 10)
    wait_until(lambda: it.read(8)[0] == 404, 10)


# ---- the reader's own table ----

def test_events_are_delivered_to_the_readers_table_in_order(commute_with, reader):
    it = commute_with(more=TABLE)
    for n in range(30):
        assert it.write("PUT", n % 3, {"name": f"name {n}"})[0] == 200
    it.write("DELETE", 2)
    wait_until(lambda: len(reader.seen) >= 31, 10, "the deliveries")
    assert {key: row for key, (_, row) in reader.rows.items()} == {
        0: {"manager_id": 0, "name": "name 27"}, 1: {"manager_id": 1, "name": "name 28"}, 2: None}
    for key in range(3):
        sequences = [sequence for _, k, sequence, _ in reader.seen if k == key]
        assert sequences == list(range(1, len(sequences) + 1))
    assert reader.seen[-1][0] == "DELETE" or ("DELETE", 2, 11, None) in reader.seen


def test_a_reader_that_is_down_gets_everything_later(commute_with, reader):
    it = commute_with(more=TABLE)
    reader.fail = 503
    for n in range(5):
        it.write("PUT", 7, {"name": f"name {n}"})
    reader.fail = None
    wait_until(lambda: reader.rows.get(7) == (5, {"manager_id": 7, "name": "name 4"}), 10)


def test_a_delivery_that_nobody_knows_of_waits_settle_and_goes_again(commute_with, reader):
    it = commute_with(more=TABLE, settle="2s")
    reader.pause_before_work = 1.5                      # longer than `timeout`
    began = time.monotonic()
    it.write("PUT", 7, {"name": "Ada"})
    wait_until(lambda: reader.rows.get(7), 10)
    reader.pause_before_work = 0
    it.write("PUT", 7, {"name": "Bea"})
    wait_until(lambda: reader.rows.get(7) == (2, {"manager_id": 7, "name": "Bea"}), 15)
    assert time.monotonic() - began >= 2.9              # timeout, then settle


# ---- push ----

def test_a_push_is_in_the_readers_table_before_the_writer_is_told(commute_with, reader):
    it = commute_with(mode="push", more=TABLE)
    assert it.mode()["mode"] == "push"
    for n in range(10):
        assert it.write("PUT", 7, {"name": f"name {n}"})[0] == 200
        assert reader.rows[7] == (n + 1, {"manager_id": 7, "name": f"name {n}"})


def test_a_push_that_takes_longer_than_the_deadline_goes_on_as_a_delivery(commute_with, reader):
    it = commute_with(mode="push", more=TABLE)
    reader.pause_before_work = 0.8
    began = time.monotonic()
    assert it.write("PUT", 7, {"name": "Ada"})[0] == 200
    assert 0.25 < time.monotonic() - began < 0.75 * SLOW and 7 not in reader.rows
    wait_until(lambda: reader.rows.get(7) == (1, {"manager_id": 7, "name": "Ada"}), 10)


# ---- all of it at once ----

def storm(it, owner, reader, seed, seconds):
    """Writers of a few keys while owner and reader are slow, fail and lose answers, and commute is killed with -9."""
    dice, until = random.Random(seed), time.monotonic() + seconds

    def writer(number):
        own = random.Random(seed * 100 + number)
        while time.monotonic() < until:
            key = own.randrange(1, 9)
            try:
                if own.random() < 0.15:
                    it.write("DELETE", key)
                elif own.random() < 0.1:
                    it.write("POST", None, {"name": f"{number} {own.random()}"})
                else:
                    it.write("PUT", key, {"name": f"{number} {own.random()}"})
            except OSError:
                time.sleep(0.05)                        # commute is down
    writers = [threading.Thread(target=writer, args=(number,)) for number in range(6)]
    for thread in writers:
        thread.start()
    while time.monotonic() < until:
        time.sleep(0.3)
        for service in (owner, reader):
            service.pause, service.pause_before_work = dice.choice([0, 0, 0, 1.2]), dice.choice([0, 0, 0, 1.2])
            service.fail = dice.choice([None, None, None, None, 500, 503])
        if dice.random() < 0.12:
            it.process.kill()
            it.serve()
    for thread in writers:
        thread.join()
    for service in (owner, reader):
        service.pause = service.pause_before_work = 0
        service.fail = None


def test_owner_and_copy_end_equal_whatever_happened(commute_with, owner, reader):
    it = commute_with(settle="3s")
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    storm(it, owner, reader, seed, 8)
    with owner.lock:
        keys = sorted(set(range(1, 9)) | set(owner.rows))
    wait_until(lambda: all(reads_copy_only(it, owner, key) for key in keys), 40, "every key to be the copy's again")
    for key in keys:
        status, row = it.read(key)
        assert (row if status == 200 else None) == owner.rows.get(key), f"seed {seed}, key {key}"


def test_owner_and_the_readers_table_end_equal_whatever_happened(commute_with, owner, reader):
    it = commute_with(more=TABLE, settle="3s")
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    storm(it, owner, reader, seed, 8)

    def equal():
        table = {key: row for key, (_, row) in reader.rows.items() if row is not None}
        return table == owner.rows
    wait_until(equal, 60, f"the table to be the owner's again (seed {seed})")

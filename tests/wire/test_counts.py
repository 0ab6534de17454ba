# SPDX-License-Identifier: Apache-2.0
"""What commute may cost, counted rather than timed: system calls and allocations of a call, records read for a delivery and a switch."""
import http.client
import json
import os
import re
import signal
import socket
import subprocess

import pytest

from conftest import ROOT, wait_until

CONFIG = """\
listen: {{gateway: "127.0.0.1:{gateway}", registry: "127.0.0.1:{registry}", control: "127.0.0.1:{control}"}}
data: "{folder}/data"
threads: 1
services:
  tasks: {{url: "http://127.0.0.1:{provider}"}}
  bonuses: {{url: "http://127.0.0.1:{provider}"}}
events:
  TaskCompletedSuccessful:
    from: tasks
    topic: task-completed
    schemas: "{root}/contracts/TaskCompletedSuccessful.v*.json"
    key: /payload/task_id
communications:
  COMM-040:
    functional: tasks -> bonuses
    initially: {mode}
    call: POST /accruals
    key: $body/task_id
    recognises: {{header: Idempotency-Key}}
    async:
      event: TaskCompletedSuccessful
      wrap: {{event_id: $sequence, created_at: $now, payload: $body}}
      unwrap: $event/payload
"""
CALLS = 300


class Gateway:
    def __init__(self, start, build, folder, free_port, mode):
        self.ports = {name: free_port() for name in ("gateway", "registry", "control", "provider")}
        self.start, self.build, self.folder = start, build, folder
        self.config = folder / f"{mode}.yaml"
        self.config.write_text(CONFIG.format(folder=folder, root=ROOT, mode=mode, **self.ports))
        start(build / "bench/bench-backend", self.ports["provider"], ready=self.ports["provider"])

    def serve(self, env=None):
        return self.start(self.build / "src/commute", "serve", "-c", self.config, env=env, ready=self.is_ready, seconds=20)

    def is_ready(self):
        try:
            return self.get("/readyz", token=False)[0] == 200
        except OSError:
            return False

    def get(self, target, token=True):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["control"], timeout=60)
        headers = {"Authorization": "Bearer " + (self.folder / "data/token").read_text().strip()} if token else {}
        connection.request("GET", target, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def call(self, count, wanted):
        """So many calls, one after the other, over one connection, each in one write."""
        with socket.create_connection(("127.0.0.1", self.ports["gateway"]), timeout=60) as connection:
            for number in range(count):
                body = json.dumps({"task_id": number, "candidate_id": 7, "manager_id": 9}).encode()
                connection.sendall(b"POST /COMM-040/accruals HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
                                   b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
                answer = http.client.HTTPResponse(connection, method="POST")
                answer.begin()
                assert (answer.status, bool(answer.read())) == (wanted, True)

    def metric(self, name):
        return float(re.search(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", self.get("/metrics")[1], re.M)[1])


@pytest.fixture
def gateway(start, build, tmp_path, free_port):
    return lambda mode: Gateway(start, build, tmp_path, free_port, mode)


def counts_of(process, path):
    path.unlink(missing_ok=True)
    process.child.send_signal(signal.SIGUSR2)
    wait_until(lambda: path.exists() and path.read_text().endswith("\n"), what="the counts")
    return json.loads(path.read_text())


def test_a_call_in_sync_mode_is_two_reads_two_writes_and_no_allocation(gateway, build, tmp_path):
    it, counts = gateway("sync"), tmp_path / "counts"
    process = it.serve({"LD_PRELOAD": str(build / "tests/wire/libcount-calls.so"), "COUNT_CALLS": str(counts),
                        "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"})
    it.call(50, 201)
    before = counts_of(process, counts)
    it.call(CALLS, 201)
    after = counts_of(process, counts)
    cost = {name: after[name] - before[name] for name in after}
    # And what a caller's connection costs that comes and goes.
    assert 2 * CALLS <= cost["sends"] <= 2 * CALLS + 10, cost
    assert 2 * CALLS <= cost["receives"] <= 2 * CALLS + 10, cost
    assert cost["allocations"] <= 10, cost


def test_what_is_delivered_at_once_is_not_read_from_the_log(gateway):
    it = gateway("async")
    it.serve()

    def figures():
        return it.metric("commute_log_records_total"), it.metric("commute_log_read_total")
    it.call(20, 202)
    records, read = figures()
    it.call(CALLS, 202)
    wait_until(lambda: figures()[0] >= records + 2 * CALLS, what="all deliveries")
    wait_until(lambda: figures()[1] - read >= 2 * CALLS - 40, what="the views")
    # Each MESSAGE and DELIVERED is read once, by the views.
    assert figures()[1] - read <= (figures()[0] - records) + 50


def test_a_switch_reads_and_writes_the_same_whatever_the_topic_holds(gateway):
    it = gateway("async")
    orders = subprocess.Popen([it.build / "bench/bench-gateway", it.config], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def order(what):
        orders.stdin.write(what + "\n")
        orders.stdin.flush()
        answer = json.loads(orders.stdout.readline())
        assert answer["ok"], answer
        return answer

    def there_and_back():
        wait_until(lambda: order("state")["waiting"] == 0, what="the deliveries")
        return [(answer["records_read"], answer["records_written"]) for answer in map(order, ("record", "async"))]
    try:
        order("state")
        it.call(10, 202)
        few = there_and_back()
        it.call(CALLS, 202)
        assert there_and_back() == few == [(8, 8), (8, 8)]       # one EPOCH of each shard, written and folded
    finally:
        orders.kill()
        orders.wait()

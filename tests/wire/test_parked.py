# SPDX-License-Identifier: Apache-2.0
"""Deliveries that fail: what is parked and what is not, what a person decides, when it is tried again."""
import itertools
import json
import sqlite3
import subprocess
import time

import pytest

from commute import Commute, Provider, ask
from conftest import SLOW, wait_until

CONTRACT = {"type": "object", "additionalProperties": False, "required": ["event_id", "payload"],
            "properties": {"event_id": {"type": "integer"},
                           "payload": {"type": "object", "required": ["task_id"],
                                       "properties": {"task_id": {"type": "integer"}, "number": {"type": "integer"}}}}}
CONFIG = """\
listen: {{gateway: "127.0.0.1:{gateway}", registry: "127.0.0.1:{registry}", control: "127.0.0.1:{control}"}}
data: data
services:
  tasks: {{url: "http://127.0.0.1:{provider}"}}
  bonuses: {{url: "http://127.0.0.1:{provider}"}}
events:
  TaskDone: {{from: tasks, topic: task-done, schemas: TaskDone.v*.json, key: /payload/task_id}}
communications:
  COMM-040:
    functional: tasks -> bonuses
    initially: async
    call: POST /accruals
    key: $body/task_id
    recognises: {recognises}
    async: {{event: TaskDone, wrap: {{event_id: $sequence, payload: $body}}, unwrap: {unwrap}{more}}}
defaults: {{partitions: 2, settle: {settle}, timeout: {timeout}, retry: {{first: 20ms, longest: {longest}}}}}
"""


@pytest.fixture
def provider():
    server = Provider()
    yield server
    server.close()


@pytest.fixture
def serve(commute, start, tmp_path, free_port, provider):
    """serve(recognises="none") is commute in async mode."""
    (tmp_path / "TaskDone.v0.json").write_text(json.dumps(CONTRACT))

    def begin(recognises="Idempotency-Key", settle="300ms", timeout="1s", longest="200ms", more="", unwrap="$event/payload"):
        if recognises != "none":
            recognises = f'{{header: {recognises}, replayed: "Idempotent-Replayed: true"}}'
        ports = free_port(), free_port(), free_port()
        names = dict(zip(("gateway", "registry", "control"), ports), provider=provider.port)
        it = Commute(commute, start, tmp_path, ports,
                     CONFIG.format(**names, recognises=recognises, settle=settle, timeout=timeout, longest=longest, more=more,
                                   unwrap=unwrap))
        it.serve()
        return it
    return begin


def accept(it, task, number=0, identity=None):
    """A message of the lane `task`; gives where its receipt is."""
    headers = {"Idempotency_Key": identity} if identity else {}
    status, answered, _ = it.call(json.dumps({"task_id": task, "number": number}), **headers)
    assert status == 202
    return answered["Location"]


def refuses(task, status, number=None):
    """A rule: this task (or this message of it) is refused."""
    def rule(request):
        if not request.target.startswith("/accruals"):
            return None
        wanted = request.json["task_id"] == task and number in (None, request.json["number"])
        return status if wanted else None
    return rule


def everything(status):
    return lambda request: status


def until_parked(it, count=1):
    return wait_until(lambda: len(it.parked()) == count and it.parked(), 20, f"{count} parked")


def until_delivered(it, count):
    wait_until(lambda: it.accounts()["delivered"] == count, 20, f"{count} delivered")


# ---- one message is refused ----

def test_a_refused_message_parks_its_lane_alone(serve, provider):
    it = serve()
    provider.rule = refuses(1, 422, number=0)
    for number in range(3):
        accept(it, 1, number)
    for task in range(2, 12):
        accept(it, task)
    (row,) = until_parked(it)
    assert (row["state"], row["status"], row["reason"]) == ("parked", 422, "the provider refused it")
    assert row["sequence"] == 1 and row["attempts"] >= 3
    until_delivered(it, 10)
    assert sorted(provider.tasks()) == list(range(2, 12))
    accounts = it.accounts()
    assert (accounts["parked"], accounts["waiting"]) == (1, 2), "its successors wait behind it"
    for task in range(12, 15):
        accept(it, task)                            # others go on meanwhile
    until_delivered(it, 13)
    assert 1 not in provider.tasks()


def test_retry_goes_on_with_the_lane_in_order(serve, provider):
    it = serve()
    provider.rule = refuses(1, 422, number=0)
    for number in range(4):
        accept(it, 1, number)
    (row,) = until_parked(it)
    provider.rule = everything(None)
    it.decide_soon(row, "retry")
    until_delivered(it, 4)
    assert [request.json["number"] for request in provider.done] == [0, 1, 2, 3]
    assert it.parked() == [] and it.decide(row, "retry")[0] == 404


def test_retry_that_is_refused_again_parks_again(serve, provider):
    it = serve()
    provider.rule = refuses(1, 422)
    accept(it, 1)
    (row,) = until_parked(it)
    it.decide_soon(row, "retry")
    wait_until(lambda: (again := it.parked()) and again[0]["changed"] > row["changed"], 20, "it to be parked again")
    assert len(provider.calls()) == 6, "three attempts each time"
    assert provider.tasks() == [] and it.accounts()["parked"] == 1


def test_discard_gives_up_one_message_and_no_more(serve, provider):
    it = serve()
    provider.rule = refuses(1, 422, number=0)
    where = accept(it, 1, 0)
    for number in (1, 2):
        accept(it, 1, number)
    (row,) = until_parked(it)
    it.decide_soon(row, "discard")
    until_delivered(it, 2)
    assert [request.json["number"] for request in provider.done] == [1, 2]
    accounts = it.accounts()
    assert accounts["parked"] == 0 and accounts["discarded"] == 1, accounts
    assert ask(it.gateway, "GET", where)[0] == 200


def test_refusal_discard_parks_nothing(serve, provider):
    it = serve(more=", refusal: discard")
    provider.rule = refuses(1, 422, number=0)
    accept(it, 1, 0)
    accept(it, 1, 1)
    accept(it, 2)
    until_delivered(it, 2)
    assert it.parked() == [] and sorted(provider.tasks()) == [1, 2]


def test_what_is_parked_stays_parked_after_kill_9(serve, provider):
    it = serve()
    provider.rule = refuses(1, 422, number=0)
    accept(it, 1, 0)
    accept(it, 1, 1)
    (row,) = until_parked(it)
    before, asked = it.accounts(), len(provider.calls())
    it.kill()
    it.serve()
    time.sleep(0.5)
    (again,) = it.parked()
    assert (again["position"], again["state"], again["status"]) == (row["position"], "parked", 422)
    assert it.accounts() == before and len(provider.calls()) == asked, "nothing of the lane was sent"
    provider.rule = everything(None)
    it.decide_soon(again, "retry")
    until_delivered(it, 2)
    assert [request.json["number"] for request in provider.done] == [0, 1]


def test_many_refused_messages_hold_up_nobody(serve, provider):
    """Refused ones alone look like a provider that refuses everybody; a success tells them apart, and does not wait for them."""
    it = serve(longest="3s")
    provider.rule = everything(503)                             # until all are there: one alone would be about the message
    for task in range(40):
        accept(it, task)
    provider.rule = lambda request: 422 if request.target == "/accruals" and request.json["task_id"] < 40 else None
    wait_until(lambda: it.status()["provider_fails"], what="delivery to pause")
    time.sleep(1)
    assert it.parked() == []
    for task in range(40, 60):
        accept(it, task)
    until_delivered(it, 20)
    last = max(request.at for request in provider.done) - min(request.at for request in provider.seen)
    assert last < 6 * SLOW, f"the good ones waited {last:.1f} s"
    tasks = itertools.cycle(range(60, 76))                      # lanes of both shards
    wait_until(lambda: accept(it, next(tasks)) and len(it.parked()) == 40, 30, "40 parked")
    pages, after = [], 0
    while after is not None:
        said = it.get(f"/parked?communication=COMM-040&limit=15&after={after}")[1]
        pages.append([row["position"] for row in said["parked"]])
        after = said["next"]
    assert [len(page) for page in pages] == [15, 15, 10] and sum(pages, []) == sorted(set(sum(pages, [])))


def test_two_lanes_of_refused_messages_and_nothing_else_park(serve, provider):
    it = serve()
    provider.rule = everything(503)
    accept(it, 1)
    accept(it, 2)
    wait_until(lambda: {request.json["task_id"] for request in provider.calls()} == {1, 2}, what="both to be tried")
    provider.rule = everything(422)
    asked = len(provider.calls())
    wait_until(lambda: len(it.parked()) == 2, what="both to be parked")
    assert len(provider.calls()) - asked <= 2 * 11, "ten refusals each (and what was under way)"
    assert all(row["status"] == 422 for row in it.parked())


# ---- the provider fails for everybody ----

@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_a_provider_that_refuses_everything_parks_nothing(serve, provider, status):
    it = serve()
    provider.rule = everything(503)
    for task in range(30):
        accept(it, task)
    provider.rule = everything(status)
    wait_until(lambda: it.status()["provider_fails"], what="delivery to pause")
    time.sleep(0.4)
    asked = len(provider.calls())
    time.sleep(0.6)
    assert len(provider.calls()) - asked <= 18, "paused: one delivery at a time, with backoff"
    assert it.parked() == [] and it.accounts()["parked"] == 0
    provider.rule = everything(None)
    until_delivered(it, 30)
    assert sorted(provider.tasks()) == list(range(30)) and it.parked() == []
    assert not it.status()["provider_fails"]


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_provider_is_asked_again_with_backoff(serve, provider, status):
    it = serve("none")                              # nothing was done: no identity is needed to try again
    provider.rule = everything(status)
    accept(it, 1)
    wait_until(lambda: len(provider.calls()) >= 6, 20, "six attempts")
    times = [request.at for request in provider.calls()[:6]]
    gaps = [later - earlier for earlier, later in zip(times, times[1:])]
    assert min(gaps) >= 0.008 and gaps[-1] > 2 * gaps[0] or max(gaps) > 0.1, gaps
    provider.rule = everything(None)
    until_delivered(it, 1)
    assert it.parked() == [] and provider.tasks() == [1]


def test_409_to_a_repeat_waits_for_the_first_attempt(serve, provider):
    """The first attempt hangs and is done later; the repeats meet it under way (409) until then."""
    it = serve(timeout="300ms")
    hanging = []

    def rule(request):
        if request.target != "/accruals":
            return None
        if not hanging:
            hanging.append(request)
            return "done and hang"
        return 409 if len(provider.calls()) < 5 else None
    provider.rule = rule
    accept(it, 1, identity="first")
    until_delivered(it, 1)
    assert provider.tasks() == [1], "done once"
    assert len(provider.calls()) >= 5 and {request.identity for request in provider.calls()} == {"first"}
    assert it.parked() == []


def test_409_to_a_first_attempt_is_a_refusal(serve, provider):
    it = serve("none")
    provider.rule = refuses(1, 409)
    accept(it, 1)
    accept(it, 2)
    (row,) = until_parked(it)
    assert row["status"] == 409 and not provider.tasks().count(1)


# ---- nobody knows ----

@pytest.mark.parametrize("how", ["lose", "hang", "done and hang", 500])
def test_an_indeterminate_delivery_is_made_again_where_identities_are_recognised(serve, provider, how):
    it = serve(timeout="300ms")
    failed = []

    def rule(request):
        if request.target == "/accruals" and len(failed) < 3:
            failed.append(request)
            return how
        return None
    provider.rule = rule
    accept(it, 1)
    accept(it, 1, 1)
    until_delivered(it, 2)
    assert [request.json["number"] for request in provider.done] == [0, 1], "each once, in order"
    assert it.parked() == []


@pytest.mark.parametrize("how", ["lose", "hang", "done and hang", 500])
def test_an_indeterminate_delivery_waits_for_a_person_where_nothing_is_recognised(serve, provider, how):
    it = serve("none", settle="1s", timeout="300ms")
    provider.recognises = False
    failed = []

    def rule(request):
        if request.target == "/accruals" and request.json["task_id"] == 1 and not failed:
            failed.append(request)
            return how
        return None
    provider.rule = rule
    accept(it, 1, 0)
    accept(it, 1, 1)
    accept(it, 2)
    (row,) = until_parked(it)
    assert "nobody knows whether" in row["reason"]
    until_delivered(it, 1)
    for decision in ("retry", "discard", "settle"):
        status, refused = it.decide(row, decision)
        assert status == 409 and "settle" in refused["message"], refused
    assert len([request for request in provider.calls() if request.json["task_id"] == 1]) == 1, "it is not tried again"
    done = any(request.json == {"task_id": 1, "number": 0} for request in provider.done)
    assert done == (how in ("lose", "done and hang"))
    it.decide_soon(row, "settle" if done else "retry")
    until_delivered(it, 2 if done else 3)
    assert sorted((request.json["task_id"], request.json["number"]) for request in provider.done) == [(1, 0), (1, 1), (2, 0)]
    assert it.accounts()["settled by hand"] == (1 if done else 0)
    assert it.parked() == []


def test_an_attempt_that_kill_9_cut_off_waits_for_a_person(serve, provider):
    it = serve("none", settle="500ms", timeout="20s")
    provider.recognises = False
    provider.rule = lambda request: "done and hang" if request.target == "/accruals" and request.json["task_id"] == 1 else None
    accept(it, 1)
    wait_until(lambda: provider.tasks() == [1], what="the first attempt")
    it.kill()
    it.serve()
    (row,) = until_parked(it)
    it.decide_soon(row, "settle")
    time.sleep(0.3)
    assert provider.tasks() == [1] and it.accounts()["settled by hand"] == 1


# ---- what commute cannot make a request of ----

def listed(it, *arguments):
    """What `commute parked …` prints."""
    return subprocess.run([it.program, "parked", *arguments, "-c", it.config], capture_output=True, text=True, check=True).stdout


def test_a_message_whose_record_has_gone_is_parked_and_goes_on_when_it_is_back(serve, provider):
    provider.rule = lambda request: 503
    it = serve(longest="20ms")
    for task in (1, 2):
        assert it.call(json.dumps({"task_id": task}).encode())[0] == 202
    wait_until(lambda: provider.calls() and it.accounts()["waiting"] == 2, what="a delivery, and the views to know both")
    it.process.stop()
    with sqlite3.connect(it.data / "log.db") as log:
        row = log.execute("SELECT record.* FROM record JOIN stream USING (stream) WHERE CAST(stream.name AS TEXT) LIKE 'topic/%' "
                          "ORDER BY position").fetchone()
        columns = [column[1] for column in log.execute("PRAGMA table_info(record)")]
        position = row[columns.index("position")]
        log.execute("DELETE FROM record WHERE position = ?", (position,))
    provider.release()
    it.serve()
    (held,) = until_parked(it)
    assert held["position"] == position and f"no record at position {position}" in held["why"], held
    wait_until(lambda: provider.tasks() == [2], what="the other lane")
    assert f"commute cannot make a request of it: {held['why']}" in listed(it, "list")
    assert json.loads(listed(it, "show", str(position)))["record"] == f"no record at position {position}"
    it.process.stop()
    with sqlite3.connect(it.data / "log.db") as log:
        log.execute(f"INSERT INTO record({', '.join(columns)}) VALUES ({', '.join('?' * len(row))})", row)
    it.serve()
    it.decide_soon(held, "retry")
    wait_until(lambda: provider.tasks() == [2, 1], what="the delivery")
    wait_until(lambda: it.parked() == [], what="the views to know it")


def test_a_value_that_resolves_to_nothing_parks_its_lane_and_is_not_told(serve, provider):
    it = serve(unwrap="{task_id: $event/payload/task_id, who: {$resolve: {purpose: accruals, of: $event/payload/who}}}")
    for task in (1, 2, 3):
        assert it.call(json.dumps({"task_id": task, "who": "ludmilla.quast@example.org"}).encode())[0] == 202
    rows = until_parked(it, 3)
    assert all("$resolve: the text is no pseudonym of this purpose" in row["why"] for row in rows), rows
    assert all(row["attempts"] == 1 for row in rows)
    assert "ludmilla" not in listed(it, "list")
    assert provider.seen == []

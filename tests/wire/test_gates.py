# SPDX-License-Identifier: Apache-2.0
"""Gates of a migration: planted mistakes are named by the first counterexample, nothing is switched, and cancel leads back."""
import json
import threading
import time

import pytest

from commute import Commute, Provider
from conftest import wait_until

CONTRACT = {"type": "object", "additionalProperties": False, "required": ["event_id", "payload"],
            "properties": {"event_id": {"type": "integer"}, "created_at": {"type": "string"},
                           "payload": {"type": "object", "required": ["task_id"],
                                       "properties": {"task_id": {"type": "integer"}, "manager_id": {"type": "integer"},
                                                      "candidate_id": {"type": "integer"}}}}}
CONFIG = """\
listen: {{gateway: "127.0.0.1:{gateway}", registry: "127.0.0.1:{registry}", control: "127.0.0.1:{control}"}}
data: data
services:
  tasks: {{url: "http://127.0.0.1:{provider}"}}
  bonuses: {{url: "http://127.0.0.1:{provider}"}}
events:
  TaskCompletedSuccessful: {{from: tasks, topic: task-completed, schemas: TaskCompletedSuccessful.v*.json, key: /payload/task_id}}
communications:
  COMM-040:
    functional: tasks -> bonuses
    initially: sync
    call: {call}
    key: $body/task_id
    recognises: {recognises}
    {more}
    async: {{event: TaskCompletedSuccessful, wrap: {wrap}, unwrap: {unwrap}}}
  COMM-041: {{functional: tasks -> bonuses, initially: sync, call: POST /bare}}
defaults: {{shadow: {{messages: 10, minutes: 10}}, partitions: 2, settle: 300ms, timeout: 2s}}
"""
USUAL = {"call": "POST /accruals",
         "recognises": '{header: Idempotency-Key, replayed: "Idempotent-Replayed: true", probe: POST /probe}',
         "wrap": "{event_id: $sequence, created_at: $now, payload: $body}", "unwrap": "$event/payload", "more": "headers: []"}


@pytest.fixture
def provider():
    server = Provider()
    yield server
    server.close()


@pytest.fixture
def commute_with(commute, start, tmp_path, free_port, provider):
    (tmp_path / "TaskCompletedSuccessful.v0.json").write_text(json.dumps(CONTRACT))

    def make(port=None, serve=True, **changes):
        ports = free_port(), free_port(), free_port()
        names = dict(zip(("gateway", "registry", "control"), ports), provider=port or provider.port, **{**USUAL, **changes})
        it = Commute(commute, start, tmp_path, ports, CONFIG.format(**names))
        if serve:
            it.serve()
        return it
    return make


def complete(it, count, first=0, target="/COMM-040/accruals", **headers):
    """So many completions, each of another task; all are answered."""
    for number in range(first, first + count):
        body = json.dumps({"task_id": 1000 + number, "manager_id": 7, "candidate_id": number + 10})
        assert it.call(body, target, **headers)[0] in (201, 202)


def sentence(it):
    now = it.migration()
    evidence = now["steps"][now["number"] - 1]["evidence"]
    return evidence["sentence"] if evidence else ""


def fails_in_shadow(it, what):
    """The shadow gate fails and says so, nothing was switched, and cancel brings calls back to plain."""
    def all_compared():
        now = it.migration()
        evidence = now["steps"][3]["evidence"]
        return evidence and " differ" in evidence["sentence"] and evidence["figures"]["compared"] == 10 and now
    failed = wait_until(all_compared, what="the shadow gate to fail")
    evidence = failed["steps"][3]["evidence"]
    assert (failed["step"], failed["status"], evidence["verdict"]) == ("producer", "gate", "fail")
    assert what in evidence["sentence"], evidence["sentence"]
    assert evidence["figures"]["differing"] == 10
    status, refused = it.order("/advance")
    assert status == 409 and what in refused["message"]
    said = it.status()
    assert said["mode"] == "sync" and said["accounts"]["appended"] == 0
    assert it.order("/cancel")[0] == 200
    it.until("cancelled")
    recorded = it.accounts()["admitted"]
    complete(it, 5, first=500)
    assert it.accounts()["admitted"] == recorded, "calls are plain again"


# ---- planted mistakes ----

@pytest.mark.parametrize("changes, what", [
    ({"wrap": "{event_id: $sequence, payload: "
              "{task_id: $body/task_id, manager_id: $body/candidate_id, candidate_id: $body/manager_id}}"},
     "body /manager_id: the call has 7, the delivery would have 10"),
    ({"unwrap": "$event"}, "body /"),
    ({"unwrap": "{task_id: $event/payload/task_id, manager_id: $event/payload/manager_id}"},
     "body /candidate_id: the call has 10, the delivery would have nothing"),
    ({"unwrap": "{task_id: $event/payload/task_id, manager_id: $event/payload/manager_id, candidate_id: 7}"},
     "body /candidate_id: the call has 10, the delivery would have 7"),
], ids=["two ids swapped in wrap", "the envelope not taken off", "a field forgotten", "a field made constant"])
def test_a_mistake_in_a_mapping_is_named(commute_with, changes, what):
    it = commute_with(**changes)
    it.migrate("async")
    it.until("gate", "producer")
    complete(it, 10)
    fails_in_shadow(it, what)


def test_a_mapping_that_moves_the_key_is_refused_before_it_starts(commute_with):
    """The event's key must be the call's: swapped, events would be ordered by another id."""
    it = commute_with(serve=False, wrap="{event_id: $sequence, payload: {task_id: $body/manager_id, manager_id: $body/task_id}}")
    refused = it.serve(wait=False)
    assert refused.wait() == 65
    assert "COMM-040.key: the key of TaskCompletedSuccessful, /payload/task_id, is $body/manager_id" in refused.stderr()


def test_a_header_left_out_is_named(commute_with, provider):
    it = commute_with()
    it.migrate("async")
    it.until("gate", "producer")
    complete(it, 10, X_Tenant="acme")
    assert provider.calls()[-1].headers["X-Tenant"] == "acme"
    fails_in_shadow(it, "header X-Tenant: the call has it, the delivery would not (list it under `headers`)")


def test_a_header_that_is_listed_is_carried(commute_with, provider):
    it = commute_with(more="headers: [X-Tenant]")
    it.migrate("async")
    it.until("gate", "producer")
    complete(it, 10, X_Tenant="acme")
    it.until("gate", "old-way-off")
    complete(it, 3, first=100, X_Tenant="acme")
    it.until("done")
    wait_until(lambda: it.accounts()["delivered"] == 3, what="3 deliveries")
    assert [request.headers["X-Tenant"] for request in provider.calls()[-3:]] == ["acme"] * 3


def test_a_query_that_is_carried_passes(commute_with, provider):
    it = commute_with()
    it.migrate("async")
    it.until("gate", "producer")
    complete(it, 10, target="/COMM-040/accruals?source=mobile&retry=0")
    it.until("gate", "old-way-off")
    complete(it, 1, first=100, target="/COMM-040/accruals?source=mobile&retry=1")
    it.until("done")
    wait_until(lambda: provider.calls()[-1].target == "/accruals?source=mobile&retry=1", what="the delivery with its query")


def test_a_query_that_gets_lost_is_named(commute_with):
    it = commute_with(unwrap='$event/payload, deliver: POST /accruals')
    it.migrate("async")
    it.until("gate", "producer")
    complete(it, 10, target="/COMM-040/accruals?source=mobile")
    fails_in_shadow(it, "target: the call has /accruals?source=mobile, the delivery would have /accruals")


def test_events_are_delivered_where_deliver_says(commute_with, provider):
    it = commute_with(serve=False, unwrap='$event/payload, deliver: "POST /accruals/of/{task_id}?by=event"')
    it.config.write_text(it.config.read_text().replace("initially: sync\n    call", "initially: async\n    call"))
    it.serve()
    complete(it, 1)
    wait_until(lambda: it.accounts()["delivered"] == 1, what="the delivery")
    assert [request.target for request in provider.calls()] == ["/accruals/of/1000?by=event"]


def test_an_event_that_its_schema_refuses_is_named(commute_with):
    it = commute_with(wrap="{event_id: $sequence, created_at: $sequence, payload: $body}")
    it.migrate("async")
    it.until("gate", "producer")
    complete(it, 10)
    fails_in_shadow(it, "/created_at")


def test_one_difference_among_many_is_enough(commute_with):
    it = commute_with(unwrap="{task_id: $event/payload/task_id, manager_id: 7, candidate_id: $event/payload/candidate_id}")
    it.migrate("async")
    it.until("gate", "producer")
    complete(it, 6)
    it.call(b'{"task_id": 5, "manager_id": 8, "candidate_id": 5}')
    first = "first: body /manager_id: the call has 8, the delivery would have 7"
    wait_until(lambda: f"1 of 7 comparisons differs; {first}" in sentence(it), what="the one difference")
    complete(it, 20, first=100)
    time.sleep(0.5)
    assert "1 of 27 comparisons differs" in sentence(it) and it.status()["mode"] == "sync"


# ---- what is waited for ----

def test_no_traffic_is_wait_never_pass(commute_with):
    it = commute_with()
    it.migrate("async")
    it.until("gate", "producer")
    wait_until(lambda: "no call has come for 1 s: nothing could be compared" in sentence(it), what="a second without a call")
    assert it.migration()["steps"][3]["evidence"]["verdict"] == "wait"
    status, refused = it.order("/advance")
    assert status == 409 and "no call has come" in refused["message"]
    complete(it, 9)
    wait_until(lambda: sentence(it) == "9 of 10 comparisons, none differs")
    complete(it, 1, first=9)
    it.until("gate", "old-way-off")
    assert "no message has come by the new way yet" in sentence(it)
    complete(it, 1, first=10)
    it.until("done")


def test_a_provider_that_does_not_answer_is_not_ready(commute_with, provider, free_port):
    it = commute_with(port=free_port())
    it.migrate("async")
    there = it.until("person", "consumer")
    wait_until(lambda: "bonuses does not answer" in sentence(it), what="the reason")
    assert there["steps"][2]["status"] == "now" and it.status()["mode"] == "sync"
    assert it.order("/cancel")[0] == 200
    it.until("cancelled")


def test_a_provider_that_recognises_nothing_is_not_ready(commute_with, provider):
    provider.recognises = False
    it = commute_with()
    it.migrate("async")
    it.until("person", "consumer")
    wait_until(lambda: "does not show that it recognises Idempotency-Key" in sentence(it), what="the reason")
    provider.recognises = True
    it.until("gate", "producer")


def test_recognition_that_is_lost_before_the_switch_fails(commute_with, provider):
    it = commute_with()
    it.migrate("async")
    it.until("gate", "producer")
    provider.recognises = False
    complete(it, 20)
    wait_until(lambda: "does not show that it recognises" in sentence(it), 20, "the gate to see it")
    assert it.status()["mode"] == "sync"


# ---- commands ----

def test_of_two_commands_at_once_one_is_taken(commute_with):
    it = commute_with()
    answers = []
    together = threading.Barrier(8)

    def begin():
        together.wait()
        answers.append(it.order("", {"to": "async", "auto": True}))
    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status for status, _ in answers) == [200] + [409] * 7
    assert {answer["message"].split(":")[0] for status, answer in answers if status == 409} == {"COMM-040"}
    assert it.migration()["id"] == 1


def test_what_cannot_be_done_is_refused_with_the_reason(commute_with, provider):
    it = commute_with()
    for target, wanted, status, reason in (("COMM-041", "async", 501, "COMM-041 has no `async` in the configuration"),
                                           ("COMM-040", "pull", 501, "COMM-040 is functional"),
                                           ("COMM-040", "sync", 409, "COMM-040 is sync already"),
                                           ("COMM-042", "async", 404, "COMM-042")):
        got, answer = it.get(f"/migrations/{target}", method="POST", body=json.dumps({"to": wanted}))
        assert got == status and reason in answer["message"], answer
    for what in ("advance", "pause", "rollback", "cancel"):
        assert it.order("/" + what)[0] in (404, 409), what
    assert it.get("/migrations") == (200, {"migrations": []})


def test_a_changed_configuration_voids_the_evidence(commute_with):
    it = commute_with()
    it.migrate("async", auto=False)
    for step in ("registered", "producer"):
        it.until("ready", step)
        it.order("/advance")
    it.until("gate", "producer")
    complete(it, 10)
    it.until("ready", "switch")
    it.process.stop()
    it.config.write_text(it.config.read_text().replace("messages: 10", "messages: 11"))
    it.serve()
    now = it.until("ready", "producer")
    assert any("configuration has changed" in entry["what"] for entry in now["history"]), now["history"]
    assert it.status()["mode"] == "sync"

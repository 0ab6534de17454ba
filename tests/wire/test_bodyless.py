# SPDX-License-Identifier: Apache-2.0
"""Calls without a body, where their target says everything: sync, in shadow, async and back."""
import itertools
import json

import pytest

from commute import Commute, Provider, ask
from conftest import wait_until

CONTRACT = {"type": "object", "additionalProperties": False, "required": ["event_id", "accrual"],
            "properties": {"event_id": {"type": "integer"}, "accrual": {"type": "string"}, "why": {"type": "string"}}}
CONFIG = """\
listen: {{gateway: "127.0.0.1:{gateway}", registry: "127.0.0.1:{registry}", control: "127.0.0.1:{control}"}}
data: data
services:
  tasks: {{url: "http://127.0.0.1:{provider}"}}
  bonuses: {{url: "http://127.0.0.1:{provider}"}}
events:
  AccrualDropped: {{from: tasks, topic: accrual-dropped, schemas: AccrualDropped.v*.json, key: /accrual}}
communications:
  COMM-040:
    functional: tasks -> bonuses
    initially: {initially}
    call: DELETE /accruals/{{accrual}}
    key: $path/accrual
    recognises: {{header: Idempotency-Key, replayed: "Idempotent-Replayed: true", probe: POST /probe}}
    async: {{event: AccrualDropped, wrap: {wrap}}}
defaults: {{partitions: 2, settle: 300ms, timeout: 2s, retry: {{first: 20ms, longest: 200ms}}, shadow: {{messages: 5, minutes: 10}}}}
"""
FROM_THE_PATH = "{event_id: $sequence, accrual: $path/accrual}"


@pytest.fixture
def provider():
    server = Provider()
    yield server
    server.close()


@pytest.fixture
def serve(commute, start, tmp_path, free_port, provider):
    def started(initially, wrap=FROM_THE_PATH):
        (tmp_path / "AccrualDropped.v0.json").write_text(json.dumps(CONTRACT))
        ports = free_port(), free_port(), free_port()
        names = dict(zip(("gateway", "registry", "control"), ports), provider=provider.port)
        it = Commute(commute, start, tmp_path, ports, CONFIG.format(**names, initially=initially, wrap=wrap))
        it.serve()
        return it
    return started


def drop(it, accrual, body=None, **headers):
    return ask(it.gateway, "DELETE", f"/COMM-040/accruals/{accrual}", body, **headers)


def test_a_call_without_a_body_is_a_message_and_is_delivered_without_one(serve, provider):
    it = serve("async")
    first = drop(it, "a", Idempotency_Key="1")
    assert first[0] == 202
    wait_until(lambda: it.accounts()["delivered"] == 1, what="the delivery")
    (call,) = provider.calls()
    assert (call.method, call.target, call.body, call.identity) == ("DELETE", "/accruals/a", b"", "1")
    assert drop(it, "a", Idempotency_Key="1")[1]["Location"] == first[1]["Location"], "a repeat"
    assert drop(it, "b", Idempotency_Key="1")[0] == 409, "another call"
    assert drop(it, "a", "{}", Idempotency_Key="1")[0] == 409, "a body is not the same as none"
    it.kill()
    it.serve()
    assert drop(it, "a", Idempotency_Key="1")[1]["Location"] == first[1]["Location"], "a repeat after a restart"


def test_it_is_migrated_there_and_back(serve, provider):
    it = serve("sync")
    calls = itertools.count()

    def goes_on_until(mode, status):
        said = drop(it, f"number-{next(calls)}")[0]
        assert said in (201, 202), "no call fails on the way"
        migration = it.migration()
        return migration["status"] == "done" and it.status()["mode"] == mode and said == status
    for to, status in (("async", 202), ("sync", 201)):
        it.migrate(to)
        wait_until(lambda to=to, status=status: goes_on_until(to, status), 20, f"{to}")
    sent = next(calls)
    wait_until(lambda: len(provider.done) == sent, what="what was accepted to be done")
    assert all(call.body == b"" for call in provider.calls())


@pytest.mark.parametrize("wrap, place", [
    ("{event_id: $sequence, accrual: $path/accrual, why: $body/why}", "/why"),
    ("{event_id: $sequence, accrual: $path/accrual, why: $body}", "/why"),
])
def test_a_template_that_uses_the_body_says_that_there_is_none(serve, provider, wrap, place):
    it = serve("async", wrap)
    status, _, answer = drop(it, "a")
    assert status == 422
    said = json.loads(answer)["message"]
    assert f'at "{place}"' in said and "there is no body" in said
    assert it.accounts()["admitted"] == 0 and provider.calls() == []


def test_a_body_that_is_no_json_is_refused_as_ever(serve, provider):
    it = serve("async")
    assert drop(it, "a", "{")[0] == 400
    assert it.accounts()["admitted"] == 0 and provider.calls() == []

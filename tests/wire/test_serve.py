# SPDX-License-Identifier: Apache-2.0
"""`commute serve`: it starts, forwards, tells how it is, ends politely, and refuses what it must not begin."""
import http.server
import json
import os
import re
import signal
import socket
import stat
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from commute import Commute, ask
from conftest import SLOW, wait_until

CONFIG = """\
listen: {{gateway: "127.0.0.1:{gateway}", registry: "127.0.0.1:{registry}", control: "127.0.0.1:{control}"}}
data: data
services:
  tasks: {{url: "http://127.0.0.1:{provider}"}}
  bonuses: {{url: "http://127.0.0.1:{provider}"}}
communications:
  COMM-040:
    functional: tasks -> bonuses
    initially: sync
    call: POST /accruals
"""


class Provider(http.server.ThreadingHTTPServer):
    """A service that answers 201 with what it got, after `pause` seconds; or with the status `fail`."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Provider.Answer)
        self.pause, self.fail, self.seen = 0, None, []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]

    class Answer(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.server.seen.append((self.path, body))
            time.sleep(self.server.pause)
            self.send_response(self.server.fail or 201)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass


@pytest.fixture
def provider():
    server = Provider()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def commute_with(commute, start, tmp_path, free_port, provider):
    """commute_with(text) makes a Commute; {gateway}, {registry}, {control}, {provider} in the text are ports."""
    def make(text=CONFIG):
        ports = free_port(), free_port(), free_port()
        names = dict(zip(("gateway", "registry", "control"), ports), provider=provider.port)
        return Commute(commute, start, tmp_path, ports, text.format(**names))
    return make


# ---- basics ----

def test_starts_forwards_and_ends(commute_with, provider):
    it = commute_with()
    process = it.serve()
    status, _, body = it.call(b'{"task_id": 17}')
    assert (status, body) == (201, b'{"task_id": 17}')
    assert provider.seen == [("/accruals", b'{"task_id": 17}')]
    process.stop()
    assert " info ended" in process.stderr()


def test_says_where_it_listens_when_it_is_ready(commute_with):
    it = commute_with()
    line = next(line for line in it.serve().stderr().splitlines() if " ready " in line)
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info ready ", line)
    assert f"gateway=127.0.0.1:{it.gateway} registry=127.0.0.1:{it.registry} control=127.0.0.1:{it.control} " in line


def test_logs_json_when_asked(commute_with):
    lines = [json.loads(line) for line in commute_with().serve("--log-format", "json").stderr().splitlines()]
    assert lines[-1]["event"] == "ready" and lines[-1]["level"] == "info"


def test_logs_nothing_below_the_level(commute_with):
    assert commute_with().serve("--log-level", "error").stderr() == ""


def test_tells_a_supervisor(commute_with, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(tmp_path / "notify"))
        supervisor.settimeout(20 * SLOW)
        process = commute_with().serve(env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert supervisor.recv(100) == b"READY=1"
        process.stop()
        assert supervisor.recv(100) == b"STOPPING=1"


def test_what_is_not_there_is_404(commute_with, provider):
    it = commute_with()
    it.serve()
    assert it.call(target="/COMM-999/accruals")[0] == 404
    assert it.call(target="/COMM-040/elsewhere")[0] == 404
    assert ask(it.gateway, "GET", "/COMM-040/elsewhere")[0] == 404
    assert it.call(target="/receipts")[0] == 404
    assert provider.seen == []


@pytest.mark.parametrize("method, target, allowed", [
    ("GET", "/COMM-040/accruals", "POST"), ("DELETE", "/COMM-040/accruals?x=1", "POST"), ("HEAD", "/COMM-040/accruals", "POST"),
    ("POST", "/receipts/1", "GET"), ("PUT", "/modes/COMM-040", "GET"),
])
def test_another_method_of_a_path_is_405_with_what_is_allowed(commute_with, provider, method, target, allowed):
    it = commute_with()
    it.serve()
    status, headers, body = ask(it.gateway, method, target)
    assert (status, headers["Allow"]) == (405, allowed)
    assert method == "HEAD" or json.loads(body)["error"] == "method"
    assert provider.seen == []


def test_a_provider_that_is_down_is_503(commute_with, free_port):
    it = commute_with(CONFIG.replace("{provider}", str(free_port())))
    it.serve()
    assert it.call()[0] == 503


# ---- ending and beginning again ----

def test_sigterm_lets_what_is_under_way_end(commute_with, provider):
    it = commute_with()
    process = it.serve()
    provider.pause, answers = 1.5, []
    caller = threading.Thread(target=lambda: answers.append(it.call()[0]))
    caller.start()
    wait_until(lambda: provider.seen, what="the call to arrive")
    process.child.send_signal(signal.SIGTERM)
    wait_until(lambda: not it.is_ready(), what="/readyz to say no")
    assert process.wait() == 0
    caller.join()
    assert answers == [201]


def test_a_second_signal_ends_at_once(commute_with, provider):
    it = commute_with()
    process = it.serve()
    provider.pause = 8
    threading.Thread(target=lambda: pytest.raises(Exception, it.call), daemon=True).start()
    wait_until(lambda: provider.seen, what="the call to arrive")
    process.child.send_signal(signal.SIGTERM)
    wait_until(lambda: " ending " in process.stderr())
    began = time.monotonic()
    process.child.send_signal(signal.SIGINT)
    assert process.wait() == 75
    assert time.monotonic() - began < 5
    assert "cut-short" in process.stderr()


def test_starts_again_after_kill_9(commute_with):
    it = commute_with()
    process = it.serve()
    token, key = it.token, (it.data / "key").read_bytes()
    assert it.call()[0] == 201
    process.kill()
    it.serve()
    assert it.call()[0] == 201
    assert (it.token, (it.data / "key").read_bytes()) == (token, key)


def test_a_configuration_is_numbered_once(commute_with):
    it = commute_with()
    first = it.serve()
    assert "configuration number=1 " in first.stderr()
    first.stop()
    second = it.serve()
    assert "configuration number" not in second.stderr()
    second.stop()
    it.config.write_text(it.config.read_text() + "defaults: {settle: 31s}\n")
    assert "configuration number=2 " in it.serve().stderr()


# ---- the data folder ----

def test_secrets_are_their_owners(commute_with):
    it = commute_with()
    it.serve()
    assert stat.S_IMODE(it.data.stat().st_mode) == 0o700
    for path in it.data.iterdir():
        expected = 0o644 if path.name == "certificate.pub" else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected, path.name
    assert len((it.data / "key").read_bytes()) == 32
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}\n", (it.data / "token").read_text())


def test_a_second_one_on_the_folder_is_refused(commute_with, free_port):
    it = commute_with()
    it.serve()
    second = it.serve(wait=False)
    assert second.wait() == 75
    assert "refused-to-start code=conflict" in second.stderr() and "in use by process" in second.stderr()
    assert it.call()[0] == 201


def test_a_log_without_its_key_is_refused(commute_with):
    it = commute_with()
    it.serve().stop()
    key = (it.data / "key").read_bytes()
    (it.data / "key").unlink()
    refused = it.serve(wait=False)
    assert refused.wait() == 66 and "restore the file from a backup" in refused.stderr()
    assert not (it.data / "key").exists()
    (it.data / "key").write_bytes(key[:31])
    (it.data / "key").chmod(0o600)
    refused = it.serve(wait=False)
    assert refused.wait() == 74 and "31 bytes" in refused.stderr()
    (it.data / "key").write_bytes(key)
    it.serve()


def test_a_secret_that_others_can_read_is_refused(commute_with):
    it = commute_with()
    it.serve().stop()
    (it.data / "token").chmod(0o644)
    refused = it.serve(wait=False)
    assert refused.wait() == 77 and "chmod 600" in refused.stderr()


def test_lost_views_are_built_again(commute_with):
    it = commute_with()
    it.serve().stop()
    for path in it.data.glob("state.db*"):
        path.unlink()
    it.serve()
    assert it.call()[0] == 201


# ---- what is refused ----

def test_a_mistake_in_the_configuration_is_placed(commute_with):
    it = commute_with(CONFIG.replace("initially: sync", "initially: sink"))
    refused = it.serve(wait=False)
    assert refused.wait() == 65
    assert re.search(r"commute\.yaml:9:\d+: communications\.COMM-040\.initially: ", refused.stderr())
    assert not it.data.exists()


def test_an_address_in_use_is_refused(commute_with):
    it = commute_with()
    with socket.socket() as other:
        other.bind(("127.0.0.1", it.control))
        other.listen()
        refused = it.serve(wait=False)
        assert refused.wait() != 0
        assert f"127.0.0.1:{it.control}" in refused.stderr()


@pytest.mark.parametrize("arguments", [["--log-level", "loud"], ["--log-format", "xml"], ["--what"], ["more"]])
def test_a_wrong_command_line_is_refused(commute_with, arguments):
    assert commute_with().serve(*arguments, wait=False).wait() == 64


# ---- control API ----

def test_the_control_api_wants_its_token(commute_with):
    it = commute_with()
    it.serve()
    for target in ("/status", "/status/COMM-040", "/parked", "/proof/COMM-040", "/metrics", "/config", "/no-such-path"):
        for token in (None, "wrong", it.token[:-1], it.token + "x"):
            assert it.get(target, token=token)[0] == 401, target
    for target in ("/healthz", "/readyz", "/modes/COMM-040"):
        assert it.get(target, token=None)[0] == 200


def test_status_counts(commute_with):
    it = commute_with()
    it.serve()
    for _ in range(3):
        it.call()
    it.call(target="/COMM-040/elsewhere")
    status, said = it.get("/status")
    assert status == 200 and said["ready"] is True and said["faults"] == []
    (communication,) = said["communications"]
    assert (communication["name"], communication["from"], communication["to"]) == ("COMM-040", "tasks", "bonuses")
    assert communication["mode"] == communication["initially"] == "sync"
    assert communication["calls"]["done"] == 3
    assert 0 < communication["calls"]["p50_us"] <= communication["calls"]["p99_us"]
    status, one = it.get("/status/COMM-040")
    assert status == 200 and one["adds_up"] is True and one["accounts"]["admitted"] == 0
    assert it.get("/modes/COMM-040")[1]["mode"] == "sync"


def test_what_it_does_not_know_is_refused_by_name(commute_with):
    it = commute_with()
    it.serve()
    assert it.get("/status/COMM-999") == (404, {"error": "not-found", "message": 'there is no communication "COMM-999"'})
    assert it.get("/status?colour=red")[1]["message"] == "the query parameter colour is not known here (known: latency)"
    assert it.get("/parked?limit=many")[0] == 400
    assert it.get("/parked?limit=1001")[0] == 400
    assert it.get("/status", method="POST")[0] == 405
    assert it.get("/no-such-path")[0] == 404
    assert it.get("/status", method="GET", body="{}")[0] == 400


def test_a_body_beyond_the_limit_is_refused(commute_with):
    it = commute_with()
    it.serve()
    body = '{"done": true, "": "%s"}'
    assert it.get("/parked/1/settle", method="POST", body=body % ("x" * 70_000))[0] == 413
    assert it.get("/parked/1/settle", method="POST", body=body % ("x" * 60_000))[0] == 400     # read, and not known


def test_nothing_is_parked(commute_with):
    it = commute_with()
    it.serve()
    assert it.get("/parked") == (200, {"parked": [], "next": None})
    assert it.get("/parked?communication=COMM-040")[1]["parked"] == []
    assert it.get("/parked?communication=COMM-999")[0] == 404
    for order, body in (("retry", None), ("discard", None), ("settle", '{"done": true}')):
        assert it.get(f"/parked/12345/{order}", method="POST", body=body)[0] == 404
    assert "provider's data" in it.get("/parked/12345/settle", method="POST", body='{"done": false}')[1]["message"]
    assert it.get("/parked/12345/settle", method="POST", body='{"maybe": true}')[0] == 400


def test_metrics_are_prometheus_text(commute_with):
    it = commute_with()
    it.serve()
    it.call()
    text = it.get("/metrics")[1]
    types, samples = {}, {}
    for line in text.splitlines():
        comment = re.fullmatch(r"# (HELP|TYPE) ([a-z_]+) (.+)", line)
        if comment:
            types.setdefault(comment[2], comment[3])
            continue
        sample = re.fullmatch(r'([a-z_]+)(\{[a-z]+="[^"]*"(?:,[a-z]+="[^"]*")*\})? (\S+)', line)
        assert sample, line
        assert sample[1] in types, f"{sample[1]} has no TYPE before it"
        assert sample[0] not in samples
        samples[sample[1] + (sample[2] or "")] = float(sample[3])
    assert samples['commute_requests_total{communication="COMM-040",class="done"}'] == 1
    assert samples['commute_request_seconds_bucket{communication="COMM-040",le="+Inf"}'] == 1
    assert samples["commute_log_position"] >= 2 and samples["commute_log_broken"] == 0


def test_the_effective_configuration_has_no_secrets(commute_with, tmp_path):
    (tmp_path / "bonuses.token").write_text("very-secret\n")
    it = commute_with(CONFIG.replace('bonuses: {{url: "http://127.0.0.1:{provider}"}}',
                                     'bonuses: {{url: "http://127.0.0.1:{provider}", auth: {{bearer_file: bonuses.token}}}}'))
    it.serve()
    status, said = it.get("/config")
    assert status == 200 and said["configuration"]["communications"]["COMM-040"]["call"] == "POST /accruals"
    assert "very-secret" not in json.dumps(said) and it.token not in json.dumps(said)


# ---- the registry ----

def test_the_registry_registers_and_remembers(commute_with):
    it = commute_with()
    process = it.serve()
    schema = json.dumps({"type": "object", "properties": {"a": {"type": "integer"}}})
    media = json.dumps({"schemaType": "JSON", "schema": schema})
    status, _, body = ask(it.registry, "POST", "/subjects/Thing/versions", media)
    assert status == 200 and json.loads(body)["id"] == 1
    assert json.loads(ask(it.registry, "GET", "/subjects")[2]) == ["Thing"]
    process.kill()
    it.serve()
    status, _, body = ask(it.registry, "GET", "/subjects/Thing/versions/1")
    assert status == 200 and json.loads(json.loads(body)["schema"]) == json.loads(schema)
    assert json.loads(ask(it.registry, "POST", "/subjects/Thing/versions", media)[2])["id"] == 1


def test_a_log_that_only_the_registry_writes_to_is_reopened(commute_with, build, tmp_path):
    it, broken = commute_with(), tmp_path / "broken"
    it.serve(env={"LD_PRELOAD": str(build / "tests/wire/libbreak-sync.so"), "BREAK_SYNC": str(broken),
                  "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"})
    media = json.dumps({"schemaType": "JSON", "schema": json.dumps({"type": "object"})})
    broken.touch()
    assert ask(it.control, "GET", "/readyz")[0] == 200          # nobody has written yet
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, it.registry, "POST", "/subjects/Thing/versions", media)
        wait_until(lambda: ask(it.control, "GET", "/readyz")[0] == 503, 5, "the log to be found broken")
        broken.unlink()
        wait_until(lambda: ask(it.control, "GET", "/readyz")[0] == 200, 5, "the log to be reopened")
        assert answer.result(5)[0] in (200, 500, 503)
    assert ask(it.registry, "POST", "/subjects/Thing/versions", media)[0] == 200


# ---- a communication that is async from the start ----

ASYNC = """\
listen: {{gateway: "127.0.0.1:{gateway}", registry: "127.0.0.1:{registry}", control: "127.0.0.1:{control}"}}
data: data
services:
  tasks: {{url: "http://127.0.0.1:{provider}"}}
  bonuses: {{url: "http://127.0.0.1:{provider}"}}
events:
  TaskDone: {{from: tasks, topic: task-done, schemas: TaskDone.v*.json, key: /payload/task_id, partitions: 2}}
communications:
  COMM-040:
    functional: tasks -> bonuses
    initially: async
    call: POST /accruals
    key: $body/task_id
    recognises: {{header: Idempotency-Key, replayed: "Idempotent-Replayed: true"}}
    async:
      event: TaskDone
      wrap: {{event_id: $sequence, payload: $body}}
      unwrap: $event/payload
    settle: 1s
"""
CONTRACT = {"type": "object", "required": ["event_id", "payload"], "additionalProperties": False,
            "properties": {"event_id": {"type": "integer"},
                           "payload": {"type": "object", "required": ["task_id"],
                                       "properties": {"task_id": {"type": "integer"}, "refuse": {"type": "boolean"}}}}}


@pytest.fixture
def asynchronous(commute_with):
    it = commute_with(ASYNC)
    (it.folder / "TaskDone.v0.json").write_text(json.dumps(CONTRACT))
    return it


def test_contracts_are_registered_at_the_start(asynchronous):
    process = asynchronous.serve()
    assert "registered subject=TaskDone version=1 id=1" in process.stderr()
    schema = json.loads(ask(asynchronous.registry, "GET", "/subjects/TaskDone/versions/1")[2])["schema"]
    assert json.loads(schema) == CONTRACT
    process.stop()
    assert " registered " not in asynchronous.serve().stderr()


def test_a_contract_that_the_registry_has_otherwise_is_refused(asynchronous):
    asynchronous.serve().stop()
    (asynchronous.folder / "TaskDone.v0.json").write_text(json.dumps({**CONTRACT, "title": "changed"}))
    refused = asynchronous.serve(wait=False)
    assert refused.wait() == 75 and "TaskDone.v0.json is version 0 of event TaskDone" in refused.stderr()
    (asynchronous.folder / "TaskDone.v0.json").write_text(json.dumps(CONTRACT))
    asynchronous.serve()
    assert json.loads(ask(asynchronous.registry, "GET", "/subjects/TaskDone/versions")[2]) == [1]


def test_what_places_a_message_cannot_change_while_lanes_have_records(asynchronous):
    asynchronous.serve().stop()
    text = asynchronous.config.read_text()
    for other in (text.replace("partitions: 2", "partitions: 4"), text.replace("key: $body/task_id", "key: $body/event_id")):
        asynchronous.config.write_text(other)
        refused = asynchronous.serve(wait=False)
        assert refused.wait() != 0 and ("its lanes have records" in refused.stderr() or "key" in refused.stderr())
    asynchronous.config.write_text(text)
    asynchronous.serve()


def test_accepted_messages_are_delivered_after_kill_9(asynchronous, provider):
    process = asynchronous.serve()
    provider.fail = 503
    assert [asynchronous.call(b'{"task_id": %d}' % task)[0] for task in range(20)] == [202] * 20
    process.kill()
    provider.fail, provider.seen[:] = None, []
    asynchronous.serve()
    delivered = wait_until(lambda: len({body for _, body in provider.seen}) == 20, 30, "20 deliveries")
    assert delivered
    wait_until(lambda: asynchronous.get("/status/COMM-040")[1]["accounts"]["delivered"] == 20, what="20 in the ledger")
    said = asynchronous.get("/status/COMM-040")[1]
    assert said["mode"] == "async" and said["adds_up"] is True and said["accounts"]["admitted"] == 20


def test_what_does_not_match_its_schema_is_refused(asynchronous, provider):
    asynchronous.serve()
    status, _, body = asynchronous.call(b'{"task_id": 1.5}')
    assert status == 422 and b"task_id" in body
    assert asynchronous.get("/status/COMM-040")[1]["accounts"]["admitted"] == 0 and provider.seen == []


NOT_JSON = [                    # what a careless reader would take
    rb'[{"a\"":1},{"a"":1}]', rb'{"a":1,"a":2}', rb'{"a":1,"\u0061":2}', b"[1,]", b"[01]", b"[1 2]", b"[NaN]", b"{'a':1}", b'["\xff"]',
    rb'["\ud800"]', rb'["\x41"]', b'["\t"]', b"[1]/**/", b"[1]]",
]
DATA = """\
  TaskNoted: {from: tasks, topic: task-noted, schemas: TaskNoted.v*.json, key: /task_id, capture: ["PUT /notes/{task_id}"],
              backfill: "GET /notes?after={cursor}"}
communications:
  COMM-010: {data: tasks -> bonuses, initially: async, pull: "GET /notes/{task_id}", async: {event: TaskNoted, keep: gateway}}
"""


@pytest.mark.parametrize("target, account, whole", [
    ("/events/TaskDone", "COMM-040", b'{"event_id":1,"payload":{"task_id":7,"note":%s},"mark":"%s"}'),
    ("/events/TaskNoted", "COMM-010", b'{"task_id":7,"note":%s,"mark":"%s"}'),
    ("/COMM-040/accruals", "COMM-040", b'{"task_id":7,"note":%s,"mark":"%s"}'),         # a call that becomes a message
])
def test_what_is_no_json_is_refused_though_its_schema_asserts_nothing(asynchronous, target, account, whole):
    it = asynchronous
    for name in "TaskDone", "TaskNoted":
        (it.folder / f"{name}.v0.json").write_text("{}")
    it.config.write_text(it.config.read_text().replace("communications:\n", DATA))
    process = it.serve()
    for text in NOT_JSON:
        for body in text, b"  " + text, whole % (text, b"refused"), whole % (b"[" + text + b"]", b"refused"):
            status, _, answer = ask(it.gateway, "POST", target, body)
            assert status == 400 and json.loads(answer)["error"] == "invalid" and b"line 1, column " in answer, (body, answer)
    status, _, answer = ask(it.gateway, "POST", target, whole % (rb'[{"a\"":1},{"a":1}]', b"taken"))
    assert status in (201, 202), answer
    wait_until(lambda: it.get(f"/status/{account}")[1]["accounts"]["admitted"] == 1, what="the one that is JSON in the ledger")
    process.stop()
    log = b"".join(path.read_bytes() for path in sorted(it.data.glob("log.db*")))
    assert b'"mark":"taken"' in log and b"refused" not in log


def test_a_person_decides_what_is_parked(asynchronous, provider, commute, tmp_path):
    asynchronous.serve()
    provider.fail = 422
    assert asynchronous.call(b'{"task_id": 7}')[0] == 202
    (row,) = wait_until(lambda: asynchronous.get("/parked")[1]["parked"], 30, "the message to be parked")
    assert (row["communication"], row["state"], row["status"]) == ("COMM-040", "parked", 422)
    assert "body" not in row
    position = row["position"]
    shown = asynchronous.get(f"/parked/{position}?body=1")[1]
    assert shown["request"] == "POST /accruals" and shown["key"] == "7" and shown["body"]["payload"] == {"task_id": 7}
    assert "body" not in asynchronous.get(f"/parked/{position}")[1]

    listed = run(commute, asynchronous, "parked", "list")
    assert listed.returncode == 0 and str(position) in listed.stdout and "the provider refused it" in listed.stdout
    provider.fail = None
    retried = wait_until(lambda: (done := run(commute, asynchronous, "parked", "retry", position)).returncode == 0 and done,
                         what="`settle` to pass")
    assert f"position {position}: retry recorded" in retried.stdout
    wait_until(lambda: asynchronous.get("/status/COMM-040")[1]["accounts"]["delivered"] == 1, what="the delivery")
    assert run(commute, asynchronous, "parked", "list").stdout == "Nothing waits for a person.\n"
    assert run(commute, asynchronous, "parked", "retry", position).returncode == 66


def test_a_certificate_of_it_verifies(asynchronous, commute):
    asynchronous.serve()
    for task in range(5):
        asynchronous.call(b'{"task_id": %d}' % task)
    wait_until(lambda: asynchronous.get("/status/COMM-040")[1]["accounts"]["delivered"] == 5, what="5 deliveries")
    file, key = asynchronous.folder / "proof.json", asynchronous.data / "certificate.pub"
    assert run(commute, asynchronous, "proof", "COMM-040", "-o", file).returncode == 0
    verified = run(commute, None, "verify", file, "--key", key)
    assert verified.returncode == 0 and "5 admitted" in verified.stdout and "bonuses recognises a repeat" in verified.stdout
    file.write_text(file.read_text().replace('"delivered": 5', '"delivered": 4'))
    assert run(commute, None, "verify", file, "--key", key).returncode == 77


def test_a_call_becomes_an_event_under_way(asynchronous, commute):
    it = asynchronous
    it.config.write_text(it.config.read_text().replace("initially: async", "initially: sync\n    shadow: {messages: 1, minutes: 1}"))
    process = it.serve()
    assert it.get("/plan/COMM-040?to=async")[0] == 200
    status, said = it.get("/migrations/COMM-040", method="POST", body='{"to": "async"}')
    assert status == 200 and said["communication"] == "COMM-040"
    table = run(commute, it, "status").stdout
    assert re.search(r"^    to async, step \d+ of \d+", table, re.M), table
    process.kill()
    it.serve()
    assert it.get("/migrations/COMM-040")[1]["to"] == "async"


# ---- the command line ----

def run(program, of, *arguments):
    """Runs a client command with the configuration of a Commute."""
    where = ["-c", str(of.config)] if of else []
    return subprocess.run([program, *map(str, arguments), *where], capture_output=True, text=True, timeout=60 * SLOW, check=False)


def test_status_is_a_table(commute_with, commute):
    it = commute_with()
    it.serve()
    for _ in range(3):
        it.call()
    table = run(commute, it, "status")
    assert table.returncode == 0
    assert re.search(r"^COMM-040 +functional +tasks -> bonuses +sync +3 +0 ", table.stdout, re.M)
    assert json.loads(run(commute, it, "status", "--json").stdout)["communications"][0]["name"] == "COMM-040"
    assert json.loads(run(commute, it, "status", "COMM-040").stdout)["accounts"]["admitted"] == 0


def test_status_watches(commute_with, commute, start):
    it = commute_with()
    it.serve()
    watching = start(commute, "status", "--watch", "-c", it.config)
    wait_until(lambda: watching.stdout().count("COMM-040") >= 3, what="three tables")
    assert "CALLS/S" in watching.stdout()


def test_clients_say_that_nothing_runs(commute_with, commute):
    it = commute_with()
    it.serve().stop()
    done = run(commute, it, "status")
    assert done.returncode == 75 and f"127.0.0.1:{it.control}" in done.stderr


def test_settle_wants_done_said(commute_with, commute):
    it = commute_with()
    it.serve()
    assert run(commute, it, "parked", "settle", "1").returncode == 65
    assert run(commute, it, "parked", "settle", "1", "--done").returncode == 66
    assert run(commute, it, "parked", "discard", "first").returncode == 65

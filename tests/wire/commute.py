# SPDX-License-Identifier: Apache-2.0
"""What wire tests share that start `commute serve`: the program with a configuration of its own, and a provider behind it.

    it = Commute(program, start, tmp_path, ports, CONFIG)       # or a fixture that makes one
    it.serve(); it.migrate("async"); it.until("done")
    it.kill(); it.serve()
"""
import http.client
import http.server
import json
import os
import threading
import time

from conftest import ROOT, SLOW, wait_until

LONG = bool(os.environ.get("COMMUTE_TEST_LONG"))        # `make test-long`: more seeds, more kills


def ask(port, method, target, body=None, token=None, **headers):
    """Status, headers and body of one call. Further headers: X_Tenant="5" is X-Tenant: 5."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20 * SLOW)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        connection.request(method, target, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def found_from_anywhere(text):
    """The example's configuration with its files where they are."""
    return text.replace("../../contracts/", f"{ROOT}/contracts/").replace(" mappings/", f" {ROOT}/examples/hiring/mappings/")


class Commute:
    """A configuration in a folder of its own, and the processes that serve it. `inside`: the command that starts them."""

    def __init__(self, program, start, folder, ports, text, inside=()):
        self.program, self.start, self.folder, self.inside = program, start, folder, inside
        self.gateway, self.registry, self.control = ports
        self.config, self.data = folder / "commute.yaml", folder / "data"
        self.config.write_text(text)
        self.process = None

    def serve(self, *arguments, wait=True, env=None):
        self.process = self.start(*self.inside, self.program, "serve", "-c", self.config, *arguments, env=env,
                                  ready=(lambda: self.is_ready()) if wait else None, seconds=20)
        return self.process

    def kill(self):
        """kill -9."""
        self.process.kill()

    def is_ready(self):
        try:
            return ask(self.control, "GET", "/readyz")[0] == 200
        except OSError:
            return False

    @property
    def token(self):
        return (self.data / "token").read_text().strip()

    def call(self, body=b'{"task_id": 1}', target="/COMM-040/accruals", **headers):
        return ask(self.gateway, "POST", target, body, **headers)

    def get(self, target, token=True, method="GET", body=None):
        status, headers, content = ask(self.control, method, target, body, self.token if token is True else token)
        return status, json.loads(content) if headers.get("Content-Type") == "application/json" else content.decode()

    # ---- COMM-040 ----

    def status(self):
        return self.get("/status/COMM-040")[1]

    def accounts(self):
        """The ledger's accounts of COMM-040, which must add up."""
        said = self.status()
        assert said["adds_up"] is True, said
        return said["accounts"]

    def migrate(self, to, auto=True):
        status, answer = self.order("", {"to": to, "auto": auto})
        assert status == 200, answer
        return answer

    def order(self, what, body=None):
        """order("/advance"), order("", {"to": "async"}): status and answer."""
        return self.get(f"/migrations/COMM-040{what}", method="POST", body=None if body is None else json.dumps(body))

    def migration(self):
        return self.get("/migrations/COMM-040")[1]

    def until(self, status, step=None, seconds=30):
        """Waits until the migration has this status, at this step."""
        def there():
            now = self.migration()
            return now and now["status"] == status and (step is None or now["step"] == step) and now
        try:
            return wait_until(there, seconds, f"{status} at {step or 'any step'}")
        except AssertionError:
            print(json.dumps(self.migration(), indent=1))
            raise

    def parked(self):
        """What waits for a person, by position."""
        return self.get("/parked?communication=COMM-040")[1]["parked"]

    def decide(self, row, what):
        """retry, discard or settle: status and answer."""
        return self.get(f"/parked/{row['position']}/{what}", method="POST", body='{"done": true}' if what == "settle" else None)

    def decide_soon(self, row, what):
        """The same, as soon as `settle` has passed."""
        wait_until(lambda: self.decide(row, what)[0] == 200, 20, f"{what} of {row} to be taken")


class Request:
    """What a provider got."""

    def __init__(self, handler, body):
        self.method, self.target = handler.command, handler.path
        self.headers, self.body = handler.headers, body
        self.identity = handler.headers.get("Idempotency-Key")
        self.at = time.monotonic()

    @property
    def json(self):
        return json.loads(self.body)


class Provider(http.server.ThreadingHTTPServer):
    """A service that executes POST /accruals, and answers a repeated identity as the first time.

    `rule(request)` may say otherwise: a status (refused, not done), "hang" (not done, no answer until release()), "lose" (done,
    the connection breaks), "done and hang" (done, no answer until release()); None: as usual. `recognises` False: repeats are
    done again. `seen` is every request, `done` what was executed, in order."""
    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Provider.Answer)
        self.lock, self.known, self.seen, self.done = threading.Lock(), {}, [], []
        self.recognises, self.rule, self.released = True, lambda request: None, threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]

    def tasks(self):
        """The task of each execution, in order."""
        return [request.json["task_id"] for request in list(self.done)]

    def calls(self):
        """Every POST of an accrual that came, in order."""
        return [request for request in list(self.seen) if request.target.startswith("/accruals")]

    def release(self):
        """What hangs goes on; what comes from now on does as usual."""
        self.rule = lambda request: None
        self.released.set()

    def close(self):
        self.released.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, *_):
        """Connections break when commute is killed."""

    def execute(self, request):
        """Status, body and whether it was a repeat."""
        with self.lock:
            if request.identity in self.known and self.recognises:
                return 201, self.known[request.identity], True
            if request.target.startswith("/accruals"):
                self.done.append(request)
            answer = json.dumps({"accrued": len(self.done)}).encode()
            if request.identity:
                self.known[request.identity] = answer
            return 201, answer, False

    class Answer(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def give(self, status, body=b"{}", replayed=False):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if replayed:
                self.send_header("Idempotent-Replayed", "true")
            self.end_headers()
            self.wfile.write(body)

        def do_HEAD(self):
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self):
            server = self.server
            request = Request(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))
            server.seen.append(request)
            rule = server.rule(request)
            if isinstance(rule, int):
                return self.give(rule, b'{"error": "refused"}')
            if rule == "hang":
                server.released.wait(60 * SLOW)
                self.close_connection = True
                return None
            answer = server.execute(request)
            if rule == "done and hang":
                server.released.wait(60 * SLOW)
            if rule in ("lose", "done and hang"):
                self.close_connection = True
                return None
            return self.give(*answer)

        do_DELETE = do_POST

        def log_message(self, *_):
            pass

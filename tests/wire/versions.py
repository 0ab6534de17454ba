# SPDX-License-Identifier: Apache-2.0
"""A small world for tests of event versions: `tasks` owns tasks, `portal` keeps cards of its own or reads commute's copy, and both are
one little HTTP server here. Version 0 of TaskCreated has `title` "[Area] Title", version 1 has `area` and `title`."""
import http.server
import json
import re
import threading

from commute import Commute, ask
from conftest import SLOW, wait_until

V0 = {"type": "object", "additionalProperties": False, "required": ["task_id", "title"],
      "properties": {"task_id": {"type": "integer", "minimum": 1}, "title": {"type": "string"}}}
V1 = {"type": "object", "additionalProperties": False, "required": ["task_id", "area", "title"],
      "properties": {"task_id": {"type": "integer", "minimum": 1}, "area": {"type": "string"}, "title": {"type": "string"}}}
# Without brackets, or with nothing in them, the area is empty and the title is all of it; so that everything goes back.
UP = r'''. as $event | (.title | capture("^\\[(?<area>[^\\[\\]]+)\\] (?<title>.*)$"; "s") // {area: "", title: .}) as $parts
| {task_id: $event.task_id, area: $parts.area, title: $parts.title}'''
DOWN = r'''{task_id: .task_id, title: (if .area == "" then .title else "[" + .area + "] " + .title end)}'''

DONE0 = {"type": "object", "additionalProperties": False, "required": ["payload"],
         "properties": {"event_version": {"type": "integer"},
                        "payload": {"type": "object", "required": ["task_id", "who"], "additionalProperties": False,
                                    "properties": {"task_id": {"type": "integer"}, "who": {"type": "string"}}}}}
DONE1 = {"type": "object", "additionalProperties": False, "required": ["payload"],
         "properties": {"event_version": {"type": "integer"},
                        "payload": {"type": "object", "required": ["task_id", "person"], "additionalProperties": False,
                                    "properties": {"task_id": {"type": "integer"}, "person": {"type": "string"}}}}}


class Services(http.server.ThreadingHTTPServer):
    """Both services. `tasks`: the owner's rows; `cards`: what portal was given, by task; `seen`: every delivery, in order, `paths` where
    it came.
    rule(method, path, body): a status to refuse with, "hang"; None: as usual."""
    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Services.Answer)
        self.tasks, self.cards, self.seen, self.calls, self.paths = {}, {}, [], [], []
        self.rule, self.released, self.lock = lambda *_: None, threading.Event(), threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]

    def close(self):
        self.released.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, *_):
        pass

    class Answer(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def give(self, status, value=None):
            body = b"" if value is None else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def answer(self):
            server, text = self.server, self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path, _, query = self.path.partition("?")
            body = json.loads(text) if text else None
            rule = server.rule(self.command, path, body)
            if isinstance(rule, int):
                return self.give(rule, {"error": "refused"})
            if rule == "hang":
                server.released.wait(60 * SLOW)
                self.close_connection = True
                return None
            found = re.fullmatch(r"(?:/rooms/\w+)?/(tasks|cards)/(\d+)", path)
            if found and found[1] == "cards":
                with server.lock:
                    server.seen.append(body)
                    server.paths.append(path)
                    server.cards[int(found[2])] = body
                return self.give(204)
            if found and self.command == "GET":
                row = server.tasks.get(int(found[2]))
                return self.give(200, row) if row else self.give(404, {})
            if found:
                server.tasks[int(found[2])] = {"task_id": int(found[2]), **body}
                return self.give(200, server.tasks[int(found[2])])
            if path == "/tasks" and self.command == "GET":
                return self.give(200, {"items": list(server.tasks.values()), "next": None})
            if path == "/accruals":
                with server.lock:
                    server.calls.append(body)
                return self.give(201, {})
            return self.give(404, {})

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = lambda self: self.answer()

        def log_message(self, *_):
            pass


def configuration(folder, ports, port, keep="portal", reads="[0, 1]", more="", produces="owner: stays"):
    contracts = folder / "contracts"
    contracts.mkdir(exist_ok=True)
    for name, schemas in (("TaskCreated", (V0, V1)), ("TaskDone", (DONE0, DONE1))):
        for version, schema in enumerate(schemas):
            (contracts / f"{name}.v{version}.json").write_text(json.dumps(schema))
    (folder / "up.jq").write_text(UP)
    (folder / "down.jq").write_text(DOWN)
    deliver = ', deliver: "PUT /cards/{task_id}"' if keep == "portal" else ""
    return f'''
listen: {{gateway: "127.0.0.1:{ports[0]}", registry: "127.0.0.1:{ports[1]}", control: "127.0.0.1:{ports[2]}"}}
data: data
threads: 2
services:
  tasks: {{url: "http://127.0.0.1:{port}"}}
  portal: {{url: "http://127.0.0.1:{port}"}}
defaults: {{partitions: 2, settle: 200ms, timeout: 2s, retry: {{first: 20ms, longest: 200ms}}}}
events:
  TaskCreated:
    from: tasks
    topic: task-created
    schemas: contracts/TaskCreated.v*.json
    key: /task_id
    capture: ["PUT /tasks/{{task_id}}"]
    backfill: GET /tasks?after={{cursor}}
    read: GET /tasks/{{task_id}}
    {produces}
    versions:
      1: {{up: up.jq, down: down.jq}}
  TaskDone:
    from: tasks
    topic: task-done
    schemas: contracts/TaskDone.v*.json
    key: /payload/task_id
    versions:
      1:
        up: {{event_version: 1, payload: {{task_id: $event/payload/task_id, person: $event/payload/who}}}}
        down: {{event_version: 0, payload: {{task_id: $event/payload/task_id, who: $event/payload/person}}}}
communications:
  COMM-020:
    data: tasks -> portal
    initially: async
    pull: GET /tasks/{{task_id}}
    async: {{event: TaskCreated, keep: {keep}{deliver}, reads: {reads}}}
  COMM-040:
    functional: tasks -> portal
    initially: async
    call: POST /accruals
    key: $body/task_id
    recognises: Idempotency-Key
    async:
      event: TaskDone
      wrap: {{event_version: 0, payload: $body}}
      unwrap: $event/payload
      versions:
        1:
          wrap: {{event_version: 1, payload: {{task_id: $body/task_id, person: $body/who}}}}
          unwrap: {{task_id: $event/payload/task_id, who: $event/payload/person}}
{more}'''


class World(Commute):
    def __init__(self, program, start, folder, free_port, **arguments):
        self.services = Services()
        ports = [free_port() for _ in range(3)]
        super().__init__(program, start, folder, ports, configuration(folder, ports, self.services.port, **arguments))

    def put(self, task, title):
        return ask(self.gateway, "PUT", f"/tasks/tasks/{task}", json.dumps({"title": title}).encode())[0]

    def read(self, task):
        status, _, body = ask(self.gateway, "GET", f"/COMM-020/tasks/{task}")
        return json.loads(body) if status == 200 else status

    def publish(self, event, body, **headers):
        status, _, answer = ask(self.gateway, "POST", f"/events/{event}", json.dumps(body).encode(), **headers)
        return status, answer.decode()

    def evolve(self, to, auto=True, event="TaskCreated"):
        return self.get(f"/migrations/{event}", method="POST", body=json.dumps({"to": to, "auto": auto}))

    def say(self, what, event="TaskCreated"):
        return self.get(f"/migrations/{event}/{what}", method="POST")

    def moved(self, event="TaskCreated"):
        return self.get(f"/migrations/{event}")[1]

    def versions(self, event="TaskCreated"):
        return self.get(f"/evolve/{event}")[1]

    def step_of(self, move):
        return next(step for step in move["steps"] if step["name"] == move["step"])

    def until_moved(self, status, step=None, event="TaskCreated", traffic=None, seconds=30):
        """Waits until the move of versions has this status at this step; traffic() is called meanwhile."""
        def there():
            if traffic:
                traffic()
            now = self.moved(event)
            return now and now["status"] == status and (step is None or now["step"] == step) and now
        try:
            return wait_until(there, seconds, f"{status} at {step or 'any step'}")
        except AssertionError:
            print(json.dumps(self.moved(event), indent=1))
            raise

    def until_says(self, words, event="TaskCreated", traffic=None, seconds=20):
        """Waits until the step that it is at says these words."""
        def there():
            if traffic:
                traffic()
            evidence = self.step_of(self.moved(event))["evidence"]
            return evidence and words in evidence["sentence"] and evidence["sentence"]
        try:
            return wait_until(there, seconds, f"\"{words}\"")
        except AssertionError:
            print(json.dumps(self.moved(event), indent=1))
            raise

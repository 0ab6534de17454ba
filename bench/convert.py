# SPDX-License-Identifier: Apache-2.0
"""Durable publish and delivery with conversion: 64 callers of an async communication whose provider understands version 0. The event is
emitted in version 0 (nothing is converted), or in version 1 and converted by `down` for each delivery: by a template, by a jq program
that moves members, by one that takes a title apart with a regular expression. Each in turn in every round.

Delivered/s counts from the first call until the last delivery. CPU is that of commute and of its converter's process, per message.
"""
import http.client
import json
import pathlib
import statistics
import time

import rig

CALLERS = 64
CONFIGURATION = """\
listen: {{gateway: "127.0.0.1:{port}", registry: "127.0.0.1:{registry}", control: "127.0.0.1:{control}"}}
data: "{folder}/data"
threads: 1
limits: {{max_backlog: 10000000}}
services:
  tasks: {{url: "http://127.0.0.1:{provider}"}}
  bonuses: {{url: "http://127.0.0.1:{provider}"}}
events:
  TaskCompleted:
    from: tasks
    topic: task-completed
    schemas: "{folder}/TaskCompleted.v*.json"
    key: /task_id
    produces: {emitted}
    versions: {{1: {{down: {down}}}}}
communications:
  COMM-040:
    functional: tasks -> bonuses
    initially: async
    call: POST /accruals
    key: $body/task_id
    recognises: {{header: Idempotency-Key}}
    async:
      event: TaskCompleted
      wrap: {{task_id: $body/task_id, candidate_id: $body/candidate_id, title: $body/title}}
      unwrap: $event
      versions: {{1: {{wrap: {{task_id: $body/task_id, candidate: {{id: $body/candidate_id}}, heading: $body/title}}}}}}
"""
DOWNS = {
    "nothing": '"."',
    "template": "{task_id: $event/task_id, candidate_id: $event/candidate/id, title: $event/heading}",
    "jq": "'{task_id, candidate_id: .candidate.id, title: .heading}'",
    "jq_regex": "'(.heading | capture(\"^\\\\[(?<area>[^]]*)\\\\] (?<title>.*)$\")) as $t | "
                "{task_id, candidate_id: .candidate.id, title: \"\\($t.area): \\($t.title)\"}'",
}
LABELS = {"nothing": "not converted", "template": "template", "jq": "jq", "jq_regex": "jq, regex"}


def schema(**properties):
    return json.dumps({"type": "object", "required": list(properties), "additionalProperties": False,
                       "properties": {name: {"type": kind} for name, kind in properties.items()}})


def children(pid):
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        found += (task / "children").read_text(encoding="ascii").split()
    return found


def cpu(process):
    """Of commute and its converter, seconds."""
    taskset = process.pid
    used = process.cpu()
    for child in children(taskset):
        used += int(pathlib.Path(f"/proc/{child}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9
    return used


def accounts(folder, control):
    connection = http.client.HTTPConnection("127.0.0.1", control, timeout=20)
    connection.request("GET", "/status/COMM-040", headers={"Authorization": "Bearer " + (folder / "data/token").read_text().strip()})
    said = json.loads(connection.getresponse().read())["accounts"]
    connection.close()
    return said


def delivered(folder, control):
    """Waits until everything is; anything else than delivered is a mistake."""
    while True:
        said = accounts(folder, control)
        left = sum(said.get(name, 0) for name in ("open", "waiting", "trying"))
        if not left:
            assert not said.get("parked", 0), said
            return said["delivered"]
        time.sleep(0.01)


def measure(options, how, count):
    with rig.Rig(options.build, options.folder) as it:
        ports = {"port": rig.free_port(), "registry": rig.free_port(), "control": rig.free_port()}
        (it.folder / "TaskCompleted.v0.json").write_text(schema(task_id="integer", candidate_id="integer", title="string"))
        (it.folder / "TaskCompleted.v1.json").write_text(schema(task_id="integer", candidate="object", heading="string"))
        config = it.folder / "commute.yaml"
        config.write_text(CONFIGURATION.format(folder=it.folder, provider=it.backend(), emitted=int(how != "nothing"),
                                               down=DOWNS[how], **ports))
        process = it.start([it.build / "src/commute", "serve", "-c", config, "--log-level", "error"], None, ports["port"])
        call = {"target": "/COMM-040/accruals", "connections": CALLERS, "lanes": 100000,
                "body": '{"task_id":%l,"candidate_id":%n,"title":"[Distributed systems] Describe what a log is for"}'}
        it.load(ports["port"], count=1000, **call)                      # programs are compiled when they are first needed
        before, already, began = cpu(process), delivered(it.folder, ports["control"]), time.monotonic()
        result = it.load(ports["port"], count=count, **call)
        assert delivered(it.folder, ports["control"]) - already == count
        took = time.monotonic() - began
        return {"rate": result["rate"], "p99_us": result["p99_us"], "delivered": count / took,
                "cpu_us": (cpu(process) - before) / count * 1e6}


def run(options):
    rounds, count = (7, 200_000) if rig.FULL else (3, 20_000)
    results = []
    for number in range(rounds):
        order = list(DOWNS)[:: -1 if number % 2 else 1]
        results.append({how: measure(options, how, count) for how in order})
    return {"count": count, "rounds": results}


def report(result):
    rounds = result["rounds"]
    print(f"  {CALLERS} callers, {result['count']:,} messages, {len(rounds)} rounds; medians, and the ratio to what is not converted")
    print(f"    {'':16}" + "".join(f"{LABELS[how]:>21}" for how in DOWNS))
    for key, label in (("rate", "durable/s"), ("delivered", "delivered/s"), ("p99_us", "p99, µs"), ("cpu_us", "CPU each, µs")):
        line = f"    {label:16}"
        for how in DOWNS:
            middle = statistics.median(one[how][key] for one in rounds)
            ratio = statistics.median(one[how][key] / one["nothing"][key] for one in rounds)
            line += f"{middle:14,.1f} ({ratio:4.2f})"
        print(line)

# SPDX-License-Identifier: Apache-2.0
"""What wire tests share that put commute, with the example's configuration, between the services of the hiring platform."""
import pathlib
import re
import sys

from commute import Commute, found_from_anywhere
from conftest import SLOW

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples/hiring"))
from platform_hiring import SERVICES, Platform, request  # noqa: E402

MANAGER = {"name": "Anna", "surname": "Orlova", "work_email": "anna@hiring.example", "staff_login": "anna"}
UNSETTLED = ("waiting", "in_flight", "parked", "indeterminate", "dirty_keys", "captures_under_way")


def place(text, platform):
    """The example's configuration with the URLs of this platform, and with its files where they are."""
    for name in SERVICES:
        text = re.sub(rf'(  {name}: {{url: )"[^"]*"', rf'\1"{platform.url(name)}"', text)
    return found_from_anywhere(text)


class Through(Platform):
    """The platform with commute in between; not started yet."""

    def __init__(self, build, program, start, folder, ports):
        super().__init__(build, folder)
        text = place((ROOT / "examples/hiring/commute.yaml").read_text(), self)
        text += ('\nlisten: {gateway: "127.0.0.1:%d", registry: "127.0.0.1:%d", control: "127.0.0.1:%d"}\ndata: data\n' % ports +
                 "defaults: {shadow: {messages: 20, minutes: 10}, settle: 1s, timeout: 800ms, retry: {first: 50ms, longest: 500ms}}\n")
        self.commute = Commute(program, start, folder, ports, text)
        gateway = f"http://127.0.0.1:{self.commute.gateway}"
        self.options["tasks"] = ["--bonuses-url", f"{gateway}/COMM-040"]
        self.options["portal"] = ["--managers-url", f"{gateway}/COMM-010"]
        self.writes = {"staff_url": f"{gateway}/staff", "tasks_writes_url": f"{gateway}/tasks"}

    def start(self):
        super().start()
        self.commute.serve()

    def write(self, method, path, body):
        """A write that goes through commute: /staff/managers, /tasks/tasks."""
        status, _, answered = request(self.commute.gateway, method, path, body, timeout=20 * SLOW)
        assert 200 <= status < 300, answered
        return answered

    def ask(self, service, method, path, body=None):
        return request(self.ports[service], method, path, body, timeout=20 * SLOW)

    def shown(self, task_id):
        status, _, answered = self.ask("portal", "GET", f"/tasks/{task_id}/card")
        return (answered["knowledge_area"], answered["title"]) if status == 200 else None

    def status(self, communication):
        return self.commute.get(f"/status/{communication}")[1]

    def settled(self, *communications):
        return not any(self.status(each).get(name) for each in communications for name in UNSETTLED)

# SPDX-License-Identifier: Apache-2.0
"""docs/getting-started.md, done as it says, with the services of examples/minimal and ports of this test."""
import json
import re
import shutil
import subprocess

import pytest
from commute import ask
from conftest import ROOT, SLOW, wait_until

EXAMPLE = ROOT / "examples/minimal"
DOCUMENT = ROOT / "docs/getting-started.md"
PYTHON = "/usr/bin/python3"


class Walk:
    """A person with terminals in a copy of the example's folder."""

    def __init__(self, program, start, folder, free_port):
        self.program, self.start, self.folder = program, start, folder
        self.orders, self.stock, self.gateway, registry, self.control = (free_port() for _ in range(5))
        shutil.copytree(EXAMPLE, folder)
        config = folder / "commute.yaml"
        text = config.read_text().replace(":7001", f":{self.orders}").replace(":7002", f":{self.stock}")
        config.write_text(text + f'\nlisten: {{gateway: "127.0.0.1:{self.gateway}", registry: "127.0.0.1:{registry}", '
                                 f'control: "127.0.0.1:{self.control}"}}\n')

    def commute(self, *arguments):
        """What a command printed; it must end with 0."""
        done = subprocess.run([self.program, *arguments], cwd=self.folder, capture_output=True, text=True, timeout=60 * SLOW, check=False)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    def begin(self, *arguments):
        """A command in a terminal of its own."""
        return self.start("/bin/sh", "-c", 'cd "$0" && exec "$@"', self.folder, self.program, *arguments)

    def write_next_version(self):
        """What the document shows, written where it says."""
        part = DOCUMENT.read_text().split("**An event gets a version.**")[1].split("**An account")[0]
        contract, event, reader = re.findall(r"```(?:json|yaml)\n(.*?)```", part, re.S)
        (self.folder / "contracts/ItemChanged.v1.json").write_text(contract)
        config = self.folder / "commute.yaml"
        text, old_reader = config.read_text(), "    async: {event: ItemChanged, keep: gateway}\n"
        old_event = re.search(r"  ItemChanged:\n(?:    .*\n)+", text)[0]
        assert old_reader in text and event.startswith(old_event), "the document's event is the example's with more"
        config.write_text(text.replace(old_event, event).replace(old_reader, reader))

    def serve(self):
        script = 'cd "$0" && exec "$1" serve'
        return self.start("/bin/sh", "-c", script, self.folder, self.program, ready=self.is_ready, seconds=20)

    def is_ready(self):
        try:
            return ask(self.control, "GET", "/readyz")[0] == 200
        except OSError:
            return False

    def serve_stock(self):
        return self.start(PYTHON, self.folder / "stock.py", self.stock, ready=self.stock)

    def place_orders(self, count, first=1):
        gateway = f"http://127.0.0.1:{self.gateway}"
        return self.start(PYTHON, self.folder / "orders.py", f"{gateway}/RESERVE", f"{gateway}/ITEMS", count, first)

    def reserved(self):
        """Orders that stock has executed, in order."""
        return [row["order_id"] for row in json.loads(ask(self.stock, "GET", "/reservations")[2])]


@pytest.fixture
def walk(commute, start, tmp_path, free_port):
    return Walk(commute, start, tmp_path / "minimal", free_port)


def test_the_document_can_be_followed(walk):
    assert "2 services, 2 events, 2 communications; nothing is wrong" in walk.commute("check")
    walk.serve_stock()
    commute = walk.serve()
    orders = walk.place_orders(100000)

    walk.commute("plan", "RESERVE", "--to", "async")
    assert "RESERVE is async" in walk.commute("migrate", "RESERVE", "--to", "async", "--auto")
    wait_until(lambda: "reservation 202" in orders.stdout(), what="a receipt")
    walk.commute("migrate", "RESERVE", "--to", "sync")
    wait_until(lambda: "step 3 of 6, events become calls, lane by lane; waits for `commute advance`" in walk.commute("status"),
               what="the switch to wait")
    assert not re.search(": $", walk.commute("status"), re.M)
    walk.commute("advance", "RESERVE")
    walk.commute("cancel", "RESERVE")
    wait_until(lambda: "step" not in (said := walk.commute("status")) and re.search("RESERVE .* async ", said), what="the way back")
    assert "RESERVE is sync" in walk.commute("migrate", "RESERVE", "--to", "sync", "--auto")
    assert "ITEMS is async" in walk.commute("migrate", "ITEMS", "--to", "async", "--auto")

    assert ask(walk.gateway, "PUT", "/stock/items/3", '{"price": 999}')[0] == 200
    assert json.loads(ask(walk.gateway, "GET", "/ITEMS/items/3")[2]) == {"item_id": 3, "price": 999}
    walk.write_next_version()
    assert "nothing is wrong" in walk.commute("check")
    commute.stop()
    commute = walk.serve()
    assert "the producer emits the new version" in walk.commute("plan", "ItemChanged", "--to", "1")
    evolving = walk.begin("evolve", "ItemChanged", "--to", "1", "--auto")

    def ends():
        assert ask(walk.gateway, "PUT", "/stock/items/4", '{"price": 500}')[0] == 200
        return evolving.child.poll() is not None
    wait_until(ends, 60, "the move to version 1")
    assert evolving.child.returncode == 0 and "ItemChanged is emitted in version 1" in evolving.stdout(), evolving.stdout()
    assert json.loads(ask(walk.gateway, "GET", "/ITEMS/items/3")[2]) == {"item_id": 3, "price": 999, "currency": "EUR"}
    said = walk.commute("evolve", "ItemChanged", "status")
    assert "may the old version go? yes" in said and "orders by ITEMS reads version 1" in said, said
    orders.kill()
    assert walk.commute("parked", "list") == "Nothing waits for a person.\n"
    walk.commute("proof", "RESERVE", "-o", "proof.json")
    assert walk.commute("verify", "proof.json", "--key", "commute-data/certificate.pub").startswith("valid: RESERVE")
    commute.stop()


def test_a_provider_that_is_down_and_a_kill_lose_and_double_nothing(walk):
    stock = walk.serve_stock()
    commute = walk.serve()
    orders = walk.place_orders(100000)
    walk.commute("migrate", "RESERVE", "--to", "async", "--auto")
    orders.kill()
    wait_until(lambda: '"waiting": 0' in walk.commute("status", "RESERVE"), what="the backlog to be delivered")
    stock.kill()
    body = {"item_id": 1, "count": 1}
    for order in (200001, 200002, 200003):
        assert ask(walk.gateway, "POST", "/RESERVE/reservations", json.dumps({"order_id": order, **body}))[0] == 202
    commute.kill()
    walk.serve_stock()
    walk.serve()
    wait_until(lambda: set(walk.reserved()) >= {200001, 200002, 200003}, 40, "what waited to be delivered")
    assert sorted(walk.reserved()) == sorted(set(walk.reserved()))


def test_an_answer_of_the_migration_before_is_no_evidence(walk):
    stock = walk.serve_stock()
    walk.serve()
    orders = walk.place_orders(100000)
    walk.commute("migrate", "RESERVE", "--to", "async", "--auto")
    walk.commute("migrate", "RESERVE", "--to", "sync", "--auto")
    orders.kill()
    stock.kill()
    walk.commute("migrate", "RESERVE", "--to", "async")
    wait_until(lambda: "stock does not answer: connection refused" in walk.commute("status"), what="stock to be asked")


def test_what_the_document_shows_is_in_the_example():
    commands = set(re.findall(r"^commute ([a-z]+)", DOCUMENT.read_text(), re.M))
    assert commands == {"check", "serve", "plan", "migrate", "status", "advance", "cancel", "evolve", "parked", "proof", "verify"}
    for name in ("stock.py", "orders.py", "commute.yaml", "contracts"):
        assert (EXAMPLE / name).exists()

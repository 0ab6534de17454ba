# SPDX-License-Identifier: Apache-2.0
"""The hiring platform through commute, with kill -9 wherever it hurts. The auditor, which reads only the services' own databases
and what the load was told, must find nothing lost, doubled or reordered."""
import contextlib
import os
import pathlib
import random
import re
import sqlite3
import subprocess
import sys
import time

import pytest

from commute import LONG, Commute, found_from_anywhere
from conftest import COMPLAINTS, ROOT, SLOW, wait_until

sys.path.insert(0, str(ROOT / "examples/hiring"))
from platform_hiring import SERVICES, Platform  # noqa: E402

SEED = int(os.environ.get("COMMUTE_SEED", random.randrange(1 << 31)))
SEEDS = [SEED + number for number in range(10 if LONG else 1)]
UNSETTLED = ("open", "call indeterminate", "waiting", "trying", "indeterminate", "parked")


class Hiring:
    """Four services, commute in front of bonuses, a load; and a person who settles what is parked, where there must be one."""

    def __init__(self, platform, it, recognises):
        self.platform, self.it, self.recognises = platform, it, recognises
        self.load, self.kills, self.settled, self.again, self.early = None, 0, 0, 0, 0

    def begin(self, rate=250, seed=SEED, **options):
        self.platform.start()
        self.it.serve()
        self.load = self.platform.start_load(rate=rate, seed=seed, connections=8, tasks=40, managers=10,
                                             stdout=subprocess.DEVNULL, **options)

    def kill(self, before_start=lambda: None):
        """kill -9 of commute, and it starts again."""
        self.kills += 1
        self.it.kill()
        before_start()
        self.it.serve()

    def bonuses(self, sql, *values):
        address = f"file:{self.platform.database('bonuses')}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=10)) as data:
            return data.execute(sql, values).fetchall()

    def accruals(self):
        return self.bonuses("SELECT count(*) FROM accruals")[0][0]

    def person(self):
        """Looks at what waits, and at what bonuses has of it; settles what was done, has the rest sent again."""
        for row in self.it.parked():
            done = self.bonuses("SELECT 1 FROM accruals WHERE identity = ?", row["identity"]) != []
            status, answer = self.it.decide(row, "settle" if done else "retry")
            if status == 409 and "settle" in answer["message"]:
                self.early += 1
            elif status == 200:
                self.settled, self.again = self.settled + done, self.again + (not done)

    def drain(self, seconds=30):
        def drained():
            if self.recognises == "none":
                self.person()
            accounts = self.it.accounts()
            return not any(accounts[name] for name in UNSETTLED)
        try:
            wait_until(drained, seconds, "everything to be settled")
        except AssertionError:
            print(self.it.status(), self.it.parked()[:5])
            raise

    def end_load(self):
        self.load.terminate()
        while self.load.poll() is None:                 # it repeats what it has no answer to: some of that waits for the person
            if self.recognises == "none":
                self.person()
            time.sleep(0.1)

    def verdict(self, least=50):
        """Ends the load, waits for what was accepted, and asks the auditor."""
        self.end_load()
        self.drain()
        accounts = self.it.accounts()
        self.it.process.stop()
        self.platform.stop()
        code, result = self.platform.audit()
        print(f"{self.kills} kills; {accounts['admitted']} admitted with records, {accounts['appended']} as events, "
              f"{self.settled} settled and {self.again} sent again by the person, who was too early {self.early} times; "
              f"{result['figures']}")
        assert (code, result["findings"]) == (0, []), result["findings"][:10]
        assert [result[name] for name in ("lost", "doubled", "reordered")] == [0, 0, 0]
        assert result["figures"]["completions told accepted"] >= least
        return result["figures"]


@pytest.fixture
def hiring(build, commute, start, tmp_path, free_port):
    """hiring(recognises="none", initially="async"): not started yet."""
    made = []

    def make(recognises=None, initially="sync", settle="2s", timeout="1500ms"):
        platform = Platform(build, tmp_path)
        made.append(platform)
        text = (ROOT / "examples/hiring/commute.yaml").read_text()
        for name in SERVICES:
            text = re.sub(rf'(  {name}: {{url: )"[^"]*"', rf'\1"{platform.url(name)}"', text)
        text = found_from_anywhere(text)
        text = text[:text.index("  COMM-010:")] + text[text.index("  COMM-040:"):text.index("  COMM-060:")]
        text = text.replace("initially: sync", f"initially: {initially}")
        if recognises == "none":
            text = re.sub(r"recognises: {[^}]*}", "recognises: none", text)
            platform.options["bonuses"] += ["--recognises", "none"]
        ports = free_port(), free_port(), free_port()
        text += ('\nlisten: {gateway: "127.0.0.1:%d", registry: "127.0.0.1:%d", control: "127.0.0.1:%d"}\ndata: data\n' % ports +
                 f"defaults: {{shadow: {{messages: 30, minutes: 10}}, settle: {settle}, timeout: {timeout}, "
                 "retry: {first: 50ms, longest: 500ms}}\n")
        it = Commute(commute, start, tmp_path, ports, text)
        platform.options["tasks"] = ["--bonuses-url", f"http://127.0.0.1:{it.gateway}/COMM-040", "--push-ratings-url",
                                     platform.url("bonuses"), "--push-cards-url", platform.url("portal")]
        return Hiring(platform, it, recognises)
    print(f"COMMUTE_SEED={SEED}")
    yield make
    for platform in made:
        platform.__exit__()
        for name in SERVICES:
            out = pathlib.Path(platform.folder) / f"{name}.out"
            assert not out.exists() or not COMPLAINTS.search(out.read_text(errors="replace")), out.read_text()[-4000:]


def over(migration, to):
    return migration and migration["to"] == to and migration["status"] == "done"


def migrate_killed_at_boundaries(run, to):
    """One migration; commute is killed whenever it is seen at a step, or in a state of a step, where it was not seen before."""
    run.it.migrate(to)
    seen, deadline = [], time.monotonic() + 60 * SLOW
    while not over(now := run.it.migration(), to):
        assert time.monotonic() < deadline, now
        at = now["step"], now["status"]
        if at not in seen:
            seen.append(at)
            run.kill()
        time.sleep(0.01)
    return seen


def migrate_killed_at_random(run, dice, to, kills):
    run.it.migrate(to)
    deadline = time.monotonic() + 60 * SLOW
    for _ in range(kills):
        time.sleep(dice.uniform(0, 0.6))
        run.kill(lambda: time.sleep(dice.uniform(0, 0.3)))
    while not over(now := run.it.migration(), to):
        assert time.monotonic() < deadline, now
        time.sleep(0.02)


# ---- a provider that recognises identities ----

def test_a_migration_goes_on_though_killed_at_each_step_boundary(hiring):
    run = hiring()
    run.begin()
    for to in ("async", "sync", "async"):
        seen = migrate_killed_at_boundaries(run, to)
        assert len({step for step, _ in seen}) >= 3, seen
        print(to, seen)
    assert run.verdict()["completions told accepted"] > 100


@pytest.mark.parametrize("seed", SEEDS)
def test_a_migration_goes_on_though_killed_at_random(hiring, seed):
    print(f"COMMUTE_SEED={seed}")
    dice = random.Random(seed)
    run = hiring()
    run.begin(seed=seed)
    for to in ("async", "sync", "async"):
        migrate_killed_at_random(run, dice, to, kills=6 if LONG else 4)
    run.verdict()


def test_what_is_accepted_waits_while_bonuses_is_killed(hiring):
    run = hiring(initially="async")
    run.begin()
    wait_until(lambda: run.accruals() > 50, 30, "50 accruals")
    for _ in range(2):
        run.platform.kill("bonuses")
        before = run.it.accounts()["admitted"]
        wait_until(lambda: run.it.accounts()["admitted"] > before + 50, 30, "50 more to be accepted")
        assert run.it.status()["waiting"] > 30, "they wait"
        assert run.it.parked() == []
        run.platform.start_service("bonuses")
        wait_until(lambda: run.it.status()["waiting"] < 10, 30, "what waited to be delivered")
    run.verdict()


def test_bonuses_killed_and_slow_while_commute_is_killed_too(hiring):
    dice = random.Random(SEED)
    run = hiring()
    run.begin()
    run.it.migrate("async")
    for number in range(4):
        run.platform.faults("bonuses", break_percent=5, fail_percent=5, slow_ms=dice.choice([0, 20]), for_ms=10000)
        time.sleep(dice.uniform(0.2, 0.8))
        if number % 2:
            run.platform.kill("bonuses")
            run.kill()
            run.platform.start_service("bonuses")
        else:
            run.kill()
    run.platform.faults("bonuses", break_percent=0, fail_percent=0, slow_ms=0, for_ms=0)
    wait_until(lambda: over(run.it.migration(), "async"), 30, "the migration to end")
    run.verdict()


def test_lost_views_are_rebuilt_from_the_log(hiring):
    run = hiring(initially="async")
    run.begin()
    wait_until(lambda: run.accruals() > 100, 30, "100 accruals")
    run.platform.kill("bonuses")
    wait_until(lambda: run.it.status()["waiting"] > 20, 30, "messages to wait")
    run.end_load()
    time.sleep(0.5)
    before = run.it.accounts()

    def lose():
        lost = list(run.it.data.glob("state.db*"))
        assert lost
        for path in lost:
            path.unlink()
    run.kill(lose)
    assert run.it.accounts() == before
    assert before["waiting"] + before["indeterminate"] > 20 and before["delivered"] > 100
    run.platform.start_service("bonuses")
    run.verdict()


# ---- one that recognises nothing ----

def test_nothing_is_doubled_where_nothing_is_recognised(hiring):
    """Kills of commute, and a bonuses that hangs and breaks connections: what nobody knows is parked, and a person settles it."""
    dice = random.Random(SEED)
    run = hiring(recognises="none", initially="async", settle="1s", timeout="500ms")
    run.begin(rate=120)
    wait_until(lambda: run.accruals() > 30, 30, "30 accruals")
    for _ in range(6 if LONG else 3):
        run.platform.faults("bonuses", hang_percent=3, hang_ms=800, break_percent=3, for_ms=10000)
        time.sleep(dice.uniform(0.3, 1))
        run.person()
        run.kill()
    run.platform.faults("bonuses", hang_percent=0, break_percent=0, for_ms=0)
    rows = wait_until(run.it.parked, 20, "something to be parked")
    assert all("nobody knows whether" in row["reason"] for row in rows)
    run.verdict()
    assert run.settled > 0
    calls = run.bonuses("SELECT became, count(*) FROM calls GROUP BY became")
    print(calls)
    assert [became for became, _ in calls] == ["done"], "no call came a second time"


def test_a_migration_where_nothing_is_recognised(hiring):
    """With records on, and as events. Killed in plain mode, what callers repeat would be done again, with commute or without."""
    run = hiring(recognises="none", settle="700ms", timeout="500ms")
    run.begin(rate=120)
    run.it.migrate("async")
    run.it.until("done", seconds=60)
    for to in ("sync", "async"):
        # A call that hangs while calls are plain is none of commute's: its caller's repeat would be done again. So calls hang only
        # while there are records, up to the kill, after which a way back may end as plain.
        hangs = killed = False
        if to == "sync":
            run.platform.faults("bonuses", hang_percent=2, hang_ms=700, for_ms=60000)
            hangs = True
            time.sleep(1)
        run.it.migrate(to)
        deadline = time.monotonic() + 60 * SLOW
        while not over(now := run.it.migration(), to):
            assert time.monotonic() < deadline, now
            recorded = run.it.status()["shards"]["plain"] == 0
            if not hangs and recorded:
                run.platform.faults("bonuses", hang_percent=2, hang_ms=700, for_ms=60000)
                hangs = True
            if not killed and recorded and now["step"] == "switch":
                run.platform.faults("bonuses", hang_percent=0, for_ms=0)
                run.kill()
                killed = True
            run.person()
            time.sleep(0.02)
        run.platform.faults("bonuses", hang_percent=0, for_ms=0)
    run.verdict()

# SPDX-License-Identifier: Apache-2.0
"""Memory of `commute serve` as PSS: idle, and with 64 callers connected after 1,000,000 durable messages in 100,000 lanes, all of
them delivered (FULL=1; else 200,000 messages)."""
import time

import rig

AIMS = {"idle": 10, "after": 30}


def run(options):
    count = 1_000_000 if rig.FULL else 200_000
    with rig.Rig(options.build, options.folder) as it:
        process, port = it.commute(it.backend(), "async")
        time.sleep(1)
        result = {"messages": count, "idle_mb": process.pss_mb()}
        call = {"target": "/COMM-040/accruals", "body": rig.body(), "connections": 64, "lanes": 100000}
        load = it.load(port, count=count, **call)
        result.update(rate=load["rate"], p99_us=load["p99_us"], just_after_mb=process.pss_mb())
        time.sleep(3)                           # deliveries and views catch up
        it.load(port, seconds=1, rate=500, **call)
        result["after_mb"] = process.pss_mb()
    return result


def report(result):
    print(f"  PSS idle                                {result['idle_mb']:8.1f} MB   aim ≤ {AIMS['idle']}")
    print(f"  PSS the moment {result['messages']:9,} are accepted  {result['just_after_mb']:8.1f} MB")
    print(f"  PSS afterwards, under a small load      {result['after_mb']:8.1f} MB   aim ≤ {AIMS['after']}")

"""Two replicas under load; the leader dies. When does the next tick arrive, and was anything lost or doubled?"""

import asyncio
import itertools
import signal
import time
from typing import Any

from benchmarks import ledger, tasks
from benchmarks.api import total
from benchmarks.session import Session

Record = dict[str, Any]


async def takeover(session: Session, *, count: int, kill: signal.Signals) -> Record:
    """`count` tasks due every second; the leader gets the signal in the middle of a second."""
    namespace = f"takeover-{kill.name.lower()}"
    await session.api.namespace(namespace)
    await session.fleet.add(session.api, namespace, 4)
    leader = session.start_operator()
    await leader.leading(0)
    standby = session.start_operator()
    names = [f"{namespace}-{number}" for number in range(count)]  # told apart from those of an earlier measurement
    await tasks.create(session.api, namespace, names, schedule="* * * * * *", concurrencyPolicy="Allow")
    await standby.until(lambda text: total(text, "warmcron_tasks") >= count)
    began = int(time.time()) + 6
    await asyncio.sleep(began + 10.5 - time.time())
    killed = time.time()
    leader.child.signal(kill)
    await asyncio.sleep(15)
    ended = int(time.time())
    await asyncio.sleep(2)
    for found in (leader, standby):
        await found.child.stop()
    await asyncio.sleep(1)
    arrivals = [found for found in ledger.read(session.fleet.ledgers) if found.task in set(names)]
    verdict = ledger.judge(arrivals, tasks=names, ticks=range(began, ended - 1))
    after = min((found.at for found in arrivals if found.at > killed + 0.25 and found.tick > killed), default=0.0)
    # Of the ticks that came while nobody led, and of those around them: how late the latest of them was sent.
    late = max((found.at - found.tick for found in arrivals if began <= found.tick < ended - 1), default=0.0)
    gap = _longest_gap(sorted(found.at for found in arrivals if began <= found.tick < ended))
    return {
        "signal": kill.name,
        "count": count,
        "expected": verdict.expected,
        "lost": verdict.lost,
        "doubled": verdict.doubled,
        "early": verdict.early,
        "first_tick_after_s": round(after - killed, 2),
        "latest_tick_s": round(late, 2),
        "longest_gap_s": round(gap, 2),
    }


def _longest_gap(moments: list[float]) -> float:
    return max((later - earlier for earlier, later in itertools.pairwise(moments)), default=0.0)

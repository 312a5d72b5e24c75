"""Whether a session costs more when there are many: load, change, save, in memory."""

import asyncio
import time
from statistics import median
from typing import Final

from agentscaler.runtime.sessions import Sessions
from agentscaler.runtime.state import NEW, MemoryStateStore

COUNTS: Final = (10, 1_000, 100_000)
USES: Final = 2_000
REPEATS: Final = 5


async def micros_per_use(count: int) -> float:
    """Measure one use of a session among `count`, in microseconds."""
    store = MemoryStateStore(max_sessions=count)
    for number in range(count):
        await store.save(str(number), b'{"turns":0}', read=NEW)
    sessions = Sessions(store, ordered=True)
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        for number in range(USES):
            async with sessions.open(str(number * 7919 % count)) as session:
                session.data["turns"] += 1
        taken.append((time.perf_counter() - began) / USES * 1e6)
    return median(taken)


def measured() -> dict[int, float]:
    """Measure each count of `COUNTS`."""
    return {count: asyncio.run(micros_per_use(count)) for count in COUNTS}

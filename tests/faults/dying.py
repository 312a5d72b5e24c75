"""A leader that dies in the middle of a pass, at a request of one's choice."""

import asyncio

from tests.fakes.apiserver import Fault
from tests.fakes.connected import until
from tests.fakes.leadership import Leader


async def die_at(leader: Leader, number: int, *, answered: bool, caught_up: bool = True) -> bool:
    """Take a pass that ends at its request of that number; tell whether it came that far."""
    seen, reached = 0, asyncio.Event()

    def count(verb: str, what: str) -> None:
        nonlocal seen
        if verb in {"watch", "list"} and what != "pods":
            return
        seen += 1
        if seen == number:
            if not answered:  # it never arrives
                leader.server.faults.append(Fault(verb, what, hang=True))
            reached.set()

    leader.server.on_request = count
    taking = asyncio.create_task(leader.run_pass(caught_up=caught_up))
    waiting = asyncio.create_task(reached.wait())
    await asyncio.wait({taking, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if answered:
        await asyncio.sleep(0.01)  # the server is done with it, whoever hears of that
    for task in (taking, waiting):
        task.cancel()
    await asyncio.gather(taking, waiting, return_exceptions=True)
    await leader.cycle.parties.cancel()
    await leader.works.cancel()
    leader.server.on_request = lambda verb, what: None
    leader.server.faults.clear()
    leader.server.cut()
    await asyncio.sleep(0.01)  # what is on its way arrives
    await until(lambda: not _under_way(leader))
    return reached.is_set()


def _under_way(leader: Leader) -> int:
    """Count the requests of the dead that the server has not done with: they may be carried out."""
    asked, done = (
        [each for each in requests if each[0] not in {"watch", "list"}]
        for requests in (leader.server.requests, leader.server.answered)
    )
    return len(asked) - len(done)

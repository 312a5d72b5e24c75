"""One line for all is never far from no waiting at all, and never worse than one at each agent."""

from tests.benchmarks.gateway import queueing


def test_one_line_lets_fewer_wait_long_than_any_line_at_the_agents() -> None:
    tails = queueing.compared(0.95)
    late = {name: share for name, (_, share) in tails.items()}
    assert late["no waiting"] <= late["one line"] < late["fewest"] < late["two choices"]


def test_tail_of_the_work_itself_is_all_that_is_left_at_three_quarters() -> None:
    tails = {name: tail for name, (tail, _) in queueing.compared(0.75).items()}
    assert tails["one line"] <= 1.01 * tails["no waiting"]

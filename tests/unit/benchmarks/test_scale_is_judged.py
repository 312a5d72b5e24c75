"""The benchmark of scale by hand: what it plays, what it tells, when a goal is missed."""

from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from agentscaler import conventions
from tests.benchmarks.scale import agents, documents, objects, report
from tests.benchmarks.scale.goals import judge
from tests.benchmarks.scale.meters import Marks
from tests.benchmarks.scale.rounds import Result


def result(policies: int, **changes: object) -> Result:
    per = policies / 10_000
    made = Result(
        policies=policies,
        cold_seconds=50 * per,
        recorded_seconds=60 * per,
        restart_seconds=20 * per,
        cpu_cores={
            "operator": 0.4 * per,
            "kube-apiserver": 0.2 * per,
            "etcd": 0.1 * per,
            "prometheus": 0.2 * per,
        },
        baseline_cores={"kube-apiserver": 0.1, "etcd": 0.1, "prometheus": 0.1},
        rss_mib=90 + 200 * per,
        start_rss_mib=90 + 205 * per,
        lag_p50_ms=2.0,
        lag_p99_ms=200 * per,
        start_lag_p99_ms=300 * per,
        pass_seconds=4 * per,
        queries_per_cycle=6.0,
        throttled_seconds=0.0,
        start_throttled_seconds=10 * per,
        requests_per_cycle={"patch agentscalingpolicies/status": 500 * per, "watch leases": 0.01},
        scalings_per_cycle=50 * per,
        decisions_per_cycle=float(policies),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


ALL = [result(size) for size in (100, 1_000, 5_000, 10_000)]


def missed(*results: Result) -> list[str]:
    return [each.goal for each in judge(results) if not each.is_met]


def test_goals_are_met_by_what_costs_little_and_grows_linearly() -> None:
    assert missed(*ALL) == []
    assert len(list(judge(ALL))) == 8


def test_every_goal_is_missed_by_what_costs_too_much() -> None:
    dear = result(
        10_000,
        cpu_cores=dict.fromkeys(ALL[-1].cpu_cores, 0.51),
        start_rss_mib=301.0,
        cold_seconds=61.0,
        restart_seconds=61.0,
        throttled_seconds=0.1,
        queries_per_cycle=12.0,
    )
    assert len(missed(*ALL[:-1], dear)) == len(list(judge(ALL)))


def test_growth_is_told_by_the_two_largest_sizes() -> None:
    squared = result(10_000, cpu_cores={"operator": 4 * 0.45})
    (growth,) = [each for each in judge([*ALL[:-1], squared]) if each.goal.startswith("CPU")]
    assert (growth.reached, growth.is_met) == ("2.00", False)


def test_sizes_below_the_goal_are_not_held_against_it() -> None:
    assert list(judge(ALL[:1])) == []


def test_queries_of_passes_longer_than_a_cycle_are_not_compared() -> None:
    slow = [replace(each, pass_seconds=18.0) for each in ALL[2:]]
    assert [each.goal for each in judge(slow) if each.goal.startswith("queries")] == []
    assert "queries per cycle are constant" not in missed(ALL[0], slow[1])


def test_table_and_document_have_a_column_for_each_size() -> None:
    told = report.markdown(ALL).splitlines()
    assert told[0] == "| policies | 100 | 1,000 | 5,000 | 10,000 |"
    assert {line.count("|") for line in told} == {6}
    assert report.table(ALL).row_count == len(told) - 2
    assert "500.0 patch agentscalingpolicies/status |" in "\n".join(told)


def test_counters_are_told_as_what_was_counted_between() -> None:
    before, after = Marks(10.0, {"a": 1.0}, {"n": 5.0}), Marks(40.0, {"a": 4.0}, {"n": 9.0, "m": 1})
    spent = after.since(before)
    assert (spent.at, spent.cpu, spent.counted) == (30.0, {"a": 3.0}, {"n": 4.0, "m": 1.0})


def test_page_has_what_the_defaults_read_of_every_agent() -> None:
    page = agents.page(30, 1000.0)
    families = list(text_string_to_metric_families(page))  # type: ignore[no-untyped-call]
    told = {family.name: family.samples for family in families}
    assert set(told) == {
        conventions.ACTIVE_REQUESTS,
        conventions.QUEUE_DEPTH,
        conventions.REQUESTS_RECEIVED.removesuffix("_total"),
        conventions.REQUESTS_ENDED.removesuffix("_total"),
        conventions.REQUEST_DURATION,
        conventions.REQUEST_WAIT,
    }
    assert len(told[conventions.ACTIVE_REQUESTS]) == 30


def test_one_agent_in_a_hundred_gets_another_load_in_each_turn() -> None:
    numbers = range(10_000)
    then, now = 1000 * agents.TURN_SECONDS, 1001 * agents.TURN_SECONDS
    turned = [n for n in numbers if abs(agents.active(n, then) - agents.active(n, now)) > 3]
    assert len(turned) == 100


def test_every_tenth_target_is_a_deployment_up_to_a_thousand() -> None:
    assert sum(map(objects.is_deployment, range(100))) == 10
    assert sum(map(objects.is_deployment, range(20_000))) == 1000


def test_documents_get_the_figures_between_the_marks(tmp_path: Path) -> None:
    for name, mark in (("benchmarks.md", "scale"), ("operating.md", "sizing")):
        marks = f"<!-- begin {mark} -->\nold\n<!-- end {mark} -->"
        (tmp_path / name).write_text(f"before\n{marks}\nafter\n")
    documents.write(ALL, tmp_path)
    documents.write(ALL, tmp_path)
    measured = (tmp_path / "benchmarks.md").read_text()
    assert measured.startswith("before\n<!-- begin scale -->\n| policies | 100 |")
    assert measured.endswith("<!-- end scale -->\nafter\n")
    assert "old" not in measured
    sized = (tmp_path / "operating.md").read_text().splitlines()
    assert "| 10,000 | 600m | 448Mi | 33.3 | 50 s |" in sized


def test_document_without_marks_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "benchmarks.md").write_text("by hand")
    with pytest.raises(ValueError, match="has no section"):
        documents.write(ALL, tmp_path)

"""The operator's own metrics: what is exported, that it is documented, what it costs."""

import re
import time
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from agentscaler.api.signals import SignalName
from agentscaler.api.status import (
    BudgetStatus,
    CeilingStatus,
    LimitsStatus,
    Outcome,
    PolicyStatus,
)
from agentscaler.decide.snapshot import Missing, Replicas, Why
from agentscaler.report import composing, figures, outlines, troubles
from agentscaler.report.telemetry import Telemetry
from tests.unit.report.scenes import BUSY, FACTS, NOON, decided, outlook, policy, seen

DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"
LIMITED = policy(maxReplicas=5)


def limited() -> PolicyStatus:
    signals = {**BUSY, SignalName.LATENCY: Missing(Why.EMPTY)}
    snapshot = seen(signals, outlook=outlook())
    decision = decided(LIMITED, snapshot)
    return composing.decided(PolicyStatus(), LIMITED, snapshot, decision, FACTS)


def page_of(telemetry: Telemetry, *names: str) -> str:
    return b"".join(telemetry.page(names)).decode()


def exported(telemetry: Telemetry) -> dict[str, Metric]:
    families = text_string_to_metric_families(page_of(telemetry))
    return {family.name: family for family in families}


def samples(family: Metric, label: str) -> dict[str, float]:
    return {sample.labels[label]: sample.value for sample in family.samples}


def test_policy_exports_its_counts_and_what_bound_them() -> None:
    telemetry = Telemetry("0.1.0")
    telemetry.note("agents", "research-agent", outlines.of(limited()), error=0.09)
    families = exported(telemetry)
    proposed = decided(LIMITED, seen(outlook=outlook())).steps[0].after
    assert samples(families["agentscaler_policy_replicas"], "state") == {
        "current": 4,
        "ready": 4,
        "proposed": proposed,
        "desired": 5,
    }
    assert samples(families["agentscaler_policy_decision_info"], "reason") == {"AtMaximum": 1}
    assert samples(families["agentscaler_policy_forecast_slots"], "bound") == {
        "expected": 18.3,
        "upper": 24.6,
    }
    assert families["agentscaler_policy_forecast_error_ratio"].samples[0].value == 0.09
    assert samples(families["agentscaler_policy_signal_missing"], "signal") == {"latency": 1}
    labels = families["agentscaler_policy_replicas"].samples[0].labels
    assert (labels["namespace"], labels["policy"]) == ("agents", "research-agent")


def test_proposal_is_the_decision_where_nothing_limits_it() -> None:
    broad = policy(demand={"scaleUp": {"maxStep": 50}}, maxReplicas=50)
    status = composing.decided(PolicyStatus(), broad, seen(), decided(broad, seen()), FACTS)
    record = figures.of(outlines.of(status))
    assert record.proposed == record.desired


def test_limits_are_exported_by_provider_and_as_money() -> None:
    known = LimitsStatus(
        ceilings=(CeilingStatus(provider="openai", replicas=8, step=1, since=NOON),),
        budget=BudgetStatus(since=NOON, as_of=NOON, spent="20.00", projected="44.00"),
    )
    telemetry = Telemetry("0.1.0")
    telemetry.note("agents", "research-agent", outlines.of(PolicyStatus(limits=known)))
    families = exported(telemetry)
    ceilings = families["agentscaler_policy_provider_ceiling_replicas"]
    assert samples(ceilings, "provider") == {"openai": 8}
    assert samples(families["agentscaler_policy_budget_cost"], "state") == {
        "spent": 20,
        "projected": 44,
    }


def test_policy_that_is_gone_has_no_series() -> None:
    telemetry = Telemetry("0.1.0")
    telemetry.note("agents", "research-agent", outlines.of(limited()))
    telemetry.forget("agents", "research-agent")
    telemetry.forget("agents", "never-seen")
    assert "research-agent" not in page_of(telemetry)
    assert exported(telemetry)["agentscaler_policies"].samples == []


def test_policy_that_was_paused_exports_nothing_of_the_decision_that_stood() -> None:
    telemetry = Telemetry("0.1.0")
    paused = composing.paused(
        limited(), LIMITED, target="Deployment/a", replicas=Replicas(4, 3), now=NOON
    )
    telemetry.note("agents", "research-agent", outlines.of(paused))
    families = exported(telemetry)
    counts = families["agentscaler_policy_replicas"]
    assert samples(counts, "state") == {"current": 4, "ready": 3}
    for name in ("decision_info", "forecast_slots", "signal_missing"):
        assert families[f"agentscaler_policy_{name}"].samples == []


def test_policies_are_counted_by_what_they_do() -> None:
    telemetry = Telemetry("0.1.0")
    old = limited()
    invalid = composing.halted(old, troubles.invalid_spec(("x",)), generation=1, now=NOON)
    blind = seen({**BUSY, SignalName.QUEUE_DEPTH: Missing(Why.TIMEOUT)})
    ill = composing.decided(old, policy(), blind, decided(policy(), blind), FACTS)
    for name, status in {"a": old, "b": old, "c": invalid, "d": ill, "e": PolicyStatus()}.items():
        telemetry.note("agents", name, outlines.of(status))
    counted = samples(exported(telemetry)["agentscaler_policies"], "state")
    assert counted == {"Active": 2, "InvalidSpec": 1, "SourceUnavailable": 1, "Unknown": 1}


def test_unknown_figures_are_not_exported() -> None:
    telemetry = Telemetry("0.1.0")
    telemetry.note("agents", "undecided", outlines.of(PolicyStatus()))
    assert "undecided" not in page_of(telemetry)


def test_scaling_is_counted_by_direction_and_reason() -> None:
    telemetry = Telemetry("0.1.0")
    event = limited().history[0].model_copy(update={"outcome": Outcome.APPLIED})
    telemetry.count_scaling(event)
    counted = samples(exported(telemetry)["agentscaler_scalings"], "reason")
    # Forced drains are there from the start: an alert looks for their first.
    assert counted == {"AtMaximum": 1, "DrainForced": 0}


def test_api_requests_are_counted_from_their_totals() -> None:
    telemetry = Telemetry("0.1.0")
    telemetry.count_api_requests({("patch", "deployments/scale"): 3})
    telemetry.count_api_requests({("patch", "deployments/scale"): 5})
    (sample,) = exported(telemetry)["agentscaler_api_requests"].samples
    assert (sample.value, sample.labels["verb"]) == (5, "patch")


def test_time_spent_waiting_for_the_own_limit_is_counted_from_its_total() -> None:
    telemetry = Telemetry("0.1.0")
    for total in (1.5, 4.0):
        telemetry.count_api_requests({}, total)
    (sample,) = exported(telemetry)["agentscaler_api_throttled_seconds"].samples
    assert sample.value == 4.0


def test_page_of_some_names_has_these_alone() -> None:
    telemetry = Telemetry("0.1.0")
    telemetry.note("agents", "research-agent", outlines.of(limited()))
    names = ["agentscaler_decisions_total", "agentscaler_policy_replicas"]
    families = text_string_to_metric_families(page_of(telemetry, *names))
    told = {sample.name for family in families for sample in family.samples}
    assert told == set(names)


def test_label_values_are_escaped() -> None:
    odd = figures.Figures(state="Active", reason='say "\\"\n')
    (text,) = [part for part in figures.pages({("a", "b"): odd}) if b"decision_info{" in part]
    (family,) = text_string_to_metric_families(text.decode())
    assert family.samples[0].labels["reason"] == 'say "\\"\n'


def test_every_metric_is_documented_and_no_other() -> None:
    row = r"^\| `(agentscaler_\w+)` \| (\w+)"
    documented = set(re.findall(row, DOCS.read_text(), re.MULTILINE))
    telemetry = Telemetry("0.1.0")
    told = re.findall(r"^# TYPE (\S+) (\w+)$", page_of(telemetry), re.MULTILINE)
    assert documented == set(told)


@pytest.mark.bench  # coverage alone makes it twenty times as slow
def test_updating_ten_thousand_policies_is_cheap() -> None:
    telemetry, status = Telemetry("0.1.0"), limited()
    names = [f"policy-{number}" for number in range(10_000)]
    began = time.process_time()
    for name in names:
        telemetry.note("agents", name, outlines.of(status))
    assert time.process_time() - began < 0.5

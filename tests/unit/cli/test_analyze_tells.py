"""What agentscaler analyze prints of an analysis, for people and for machines."""

from agentscaler.analyze.bottlenecks import Operation, Situation, diagnose
from agentscaler.analyze.recommendations import recommend
from agentscaler.cli import analyze
from agentscaler.cli.analyze import Analysis

SEEN = Situation(
    queued=12.0,
    active=8.0,
    capacity=8.0,
    latency=2.0,
    slow_above=5.0,
    refused={"openai": 0.25},
    operations=(Operation("db_read", 0.2, 1.5),),
)
TOLD = diagnose(SEEN)
ANALYSIS = Analysis("agents", "research", TOLD, recommend(SEEN, TOLD))
INVALID = Analysis("agents", "broken", problem="spec.maxReplicas: is below minReplicas")


def test_text_tells_verdict_findings_and_advice() -> None:
    verdict, sentence, finding, *advice = analyze._in_text(ANALYSIS)
    assert verdict == "research in agents: ProviderLimit; would replicas help: No"
    assert "openai refuses 25% of the calls" in sentence
    assert finding == "  high: db_read takes 0.2s on average, but one in ten more than 1.5s"
    assert advice[-1] == "  -> db_read: use a pool of connections or read replicas"


def test_json_tells_the_same() -> None:
    told = analyze._in_json(ANALYSIS)
    assert (told["policy"], told["verdict"], told["replicasHelp"]) == (
        "research",
        "ProviderLimit",
        "No",
    )
    assert told["subject"] == "openai"
    assert [each["name"] for each in told["findings"]] == ["db_read"]
    assert told["recommendations"] == list(ANALYSIS.recommended)


def test_policy_that_cannot_be_followed_is_told_with_its_problem() -> None:
    assert analyze._in_json(INVALID)["problem"] == INVALID.problem
    assert list(analyze._in_text(INVALID)) == [
        f"broken in agents: cannot be followed: {INVALID.problem}"
    ]

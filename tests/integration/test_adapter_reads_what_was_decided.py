"""The adapter's rule of docs/migrating.md, asked of a real Prometheus as the adapter asks it."""

import re
from pathlib import Path

import pytest
import requests
import yaml

from tests.fakes.lone_prometheus import NOON, Samples, running

pytestmark = pytest.mark.e2e

PAGE = (Path(__file__).parents[2] / "docs" / "migrating.md").read_text()
FILES = dict(re.findall(r"^```yaml (\S+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
SERIES = "agentscaler_policy_replicas"
STATES = {"current": 8, "ready": 8, "proposed": 2, "desired": 3, "candidate": 9}


def asked_by_the_adapter() -> str:
    """Fill the template as BuildExternal of the adapter does.

    Its series is the bare name, without the matchers of `seriesQuery`; its matchers are those of
    the HPA's selector, and the namespace.
    """
    (rule,) = yaml.safe_load(FILES["adapter-rules.yaml"])["externalRules"]
    assert rule["seriesQuery"].startswith(SERIES)
    hpa = yaml.safe_load(FILES["acting-hpa.yaml"])
    metric = hpa["spec"]["metrics"][0]["external"]["metric"]
    assert metric["name"] == rule["name"]["as"]
    labels = {**metric["selector"]["matchLabels"], "namespace": hpa["metadata"]["namespace"]}
    matchers = ",".join(f'{name}="{value}"' for name, value in labels.items())
    template: str = rule["metricsQuery"]
    return template.replace("<<.Series>>", SERIES).replace("<<.LabelMatchers>>", matchers)


def test_rule_of_the_adapter_gives_the_count_that_was_decided() -> None:
    samples = Samples()
    for state, count in STATES.items():
        samples.steady(SERIES, count, namespace="agents", policy="research", state=state)
        samples.steady(SERIES, 7, namespace="agents", policy="other", state=state)
    with running(samples) as address, requests.Session() as http:
        http.trust_env = False
        asked = {"query": asked_by_the_adapter(), "time": str(NOON.timestamp())}
        answer = http.get(f"{address}/api/v1/query", params=asked, timeout=10).json()
    assert [each["value"][1] for each in answer["data"]["result"]] == ["3"]

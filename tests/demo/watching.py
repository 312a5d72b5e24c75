"""Looks at the running system: the fleet, the Deployment, the policy, its Events, the operator."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from agentscaler import conventions
from agentscaler.quantities import parse_duration
from tests.bed.fleet import Fleet
from tests.demo.scenario import Target

FORECAST = re.compile(
    r'^agentscaler_policy_forecast_slots\{[^}]*bound="expected"[^}]*\} (\S+)$', re.MULTILINE
)
NEWEST_EVENTS = 4
TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Moment:
    """What was seen at one moment, `at` seconds of the fleet's time.

    expected: slots forecast for `lookahead` seconds later; None while there is no forecast.
    """

    at: float
    in_service: int
    waiting: int
    wanted: int
    ready: int
    expected: float | None
    lookahead: float
    decision: str
    events: tuple[str, ...]


class Watcher:
    """Looks once per call; `api` and `operator` are addresses of HTTP servers."""

    def __init__(self, fleet: Fleet, target: Target, *, api: str, operator: str) -> None:
        self._fleet = fleet
        self._target = target
        self._operator = operator
        self._api = api
        self._http = requests.Session()
        self._http.trust_env = False

    def look(self) -> Moment:
        """See the present moment."""
        figures = self._fleet.figures()[self._target.key]
        status = self.policy_status()
        forecast = status.get("forecast") or {}
        deployment = self._read("apis/apps/v1", f"deployments/{self._target.deployment}")
        return Moment(
            at=figures["now"],
            in_service=figures["in_service"],
            waiting=figures["waiting"],
            wanted=deployment["spec"]["replicas"],
            ready=deployment["status"].get("readyReplicas", 0),
            expected=self._expected(),
            lookahead=parse_duration(forecast.get("lookahead") or "0s").total_seconds(),
            decision=(status.get("decision") or {}).get("message", ""),
            events=self._events(),
        )

    def policy_status(self) -> dict[str, Any]:
        """Read the policy's status; empty before the first decision."""
        found = self._read(
            f"apis/{conventions.API_VERSION}", f"{conventions.PLURAL}/{self._target.policy}"
        )
        return found.get("status") or {}

    def condition(self, kind: str) -> str:
        """Read the state of one of the policy's conditions: True, False or Unknown."""
        conditions = self.policy_status().get("conditions") or ()
        return next((each["status"] for each in conditions if each["type"] == kind), "Unknown")

    def _expected(self) -> float | None:
        """Read the newest forecast; the status has it only when something else changed too."""
        answer = self._http.get(f"http://{self._operator}/metrics", timeout=TIMEOUT_SECONDS)
        found = FORECAST.search(answer.text)
        return float(found[1]) if found else None

    def _events(self) -> tuple[str, ...]:
        """Give the newest Events of the policy, the newest first."""
        of_policies = {"fieldSelector": f"involvedObject.kind={conventions.KIND}"}
        found = self._read("api/v1", "events", of_policies)["items"]
        ordered = sorted(found, key=lambda event: str(event["lastTimestamp"]), reverse=True)
        return tuple(f"{each['reason']}: {each['message']}" for each in ordered[:NEWEST_EVENTS])

    def _read(
        self, group: str, path: str, params: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        url = f"http://{self._api}/{group}/namespaces/{self._target.namespace}/{path}"
        answer = self._http.get(url, params=params, timeout=TIMEOUT_SECONDS)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

"""The whole fleet: its agents, the pods they are given, and the page they share."""

from collections.abc import Callable, Iterable
from typing import Any

from tests.bed.fleet.agent import Agent
from tests.bed.fleet.config import AgentConfig, Change, Gauge, Shown
from tests.bed.fleet.page import Page, labels_of
from tests.bed.fleet.pods import PodSeen

Key = tuple[str, str]


class Playing:
    """Agents by namespace and name; `now` tells the seconds since the epoch."""

    def __init__(self, now: Callable[[], float], known: Callable[[], Iterable[PodSeen]]) -> None:
        self._now = now
        self._known = known
        self._agents: dict[Key, Agent] = {}
        self._frozen: dict[Key, Page] = {}
        self._gauges: dict[tuple[str, str], float] = {}
        self._shown: Shown = "live"
        self._last_text = ""

    def put(self, config: AgentConfig) -> None:
        """Play an agent, from now on, with the pods that it has; another of that name ends."""
        key = (config.namespace, config.name)
        self._frozen.pop(key, None)
        self._agents[key] = Agent(config, self._now())
        for pod in self._known():
            if (pod.namespace, pod.agent) == key:
                self.note(pod)

    def remove(self, key: Key) -> None:
        """Play an agent no more; raise KeyError if there is none."""
        del self._agents[key]

    def change(self, key: Key, change: Change) -> None:
        """Turn an agent's dials; raise KeyError if there is none."""
        agent = self._agents[key]
        if change.shown == "frozen" and agent.shown != "frozen":
            agent.advance(self._now())
            self._frozen[key] = Page()
            agent.write(self._frozen[key])
        agent.change(change, self._now())

    def set_gauge(self, gauge: Gauge) -> None:
        """Show a custom series, or show it no more."""
        series = (gauge.name, labels_of(gauge.labels))
        if gauge.value is None:
            self._gauges.pop(series, None)
        else:
            self._gauges[series] = gauge.value

    def show(self, shown: Shown) -> None:
        """Show the whole page live, as it is now, or not at all."""
        if shown == "frozen":
            self._last_text = self._text()
        self._shown = shown

    def note(self, pod: PodSeen) -> None:
        """Tell the agent of a pod what became of it."""
        agent = self._agents.get((pod.namespace, pod.agent))
        if agent is not None:
            agent.advance(self._now())
            agent.note(pod.name, pod.state)

    def drained(self) -> list[tuple[str, str]]:
        """Name the deleted pods that have nothing left to do, with their namespaces."""
        return [
            (agent.config.namespace, pod) for agent in self._advanced() for pod in agent.drained()
        ]

    def mark(self) -> None:
        """Let all figures begin now."""
        for agent in self._advanced():
            agent.mark()

    def figures(self) -> list[dict[str, Any]]:
        """Give the figures of every agent."""
        return [agent.figures() for agent in self._advanced()]

    def page(self) -> str | None:
        """Give the page as it is shown; None when it is not."""
        match self._shown:
            case "live":
                return self._text()
            case "frozen":
                return self._last_text
            case "absent":
                return None

    def _text(self) -> str:
        page = Page()
        for agent in self._advanced():
            if agent.shown == "live":
                agent.write(page)
            elif agent.shown == "frozen":
                page.take(self._frozen[agent.config.namespace, agent.config.name])
        for (name, labels), value in self._gauges.items():
            page.add(name, labels, value)
        return page.text()

    def _advanced(self) -> list[Agent]:
        now = self._now()
        for agent in self._agents.values():
            agent.advance(now)
        return list(self._agents.values())

"""The configuration file: every option with its default, and complaints that name field and fix."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from agentscaler.gateway import config
from agentscaler.gateway.backends import Endpoint
from agentscaler.gateway.errors import InvalidConfigError
from agentscaler.gateway.routes import Route, route_for, rule_of
from agentscaler.gateway.settings import (
    Address,
    DnsBackends,
    GatewaySettings,
    Key,
    RouteSettings,
    RuleSettings,
    ServiceBackends,
    StaticBackends,
    WakeSettings,
)
from tests.fakes.clocks import HandClock

LEAST: dict[str, Any] = {"agent": "research", "backends": {"static": ["10.0.0.7:8000"]}}

EVERYTHING = """
listen: 127.0.0.1:8081
admin: "[::1]:9091"
exports: all
drainDelay: 1s
drainLimit: 2m
routes:
  - agent: research
    host: Agents.Example
    path: /research
    capacity: 4
    backends: {static: [{address: "10.0.0.7:8000", weight: 2}, "10.0.0.8:8000"]}
    rule: {name: hash, key: {cookie: sid}, loadFactor: 1.5, shards: 64}
    queue: {maxWaiting: 5, deadline: 1m, priorityHeader: x-rank}
    health: {path: /readyz, every: 1s, timeout: 500ms, failures: 2}
    ejection: {consecutiveErrors: 3, for: 10s, atMost: 20s, maxRatio: 25%}
    slowStart: 5s
    timeouts: {connect: 1s, idle: 10m}
  - {agent: writer, backends: {dns: {name: writer.agents, port: 8000, every: 2s}}}
  - agent: coder
    path: /coder
    backends: {service: {name: coder, namespace: agents, port: http}}
"""


def parsed(**route: Any) -> RouteSettings:
    return config.parse({"routes": [LEAST | route]}).routes[0]


def test_little_is_needed_and_the_rest_has_defaults() -> None:
    settings = config.parse({"routes": [LEAST]})
    source = StaticBackends((Endpoint("10.0.0.7:8000"),))
    assert settings == GatewaySettings(routes=(RouteSettings(agent="research", source=source),))


def test_every_option_is_read(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text(EVERYTHING, encoding="utf-8")
    settings = config.read(path)
    assert (settings.listen, settings.admin) == (Address("127.0.0.1", 8081), Address("::1", 9091))
    assert (settings.exports, settings.drain_delay_seconds, settings.drain_limit_seconds) == (
        "all", 1, 120,
    )  # fmt: skip
    research, writer, coder = settings.routes
    assert (research.host, research.path, research.capacity) == ("agents.example", "/research", 4)
    assert research.source == StaticBackends(
        (Endpoint("10.0.0.7:8000", 2), Endpoint("10.0.0.8:8000"))
    )
    assert research.rule == RuleSettings(
        name="hash", key=Key("cookie", "sid"), load_factor=1.5, num_shards=64
    )
    assert (research.queue.max_waiting, research.queue.wait_seconds) == (5, 60)
    assert (research.health.path, research.health.timeout_seconds) == ("/readyz", 0.5)
    assert (research.ejection.max_ratio, research.ejection.max_seconds) == (0.25, 20)
    assert (research.slow_start_seconds, research.timeouts.idle_seconds) == (5, 600)
    assert writer.source == DnsBackends("writer.agents", 8000, 2)
    assert coder.source == ServiceBackends("coder", "agents", "http")


@pytest.mark.parametrize(
    ("route", "complaint"),
    [
        ({"agent": None}, "routes[0].agent: is required"),
        ({"agent": 7}, "routes[0].agent: must be a text that is not empty"),
        ({"path": "research"}, "routes[0].path: must begin with a slash"),
        ({"capacity": 0}, "routes[0].capacity: must be a whole number of at least 1"),
        ({"capacity": True}, "routes[0].capacity: must be a whole number of at least 1"),
        ({"rule": "fastest"}, "routes[0].rule: must be one of adaptive, round-robin, "),
        ({"rule": {"name": "hash", "loadFactor": 0.5}},
         "routes[0].rule.loadFactor: must be a number of at least 1"),
        ({"rule": {"key": {"body": False}}}, "routes[0].rule.key: give one of header: NAME, "),
        ({"rule": ["hash"]}, "routes[0].rule: must be a mapping of fields"),
        ({"queue": {"deadline": "soon"}},
         "routes[0].queue.deadline: 'soon' is no duration: write it like 30s"),
        ({"queue": {"dedline": "30s"}},
         "routes[0].queue.dedline: there is no such field; known are deadline, maxWaiting, "),
        ({"ejection": {"maxRatio": "half"}},
         "routes[0].ejection.maxRatio: 'half' is no percentage: write it like 80%"),
        ({"backends": {}}, "routes[0].backends: give exactly one of static, "),
        ({"backends": {"static": []}},
         "routes[0].backends.static: must be a list with at least one entry"),
        ({"backends": {"static": ["http://10.0.0.7:8000"]}},
         "routes[0].backends.static: must be host:port, such as 10.0.0.7:8000; "),
        ({"backends": {"static": [{"address": "10.0.0.7"}]}},
         "routes[0].backends.static.address: must be host:port, such as 10.0.0.7:8000; "),
        ({"backends": {"service": {"name": "x", "port": 1.5}}},
         "routes[0].backends.service.port: must be the name or the number of a port"),
        ({"backends": {"dns": {"name": "x"}}}, "routes[0].backends.dns.port: is required"),
        ({"backends": {"dns": {"name": "x", "port": 80, "every": "0s"}}},
         "routes[0].backends.dns.every: must be longer than 0s"),
        ({"health": {"path": "readyz"}}, "routes[0].health.path: must begin with a slash"),
        ({"health": {"path": "/", "every": "0s"}},
         "routes[0].health.every: must be longer than 0s"),
        ({"health": {"path": "/", "timeout": "0s"}},
         "routes[0].health.timeout: must be longer than 0s"),
        ({"timeouts": {"connect": "0s"}}, "routes[0].timeouts.connect: must be longer than 0s"),
        ({"timeouts": {"idle": "0s"}}, "routes[0].timeouts.idle: must be longer than 0s"),
        ({"host": "agents.example:8080"}, "routes[0].host: must be a name without a port"),
        ({"wake": {"policy": "research"}}, "routes[0].wake: a static list is never at zero; "),
    ],
)  # fmt: skip
def test_complaint_names_the_field_and_the_fix(route: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidConfigError) as refused:
        parsed(**route)
    assert str(refused.value).startswith(complaint)


def test_whole_file_may_be_wrong(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigError, match="cannot be read: No such file"):
        config.read(tmp_path / "missing.yaml")
    with pytest.raises(InvalidConfigError, match=r"^the configuration: must be a mapping"):
        config.parse("routes")
    with pytest.raises(InvalidConfigError, match=r"^routes\[0\]: must be a mapping"):
        config.parse({"routes": ["research"]})
    with pytest.raises(InvalidConfigError, match="two of them have the same host and path"):
        config.parse({"routes": [LEAST, LEAST]})
    with pytest.raises(InvalidConfigError, match=r"^admin: must be host:port"):
        config.parse({"routes": [LEAST], "admin": "9090"})
    with pytest.raises(InvalidConfigError, match=r"^listen: must be host:port, .*; it is 8080$"):
        config.parse({"routes": [LEAST], "listen": 8080})


def test_key_is_a_header_unless_said_otherwise() -> None:
    assert parsed().rule.key == Key("header", "x-session-id")
    assert parsed(rule={"key": {"header": "x-user"}}).rule.key == Key("header", "x-user")
    assert parsed(rule={"key": {"body": True}}).rule.key == Key("body", "")


@pytest.mark.parametrize("name", config.RULES)
def test_every_rule_can_be_made(name: Any) -> None:
    assert hasattr(rule_of(parsed(rule=name).rule), "pick")


def test_longest_prefix_wins_and_the_host_goes_first() -> None:
    routes = [
        Route(parsed(**fields), HandClock())
        for fields in (
            {"agent": "all"},
            {"agent": "deep", "path": "/a/b"},
            {"agent": "shallow", "path": "/a/"},
            {"agent": "hosted", "host": "agents.example"},
        )
    ]

    def found(host: str, path: str) -> str:
        route = route_for(routes, host, path)
        assert route is not None
        return route.settings.agent

    assert found("other", "/a/b/c") == "deep"
    assert found("other", "/a/bc") == "shallow"
    assert found("other", "/a") == "shallow"
    assert found("other", "/ab") == "all"
    assert found("Agents.Example:8080", "/a/b") == "hosted"
    assert found("[::1]", "/") == "all"
    assert route_for(routes[1:3], "other", "/") is None


def test_retry_after_grows_with_the_line_and_stays_within_bounds() -> None:
    route = Route(parsed(capacity=2), HandClock())
    assert route.retry_after_seconds() == 1
    route.pool.update([Endpoint("10.0.0.7:8000")])
    [backend] = route.pool.backends
    route.pool.record(backend, 10.0, failed=False)
    assert route.retry_after_seconds() == 5
    route.pool.record(backend, 1e6, failed=False)
    assert route.retry_after_seconds() == 60


def test_documented_examples_are_valid_and_show_the_defaults() -> None:
    text = (Path(__file__).parents[3] / "docs" / "gateway.md").read_text(encoding="utf-8")
    short, values, full = (part.split("```")[0] for part in text.split("```yaml\n")[1:])
    assert config.parse(yaml.safe_load(short)).routes[0].capacity == 4
    [woken] = config.parse(yaml.safe_load(values)["gateway"]["config"]).routes
    assert woken.wake == WakeSettings("research-agent", "agents")
    settings = config.parse(yaml.safe_load(full))
    [route] = settings.routes
    same = GatewaySettings(routes=(route,))
    assert settings == same
    plain = RouteSettings(agent=route.agent, source=route.source)
    for name in ("path", "queue", "ejection", "slow_start_seconds", "timeouts"):
        assert getattr(route, name) == getattr(plain, name)


def test_wake_names_the_policy_and_perhaps_its_namespace() -> None:
    def waking(**wake: str) -> WakeSettings | None:
        return parsed(backends={"service": {"name": "research"}}, wake=wake).wake

    assert parsed().wake is None
    assert waking(policy="p") == WakeSettings("p")
    assert waking(policy="p", namespace="n") == WakeSettings("p", "n")
    with pytest.raises(InvalidConfigError, match=r"routes\[0\]\.wake\.policy: is required"):
        waking(namespace="n")

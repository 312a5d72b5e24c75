"""The YAML of a gateway becomes `settings`; complaints name the field and the fix."""

from pathlib import Path
from typing import Any, Final, get_args

import yaml

from agentscaler.gateway.backends import Endpoint
from agentscaler.gateway.ejection import Ejection
from agentscaler.gateway.errors import InvalidConfigError
from agentscaler.gateway.sections import Section
from agentscaler.gateway.settings import (
    Address,
    DnsBackends,
    GatewaySettings,
    HealthSettings,
    Key,
    QueueSettings,
    RouteSettings,
    RuleName,
    RuleSettings,
    ServiceBackends,
    Source,
    StaticBackends,
    TimeoutSettings,
    WakeSettings,
)

MAX_PORT: Final = 65_535
RULES: Final[tuple[RuleName, ...]] = get_args(RuleName)


def read(path: Path) -> GatewaySettings:
    """Read the configuration file."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise InvalidConfigError(f"{path}: cannot be read: {exc.strerror}") from exc
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        raise InvalidConfigError(f"{path}: is no YAML: {exc}") from exc
    return parse(content)


def parse(content: Any) -> GatewaySettings:
    """Read a whole configuration."""
    top = Section(content)
    settings = GatewaySettings(
        routes=tuple(_route(each) for each in top.sections("routes")),
        listen=_address(top, "listen", "0.0.0.0:8080"),
        admin=_address(top, "admin", "0.0.0.0:9090"),
        exports=top.word("exports", ("queue", "all"), "queue"),
        drain_delay_seconds=top.seconds("drainDelay", 5.0),
        drain_limit_seconds=top.seconds("drainLimit", 60.0),
    )
    top.done()
    taken = [(route.host, route.path) for route in settings.routes]
    if len(set(taken)) < len(taken):
        raise InvalidConfigError("routes: two of them have the same host and path; remove one")
    return settings


def _route(section: Section) -> RouteSettings:
    given = section.text("namespace") if section.has("namespace") else None
    source = _source(section.section("backends"), given)
    of_service = source.namespace if isinstance(source, ServiceBackends) else None
    wake = _wake(section, source, given or of_service) if section.has("wake") else None
    route = RouteSettings(
        agent=section.text("agent"),
        source=source,
        namespace=given or of_service or (wake.namespace if wake else None),
        path=section.path_of_url("path", "/"),
        host=_host(section) if section.has("host") else None,
        capacity=section.whole("capacity", None) if section.has("capacity") else None,
        rule=_rule(section),
        queue=_queue(section.section("queue")),
        health=_health(section.section("health")),
        ejection=_ejection(section.section("ejection")),
        slow_start_seconds=section.seconds("slowStart", 30.0),
        timeouts=_timeouts(section.section("timeouts")),
        wake=wake,
    )
    section.done()
    return route


def _host(section: Section) -> str:
    host = section.text("host").lower()
    if ":" in host and not host.endswith("]"):
        raise section.wrong("host", "must be a name without a port")
    return host


def _source(section: Section, namespace: str | None) -> Source:
    kinds = [kind for kind in ("static", "dns", "service") if section.has(kind)]
    section.done()
    match kinds:
        case ["static"]:
            endpoints = [_endpoint(section, each) for each in section.items("static")]
            return StaticBackends(tuple(endpoints))
        case ["dns"]:
            dns = section.section("dns")
            found = DnsBackends(dns.text("name"), dns.whole("port", None), dns.period("every", 5.0))
            dns.done()
            return found
        case ["service"]:
            return _service(section.section("service"), namespace)
        case _:
            raise InvalidConfigError(f"{section.path}: give exactly one of static, dns and service")


def _service(section: Section, namespace: str | None) -> ServiceBackends:
    port = section.raw("port")
    if not isinstance(port, str | int | None):
        raise section.wrong("port", "must be the name or the number of a port of the Service")
    where = section.text("namespace") if section.has("namespace") else namespace
    found = ServiceBackends(section.text("name"), where, port)
    section.done()
    return found


def _endpoint(section: Section, entry: Any) -> Endpoint:
    if isinstance(entry, str):
        _host_and_port(section, "static", entry)
        return Endpoint(entry)
    each = Section(entry, section.where("static"))
    address, weight = each.text("address"), each.number("weight", 1.0, 0.01)
    each.done()
    _host_and_port(each, "address", address)
    return Endpoint(address, weight)


def _rule(section: Section) -> RuleSettings:
    if isinstance(section.raw("rule"), str):
        return RuleSettings(name=section.word("rule", RULES, "adaptive"))
    rule = section.section("rule")
    found = RuleSettings(
        name=rule.word("name", RULES, "adaptive"),
        key=_key(rule.section("key")),
        load_factor=rule.number("loadFactor", 1.25, 1.0),
        num_shards=rule.whole("shards", 1024),
    )
    rule.done()
    return found


def _key(section: Section) -> Key:
    kinds = [kind for kind in ("header", "cookie", "body") if section.has(kind)]
    section.done()
    match kinds:
        case []:
            return Key()
        case ["header"]:
            return Key("header", section.text("header"))
        case ["cookie"]:
            return Key("cookie", section.text("cookie"))
        case ["body"] if section.raw("body") is True:
            return Key("body", "")
        case _:
            raise InvalidConfigError(
                f"{section.path}: give one of header: NAME, cookie: NAME and body: true"
            )


def _queue(section: Section) -> QueueSettings:
    found = QueueSettings(
        max_waiting=section.whole("maxWaiting", 1000, 0),
        wait_seconds=section.seconds("deadline", 30.0),
        priority_header=section.text("priorityHeader", "x-priority"),
    )
    section.done()
    return found


def _health(section: Section) -> HealthSettings:
    found = HealthSettings(
        path=section.path_of_url("path") if section.has("path") else None,
        every_seconds=section.period("every", 5.0),
        timeout_seconds=section.period("timeout", 2.0),
        failures=section.whole("failures", 3),
    )
    section.done()
    return found


def _ejection(section: Section) -> Ejection:
    found = Ejection(
        consecutive_errors=section.whole("consecutiveErrors", 5),
        base_seconds=section.seconds("for", 30.0),
        max_seconds=section.seconds("atMost", 300.0),
        max_ratio=section.ratio("maxRatio", 0.5),
    )
    section.done()
    return found


def _timeouts(section: Section) -> TimeoutSettings:
    found = TimeoutSettings(
        connect_seconds=section.period("connect", 3.0),
        idle_seconds=section.period("idle", 300.0),
    )
    section.done()
    return found


def _wake(route: Section, source: Source, namespace: str | None) -> WakeSettings:
    if isinstance(source, StaticBackends):
        raise route.wrong("wake", "a static list is never at zero; use service or dns, or drop it")
    section = route.section("wake")
    where = section.text("namespace") if section.has("namespace") else namespace
    found = WakeSettings(section.text("policy"), where)
    section.done()
    return found


def _address(section: Section, name: str, default: str) -> Address:
    given = section.raw(name)
    return _host_and_port(section, name, default if given is None else given)


def _host_and_port(section: Section, name: str, text: Any) -> Address:
    host, _, port = str(text).rpartition(":")
    if not host or "/" in host or not port.isdecimal() or int(port) > MAX_PORT:
        raise section.wrong(name, f"must be host:port, such as 10.0.0.7:8000; it is {text!r}")
    return Address(host.strip("[]"), int(port))

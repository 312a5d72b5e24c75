"""agentscaler run: the operator itself."""

import asyncio
import ctypes
import gc
import os
from pathlib import Path
from typing import Any, Final

import click

from agentscaler import conventions, main
from agentscaler.cli import authority
from agentscaler.control import sharding
from agentscaler.handlers.admission import Desk
from agentscaler.observe.sources import Settings as SourceSettings
from agentscaler.observe.tenancy import Tenancy
from agentscaler.report import logs

_LAST_PORT: Final = 65535
# Of malloc.h: M_TRIM_THRESHOLD, M_MMAP_THRESHOLD in bytes, M_ARENA_MAX.
_MALLOC: Final = {-1: 128 * 1024, -3: 128 * 1024, -8: 2}


def _listen(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> tuple[str, int] | None:
    if value is None:
        return None
    host, colon, port = value.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > _LAST_PORT:
        raise click.BadParameter(f"{value!r} is no address: write it like 127.0.0.1:8080")
    return host.removeprefix("[").removesuffix("]"), int(port)


@click.command(context_settings={"auto_envvar_prefix": "AGENTSCALER", "show_default": True})
@click.option("--prometheus-url", required=True, help="Prometheus that has the agents' metrics.")
@click.option(
    "--prometheus-bearer-token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with a bearer token for it; read again every minute.",
)
@click.option(
    "--prometheus-ca-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the authority (PEM) that its certificate is checked against.",
)
@click.option(
    "--prometheus-tenant",
    default="",
    show_default=False,
    help="Tenant to ask it for, sent as X-Scope-OrgID: Mimir and Cortex want one.",
)
@click.option(
    "--allow-server",
    multiple=True,
    metavar="URL",
    help="A further server that policies may name; repeatable.",
)
@click.option(
    "--trust-namespace",
    multiple=True,
    metavar="NAMESPACE",
    help="A namespace whose policies may query all series; * for all of them; repeatable. "
    "Default: queries see the series of their policy's own namespace.",
)
@click.option(
    "--share-namespace",
    multiple=True,
    metavar="NAMESPACE",
    help="A namespace whose series all policies may query, such as a broker's; repeatable.",
)
@click.option(
    "--namespace",
    "-n",
    multiple=True,
    help="A namespace to follow policies in; repeatable. Default: all.",
)
@click.option(
    "--keda/--no-keda",
    default=True,
    help="Look for ScaledObjects of KEDA on the same targets; not without the right to list them.",
)
@click.option(
    "--kubeconfig",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="How to reach the cluster. Default: KUBECONFIG, the pod, ~/.kube/config.",
)
@click.option(
    "--lease-namespace",
    default=lambda: os.environ.get("POD_NAMESPACE", "default"),
    show_default="POD_NAMESPACE, else default",
    help="Where the Lease is by which replicas agree who acts.",
)
@click.option("--lease-name", default=conventions.LEASE_NAME, help="Name of that Lease.")
@click.option(
    "--shards",
    default=1,
    type=click.IntRange(1, sharding.MOST),
    help="How many replicas act at once, each on a share of the namespaces; the same for all.",
)
@click.option(
    "--listen",
    default="127.0.0.1:8080",
    callback=_listen,
    metavar="HOST:PORT",
    help="Where /livez, /readyz and /metrics are served; port 0 takes a free one.",
)
@click.option(
    "--webhook-listen",
    callback=_listen,
    metavar="HOST:PORT",
    help="Where the API server asks what the linter says of a policy. Default: nowhere.",
)
@click.option(
    "--webhook-certificate",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with tls.crt and tls.key for that; read again every minute.",
)
@click.option(
    "--api-rate",
    default=200.0,
    type=click.FloatRange(min=1),
    help="Requests a second to the API server, on average; twice as many at once.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
    default="info",
    help="Least level that is logged.",
)
@click.option(
    "--log-format",
    type=click.Choice(logs.FORMATS),
    default=logs.JSON,
    help="Lines of JSON, or text for people.",
)
def command(**options: Any) -> None:
    """Follow all policies and scale their targets, until told to stop.

    Every option can be set by an environment variable: AGENTSCALER_ and its name, as in
    AGENTSCALER_PROMETHEUS_URL.
    """
    logs.configure(options["log_format"], level=options["log_level"].upper())
    _collect_less_often()
    _give_memory_back()
    asyncio.run(main.run(_settings(options)))


def _collect_less_often() -> None:
    """Have the collector of garbage leave alone what was imported, and look at the rest less.

    It looked at all modules and policies every few passes, which took an eighth of the processor
    time of a thousand policies, and found nothing. What is long in use is looked at between passes.
    """
    gc.freeze()
    gc.set_threshold(10_000, 10, 1_000)


def _give_memory_back() -> None:
    """Have large buffers given back once they are free, and all threads share two heaps.

    By itself glibc learns from the first answer of a Prometheus to keep the place of the next one,
    in a heap for each thread: 39 of 226 MiB at 2,000 policies.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl and macOS have none
    if mallopt is not None:
        for parameter, value in _MALLOC.items():
            mallopt(parameter, value)


def _settings(options: dict[str, Any]) -> main.Settings:
    host, port = options["listen"]
    return main.Settings(
        source=SourceSettings(
            address=options["prometheus_url"],
            credentials=authority.credentials_of(options),
            allowed=frozenset(options["allow_server"]),
            tenancy=Tenancy(
                trusted=frozenset(options["trust_namespace"]),
                shared=frozenset(options["share_namespace"]),
            ),
        ),
        kubeconfig=options["kubeconfig"],
        namespaces=options["namespace"],
        keda=options["keda"],
        lease_namespace=options["lease_namespace"],
        lease_name=options["lease_name"],
        shards=options["shards"],
        desk=_desk(options),
        host=host,
        port=port,
        requests_per_second=options["api_rate"],
    )


def _desk(options: dict[str, Any]) -> Desk | None:
    place, certificate = options["webhook_listen"], options["webhook_certificate"]
    if (place is None) != (certificate is None):
        raise click.UsageError("--webhook-listen and --webhook-certificate need each other")
    if place is None:
        return None
    host, port = place
    return Desk(host, port, certificate)

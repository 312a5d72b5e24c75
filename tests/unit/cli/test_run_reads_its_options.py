"""agentscaler run: options and environment variables become the settings of the operator."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from agentscaler import conventions, main
from agentscaler.cli import group
from agentscaler.main import Settings
from agentscaler.observe.credentials import ANONYMOUS, Credentials
from agentscaler.observe.tenancy import CONFINED, Tenancy

URL = "http://prometheus.test:9090"
REQUIRED = ("--prometheus-url", URL)
Run = Callable[..., Settings]


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[logging.Logger]:
    """Leave logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield root
    root.handlers, root.level = handlers, level


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """Note the settings that the operator would run with."""
    seen: list[Settings] = []

    async def note(settings: Settings) -> None:
        seen.append(settings)

    monkeypatch.setattr(main, "run", note)
    monkeypatch.delenv("POD_NAMESPACE", raising=False)
    return seen


def call(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(group.agentscaler, ["run", *arguments], env=environment)


@pytest.fixture
def run(started: list[Settings]) -> Run:
    def made(*arguments: str, **environment: str) -> Settings:
        result = call(*arguments, **environment)
        assert result.exit_code == 0, result.output
        return started.pop()

    return made


def test_defaults_need_a_prometheus_only(run: Run) -> None:
    settings = run(*REQUIRED)
    assert settings == Settings(source=settings.source)
    assert settings.source.address == URL
    assert settings.source.credentials == ANONYMOUS
    assert settings.source.allowed == frozenset()
    assert settings.source.tenancy == CONFINED
    assert settings.lease_name == conventions.LEASE_NAME


def test_options_become_settings(run: Run, tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("token", "ca", "kubeconfig")}
    for name, file in files.items():
        file.write_text(name)
    authority = Path(DEFAULT_CA_BUNDLE_PATH).read_text()
    files["ca"].write_text(authority)
    settings = run(
        *REQUIRED,
        *("--prometheus-bearer-token-file", str(files["token"])),
        *("--prometheus-ca-file", str(files["ca"]), "--prometheus-tenant", "team-a"),
        *("--allow-server", "http://one.test", "--allow-server", "http://two.test"),
        *("--trust-namespace", "platform", "--share-namespace", "rabbitmq"),
        *("--namespace", "a", "-n", "b"),
        *("--kubeconfig", str(files["kubeconfig"])),
        *("--lease-namespace", "system", "--lease-name", "mine"),
        *("--listen", "0.0.0.0:0", "--api-rate", "50"),
    )
    source = settings.source
    assert source.credentials == Credentials(
        token_file=files["token"], authority=authority, tenant="team-a"
    )
    assert source.allowed == {"http://one.test", "http://two.test"}
    assert source.tenancy == Tenancy(frozenset({"platform"}), frozenset({"rabbitmq"}))
    assert (settings.namespaces, settings.kubeconfig) == (("a", "b"), files["kubeconfig"])
    assert (settings.lease_namespace, settings.lease_name) == ("system", "mine")
    assert (settings.host, settings.port) == ("0.0.0.0", 0)  # noqa: S104 - never listened on
    assert settings.requests_per_second == 50


def test_environment_variables_become_settings(run: Run) -> None:
    settings = run(
        AGENTSCALER_PROMETHEUS_URL=URL,
        AGENTSCALER_NAMESPACE="a b",
        AGENTSCALER_ALLOW_SERVER="http://one.test http://two.test",
        AGENTSCALER_LISTEN="127.0.0.1:9999",
        AGENTSCALER_LEASE_NAME="mine",
        AGENTSCALER_API_RATE="10",
    )
    assert settings.source.address == URL
    assert settings.namespaces == ("a", "b")
    assert len(settings.source.allowed) == 2
    assert (settings.port, settings.lease_name, settings.requests_per_second) == (9999, "mine", 10)


def test_option_beats_the_environment(run: Run) -> None:
    settings = run("--lease-name", "typed", *REQUIRED, AGENTSCALER_LEASE_NAME="set")
    assert settings.lease_name == "typed"


def test_lease_is_where_the_pod_is_unless_said_otherwise(run: Run) -> None:
    assert run(*REQUIRED).lease_namespace == "default"
    assert run(*REQUIRED, POD_NAMESPACE="system").lease_namespace == "system"
    elsewhere = run(*REQUIRED, POD_NAMESPACE="system", AGENTSCALER_LEASE_NAMESPACE="elsewhere")
    assert elsewhere.lease_namespace == "elsewhere"


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("localhost:0", "localhost", 0),
        ("[::1]:8080", "::1", 8080),
        (":8080", "", 8080),
        ("127.0.0.1:65535", "127.0.0.1", 65535),
    ],
)
def test_address_to_listen_on_is_read(run: Run, listen: str, host: str, port: int) -> None:
    settings = run(*REQUIRED, "--listen", listen)
    assert (settings.host, settings.port) == (host, port)


@pytest.mark.parametrize("listen", ["8080", "localhost", "localhost:", "a:b", "a:-1", "a:65536"])
def test_address_that_is_none_is_refused_with_an_example(
    started: list[Settings], listen: str
) -> None:
    result = call(*REQUIRED, "--listen", listen)
    assert result.exit_code == 2
    assert "write it like 127.0.0.1:8080" in result.output
    assert started == []


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (*REQUIRED, "--api-rate", "0"),
        (*REQUIRED, "--log-level", "loud"),
        (*REQUIRED, "--log-format", "xml"),
        (*REQUIRED, "--kubeconfig", "/nowhere/at/all"),
        (*REQUIRED, "--prometheus-ca-file", "/nowhere/at/all"),
    ],
    ids=["no prometheus", "no rate", "level", "format", "no kubeconfig", "no authority"],
)
def test_senseless_option_is_refused(started: list[Settings], arguments: tuple[str, ...]) -> None:
    assert call(*arguments).exit_code == 2
    assert started == []


@pytest.mark.parametrize(("typed", "level"), [("debug", logging.DEBUG), ("ERROR", logging.ERROR)])
def test_log_level_is_taken(run: Run, root_logger: logging.Logger, typed: str, level: int) -> None:
    run(*REQUIRED, "--log-level", typed, "--log-format", "console")
    assert root_logger.level == level

"""The authority of a Prometheus that the commands are given by a file."""

import ssl
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from agentscaler.cli import authority, group
from agentscaler.errors import UsageError

BUNDLE = Path(DEFAULT_CA_BUNDLE_PATH).read_text()
PEM = BUNDLE[BUNDLE.index("-----BEGIN") : BUNDLE.index("-----END")] + "-----END CERTIFICATE-----\n"
POLICY = """apiVersion: agentscaler.dev/v1alpha1
kind: AgentScalingPolicy
metadata: {name: research, namespace: agents}
spec: {scaleTargetRef: {name: research}, maxReplicas: 20}
"""


def options(file: Path | None) -> dict[str, Any]:
    return {
        "prometheus_ca_file": file,
        "prometheus_bearer_token_file": None,
        "prometheus_tenant": "team-a ",
    }


def test_comments_of_an_authority_may_have_any_letters(tmp_path: Path) -> None:
    file = tmp_path / "ca.crt"
    file.write_bytes("# Köln\n".encode("latin-1") + PEM.encode())
    assert authority.credentials_of(options(file)).authority.endswith(PEM)
    assert authority.credentials_of(options(None)).authority == ""


def test_tenant_is_one_that_a_header_can_hold() -> None:
    assert authority.credentials_of(options(None)).tenant == "team-a"
    for tenant in ("a\r\nCookie: b", "köln"):
        with pytest.raises(UsageError, match=r"--prometheus-tenant .*printable ASCII"):
            authority.credentials_of(options(None) | {"prometheus_tenant": tenant})


@pytest.mark.parametrize(
    "content",
    [ssl.PEM_cert_to_DER_cert(PEM), b"ca", PEM.encode("utf-16")],
    ids=["DER", "text", "UTF-16"],
)
def test_authority_that_is_none_says_what_is_wanted(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "ca.crt"
    file.write_bytes(content)
    with pytest.raises(UsageError, match="is no certificate in PEM form") as refused:
        authority.credentials_of(options(file))
    assert str(refused.value).startswith(f"--prometheus-ca-file {file}: ")


def test_authority_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"{tmp_path}: cannot be read: Is a directory"):
        authority.credentials_of(options(tmp_path))


@pytest.mark.parametrize("command", ["run", "backtest", "tune"])
def test_commands_refuse_an_authority_that_is_none(tmp_path: Path, command: str) -> None:
    file, policy = tmp_path / "ca.crt", tmp_path / "policy.yaml"
    file.write_bytes(ssl.PEM_cert_to_DER_cert(PEM))
    policy.write_text(POLICY)
    named = [] if command == "run" else [str(policy)]
    asked = ["--prometheus-url", "http://127.0.0.1:1", "--prometheus-ca-file", str(file)]
    done = CliRunner().invoke(group.agentscaler, [command, *named, *asked])
    assert isinstance(done.exception, UsageError)
    assert "is no certificate in PEM form" in str(done.exception)

"""Which cluster is found, and with which credentials."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio import client
from kubernetes.aio.config import incluster_config

from agentscaler.act import login
from agentscaler.act.client import connect
from agentscaler.errors import UsageError


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the cluster that the developer may have."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def write(
    file: Path,
    server: str,
    *,
    cluster: Any = None,
    user: Any = None,
    context: str = "it",
    namespace: str | None = None,
) -> Path:
    inside = {"cluster": context, "user": "me", "namespace": namespace}
    content = {
        "current-context": context,
        "contexts": [{"name": context, "context": inside}],
        "clusters": [{"name": context, "cluster": {"server": server, **(cluster or {})}}],
        "users": [{"name": "me", "user": user or {}}],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
    return file


def content_of(path: str | None) -> str:
    assert path is not None
    return Path(path).read_text()


async def server_of(kubeconfig: Path | None = None) -> str:
    settings = client.Configuration()
    await login.load(settings, kubeconfig)
    return (await login.login_of(settings)).server


async def test_named_file_beats_the_environment_and_that_the_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write(tmp_path / ".kube/config", "http://home")
    assert await server_of() == "http://home"
    monkeypatch.setenv("KUBECONFIG", str(write(tmp_path / "env", "http://env")))
    assert await server_of() == "http://env"
    assert await server_of(write(tmp_path / "named", "http://named")) == "http://named"


async def test_pod_is_where_it_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write(tmp_path / ".kube/config", "http://home")
    token, certificate = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text("from-the-pod")
    certificate.write_text("a certificate")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(certificate))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    settings = client.Configuration()
    await login.load(settings)
    found = await login.login_of(settings)
    assert (found.server, found.ca_path) == ("https://10.0.0.1:443", str(certificate))
    assert (found.scheme, found.token) == ("Bearer", "from-the-pod")


async def test_certificates_and_proxy_of_a_kubeconfig_are_told(tmp_path: Path) -> None:
    text = base64.b64encode(b"a certificate").decode()
    (tmp_path / "me.key").write_text("a key")
    user = {"client-certificate-data": text, "client-key": str(tmp_path / "me.key")}
    cluster = {"insecure-skip-tls-verify": True, "proxy-url": "http://proxy:3128"}
    settings = client.Configuration()
    file = write(tmp_path / "named", "https://it:6443", cluster=cluster, user=user)
    await login.load(settings, file)
    found = await login.login_of(settings)
    assert (found.token, found.scheme) == (None, None)
    assert (found.insecure, found.proxy_url) == (True, "http://proxy:3128")
    assert content_of(found.certificate_path) == "a certificate"
    assert found.private_key_path == str(tmp_path / "me.key")


async def test_no_cluster_is_told_with_what_to_do() -> None:
    with pytest.raises(UsageError, match="name a kubeconfig or set KUBECONFIG"):
        await connect()


async def test_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="gone is not there"):
        await connect(tmp_path / "gone")


async def test_first_of_several_files_names_the_context_as_for_kubectl(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    write(one, "http://one", context="here", namespace="agents")
    write(two, "http://two", context="there", namespace="others")
    for files, server, namespace in (
        ((tmp_path / "gone", one, two), "http://one", "agents"),
        ((two, one), "http://two", "others"),
    ):
        monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, files)))
        assert await server_of() == server
        assert login.namespace() == namespace


@pytest.mark.parametrize("text", ["{", "a: b: c", "contexts: [1]", "contexts: 5", "\xff"])
def test_namespace_of_a_file_that_makes_no_sense_is_not_guessed(tmp_path: Path, text: str) -> None:
    file = tmp_path / "odd"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=f"no cluster by {file}: ") as refused:
        login.namespace(file)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["{", "[]", "{}", "", "current-context: x", "contexts: [{}]"])
async def test_file_that_makes_no_sense_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "odd"
    file.write_text(text)
    with pytest.raises(UsageError, match="no cluster by") as refused:
        await connect(file)
    assert "\n" not in str(refused.value)


async def test_pod_without_a_token_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    with pytest.raises(UsageError, match="no cluster by the pod"):
        await connect()

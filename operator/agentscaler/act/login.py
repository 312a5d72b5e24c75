"""Find the cluster and the credentials for it: a kubeconfig, or the pod this runs in.

The same settings serve our own client and, as a plain `Login`, whoever else watches the cluster.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from kubernetes.aio import client, config

from agentscaler.errors import UsageError

HOME_KUBECONFIG: Final = Path("~/.kube/config")


@dataclass(frozen=True, slots=True)
class Login:
    """What a connection to the API server needs; paths are of PEM files."""

    server: str
    ca_path: str | None = None
    scheme: str | None = None
    token: str | None = field(default=None, repr=False)
    certificate_path: str | None = None
    private_key_path: str | None = None
    insecure: bool = False
    proxy_url: str | None = None


async def load(settings: client.Configuration, kubeconfig: Path | None = None) -> None:
    """Fill `settings` from the given file, else KUBECONFIG, else the pod, else ~/.kube/config.

    Raises UsageError if none of them leads to a cluster.
    """
    files = _files(kubeconfig)
    try:
        if files is None:
            config.load_incluster_config(settings)  # type: ignore[no-untyped-call]
        else:
            # Our own copies of the library's files must not be written back to the user's.
            await config.load_kube_config(  # type: ignore[no-untyped-call]
                files, client_configuration=settings, persist_config=False
            )
    except (config.ConfigException, OSError, ValueError, TypeError, yaml.YAMLError) as exc:
        raise UsageError(f"no cluster by {files or 'the pod'}: {exc}") from exc


def _files(kubeconfig: Path | None) -> str | None:
    named = str(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG", "")
    home = HOME_KUBECONFIG.expanduser()
    if not named and "KUBERNETES_SERVICE_HOST" in os.environ:
        return None
    files = named or str(home)
    if not any(Path(file).is_file() for file in files.split(os.pathsep)):
        raise UsageError(
            f"no cluster: {files} is not there; name a kubeconfig or set KUBECONFIG "
            "(in a pod its ServiceAccount is used)"
        )
    return files


async def login_of(settings: client.Configuration) -> Login:
    """Say the settings in plain words, with the newest token."""
    scheme, _, token = (await _credentials(settings)).partition(" ")
    return Login(
        server=settings.host,
        ca_path=settings.ssl_ca_cert,
        scheme=scheme.capitalize() or None,
        token=token.strip() or None,
        certificate_path=settings.cert_file,
        private_key_path=settings.key_file,
        insecure=not settings.verify_ssl,
        proxy_url=settings.proxy,
    )


async def _credentials(settings: client.Configuration) -> str:
    key: Any = await settings.get_api_key_with_prefix("BearerToken")
    return str(key or "")

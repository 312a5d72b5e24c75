"""Find the cluster and the credentials for it: a kubeconfig, or the pod this runs in.

The same settings serve our own client and, as a plain `Login`, whoever else watches the cluster.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from kubernetes.aio import client, config

from agentscaler.errors import UsageError

HOME_KUBECONFIG: Final = Path("~/.kube/config")
# What the library raises, by what is odd in a file.
_SENSELESS: Final = (
    config.ConfigException,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    yaml.YAMLError,
)


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
    with _told(files or "the pod"):
        if files is None:
            config.load_incluster_config(settings)  # type: ignore[no-untyped-call]
        else:
            current, _ = _contexts(files)
            # Our own copies of the library's files must not be written back to the user's.
            await config.load_kube_config(  # type: ignore[no-untyped-call]
                files, context=current, client_configuration=settings, persist_config=False
            )


def namespace(kubeconfig: Path | None = None) -> str:
    """Give the namespace of the context that `load` takes; "default" where none is named.

    Raises UsageError for a file that makes no sense.
    """
    files = _named(kubeconfig)
    if files is None:
        return "default"
    with _told(files):
        current, contexts = _contexts(files)
        context = contexts.get(current) or {}
        return str(context.get("namespace") or "default")


@contextmanager
def _told(files: str) -> Iterator[None]:
    """Say in one line what keeps the files from leading to a cluster."""
    try:
        yield
    except _SENSELESS as exc:
        raise UsageError(f"no cluster by {files}: {' '.join(str(exc).split())}") from exc


def _contexts(files: str) -> tuple[str | None, dict[Any, Any]]:
    """Read the name of the present context, and all contexts.

    As for kubectl the first file that says something wins; for the library it is the last one, as
    to which context is the present one.
    """
    current: str | None = None
    contexts: dict[Any, Any] = {}
    for file in (Path(each).expanduser() for each in files.split(os.pathsep)):
        said = (yaml.safe_load(file.read_text()) if file.is_file() else None) or {}
        current = current or said.get("current-context")
        for each in said.get("contexts") or []:
            contexts.setdefault(each.get("name"), each.get("context"))
    return current, contexts


def _named(kubeconfig: Path | None) -> str | None:
    named = str(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG", "")
    if not named and "KUBERNETES_SERVICE_HOST" in os.environ:
        return None
    return named or str(HOME_KUBECONFIG.expanduser())


def _files(kubeconfig: Path | None) -> str | None:
    files = _named(kubeconfig)
    if files is None:
        return None
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

"""Where the Kubernetes API server is, and by what right we speak to it.

Plain HTTP calls: the client library is larger than the gateway.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from ssl import SSLContext, create_default_context
from typing import Final

from agentscaler.gateway.errors import InvalidConfigError

MOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class ApiServer:
    """Where the API server is, and the files with our rights; the token is replaced hourly."""

    url: str
    token_file: Path | None = None
    ssl: SSLContext | bool = True

    def headers(self) -> dict[str, str]:
        """Make the headers of one request."""
        if self.token_file is None:
            return {}
        return {"Authorization": f"Bearer {self.token_file.read_text(encoding='utf-8').strip()}"}


def api_server(environ: Mapping[str, str], mount: Path = MOUNT) -> ApiServer:
    """Find the API server as every pod does, or by `KUBERNETES_API_URL` (such as kubectl proxy)."""
    if url := environ.get("KUBERNETES_API_URL"):
        return ApiServer(url.rstrip("/"))
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        raise InvalidConfigError(
            "routes that follow a service or wake a policy: there is no cluster around; set "
            "KUBERNETES_API_URL, or use static or dns"
        )
    mount = Path(environ.get("KUBERNETES_SERVICE_ACCOUNT", mount))
    bracketed = f"[{host}]" if ":" in host else host
    context = create_default_context(cafile=str(mount / "ca.crt"))
    return ApiServer(f"https://{bracketed}:{port}", mount / "token", context)

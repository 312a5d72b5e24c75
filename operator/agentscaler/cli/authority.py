"""As whom the commands ask their Prometheus: the options of token, authority and tenant."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentscaler.errors import UsageError
from agentscaler.observe.credentials import Credentials, tls_context


def credentials_of(options: Mapping[str, Any]) -> Credentials:
    """Read what the options name; raise UsageError for an authority or a tenant that is none."""
    file: Path | None = options["prometheus_ca_file"]
    tenant: str = options["prometheus_tenant"]
    if not (tenant.isascii() and tenant.isprintable()):
        raise UsageError(f"--prometheus-tenant {tenant!r}: a header holds printable ASCII only")
    credentials = Credentials(
        token_file=options["prometheus_bearer_token_file"],
        authority=_text(file) if file else "",
        tenant=tenant.strip(),
    )
    try:
        tls_context(credentials)
    except ValueError as exc:
        raise UsageError(
            f"--prometheus-ca-file {file}: is no certificate in PEM form: one in DER form becomes "
            "one by openssl x509 -inform der"
        ) from exc
    return credentials


def _text(file: Path) -> str:
    try:
        # Comments between certificates may have any letters.
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError as exc:
        raise UsageError(f"--prometheus-ca-file {file}: cannot be read: {exc.strerror}") from exc

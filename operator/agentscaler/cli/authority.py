"""As whom the commands ask their Prometheus: the options of the token and of the authority."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentscaler.errors import UsageError
from agentscaler.observe.credentials import Credentials, tls_context


def credentials_of(options: Mapping[str, Any]) -> Credentials:
    """Read the files that the options name; raise UsageError for an authority that is none."""
    file: Path | None = options["prometheus_ca_file"]
    credentials = Credentials(
        token_file=options["prometheus_bearer_token_file"],
        authority=_text(file) if file else "",
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

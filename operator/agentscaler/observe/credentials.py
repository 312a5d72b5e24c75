"""As whom a metrics server is asked. Nothing of it shows when it is printed or logged."""

import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from requests.utils import DEFAULT_CA_BUNDLE_PATH

TOKEN: Final = "token"  # noqa: S105 - names of keys in a Secret, as below
USERNAME: Final = "username"
PASSWORD: Final = "password"  # noqa: S105
AUTHORITY: Final = "ca.crt"
CERTIFICATE: Final = "tls.crt"
PRIVATE_KEY: Final = "tls.key"
TENANT: Final = "tenant"
_KEYS: Final = frozenset({TOKEN, USERNAME, PASSWORD, AUTHORITY, CERTIFICATE, PRIVATE_KEY, TENANT})


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to prove who asks, and how the server proves who it is; all parts are optional.

    `token_file` is a bearer token that rotates; `authority`, `certificate` and `private_key` are
    PEM texts; `tenant` goes out as X-Scope-OrgID.
    """

    token: str = field(default="", repr=False)
    token_file: Path | None = None
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    authority: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    tenant: str = ""


ANONYMOUS: Final = Credentials()


def parse_credentials(secret: Mapping[str, bytes]) -> Credentials:
    """Read the decoded data of a Secret; raise ValueError that names the key that is wrong."""
    texts = {key: _text(key, value) for key, value in secret.items() if key in _KEYS}
    if bool(texts.get(CERTIFICATE)) != bool(texts.get(PRIVATE_KEY)):
        raise ValueError(f"{CERTIFICATE} and {PRIVATE_KEY} belong together: set both or none")
    if texts.get(TOKEN) and texts.get(USERNAME):
        raise ValueError(f"set {TOKEN}, or {USERNAME} and {PASSWORD}, not both")
    credentials = Credentials(
        token=texts.get(TOKEN, ""),
        username=texts.get(USERNAME, ""),
        password=texts.get(PASSWORD, ""),
        authority=texts.get(AUTHORITY, ""),
        certificate=texts.get(CERTIFICATE, ""),
        private_key=texts.get(PRIVATE_KEY, ""),
        tenant=texts.get(TENANT, ""),
    )
    tls_context(credentials)
    return credentials


def _text(key: str, value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{key} is not a text") from None
    if key == PASSWORD:
        return text.removesuffix("\n")
    text = text.strip()
    if key in {TOKEN, USERNAME, TENANT} and not text.isprintable():
        raise ValueError(f"{key} has a line break or another control character in it")
    return text


def tls_context(credentials: Credentials) -> ssl.SSLContext | None:
    """Build the TLS side of credentials, None where the usual authorities suffice.

    Raise ValueError that names the key that is wrong.
    """
    if not credentials.authority and not credentials.certificate:
        return None
    try:
        if credentials.authority:
            # Only comments between certificates may have letters that are not ASCII.
            plain = credentials.authority.encode("ascii", "replace").decode()
            context = ssl.create_default_context(cadata=plain)
        else:
            context = ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH)
    except (ssl.SSLError, ValueError):
        raise ValueError(f"{AUTHORITY} is not a certificate in PEM form") from None
    if credentials.certificate:
        _load_certificate(context, credentials)
    return context


def _load_certificate(context: ssl.SSLContext, credentials: Credentials) -> None:
    # The library reads a client certificate from files only: it gets one that nobody else may
    # read and that is gone at once.
    try:
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(f"{credentials.certificate}\n{credentials.private_key}\n")
            file.flush()
            # An encrypted key would ask for its password on the terminal.
            context.load_cert_chain(file.name, password=lambda: "")
    except (ssl.SSLError, ValueError):
        raise ValueError(f"{CERTIFICATE} and {PRIVATE_KEY} are no pair in PEM form") from None
    except OSError as exc:
        raise ValueError(f"{CERTIFICATE} cannot be loaded: {exc.strerror}") from None

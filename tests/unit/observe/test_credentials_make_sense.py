"""A Secret becomes credentials, or a sentence that names its wrong key."""

import errno
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from agentscaler.observe.credentials import ANONYMOUS, Credentials, parse_credentials, tls_context


def test_every_key_is_optional() -> None:
    assert parse_credentials({}) == ANONYMOUS


def test_keys_are_read_and_others_ignored() -> None:
    secret = {"token": b"abc\n", "tenant": b" team ", "other": b"\xff"}
    assert parse_credentials(secret) == Credentials(token="abc", tenant="team")  # noqa: S106


def test_password_keeps_its_blanks() -> None:
    found = parse_credentials({"username": b"reader\n", "password": b" p w \n"})
    assert found == Credentials(username="reader", password=" p w ")  # noqa: S106


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ({"token": b"\xff"}, "token is not a text"),
        ({"token": b"a\nb"}, "token has a line break"),
        ({"tenant": b"a\x00b"}, "tenant has a line break or another control character"),
        ({"token": b"a", "username": b"b"}, "not both"),
        ({"tls.crt": b"certificate"}, "belong together"),
        ({"tls.key": b"key"}, "belong together"),
        ({"ca.crt": "ĝis".encode()}, "ca.crt is not a certificate"),
        ({"ca.crt": b"no certificate"}, "ca.crt is not a certificate"),
        ({"tls.crt": b"no", "tls.key": b"no"}, "tls.crt and tls.key are no pair"),
    ],
)
def test_wrong_key_is_named(secret: dict[str, bytes], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_credentials(secret)


def test_comments_of_a_bundle_may_be_in_any_language() -> None:
    bundle = f"# Autorité de certification\n{Path(DEFAULT_CA_BUNDLE_PATH).read_text()}"
    assert parse_credentials({"ca.crt": bundle.encode()}).authority.startswith("# Autorité")


def test_full_disk_is_told_of_the_key_that_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", full)
    with pytest.raises(ValueError, match=r"tls\.crt cannot be loaded: No space left on device"):
        parse_credentials({"tls.crt": b"any", "tls.key": b"any"})


def test_usual_authorities_need_no_context() -> None:
    assert tls_context(ANONYMOUS) is None

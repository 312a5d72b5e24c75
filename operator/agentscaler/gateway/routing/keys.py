"""What is hashed: a session, a header, or the request's body as canonical JSON."""

import json
from hashlib import sha256
from typing import Any


def text_key(text: str) -> bytes:
    """Hash a header or a session's name."""
    return sha256(text.encode("utf-8", "surrogateescape")).digest()


def body_key(body: bytes) -> bytes:
    """Hash a body by its meaning where it is JSON (order and spaces do not count), else its bytes.

    Numbers keep the form in which they are written, so 1 and 1.0 differ.
    """
    try:
        content: Any = json.loads(body, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        return sha256(body).digest()
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode()).digest()

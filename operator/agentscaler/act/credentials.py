"""Read credentials for a metrics source. What is read here is never logged nor kept by `act`."""

import base64

from agentscaler.act.client import Api
from agentscaler.act.places import SECRETS


async def read_secret(api: Api, namespace: str, name: str) -> dict[str, bytes]:
    """Read a Secret's values by key; NotFoundError, ForbiddenError as it may be."""
    secret = await api.get(SECRETS.at(namespace, name))
    encoded: dict[str, str] = secret.get("data") or {}
    return {key: base64.b64decode(value) for key, value in encoded.items()}

"""Calls an OpenAI-compatible endpoint; every attempt is counted, refused ones are tried again."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any

import httpx

from agentscaler.runtime.providers import ProviderMeter
from agentscaler.runtime.transports import metered

ATTEMPTS = 20
MOST_PAUSE_SECONDS = 5.0
TIMEOUT_SECONDS = 60


class LlmError(Exception):
    """The model gave no answer."""


class Llm:
    """One model behind `LLM_URL`, with `LLM_API_KEY` and `LLM_MODEL`."""

    def __init__(self, environ: Mapping[str, str], meter: ProviderMeter) -> None:
        self._model = environ.get("LLM_MODEL", "stub")
        self._http = httpx.AsyncClient(
            base_url=environ["LLM_URL"],
            headers={"Authorization": f"Bearer {environ.get('LLM_API_KEY', 'none')}"},
            timeout=TIMEOUT_SECONDS,
            transport=metered(meter, httpx.AsyncHTTPTransport()),
        )

    async def complete(self, prompt: str) -> str:
        """Give the whole answer."""
        return "".join([token async for token in self.stream(prompt)])

    async def stream(self, prompt: str) -> AsyncIterator[str]:
        """Give the answer piece by piece; wait and try again while the model refuses."""
        body = {
            "model": self._model,
            "stream": True,
            "messages": [{"role": "user", "content": prompt}],
        }
        try:
            for _ in range(ATTEMPTS):
                async with self._http.stream("POST", "chat/completions", json=body) as response:
                    if response.is_success:
                        async for token in _tokens(response):
                            yield token
                        return
                    pause = _pause_of(response)
                await asyncio.sleep(pause)
        except httpx.HTTPError as exc:
            raise LlmError(f"the model cannot be reached: {exc!r}") from exc
        raise LlmError(f"the model refused {ATTEMPTS} times")


async def _tokens(response: httpx.Response) -> AsyncIterator[str]:
    async for line in response.aiter_lines():
        field, _, content = line.partition(":")
        content = content.strip()
        if field != "data" or content == "[DONE]":  # providers keep streams alive by comments
            continue
        chunk: dict[str, Any] = json.loads(content)
        if "error" in chunk:
            raise LlmError(f"the model broke off: {chunk['error'].get('message', chunk['error'])}")
        for choice in chunk["choices"]:
            yield choice["delta"].get("content") or ""


def _pause_of(response: httpx.Response) -> float:
    """Tell how long to wait before the next attempt; an error that lasts is an error at once."""
    if response.status_code != HTTPStatus.TOO_MANY_REQUESTS and response.is_client_error:
        raise LlmError(f"the model answered {response.status_code}")
    try:
        asked = float(response.headers.get("retry-after", "1"))
    except ValueError:
        asked = 1.0
    return min(asked, MOST_PAUSE_SECONDS)

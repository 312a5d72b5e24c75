"""A small API server that fails on command.

It behaves as the real one where the operator depends on it: optimistic locking, subresources,
paging, watches with bookmarks. What the real one does is proven by the end-to-end tests. Faults are
set by verb and resource, in the words of RBAC rules, as `requests` records them.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from aiohttp import web

from tests.fakes.objects import (
    SERVED,
    Body,
    Key,
    Objects,
    RefusedError,
    Served,
    scale_of,
)

_SINGLE = {"GET": "get", "PUT": "update", "PATCH": "patch"}


@dataclass
class Fault:
    """What goes wrong with requests of one verb on one resource, `times` times (-1: always).

    `namespace` leaves those of all others alone.
    """

    verb: str
    what: str
    times: int = 1
    status: int = 500
    message: str = "broken on purpose"
    retry_after: str = ""
    hang: bool = False
    text: str = ""
    carried_out: bool = False  # only the answer is lost
    delay_seconds: float = 0.0  # it is answered as it should be, only late
    held: asyncio.Event | None = None  # it is answered as it should be, once this is set
    namespace: str = ""

    def concerns(self, asked: "Asked") -> bool:
        """Tell whether it goes wrong with this request."""
        fits = self.verb in {asked.verb, "*"} and self.what in {asked.what, "*"}
        return bool(self.times) and fits and self.namespace in {"", asked.key[0]}


@dataclass(frozen=True)
class Asked:
    """A request, read."""

    verb: str
    what: str
    group: str
    plural: str
    key: Key
    sub: str
    manager: str


class FakeApiServer:
    """One server on a free port; `async with` starts and stops it.

    `frozen` makes watches silent without ending them, and `told_until` has them tell of no later
    version; `token` is asked for where it is set.
    `on_request` is told each request before it is answered: what happens in the middle of a pass.
    `answered` are those that are done with, whether or not anybody heard of it.
    """

    def __init__(self, *, bookmark_seconds: float = 0.02) -> None:
        self.objects = Objects()
        self.served = list(SERVED)
        self.requests: list[tuple[str, str]] = []
        self.answered: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.queries: list[dict[str, str]] = []
        self.faults: list[Fault] = []
        self.frozen = False
        self.told_until = float("inf")
        self.token = ""
        self.on_request: Callable[[str, str], None] = lambda verb, what: None
        self._bookmark_seconds = bookmark_seconds
        self._cut = asyncio.Event()
        self._port = 0
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.2, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Refuse connections from now on; `start` takes the same port again."""
        self.cut()
        if self._runner:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    def kubeconfig(self, folder: Path, token: str = "") -> Path:
        """Write a kubeconfig that leads here."""
        server = f"http://127.0.0.1:{self._port}"
        content = {
            "current-context": "fake",
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "me"}}],
            "clusters": [{"name": "fake", "cluster": {"server": server}}],
            "users": [{"name": "me", "user": {"token": token} if token else {}}],
        }
        file = folder / "kubeconfig"
        file.write_text(json.dumps(content))
        return file

    def cut(self) -> None:
        """End all watches and all hanging requests."""
        self._cut.set()
        self._cut = asyncio.Event()

    def count(self, verb: str, what: str) -> int:
        """Tell how many requests of this kind came."""
        return self.requests.count((verb, what))

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        asked = _read(request)
        self.requests.append((asked.verb, asked.what))
        self.headers.append(dict(request.headers))
        self.queries.append(dict(request.query))
        self.on_request(asked.verb, asked.what)
        try:
            return await self._respond(request, asked)
        finally:
            self.answered.append((asked.verb, asked.what))

    async def _respond(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        await request.read()  # now, for whoever has sent it may go away meanwhile
        fault = self._fault(asked)
        if fault is not None and (fault.delay_seconds or fault.held):
            await asyncio.sleep(fault.delay_seconds)
            if fault.held:
                await fault.held.wait()
            fault = None
        if fault is not None and not fault.carried_out:
            return await self._fail(fault)
        try:
            answer = await self._answer(request, asked)
        except RefusedError as exc:
            return _status(exc.code, exc.message)
        return answer if fault is None else await self._fail(fault)

    def _fault(self, asked: Asked) -> Fault | None:
        for fault in self.faults:
            if fault.concerns(asked):
                fault.times -= 1
                return fault
        return None

    async def _fail(self, fault: Fault) -> web.Response:
        if fault.hang:
            await self._cut.wait()
        if fault.text:
            return web.Response(text=fault.text)
        answer = _status(fault.status, fault.message)
        if fault.retry_after:
            answer.headers["Retry-After"] = fault.retry_after
        return answer

    async def _answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            raise RefusedError(401, "Unauthorized")
        if request.path in {"/api", "/apis"}:
            return self._groups()
        if not asked.plural:
            return self._discover(asked.group)
        served = next((it for it in self.served if it.plural == asked.plural), None)
        if served is None or served.api_version != asked.group:
            return web.Response(status=404, text="404 page not found\n")
        if asked.verb == "watch":
            return await self._watch(request, asked)
        if asked.verb == "list":
            return web.json_response(self._page(request, asked))
        body = await request.json() if request.body_exists else {}
        return web.json_response(self._act(served, asked, body))

    def _groups(self) -> web.Response:
        served = sorted({each.api_version for each in self.served})
        groups = []
        for name, _, version in (each.rpartition("/") for each in served if "/" in each):
            versions = {"version": version}
            groups.append({"name": name, "versions": [versions], "preferredVersion": versions})
        return web.json_response({"versions": ["v1"], "groups": groups})

    def _discover(self, group: str) -> web.Response:
        entries = []
        for served in self.served:
            if served.api_version == group:
                entry = {
                    "kind": served.kind,
                    "namespaced": served.namespaced,
                    "singularName": served.kind.lower(),
                    "verbs": ["get", "list", "watch", "create", "update", "patch"],
                }
                entries.append({**entry, "name": served.plural})
                if served.scale:
                    entries.append({**entry, "name": f"{served.plural}/scale", "kind": "Scale"})
        if not entries:
            return web.Response(status=404, text="404 page not found\n")
        return web.json_response({"kind": "APIResourceList", "resources": entries})

    def _act(self, served: Served, asked: Asked, body: Body) -> Body:
        plural, key = asked.plural, asked.key
        if asked.verb == "create":
            if (key[0], body["metadata"]["name"]) in self.objects.all(plural):
                raise RefusedError(409, f'{plural} "{body["metadata"]["name"]}" already exists')
            return self.objects.put(plural, body)
        present = self.objects.get(plural, *key)
        if asked.verb != "get":
            wanted = body.get("metadata", {}).get("resourceVersion")
            if wanted not in {None, present["metadata"]["resourceVersion"]}:
                raise RefusedError(409, f'cannot update {plural} "{key[1]}": it has been modified')
            present = self._write(served, asked, body)
        return scale_of(served, present) if asked.sub == "scale" else present

    def _write(self, served: Served, asked: Asked, body: Body) -> Body:
        if asked.sub == "scale" and served.scale:
            field = served.scale[0]
            writer = {"manager": asked.manager, "fieldsV1": {"f:spec": {f"f:{field}": {}}}}
            body = {
                "metadata": {"managedFields": [writer]},
                "spec": {field: body["spec"]["replicas"]},
            }
        elif asked.sub == "status":
            body = {"status": body["status"]}
        elif asked.verb == "update":
            body["metadata"] = {
                **self.objects.get(asked.plural, *asked.key)["metadata"],
                **body["metadata"],
            }
            return self.objects.put(asked.plural, body)
        else:
            body = {field: value for field, value in body.items() if field != "status"}
        return self.objects.merge(asked.plural, asked.key, body)

    def _page(self, request: web.Request, asked: Asked) -> Body:
        everything = self.objects.all(asked.plural)
        keys = sorted(key for key in everything if asked.key[0] in {"", key[0]})
        if selector := request.query.get("labelSelector"):  # of equalities only
            wanted = dict(each.split("=") for each in selector.split(","))
            keys = [key for key in keys if wanted.items() <= _labels(everything[key]).items()]
        start, version = 0, self.objects.version
        if "continue" in request.query:
            start, version = map(int, request.query["continue"].split(":"))
            if version < self.objects.forgotten:
                raise RefusedError(410, "The provided continue parameter is too old")
        end = start + int(request.query.get("limit", len(keys) or 1))
        metadata = {"resourceVersion": str(version)}
        if end < len(keys):
            metadata["continue"] = f"{end}:{version}"
        items = [everything[key] for key in keys[start:end]]
        if "PartialObjectMetadataList" in request.headers.get("Accept", ""):
            items = [{"metadata": item["metadata"]} for item in items]
        return {"kind": "List", "metadata": metadata, "items": items}

    async def _watch(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        since = int(request.query["resourceVersion"])
        cut = asyncio.create_task(self._cut.wait())
        try:
            async with asyncio.timeout(float(request.query["timeoutSeconds"])):
                while not cut.done():
                    since = await self._turn(response, asked, since, cut)
        except (TimeoutError, ConnectionError):
            pass  # its time is over, or nobody listens any more
        finally:
            cut.cancel()
        return response

    async def _turn(
        self, response: web.StreamResponse, asked: Asked, since: int, cut: "asyncio.Task[bool]"
    ) -> int:
        """Send what is new since then, and wait for more."""
        news = asyncio.create_task(self.objects.news.wait())
        try:
            if not self.frozen:
                since = await self._send_news(response, asked, since)
            await asyncio.wait(
                {news, cut}, timeout=self._bookmark_seconds, return_when="FIRST_COMPLETED"
            )
        finally:
            news.cancel()
        return since

    async def _send_news(self, response: web.StreamResponse, asked: Asked, since: int) -> int:
        if since < self.objects.forgotten:
            gone = {"code": 410, "message": f"too old resource version: {since}"}
            await _send(response, "ERROR", gone)
            return self.objects.version
        now = max(since, int(min(self.objects.version, self.told_until)))
        for change in tuple(self.objects.log):
            where = change.body.get("metadata", {}).get("namespace", "")
            fits = change.plural == asked.plural and asked.key[0] in {"", where}
            if since < change.version <= now and fits:
                await _send(response, change.kind, change.body)
        await _send(response, "BOOKMARK", {"metadata": {"resourceVersion": str(now)}})
        return now


def _labels(body: Body) -> dict[str, str]:
    labels: dict[str, str] = body["metadata"].get("labels") or {}
    return labels


def _read(request: web.Request) -> Asked:
    core, *parts = request.path.strip("/").split("/")
    group = "v1" if core == "api" else "/".join(parts[:2])
    rest = parts[1:] if core == "api" else parts[2:]
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces":
        namespace, rest = rest[1], rest[2:]
    plural, name, sub = (*rest, "", "", "")[:3]
    if name or not plural:
        verb = _SINGLE[request.method]
    elif request.method == "POST":
        verb = "create"
    else:
        verb = "watch" if "watch" in request.query else "list"
    what = "/".join(part for part in (plural, sub) if part) or "discovery"
    manager = request.query.get("fieldManager", "")
    return Asked(verb, what, group, plural, (namespace, name), sub, manager)


async def _send(response: web.StreamResponse, kind: str, body: Body) -> None:
    await response.write(json.dumps({"type": kind, "object": body}).encode() + b"\n")


def _status(code: int, message: str) -> web.Response:
    return web.json_response({"kind": "Status", "code": code, "message": message}, status=code)

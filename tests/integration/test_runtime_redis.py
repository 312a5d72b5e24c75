"""Sessions in a real Redis: versions between replicas, time to live, outages, lost answers."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from agentscaler.runtime.errors import StateConflictError, StateUnavailableError
from agentscaler.runtime.redis_state import RedisStateStore
from agentscaler.runtime.sessions import Sessions
from agentscaler.runtime.state import NEW, NOTHING

needs_redis = pytest.mark.e2e


class Server:
    """A Redis that writes every save to disk, on a socket of its own."""

    def __init__(self, home: Path) -> None:
        self.socket = home / "redis.sock"
        self._home = home
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    async def start(self) -> None:
        binary = shutil.which("redis-server")
        assert binary, "these tests need redis-server on the PATH (apt-get install redis-server)"
        options = f"--port 0 --unixsocket {self.socket} --dir {self._home} --loglevel warning"
        durable = "--appendonly yes --appendfsync always"
        self._process = await asyncio.create_subprocess_exec(
            binary, *options.split(), *durable.split(), stdout=asyncio.subprocess.DEVNULL
        )
        await self._answers()

    async def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def _answers(self) -> None:
        async with asyncio.timeout(10), Redis.from_url(self.url) as client:
            while True:
                try:
                    await client.ping()
                except (RedisError, OSError):  # not up yet, or still loading
                    await asyncio.sleep(0.02)
                else:
                    return


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:  # short: sockets have short names
        yield Path(folder)


@pytest.fixture
async def server(home: Path) -> AsyncIterator[Server]:
    running = Server(home)
    await running.start()
    yield running
    await running.kill()


@asynccontextmanager
async def store_at(url: str, **options: float) -> AsyncIterator[RedisStateStore]:
    # Each save waits for the disk, which others may keep busy.
    store = RedisStateStore(url, **{"timeout_seconds": 10.0, **options})  # type: ignore[arg-type]
    try:
        yield store
    finally:
        await store.aclose()


@needs_redis
async def test_session_saved_by_one_replica_is_loaded_by_another(server: Server) -> None:
    async with store_at(server.url) as one, store_at(server.url) as other:
        version = await one.save("ada", b'{"turns":1}', read=NEW)
        stored = await other.load("ada")
        assert (stored.version, stored.payload) == (version, b'{"turns":1}')
        await other.delete("ada")
        assert await one.load("ada") == NOTHING


@needs_redis
async def test_second_replica_to_save_conflicts_and_changes_nothing(server: Server) -> None:
    async with store_at(server.url) as one, store_at(server.url) as other:
        read = await one.save("ada", b"1", read=NEW)
        await one.save("ada", b"2", read=read)
        for stale in (read, NEW):
            with pytest.raises(StateConflictError):
                await other.save("ada", b"3", read=stale)
        assert (await other.load("ada")).payload == b"2"


@needs_redis
async def test_no_update_is_lost_between_replicas_that_retry(server: Server) -> None:
    async with store_at(server.url) as one, store_at(server.url) as other:
        conflicts = 0

        async def turn(sessions: Sessions) -> None:
            nonlocal conflicts
            while True:
                try:
                    async with sessions.open("ada") as session:
                        session.data["turns"] = session.data.get("turns", 0) + 1
                except StateConflictError:
                    conflicts += 1
                else:
                    return

        replicas = (Sessions(one, ordered=True), Sessions(other))
        await asyncio.gather(*(turn(replicas[number % 2]) for number in range(40)))
        async with replicas[0].open("ada") as session:
            assert session.data == {"turns": 40}
        assert conflicts > 0


@needs_redis
async def test_time_to_live_begins_anew_at_every_load_and_save(server: Server) -> None:
    async with store_at(server.url, ttl_seconds=60) as store, Redis.from_url(server.url) as raw:
        await store.save("ada", b"{}", read=NEW)
        (key,) = await raw.keys()
        assert 0 < await raw.pttl(key) <= 60_000
        await raw.pexpire(key, 1000)
        await store.load("ada")
        assert await raw.pttl(key) > 50_000
        await raw.pexpire(key, 1)
        async with asyncio.timeout(5):
            while await raw.exists(key):  # noqa: ASYNC110 - Redis tells nobody
                await asyncio.sleep(0.005)
        assert await store.load("ada") == NOTHING


@needs_redis
async def test_foreign_content_is_told_apart_from_state(server: Server) -> None:
    async with store_at(server.url) as store, Redis.from_url(server.url) as raw:
        for content in (b"no version", b"\nno version either"):
            await raw.set("agentscaler:session:ada", content)
            with pytest.raises(StateUnavailableError, match="no version"):
                await store.load("ada")
        await raw.delete("agentscaler:session:ada")
        await raw.rpush("agentscaler:session:ada", "a list")
        with pytest.raises(StateUnavailableError):
            await store.load("ada")


@needs_redis
async def test_client_of_the_application_is_used_and_left_open(server: Server) -> None:
    async with Redis.from_url(server.url, decode_responses=True) as client:
        store = RedisStateStore(client=client, prefix="mine:")
        version = await store.save("ada", '{"name":"Ada Lövelace"}'.encode(), read=NEW)
        stored = await store.load("ada")
        assert (stored.version, stored.payload.decode()) == (version, '{"name":"Ada Lövelace"}')
        await store.aclose()
        assert await client.keys() == ["mine:ada"]


@needs_redis
async def test_saving_goes_on_when_the_server_forgot_the_script(server: Server) -> None:
    async with store_at(server.url) as store, Redis.from_url(server.url) as raw:
        read = await store.save("ada", b"1", read=NEW)
        await raw.script_flush()
        await store.save("ada", b"2", read=read)


@needs_redis
async def test_outage_is_a_clear_error_and_no_acknowledged_state_is_lost_or_mixed_up(
    server: Server,
) -> None:
    async with store_at(server.url) as store:
        sessions = Sessions(store)
        names = [f"user-{number}" for number in range(10)]
        for name in names:
            async with sessions.open(name) as session:
                session.data["owner"] = name
        await server.kill()
        for name in names:
            async with asyncio.timeout(2):
                with pytest.raises(StateUnavailableError, match="session store"):
                    await store.load(name)
        await server.start()
        loaded = await asyncio.gather(*(store.load(name) for name in names))
        assert [stored.payload.decode() for stored in loaded] == [
            f'{{"owner":"{name}"}}' for name in names
        ]


@needs_redis
async def test_save_whose_answer_got_lost_is_not_taken_for_a_conflict(server: Server) -> None:
    dropped = 0

    async def relay(down: asyncio.StreamReader, up: asyncio.StreamWriter) -> None:
        """Pass everything on, but cut the line once instead of giving a save's answer."""
        nonlocal dropped
        reader, writer = await asyncio.open_unix_connection(server.socket)
        try:
            while request := await down.read(65536):
                writer.write(request)
                answer = await reader.read(65536)
                if b"EVALSHA" in request and b"NOSCRIPT" not in answer and not dropped:
                    dropped += 1
                    return
                up.write(answer)
        finally:
            writer.close()
            up.close()

    async with await asyncio.start_server(relay, "127.0.0.1", 0) as between:
        port = between.sockets[0].getsockname()[1]
        async with store_at(f"redis://127.0.0.1:{port}") as store:
            version = await store.save("ada", b"1", read=NEW)
            assert dropped == 1
            assert (await store.load("ada")).version == version


async def test_unreachable_store_is_a_clear_error_at_once_that_tells_only_the_log_where_it_is(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with store_at(f"unix://{home}/nobody.sock") as store, asyncio.timeout(2):
        for call in (store.load("ada"), store.save("ada", b"", read=NEW), store.delete("ada")):
            with pytest.raises(StateUnavailableError, match=r"^the session store cannot be used$"):
                await call
    assert len(caplog.records) == 3
    assert "nobody.sock" in caplog.text

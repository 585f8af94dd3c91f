"""Remote servers that are not there, not well, or not what they should be; and HTTP+SSE."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gatekit.errors import BadAnswer, LineTooLong, LinkBusy, LinkClosed, LinkError, RemoteRefused, SpawnFailed
from gatekit.model.call import Notice, Signal
from tests.emulators.remote import (
    EVENTS,
    Out,
    RemoteServer,
    Seen,
    handshake,
    notice,
    result,
    said,
    stateless,
)
from tests.emulators.serving import serving
from tests.journey.upstream.kit import HANDSHAKE, STATELESS, Kit, body, far, remote, tool, until
from tests.journey.upstream.kit import said as text_of
from tests.support.tls import certificate_for


async def refused(kit: Kit, url: str, **settings: object) -> LinkError:
    with pytest.raises(LinkError) as caught:
        await kit.pool.acquire(far(), remote(url, **settings), STATELESS)
    return caught.value


# -- opening -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 500, 502, 503])
async def test_a_refusal_is_no_evidence_of_an_era(kit: Kit, status: int) -> None:
    async def refuse(seen: Seen, out: Out) -> None:
        await out.body(status, b"<h1>no</h1>", kind="text/html", www_authenticate="Bearer realm=x")

    server = RemoteServer(**{"server/discover": refuse})
    async with server.running() as url:
        error = await refused(kit, url)
    assert isinstance(error, RemoteRefused)
    assert f"HTTP {status}" in error.detail
    assert server.methods() == ["server/discover"]
    assert not kit.memory.values
    if status < 500:
        assert error.public == "the remote server does not accept the gateway's credentials"
        assert "check the headers" in error.detail


async def test_a_redirect_is_not_followed(kit: Kit) -> None:
    """M2, I2: A redirect is not followed."""

    async def move(seen: Seen, out: Out) -> None:
        await out.body(307, kind="", location="https://elsewhere.example/mcp")

    server = RemoteServer(**{"server/discover": move})
    async with server.running() as url:
        error = await refused(kit, url, headers=(("Authorization", "Bearer ours"),))
    assert "https://elsewhere.example/mcp" in error.detail
    assert "write it as the url" in error.detail
    assert server.methods() == ["server/discover"]


async def test_nobody_there(kit: Kit) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    error = await refused(kit, f"http://127.0.0.1:{port}/mcp")
    assert error.public == "the remote server cannot be reached"
    assert "cannot connect" in error.detail
    # Failed starts are tried again with pauses, and who comes in between is told how long.
    for _ in range(4):
        if isinstance(error, RemoteRefused):
            error = await refused(kit, f"http://127.0.0.1:{port}/mcp")
    assert isinstance(error, SpawnFailed)
    assert error.retry_after > 0


async def test_a_web_page_is_no_server(kit: Kit) -> None:
    async def page(seen: Seen, out: Out) -> None:
        await out.body(200, b"<html>", kind="text/html")

    names = ("server/discover", "initialize", "GET")
    server = RemoteServer(**dict.fromkeys(names, page))
    async with server.running() as url:
        error = await refused(kit, url)
    assert error.public == "the remote server speaks no protocol that is known here"
    assert "text/html" in error.detail


async def test_an_authority_that_nobody_knows(kit: Kit, tmp_path: Path) -> None:
    async with serving(stateless(), certificate=certificate_for("far.example", tmp_path)) as origin:
        error = await refused(kit, f"{origin}/mcp")
    assert "certificate" in error.detail.lower()


async def test_the_metadata_service_is_never_asked(kit: Kit) -> None:
    """M2, I2: The metadata service is never asked."""
    error = await refused(kit, "http://169.254.169.254/mcp")
    assert isinstance(error, RemoteRefused)
    assert "metadata" in error.detail


# -- afterwards ----------------------------------------------------------------------------------------------


async def test_a_server_that_went_away_and_came_back(kit: Kit) -> None:
    server, listener = stateless(), socket.socket()
    listener.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    port = listener.getsockname()[1]
    listener.close()
    async with serving_at(server, port):
        link = await kit.pool.acquire(far(), remote(url), STATELESS)
        assert body(await link.call("tools/list", {}))["tools"]
    with contextlib.suppress(LinkError):
        await link.call("tools/list", {})  # it may still have a connection, which then breaks
    with pytest.raises(LinkClosed, match=r"cannot connect|not connected"):
        await link.call("tools/list", {})
    await until(lambda: "exited" in kit.actions())
    assert kit.pool.get(far()) is None
    async with serving_at(server, port):
        again = await kit.pool.acquire(far(), remote(url), STATELESS)
        assert again is not link
        assert body(await again.call("tools/list", {}))["tools"]


@contextlib.asynccontextmanager
async def serving_at(server: RemoteServer, port: int) -> AsyncIterator[None]:
    import uvicorn

    config = uvicorn.Config(
        server, host="127.0.0.1", port=port, log_level="error", lifespan="off", timeout_graceful_shutdown=1
    )
    running = uvicorn.Server(config)
    config.load()
    running.lifespan = config.lifespan_class(config)
    await running.startup()
    try:
        yield
    finally:
        await running.shutdown()


async def bad_answer(kit: Kit, handler: object, **settings: object) -> LinkError:
    """What a call ends with; the next one must work."""
    server = handshake()
    server.on("tools/call", handler)  # type: ignore[arg-type]
    async with server.running() as url:
        link = await kit.pool.acquire(far(), remote(url, **settings), HANDSHAKE)
        with pytest.raises(LinkError) as caught:
            await link.call("tools/call", tool("x"))
        assert link.alive
        assert link.pending == 0
        assert body(await link.call("tools/list", {}))["tools"]
        await kit.pool.close()
    return caught.value


async def test_an_answer_above_the_limit(kit: Kit) -> None:
    """I22: An answer above the limit."""

    async def large(seen: Seen, out: Out) -> None:
        await out.json(result(seen, said("x" * 100_000)))

    assert isinstance(
        await bad_answer(kit, large, max_line_bytes=50_000, max_result_bytes=50_000), LineTooLong
    )


async def test_an_event_above_the_limit(kit: Kit) -> None:
    async def large(seen: Seen, out: Out) -> None:
        await out.head(200, EVENTS)
        await out.write(b"data: ")
        with contextlib.suppress(asyncio.CancelledError, OSError):
            for _ in range(100):
                await out.write(b"x" * 10_000)
        await out.end()

    assert isinstance(
        await bad_answer(kit, large, max_line_bytes=50_000, max_result_bytes=50_000), LineTooLong
    )


async def test_an_answer_that_is_no_message(kit: Kit) -> None:
    async def noise(seen: Seen, out: Out) -> None:
        await out.body(200, b"{]")

    assert isinstance(await bad_answer(kit, noise), BadAnswer)


async def test_an_answer_to_something_else(kit: Kit) -> None:
    async def other(seen: Seen, out: Out) -> None:
        await out.json({**result(seen, said("x")), "id": 77777})

    assert isinstance(await bad_answer(kit, other), BadAnswer)


async def test_an_acceptance_is_no_answer(kit: Kit) -> None:
    async def accepted(seen: Seen, out: Out) -> None:
        await out.body(202, kind="")

    assert isinstance(await bad_answer(kit, accepted), BadAnswer)


async def test_a_compressed_answer(kit: Kit) -> None:
    async def bomb(seen: Seen, out: Out) -> None:
        await out.body(200, gzip.compress(b"\0" * 1_000_000), content_encoding="gzip")

    error = await bad_answer(kit, bomb)
    assert isinstance(error, RemoteRefused)
    assert "compressed" in error.detail


async def test_too_many_requests(kit: Kit) -> None:
    async def busy(seen: Seen, out: Out) -> None:
        await out.body(429, kind="", retry_after="7")

    error = await bad_answer(kit, busy)
    assert isinstance(error, LinkBusy)
    assert "7" in error.detail


async def test_out_of_order_for_one_call(kit: Kit) -> None:
    async def broken(seen: Seen, out: Out) -> None:
        await out.body(502, b"<h1>Bad gateway</h1>", kind="text/html")

    assert (await bad_answer(kit, broken)).public == "the remote server is out of order (HTTP 502)"


# -- HTTP+SSE ------------------------------------------------------------------------------------------------


class Old(RemoteServer):
    """HTTP+SSE of 2024-11-05."""

    def __init__(self, endpoint: str = "/post?session=1") -> None:
        super().__init__()
        self.stream: Out | None = None
        self.endpoint = endpoint
        self.on("GET", self._stream)
        for method in ("initialize", "tools/call"):
            self.on(method, self._take)

    async def _stream(self, seen: Seen, out: Out) -> None:
        self.stream = out
        await out.head(200, EVENTS)
        await out.event(self.endpoint, event="endpoint")
        await out.watch()

    async def _take(self, seen: Seen, out: Out) -> None:
        if not seen.path.startswith("/post"):
            await out.body(405, kind="")
            return
        await out.body(202, b"Accepted", kind="text/plain")
        assert self.stream is not None
        if seen.method == "initialize":
            answer = {"protocolVersion": "2024-11-05", "capabilities": {"tools": {}}, "serverInfo": {}}
            await self.stream.event(result(seen, answer), event="message")
        elif seen.params["name"] == "die":
            await self.stream.end()
        else:
            token = seen.params.get("_meta", {}).get("progressToken")
            await self.stream.event(notice("notifications/progress", progressToken=token, progress=1))
            await self.stream.event(result(seen, said("old")))


async def test_http_with_sse(kit: Kit) -> None:
    server = Old()
    async with server.running() as url:
        link = await kit.pool.acquire(far(), remote(url, headers=(("X-Key", "k"),)), STATELESS)
        assert (link.era, link.version) == ("handshake", "2024-11-05")
        notices: list[Notice] = []
        params = {**tool("x"), "_meta": {"progressToken": "t"}}
        assert text_of(await link.call("tools/call", params, notices.append)) == "old"
        assert [each.params["progressToken"] for each in notices] == ["t"]
        posts = [seen for seen in server.seen if seen.path == "/post?session=1"]
        assert [seen.method for seen in posts] == ["initialize", "notifications/initialized", "tools/call"]
        assert all(seen.headers["x-key"] == "k" for seen in server.seen)
        # The next one goes there directly.
        before = len(server.seen)
        second = await kit.pool.acquire(far("session:2"), remote(url, headers=(("X-Key", "k"),)), STATELESS)
        assert second.alive
        assert server.methods()[before] == "GET"
        await kit.pool.close()


async def test_its_stream_is_all_there_is(kit: Kit) -> None:
    async with Old().running() as url:
        link = await kit.pool.acquire(far(), remote(url, transport="sse"), HANDSHAKE)
        signals: list[Signal] = []
        link.listen(signals.append)
        with pytest.raises(LinkClosed, match="closed its event stream"):
            await link.call("tools/call", tool("die"))
        await until(lambda: "exited" in kit.actions())
        assert kit.pool.get(far()) is None
        await kit.pool.close()


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:1/post", "https://elsewhere.example/post", "//elsewhere.example/post"]
)
async def test_its_endpoint_stays_on_its_origin(kit: Kit, endpoint: str) -> None:
    server = Old(endpoint)
    async with server.running() as url:
        error = await refused(kit, url, transport="sse")
        assert isinstance(error, RemoteRefused)
        assert "another origin" in error.detail
    assert server.methods() == ["GET"]


async def test_transport_http_leaves_the_old_one_out(kit: Kit) -> None:
    server = Old()
    async with server.running() as url:
        error = await refused(kit, url, transport="http")
    assert "GET" not in server.methods()
    assert isinstance(error, SpawnFailed)

"""Streamable HTTP of the stateless era, as a client: headers, streams, cancellation, annotations."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from gatekit.errors import LinkClosed
from gatekit.model.call import Fault, Notice, Signal
from gatekit.model.server import Server
from gatekit.upstream.transport import OwnedLink
from tests.emulators.remote import EVENTS, Out, RemoteServer, Seen, error, notice, result, said, stateless
from tests.journey.upstream.kit import HANDSHAKE, STATELESS, Kit, body, far, remote, tool, until
from tests.journey.upstream.kit import said as text_of

REGION = {
    "type": "object",
    "properties": {"region": {"type": "string", "x-mcp-header": "Region"}, "n": {"type": "integer"}},
}


@pytest.fixture
async def server() -> RemoteServer:
    return stateless()


@pytest.fixture
async def url(server: RemoteServer) -> AsyncIterator[str]:
    async with server.running() as found:
        yield found


async def opened(kit: Kit, url: str, **settings: object) -> OwnedLink:
    return await kit.pool.acquire(far(), remote(url, **settings), STATELESS)


async def test_what_is_said_of_the_server(kit: Kit, url: str) -> None:
    link = await opened(kit, url)
    assert (link.era, link.version, link.server_info["name"]) == ("stateless", "2026-07-28", "far")
    assert kit.memory.era == "stateless"
    assert kit.actions() == ["started"]
    assert kit.events[0].pid == 0


async def test_every_request_repeats_itself_in_headers(kit: Kit, url: str, server: RemoteServer) -> None:
    link = await opened(kit, url, headers=(("Authorization", "Bearer ours"), ("X-Tenant", "acme")))
    assert text_of(await link.call("tools/call", tool("écho", a=1))) == '{"a": 1}'
    await link.call("resources/read", {"uri": "file:///x"})
    for seen in server.seen:
        assert seen.headers["mcp-protocol-version"] == "2026-07-28"
        assert seen.headers["mcp-method"] == seen.method
        assert seen.headers["authorization"] == "Bearer ours"
        assert seen.headers["x-tenant"] == "acme"
        assert "mcp-session-id" not in seen.headers
        assert {"application/json", "text/event-stream"} == set(seen.headers["accept"].split(", "))
        assert seen.params["_meta"]["io.modelcontextprotocol/clientInfo"]["name"] == "gatekit"
    assert server.only("tools/call").headers["mcp-name"] == "=?base64?w6ljaG8=?="
    assert server.only("resources/read").headers["mcp-name"] == "file:///x"


async def test_arguments_are_repeated_where_the_tool_asks_for_it(
    kit: Kit, url: str, server: RemoteServer
) -> None:
    server.tools = [{"name": "query", "inputSchema": REGION}]
    link = await opened(kit, url)
    await link.call("tools/list", {})
    await link.call("tools/call", tool("query", region="Zürich", n=3))
    headers = server.only("tools/call").headers
    assert headers["mcp-param-region"] == "=?base64?WsO8cmljaA==?="
    assert not [name for name in headers if name.startswith("mcp-param") and name != "mcp-param-region"]


async def test_another_session_knows_the_annotations_as_well(
    kit: Kit, url: str, server: RemoteServer
) -> None:
    server.tools = [{"name": "query", "inputSchema": REGION}]
    link = await opened(kit, url)
    await link.call("tools/list", {})
    other = await kit.pool.acquire(far("session:2"), remote(url), STATELESS)
    await other.call("tools/call", tool("query", region="eu"))
    assert server.only("tools/call").headers["mcp-param-region"] == "eu"


async def test_a_header_mismatch_leads_to_a_new_list_and_one_more_try(
    kit: Kit, url: str, server: RemoteServer
) -> None:
    server.tools = [{"name": "query", "inputSchema": REGION}]

    async def strict(seen: Seen, out: Out) -> None:
        if "mcp-param-region" in seen.headers:
            await out.json(result(seen, said("done", resultType="complete")))
        else:
            await out.json(error(seen, -32020, "Mcp-Param-Region header is missing"), 400)

    server.on("tools/call", strict)
    link = await opened(kit, url)
    assert text_of(await link.call("tools/call", tool("query", region="eu"))) == "done"
    assert server.methods() == ["server/discover", "tools/call", "tools/list", "tools/call"]
    # Where the list knows no better, the call is not made again.
    end = await link.call("tools/call", tool("other"))
    assert isinstance(end, Fault)
    assert end.code == -32020
    assert server.methods()[4:] == ["tools/call", "tools/list"]


async def test_a_tool_with_an_invalid_annotation_does_not_exist(
    kit: Kit, url: str, server: RemoteServer
) -> None:
    bad = {"type": "object", "properties": {"x": {"type": "number", "x-mcp-header": "X"}}}
    server.tools = [{"name": "bad", "inputSchema": bad}, {"name": "good", "vendor": [1]}]
    link = await opened(kit, url)
    listed = body(await link.call("tools/list", {}))
    assert listed["tools"] == [{"name": "good", "vendor": [1]}]
    assert listed["resultType"] == "complete"
    end = await link.call("tools/call", tool("bad", x=1))
    assert isinstance(end, Fault)
    assert end.code == -32602
    assert "tools/call" not in server.methods()
    # It is there again once it is repaired.
    server.tools = [{"name": "bad", "inputSchema": {"type": "object"}}]
    assert len(body(await link.call("tools/list", {}))["tools"]) == 1
    assert text_of(await link.call("tools/call", tool("bad"))) == "{}"


async def test_notices_on_the_stream_of_a_call_belong_to_it(kit: Kit, url: str, server: RemoteServer) -> None:
    async def streamed(seen: Seen, out: Out) -> None:
        await out.head(200, EVENTS)
        await out.write(b": hello\n\n")
        token = seen.params["_meta"]["progressToken"]
        await out.event(notice("notifications/progress", progressToken=token, progress=1))
        await out.event(notice("notifications/message", level="info", data="working"))
        await out.event(notice("notifications/vendor", x=1))
        await out.event(result(seen, said("done", resultType="complete")))
        await out.end()

    server.on("tools/call", streamed)
    link = await opened(kit, url)
    strays: list[Signal] = []
    link.listen(strays.append)
    notices: list[Notice] = []
    params = {**tool("x"), "_meta": {"progressToken": "mine"}}
    assert text_of(await link.call("tools/call", params, notices.append)) == "done"
    assert notices == [
        Notice("notifications/progress", {"progressToken": "mine", "progress": 1}),
        Notice("notifications/message", {"level": "info", "data": "working"}),
        Notice("notifications/vendor", {"x": 1}),
    ]
    assert not strays


async def test_a_request_of_the_server_is_ignored(kit: Kit, url: str, server: RemoteServer) -> None:
    async def asking(seen: Seen, out: Out) -> None:
        await out.head(200, EVENTS)
        await out.event({"jsonrpc": "2.0", "id": 1, "method": "roots/list"})
        await out.event(result(seen, said("done")))
        await out.end()

    server.on("tools/call", asking)
    link = await opened(kit, url)
    signals: list[Signal] = []
    link.listen(signals.append)
    assert text_of(await link.call("tools/call", tool("x"))) == "done"
    assert not signals
    assert "response" not in server.methods()


async def test_who_gives_up_closes_the_stream_and_says_nothing(
    kit: Kit, url: str, server: RemoteServer
) -> None:
    async def endless(seen: Seen, out: Out) -> None:
        await out.head(200, EVENTS)
        await out.event(notice("notifications/message", data="started"))
        await out.watch()

    server.on("tools/call", endless)
    link = await opened(kit, url)
    notices: list[Notice] = []
    call = link.call("tools/call", tool("x"), notices.append)
    await until(lambda: notices)
    call.cancel()
    await asyncio.wait_for(server.outs[-1].gone.wait(), 10)
    assert link.pending == 0
    assert server.methods() == ["server/discover", "tools/call"]


async def test_a_subscription_is_one_long_stream(kit: Kit, url: str, server: RemoteServer) -> None:
    proceed = asyncio.Event()

    async def listening(seen: Seen, out: Out) -> None:
        meta = {"io.modelcontextprotocol/subscriptionId": seen.message["id"]}
        await out.head(200, EVENTS)
        await out.event(notice("notifications/subscriptions/acknowledged", notifications={}, _meta=meta))
        await proceed.wait()
        await out.event(notice("notifications/tools/list_changed", _meta=meta))
        await out.event(result(seen, {"resultType": "complete", "_meta": meta}))
        await out.end()

    server.on("subscriptions/listen", listening)
    link = await opened(kit, url, call_timeout=0.2)
    notices: list[Notice] = []
    call = link.call("subscriptions/listen", {"notifications": {"toolsListChanged": True}}, notices.append)
    await until(lambda: notices)
    await asyncio.sleep(0.5)  # longer than any other call may be silent
    proceed.set()
    assert body(await call)["resultType"] == "complete"
    assert [each.method for each in notices] == [
        "notifications/subscriptions/acknowledged",
        "notifications/tools/list_changed",
    ]


async def test_errors_arrive_whatever_their_status(kit: Kit, url: str, server: RemoteServer) -> None:
    async def missing(seen: Seen, out: Out) -> None:
        await out.json(error(seen, -32601, "Method not found", {"x": 1}), 404)

    async def lacking(seen: Seen, out: Out) -> None:
        fault = error(seen, -32021, "needs sampling", {"requiredCapabilities": {"sampling": {}}})
        await out.json({**fault, "id": None}, 400)

    server.on("vendor/thing", missing)
    server.on("tools/call", lacking)
    link = await opened(kit, url)
    assert await link.call("vendor/thing", {}) == Fault(-32601, "Method not found", {"x": 1})
    end = await link.call("tools/call", tool("x"))
    assert end == Fault(-32021, "needs sampling", {"requiredCapabilities": {"sampling": {}}})


async def test_a_stream_that_breaks_fails_its_call_only(kit: Kit, url: str, server: RemoteServer) -> None:
    async def broken(seen: Seen, out: Out) -> None:
        await out.head(200, EVENTS)
        await out.event(notice("notifications/message", data="started"), id="7")
        raise RuntimeError("the server died")

    server.on("tools/call", broken)
    link = await opened(kit, url)
    with pytest.raises(LinkClosed) as caught:
        await link.call("tools/call", tool("x"))
    assert caught.value.public == "the connection to the remote server broke before it answered"
    assert link.alive
    assert body(await link.call("tools/list", {}))["tools"]
    assert "GET" not in server.methods()  # this era resumes nothing


async def test_a_handshake_client_is_served_too(kit: Kit, url: str, server: RemoteServer) -> None:
    link = await kit.pool.acquire(far(), remote(url), HANDSHAKE)
    assert link.era == "stateless"
    assert server.methods() == ["initialize", "server/discover"]


async def test_a_server_that_knows_other_versions_is_told_one_of_them(kit: Kit) -> None:
    server = stateless()

    async def picky(seen: Seen, out: Out) -> None:
        data = {"supported": ["2099-01-01"], "requested": "2026-07-28"}
        await out.json(error(seen, -32022, "Unsupported protocol version", data), 400)

    server.on("server/discover", picky)
    async with server.running() as url:
        with pytest.raises(Exception, match="Unsupported protocol version"):
            await kit.pool.acquire(far(), remote(url), STATELESS)
    assert json.dumps(server.seen[0].params["_meta"])


async def test_a_shared_server_has_one_link_for_all(kit: Kit, url: str, server: RemoteServer) -> None:
    published = Server(name="far", url=url, instances="shared")
    links = {id(await kit.pool.acquire(far("shared"), published, STATELESS)) for _ in range(3)}
    assert len(links) == 1
    assert server.methods() == ["server/discover"]

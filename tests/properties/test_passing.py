"""Whatever a revision allows arrives unchanged, but for the rewrites that docs/protocol.md lists.

Every pair of dialects, driven through the real doors over a real Link. The expectations are written here
anew, from the document and not from the code.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp_types import methods as official

from gatekit.protocol.headers import encode_value
from gatekit.protocol.methods import HANDSHAKE_VERSIONS
from tests.properties.worlds import ENVELOPE, MODERN, PREFIX, World, bare, exact, without
from tests.support import legal
from tests.support.scripted import Error

V1, V2, V3, V4 = HANDSHAKE_VERSIONS
PAIRS = [(V1, V1), (V2, V2), (V3, V3), (V4, V4), (V4, V1), (MODERN, V4), (V4, MODERN), (MODERN, MODERN)]
OLDER = [(V1, V4), (V2, V4), (V3, V4), (V1, MODERN), (V3, MODERN)]
SAME_OR_NEWER = pytest.mark.parametrize(("client", "upstream"), PAIRS)
CACHED = set(official.CACHEABLE_METHODS)
OWN = {"initialize", "ping", "server/discover", "subscriptions/listen", "logging/setLevel"}
"""Answered by the gateway itself (the last one where the server is stateless)."""
SUBSCRIPTIONS = {"resources/subscribe", "resources/unsubscribe"}
FEW = settings(
    max_examples=25 * int(os.environ.get("GATEKIT_FUZZ", "1")),
    deadline=None,
    database=None,
    derandomize="GATEKIT_FUZZ" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


def _methods(client: str, upstream: str) -> list[str]:
    theirs = {m for m, v in official.CLIENT_REQUESTS if v == upstream}
    ours = {m for m, v in official.CLIENT_REQUESTS if v == client}
    return sorted((theirs & ours) - OWN - SUBSCRIPTIONS)


def holds(
    folder: Path, client: str, upstream: str, check: Callable[[World, Any], Coroutine[Any, Any, None]]
) -> None:
    """Check a property of one world for many messages."""
    with asyncio.Runner() as runner:

        async def made() -> World:
            world = World(folder, client, upstream)
            await world.open()
            return world

        world = runner.run(made())

        @FEW
        @given(st.data())
        def one(data: Any) -> None:
            world.first, world.answer = [], {}
            runner.run(check(world, data))

        try:
            one()
        finally:
            runner.run(world.close())


def _expected_params(world: World, sent: dict[str, Any]) -> dict[str, Any]:
    """Without the envelope of the client's era and with none of the server's: that is checked apart."""
    return bare({"_meta": {}, **sent}) if world.upstream == MODERN or world.client == MODERN else sent


# -- requests ----------------------------------------------------------------------------------------------


@SAME_OR_NEWER
def test_requests_arrive_as_they_were_sent(tmp_path: Path, client: str, upstream: str) -> None:
    async def check(world: World, data: Any) -> None:
        method = data.draw(st.sampled_from(_methods(client, upstream)))
        sent = data.draw(legal.request_params(method, client))
        sent = without(sent, "inputResponses", "requestState")
        await world.request(method, sent)
        seen = world.seen(method)
        assert exact(_expected_params(world, bare(seen) if upstream == MODERN else seen)) == exact(
            _expected_params(world, sent)
        )
        if upstream == MODERN:
            assert {*ENVELOPE} - {PREFIX + "logLevel"} <= set(seen["_meta"])
            assert seen["_meta"][PREFIX + "protocolVersion"] == MODERN
            assert seen["_meta"][PREFIX + "clientInfo"] == {"name": "gatekit"}

    holds(tmp_path, client, upstream, check)


@SAME_OR_NEWER
def test_unknown_methods_pass_both_ways(tmp_path: Path, client: str, upstream: str) -> None:
    async def check(world: World, data: Any) -> None:
        method = data.draw(st.sampled_from(["vendor/thing", "x", "日本/語", "resources/directory/read"]))
        sent = data.draw(legal.VENDOR)
        world.answer = data.draw(legal.VENDOR)
        response = await world.request(method, sent)
        assert exact(bare(world.seen(method))) == exact(sent)
        assert exact(bare(response["result"])) == exact(world.answer)

    holds(tmp_path, client, upstream, check)


# -- results -----------------------------------------------------------------------------------------------


@SAME_OR_NEWER
def test_results_arrive_as_they_were_sent(tmp_path: Path, client: str, upstream: str) -> None:
    async def check(world: World, data: Any) -> None:
        method = data.draw(st.sampled_from(_methods(client, upstream)))
        world.answer = data.draw(legal.result(method, upstream))
        params = data.draw(legal.request_params(method, client))
        got = (await world.request(method, without(params, "inputResponses", "requestState")))["result"]
        if client == MODERN:
            assert got["resultType"] == "complete"
            assert got["_meta"][PREFIX + "serverInfo"] == {"name": "scripted", "version": "1"}
            assert (got.get("cacheScope"), "ttlMs" in got) == (
                ("private", True) if method in CACHED else (world.answer.get("cacheScope"), "ttlMs" in got)
            )
            if "ttlMs" in world.answer:
                assert got["ttlMs"] == world.answer["ttlMs"]
            official.validate_server_result(method, client, got)
        elif upstream == MODERN:
            assert not {"resultType", "ttlMs", "cacheScope"} & got.keys()
        if client != upstream and MODERN in (client, upstream):
            assert exact(_levelled(bare(got))) == exact(_levelled(bare(world.answer)))
        elif client == MODERN:
            assert exact(bare(got)) == exact(bare(world.answer))
        else:
            assert exact(got) == exact(world.answer)

    holds(tmp_path, client, upstream, check)


@pytest.mark.parametrize(("client", "upstream"), OLDER)
def test_an_older_client_gets_a_valid_result_and_loses_only_what_the_table_says(
    tmp_path: Path, client: str, upstream: str
) -> None:
    async def check(world: World, data: Any) -> None:
        method = data.draw(st.sampled_from(_methods(client, upstream)))
        world.answer = data.draw(legal.result(method, upstream))
        params = data.draw(legal.request_params(method, client))
        got = (await world.request(method, without(params, "inputResponses", "requestState")))["result"]
        official.validate_server_result(method, client, got)
        assert exact(_levelled(bare(got))) == exact(_levelled(bare(world.answer)))

    holds(tmp_path, client, upstream, check)


_NEWS = frozenset(("title", "icons", "annotations", "outputSchema", "execution", "structuredContent"))
_AS_TEXT = frozenset(("audio", "resource_link"))


def _levelled(value: Any) -> Any:
    """Without everything that the table of docs/protocol.md lets differ between revisions."""
    if isinstance(value, list):
        return [_levelled(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") in _AS_TEXT or (value.get("type") == "text" and isinstance(value.get("text"), str)):
        return "text"
    kept = {key: _levelled(item) for key, item in value.items() if key not in _NEWS}
    if isinstance(value.get("inputSchema"), dict):
        kept["inputSchema"] = without(kept["inputSchema"], "type")
    if kept.get("content") == ["text"] or kept.get("content") == []:
        del kept["content"]  # structured content alone becomes a text
    return kept


@SAME_OR_NEWER
def test_errors_arrive_as_they_were_sent(tmp_path: Path, client: str, upstream: str) -> None:
    async def check(world: World, data: Any) -> None:
        method = data.draw(st.sampled_from(["tools/call", "prompts/get", "vendor/thing"]))
        code = data.draw(st.sampled_from([-32601, -32602, -32603, -32050, -31999, 7, 2**40]))
        world.answer = Error(code, data.draw(legal.TEXT), data.draw(legal.ANYTHING))
        error = (await world.request(method, {"name": "n"}))["error"]
        assert exact(error) == exact(world.answer.body)

    holds(tmp_path, client, upstream, check)


# -- notifications and requests of the server --------------------------------------------------------------


def _progress(token: Any, **more: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def said(message: dict[str, Any]) -> dict[str, Any]:
        own = message["params"]["_meta"]["progressToken"]
        return {"method": "notifications/progress", "params": {**more, "progressToken": own}}

    return said


@SAME_OR_NEWER
def test_progress_comes_back_under_the_clients_own_token(tmp_path: Path, client: str, upstream: str) -> None:
    tokens = st.one_of(legal.TEXT, st.integers(-(2**64), 2**64))

    async def check(world: World, data: Any) -> None:
        token, more = data.draw(tokens), without(data.draw(legal.VENDOR), "progressToken")
        world.first = [_progress(token, progress=1, **more)]  # type: ignore[list-item]
        answer = await world.begin("tools/call", {"name": "n"}, progressToken=token).end()
        notice = answer.events[0]
        assert exact(notice) == exact(
            {
                "jsonrpc": "2.0",
                "method": "notifications/progress",
                "params": {**more, "progress": 1, "progressToken": token},
            }
        )
        assert type(world.seen("tools/call")["_meta"]["progressToken"]) is int

    holds(tmp_path, client, upstream, check)


@pytest.mark.parametrize("version", HANDSHAKE_VERSIONS)
def test_notifications_of_the_server_reach_a_session(tmp_path: Path, version: str) -> None:
    async def check(world: World, data: Any) -> None:
        method = data.draw(st.sampled_from(["notifications/vendor", "notifications/message", "odd", "日本"]))
        params = data.draw(legal.VENDOR)
        world.first = [{"method": method, "params": params}]
        answer = await world.begin("tools/call", {"name": "n"}).end()
        assert exact(answer.events[0]) == exact({"jsonrpc": "2.0", "method": method, "params": params})

    holds(tmp_path, version, version, check)


@pytest.mark.parametrize("version", HANDSHAKE_VERSIONS)
def test_unknown_requests_of_the_server_reach_a_session_and_their_answers_come_back(
    tmp_path: Path, version: str
) -> None:
    async def check(world: World, data: Any) -> None:
        asked, params = data.draw(st.one_of(legal.TEXT, st.integers(0, 2**62))), data.draw(legal.VENDOR)
        body = data.draw(st.one_of(legal.VENDOR, st.just(None)))
        world.first = [{"id": asked, "method": "vendor/ask", "params": params}]
        answer = await world.begin("tools/call", {"name": "n"}).end()
        question = answer.events[0]
        assert question["method"] == "vendor/ask"
        assert exact(question["params"]) == exact(params)
        error = {"code": 5, "message": "no", "data": [1]}
        said = {"result": body} if body is not None else {"error": error}
        message = {"jsonrpc": "2.0", "id": question["id"], **said}
        await world.rig.http("/s/s/mcp", json.dumps(message).encode(), mcp_session_id=world.session)
        await world.settled()
        assert exact(world.pool.link.received[-1]) == exact({"jsonrpc": "2.0", "id": asked, **said})

    holds(tmp_path, version, version, check)


@SAME_OR_NEWER
def test_unknown_notifications_of_the_client_reach_the_server(
    tmp_path: Path, client: str, upstream: str
) -> None:
    async def check(world: World, data: Any) -> None:
        method = data.draw(st.sampled_from(["notifications/vendor", "odd", "日本"]))
        params = data.draw(legal.VENDOR)
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        headers = {"mcp_session_id": world.session}
        if client == MODERN:
            message["params"] = {**params, "_meta": {PREFIX + "protocolVersion": MODERN}}
            headers = {"mcp_protocol_version": MODERN, "mcp_method": encode_value(method)}
        answer = await world.rig.http("/s/s/mcp", json.dumps(message).encode(), **headers)
        assert answer.status == 202, answer.body
        await world.settled()
        assert exact(bare(world.seen(method))) == exact(params)

    holds(tmp_path, client, upstream, check)

"""What is turned away before it becomes a call, and how it is said."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from gatekit.errors import BearerError, ProofInvalid, ProofRefused
from gatekit.model.access import Access, Asked
from tests.unit.gateway.rig import Rig, person


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "PUT"])
async def test_token_comes_before_everything_else(rig: Rig, method: str) -> None:
    """I12: Token comes before everything else."""
    for headers in ({}, {"content_type": "text/plain"}, {"mcp_protocol_version": "nonsense"}):
        answer = await rig.http("/s/talker/mcp", b"{", method=method, token=None, **headers)
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Bearer resource_metadata=")
        assert answer.json["error"]["message"]


async def test_unknown_token_is_refused_and_recorded(rig: Rig) -> None:
    answer = await rig.rpc("/s/talker/mcp", "tools/list", token="stolen")
    assert answer.status == 401
    assert [r["reason"] for r in rig.records("refused")] == ["unknown token"]


async def test_token_of_another_server_is_refused(rig: Rig) -> None:
    """I9, T3: Token of another server is refused."""
    assert (await rig.rpc("/s/private/mcp", "initialize", token="talker-only")).status == 401
    assert (await rig.rpc("/mcp", "initialize", token="talker-only")).status == 401
    assert {r["reason"] for r in rig.records("refused")} == {"foreign audience"}


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost.evil.example", "null", "x"])
async def test_foreign_origin_is_403(rig: Rig, origin: str) -> None:
    """I3: Foreign origin is 403."""
    assert (await rig.rpc("/s/talker/mcp", "ping", origin=origin)).status == 403


@pytest.mark.parametrize("origin", ["http://localhost:6274", "http://127.0.0.1", "http://[::1]:1"])
async def test_loopback_origin_may_read_the_answer(rig: Rig, origin: str) -> None:
    answer = await rig.rpc("/s/talker/mcp", "ping", origin=origin)
    assert answer.status == 400
    assert answer.headers["access-control-allow-origin"] == origin


async def test_preflight_needs_no_token(rig: Rig) -> None:
    answer = await rig.http(
        "/s/talker/mcp",
        method="OPTIONS",
        token=None,
        origin="http://localhost:6274",
        access_control_request_headers="authorization,mcp-param-x",
    )
    assert answer.status == 204
    assert answer.headers["access-control-allow-headers"] == "authorization,mcp-param-x"


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 400),
        ("application/json; charset=utf-8", 400),
        ("application/json; charset=utf-16", 415),
        ("text/plain", 415),
        ("", 415),
    ],
)
async def test_content_type(rig: Rig, content_type: str, status: int) -> None:
    """I18: Content type."""
    assert (await rig.rpc("/s/talker/mcp", "tools/list", content_type=content_type)).status == status


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"garbage", -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/list"', -32700),
        (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/list"}', -32700),
        (b"[" * 5000 + b"]" * 5000, None),
        (b'{"jsonrpc":"1.0","id":1,"method":"x"}', -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"x"}', -32600),
        (b"\xff\xfe", -32700),
    ],
)
async def test_bad_json_is_an_error_and_nothing_more(rig: Rig, body: bytes, code: int | None) -> None:
    answer = await rig.http("/s/talker/mcp", body)
    assert answer.status == 400
    assert code is None or answer.json["error"]["code"] == code
    assert (await rig.rpc("/s/talker/mcp", "initialize", {"protocolVersion": "2025-11-25"})).status == 200


async def test_body_over_the_limit_is_413(rig: Rig) -> None:
    """I22: Body over the limit is 413."""
    assert (await rig.http("/s/talker/mcp", b"x" * ((1 << 20) + 1))).status == 413
    assert (await rig.http("/s/talker/mcp", b"{}", content_length="99999999")).status == 413


async def test_unknown_server(rig: Rig) -> None:
    answer = await rig.rpc("/s/nowhere/mcp", "initialize", {"protocolVersion": "2025-11-25"})
    assert answer.status == 403
    assert "nowhere" not in answer.body.decode()


async def test_methods_that_mean_nothing_are_405(rig: Rig) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = await rig.http("/s/talker/mcp", method=method)
        assert answer.status == 405
        assert "POST" in answer.headers["allow"]


async def test_accept_that_takes_neither_is_406(rig: Rig) -> None:
    assert (await rig.rpc("/s/talker/mcp", "ping", accept="image/png")).status == 406


async def test_flood_of_refusals_does_not_flood_the_audit(rig: Rig) -> None:
    for _ in range(300):
        await rig.rpc("/s/talker/mcp", "ping", token="stolen")
    assert len(rig.records("refused")) < 120


@pytest.mark.parametrize("path", ["/s/talker/mcp", "/mcp", "/s/talker/sse", "/sse"])
async def test_the_door_is_told_what_a_proof_must_be_for(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """P1: method and path of the request as it came, without its query, and every DPoP header."""
    seen = []

    async def check(_: Sequence[bytes], asked: Asked | None = None) -> Access:
        seen.append(asked)
        raise ProofInvalid(ProofRefused("no", nonce="n-1"))

    monkeypatch.setattr(rig.door, "check", check)
    for method in ("POST", "GET", "DELETE"):
        answer = await rig.http(path, b"{}", method=method, token="bound", dpop="a proof")
        assert (answer.status, answer.headers["dpop-nonce"]) == (401, "n-1")
    assert rig.records("refused") == []  # to be told the nonce is how a client begins
    assert seen == [Asked(method, path, [b"a proof"]) for method in ("POST", "GET", "DELETE")]


async def test_refusals_of_bound_tokens_speak_of_dpop(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """P1: also where it is not the proof that is wrong: here the token is for another server."""
    rig.door.give("other", person("olga"), "talker")
    bound = replace(rig.door.tokens[b"Bearer other"], jkt="k")
    told = []

    async def check(_: Sequence[bytes], __: Asked | None = None) -> Access:
        return bound

    def challenge(error: BearerError, _: str, __: bool = False) -> str:
        told.append(error.schemes)
        return "DPoP"

    monkeypatch.setattr(rig.door, "check", check)
    monkeypatch.setattr(rig.door, "challenge", challenge)
    assert (await rig.http("/s/private/mcp", b"{}", token="unknown")).status == 401
    assert told == [("DPoP",)]

"""Host guard, security headers, request ids."""

from __future__ import annotations

from typing import Any

import pytest

from gatekit.platform.clock import SystemEntropy
from gatekit.platform.peers import TrustedProxies
from gatekit.web.middleware import ClientAddress, Hardening, HostGuard, Message, Receive, Scope, Send


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    body = str((scope.get("state") or {}).get("request_id", "")).encode()
    own = [(b"Content-Security-Policy", b"default-src 'self'")] if scope["path"] == "/page" else []
    await send({"type": "http.response.start", "status": 200, "headers": own})
    await send({"type": "http.response.body", "body": body})


async def ask(
    asgi: Any, *hosts: bytes, path: str = "/", kind: str = "http"
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"accept", b"*/*"), *((b"host", host) for host in hosts)]
    await asgi({"type": kind, "path": path, "headers": headers, "state": {"kept": 1}}, receive, send)
    if kind != "http":
        return 0, [], sent[0]["type"].encode()
    return sent[0]["status"], list(sent[0]["headers"]), b"".join(part.get("body", b"") for part in sent[1:])


GUARD = HostGuard(app, ["mcp.example.com", "2001:db8::7", "0.0.0.0", ""])


@pytest.mark.parametrize(
    "host",
    [
        b"mcp.example.com",
        b"MCP.Example.com",
        b"mcp.example.com:8443",
        b"localhost:8080",
        b"127.0.0.1",
        b"127.0.0.1:8080",
        b"[::1]:8080",
        b"[::1]",
        b"[2001:db8::7]:80",
    ],
)
async def test_our_own_names_pass(host: bytes) -> None:
    assert (await ask(GUARD, host))[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        b"evil.example",
        b"evil.example:8080",
        b"mcp.example.com.evil.example",
        b"evil-mcp.example.com",
        b"mcp.example.com@evil.example",
        b"mcp.example.com.",
        b"mcp.example.com:",
        b"mcp.example.com:80:80",
        b"mcp.example.com:port",
        b"mcp.example.com:8080000",
        b"mcp.example.com ",
        b"mcp.example.com,evil.example",
        b"localhost.evil.example",
        b"127.0.0.1.evil.example",
        b"127.0.0.2",
        b"0.0.0.0",
        b"[::]",
        b"::1",
        b"10.0.0.5:8080",
        b"mcp.example.com\xff",
        b"",
    ],
)
async def test_a_foreign_host_is_refused_on_every_route(host: bytes) -> None:
    """I3: A foreign host is refused on every route."""
    for path in ("/", "/mcp", "/authorize", "/.well-known/oauth-authorization-server"):
        status, headers, body = await ask(GUARD, host, path=path)
        assert status == 403
        assert (b"x-content-type-options", b"nosniff") in headers
        assert b"evil" not in body


async def test_no_host_and_two_hosts() -> None:
    assert (await ask(GUARD))[0] == 400
    assert (await ask(GUARD, b"mcp.example.com", b"evil.example"))[0] == 400


async def test_probes_may_come_under_an_address_but_not_under_a_foreign_name() -> None:
    """I3: Probes may come under an address but not under a foreign name."""
    for path in ("/healthz", "/readyz"):
        assert (await ask(GUARD, b"10.0.0.5:8080", path=path))[0] == 200
        assert (await ask(GUARD, b"[fd00::5]:8080", path=path))[0] == 200
        assert (await ask(GUARD, b"evil.example", path=path))[0] == 403
    assert (await ask(GUARD, b"10.0.0.5:8080", path="/healthz/../mcp"))[0] == 403


async def test_a_flood_of_names_is_not_remembered() -> None:
    guard = HostGuard(app, ["mcp.example.com"])
    for number in range(2000):
        await ask(guard, f"h{number}.example".encode())
    assert len(guard._known) <= 256
    assert (await ask(guard, b"mcp.example.com"))[0] == 200


async def test_websockets_are_closed() -> None:
    assert (await ask(GUARD, b"mcp.example.com", kind="websocket"))[2] == b"websocket.close"


async def test_the_client_behind_our_own_proxy() -> None:
    """I15: The client behind our own proxy."""
    seen: list[Any] = []

    async def note(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["client"])

    asgi: Any = ClientAddress(note, TrustedProxies(["10.0.0.0/8"]))
    forwarded = [(b"x-forwarded-for", b"203.0.113.7")]
    for client in (("10.0.0.1", 5), ("198.51.100.1", 5), None):
        scope = {"type": "http", "client": client, "headers": forwarded}
        await asgi(scope, None, None)
        assert scope["client"] == client  # the server's own scope stays as it was
    assert seen == [("203.0.113.7", 0), ("198.51.100.1", 5), None]


async def test_defaults_do_not_override_a_page() -> None:
    hardened = Hardening(app, SystemEntropy())
    _, page, request_id = await ask(hardened, b"h", path="/page")
    policies = [value for name, value in page if name.lower() == b"content-security-policy"]
    assert policies == [b"default-src 'self'"]
    headers = {name.lower(): value for name, value in page}
    assert headers[b"x-frame-options"] == b"DENY"
    assert headers[b"referrer-policy"] == b"no-referrer"
    assert headers[b"x-request-id"] == request_id
    assert request_id.startswith(b"req_")
    _, other, _ = await ask(hardened, b"h", path="/json")
    assert dict(other)[b"content-security-policy"].startswith(b"default-src 'none'")
    assert dict(other)[b"x-request-id"] != request_id

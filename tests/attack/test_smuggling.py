"""Requests that two HTTP parsers read differently, over a raw socket to a running gateway.

Whatever stands in front of us must not see one request where we see two, or another Host than we do.
"""

from __future__ import annotations

import socket

import pytest

from tests.support.running import RunningGateway

FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
SECOND = b"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n"

REFUSED = {
    "both lengths": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND,
    "unknown coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SECOND,
    "chunked first": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + SECOND,
    "two lengths": b"Content-Length: 3\r\nContent-Length: 60\r\n\r\na=b" + SECOND,
    "signed length": b"Content-Length: +3\r\n\r\na=b" + SECOND,
    "space before colon": b"Content-Length : 3\r\n\r\na=b" + SECOND,
    "folded": b"X: a\r\n b\r\nContent-Length: 3\r\n\r\na=b" + SECOND,
    "bare CR": b"X: a\rContent-Length: 3\r\n\r\na=b" + SECOND,
    "NUL": b"X: a\0b\r\nContent-Length: 3\r\n\r\na=b" + SECOND,
    "chunk without CR": b"Transfer-Encoding: chunked\r\n\r\n0\n\n" + SECOND,
    "endless chunk": b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" + SECOND,
    "second host": b"Host: evil.example\r\nContent-Length: 3\r\n\r\na=b",
}


def ask(gateway: RunningGateway, request: bytes) -> bytes:
    """Everything that comes back until the gateway closes, or has nothing more to say."""
    host = f"127.0.0.1:{gateway.port}".encode()
    answer = b""
    with socket.create_connection(("127.0.0.1", gateway.port), 10) as connection:
        connection.sendall(request.replace(b"{host}", host))
        connection.shutdown(socket.SHUT_WR)
        while piece := connection.recv(65536):
            answer += piece
    return answer


@pytest.mark.parametrize("path", [b"/token", b"/mcp"])
@pytest.mark.parametrize("rest", REFUSED.values(), ids=REFUSED.keys())
def test_one_request_is_one_request(gateway: RunningGateway, path: bytes, rest: bytes) -> None:
    """I17, I18, D9: Ambiguous framing is refused, and what follows it is not read as a request."""
    answer = ask(gateway, b"POST " + path + b" HTTP/1.1\r\nHost: {host}\r\n" + FORM + rest)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 403 "))


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET http://evil.example/jwks HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\nHost: {host}\r\n\r\n",
        b"GET /jwks HTTP/1.1\r\n\r\n",
        b"GET /jwks HTTP/1.0\r\n\r\n",
        b"GET /jwks HTTP/1.1\r\nHost: {host}@evil.example\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET jwks HTTP/1.1\r\nHost: {host}\r\n\r\n",
    ],
)
def test_a_target_of_another_kind(gateway: RunningGateway, request_line: bytes) -> None:
    """I3, D9: No name but ours, and no way to be a proxy."""
    assert ask(gateway, request_line).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 403 "))


def test_the_name_in_the_target_decides_nothing(gateway: RunningGateway) -> None:
    """I4, D9: An absolute target names another host; the document is ours all the same."""
    path = b"/.well-known/oauth-authorization-server"
    answer = ask(gateway, b"GET http://evil.example" + path + b" HTTP/1.1\r\nHost: {host}\r\n\r\n")
    assert b"evil" not in answer


def test_a_body_that_is_cut_off_is_no_fault_of_ours(gateway: RunningGateway) -> None:
    """I22: Nobody fills the log with our tracebacks by hanging up."""
    before = gateway.log.read_text(encoding="utf-8").count("Traceback")
    for path in (b"/token", b"/register", b"/login", b"/revoke", b"/mcp"):
        ask(
            gateway,
            b"POST " + path + b" HTTP/1.1\r\nHost: {host}\r\n" + FORM + b"Content-Length: 9\r\n\r\na=b",
        )
    assert gateway.log.read_text(encoding="utf-8").count("Traceback") == before

"""Connections to one remote server: many requests and long event streams, under the guard of ``outbound``.

``Outbound.fetch`` dials anew for every exchange, because what it fetches is named by strangers. A Channel
is for what the operator named, so it keeps its connections. They lead to addresses that were checked, and
no other name is ever spoken to over them. Imported only where there is a remote server, as is ``outbound``.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from urllib.parse import urljoin

import httpx2

from gatekit.errors import OutboundBroken, OutboundRefused, OutboundTooLarge, OutboundUnreachable
from gatekit.model.ports import Clock
from gatekit.platform.addresses import Address
from gatekit.platform.outbound import (
    CONNECT_TIMEOUT,
    MAX_ADDRESSES,
    UNSENDABLE,
    UNSENDABLE_WORDS,
    USER_AGENT,
    Outbound,
    headers_of,
    literal,
    words,
)
from gatekit.platform.targets import Target, parse

CONNECTIONS = 2000
"""To one server at the same time; each open event stream is one (HTTP/1.1)."""
SPARE_CONNECTIONS = 32
SPARE_SECONDS = 3.0
"""How long an unused connection is kept: less than servers do (5 s in uvicorn and Node), so that a request is
not written to a connection that is just being closed."""
POOL_TIMEOUT = 10.0
VETTED_SECONDS = 30.0
"""How long a name is not resolved again."""
_KEEPALIVE = (
    # A stream may be silent for hours. Without this a server that vanished would never be missed.
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)


class Stream:
    """One answer, its head read and its body not. ``close`` it in every case."""

    def __init__(self, response: httpx2.Response, headers: Mapping[str, str], where: str) -> None:
        self.status = response.status_code
        self.headers = headers
        """Names in lower case."""
        self._response = response
        self._chunks = response.aiter_raw()
        self._where = where

    async def more(self) -> bytes:
        """The next piece of the body; empty at its end. Raise ``OutboundBroken``."""
        try:
            async for chunk in self._chunks:
                if chunk:
                    return chunk
        except httpx2.HTTPError as error:
            raise OutboundBroken(f"{self._where}: {words(error)}") from error
        return b""

    async def read(self, max_bytes: int) -> bytes:
        """The whole body. Raise ``OutboundBroken`` or ``OutboundTooLarge``."""
        declared = self.headers.get("content-length", "0")
        body = bytearray()
        if declared.isdecimal() and int(declared) <= max_bytes:
            while len(body) <= max_bytes:
                chunk = await self.more()
                if not chunk:
                    return bytes(body)
                body += chunk
        raise OutboundTooLarge(f"{self._where}: the answer is larger than {max_bytes} bytes")

    async def close(self) -> None:
        await self._chunks.aclose()
        await self._response.aclose()


class Channel:
    """All connections to the server at ``url``."""

    def __init__(self, outbound: Outbound, clock: Clock, url: str) -> None:
        """Raise ``OutboundRefused`` for a URL that cannot be used."""
        self.target = parse(url)
        self._outbound = outbound
        self._clock = clock
        self._client: httpx2.AsyncClient | None = None
        self._addresses: Sequence[Address] = ()
        self._vetted_until = 0.0

    async def open(
        self, method: str, headers: Mapping[str, str], body: bytes | None = None, path: str = ""
    ) -> Stream:
        """Send a request and read the head of the answer, whatever its status is; no redirect is followed.

        ``path`` (with its query): instead of the URL's own. Waits as long as the server takes: bound it.
        Raise ``OutboundUnreachable`` (nothing was sent), ``OutboundBroken`` (it may have been) or
        ``OutboundRefused``.
        """
        target = self.target
        sent = {"user-agent": USER_AGENT, "accept-encoding": "identity", **headers, "host": target.authority}
        failure: Exception | None = None
        for address in (await self._vetted())[:MAX_ADDRESSES]:
            try:
                return await self._send(method, address, sent, body, path or target.path)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                failure = error  # nothing was sent yet, so the next address may be tried
                self._vetted_until = 0.0
            except httpx2.PoolTimeout as error:
                raise OutboundUnreachable(f"{target.authority}: all connections are in use") from error
            except UNSENDABLE:
                raise OutboundBroken(f"{target.authority}: {UNSENDABLE_WORDS}") from None
            except httpx2.HTTPError as error:
                raise OutboundBroken(f"{target.authority}: {words(error)}") from error
        raise OutboundUnreachable(f"{target.authority}: cannot connect: {words(failure)}") from failure

    def beside(self, reference: str) -> str | None:
        """The path of what ``reference`` means when read at this URL; None if that is another origin."""
        target = self.target
        try:
            there = parse(urljoin(f"{target.scheme}://{target.authority}{target.path}", reference))
        except (OutboundRefused, ValueError):
            return None
        return there.path if there.origin == target.origin else None

    async def _vetted(self) -> Sequence[Address]:
        now = self._clock.monotonic()
        if now >= self._vetted_until:
            self._addresses = await self._outbound.vetted(self.target)
            self._vetted_until = now + VETTED_SECONDS
        return self._addresses

    async def _send(
        self, method: str, address: Address, headers: Mapping[str, str], body: bytes | None, path: str
    ) -> Stream:
        target = self.target
        client = self._client = self._client or self._new_client(target)
        request = client.build_request(
            method,
            f"{target.scheme}://{literal(address)}:{target.port}{path}",
            headers=headers,
            content=body,
            extensions={"sni_hostname": target.host},
        )
        response = await client.send(request, stream=True)
        try:
            return Stream(response, headers_of(response, target), target.authority)
        except OutboundRefused:
            await response.aclose()
            raise

    def _new_client(self, target: Target) -> httpx2.AsyncClient:
        transport = httpx2.AsyncHTTPTransport(
            verify=self._outbound.context() if target.scheme == "https" else False,
            trust_env=False,  # a proxy would resolve the name again, and see what we send
            socket_options=_KEEPALIVE,
            limits=httpx2.Limits(
                max_connections=CONNECTIONS,
                max_keepalive_connections=SPARE_CONNECTIONS,
                keepalive_expiry=SPARE_SECONDS,
            ),
        )
        return httpx2.AsyncClient(
            transport=transport,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx2.Timeout(None, connect=CONNECT_TIMEOUT, pool=POOL_TIMEOUT),
        )

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

"""The only HTTP client. It dials addresses that it has checked, and believes nothing about what comes back.

A name is resolved here, every address it resolves to is judged, and the connection goes to one of the judged
addresses with the name kept in Host and SNI: a second look at the name server, which could answer differently
(DNS rebinding), never happens. Imported only where something is fetched; it costs 7 MB.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlencode, urljoin, urlsplit

import httpx2
import msgspec
from msgspec import Struct

from gatekit.errors import OutboundRefused
from gatekit.model.ports import Clock
from gatekit.platform.addresses import Address, AddressRules
from gatekit.platform.targets import Target, parse

log = logging.getLogger("gatekit.outbound")

USER_AGENT = "gatekit"
CONNECT_TIMEOUT = 5.0
"""Seconds for one address of a host."""
MAX_ADDRESSES = 4
"""How many addresses of one host are tried."""
MAX_HEADER_BYTES = 32 * 1024
UNSENDABLE = (httpx2.LocalProtocolError, UnicodeEncodeError)
"""A header that cannot be sent. Both hold its value, which may be a secret: say and chain neither."""
UNSENDABLE_WORDS = "the request holds a header that HTTP does not allow"

_BOUND_TO_ORIGIN = frozenset({"authorization", "cookie"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]


class Answer(Struct, frozen=True):
    """What came back. Header names are in lower case; repeated headers are joined with a comma."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Outbound:
    """Fetches. Holds no connection between two fetches: a pooled one would be reused for another name."""

    def __init__(
        self,
        clock: Clock,
        allow: Iterable[str] = (),
        *,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """``allow``: host names, addresses or networks that may be private and may be spoken to without
        TLS. Name only what the operator configured."""
        self._clock = clock
        self._rules = AddressRules(allow)
        self._resolve = resolve or _resolve
        self._tls = tls

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json: object = None,
        body: bytes | None = None,
        max_bytes: int = 1 << 20,
        timeout: float = 10.0,  # noqa: ASYNC109  (it covers resolving, dialling and reading together)
        redirects: int = 0,
    ) -> Answer:
        """One exchange; at most one of ``form``, ``json`` and ``body`` is sent.

        A header with an empty value is not sent, not even ``user-agent``.
        ``max_bytes`` bounds the body as it streams in, ``timeout`` (seconds) everything together. With
        ``redirects`` 0 an answer that redirects is returned like any other. Raises ``OutboundRefused``.
        """
        sent = {"user-agent": USER_AGENT, "accept-encoding": "identity"}
        sent.update({name.lower(): value for name, value in (headers or {}).items()})
        sent = {name: value for name, value in sent.items() if value}
        content = _content(sent, form, json, body)
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(timeout):
                answer = await self._follow(method, parse(url), sent, content, max_bytes, redirects)
        except TimeoutError as late:
            raise OutboundRefused(f"{_where(url)}: no complete answer within {timeout:g} s") from late
        log.debug(
            "fetched method=%s from=%s status=%d seconds=%.3f",
            method,
            _where(url),
            answer.status,
            self._clock.monotonic() - started,
        )
        return answer

    async def _follow(
        self,
        method: str,
        target: Target,
        headers: dict[str, str],
        content: bytes | None,
        max_bytes: int,
        redirects: int,
    ) -> Answer:
        allowed = redirects
        while True:
            answer = await self._exchange(method, target, headers, content, max_bytes)
            location = answer.headers.get("location")
            if not allowed or answer.status not in _REDIRECTS or not location:
                return answer
            if not redirects:
                raise OutboundRefused(f"{target.authority}: more than {allowed} redirects")
            if method not in ("GET", "HEAD"):
                raise OutboundRefused(f"{target.authority}: redirects a {method}")
            onward = parse(urljoin(f"{target.scheme}://{target.authority}{target.path}", location))
            if onward.origin != target.origin:
                headers = {name: value for name, value in headers.items() if name not in _BOUND_TO_ORIGIN}
            target, redirects = onward, redirects - 1

    async def _exchange(
        self, method: str, target: Target, headers: Mapping[str, str], content: bytes | None, max_bytes: int
    ) -> Answer:
        failure: Exception | None = None
        for address in (await self.vetted(target))[:MAX_ADDRESSES]:
            try:
                return await self._dial(method, target, address, headers, content, max_bytes)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                failure = error  # nothing was sent yet, so the next address may be tried
            except UNSENDABLE:
                raise OutboundRefused(f"{target.authority}: {UNSENDABLE_WORDS}") from None
            except httpx2.HTTPError as error:
                raise OutboundRefused(f"{target.authority}: {words(error)}") from error
        raise OutboundRefused(f"{target.authority}: cannot connect: {words(failure)}") from failure

    async def vetted(self, target: Target) -> Sequence[Address]:
        """Every address of the host, all of them checked: one bad one refuses the host."""
        if target.scheme == "http" and not self._rules.names(target.host):
            raise OutboundRefused(
                f"{target.authority}: only https is spoken to hosts that are not configured"
            )
        try:
            addresses = await self._resolve(target.host, target.port)
        except OSError as error:
            raise OutboundRefused(f"{target.host}: the name cannot be resolved: {error}") from error
        if not addresses:
            raise OutboundRefused(f"{target.host}: the name has no address")
        for address in addresses:
            if reason := self._rules.refusal(target.host, address):
                raise OutboundRefused(f"{target.host}: resolves to {address}, which is {reason}")
        return addresses

    async def _dial(
        self,
        method: str,
        target: Target,
        address: Address,
        headers: Mapping[str, str],
        content: bytes | None,
        max_bytes: int,
    ) -> Answer:
        async with (
            httpx2.AsyncClient(
                verify=self.context() if target.scheme == "https" else False,
                trust_env=False,  # a proxy would resolve the name again, and see what we send
                follow_redirects=False,
                timeout=httpx2.Timeout(None, connect=CONNECT_TIMEOUT),
            ) as client,
            _plain(client).stream(
                method,
                f"{target.scheme}://{literal(address)}:{target.port}{target.path}",
                headers={**headers, "host": target.authority},
                content=content,
                extensions={"sni_hostname": target.host},
            ) as response,
        ):
            return await _read(response, target, max_bytes)

    def context(self) -> ssl.SSLContext:
        if self._tls is None:
            # The system's trust store, which is where a company puts its own authority.
            self._tls = ssl.create_default_context()
        return self._tls


def _plain(client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """Without a User-Agent of the library's own, where the caller left it out."""
    client.headers.pop("user-agent", None)
    return client


async def _resolve(host: str, port: int) -> Sequence[Address]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    literals = dict.fromkeys(str(sockaddr[0]) for _, _, _, _, sockaddr in found)
    return [ip_address(literal) for literal in literals]


def literal(address: Address) -> str:
    """An address as it stands in a URL."""
    return f"[{address}]" if isinstance(address, IPv6Address) else str(address)


def headers_of(response: httpx2.Response, target: Target) -> dict[str, str]:
    """The headers of an answer. Raise ``OutboundRefused`` for too many of them, and for compression."""
    headers: dict[str, str] = {}
    for name, value in response.headers.multi_items():
        headers[name.lower()] = f"{headers[name.lower()]}, {value}" if name.lower() in headers else value
    if sum(len(name) + len(value) for name, value in headers.items()) > MAX_HEADER_BYTES:
        raise OutboundRefused(f"{target.authority}: the answer's headers are too large")
    if headers.get("content-encoding", "identity") != "identity":
        # We asked for none, and a few compressed bytes may stand for gigabytes.
        raise OutboundRefused(f"{target.authority}: the answer is compressed")
    return headers


async def _read(response: httpx2.Response, target: Target, max_bytes: int) -> Answer:
    headers = headers_of(response, target)
    declared = headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise OutboundRefused(f"{target.authority}: the answer is larger than {max_bytes} bytes")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > max_bytes:
            raise OutboundRefused(f"{target.authority}: the answer is larger than {max_bytes} bytes")
    return Answer(response.status_code, headers, bytes(body))


def _content(
    headers: dict[str, str], form: Mapping[str, str] | None, json: object, body: bytes | None
) -> bytes | None:
    if form is not None:
        headers.setdefault("content-type", "application/x-www-form-urlencoded")
        return urlencode(form).encode("ascii")
    if json is not None:
        headers.setdefault("content-type", "application/json")
        return msgspec.json.encode(json)
    return body


def _where(url: str) -> str:
    """Host for a message. Never the path or query, which may hold secrets."""
    try:
        return urlsplit(url).hostname or "?"
    except ValueError:
        return "?"


def words(error: Exception | None) -> str:
    """What an exception says, or its name if it says nothing."""
    return str(error) or type(error).__name__

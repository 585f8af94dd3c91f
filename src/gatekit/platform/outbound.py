"""The only HTTP client. It dials addresses that it has checked, and believes nothing about what comes back.

A name is resolved here, every address it resolves to is judged, and the connection goes to one of the judged
addresses with the name kept in Host and SNI: a second look at the name server, which could answer differently
(DNS rebinding), never happens. Imported only where something is fetched; it costs 7 MB.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from ipaddress import IPv6Address, ip_address
from urllib.parse import SplitResult, urlencode, urljoin, urlsplit

import httpx2
import msgspec
from msgspec import Struct

from gatekit.errors import OutboundRefused
from gatekit.model.ports import Clock
from gatekit.platform.addresses import Address, AddressRules

log = logging.getLogger("gatekit.outbound")

USER_AGENT = "gatekit"
CONNECT_TIMEOUT = 5.0
"""Seconds for one address of a host."""
MAX_ADDRESSES = 4
"""How many addresses of one host are tried."""
MAX_HEADER_BYTES = 32 * 1024

_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_BOUND_TO_ORIGIN = frozenset({"authorization", "cookie"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]


class Answer(Struct, frozen=True):
    """What came back. Header names are in lower case; repeated headers are joined with a comma."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Target(Struct, frozen=True):
    """A URL taken apart once, so that what is checked is what is dialled."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        default = 443 if self.scheme == "https" else 80
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == default else f"{host}:{self.port}"

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port


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

        ``max_bytes`` bounds the body as it streams in, ``timeout`` (seconds) everything together. With
        ``redirects`` 0 an answer that redirects is returned like any other. Raises ``OutboundRefused``.
        """
        sent = {"user-agent": USER_AGENT, "accept-encoding": "identity"}
        sent.update({name.lower(): value for name, value in (headers or {}).items()})
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
        for address in (await self._vetted(target))[:MAX_ADDRESSES]:
            try:
                return await self._dial(method, target, address, headers, content, max_bytes)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                failure = error  # nothing was sent yet, so the next address may be tried
            except httpx2.HTTPError as error:
                raise OutboundRefused(f"{target.authority}: {_words(error)}") from error
        raise OutboundRefused(f"{target.authority}: cannot connect: {_words(failure)}") from failure

    async def _vetted(self, target: Target) -> Sequence[Address]:
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
        literal = f"[{address}]" if isinstance(address, IPv6Address) else str(address)
        async with (
            httpx2.AsyncClient(
                verify=self._context() if target.scheme == "https" else False,
                trust_env=False,  # a proxy would resolve the name again, and see what we send
                follow_redirects=False,
                timeout=httpx2.Timeout(None, connect=CONNECT_TIMEOUT),
            ) as client,
            client.stream(
                method,
                f"{target.scheme}://{literal}:{target.port}{target.path}",
                headers={**headers, "host": target.authority},
                content=content,
                extensions={"sni_hostname": target.host},
            ) as response,
        ):
            return await _read(response, target, max_bytes)

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            # The system's trust store, which is where a company puts its own authority.
            self._tls = ssl.create_default_context()
        return self._tls


def parse(url: str) -> Target:
    """Take a URL apart; raise ``OutboundRefused`` for anything two parsers might read differently."""
    if not url.isascii() or not url.isprintable() or any(char in url for char in ' \\"<>^`{|}#'):
        raise OutboundRefused("the URL holds characters that do not belong there")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise OutboundRefused(f"the URL cannot be read: {error}") from error
    if parts.scheme not in ("https", "http"):
        raise OutboundRefused("the URL must be https")
    if "@" in parts.netloc or port == 0 or parts.netloc.endswith(":"):
        raise OutboundRefused("the URL must hold a plain host name and perhaps a port")
    default = 443 if parts.scheme == "https" else 80
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, _host(parts), default if port is None else port, path)


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower()
    if ":" in host or host.rpartition(".")[2].isdecimal() or host.rpartition(".")[2].startswith("0x"):
        # An IPv4 address in decimal, octal or hexadecimal is one to the resolver and a name to everybody
        # else (URL Standard, "ends in a number"): only the usual spelling passes.
        with contextlib.suppress(ValueError):
            address = ip_address(host)
            if "%" not in host and (address.version == 6 or str(address) == host):
                return str(address)
        raise OutboundRefused("the host is a number but not an address in its usual form")
    if len(host) > 253 or not _HOST.fullmatch(host):
        raise OutboundRefused("the host is not a usable name")
    return host


async def _resolve(host: str, port: int) -> Sequence[Address]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    literals = dict.fromkeys(str(sockaddr[0]) for _, _, _, _, sockaddr in found)
    return [ip_address(literal) for literal in literals]


async def _read(response: httpx2.Response, target: Target, max_bytes: int) -> Answer:
    headers: dict[str, str] = {}
    for name, value in response.headers.multi_items():
        headers[name.lower()] = f"{headers[name.lower()]}, {value}" if name.lower() in headers else value
    if sum(len(name) + len(value) for name, value in headers.items()) > MAX_HEADER_BYTES:
        raise OutboundRefused(f"{target.authority}: the answer's headers are too large")
    if headers.get("content-encoding", "identity") != "identity":
        # We asked for none, and a few compressed bytes may stand for gigabytes.
        raise OutboundRefused(f"{target.authority}: the answer is compressed")
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


def _words(error: Exception | None) -> str:
    return str(error) or type(error).__name__

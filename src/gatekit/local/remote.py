"""The channel over HTTP to somebody else's endpoint, with a sign-in where it asks for one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from gatekit.errors import ChannelError, OutboundRefused, OutboundUnreachable
from gatekit.local.account.account import May
from gatekit.local.account.discover import Challenge, challenge_of
from gatekit.local.channel import Incoming, Outgoing

_log = logging.getLogger("gatekit.local")

REACH_SECONDS = 10.0
"""How long a server that cannot be reached is tried again: it may be restarting, and nothing was sent."""
_FIRST_PAUSE = 0.2
_REFUSALS = 3
"""Refusals in a row after which a sign-in is not tried again for this request."""

_MAY: dict[str, May] = {"GET": "renew", "DELETE": "nothing"}
"""Only what the client wants now is worth a browser window, and neither an idle stream nor a farewell is."""


class Stream(Protocol):
    """``platform.channel.Stream``."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...

    async def more(self) -> bytes: ...

    async def close(self) -> None: ...


class Connections(Protocol):
    """``platform.channel.Channel``."""

    def open(
        self, method: str, headers: Mapping[str, str], body: bytes | None = None, path: str = ""
    ) -> Awaitable[Stream]: ...


class Credentials(Protocol):
    """``account.Account`` or ``account.Static``."""

    async def headers(self, may: May) -> dict[str, str]: ...

    async def refused(self, used: Mapping[str, str], status: int, challenge: Challenge, may: May) -> None: ...


class RemoteChannel:
    """Leads to the endpoint that ``connections`` lead to. Implements ``local.channel.Channel``."""

    mirrors = True

    def __init__(self, connections: Connections, credentials: Credentials) -> None:
        self._connections = connections
        self._credentials = credentials

    @asynccontextmanager
    async def open(self, outgoing: Outgoing) -> AsyncIterator[Incoming]:
        stream = await self._accepted(outgoing)
        try:
            yield Incoming(stream.status, stream.headers, _chunks(stream))
        finally:
            await stream.close()

    async def _accepted(self, outgoing: Outgoing) -> Stream:
        """The answer, after as many sign-ins as it takes. Raises ``ChannelError``."""
        may = _MAY.get(outgoing.method, "ask")
        for _ in range(_REFUSALS):
            used = await self._credentials.headers(may)
            stream = await self._reached(outgoing, used)
            challenge = _challenge(stream)
            if challenge is None:
                return stream
            await stream.close()
            await self._credentials.refused(used, stream.status, challenge, may)
        raise ChannelError("the server accepts none of the tokens that its own authorization server gives")

    async def _reached(self, outgoing: Outgoing, used: Mapping[str, str]) -> Stream:
        """The first answer that is one. Only what was certainly not carried out is sent again."""
        headers, body = {**outgoing.headers, **used}, outgoing.body or None
        pause, left = _FIRST_PAUSE, REACH_SECONDS
        while True:
            try:
                stream = await self._connections.open(outgoing.method, headers, body)
            except OutboundUnreachable as error:
                if left <= 0:
                    raise ChannelError(f"the server cannot be reached: {error}") from error
                wait = pause
            except OutboundRefused as error:
                raise ChannelError(str(error)) from error
            else:
                wait = _asked_to_wait(stream, left)
                if not wait:
                    break
                await stream.close()
            await asyncio.sleep(wait)
            left, pause = left - wait, min(pause * 2, 2.0)
        if stream.status in (301, 302, 303, 307, 308):
            there = stream.headers.get("location", "another place")
            await stream.close()
            raise ChannelError(f"the server has moved to {there}: give that URL, if you trust it")
        return stream


def _asked_to_wait(stream: Stream, left: float) -> float:
    """Seconds after which the server wants to be asked again (RFC 9110 §10.2.3); 0 if this is its answer."""
    after = stream.headers.get("retry-after", "")
    if stream.status != 503 or not after.isdecimal() or left <= 0 or int(after) > left:
        return 0.0
    return max(float(after), _FIRST_PAUSE)


def _challenge(stream: Stream) -> Challenge | None:
    """What has to be done first; None if the answer is one."""
    header = stream.headers.get("www-authenticate", "")
    if stream.status == 401:
        return challenge_of(header)
    if stream.status == 403:
        challenge = challenge_of(header)
        return challenge if challenge.error == "insufficient_scope" else None
    return None


async def _chunks(stream: Stream) -> AsyncIterator[bytes]:
    while True:
        try:
            chunk = await stream.more()
        except OutboundRefused as error:
            raise ChannelError(str(error)) from error
        if not chunk:
            return
        yield chunk

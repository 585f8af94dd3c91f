"""Which era an upstream speaks, and the opening exchange in it.

A server is asked in the era of the client that it is started for, so that a pair of equals loses nothing:
``initialize`` first for a handshake client, ``server/discover`` first for a stateless one (MCP 2026-07-28,
stdio). Field gaps of the probe: servers that *exit* on any request before ``initialize``, and servers that
stay *silent* when ``_meta`` is present. Both get a fresh process and the handshake, and what was learnt is
remembered per launch recipe, so that the price is paid once.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from typing import Any, Protocol

from msgspec import Struct

from gatekit.errors import (
    LinkClosed,
    LinkError,
    LinkTimeout,
    ParseFault,
    RemoteRefused,
    SpawnFailed,
    StoreError,
)
from gatekit.model.call import EraName, Fault, Result
from gatekit.model.ports import Clock
from gatekit.model.server import Server
from gatekit.protocol import jsonrpc
from gatekit.upstream.link import Hello
from gatekit.upstream.transport import Discard, OwnedLink, Spawn

HANDSHAKE_VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05", "2024-10-07")
STATELESS_VERSIONS = ("2026-07-28",)
REMEMBERED_SECONDS = 86400.0
"""After this long a server that knew only the handshake is probed again: it may have been updated."""

_META = "io.modelcontextprotocol/"
_METHOD_NOT_FOUND = -32601
_UNSUPPORTED_VERSION = -32022


class Remember(Protocol):
    """A small memory that outlives the process (``store.settings``)."""

    async def get(self, key: str) -> str | None: ...

    async def put(self, key: str, value: str) -> None: ...


class Opened(Struct, frozen=True):
    """The upstream answered; ``link`` is ready for calls."""

    link: OwnedLink


class Refused(Struct, frozen=True):
    """The upstream answered, but does not speak the era that it was addressed in."""

    link: OwnedLink
    reason: str


class Lost(Struct, frozen=True):
    """The upstream exited or stayed silent; this process is of no use any more."""

    reason: str
    silent: bool = False
    """It was given up on, and did not end by itself."""


Opening = Opened | Refused | Lost


class Negotiator:
    """Opens Links; ``info`` is our ``clientInfo``."""

    def __init__(self, clock: Clock, remember: Remember, info: dict[str, Any]) -> None:
        self._clock = clock
        self._remember = remember
        self._info = info
        self._alone: set[str] = set()
        """Recipes whose servers refused ``initialize`` and know the stateless era alone."""
        self._slow: dict[str, float] = {}
        """Recipes whose start takes longer than their probe waited → seconds to wait next time."""

    async def open(self, server: Server, hello: Hello, spawn: Spawn, discard: Discard) -> OwnedLink:
        """Start a process with ``spawn`` (again, if the probe cost the first one) and open it.

        ``discard`` ends a process that is of no use. Raise ``SpawnFailed`` or another ``LinkError``.
        """
        key = "era:" + hashlib.sha256(server.fingerprint().encode()).hexdigest()  # env holds secrets
        alone = key in self._alone
        # What is kept in the store changes nothing for a handshake client.
        known = await self.recall(key) if hello.era == "stateless" else None
        if alone or (hello.era == "stateless" and known != "handshake"):
            patience = self._slow.get(key, server.probe_timeout)
            if alone or known is not None:
                patience = server.start_timeout
            opening = await self._stateless_first(key, hello, patience, spawn, discard)
        else:
            opening = await self._handshake_first(hello, spawn, discard)
        if not isinstance(opening, Opened):
            raise SpawnFailed(f"the server could not be opened: {opening.reason}")
        self._settle(key, opening.link.era, hello)
        if not alone and not (key in self._slow and opening.link.era == "handshake"):
            await self.learn(key, known, opening.link.era, hello)
        return opening.link

    def _settle(self, key: str, era: EraName, hello: Hello) -> None:
        """Keep in mind who refuses ``initialize``: its next handshake client costs no process."""
        if era == "handshake":
            self._alone.discard(key)
        elif hello.era == "handshake":
            self._alone.add(key)

    async def _stateless_first(
        self, key: str, hello: Hello, patience: float, spawn: Spawn, discard: Discard
    ) -> Opening:
        before = self._slow.pop(key, None)
        link = await spawn()
        opening = await self.discover(link, patience)
        if isinstance(opening, Refused):
            return await self.handshake(link, hello)
        if isinstance(opening, Lost):
            await discard()
            since = self._clock.monotonic()
            second = await self._handshake_first(hello, spawn, discard)
            took = self._clock.monotonic() - since
            if opening.silent and before is None and took > patience:
                # It was not silent but slow: what it knows is asked again at its next start, with more time.
                self._slow[key] = min(2 * took + patience, link.server.start_timeout)
            return second
        return opening

    async def _handshake_first(self, hello: Hello, spawn: Spawn, discard: Discard) -> Opening:
        link = await spawn()
        opening = await self.handshake(link, hello)
        if not isinstance(opening, Refused):
            return opening
        # A refused ``initialize`` may have settled the era of that process for good: ask a fresh one, with
        # all the time that a start may take (the probe's patience may have been too short for it).
        await discard()
        link = await spawn()
        second = await self.discover(link, link.server.start_timeout)
        return second if isinstance(second, Opened) else opening

    # -- the parts, for other transports too -----------------------------------------------------------

    async def recall(self, key: str) -> EraName | None:
        try:
            value = await self._remember.get(key) or ""
        except StoreError:  # a memory only: without it the server is asked
            return None
        era, _, at = value.partition(" ")
        if era == "stateless":
            return "stateless"
        fresh = at.isdigit() and self._clock.now() - int(at) < REMEMBERED_SECONDS
        return "handshake" if era == "handshake" and fresh else None

    async def learn(self, key: str, known: EraName | None, era: EraName, hello: Hello) -> None:
        # A server that answers ``initialize`` to a handshake client may well know both eras.
        if era != known and (era == "stateless" or hello.era == "stateless"):
            with contextlib.suppress(StoreError):
                await self._remember.put(key, f"{era} {int(self._clock.now())}")

    # -- handshake era ---------------------------------------------------------------------------------

    async def handshake(self, link: OwnedLink, hello: Hello) -> Opening:
        asked = hello.version if hello.version in HANDSHAKE_VERSIONS else HANDSHAKE_VERSIONS[0]
        params = {"protocolVersion": asked, "capabilities": hello.capabilities, "clientInfo": self._info}
        opening = await self._ask(link, "initialize", params, link.server.start_timeout)
        if isinstance(opening, Lost):
            return opening
        if isinstance(opening, Fault):
            # Perhaps a server of the stateless era alone, whichever way it words its refusal.
            second = await self.discover(link, link.server.probe_timeout)
            why = f"initialize was refused: {opening.message}"
            return second if isinstance(second, Opened) else Refused(link, why)
        version = opening.get("protocolVersion")
        if version not in HANDSHAKE_VERSIONS:
            return Refused(link, f"it speaks protocol version {version!r}, which is unknown here")
        link.era = "handshake"
        link.version = version
        link.meta = {}
        _describe(link, opening, opening.get("serverInfo"))
        link.notify("notifications/initialized", {})
        return Opened(link)

    # -- stateless era ---------------------------------------------------------------------------------

    async def discover(self, link: OwnedLink, patience: float) -> Opening:
        link.meta = self._envelope(STATELESS_VERSIONS[0])
        answer = await self._ask(link, "server/discover", {}, patience)
        if isinstance(answer, Fault) and answer.code == _UNSUPPORTED_VERSION:
            offered = answer.data.get("supported") if isinstance(answer.data, dict) else None
            mutual = _mutual(offered)
            if mutual:
                # Also if it is the one it was asked in: to name it means to speak it, so the question is put
                # again rather than taken for a sign of the older era (MCP 2026-07-28, version negotiation).
                link.meta = self._envelope(mutual)
                answer = await self._ask(link, "server/discover", {}, patience)
        if isinstance(answer, Lost):
            return answer
        if isinstance(answer, Fault):
            link.meta = {}
            return Refused(link, f"server/discover was refused: {answer.message}")
        mutual = _mutual(answer.get("supportedVersions"))
        if mutual is None:
            link.meta = {}
            return Refused(link, f"it speaks {answer.get('supportedVersions')!r}, none known here")
        link.era = "stateless"
        link.version = mutual
        link.meta = self._envelope(mutual)
        meta = answer.get("_meta")
        _describe(link, answer, meta.get(_META + "serverInfo") if isinstance(meta, dict) else None)
        return Opened(link)

    def _envelope(self, version: str) -> dict[str, Any]:
        """MCP 2026-07-28, envelope: what ``_meta`` of every request carries.

        What can be asked of a client is said by each call for itself, because a Link may serve many.
        """
        return {
            _META + "protocolVersion": version,
            _META + "clientInfo": self._info,
            _META + "clientCapabilities": {},
        }

    async def _ask(
        self, link: OwnedLink, method: str, params: dict[str, Any], patience: float
    ) -> dict[str, Any] | Fault | Lost:
        try:
            async with asyncio.timeout(patience):
                end = await link.call(method, params)
        except TimeoutError:
            return Lost(f"no answer to {method} within {patience:g} s", silent=True)
        except RemoteRefused:
            raise  # the server was not asked, or did not listen
        except (LinkClosed, LinkTimeout) as error:
            return Lost(error.public)
        except LinkError as error:
            return Fault(_METHOD_NOT_FOUND, error.public)
        if isinstance(end, Fault):
            return end
        return _body(end)


def _body(end: Result) -> dict[str, Any] | Fault:
    if isinstance(end.body, dict):
        return end.body
    try:
        return jsonrpc.decode_object(end.body)
    except ParseFault as fault:
        return Fault(fault.code, fault.public)


def _mutual(offered: object) -> str | None:
    if not isinstance(offered, list):
        return None
    return next((version for version in STATELESS_VERSIONS if version in offered), None)


def _describe(link: OwnedLink, answer: dict[str, Any], info: object) -> None:
    capabilities, instructions = answer.get("capabilities"), answer.get("instructions")
    link.capabilities = capabilities if isinstance(capabilities, dict) else {}
    link.instructions = instructions if isinstance(instructions, str) else None
    link.server_info = info if isinstance(info, dict) else {}

"""Where a provider's metadata comes from: the configuration, or an address that is asked again and again.

The last good answer stays in force while the provider cannot be asked, also over a restart, until its own
``validUntil``. A document that cannot be used changes nothing. What is fetched is the provider's word about
its own keys, so the address must be https (``platform.outbound`` sees to it), or its signer pinned.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
from msgspec import Struct

from gatekit.errors import OutboundRefused, ProviderFailed, SamlRefused
from gatekit.identity.saml.metadata import Provider, pinned, read_metadata
from gatekit.model.ports import Clock
from gatekit.store.ports import Settings

log = logging.getLogger("gatekit.identity.saml")

REFRESH = 6 * 3600.0
"""Seconds after which metadata is fetched again if it does not say so itself."""
RETRY = 60.0
"""Seconds between two attempts: after a failure, and where a signature names a key that is not known."""
WARN_BEFORE = 30 * 86_400.0
"""Seconds before its end that a certificate is spoken of."""

Get = Callable[[str], Awaitable[bytes]]
"""Fetches an address. Raises ``OutboundRefused``."""


class Source(Protocol):
    """One provider's metadata."""

    async def current(self) -> Provider:
        """What is in force. Raises ``ProviderFailed``."""
        ...

    async def renew(self) -> bool:
        """Ask again, unless that was done a moment ago. True if something else is in force now."""
        ...

    async def tend(self) -> None:
        """Ask again if it is time. Raises nothing: what is in force stays. For a background job."""
        ...

    def notices(self) -> list[str]:
        """What ends soon of what is known now, in words; nothing is asked for. Raises nothing."""
        ...


class Written:
    """Metadata that stands in the configuration.

    ``signer``: certificate (PEM) of who must have signed it; empty: nobody has to.
    """

    def __init__(self, name: str, document: str, clock: Clock, entity_id: str = "", signer: str = "") -> None:
        self._name = name
        self._document = document.encode()
        self._clock = clock
        self._entity_id = entity_id
        self._signer = signer

    async def current(self) -> Provider:
        return read_metadata(self._document, self._clock.now(), self._entity_id, pinned(self._signer))

    async def renew(self) -> bool:
        return False

    async def tend(self) -> None:
        try:
            warn(self._name, await self.current(), self._clock.now())
        except SamlRefused as unusable:
            log.error("saml metadata of %s cannot be used: %s", self._name, unusable.detail)

    def notices(self) -> list[str]:
        now = self._clock.now()
        try:
            provider = read_metadata(self._document, now, self._entity_id, pinned(self._signer))
        except SamlRefused:
            return ["its metadata cannot be used; the log says why"]
        return expiring(provider, now)


async def look(document: str, get: Get, clock: Clock, entity_id: str, signer: str) -> Provider:
    """Read metadata once, for somebody who wants to know what is wrong with it: ``document`` is an address or
    the document itself. Raises ``OutboundRefused``, ``SamlRefused``."""
    data = document.encode() if document.startswith("<") else await get(document)
    return read_metadata(data, clock.now(), entity_id, pinned(signer))


class _Stored(Struct):
    url: str
    document: str
    fetched: float


class Fetched:
    """Metadata at an address. ``signer`` as above."""

    def __init__(
        self,
        name: str,
        url: str,
        get: Get,
        memory: Settings,
        clock: Clock,
        entity_id: str = "",
        signer: str = "",
    ) -> None:
        self._name = name
        self._url = url
        self._get = get
        self._memory = memory
        self._clock = clock
        self._entity_id = entity_id
        self._signer = signer
        self._kept: Provider | None = None
        self._document = b""
        self._next = 0.0
        """When it is time to ask again, on the monotonic clock …"""
        self._next_allowed = 0.0
        """… and before when it may not be asked, whoever wants it."""
        self._lock = asyncio.Lock()

    async def current(self) -> Provider:
        if self._kept is None:
            await self._restore()
        if self._kept is None or self._ended(self._kept):
            await self.renew()
        if self._kept is None or self._ended(self._kept):
            raise ProviderFailed(
                f"The identity provider {self._name} cannot be used at the moment. Please try again later.",
                f"saml metadata: nothing in force from {self._url}",
            )
        return self._kept

    async def renew(self) -> bool:
        before = self._document
        async with self._lock:  # whoever waited finds the answer of the one who asked
            if self._document == before and self._clock.monotonic() >= self._next_allowed:
                await self._fetch()
        return self._document != before

    async def tend(self) -> None:
        if self._kept is None:
            await self._restore()
        if self._clock.monotonic() >= self._next:
            await self.renew()
        if self._kept is not None:
            warn(self._name, self._kept, self._clock.now())

    def notices(self) -> list[str]:
        return expiring(self._kept, self._clock.now()) if self._kept is not None else []

    def _ended(self, provider: Provider) -> bool:
        return provider.valid_until is not None and provider.valid_until <= self._clock.now()

    async def _fetch(self) -> None:
        self._next_allowed = self._next = self._clock.monotonic() + RETRY
        try:
            document = await self._get(self._url)
            found = self._read(document)
        except (OutboundRefused, SamlRefused) as failed:
            log.warning("saml metadata of %s stays as it is: %s", self._name, failed)
            return
        self._kept, self._document = found, document
        self._next = self._clock.monotonic() + (found.cache or REFRESH)
        stored = _Stored(self._url, document.decode(), self._clock.now())
        await self._memory.put(self._key, msgspec.json.encode(stored).decode())

    async def _restore(self) -> None:
        text = await self._memory.get(self._key)
        if text is None:
            return
        try:
            stored = msgspec.json.decode(text, type=_Stored)
            if stored.url == self._url:
                document = stored.document.encode()
                self._kept, self._document = self._read(document), document
        except (msgspec.DecodeError, SamlRefused) as unusable:
            log.warning("saml metadata of %s that was kept is not used: %s", self._name, unusable)

    @property
    def _key(self) -> str:
        return f"saml-metadata:{self._name}"

    def _read(self, document: bytes) -> Provider:
        return read_metadata(document, self._clock.now(), self._entity_id, pinned(self._signer))


def warn(name: str, provider: Provider, now: float) -> None:
    """Log what will end soon."""
    for line in expiring(provider, now):
        log.warning("saml metadata of %s: %s", name, line)


def expiring(provider: Provider, now: float) -> list[str]:
    """What ends within 30 days, in words. A certificate that has ended still counts: its key is what is
    trusted. It is said because many a provider stops using it on that day."""
    lines = []
    newest = max(provider.expiries())
    if newest < now:
        lines.append("its newest signing certificate has expired; signatures of its key are still accepted")
    elif newest < now + WARN_BEFORE:
        days = int((newest - now) / 86_400)
        lines.append(f"its newest signing certificate expires in {days} days; ask for the next one")
    if provider.valid_until is not None and provider.valid_until < now + WARN_BEFORE:
        hours = int((provider.valid_until - now) / 3600)
        if hours < 72:
            lines.append(f"it ends in {hours} hours (validUntil)")
    return lines

"""What another issuer publishes about itself (RFC 8414, OpenID Connect Discovery 1.0).

The issuer in the document must be the configured one, letter by letter (RFC 8414 §3.3): otherwise one tenant
of a provider could speak for another.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from gatekit.errors import KeysUnavailable, OutboundRefused
from gatekit.model.ports import Clock
from gatekit.platform.fetching import Fetch

log = logging.getLogger("gatekit.oauth")

FRESH = 3600.0
"""Seconds that a document is believed without looking again."""
RETRY_PAUSE = 5.0
"""Seconds between two tries while it cannot be had."""
MAX_BYTES = 256 * 1024
TIMEOUT = 5.0


class Discovery:
    """The metadata of one issuer. An old document stays in use while no new one can be had: what it says is
    where things are, and what is there is checked each time."""

    def __init__(self, fetch: Fetch, clock: Clock, issuer: str, *, found_at: str = "") -> None:
        """``found_at``: where to look, if the issuer's own name is no address (Entra ID's ``{tenantid}``)."""
        self._fetch = fetch
        self._clock = clock
        self._issuer = issuer
        self._found_at = found_at or issuer
        self._document: Mapping[str, Any] | None = None
        self._fresh_until = float("-inf")
        self._asked_at = float("-inf")
        self._trouble = ""
        self._running: asyncio.Task[None] | None = None

    async def endpoint(self, name: str) -> str:
        """The URL that the issuer publishes as ``name``. Raises ``KeysUnavailable``."""
        value = (await self.document()).get(name)
        # Never less protected than the issuer itself: keys that came over plain http are anybody's.
        schemes = ("https",) if self._issuer.startswith("https:") else ("https", "http")
        if not isinstance(value, str) or urlsplit(value).scheme not in schemes:
            raise KeysUnavailable(UNAVAILABLE, f"the metadata of {self._issuer} names no usable {name}")
        return value

    async def names(self, name: str) -> bool:
        """Whether the issuer publishes an endpoint called ``name``. Raises ``KeysUnavailable``."""
        return isinstance((await self.document()).get(name), str)

    async def document(self) -> Mapping[str, Any]:
        """Raises ``KeysUnavailable``."""
        if self._clock.monotonic() >= self._fresh_until:
            await self._refresh()
        if self._document is None:
            raise KeysUnavailable(UNAVAILABLE, self._trouble)
        return self._document

    async def _refresh(self) -> None:
        if self._running is None:
            if self._clock.monotonic() - self._asked_at < RETRY_PAUSE:
                return
            self._asked_at = self._clock.monotonic()
            self._running = asyncio.ensure_future(self._bring())
            self._running.add_done_callback(self._over)
        await asyncio.shield(self._running)

    def _over(self, _: asyncio.Task[None]) -> None:
        self._running = None

    async def _bring(self) -> None:
        troubles = []
        for url in places(self._found_at):
            try:
                self._document = await self._read(url)
            except (OutboundRefused, ValueError, RecursionError) as failed:
                troubles.append(f"{url}: {failed}")
                continue
            self._fresh_until = self._clock.monotonic() + FRESH
            self._trouble = ""
            return
        self._trouble = "; ".join(troubles)[:500]
        log.warning("an issuer's metadata cannot be fetched issuer=%s error=%s", self._issuer, self._trouble)

    async def _read(self, url: str) -> Mapping[str, Any]:
        answer = await self._fetch(
            "GET", url, headers={"accept": "application/json"}, max_bytes=MAX_BYTES, timeout=TIMEOUT
        )
        if answer.status != 200:
            raise ValueError(f"the answer has status {answer.status}")
        document = json.loads(answer.body.decode("utf-8"))
        if not isinstance(document, dict):
            raise ValueError("the answer is not a JSON object")
        if document.get("issuer") != self._issuer:
            raise ValueError(f"it is the metadata of another issuer, {str(document.get('issuer'))[:200]!r}")
        return document


UNAVAILABLE = "the authorization server that issues tokens for this gateway cannot be reached at the moment"


def places(issuer: str) -> Sequence[str]:
    """Where the metadata of ``issuer`` may be: RFC 8414 §3.1 inserts, OpenID Connect Discovery §4 appends."""
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    return (
        f"{origin}{path}/.well-known/openid-configuration",
        f"{origin}/.well-known/oauth-authorization-server{path}",
    )

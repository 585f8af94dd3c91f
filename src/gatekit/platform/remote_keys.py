"""Keys that somebody else publishes (RFC 7517), fetched when they are needed and believed for a while.

A provider rolls its keys over by publishing the next one first, so a key that we do not know is a reason to
look again, and a stranger can make up such reasons without end: one look per ``UNKNOWN_PAUSE``, whoever
asks. A provider that is out of order does not sign everybody out at once: keys are believed ``STALE`` seconds
longer while they cannot be fetched, and no longer, because a key that was withdrawn must end as well.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from msgspec import Struct

from gatekit.errors import ForeignTokenInvalid, KeysUnavailable, OutboundRefused
from gatekit.model.ports import Clock
from gatekit.platform.fetching import Answer, Fetch
from gatekit.platform.foreign import Key, local_keys

log = logging.getLogger("gatekit.oauth")

MAX_BYTES = 256 * 1024
TIMEOUT = 5.0
"""Seconds for resolving, dialling and the whole body."""
SHORTEST, LONGEST, USUAL = 300.0, 3600.0, 900.0
"""Seconds that a set is believed: at least, at most, and where its server says nothing."""
STALE = 3600.0
"""Seconds that it is believed beyond that while nothing newer can be had."""
UNKNOWN_PAUSE = 30.0
"""Seconds between two looks for a key that is not there."""
RETRY_PAUSE = 5.0
"""Seconds between two tries to reach a server that failed."""
MAX_SETS = 256

_MAX_AGE = re.compile(r"(?:^|[,\s])max-age=(\d{1,9})(?=$|[,\s])", re.IGNORECASE)


class _Set(Struct):
    """What we know of one ``jwks_uri``. Times are of the monotonic clock."""

    keys: Sequence[Key] | None = None
    """None: never fetched with success."""
    fresh_until: float = 0.0
    asked_at: float = float("-inf")
    trouble: str = ""
    """Why the last try failed; empty if it did not."""


class RemoteKeys:
    """A bounded cache of key sets. One per guarded client: what that may reach is the caller's decision."""

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._sets: dict[str, _Set] = {}
        self._under_way: dict[str, asyncio.Task[None]] = {}

    async def keys(self, jwks_uri: str, kid: str = "") -> Sequence[Key]:
        """The keys that may have signed a token which names ``kid`` (empty: it names none).

        Those of that name and those without one; perhaps none, which ``foreign.verify`` refuses. Raises
        ``KeysUnavailable`` if the set cannot be had and nothing recent enough is known.
        """
        known = self._set(jwks_uri)
        if self._clock.monotonic() >= known.fresh_until:
            await self._refresh(jwks_uri, known, RETRY_PAUSE)
        elif kid and all(key.kid != kid for key in known.keys or ()):
            await self._refresh(jwks_uri, known, UNKNOWN_PAUSE)
        return [key for key in self._usable(known) if not kid or key.kid in ("", kid)]

    def _set(self, jwks_uri: str) -> _Set:
        known = self._sets.pop(jwks_uri, None) or _Set()
        self._sets[jwks_uri] = known  # the least recently used is the first
        while len(self._sets) > MAX_SETS:
            del self._sets[next(iter(self._sets))]
        return known

    def _usable(self, known: _Set) -> Sequence[Key]:
        if known.keys is None or self._clock.monotonic() >= known.fresh_until + STALE:
            raise KeysUnavailable("the issuer's keys cannot be fetched at the moment", known.trouble)
        return known.keys

    async def _refresh(self, jwks_uri: str, known: _Set, pause: float) -> None:
        """Fetch, together with everybody who wants the same set at this moment; not too often."""
        running = self._under_way.get(jwks_uri)
        if running is None:
            # After a failure the short pause counts, whatever the reason to look was.
            if self._clock.monotonic() - known.asked_at < (RETRY_PAUSE if known.trouble else pause):
                return
            known.asked_at = self._clock.monotonic()
            running = asyncio.ensure_future(self._bring(jwks_uri, known))
            self._under_way[jwks_uri] = running
            running.add_done_callback(lambda _: self._under_way.pop(jwks_uri, None))
        await asyncio.shield(running)  # whoever gives up waiting does not take it from the others

    async def _bring(self, jwks_uri: str, known: _Set) -> None:
        try:
            answer = await self._fetch(
                "GET",
                jwks_uri,
                headers={"accept": "application/jwk-set+json, application/json"},
                max_bytes=MAX_BYTES,
                timeout=TIMEOUT,
            )
            keys = _read(answer)
        except (OutboundRefused, ForeignTokenInvalid) as failed:
            known.trouble = str(failed)[:300]
            # Of the address only the host: the rest is whatever somebody registered.
            log.warning("keys cannot be fetched from=%s error=%s", urlsplit(jwks_uri).hostname, known.trouble)
            return
        known.keys, known.trouble = keys, ""
        known.fresh_until = self._clock.monotonic() + _believed(answer)


def _read(answer: Answer) -> Sequence[Key]:
    if answer.status != 200:
        raise ForeignTokenInvalid(f"the answer has status {answer.status}")
    try:
        return local_keys(json.loads(answer.body.decode("utf-8")))
    except (ValueError, RecursionError) as bad:
        raise ForeignTokenInvalid("the answer is not well-formed JSON") from bad


def _believed(answer: Answer) -> float:
    said = _MAX_AGE.search(answer.headers.get("cache-control", ""))
    return min(max(float(said[1]), SHORTEST), LONGEST) if said else USUAL

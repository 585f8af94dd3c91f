"""Asking the issuer what a token stands for (RFC 7662): for tokens that say nothing to us.

Whoever can reach us can make up tokens, so questions have a budget, answers are kept for a few seconds, good
and bad ones alike, and everybody who brings the same token waits for one question. A token that was good a
moment ago does not have to compete with made-up ones.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import quote_plus

from gatekit.errors import KeysUnavailable, OutboundRefused, TokenInvalid
from gatekit.model.ports import Clock
from gatekit.model.trust import Introspection
from gatekit.platform.discovery import UNAVAILABLE, Discovery
from gatekit.platform.fetching import Exchange
from gatekit.platform.limits import Rate, TokenBucket

MAX_BYTES = 64 * 1024
TIMEOUT = 5.0
QUESTIONS = Rate(200, 3000)
"""How many tokens that were never good may be asked about: at once, and per minute."""
MAX_KEPT = 10_000

Claims = Mapping[str, Any]


class Introspector:
    """One issuer's introspection endpoint, as its confidential client."""

    def __init__(self, fetch: Exchange, clock: Clock, settings: Introspection, discovery: Discovery) -> None:
        self._fetch = fetch
        self._clock = clock
        self._settings = settings
        self._discovery = discovery
        self._budget = TokenBucket(QUESTIONS, clock)
        self._kept: dict[bytes, tuple[Claims, float]] = {}
        """Token hash → what was said (empty: not active), and until when that counts."""
        self._running: dict[bytes, asyncio.Task[Claims]] = {}

    async def claims(self, token: str) -> Claims:
        """What the issuer says about an active token. Raises ``TokenInvalid``, ``KeysUnavailable``."""
        key = sha256(token.encode("ascii")).digest()
        kept = self._kept.get(key)
        if kept is not None and self._clock.monotonic() < kept[1]:
            said = kept[0]
        else:
            said = await self._once(key, token, known=bool(kept and kept[0]))
        if not said:
            raise TokenInvalid("the access token is not active")
        return said

    async def _once(self, key: bytes, token: str, known: bool) -> Claims:
        running = self._running.get(key)
        if running is None:
            if not known and self._budget.take():
                raise KeysUnavailable("too many unknown tokens at the moment; try again later")
            running = asyncio.ensure_future(self._ask(token))
            self._running[key] = running
            running.add_done_callback(lambda done: self._answered(key, done))
        return await asyncio.shield(running)

    def _answered(self, key: bytes, done: asyncio.Task[Claims]) -> None:
        self._running.pop(key, None)
        if done.cancelled() or done.exception() is not None:
            return  # a failure is not an answer, so it is not remembered
        self._kept.pop(key, None)
        self._kept[key] = (done.result(), self._clock.monotonic() + self._settings.cache)
        while len(self._kept) > MAX_KEPT:
            del self._kept[next(iter(self._kept))]

    async def _ask(self, token: str) -> Claims:
        endpoint = self._settings.endpoint or await self._discovery.endpoint("introspection_endpoint")
        try:
            answer = await self._fetch(
                "POST",
                endpoint,
                headers={"accept": "application/json", "authorization": self._authorization()},
                form={"token": token, "token_type_hint": "access_token"},
                max_bytes=MAX_BYTES,
                timeout=TIMEOUT,
            )
            said = json.loads(answer.body.decode("utf-8")) if answer.status == 200 else None
        except (OutboundRefused, ValueError, RecursionError) as failed:
            raise KeysUnavailable(UNAVAILABLE, f"introspection: {failed}") from failed
        if not isinstance(said, dict):
            # 401 means that our own credentials are wrong: nothing about the token.
            raise KeysUnavailable(UNAVAILABLE, f"introspection: the answer has status {answer.status}")
        return said if said.get("active") is True else {}

    def _authorization(self) -> str:
        """RFC 6749 §2.3.1: each part form-encoded before they are joined."""
        pair = f"{quote_plus(self._settings.client_id)}:{quote_plus(self._settings.client_secret)}"
        return "Basic " + base64.b64encode(pair.encode("utf-8")).decode("ascii")

"""``/healthz``: the process answers. ``/readyz``: every part it needs works at this moment.

Both are open to anybody who can reach the port, so they name parts and say nothing else; the reason is in the
log. Neither makes a session or writes anything of its own (oauth.md §6.9).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatekit.errors import GatekitError

log = logging.getLogger("gatekit.health")

Check = Callable[[], Awaitable[str]]
"""What is wrong with a part, empty when nothing is. Raising ``GatekitError`` or taking long is also wrong."""

CHECK_TIMEOUT = 2.0
"""Seconds that one part may take."""
KEPT_FOR = 0.5
"""Seconds that an answer is reused, so that probes cannot load the database."""

_NO_STORE = {"Cache-Control": "no-store"}


def health_routes(checks: Mapping[str, Check], timeout: float = CHECK_TIMEOUT) -> list[Route]:
    """Both probes. ``checks`` by the name that ``/readyz`` shows: ``store``, ``audit``."""
    health = Health(checks, timeout)
    return [
        Route("/healthz", health.alive, methods=["GET"]),
        Route("/readyz", health.ready, methods=["GET"]),
    ]


class Health:
    """What the probes answer."""

    def __init__(self, checks: Mapping[str, Check], timeout: float = CHECK_TIMEOUT) -> None:
        self._checks = dict(checks)
        self._timeout = timeout
        self._asked_at = float("-inf")
        self._failing: tuple[str, ...] = ()
        self._asking = asyncio.Lock()

    async def alive(self, _: Request) -> Response:
        """200 as long as the event loop turns."""
        return _answer({"status": "alive"}, 200)

    async def ready(self, _: Request) -> Response:
        """200, or 503 with the names of the parts that do not work."""
        failing = await self.failing()
        if failing:
            return _answer({"status": "not ready", "failing": list(failing)}, 503)
        return _answer({"status": "ready"}, 200)

    async def failing(self) -> tuple[str, ...]:
        """Names of the parts that do not work."""
        async with self._asking:
            now = asyncio.get_running_loop().time()
            if now - self._asked_at >= KEPT_FOR:
                words = await asyncio.gather(*(self._works(*item) for item in self._checks.items()))
                self._failing = tuple(
                    name for name, works in zip(self._checks, words, strict=True) if not works
                )
                self._asked_at = now
            return self._failing

    async def _works(self, name: str, check: Check) -> bool:
        try:
            trouble = await asyncio.wait_for(check(), self._timeout)
        except TimeoutError:
            trouble = f"no answer within {self._timeout:g} s"
        except GatekitError as failure:
            trouble = str(failure) or type(failure).__name__
        if trouble:
            log.warning("not ready part=%s reason=%s", name, trouble)
        return not trouble


def _answer(content: Mapping[str, object], status: int) -> Response:
    return Response(msgspec.json.encode(content), status, _NO_STORE, "application/json")

"""``process``: a plugin in a process of its own, so that code which is not trusted need not run inside.

It is spoken to in JSON-RPC 2.0, one message a line: a request ``inspect`` with the message as params, and the
verdict as its result, in any order. Started at the first call, started again when it has ended, with growing
pauses; it sees a clean environment, and ends with the gateway.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from msgspec import Raw

from gatekit.model.call import Fault, Large
from gatekit.plugin import PluginError
from gatekit.plugins.means import Worker
from gatekit.plugins.remote import Remote, RemoteOptions, Unusable

_FIRST_PAUSE, _LAST_PAUSE = 0.5, 30.0
"""Seconds after a process that ended or did not start; each is twice the one before."""
_STEADY = 60.0
"""Seconds that a process must have lived for the next pause to be short again."""
_AT_ONCE = 256
"""Messages that may wait for it."""


class Process(Remote):
    """Keeps one process."""

    class Settings(RemoteOptions, frozen=True, kw_only=True):
        command: tuple[str, ...]
        """argv, never given to a shell."""
        env: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it

    def __init__(self, options: Settings, name: str = "") -> None:
        super().__init__(options, name)
        if not options.command or not options.command[0] or any("\0" in word for word in options.command):
            raise PluginError("command: expected a program and its arguments")
        self._worker: Worker | None = None
        self._starting: asyncio.Lock | None = None
        self._pause = 0.0
        self._not_before = 0.0
        self._started = 0.0
        self._waiting = 0
        self._closed = False

    async def ask(self, message: dict[str, Any]) -> bytes:
        if self._waiting >= _AT_ONCE:
            raise Unusable("too many messages wait for the process")
        self._waiting += 1
        try:
            worker = await self._running()
            outcome = await worker.call("inspect", message)
        finally:
            self._waiting -= 1
        if isinstance(outcome, Fault):
            raise Unusable("the process answered with an error")
        body = outcome.body
        if isinstance(body, Raw):
            return bytes(memoryview(body))
        return bytes(body.pieces) if isinstance(body, Large) else msgspec.json.encode(body)

    async def _running(self) -> Worker:
        """The process, started if need be. Raises Unusable or LinkError."""
        if self._starting is None:
            self._starting = asyncio.Lock()
        async with self._starting:
            worker, means = self._worker, self.means
            if worker is not None and worker.alive:
                return worker
            if means is None or self._closed:
                raise Unusable("the plugin is closed")
            now = means.clock.monotonic()
            if worker is not None:
                self._worker = None
                self._put_off(now, steady=now - self._started >= _STEADY)
                await worker.end("the plugin's process had ended")
            if now < self._not_before:
                raise Unusable("the process ended and is started again later")
            self._put_off(now, steady=False)
            options = self.options
            self._worker = worker = await means.start(
                self.name, options.command, options.env, options.max_bytes
            )
            self._started = means.clock.monotonic()
            self._not_before = 0.0
            return worker

    def _put_off(self, now: float, steady: bool) -> None:
        self._pause = _FIRST_PAUSE if steady or not self._pause else min(self._pause * 2, _LAST_PAUSE)
        self._not_before = now + self._pause

    async def close(self) -> None:
        self._closed = True
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.end("the plugin is not used any more")

"""Running processes: from spawn to the death of the whole tree.

The ``Supervisor`` knows how a process is started and ended in good order; *when* is decided by the owner task
of each Link (``pool``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from gatekit.errors import LinkClosed
from gatekit.model.ports import Clock
from gatekit.model.server import Server
from gatekit.upstream.launcher import Child, Launcher, Recipe
from gatekit.upstream.negotiate import Negotiator, Remember
from gatekit.upstream.stdio import StdioLink
from gatekit.upstream.transport import Ending

INHERITED = ("PATH", "HOME", "LANG", "TZ", "TMPDIR")
"""What a child sees of the gateway's environment; everything else is declared or absent."""
STRAGGLERS = 0.25
"""Seconds between the first sign of an end (exit, or end of output) and failing the calls that wait."""
_LAST_RESORT = 3.0
_POLL = 0.02


class Process:
    """A running upstream: the Carrier of a stdio Link. ``over`` also ends when it closes its output."""

    def __init__(self, supervisor: Supervisor, link: StdioLink, child: Child) -> None:
        self._supervisor = supervisor
        self.link = link
        self.child = child
        self._loop = asyncio.get_running_loop()
        self.over: asyncio.Future[str] = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        # Answers may still be in the pipe when the process is gone, so both ends are waited for, briefly.
        child.exited.add_done_callback(self._sign)
        link.pipes.eof.add_done_callback(self._sign)

    @property
    def pid(self) -> int:
        return self.child.pid

    async def end(self, ending: Ending, reason: str) -> None:
        """See ``Supervisor.end``."""
        await self._supervisor.end(self, ending, reason)

    def _sign(self, _: object) -> None:
        if self.child.exited.done() and self.link.pipes.eof.done():
            self._conclude()
        elif self._timer is None:
            self._timer = self._loop.call_later(STRAGGLERS, self._conclude)

    def _conclude(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self.over.done():
            return
        reason = self.exit_reason()
        self.link.fail(LinkClosed(reason, self.detail(reason)))
        self.over.set_result(reason)

    def exit_reason(self) -> str:
        if not self.child.exited.done():
            return "the server closed its output"
        code = self.child.exited.result()
        return (
            f"the server was killed by signal {-code}" if code < 0 else f"the server exited with code {code}"
        )

    def detail(self, reason: str) -> str:
        """``reason`` and the last of stderr; for log and audit."""
        said = self.link.pipes.stderr.text()
        return f"{reason}; stderr ended: {said[-2000:]}" if said else reason


class Supervisor:
    """Starts and ends processes; owns the launcher."""

    def __init__(self, clock: Clock, env: Mapping[str, str], version: str) -> None:
        """``env``: the gateway's environment, of which children get ``INHERITED``; ``version``: Gatekit's."""
        self._clock = clock
        self._env = {name: env[name] for name in INHERITED if name in env}
        self.info: dict[str, Any] = {"name": "gatekit", "version": version}
        self.launcher = Launcher()

    async def spawn(self, server: Server) -> Process:
        """Start the server's command. Raise ``SpawnFailed``."""
        recipe = Recipe(server.command, {**self._env, **dict(server.env)}, server.cwd)
        child = await self.launcher.spawn(recipe)
        link = StdioLink(server, child, self._clock.monotonic())
        process = Process(self, link, child)
        try:
            await link.connect()
        except BaseException:
            self.launcher.kill(child, 0.0)
            raise
        return process

    async def end(self, process: Process, ending: Ending, reason: str) -> None:
        """Take a process down in order and wait until its whole tree is dead."""
        link, child = process.link, process.child
        link.drain()
        deadline = self._clock.monotonic() + ending.calls
        try:
            # Polled: an event would have to be set by every call, for something that happens once.
            while link.working and not process.over.done() and self._clock.monotonic() < deadline:  # noqa: ASYNC110
                await asyncio.sleep(_POLL)
            link.fail(LinkClosed(reason))
            link.pipes.hang_up()
            await _within(child.exited, ending.stdin)
            self.launcher.kill(child, ending.term)
            await _within(child.gone, ending.term + _LAST_RESORT)
        finally:
            self.launcher.kill(child, 0.0)
            link.close()

    async def close(self) -> None:
        """Hang up on the launcher, which kills what is left."""
        await self.launcher.close()


class StdioTransport:
    """Implements ``transport.Transport`` for servers with a command."""

    def __init__(self, supervisor: Supervisor, clock: Clock, remember: Remember) -> None:
        self._negotiator = Negotiator(clock, remember, supervisor.info)
        self.spawn = supervisor.spawn
        self.open = self._negotiator.open
        self.close = supervisor.close


async def _within(future: asyncio.Future[Any], seconds: float) -> None:
    await asyncio.wait({future}, timeout=seconds)

"""The three pipes of a child on the event loop, and what its stderr last said."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, cast

from gatekit.upstream.launcher import Child, enlarge_pipe

_log = logging.getLogger("gatekit.upstream")

HIGH_WATER = 1024 * 1024
"""Unwritten bytes above which the Link looks whether the upstream reads at all."""
STDERR_KEPT = 8192
"""Bytes of stderr that are kept for diagnostics."""
_SMALL = 4096
"""Messages up to this size wait for the end of the tick; too few and too small to need a water mark."""
_LOGGED_LINE = 500
_BIG_PIPE = 1024 * 1024


class Write(Protocol):
    """Writes one message, or several that belong together."""

    def __call__(self, data: bytes, alone: bool = False) -> None: ...


class _Reader(asyncio.Protocol):
    def __init__(self, on_data: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        self.data_received = on_data  # type: ignore[method-assign, assignment]
        self._on_end = on_end

    def connection_lost(self, _exc: Exception | None) -> None:
        self._on_end()


class _Writer(asyncio.BaseProtocol):
    def __init__(self, on_end: Callable[[], None]) -> None:
        self.paused = False
        self.lost = False
        self._on_end = on_end

    def connection_lost(self, _exc: Exception | None) -> None:
        self.lost = True
        self.paused = False
        self._on_end()

    def let_go(self) -> None:
        self._on_end = _nothing

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False


class StderrTail:
    """Always drained (a full stderr pipe would stop the child), the end of it kept, logged at DEBUG."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._chunks: deque[bytes] = deque()
        self._size = 0

    def feed(self, data: bytes) -> None:
        if _log.isEnabledFor(logging.DEBUG):
            for line in data.splitlines()[:50]:
                _log.debug("server %s stderr: %s", self._name, line[:_LOGGED_LINE].decode("utf-8", "replace"))
        self._chunks.append(data[-STDERR_KEPT:])
        self._size += len(self._chunks[-1])
        while self._size - len(self._chunks[0]) >= STDERR_KEPT:
            self._size -= len(self._chunks.popleft())

    def text(self) -> str:
        return b"".join(self._chunks)[-STDERR_KEPT:].decode("utf-8", "replace").strip()


class Pipes:
    """Owns the gateway's ends. ``eof`` ends when the child and all who inherited from it closed stdout."""

    def __init__(self, name: str) -> None:
        self.stderr = StderrTail(name)
        self.eof: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writer = _Writer(self._mute)
        self._transports: list[asyncio.BaseTransport] = []
        self._unsent: list[bytes] = []
        self._written = 0
        """Small messages of this tick."""
        self._calm = True
        """The last tick that had such messages had one."""
        self._pause: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self.write: Write = _not_connected

    async def connect(self, child: Child, on_stdout: Callable[[bytes], None]) -> None:
        """Take over the child's descriptors. From then on they are closed by ``close`` alone."""
        loop = asyncio.get_running_loop()
        ends = ((child.stdin, "wb"), (child.stdout, "rb"), (child.stderr, "rb"))
        files = [os.fdopen(fd, mode, 0) for fd, mode in ends]
        try:
            self._stdin, _ = await loop.connect_write_pipe(lambda: self._writer, files[0])
            self._transports.append(self._stdin)
            for file, on_data, on_end in (
                (files[1], on_stdout, self._ended),
                (files[2], self.stderr.feed, _nothing),
            ):
                reader, _ = await loop.connect_read_pipe(partial(_Reader, on_data, on_end), file)
                self._transports.append(reader)
        except BaseException:
            self.close()
            for file in files[len(self._transports) :]:
                file.close()
            raise
        self._stdin.set_write_buffer_limits(high=HIGH_WATER)
        self._stdout = cast(asyncio.ReadTransport, self._transports[1])
        self._stdout_fd = child.stdout
        self.write = self._write_soon

    @property
    def paused(self) -> bool:
        """More than ``HIGH_WATER`` bytes wait to be read by the child."""
        return self._writer.paused

    def unwritten(self) -> int:
        if not self._transports:
            return 0
        return self._stdin.get_write_buffer_size() + sum(map(len, self._unsent))

    def _write_soon(self, data: bytes, alone: bool = False) -> None:
        """One write(2) for all messages of a tick: the child wakes once and answers them together.

        While each tick has but one there is nothing to put together, and it is written at once. So is one
        that is known to be ``alone``, without a look at the end of the tick.
        """
        if alone or len(data) > _SMALL:
            self._flush()
            self._stdin.write(data)
            return
        first = not self._written
        self._written += 1
        self._unsent.append(data)
        if first:
            self._loop.call_soon(self._tick_over)
            if self._calm:
                self._flush()

    def _tick_over(self) -> None:
        self._calm = self._written == 1
        self._written = 0
        if self._unsent:
            self._flush()

    def _flush(self) -> None:
        data, self._unsent = b"".join(self._unsent), []
        if data and self._transports and not self._writer.lost:
            self._stdin.write(data)

    def enlarge_stdout(self) -> None:
        """For who sends big messages only: the system has one budget for the pipes of a user."""
        enlarge_pipe(self._stdout_fd, _BIG_PIPE)

    def pause_stdout(self, seconds: float) -> None:
        """Let what the child writes wait in the pipe."""
        if len(self._transports) > 1 and self._pause is None:
            self._stdout.pause_reading()
            self._pause = self._loop.call_later(seconds, self._resume_stdout)

    def _resume_stdout(self) -> None:
        self._pause = None
        if self._transports and not self._stdout.is_closing():
            self._stdout.resume_reading()

    def hang_up(self) -> None:
        """Close the child's stdin once everything is written: the polite request to end (MCP, stdio)."""
        if self._transports and not self._writer.lost:
            self._flush()
            self._mute()
            self._stdin.close()

    def close(self) -> None:
        """Close everything; what the child has not read is dropped."""
        self._mute()
        if self._transports and not self._writer.lost:
            self._stdin.abort()
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        for transport in self._transports[1:]:
            transport.close()
        self._transports.clear()
        self._ended()
        # The transports hold us by their protocols, and so do these.
        self._stdin = self._stdout = cast(Any, None)
        self._writer.let_go()

    def _mute(self) -> None:
        self.write = _not_connected

    def _ended(self) -> None:
        if not self.eof.done():
            self.eof.set_result(None)


def _not_connected(data: bytes, alone: bool = False) -> None:
    """Stands for ``write`` while there is no pipe."""


def _nothing() -> None:
    """Nothing depends on the end of stderr."""

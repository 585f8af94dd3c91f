"""Standard input and output as lines, each in a thread of its own.

Threads, because the descriptors may be pipes, sockets, terminals or files, and because making them
non-blocking would change them for every program that shares them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import threading
from collections.abc import AsyncIterator
from queue import SimpleQueue

_READ_BYTES = 256 * 1024
_AHEAD = 64
"""Reads that may wait to be handled before the reader pauses."""


_LOOK_SECONDS = 0.5


class LineTooLong(Exception):
    """Stands for a line that was skipped."""


class LineReader:
    """Lines of a descriptor. ``max_bytes`` bounds one line; a longer one is skipped and reported."""

    def __init__(self, fd: int, max_bytes: int) -> None:
        self._fd = fd
        self._max = max_bytes
        self._loop = asyncio.get_running_loop()
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue()
        self._room = threading.Semaphore(_AHEAD)
        threading.Thread(target=self._read, name="gatekit stdin", daemon=True).start()

    async def lines(self) -> AsyncIterator[bytes | LineTooLong]:
        """Every line without its end, empty ones left out, until the other side closes."""
        held: list[bytes] = []
        size, skipping = 0, False
        while True:
            chunk = await self._chunks.get()
            self._room.release()
            *ended, rest = chunk.split(b"\n") if chunk else [b"", b""]
            for piece in ended:
                line = b"".join((*held, piece))
                held, size = [], 0
                if skipping or len(line) > self._max:
                    skipping = False
                    yield LineTooLong(f"a message may have at most {self._max} bytes")
                elif line.strip():
                    yield line
            if not chunk:
                return
            size += len(rest)
            skipping = skipping or size > self._max
            held = [] if skipping else [*held, rest]

    def _read(self) -> None:
        while True:
            self._room.acquire()
            try:
                chunk = os.read(self._fd, _READ_BYTES)
            except OSError:
                chunk = b""  # closed under us: the same to whoever waits for lines
            try:
                self._loop.call_soon_threadsafe(self._chunks.put_nowait, chunk)
            except RuntimeError:
                return  # the loop has ended
            if not chunk:
                return


class LineWriter:
    """Writes messages as lines. ``closed`` is set when nobody reads them any more."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[tuple[bytes, asyncio.Future[None]]] = SimpleQueue()
        self.closed = asyncio.Event()
        threading.Thread(target=self._write, name="gatekit stdout", daemon=True).start()

    async def write(self, message: bytes) -> None:
        """Return when the message is in the reader's hands, or nobody reads."""
        if self.closed.is_set():
            return
        if b"\n" in message or b"\r" in message:
            # White space between tokens; inside strings JSON has neither.
            message = message.replace(b"\r", b" ").replace(b"\n", b" ")
        written = self._loop.create_future()
        self._queue.put((message, written))
        await written

    async def left(self) -> None:
        """Return when nobody reads any more, also if nothing is written."""
        while not self.closed.is_set():
            poll = select.poll()
            poll.register(self._fd, 0)  # asks for nothing; POLLERR and POLLHUP come unasked
            if poll.poll(0):
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.closed.wait(), _LOOK_SECONDS)

    def _write(self) -> None:
        broken = False
        while True:
            message, written = self._queue.get()
            broken = broken or not self._put(message)
            try:
                self._loop.call_soon_threadsafe(self._written, written, broken)
            except RuntimeError:
                return  # the loop has ended

    def _put(self, message: bytes) -> bool:
        try:
            done = os.writev(self._fd, (message, b"\n"))  # not joined: a message may have many megabytes
            view = memoryview(message)[done:]
            while view:
                view = view[os.write(self._fd, view) :]
            if done <= len(message):
                os.write(self._fd, b"\n")
        except OSError:
            return False
        return True

    def _written(self, written: asyncio.Future[None], broken: bool) -> None:
        if broken:
            self.closed.set()
        if not written.done():
            written.set_result(None)

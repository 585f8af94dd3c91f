"""The recorder: an event becomes a line that is safe before the call is answered.

How one record travels: ``record`` encodes it and puts it into the open batch; the first event of a batch
asks the event loop for a turn; in that turn ``_flush`` chains the batch, appends it with one ``write(2)``
and tells everybody who waits. Calls that end in the same tick share the write, so the price of a record
falls with load. A record that comes by itself, while each tick has but one, has nothing to share, and it is
written at once: a lone caller does not wait for the next turn. With ``durability="disk"`` a worker thread
flushes the file before anybody is told, and what arrives meanwhile becomes the next batch.

When the write fails (full disk, I/O error) the partial line is cut off, everybody who waits gets
``AuditUnavailable``, ``healthy`` is False and each second it is tried again. The first record after that says
how many could not be kept.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import msgspec

from gatekit.audit.chain import GENESIS, seal_all
from gatekit.audit.segments import Segment, Tail, WriterLock, create, recover
from gatekit.errors import AuditUnavailable
from gatekit.model.audit import AuditEvent, TrailEvent
from gatekit.model.ports import Clock, Entropy

log = logging.getLogger(__name__)

_TrailAction = Literal["created", "repaired", "resumed", "reopened"]

MAX_RECORD = 64 * 1024
"""Bytes; beyond that every text in the record is shortened. Names come from strangers."""
_MAX_TEXT = 1024
_ROOM = 256 * 1024
"""Free bytes asked for before writing is resumed, so that a full disk does not flap."""
_RETRY = 1.0
_APART = 0.00015
"""Seconds; what comes so late after the last one came by itself. A shared write saves a tenth of that."""
_LOCK_WAIT = {"gateway": 0.0, "cli": 5.0}


class _Shared(asyncio.Future[None]):
    """One future for everybody in a batch: one waiter that is cancelled must not cancel the others.

    A task that is cancelled while it waits here is cancelled when the batch is done (``Task.cancel`` keeps
    the wish if ``cancel`` of the awaited future says no).
    """

    def cancel(self, msg: Any = None) -> bool:  # noqa: ARG002
        return False


class _Batch:
    """Records that will share one write, and who waits for it."""

    __slots__ = ("bodies", "future")

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.future: _Shared | None = None

    def settle(self, error: BaseException | None) -> None:
        if self.future is not None and not self.future.done():
            if error is None:
                self.future.set_result(None)
            else:
                self.future.set_exception(error)
                self.future.exception()  # seen: a caller that did not wait must not cause a warning


def _ended(error: BaseException | None) -> _Shared:
    """A future that is over before anybody waits for it."""
    batch = _Batch()
    batch.future = _Shared(loop=asyncio.get_running_loop())
    batch.settle(error)
    return batch.future


def _unwritten(error: OSError) -> AuditUnavailable:
    return AuditUnavailable(f"the audit record could not be written: {error.strerror}")


class Recorder:
    """Appends to ``directory`` as ``writer``. All methods are for the event loop's thread; none blocks long.

    Opening takes the writer's lock (``StoreLocked`` if somebody else has it) and repairs a torn end.
    """

    def __init__(
        self,
        directory: Path,
        *,
        writer: str,
        clock: Clock,
        entropy: Entropy,
        durability: Literal["process", "disk"] = "process",
        segment_bytes: int = 64 * 1024 * 1024,
        sync: Callable[[int], None] = os.fdatasync,
    ) -> None:
        """``sync`` flushes a file descriptor to the medium; raises ``OSError``."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
        self._directory = directory
        self._writer = writer
        self._clock = clock
        self._disk = durability == "disk"
        self._segment_bytes = segment_bytes
        self._sync = sync
        self._encode = msgspec.json.Encoder().encode
        self._batch: _Batch | None = None
        self._added = 0
        """Records of this tick that wait for its end."""
        self._calm = True
        """The last tick at whose end records were written had one."""
        self._last = float("-inf")
        """``Clock.monotonic()`` of the latest record."""
        self._safe: _Shared | None = None
        """What whoever waits for a record is given that is safe already."""
        self._syncing: asyncio.Future[None] | None = None
        self._worker = ThreadPoolExecutor(1, "gatekit-audit") if self._disk else None
        self._trouble = ""
        self._lost = 0
        self._closed = False
        self._probe: asyncio.TimerHandle | None = None
        self._lock = WriterLock(directory, writer, _LOCK_WAIT.get(writer, 0.0), clock)
        try:
            self._open(recover(directory, writer), entropy)
        except BaseException:
            self._lock.release()
            raise

    def _open(self, tail: Tail, entropy: Entropy) -> None:
        self._seq, self._prev = tail.seq, tail.hash
        first: list[bytes] = []
        if tail.path is None or tail.size >= self._segment_bytes:
            self._segment = create(self._directory, self._writer, tail.seq + 1)
        else:
            self._segment = Segment(tail.path, tail.size)
        if tail.hash == GENESIS:
            # The identifier tells one trail from another: a trail that was replaced has a different one.
            first.append(self._note("created", entropy.ident("trail_")))
        if tail.torn:
            what = f"{tail.torn} bytes after record {tail.seq} were no whole record; moved to {tail.aside}"
            log.warning("audit trail repaired: %s", what)
            first.append(self._note("repaired", what))
        if first:
            try:
                self._append(first)
            except OSError as error:
                self._stumble(error, 0)

    # -- what others call ------------------------------------------------------------------------------

    @property
    def healthy(self) -> bool:
        """False while records cannot be made safe; calls should then be refused before they are made."""
        return not self._trouble

    @property
    def trouble(self) -> str:
        """What keeps it from recording, for ``/readyz`` and the operator; empty when healthy."""
        return self._trouble

    def record(self, event: AuditEvent) -> asyncio.Future[None]:
        """Append; the future ends when the record is safe, or with ``AuditUnavailable``.

        Records of one tick may share the future. It cannot be cancelled; it need not be awaited.
        """
        now = self._clock.monotonic()
        alone, self._last = now - self._last > _APART, now
        if alone and self._calm and not self._added and not self._disk and self._batch is None:
            return self._at_once(event)
        batch = self._add(event)
        future = batch.future
        if future is None:
            future = batch.future = _Shared(loop=asyncio.get_running_loop())
        if not self._added:
            asyncio.get_running_loop().call_soon(self._tick_over)
        self._added += 1
        return future

    async def write(self, event: AuditEvent) -> None:
        """Append and wait. Raises ``AuditUnavailable``."""
        await self.record(event)

    async def aclose(self) -> None:
        """Write what is waiting, flush it to the medium, let others in. Idempotent."""
        if self._closed:
            return
        while self._batch is not None or self._syncing is not None:
            if self._syncing is not None:
                await asyncio.wait([self._syncing])
                await asyncio.sleep(0)
            else:
                self._flush()
        self._closed = True
        if self._probe is not None:
            self._probe.cancel()
        if self._worker is not None:
            self._worker.shutdown()
        try:
            self._sync(self._segment.fd)
        except OSError as error:
            log.warning("audit trail could not be flushed at the end: %s", error)
        self._segment.close()
        self._lock.release()

    def _at_once(self, event: AuditEvent) -> asyncio.Future[None]:
        """No turn of the loop, batch or future of its own for a record that has nothing to share."""
        body = self._encoded(event)
        try:
            self._append([body])
        except OSError as error:
            self._stumble(error, 1)
            return _ended(_unwritten(error))
        if self._trouble:
            self._resumed()
        loop = asyncio.get_running_loop()
        if self._safe is None or self._safe.get_loop() is not loop:
            self._safe = _ended(None)
        return self._safe

    # -- batching --------------------------------------------------------------------------------------

    def _encoded(self, event: AuditEvent) -> bytes:
        if self._closed:
            raise AuditUnavailable("the audit trail is closed")
        try:
            body = self._encode(event)
        except UnicodeEncodeError:  # lone surrogates: text that is not text must not go unrecorded
            body = self._encode(_plain(event))
        return body if len(body) <= MAX_RECORD else self._encode(_plain(event))

    def _add(self, event: AuditEvent) -> _Batch:
        body = self._encoded(event)
        batch = self._batch
        if batch is None:
            batch = self._batch = _Batch()
        batch.bodies.append(body)
        return batch

    def _tick_over(self) -> None:
        self._calm = self._added == 1
        self._added = 0
        if self._batch is not None:
            self._flush()

    def _flush(self) -> None:
        batch = self._batch
        if batch is None or self._syncing is not None:
            return
        self._batch = None
        loop = asyncio.get_running_loop()
        before = (self._segment, self._segment.size, self._seq, self._prev)
        try:
            self._append(batch.bodies)
        except OSError as error:
            self._stumble(error, len(batch.bodies))
            batch.settle(_unwritten(error))
            return
        if self._worker is None:
            self._resumed()
            batch.settle(None)
            return
        self._syncing = loop.run_in_executor(self._worker, self._sync, self._segment.fd)
        self._syncing.add_done_callback(lambda synced: self._synced(synced, batch, before))

    def _synced(
        self, synced: asyncio.Future[None], batch: _Batch, before: tuple[Segment, int, int, bytes]
    ) -> None:
        self._syncing = None
        error = synced.exception()
        if error is None:
            self._resumed()
            batch.settle(None)
        elif isinstance(error, OSError):
            self._unwrite(before)
            self._stumble(error, len(batch.bodies))
            batch.settle(AuditUnavailable(f"the audit record could not be flushed: {error.strerror}"))
        else:
            batch.settle(error)
        self._flush()

    # -- the file --------------------------------------------------------------------------------------

    def _append(self, bodies: list[bytes]) -> None:
        """Write a batch behind the chain. Raises ``OSError``; then nothing has changed."""
        if self._trouble:
            self._ask_for_room()
            bodies = [self._note("resumed", self._trouble, self._lost), *bodies]
        if self._segment.size >= self._segment_bytes:
            self._next_segment()
        elif not self._segment.is_ours():
            # Somebody removed the file or wrote into it: what we append there might be lost unseen.
            detail = f"{self._segment.path.name} was removed or changed by somebody else"
            log.error("audit trail: %s; a new segment is started", detail)
            self._next_segment()
            bodies = [self._note("reopened", detail), *bodies]
        data, seq, prev = seal_all(bodies, self._writer.encode(), self._seq, self._prev)
        self._segment.append(data)
        self._seq, self._prev = seq, prev

    def _note(self, action: _TrailAction, detail: str, lost: int = 0) -> bytes:
        return self._encode(TrailEvent(at=self._clock.now(), action=action, detail=detail, lost=lost))

    def _next_segment(self) -> None:
        finished = self._segment
        self._segment = create(self._directory, self._writer, self._seq + 1)
        finished.close()

    def _ask_for_room(self) -> None:
        room = os.fstatvfs(self._segment.fd)
        if room.f_bavail * room.f_frsize < _ROOM:
            raise OSError(28, os.strerror(28))  # ENOSPC

    def _unwrite(self, before: tuple[Segment, int, int, bytes]) -> None:
        """The medium refused the batch: nobody was told that it is safe, so it must not be found later."""
        segment, size, self._seq, self._prev = before
        if segment is not self._segment:
            size = 0
        try:
            self._segment.cut(size)
        except OSError:
            return  # it stays marked as dirty and is cut before the next write

    # -- trouble ---------------------------------------------------------------------------------------

    def _stumble(self, error: OSError, lost: int) -> None:
        self._lost += lost
        if not self._trouble:
            self._trouble = error.strerror or str(error)
            log.error("audit trail cannot be written (%s): calls are refused until it can", self._trouble)
        if self._probe is None:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                return  # opened before the loop runs: the next record tries again
            self._probe = loop.call_later(_RETRY, self._try_again)

    def _try_again(self) -> None:
        self._probe = None
        if self._trouble and not self._closed and self._syncing is None:
            if self._batch is None:
                self._batch = _Batch()
            self._flush()

    def _resumed(self) -> None:
        if self._trouble:
            log.warning("audit trail can be written again; %d records were refused meanwhile", self._lost)
            self._trouble, self._lost = "", 0
            if self._probe is not None:
                self._probe.cancel()
                self._probe = None


def _plain(event: AuditEvent) -> dict[str, Any]:
    """The event with every text made encodable and short."""
    return {key: _shorten(value) for key, value in msgspec.to_builtins(event).items()}


def _shorten(value: object) -> object:
    if isinstance(value, str):
        text = value.encode("utf-8", "backslashreplace").decode()
        return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}… ({len(text)} characters)"
    if isinstance(value, list | tuple):
        return [_shorten(item) for item in value[:32]]
    return value

"""The gateway's end of the launcher process (``launcher_main``): orders spawns and kills, restarts it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import logging
import os
import socket
import subprocess
import sys
from collections import deque
from pathlib import Path

import msgspec
from msgspec import Struct

from gatekit.errors import SpawnFailed

_log = logging.getLogger("gatekit.upstream")
_MAIN = Path(__file__).with_name("launcher_main.py")


class Recipe(Struct, frozen=True):
    """What to run: argv (never a shell), the complete environment, and where."""

    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str | None


class Child:
    """A process tree that the launcher runs for one link, and the gateway's ends of its pipes.

    Whoever takes the descriptors closes them. ``exited`` ends with the code of the first process (negative:
    signal), ``gone`` when the last process of the tree is dead.
    """

    def __init__(self, link: str, stdin: int, stdout: int, stderr: int) -> None:
        loop = asyncio.get_running_loop()
        self.link = link
        self.pid = 0
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.spawned: asyncio.Future[None] = loop.create_future()
        self.exited: asyncio.Future[int] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()

    def close_pipes(self) -> None:
        for fd in (self.stdin, self.stdout, self.stderr):
            with contextlib.suppress(OSError):
                os.close(fd)


class _Event(Struct):
    ev: str
    link: str = ""
    pid: int = 0
    stage: str = ""
    errno: int = 0
    code: int = 0


class Launcher:
    """Owns one launcher process at a time; all methods are called from the event loop."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._children: dict[str, Child] = {}
        self._outbox: deque[tuple[bytes, tuple[int, ...]]] = deque()
        self._decode = msgspec.json.Decoder(_Event).decode
        self._closing = False
        self._counter = 0

    @property
    def pid(self) -> int:
        """Pid of the launcher process, 0 before it was started."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start the process unless it runs. Blocks a few milliseconds."""
        if self._socket is not None:
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # Nothing of the gateway's environment: upstreams of the same user can read /proc/<pid>/environ.
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-I", "-S", str(_MAIN), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                env={},
                cwd="/",
            )
        ours.setblocking(False)
        self._socket = ours
        asyncio.get_running_loop().add_reader(ours, self._readable)

    async def spawn(self, recipe: Recipe) -> Child:
        """Start a process tree. Raise ``SpawnFailed`` with the reason that the system gave."""
        if self._closing:
            raise SpawnFailed("the gateway is shutting down")
        self.start()
        child, theirs = self._pipes()
        self._children[child.link] = child
        recipe_fd = _memory_file(msgspec.json.encode(recipe))
        self._send({"op": "spawn", "link": child.link}, (recipe_fd, *theirs))
        try:
            await child.spawned
        except BaseException:
            child.close_pipes()
            self.kill(child, 0.0)
            raise
        return child

    def kill(self, child: Child, grace: float) -> None:
        """SIGTERM to the process group, SIGKILL to the whole tree after ``grace`` seconds; see ``gone``."""
        if not child.gone.done():
            self._send({"op": "kill", "link": child.link, "grace": grace})

    async def close(self, timeout: float = 2.0) -> None:  # noqa: ASYNC109
        """Hang up: the launcher kills whatever still runs and ends. Waits for that, at most ``timeout``."""
        self._closing = True
        process, self._process = self._process, None
        self._disconnect()
        if process is None:
            return
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        handle = os.pidfd_open(process.pid)
        loop.add_reader(handle, _settle, ended)
        try:
            # Not wait_for, which on Python 3.11 may lose a cancellation that comes with the result.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await ended
        finally:
            loop.remove_reader(handle)
            os.close(handle)
            if process.poll() is None:
                _log.error("launcher %d is still busy killing upstream processes", process.pid)
                process.returncode = 0  # it ends by itself; nobody waits for it any more

    def _pipes(self) -> tuple[Child, tuple[int, int, int]]:
        self._counter += 1
        fds: list[int] = []
        try:
            for _ in range(3):
                fds += os.pipe2(os.O_CLOEXEC)
        except OSError as error:
            for fd in fds:
                os.close(fd)
            raise SpawnFailed("the gateway has run out of file descriptors", str(error)) from None
        in_r, in_w, out_r, out_w, err_r, err_w = fds
        return Child(str(self._counter), in_w, out_r, err_r), (in_r, out_w, err_w)

    def _send(self, order: dict[str, object], fds: tuple[int, ...] = ()) -> None:
        self._outbox.append((msgspec.json.encode(order), fds))
        if len(self._outbox) == 1:
            self._flush()

    def _flush(self) -> None:
        channel = self._socket
        while self._outbox and channel is not None:
            packet, fds = self._outbox[0]
            try:
                socket.send_fds(channel, [packet], fds)
            except BlockingIOError:
                asyncio.get_running_loop().add_writer(channel, self._flush)
                return
            except OSError:
                self._lost()
                return
            self._outbox.popleft()
            _close_all(fds)
        if channel is not None:
            asyncio.get_running_loop().remove_writer(channel)

    def _readable(self) -> None:
        while self._socket is not None:
            try:
                packet = self._socket.recv(65536)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if not packet:
                self._lost()
                return
            self._heard(self._decode(packet))

    def _heard(self, event: _Event) -> None:
        child = self._children.get(event.link)
        if child is None:
            return
        if event.ev == "spawned":
            child.pid = event.pid
            _settle(child.spawned)
        elif event.ev == "failed" and not child.spawned.done():
            child.spawned.set_exception(SpawnFailed(*_explain(event.stage, event.errno)))
        elif event.ev == "exited" and not child.exited.done():
            child.exited.set_result(event.code)
        elif event.ev == "gone":
            del self._children[event.link]
            _forget(child, event.code)

    def _lost(self) -> None:
        """The launcher died. So did its children (PDEATHSIG); a new one sweeps up what they started."""
        self._disconnect()
        if not self._closing:
            _log.error("the launcher process died; all upstream processes end with it, starting another")
            if self._process is not None:
                self._process.kill()
                self._process.wait()
            self.start()

    def _disconnect(self) -> None:
        channel, self._socket = self._socket, None
        if channel is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(channel)
            loop.remove_writer(channel)
            channel.close()
        while self._outbox:
            _close_all(self._outbox.popleft()[1])
        children, self._children = list(self._children.values()), {}
        for child in children:
            _forget(child, -9)


def _forget(child: Child, code: int) -> None:
    if not child.spawned.done():
        child.spawned.set_exception(SpawnFailed("the launcher process died"))
    if not child.exited.done():
        child.exited.set_result(code)
    _settle(child.gone)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _close_all(fds: tuple[int, ...]) -> None:
    for fd in fds:
        os.close(fd)


def _memory_file(data: bytes) -> int:
    fd = os.memfd_create("recipe", os.MFD_CLOEXEC)
    os.write(fd, data)
    return fd


def _explain(stage: str, number: int) -> tuple[str, str]:
    """(public, detail): the reason in the operator's words; a path only in the detail."""
    system = os.strerror(number)
    if stage == "cwd":
        return "the working directory cannot be entered", f"working directory: {system}"
    if stage == "fork":
        return "the system cannot start another process", f"fork: {system}"
    if number == errno.ENOENT:
        return "the command was not found", "command not found (or the interpreter its first line names)"
    if number == errno.EACCES:
        return "the command may not be executed", f"command: {system.lower()}"
    return "the command cannot be executed", f"command: {system}"


def enlarge_pipe(fd: int, size: int) -> None:
    """Give a pipe more room, if the system lets us (there is a budget per user)."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, size)

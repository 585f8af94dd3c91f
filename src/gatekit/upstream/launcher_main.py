"""The launcher: a small process of its own that starts upstream processes and never leaves one behind.

Why a process of its own: only a *parent* that outlives the gateway can clean up when the gateway is killed
with SIGKILL, and only a child subreaper keeps hold of descendants that double-fork or call ``setsid``.

It is run by path (``python -I -S launcher_main.py FD``), imports nothing but the standard library and speaks
over one ``SOCK_SEQPACKET`` Unix socket, a JSON object per packet:

====  ===========================================================================================
in    ``{"op": "spawn", "link": id}`` with four descriptors: recipe, child's 0, 1 and 2
in    ``{"op": "kill", "link": id, "grace": seconds}``
out   ``{"ev": "ready", "pid": n}`` once, after orphans of dead launchers were killed
out   ``{"ev": "spawned", "link": id, "pid": n}``
out   ``{"ev": "failed", "link": id, "stage": "cwd" | "exec" | "fork", "errno": n}``
out   ``{"ev": "exited", "link": id, "code": n}`` the first process ended (negative: signal)
out   ``{"ev": "gone", "link": id}`` the last process of its tree ended
====  ===========================================================================================

The recipe is a memory file holding ``{"argv": [...], "env": {...}, "cwd": str | null}``, so its size knows no
packet limit. When the socket closes, the gateway is gone: every descendant is killed, then the launcher ends.

Whose is a process? It belongs to a link if it descends from the link's first process, is in that one's
session, or carries the link's marker ``GATEKIT_LINK`` in its initial environment. A descendant that none of
this fits (it left the session, was orphaned *and* runs with a scrubbed environment) is killed as soon as
every link that could have started it has ended. The marker names this launcher too, by pid namespace, pid
and start time, so that a later launcher recognises what a killed one left (``sweep_dead``).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import select
import signal
import socket
import sys
import time

MARKER = "GATEKIT_LINK"
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36
MAX_PACKET = 65536
CRASH_GRACE = 0.5  # seconds for the rest of a tree whose first process ended by itself
POLL_SECONDS = 0.05
DEAD = (b"Z", b"X")
IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

_prctl = ctypes.CDLL(None, use_errno=True).prctl


class Proc:
    """One line of /proc: what is needed to say whose a process is."""

    __slots__ = ("pid", "ppid", "sid", "start", "state")

    def __init__(self, pid: int, stat: bytes) -> None:
        # The command name may hold blanks and parentheses; everything after the last one is regular.
        fields = stat[stat.rindex(b")") + 2 :].split()
        self.pid = pid
        self.state = fields[0]
        self.ppid = int(fields[1])
        self.sid = int(fields[3])
        self.start = int(fields[19])


def read_proc(pid: int) -> Proc | None:
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            return Proc(pid, file.read(2048))
    except (OSError, ValueError, IndexError):
        return None


def all_procs() -> dict[int, Proc]:
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            proc = read_proc(int(name))
            if proc is not None and proc.state not in DEAD:
                found[proc.pid] = proc
    return found


def marker_of(pid: int) -> str:
    """Value of the marker in the initial environment of a process, or ``""``."""
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:
            environ = file.readall() or b""
    except OSError:
        return ""
    for entry in environ.split(b"\0"):
        if entry.startswith(MARKER.encode() + b"="):
            return entry[len(MARKER) + 1 :].decode("ascii", "replace")
    return ""


def send_signal(proc: Proc, signum: int) -> None:
    """Signal exactly this process: a pidfd plus an equal start time rule out a reused pid."""
    try:
        handle = os.pidfd_open(proc.pid)
    except OSError:
        return
    try:
        now = read_proc(proc.pid)
        if now is not None and now.start == proc.start:
            signal.pidfd_send_signal(handle, signum)
    except OSError:
        pass
    finally:
        os.close(handle)


def descendants(procs: dict[int, Proc], roots: set[int]) -> set[int]:
    """Pids below ``roots`` (which are not included unless they are below each other)."""
    below: dict[int, list[int]] = {}
    for proc in procs.values():
        below.setdefault(proc.ppid, []).append(proc.pid)
    found: set[int] = set()
    queue = list(roots)
    while queue:
        for pid in below.get(queue.pop(), ()):
            if pid not in found:
                found.add(pid)
                queue.append(pid)
    return found


class Life:
    """Identity of one launcher process; the first part of every marker it hands out."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        me = read_proc(self.pid)
        self.namespace = os.readlink("/proc/self/ns/pid").strip("pid:[]")
        self.name = f"{self.namespace}.{self.pid}.{me.start if me else 0}"

    def marker(self, link: str) -> str:
        return f"{self.name}.{link}"

    def left_by_the_dead(self, marker: str) -> bool:
        """Whether the launcher that gave this marker ran in our pid namespace and is no more."""
        parts = marker.split(".")
        if len(parts) != 4 or parts[0] != self.namespace or not (parts[1] + parts[2]).isdigit():
            return False
        owner = read_proc(int(parts[1]))
        return owner is None or owner.state in DEAD or owner.start != int(parts[2])


class Tree:
    """The processes of one link, known by their first one."""

    def __init__(self, link: str, pid: int, marker: str) -> None:
        self.link, self.pid, self.marker = link, pid, marker
        first = read_proc(pid)
        self.start = first.start if first else 0
        self.exited = self.dying = False
        self.deadline = 0.0

    def members(self, procs: dict[int, Proc], known: set[int]) -> set[int]:
        """Pids of the living members; ``known`` are the descendants of the launcher."""
        mine = {pid for pid in known if procs[pid].sid == self.pid or pid == self.pid}
        for pid in known - mine:
            if marker_of(pid) == self.marker:
                mine.add(pid)
        return mine | descendants(procs, mine)


class Launcher:
    """The loop. All calls but ``spawn``'s fork return at once."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        self.life = Life()
        self.trees: dict[str, Tree] = {}
        self.by_pid: dict[int, Tree] = {}
        self.starting: dict[int, Tree] = {}  # read end of the exec pipe -> tree
        self.ended = False
        self.poll = select.poll()
        self.wake_r, wake_w = os.pipe()
        os.set_blocking(self.wake_r, False)
        os.set_blocking(wake_w, False)
        signal.set_wakeup_fd(wake_w, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.poll.register(channel, select.POLLIN)
        self.poll.register(self.wake_r, select.POLLIN)

    def tell(self, **event: object) -> None:
        try:
            self.channel.send(json.dumps(event).encode())
        except OSError:
            self.ended = True

    def hear(self) -> None:
        try:
            packet, fds, _flags, _addr = socket.recv_fds(self.channel, MAX_PACKET, 4)
        except OSError:
            packet, fds = b"", []
        try:
            for fd in fds:
                os.set_inheritable(fd, False)
            if not packet:
                self.ended = True
                return
            order = json.loads(packet)
            if order["op"] == "spawn":
                self.spawn(order["link"], fds)
            elif order["op"] == "kill":
                self.kill(order["link"], float(order["grace"]))
        finally:
            for fd in fds:
                os.close(fd)

    def spawn(self, link: str, fds: list[int]) -> None:
        recipe_fd, *stdio = fds
        size = os.fstat(recipe_fd).st_size
        recipe = json.loads(os.pread(recipe_fd, size, 0))
        marker = self.life.marker(link)
        env = {**recipe["env"], MARKER: marker}
        report_r, report_w = os.pipe2(os.O_CLOEXEC)
        try:
            pid = os.fork()
        except OSError as error:
            os.close(report_r)
            os.close(report_w)
            self.tell(ev="failed", link=link, stage="fork", errno=error.errno)
            self.tell(ev="gone", link=link)
            return
        if pid == 0:
            _become(recipe["argv"], env, recipe["cwd"], stdio, report_w, self.life.pid)
        os.close(report_w)
        tree = Tree(link, pid, marker)
        self.trees[link] = self.by_pid[pid] = self.starting[report_r] = tree
        self.poll.register(report_r, select.POLLIN)

    def started(self, report_r: int) -> None:
        tree = self.starting.pop(report_r)
        report = os.read(report_r, 64).decode()
        self.poll.unregister(report_r)
        os.close(report_r)
        if report:
            stage, number = report.split()
            self.tell(ev="failed", link=tree.link, stage=stage, errno=int(number))
        else:  # exec closed the pipe
            self.tell(ev="spawned", link=tree.link, pid=tree.pid)

    def kill(self, link: str, grace: float) -> None:
        tree = self.trees.get(link)
        if tree is None:
            self.tell(ev="gone", link=link)
            return
        deadline = time.monotonic() + grace
        if tree.dying:
            tree.deadline = min(tree.deadline, deadline)
            return
        tree.dying, tree.deadline = True, deadline
        if grace > 0:
            # setsid made the first process leader of a group that bears its pid.
            with contextlib.suppress(OSError):
                os.killpg(tree.pid, signal.SIGTERM)

    def reap(self) -> None:
        """Collect zombies: first processes of links, and orphans that came to us as subreaper."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            tree = self.by_pid.pop(pid, None)
            if tree is not None:
                self.first_exited(tree, os.waitstatus_to_exitcode(status))

    def first_exited(self, tree: Tree, code: int) -> None:
        for report_r in [fd for fd, started in self.starting.items() if started is tree]:
            self.started(report_r)
        tree.exited = True
        self.tell(ev="exited", link=tree.link, code=code)
        self.kill(tree.link, CRASH_GRACE)

    def press_on(self) -> None:
        """Look after dying trees: report those that are gone, SIGKILL those whose grace is over."""
        dying = [tree for tree in self.trees.values() if tree.dying]
        if not dying:
            return
        procs = all_procs()
        known = descendants(procs, {self.life.pid})
        now = time.monotonic()
        for tree in dying:
            members = tree.members(procs, known)
            if not members and tree.exited:
                del self.trees[tree.link]
                self.tell(ev="gone", link=tree.link)
            elif now >= tree.deadline:
                for pid in members:
                    send_signal(procs[pid], signal.SIGKILL)
        self.kill_strays(procs, known)

    def kill_strays(self, procs: dict[int, Proc], known: set[int]) -> None:
        """Descendants that nothing ties to a link, once no link is left that was there before them."""
        oldest = min((tree.start for tree in self.trees.values()), default=None)
        for pid in known:
            proc = procs[pid]
            if proc.ppid == self.life.pid and (oldest is None or proc.start < oldest):
                for stray in (pid, *descendants(procs, {pid})):
                    send_signal(procs[stray], signal.SIGKILL)

    def kill_everything(self, pause: float = 0.005) -> None:
        """The gateway is gone. As subreaper we are an ancestor of every process it ever started."""
        while True:
            self.reap()
            procs = all_procs()
            known = descendants(procs, {self.life.pid})
            if not known:
                return
            for pid in known:
                send_signal(procs[pid], signal.SIGKILL)
            time.sleep(pause)
            pause = min(pause * 1.5, 1.0)

    def run(self) -> None:
        sweep_dead(self.life)
        self.tell(ev="ready", pid=os.getpid())
        while not self.ended:
            dying = any(tree.dying for tree in self.trees.values())
            for fd, _mask in self.poll.poll(POLL_SECONDS * 1000 if dying else None):
                self.serve(fd)
            self.press_on()
        self.channel.close()
        self.kill_everything()

    def serve(self, fd: int) -> None:
        if fd == self.channel.fileno():
            self.hear()
        elif fd == self.wake_r:
            with contextlib.suppress(BlockingIOError):
                os.read(self.wake_r, 4096)
            self.reap()
        elif fd in self.starting:
            self.started(fd)


def _become(
    argv: list[str], env: dict[str, str], cwd: str | None, stdio: list[int], report: int, parent: int
) -> None:
    """Between fork and exec: turn this process into the upstream. Never returns."""
    stage = "exec"
    try:
        os.setsid()
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above took effect
            os._exit(127)
        if cwd is not None:
            stage = "cwd"
            os.chdir(cwd)
            stage = "exec"
        signal.set_wakeup_fd(-1)
        for signum in (*IGNORED, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD):
            signal.signal(signum, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        # The launcher's own 0, 1 and 2 are open (/dev/null), so none of these numbers is below 3; every
        # other descriptor is closed by exec.
        for target, fd in enumerate(stdio):
            os.dup2(fd, target, inheritable=True)
        os.execvpe(argv[0], argv, env)  # noqa: S606  (argv from the operator's file, never a shell)
    except OSError as error:
        os.write(report, f"{stage} {error.errno or errno.EIO}".encode())
    except (ValueError, TypeError):
        os.write(report, f"{stage} {errno.EINVAL}".encode())
    os._exit(127)


def sweep_dead(life: Life, rounds: int = 50) -> None:
    """Kill what launchers that were themselves killed left behind, and what that starts meanwhile."""
    for _ in range(rounds):
        found = [proc for proc in all_procs().values() if life.left_by_the_dead(marker_of(proc.pid))]
        if not found:
            return
        for proc in found:
            send_signal(proc, signal.SIGKILL)
        time.sleep(0.01)


def main() -> None:
    # A terminal's Ctrl-C or a service manager's SIGTERM is for the gateway, which then drains in order.
    for signum in IGNORED:
        signal.signal(signum, signal.SIG_IGN)
    _prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    launcher = Launcher(channel)
    # Our memory has held every recipe: no upstream of the same user may look into it.
    _prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    launcher.run()


if __name__ == "__main__":
    main()

"""A stdio MCP server with a family: for tests that nothing of a process tree is left behind.

On start it makes the descendants that its arguments name and prints nothing about it; they are found by the
value of the environment variable ``FAMILY``, which all of them inherit.

``child``     a plain child
``stubborn``  a child that ignores SIGTERM
``away``      a child in a session of its own that ignores SIGTERM
``daemon``    double-forked, orphaned, in a session of its own, ignores SIGTERM
``scrubbed``  as ``daemon``, and its environment holds nothing but ``FAMILY``
``breeder``   a child that makes another one each time it is told to end, and keeps on living
``npx``       becomes a shell that starts the server proper as a child of its own, as npx does
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

ECHO = str(Path(__file__).with_name("echo.py"))


def linger() -> None:
    os.close(0)
    os.close(1)
    os.close(2)
    while True:
        signal.pause()


def spawn(kind: str) -> None:
    if kind == "scrubbed":
        double_fork()
        ignore()
        code = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: signal.pause()"
        for fd in (0, 1, 2):
            os.dup2(os.open("/dev/null", os.O_RDWR), fd)
        os.execve(sys.executable, [sys.executable, "-I", "-S", "-c", code], {"FAMILY": os.environ["FAMILY"]})
    if kind == "daemon":
        double_fork()
        ignore()
    elif kind == "away":
        os.setsid()
        ignore()
    elif kind == "stubborn":
        ignore()
    elif kind == "breeder":
        signal.signal(signal.SIGTERM, lambda *_: os.fork())
    linger()


def ignore() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def double_fork() -> None:
    os.setsid()
    if os.fork():
        os._exit(0)


def main() -> None:
    kinds = sys.argv[1:]
    if "npx" in kinds:
        # A shell that does not exec its last command: shell and server are two processes.
        script = f'"{sys.executable}" -I -S "{ECHO}"; exit $?'
        os.execv("/bin/sh", ["sh", "-c", script])
    for kind in kinds:
        if os.fork() == 0:
            spawn(kind)
    os.execv(sys.executable, [sys.executable, "-I", "-S", ECHO])


if __name__ == "__main__":
    main()

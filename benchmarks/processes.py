"""Starting, watching and stopping what is measured; processor time and memory as the kernel counts them."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


class Process:
    """A running program in a process group of its own. Its output goes to a file shown if it fails."""

    def __init__(self, command: Sequence[str | Path], log: Path, env: dict[str, str] | None = None) -> None:
        self.log = log
        self.began = time.perf_counter()
        with log.open("wb") as output:
            self._popen = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=None if env is None else os.environ | env,
            )
        self.pid = self._popen.pid

    def cpu(self) -> float:
        """Seconds of processor time that this one process (not its children) has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def ran_ms(self) -> float:
        """Milliseconds on a processor, of all its threads; ``cpu`` counts in ticks of 10 ms."""
        threads = Path(f"/proc/{self.pid}/task").iterdir()
        return sum(int((one / "schedstat").read_text().split()[0]) for one in threads) / 1e6

    def rss(self) -> int:
        """Resident bytes of this one process."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) * 1024
        raise ProcessLookupError(self.pid)

    def until_open(self, port: int, seconds: float = 30) -> None:
        """Wait until somebody listens; raises with the output if the program ends before that."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._popen.poll() is not None:
                break
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(0.002)
        raise RuntimeError(f"{self.log.name} did not start:\n{self.log.read_text()[-3000:]}")

    def stop(self) -> None:
        if self._popen.poll() is None:
            self._popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, 9)
        self._popen.wait()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])

"""A real nginx in front of a gateway, of a test's own: its port, its folder, its process."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

from gatekit.demo.gateway import free_port
from tests.support.peers import PROXIES

GOOD = """
      proxy_pass http://127.0.0.1:{gateway};
      proxy_http_version 1.1;
      proxy_set_header Host $host:$server_port;
      proxy_set_header Connection "";
"""
"""What somebody writes who has read the documentation."""


class Nginx:
    """Started by ``start``; ``location`` stands inside ``location / {}``, ``server`` beside it."""

    def __init__(
        self, folder: Path, gateway: int, location: str = GOOD, server: str = "", port: int = 0
    ) -> None:
        self.folder = folder
        self.port = port or free_port(0)
        self.url = f"http://127.0.0.1:{self.port}"
        self._gateway = gateway
        self._location = location
        self._server = server
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = PROXIES / "nginx"
        assert program.is_file(), "run scripts/install-proxies"
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "nginx.conf").write_text(self._configuration(), encoding="utf-8")
        with (self.folder / "out.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    str(program),
                    "-p",
                    str(self.folder),
                    "-e",
                    "error.log",
                    "-c",
                    "nginx.conf",
                    "-g",
                    "daemon off;",
                ],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 10
        while True:
            assert self._process.poll() is None, (self.folder / "out.log").read_text(encoding="utf-8")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, "nginx did not begin to listen"
                time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)

    def _configuration(self) -> str:
        fill = {"gateway": str(self._gateway), "port": str(self.port)}
        location, server = self._location, self._server
        for name, value in fill.items():
            location, server = location.replace(f"{{{name}}}", value), server.replace(f"{{{name}}}", value)
        scratch = "\n".join(
            f"  {kind}_temp_path {self.folder / kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        return f"""
worker_processes 1;
pid {self.folder / "nginx.pid"};
error_log {self.folder / "error.log"} warn;
events {{ worker_connections 128; }}
http {{
  access_log off;
{scratch}
  server {{
    listen 127.0.0.1:{self.port};
{server}
    location / {{{location}}}
  }}
}}
"""

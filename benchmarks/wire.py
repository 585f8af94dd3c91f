"""The lean ends of the driver: HTTP/1.1 over one raw socket, and JSON-RPC over a child's pipes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HANDSHAKE, STATELESS = "2025-11-25", "2026-07-28"
ARGUMENTS = {"name": "echo", "arguments": {"text": "hello, gate"}}
INFO = {"name": "bench", "version": "1"}
META = {
    "io.modelcontextprotocol/protocolVersion": STATELESS,
    "io.modelcontextprotocol/clientInfo": INFO,
    "io.modelcontextprotocol/clientCapabilities": {},
}


def message(method: str, params: dict[str, Any], number: int | str | None = 1) -> bytes:
    """A JSON-RPC request, or a notification (``number`` None)."""
    one: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
    if number is not None:
        one["id"] = number
    return json.dumps(one, separators=(",", ":")).encode()


class Head:
    """The head of an answer, looked into only where it is asked: the driver's own work is in every number."""

    __slots__ = ("_text",)

    def __init__(self, text: bytes) -> None:
        self._text = text

    def get(self, name: str) -> str:
        """The value of a header, empty if there is none. ``name``: lower case."""
        text = self._text
        start = text.lower().find(b"\r\n" + name.encode() + b":")
        if start < 0:
            return ""
        start += len(name) + 3
        end = text.find(b"\r\n", start)
        return text[start : len(text) if end < 0 else end].strip().decode("latin-1")

    def __contains__(self, name: str) -> bool:
        return bool(self.get(name))

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if not value:
            raise KeyError(name)
        return value


class Http:
    """One connection. ``post`` returns when the whole answer is there."""

    def __init__(self, port: int, timeout: float = 30) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def request(self, path: str, headers: dict[str, str], body: bytes, method: str = "POST") -> bytes:
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{k}: {v}" for k, v in headers.items())]
        if method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode() + body

    def send(self, request: bytes) -> tuple[int, Head, bytes]:
        """(status, headers, body); the body of an event stream is read to its end."""
        self.socket.sendall(request)
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self.more()
        head, body = Head(data[:end]), data[end + 4 :]
        if head.get("transfer-encoding") == "chunked":
            while not body.endswith(b"0\r\n\r\n"):
                body += self.more()
        else:
            length = int(head.get("content-length") or 0)
            while len(body) < length:
                body += self.more()
        return int(data[9:12]), head, body

    def first_bytes(self, request: bytes) -> bytes:
        """Send, and read only what comes first (for streams that do not end)."""
        self.socket.sendall(request)
        return self.more()

    def more(self) -> bytes:
        """Whatever comes next."""
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the server closed the connection")
        return data

    def close(self) -> None:
        self.socket.close()


class Pipes:
    """A stdio server called directly."""

    def __init__(self, command: Sequence[str | Path]) -> None:
        self._child = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._in, self._out = self._child.stdin.fileno(), self._child.stdout.fileno()
        opening = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": INFO}
        self.call(message("initialize", opening))
        os.write(self._in, message("notifications/initialized", {}, None) + b"\n")
        self.call(message("tools/call", ARGUMENTS))

    def call(self, request: bytes) -> bytes:
        os.write(self._in, request + b"\n")
        data = b""
        while not data.endswith(b"\n"):
            data += os.read(self._out, 1 << 18)
        return data

    def throughput(self, window: int, seconds: float) -> float:
        """Calls a second with ``window`` calls always under way."""
        request = message("tools/call", ARGUMENTS, 7) + b"\n"
        done, missing = 0, window
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            os.write(self._in, request * missing)
            missing = os.read(self._out, 1 << 18).count(b"\n")
            done += missing
        took = time.perf_counter() - began
        missing = window - missing
        while missing > 0:
            missing -= os.read(self._out, 1 << 18).count(b"\n")
        return done / took

    def stop(self) -> None:
        self._child.kill()
        self._child.communicate()

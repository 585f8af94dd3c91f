"""The light child: an echo server over stdio that costs as little as Python allows.

Blocking reads of everything that is there, one write for all the answers: it can answer far more calls a
second than anything in front of it can pass on, so that what is measured is what stands in front.
"""

from __future__ import annotations

import os
from typing import Any

import msgspec


class Params(msgspec.Struct):
    arguments: dict[str, Any] = {}
    protocolVersion: str = ""


class Message(msgspec.Struct):
    method: str = ""
    id: msgspec.Raw = msgspec.Raw(b"")
    params: Params = msgspec.field(default_factory=Params)


decode = msgspec.json.Decoder(Message).decode
encode = msgspec.json.Encoder().encode

TOOL = {
    "name": "echo",
    "description": "Says what it is told.",
    "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
}


def result_of(message: Message) -> bytes | None:
    """The result as JSON, or None for a method that this server does not know."""
    if message.method == "tools/call":
        text = encode(message.params.arguments.get("text", ""))
        return b'{"content":[{"type":"text","text":%b}]}' % text
    if message.method == "initialize":
        opened = {
            "protocolVersion": message.params.protocolVersion,
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "echo-light", "version": "1"},
        }
        return encode(opened)
    if message.method == "tools/list":
        return encode({"tools": [TOOL]})
    return b"{}" if message.method == "ping" else None


def answer(line: bytes) -> bytes:
    message = decode(line)
    if not message.id:
        return b""
    result = result_of(message)
    if result is None:
        return b'{"jsonrpc":"2.0","id":%b,"error":{"code":-32601,"message":"unknown method"}}\n' % message.id
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}\n' % (message.id, result)


def main() -> None:
    rest = b""
    while chunk := os.read(0, 1 << 18):
        *lines, rest = (rest + chunk).split(b"\n")
        out = b"".join([answer(line) for line in lines if line])
        while out:
            out = out[os.write(1, out) :]


if __name__ == "__main__":
    main()

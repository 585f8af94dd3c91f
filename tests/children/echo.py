"""The lightest stdio MCP server that Python allows: what benchmarks measure a gateway against.

It answers in both eras and does as little as it can per call: whole batches are read and written at once, and
``tools/call`` is answered by cutting the text out of the request instead of building objects, as long as the
request has the usual shape. Started with ``-I -S`` it uses about 8 MB.
"""

from __future__ import annotations

import json
import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CALL = re.compile(
    rb'\{"jsonrpc":"2\.0","id":(\d+),"method":"tools/call","params":\{"name":"echo",'
    rb'"arguments":\{"[a-z]+":("(?:[^"\\]|\\.)*")\}(?:,"_meta":\{.*\})?\}\}\Z'
)
_HEAD = b'{"jsonrpc":"2.0","id":'
_INFO = {"name": "echo", "version": "1"}
_TOOL = {
    "name": "echo",
    "description": "Gives the text back.",
    "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
}
_VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
_MODERN = "2026-07-28"
_ENVELOPE = "io.modelcontextprotocol/protocolVersion"


def answer(line: bytes) -> bytes:
    """The response to one line, with its line feed; empty for what needs none."""
    match = _CALL.match(line)
    if match:
        return b'%s%b,"result":{"content":[{"type":"text","text":%b}],"resultType":"complete"}}\n' % (
            _HEAD,
            match[1],
            match[2],
        )
    message = json.loads(line)
    if "id" not in message or "method" not in message:
        return b""
    method, params = message["method"], message.get("params") or {}
    response = {"jsonrpc": "2.0", "id": message["id"]}
    body = result(method, params)
    if body is None:
        response["error"] = {"code": -32601, "message": "Method not found"}
    else:
        if _ENVELOPE in params.get("_meta", {}):
            body = {"resultType": "complete", **body, "_meta": {"io.modelcontextprotocol/serverInfo": _INFO}}
        response["result"] = body
    return json.dumps(response).encode() + b"\n"


def result(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    if method == "initialize":
        asked = params.get("protocolVersion")
        version = asked if asked in _VERSIONS else _VERSIONS[0]
        return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": _INFO}
    if method == "server/discover":
        fresh = {"ttlMs": 60000, "cacheScope": "public"}
        return {"supportedVersions": [_MODERN], "capabilities": {"tools": {}}, **fresh}
    if method == "tools/list":
        fresh = {"ttlMs": 60000, "cacheScope": "public"} if _ENVELOPE in params.get("_meta", {}) else {}
        return {"tools": [_TOOL], **fresh}
    if method == "tools/call" and params.get("name") == "echo":
        text = next(iter(params.get("arguments", {}).values()), "")
        return {"content": [{"type": "text", "text": text}]}
    if method == "ping":
        return {}
    return None


def main() -> None:
    rest = b""
    while True:
        data = os.read(0, 262144)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        out = memoryview(b"".join([answer(line) for line in lines if line]))
        while out:
            out = out[os.write(1, out) :]


if __name__ == "__main__":
    main()

"""The lightest stdio MCP server with a long list: 200 tools of the usual size, in both eras.

The answer is put together once; a request costs a search for its id. Every tenth tool is called ``hidden_…``.
"""

from __future__ import annotations

import json
import os
import re

_ID = re.compile(rb'"id":(\d+)')
_INFO = {"name": "list", "version": "1"}
_ENVELOPE = b"io.modelcontextprotocol/protocolVersion"
COUNT = 200


def tool(number: int) -> dict[str, object]:
    name = f"hidden_{number}" if number % 10 == 0 else f"tool_{number}"
    fields = {
        f"field_{n}": {"type": "string", "description": f"What field {n} of tool {number} is good for."}
        for n in range(3)
    }
    return {
        "name": name,
        "title": f"Tool {number}",
        "description": f"Does what tool number {number} does, and says so in a sentence of the usual length.",
        "inputSchema": {"type": "object", "properties": fields, "required": ["field_0"]},
        "annotations": {"readOnlyHint": True},
    }


_LIST = json.dumps({"tools": [tool(number) for number in range(COUNT)]}).encode()
_FRESH = _LIST[:-1] + b', "resultType": "complete", "ttlMs": 60000, "cacheScope": "public"}'


def other(line: bytes) -> bytes:
    message = json.loads(line)
    method, params = message["method"], message.get("params") or {}
    if method == "initialize":
        body: dict[str, object] = {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": _INFO,
        }
    elif method == "server/discover":
        body = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "resultType": "complete"}
        body |= {"ttlMs": 60000, "cacheScope": "public"}
    else:
        body = {}
    return json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": body}).encode() + b"\n"


def answer(line: bytes) -> bytes:
    found = _ID.search(line)
    if found is None:
        return b""
    if b'"tools/list"' not in line:
        return other(line)
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}\n' % (found[1], _FRESH if _ENVELOPE in line else _LIST)


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

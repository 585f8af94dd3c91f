"""A stdio MCP server whose tool ``big`` answers with ``size`` bytes of text, written in pieces."""

from __future__ import annotations

import json
import os
import sys

PIECE = b"x" * (1 << 20)


def put(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


def answer(request_id: object, result: object) -> None:
    put(json.dumps({"jsonrpc": "2.0", "id": request_id, "result": result}).encode() + b"\n")


def big(request_id: object, size: int) -> None:
    put(
        b'{"jsonrpc":"2.0","id":%b,"result":{"content":[{"type":"text","text":"'
        % json.dumps(request_id).encode()
    )
    while size > 0:
        put(PIECE[:size])
        size -= len(PIECE)
    put(b'"}]}}\n')


def main() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        method, request_id = message.get("method"), message.get("id")
        if method == "initialize":
            version = message["params"]["protocolVersion"]
            info = {"name": "large", "version": "1"}
            answer(
                request_id, {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
            )
        elif method == "tools/call":
            big(request_id, message["params"]["arguments"]["size"])
        elif request_id is not None:
            error = {"code": -32601, "message": "Method not found"}
            put(json.dumps({"jsonrpc": "2.0", "id": request_id, "error": error}).encode() + b"\n")


if __name__ == "__main__":
    main()

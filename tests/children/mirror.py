"""A stdio MCP server of both eras that gives back whatever it is asked: ``{"echo": params}``."""

from __future__ import annotations

import json
import sys
from typing import Any


def answer(message: dict[str, Any]) -> dict[str, Any]:
    params = message.get("params", {})
    if message["method"] == "initialize":
        info = {"name": "mirror", "version": "1"}
        return {"protocolVersion": params["protocolVersion"], "capabilities": {}, "serverInfo": info}
    if message["method"] == "server/discover":
        fresh = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
        return {"supportedVersions": ["2026-07-28"], "capabilities": {}, **fresh}
    return {"echo": params}


def main() -> None:
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if "id" in message and "method" in message:
            text = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": answer(message)})
            sys.stdout.buffer.write(text.encode() + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()

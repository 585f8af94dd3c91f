"""A stateless-era stdio MCP server whose tools give back the params of the request that called them."""

from __future__ import annotations

import json
import sys


def main() -> None:
    while line := sys.stdin.readline():
        message = json.loads(line)
        if "id" not in message:
            continue
        result: dict[str, object] = {"resultType": "complete"}
        if message["method"] == "server/discover":
            result |= {
                "supportedVersions": ["2026-07-28"],
                "capabilities": {},
                "ttlMs": 0,
                "cacheScope": "private",
            }
        else:
            result["content"] = [{"type": "text", "text": json.dumps(message["params"])}]
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)


if __name__ == "__main__":
    main()

"""A light stdio MCP server (handshake revisions) with ``echo`` and ``slow``, so that load is ours."""

from __future__ import annotations

import json
import sys
import time

SCHEMA = {"type": "object", "properties": {"message": {"type": "string"}}}
TOOLS = [{"name": name, "description": name, "inputSchema": SCHEMA} for name in ("echo", "slow")]


def answer(method: str, params: dict[str, object]) -> dict[str, object]:
    if method == "initialize":
        info = {"name": "echo-child", "version": "1"}
        return {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": info}
    if method == "tools/list":
        return {"tools": TOOLS}
    if method == "tools/call":
        arguments = params.get("arguments")
        message = arguments.get("message", "") if isinstance(arguments, dict) else ""
        if params.get("name") == "slow":
            time.sleep(0.2)
        return {"content": [{"type": "text", "text": str(message)}]}
    return {}


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        if "id" not in request or "method" not in request:
            continue
        if request["method"] in {"initialize", "ping", "tools/list", "tools/call"}:
            reply = {"result": answer(request["method"], request.get("params", {}))}
        else:
            reply = {"error": {"code": -32601, "message": "Method not found"}}
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], **reply}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

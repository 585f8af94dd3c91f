"""An MCP server that describes its tool as a file says, anew for each list: for a tool that changes.

Run as a program, ``python sums.py FILE``; the standard library is all that it needs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

DESCRIPTION = "Adds two numbers."
NUMBERS = {name: {"type": "number"} for name in ("a", "b")}


def answer(described: Path, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    """Result of a request; None: it knows no such method."""
    if method == "initialize":
        info = {"name": "sums", "version": "1"}
        return {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": info,
        }
    if method == "tools/list":
        schema = {"type": "object", "properties": NUMBERS, "required": list(NUMBERS)}
        said = described.read_text(encoding="utf-8").strip()
        return {"tools": [{"name": "add", "description": said, "inputSchema": schema}]}
    if method == "tools/call":
        given = params["arguments"]
        return {"content": [{"type": "text", "text": str(given["a"] + given["b"])}]}
    return {} if method == "ping" else None


def main() -> None:
    """One message a line, until the input ends."""
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message:
            continue
        found = answer(Path(sys.argv[1]), message["method"], message.get("params", {}))
        unknown = {"error": {"code": -32601, "message": "no such method"}}
        said = unknown if found is None else {"result": found}
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": message["id"], **said}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

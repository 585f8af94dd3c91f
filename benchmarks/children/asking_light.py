"""A light server that asks once in the middle of each call of ``ask``, and nothing in ``plain``.

usage: asking_light.py handshake|stateless

Like ``echo_light``: blocking reads and little work, so that what stands in front is measured.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

FORM = {
    "message": "Name?",
    "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
}
DONE = {"content": [{"type": "text", "text": "hello, gate"}]}
TOOLS = {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in ("ask", "plain")]}
CACHED = {"resultType": "complete", "ttlMs": 0, "cacheScope": "public"}


def handshake(message: dict[str, Any]) -> dict[str, Any] | None:
    """One message of a client of the older era."""
    method = message.get("method")
    if method is None:
        return {"id": int(message["id"][1:]), "result": DONE}
    if method == "tools/call" and message["params"]["name"] == "plain":
        return {"id": message["id"], "result": DONE}
    if method == "tools/call":
        return {"id": f"q{message['id']}", "method": "elicitation/create", "params": FORM}
    if method == "initialize":
        opened = {"capabilities": {"tools": {}}, "serverInfo": {"name": "asking", "version": "1"}}
        version = message["params"]["protocolVersion"]
        return {"id": message["id"], "result": {"protocolVersion": version, **opened}}
    return listed(message, TOOLS)


def stateless(message: dict[str, Any]) -> dict[str, Any] | None:
    """One message of a client of 2026-07-28."""
    method = message.get("method")
    if method == "tools/call":
        if "inputResponses" in message["params"] or message["params"]["name"] == "plain":
            return {"id": message["id"], "result": {"resultType": "complete", **DONE}}
        asked = {"q": {"method": "elicitation/create", "params": FORM}}
        needs = {"resultType": "input_required", "inputRequests": asked, "requestState": "state"}
        return {"id": message["id"], "result": needs}
    if method == "server/discover":
        found = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
        return {"id": message["id"], "result": {**found, **CACHED}}
    return listed(message, {**TOOLS, **CACHED})


def listed(message: dict[str, Any], tools: dict[str, Any]) -> dict[str, Any] | None:
    if message["method"] == "tools/list":
        return {"id": message["id"], "result": tools}
    error = {"code": -32601, "message": "unknown method"}
    return {"id": message["id"], "error": error} if "id" in message else None


def main() -> None:
    serve = handshake if sys.argv[1] == "handshake" else stateless
    rest = b""
    while chunk := os.read(0, 1 << 18):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            answer = serve(json.loads(line))
            if answer is not None:
                text = json.dumps({"jsonrpc": "2.0", **answer}, separators=(",", ":"))
                os.write(1, text.encode() + b"\n")


if __name__ == "__main__":
    main()

"""A stdio MCP server whose tool ``sleep`` answers after ``seconds``, however many wait at the same time."""

from __future__ import annotations

import json
import sys
import threading

LOCK = threading.Lock()


def answer(request_id: object, result: object) -> None:
    line = json.dumps({"jsonrpc": "2.0", "id": request_id, "result": result})
    with LOCK:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def slept(request_id: object) -> None:
    answer(request_id, {"content": [{"type": "text", "text": "awake"}]})


def main() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        method, request_id = message.get("method"), message.get("id")
        if method == "initialize":
            version = message["params"]["protocolVersion"]
            info = {"name": "sleeper", "version": "1"}
            answer(
                request_id, {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
            )
        elif method == "tools/call":
            seconds = message["params"]["arguments"]["seconds"]
            if seconds:
                threading.Timer(seconds, slept, (request_id,)).start()
            else:
                slept(request_id)


if __name__ == "__main__":
    main()

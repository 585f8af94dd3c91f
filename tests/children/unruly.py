"""A stdio MCP server that misbehaves in the way its argument names; a real process for tests.

Unless the mode says otherwise it is a plain handshake-era server with the tools that ``call`` knows.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable

MODE = sys.argv[1] if len(sys.argv) > 1 else "plain"
VERSION = "2025-11-25"


def send(message: dict[str, object]) -> None:
    put(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")


def put(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


def text(request_id: object, value: str) -> None:
    send({"id": request_id, "result": {"content": [{"type": "text", "text": value}]}})


def big(request_id: object, size: int, id_last: bool = False, more: str = "") -> None:
    """An answer of about ``size`` bytes, its id first (Python SDK) or last (TypeScript SDK)."""
    body = b'"result":{"content":[{"type":"text","text":"' + b"x" * size + b'"}]' + more.encode() + b"}"
    key = b'"id":' + str(request_id).encode()
    head = b'"jsonrpc":"2.0"'
    parts = [body, head, key] if id_last else [head, key, body]
    put(b"{" + b",".join(parts) + b"}\n")


def crash(request_id: object, _: dict[str, object], __: object) -> None:
    print("about to crash", file=sys.stderr, flush=True)
    os._exit(3)


def answer_and_exit(request_id: object, _: dict[str, object], __: object) -> None:
    text(request_id, "last words")
    os._exit(0)


def slow(request_id: object, arguments: dict[str, object], token: object) -> None:
    for step in range(int(str(arguments.get("steps", 3)))):
        time.sleep(0.1)
        send({"method": "notifications/progress", "params": {"progressToken": token, "progress": step + 1}})
    text(request_id, "done")


def stray(request_id: object, _: dict[str, object], __: object) -> None:
    put(b"hello, I am a print statement\n\n[1, 2]\n{broken\n" + b'"just a string"\n\xff\xfe\n')
    text(request_id, "still here")


def broken(request_id: object, _: dict[str, object], __: object) -> None:
    put(b'{"jsonrpc":"2.0","id":%d,"result":{"content":[}\n' % int(str(request_id)))


def stderr(request_id: object, _: dict[str, object], __: object) -> None:
    for _count in range(64):
        os.write(2, b"e" * 16383 + b"\n")
    text(request_id, "flooded")


def collide(request_id: object, _: dict[str, object], __: object) -> None:
    """A request of ours that bears the very id of the call that is being worked on."""
    send({"id": request_id, "method": "roots/list", "params": {}})
    text(request_id, json.dumps(json.loads(sys.stdin.readline())))


def flood(request_id: object, arguments: dict[str, object], __: object) -> None:
    """Notifications as fast as they can be written."""
    line = b'{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"spam"}}\n'
    count = int(str(arguments["count"]))
    for _ in range(0, count, 100):
        put(line * 100)
    text(request_id, "flooded")


def ask_many(request_id: object, arguments: dict[str, object], __: object) -> None:
    """More questions than anybody could answer; says how many were refused at once."""
    count, open_ones = int(str(arguments["count"])), int(str(arguments["open"]))
    for number in range(count):
        send({"id": f"q{number}", "method": "roots/list", "params": {}})
    refusals = [json.loads(sys.stdin.readline()) for _ in range(count - open_ones)]
    text(request_id, str(sum("error" in refusal for refusal in refusals)))


def dribble(request_id: object, _: dict[str, object], __: object) -> None:
    """An answer in halves and single bytes."""
    line = b'{"jsonrpc":"2.0","id":%d,"result":{"content":[{"type":"text","text":"drop by drop"}]}}\n'
    whole = line % int(str(request_id))
    put(whole[:40])
    for byte in whole[40:]:
        time.sleep(0.001)
        put(bytes((byte,)))


TOOLS: dict[str, Callable[[object, dict[str, object], object], None]] = {
    "echo": lambda request_id, arguments, _: text(request_id, str(arguments.get("text", ""))),
    "pid": lambda request_id, _, __: text(request_id, str(os.getpid())),
    "env": lambda request_id, _, __: text(request_id, json.dumps(dict(os.environ))),
    "fds": lambda request_id, _, __: text(request_id, " ".join(sorted(os.listdir("/proc/self/fd")))),
    "cwd": lambda request_id, _, __: text(request_id, os.getcwd()),
    "silent": lambda *_: None,
    "big": lambda request_id, arguments, _: big(
        request_id,
        int(str(arguments["size"])),
        bool(arguments.get("id_last")),
        str(arguments.get("more", "")),
    ),
    "crash": crash,
    "answer_and_exit": answer_and_exit,
    "slow": slow,
    "stray": stray,
    "broken": broken,
    "stderr": stderr,
    "collide": collide,
    "flood": flood,
    "ask_many": ask_many,
    "dribble": dribble,
}


def handle(message: dict[str, object]) -> None:
    request_id, method = message.get("id"), message.get("method")
    params = message.get("params")
    params = params if isinstance(params, dict) else {}
    if request_id is None:
        return
    if method == "initialize":
        asked = params.get("protocolVersion")
        info = {"name": "unruly", "version": "1"}
        send({"id": request_id, "result": {"protocolVersion": asked, "capabilities": {}, "serverInfo": info}})
    elif method == "server/discover" and MODE in OFFERS:
        send({"id": request_id, "result": discovered(OFFERS[MODE])})
    elif method == "server/discover" and MODE == "too_new":
        error = {"code": -32022, "message": "Unsupported", "data": {"supported": ["2099-01-01"]}}
        send({"id": request_id, "error": error})
    elif method == "tools/call":
        token = (params.get("_meta") or {}).get("progressToken")
        TOOLS[params["name"]](request_id, params.get("arguments") or {}, token)
    elif method == "ping":
        send({"id": request_id, "result": {}})
    else:
        send({"id": request_id, "error": {"code": -32601, "message": "Method not found"}})


OFFERS: dict[str, object] = {
    "modern": ["2026-07-28"],
    "modern_only": ["2026-07-28"],
    "modern_settled": ["2026-07-28"],
    "slow_modern": ["2026-07-28"],
    "newer": ["2099-01-01", "2026-07-28"],
    "odd_discover": "2026-07-28",
}


def discovered(versions: object) -> dict[str, object]:
    info = {"io.modelcontextprotocol/serverInfo": {"name": "unruly", "version": "1"}}
    return {
        "resultType": "complete",
        "supportedVersions": versions,
        "capabilities": {"tools": {}},
        "instructions": "be careful",
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": info,
    }


def first(message: dict[str, object]) -> bool:
    """What some modes do with a message before it is handled; False: it is not handled."""
    method = message.get("method")
    if MODE == "rmcp" and method != "initialize" and not STARTED:
        print("expected initialize request", file=sys.stderr, flush=True)
        sys.exit(1)
    if MODE == "silent_on_discover" and method == "server/discover":
        return False
    if MODE == "modern_only" and method == "initialize":
        send({"id": message["id"], "error": {"code": -32601, "message": "Method not found: initialize"}})
        return False
    if MODE == "modern_settled" and ("initialize" in REFUSED or method == "initialize"):
        REFUSED.append("initialize")  # as the official SDK: the first request settles the era of the process
        send({"id": message["id"], "error": {"code": -32022, "message": "Unsupported protocol version"}})
        return False
    if MODE == "future" and method == "initialize":
        result = {"protocolVersion": "2099-01-01", "capabilities": {}, "serverInfo": {}}
        send({"id": message["id"], "result": result})
        return False
    return True


STARTED: list[bool] = []
REFUSED: list[str] = []


def before() -> None:
    """What some modes do instead of serving."""
    if MODE == "crash_at_once":
        print("cannot find my configuration file", file=sys.stderr, flush=True)
        sys.exit(7)
    if MODE == "exit_zero":
        sys.exit(0)
    if MODE == "nonsense":
        put(b"Usage: server [options]\n" * 100)
        sys.exit(2)
    if MODE == "slow_modern":
        time.sleep(0.8)  # as a server that is downloaded at its first start
    if MODE == "hang":
        signal.pause()
    if MODE == "deaf":
        handle(json.loads(sys.stdin.readline()))
        signal.pause()


def main() -> None:
    if MODE == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    before()
    while line := sys.stdin.readline():
        message = json.loads(line)
        if first(message):
            STARTED.append(True)
            handle(message)
    while MODE == "stubborn":
        signal.pause()


if __name__ == "__main__":
    main()

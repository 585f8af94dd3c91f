"""A handshake-era stdio server that does everything a server may do in the middle of a call.

Tools: ``ask`` (elicitation), ``sample`` (sampling), ``roots``, ``progress``, ``log``, ``slow`` (ends when
it is cancelled), ``nap`` (takes some ``seconds``), ``large`` (of some ``size``), ``grow`` (list changed),
``fail`` (a tool error), ``remember`` (state of the process), ``whoami``.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

lock = threading.Lock()
waiting: dict[Any, Any] = {}
cancelled: dict[Any, threading.Event] = {}
state: dict[str, Any] = {"value": "", "asked": 0, "log": "info"}
TOOLS = ["ask", "sample", "roots", "progress", "log", "slow", "grow", "fail", "remember", "whoami", "hidden"]


def send(message: dict[str, Any]) -> None:
    with lock:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def ask(method: str, params: dict[str, Any]) -> Any:
    """A request to the client; its answer."""
    with lock:
        state["asked"] += 1
        number = state["asked"]
    done = threading.Event()
    waiting[number] = done
    send({"id": number, "method": method, "params": params})
    done.wait(20)
    return waiting.pop(number)


def text(value: Any, **more: Any) -> dict[str, Any]:
    return {
        "content": [{"type": "text", "text": value if isinstance(value, str) else json.dumps(value)}],
        **more,
    }


def call(request_id: Any, name: str, arguments: dict[str, Any], meta: dict[str, Any]) -> dict[str, Any]:  # noqa: C901 - a list of cases
    if name == "ask":
        return text(ask("elicitation/create", {"message": "Name?", "requestedSchema": {"type": "object"}}))
    if name == "sample":
        return text(ask("sampling/createMessage", {"messages": [], "maxTokens": 1}))
    if name == "roots":
        return text(ask("roots/list", {}))
    if name == "progress":
        for done in (1, 2, 3):
            token = meta.get("progressToken")
            if token is not None:
                params = {"progressToken": token, "progress": done, "total": 3}
                send({"method": "notifications/progress", "params": params})
        return text("done")
    if name == "log":
        send({"method": "notifications/message", "params": {"level": state["log"], "data": "hello"}})
        return text("logged")
    if name == "slow":
        ended = cancelled.setdefault(request_id, threading.Event())
        state["value"] = "cancelled" if ended.wait(15) else "ran out"
        return text("ended")
    if name == "nap":
        time.sleep(float(arguments.get("seconds", 1)))
        return text("rested")
    if name == "large":
        return text("x" * int(arguments.get("size", 1)))
    if name == "grow":
        send({"method": "notifications/tools/list_changed"})
        return text("grown")
    if name == "fail":
        return text("it failed", isError=True)
    if name == "remember":
        old, state["value"] = state["value"], arguments.get("value", state["value"])
        return text(str(old))
    return text({"pid": os.getpid(), "env": sorted(os.environ)})


def handle(message: dict[str, Any]) -> None:  # noqa: C901 - a list of cases
    method, request_id, params = message.get("method"), message.get("id"), message.get("params", {})
    if method is None:
        done = waiting[request_id]
        waiting[request_id] = message.get("result", message.get("error"))
        done.set()
    elif method == "initialize":
        capabilities = {"tools": {"listChanged": True}, "logging": {}, "prompts": {}, "resources": {}}
        info = {"name": "talker", "version": "1"}
        result = {
            "protocolVersion": params["protocolVersion"],
            "capabilities": capabilities,
            "serverInfo": info,
        }
        send({"id": request_id, "result": {**result, "instructions": "talk"}})
    elif method == "tools/list":
        tools = [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]
        half = len(tools) // 2
        page = {"tools": tools[half:]} if params.get("cursor") else {"tools": tools[:half], "nextCursor": "2"}
        send({"id": request_id, "result": page})
    elif method == "tools/call":

        def run() -> None:
            name, meta = params["name"], params.get("_meta", {})
            send({"id": request_id, "result": call(request_id, name, params.get("arguments", {}), meta)})

        threading.Thread(target=run, daemon=True).start()
    elif method == "notifications/cancelled":
        cancelled.setdefault(params["requestId"], threading.Event()).set()
    elif method == "logging/setLevel":
        state["log"] = params["level"]
        send({"id": request_id, "result": {}})
    elif method == "resources/read":
        uri = params["uri"]
        send({"id": request_id, "result": {"contents": [{"uri": uri, "text": f"text of {uri}"}]}})
    elif method == "resources/list":
        send({"id": request_id, "result": {"resources": [{"uri": "file:///a.txt", "name": "a"}]}})
    elif request_id is not None:
        send({"id": request_id, "error": {"code": -32601, "message": f"Method not found: {method}"}})


for line in sys.stdin:
    handle(json.loads(line))

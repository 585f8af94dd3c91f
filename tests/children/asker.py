"""A handshake-era stdio server that needs input in the middle of its calls.

Tools: ``steps`` (``count`` questions one after the other, progress and a log before each), ``twice`` (two
questions at once), ``mix`` (elicitation, sampling and roots at once), ``visit`` (-32042 until ``visited`` was
called), ``link`` (URL mode), ``crash`` (asks, then dies), ``withdraw`` (asks, takes it back, ends),
``linger`` (asks, then works until it is cancelled), ``tasks`` (asks something that no client knows), ``ran``
(how often each tool was run), ``told`` (the client's capabilities), ``seen`` (with the argument ``early``:
the answer to what was asked right after the handshake). A prompt and a resource ask, too.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import Counter
from typing import Any

lock = threading.Lock()
waiting: dict[Any, tuple[threading.Event, list[Any]]] = {}
state: dict[str, Any] = {"asked": 0, "capabilities": {}, "visited": False, "seen": None, "level": ""}
ran: Counter[str] = Counter()
cancelled: set[Any] = set()
FORM = {"type": "object", "properties": {"name": {"type": "string"}}}


def send(message: dict[str, Any]) -> None:
    with lock:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def put(method: str, params: dict[str, Any]) -> int:
    """Ask without waiting; the question's id."""
    with lock:
        state["asked"] += 1
        number: int = state["asked"]
    waiting[number] = (threading.Event(), [])
    send({"id": number, "method": method, "params": params})
    return number


def answer_to(number: int) -> Any:
    event, kept = waiting[number]
    event.wait(30)
    return kept[0] if kept else None


def form(message: str) -> dict[str, Any]:
    return {"message": message, "requestedSchema": FORM}


def text(value: Any) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": value if isinstance(value, str) else json.dumps(value)}]}


def steps(arguments: dict[str, Any], meta: dict[str, Any]) -> dict[str, Any]:
    answers = []
    for number in range(1, arguments.get("count", 1) + 1):
        token = meta.get("progressToken")
        if token is not None:
            step = {"progressToken": token, "progress": number, "total": 10}
            send({"method": "notifications/progress", "params": step})
        send({"method": "notifications/message", "params": {"level": "info", "data": f"step {number}"}})
        answers.append(answer_to(put("elicitation/create", form(f"question {number}"))))
    return text(answers)


def several(questions: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    numbers = [put(method, params) for method, params in questions]
    return text([answer_to(number) for number in numbers])


def withdraw() -> dict[str, Any]:
    number = put("elicitation/create", form("never mind"))
    threading.Event().wait(0.3)
    send({"method": "notifications/cancelled", "params": {"requestId": number}})
    return text("taken back")


def crash() -> dict[str, Any]:
    put("elicitation/create", form("last words"))
    threading.Timer(0.3, lambda: os._exit(3)).start()
    threading.Event().wait(30)
    return {}


def call(name: str, arguments: dict[str, Any], meta: dict[str, Any]) -> dict[str, Any]:  # noqa: C901 - a list of cases
    ran[name] += 1
    if name == "steps":
        return steps(arguments, meta)
    if name == "twice":
        return several([("elicitation/create", form("one")), ("elicitation/create", form("two"))])
    if name == "mix":
        sampling = ("sampling/createMessage", {"messages": [], "maxTokens": 1})
        return several([("elicitation/create", form("one")), sampling, ("roots/list", {})])
    if name == "link":
        params = {"mode": "url", "url": "https://example.com/x", "message": "go", "elicitationId": "e1"}
        return text(answer_to(put("elicitation/create", params)))
    if name == "tasks":
        return text(answer_to(put("vendor/question", {})))
    if name == "withdraw":
        return withdraw()
    if name == "linger":
        answer_to(put("elicitation/create", form("go on?")))
        threading.Event().wait(20)
        return text("ran out")
    if name == "crash":
        return crash()
    if name == "visited":
        state["visited"] = True
        return text("noted")
    if name == "told":
        return text(state["capabilities"])
    if name == "seen":
        return text(state["seen"])
    if name == "quick":
        return text(os.getpid())
    return text({**ran, "cancelled": len(cancelled)})


def serve(request_id: Any, method: str, params: dict[str, Any]) -> None:
    if method == "tools/call" and params["name"] == "visit" and not state["visited"]:
        ran["visit"] += 1
        visit = {"mode": "url", "elicitationId": "e2", "url": "https://example.com/y", "message": "Sign in"}
        data = {"elicitations": [visit]}
        send({"id": request_id, "error": {"code": -32042, "message": "URL first", "data": data}})
    elif method == "tools/call":
        result = call(params["name"], params.get("arguments", {}), params.get("_meta", {}))
        send({"id": request_id, "result": result})
    elif method == "prompts/get":
        said = answer_to(put("elicitation/create", form("for a prompt")))
        content = {"type": "text", "text": json.dumps(said)}
        send({"id": request_id, "result": {"messages": [{"role": "user", "content": content}]}})
    else:
        said = answer_to(put("elicitation/create", form("for a resource")))
        send({"id": request_id, "result": {"contents": [{"uri": params["uri"], "text": json.dumps(said)}]}})


def ask_at_once() -> None:
    state["seen"] = answer_to(put("roots/list", {}))


def handle(message: dict[str, Any]) -> None:
    method, request_id, params = message.get("method"), message.get("id"), message.get("params", {})
    if method is None:
        event, kept = waiting[request_id]
        kept.append(message.get("result", message.get("error")))
        event.set()
    elif method == "initialize":
        state["capabilities"] = params["capabilities"]
        offered = {"tools": {"listChanged": True}, "prompts": {}, "resources": {}, "logging": {}}
        info = {"name": "asker", "version": "1"}
        version = params["protocolVersion"]
        send(
            {
                "id": request_id,
                "result": {"protocolVersion": version, "capabilities": offered, "serverInfo": info},
            }
        )
    elif method == "notifications/initialized" and "early" in sys.argv:
        threading.Thread(target=ask_at_once, daemon=True).start()
    elif method == "notifications/cancelled":
        cancelled.add(params["requestId"])
    elif method in ("tools/call", "prompts/get", "resources/read"):
        threading.Thread(target=serve, args=(request_id, method, params), daemon=True).start()
    elif method == "logging/setLevel":
        state["level"] = params["level"]
        send({"id": request_id, "result": {}})
    elif method == "tools/list":
        tools = [{"name": "steps", "inputSchema": {"type": "object"}}]
        if "elicitation" in state["capabilities"]:
            tools.append({"name": "twice", "inputSchema": {"type": "object"}})
        send({"id": request_id, "result": {"tools": tools}})
    elif request_id is not None:
        send({"id": request_id, "error": {"code": -32601, "message": f"Method not found: {method}"}})


for line in sys.stdin:
    handle(json.loads(line))

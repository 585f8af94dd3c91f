"""A strict stdio server of 2026-07-28 and nothing older: raw lines, no SDK.

It refuses every request without the envelope and every method of the older era, never writes a request, and
asks for nothing that *this* request's client did not declare (-32021). ``requestState`` must come back byte
for byte, with the same call, under a new id, once.

Tools: ``steps`` (``count`` questions one after the other, progress and a log before each), ``mix``
(elicitation, sampling and roots at once), ``link`` (URL mode), ``busy`` (``count`` rounds without a
question), ``rude`` (asks for ``method`` whatever was declared), ``endless``, ``crash`` (asks, and dies of the
answer), ``told`` (``_meta`` of this request), ``slow`` (until it is cancelled), ``grow`` (tools changed),
``touch`` (``uri`` updated), ``listens`` (filters of the open subscriptions), ``ran``. The prompt ``ask`` and
the resource ``file:///ask`` ask, too. With the argument ``deaf`` it has no subscriptions.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import Counter
from typing import Any

META = "io.modelcontextprotocol/"
VERSION = "2026-07-28"
FORM = {"type": "object", "properties": {"name": {"type": "string"}}}
KINDS = {
    "toolsListChanged": "notifications/tools/list_changed",
    "promptsListChanged": "notifications/prompts/list_changed",
    "resourcesListChanged": "notifications/resources/list_changed",
}
TOOLS = ("steps", "mix", "link", "busy", "rude", "endless", "crash", "told", "slow", "grow", "touch")
NEEDED = {"elicitation/create": "elicitation", "sampling/createMessage": "sampling", "roots/list": "roots"}
DEAF = "deaf" in sys.argv

lock = threading.Lock()
ran: Counter[str] = Counter()
issued: dict[str, tuple[str, Any]] = {}
listens: dict[Any, dict[str, Any]] = {}
stopped: dict[Any, threading.Event] = {}
seen: set[Any] = set()


class Refusal(Exception):
    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message} | ({"data": data} if data is not None else {})


def send(message: dict[str, Any]) -> None:
    with lock:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False) + "\n")
        sys.stdout.flush()


def notify(method: str, params: dict[str, Any]) -> None:
    send({"method": method, "params": params})


def text(value: Any) -> dict[str, Any]:
    said = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return {"resultType": "complete", "content": [{"type": "text", "text": said}]}


def form(message: str) -> dict[str, Any]:
    return {"method": "elicitation/create", "params": {"message": message, "requestedSchema": FORM}}


class Round:
    """One request in front of what was kept in ``requestState``."""

    def __init__(self, request_id: Any, method: str, params: dict[str, Any]) -> None:
        self.id = request_id
        self.meta = params["_meta"]
        self.capabilities = self.meta[META + "clientCapabilities"]
        bare = {k: v for k, v in params.items() if k not in ("_meta", "inputResponses", "requestState")}
        self.digest = json.dumps((method, bare), sort_keys=True)
        self.answers = params.get("inputResponses", {})
        self.kept: Any = None
        state = params.get("requestState")
        if state is not None:
            digest, self.kept = issued.pop(state, ("", None))
            if digest != self.digest:
                raise Refusal(-32602, "requestState is not one of this call")
        elif self.answers:
            raise Refusal(-32602, "inputResponses without requestState")

    def ask(self, kept: Any, **requests: dict[str, Any]) -> dict[str, Any]:
        for request in requests.values():
            self.need(request)
        # Whatever a string may hold: quotes, escapes, an astral character, a line separator, outer blanks.
        state = f' "{len(issued)}\\ é \u2028 🔑 {os.urandom(4).hex()} '
        issued[state] = (self.digest, kept)
        asked: dict[str, Any] = {"resultType": "input_required", "requestState": state}
        return asked | ({"inputRequests": requests} if requests else {})

    def need(self, request: dict[str, Any]) -> None:
        name = NEEDED[request["method"]]
        offered = self.capabilities.get(name)
        wanted: dict[str, Any] = {}
        if request.get("params", {}).get("mode") == "url":
            wanted = {"url": {}}
        if offered is None or any(key not in offered for key in wanted):
            raise Refusal(-32021, f"{name} is needed", {"requiredCapabilities": {name: wanted}})

    def progress(self, done: int) -> None:
        token = self.meta.get("progressToken")
        if token is not None:
            notify("notifications/progress", {"progressToken": token, "progress": done})
        if META + "logLevel" in self.meta:
            notify("notifications/message", {"level": "info", "data": f"step {done}"})


def steps(now: Round, count: int) -> dict[str, Any]:
    kept = now.kept or []
    if now.answers:
        kept = [*kept, now.answers["q"]]
    if len(kept) == count:
        return text(kept)
    now.progress(len(kept) + 1)
    return now.ask(kept, q=form(f"question {len(kept) + 1}"))


def mix(now: Round) -> dict[str, Any]:
    kept = {**(now.kept or {}), **now.answers}
    sampling = {"method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 1}}
    wanted = {"a": form("one"), "b": sampling, "c": {"method": "roots/list"}}
    missing = {key: request for key, request in wanted.items() if key not in kept}
    return now.ask(kept, **missing) if missing else text(kept)


def touch(arguments: dict[str, Any]) -> dict[str, Any]:
    uri = arguments["uri"]
    for listen_id, wanted in list(listens.items()):
        if any(uri == each or uri.startswith(each + "/") for each in wanted.get("resourceSubscriptions", ())):
            meta = {META + "subscriptionId": listen_id}
            notify("notifications/resources/updated", {"uri": uri, "_meta": meta})
    return text("touched")


def change(key: str) -> dict[str, Any]:
    for listen_id, wanted in list(listens.items()):
        if wanted.get(key):
            notify(KINDS[key], {"_meta": {META + "subscriptionId": listen_id}})
    return text("changed")


def slow(now: Round) -> dict[str, Any]:
    ended = stopped.setdefault(now.id, threading.Event())
    ran["cancelled"] += ended.wait(20)
    return text("ended")


def rude(now: Round, arguments: dict[str, Any]) -> dict[str, Any]:
    request = {"method": arguments["method"], "params": arguments.get("params", {})}
    if now.answers:
        return text(now.answers)
    now.capabilities = {"elicitation": {"url": {}}, "sampling": {}, "roots": {}}
    return now.ask(0, q=request)


def call(now: Round, name: str, arguments: dict[str, Any]) -> dict[str, Any]:  # noqa: C901 - a list of cases
    ran[name] += 1
    if name == "steps":
        return steps(now, arguments.get("count", 1))
    if name == "mix":
        return mix(now)
    if name == "link":
        url = {"mode": "url", "url": "https://example.com/x", "message": "go"}
        asked = {"method": "elicitation/create", "params": url}
        return text(now.answers) if now.answers else now.ask(0, q=asked)
    if name == "busy":
        done = (now.kept or 0) + 1
        return text(done) if done > arguments.get("count", 1) else now.ask(done)
    if name == "rude":
        return rude(now, arguments)
    if name == "endless":
        return now.ask(0, q=form("more?"))
    if name == "crash":
        if now.answers:
            os._exit(3)
        return now.ask(0, q=form("last words"))
    if name == "told":
        return text({k.removeprefix(META): v for k, v in now.meta.items()})
    if name == "slow":
        return slow(now)
    if name == "grow":
        return change("toolsListChanged")
    if name == "touch":
        return touch(arguments)
    if name == "listens":
        return text(list(listens.values()))
    if name == "ran":
        return text(ran)
    raise Refusal(-32602, f"Unknown tool: {name}")


def discovered() -> dict[str, Any]:
    offered: dict[str, Any] = {"tools": {}, "prompts": {}, "resources": {}, "logging": {}}
    if not DEAF:
        offered |= {"tools": {"listChanged": True}, "resources": {"subscribe": True, "listChanged": True}}
    return {
        "resultType": "complete",
        "supportedVersions": [VERSION],
        "capabilities": offered,
        "instructions": "ask me",
        "ttlMs": 1000,
        "cacheScope": "public",
        "_meta": {META + "serverInfo": {"name": "modern", "version": "1"}},
    }


def listed(key: str, *items: dict[str, Any]) -> dict[str, Any]:
    return {"resultType": "complete", key: list(items), "ttlMs": 1000, "cacheScope": "public"}


def resources() -> dict[str, Any]:
    return listed("resources", *({"uri": f"file:///{name}", "name": name} for name in ("a", "b", "hidden")))


def answered(request_id: Any, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    if method == "server/discover":
        return discovered()
    if method == "tools/list":
        return listed("tools", *({"name": name, "inputSchema": {"type": "object"}} for name in TOOLS))
    if method == "prompts/list":
        return listed("prompts", {"name": "ask"})
    if method == "resources/list":
        return resources()
    if method == "subscriptions/listen" and not DEAF:
        wanted = params.get("notifications", {})
        listens[request_id] = wanted
        meta = {META + "subscriptionId": request_id}
        notify("notifications/subscriptions/acknowledged", {"notifications": wanted, "_meta": meta})
        return None
    if method in ("tools/call", "prompts/get", "resources/read"):
        now = Round(request_id, method, params)
        if method == "tools/call":
            return call(now, params["name"], params.get("arguments", {}))
        if not now.answers and params.get("name", params.get("uri", "")).endswith("ask"):
            return now.ask(0, q=form(f"for {method}"))
        said = json.dumps(now.answers)
        if method == "prompts/get":
            content = {"type": "text", "text": said}
            return {"resultType": "complete", "messages": [{"role": "user", "content": content}]}
        return listed("contents", {"uri": params["uri"], "text": said})
    raise Refusal(-32601, f"Method not found: {method}")


def check(request_id: Any, params: dict[str, Any]) -> None:
    if request_id is None or request_id in seen:
        raise Refusal(-32600, "an id is used once")
    seen.add(request_id)
    meta = params.get("_meta", {})
    if META + "protocolVersion" not in meta or META + "clientCapabilities" not in meta:
        raise Refusal(-32602, "the envelope is missing")
    if meta[META + "protocolVersion"] != VERSION:
        raise Refusal(-32022, "unsupported", {"supported": [VERSION]})


def serve(request_id: Any, method: str, params: dict[str, Any]) -> None:
    try:
        check(request_id, params)
        result = answered(request_id, method, params)
    except Refusal as refusal:
        send({"id": request_id, "error": refusal.error})
        return
    if result is not None and request_id not in stopped:
        send({"id": request_id, "result": result})


def handle(message: dict[str, Any]) -> None:
    method, request_id, params = message.get("method"), message.get("id"), message.get("params", {})
    if method == "notifications/cancelled":
        listens.pop(params["requestId"], None)
        stopped.setdefault(params["requestId"], threading.Event()).set()
    elif method == "notifications/nothing-less":
        ran["vendor"] += 1
    elif "id" in message and method is not None:
        slowly = params.get("name") == "slow"
        if slowly:
            threading.Thread(target=serve, args=(request_id, method, params), daemon=True).start()
        else:
            serve(request_id, method, params)
    else:
        os._exit(4)  # a response, or a notification that this era has not: this server never asked


for line in sys.stdin:
    handle(json.loads(line))

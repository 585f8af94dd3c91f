"""A handshake-era stdio server whose offers are told on its command line, as one JSON object:

``name``, ``tools``, ``prompts``, ``resources``, ``templates`` (names or whole items), ``page`` (its size),
``instructions``, ``start`` and ``listing`` (seconds to sleep before the answer), ``subscribe``.

Each tool gives back its name, its arguments and the server's, with a link and an embedded resource. ``touch``
announces a change of every subscribed resource, ``grow`` one of the list of tools, ``die`` ends the process.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

OFFER: dict[str, Any] = json.loads(sys.argv[1])
NAME = OFFER["name"]
subscribed: set[str] = set()
level = "none"

KEYS = {
    "tools/list": ("tools", "name"),
    "prompts/list": ("prompts", "name"),
    "resources/list": ("resources", "uri"),
    "resources/templates/list": ("templates", "uriTemplate"),
}
ARRAYS = {"templates": "resourceTemplates"}


def send(**message: Any) -> None:
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def item(kind: str, key: str, entry: Any) -> dict[str, Any]:
    if isinstance(entry, dict):
        return entry
    more: dict[str, Any] = {"inputSchema": {"type": "object"}} if kind == "tools" else {}
    return {key: entry, "name": entry, **more}


def listed(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    kind, key = KEYS[method]
    if kind not in OFFER:
        return None
    time.sleep(OFFER.get("listing", 0))
    start, size = int(params.get("cursor", 0)), OFFER.get("page", 1000)
    if start < 0 or start > len(OFFER[kind]):
        return None
    found = [item(kind, key, entry) for entry in OFFER[kind][start : start + size]]
    more = {"nextCursor": str(start + size)} if start + size < len(OFFER[kind]) else {}
    return {ARRAYS.get(kind, kind): found, **more}


def called(name: str, arguments: Any) -> dict[str, Any]:
    if name == "die":
        os._exit(3)
    if name == "touch":
        for uri in sorted(subscribed):
            send(method="notifications/resources/updated", params={"uri": uri})
    if name == "grow":
        send(method="notifications/tools/list_changed")
    if name == "log":
        send(method="notifications/message", params={"level": "info", "data": level})
    said = json.dumps({"server": NAME, "tool": name, "arguments": arguments, "pid": os.getpid()})
    uri = f"file:///{NAME}/a.txt"
    return {
        "content": [
            {"type": "text", "text": said},
            {"type": "resource_link", "uri": uri, "name": "a"},
            {"type": "resource", "resource": {"uri": uri, "text": "embedded"}},
        ]
    }


def capabilities() -> dict[str, Any]:
    offered: dict[str, Any] = {"logging": {}} if OFFER.get("logging") else {}
    if "tools" in OFFER:
        offered["tools"] = {"listChanged": True}
    if "prompts" in OFFER:
        offered |= {"prompts": {}, "completions": {}}
    if "resources" in OFFER or "templates" in OFFER:
        offered["resources"] = {"subscribe": True} if OFFER.get("subscribe") else {}
    return offered


def answer(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    global level
    if method == "initialize":
        time.sleep(OFFER.get("start", 0))
        said = {"instructions": OFFER["instructions"]} if "instructions" in OFFER else {}
        info = {"name": NAME, "version": "1"}
        version = params["protocolVersion"]
        return {"protocolVersion": version, "capabilities": capabilities(), "serverInfo": info, **said}
    if method in KEYS:
        return listed(method, params)
    if method == "tools/call":
        return called(params["name"], params.get("arguments"))
    if method == "prompts/get":
        link = {"type": "resource_link", "uri": f"file:///{NAME}/a.txt", "name": json.dumps(params)}
        return {"messages": [{"role": "user", "content": link}]}
    if method == "resources/read":
        return {"contents": [{"uri": params["uri"], "text": f"{NAME}: {params['uri']}"}]}
    if method == "resources/subscribe":
        subscribed.add(params["uri"])
        return {}
    if method == "resources/unsubscribe":
        subscribed.discard(params["uri"])
        return {}
    if method == "completion/complete":
        return {"completion": {"values": [NAME, json.dumps(params["ref"])]}}
    if method == "logging/setLevel":
        level = params["level"]
        return {}
    return None


for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked or "method" not in asked:
        continue
    result = answer(asked["method"], asked.get("params", {}))
    if result is None:
        code = -32602 if asked["method"] in KEYS and KEYS[asked["method"]][0] in OFFER else -32601
        send(id=asked["id"], error={"code": code, "message": f"no {asked['method']} like that"})
    else:
        send(id=asked["id"], result=result)

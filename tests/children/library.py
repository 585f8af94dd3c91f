"""A handshake-era stdio server with resources that change.

Tools: ``touch`` (``uri`` updated, if it or what it is part of is subscribed to), ``shout`` (``uri`` updated,
subscribed to or not), ``grow`` (``what``: list changed), ``subscribed`` (URIs, with how often each was
subscribed to), ``crash``, ``vendor`` (a notification that nobody knows). ``file:///missing`` cannot be
subscribed to. With the argument ``plain`` nothing can.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from typing import Any

PLAIN = "plain" in sys.argv
TOOLS = ("touch", "shout", "grow", "subscribed", "crash", "vendor")
subscribed: Counter[str] = Counter()
times: Counter[str] = Counter()


def send(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def call(name: str, arguments: dict[str, Any]) -> str:
    uri = arguments.get("uri", "")
    if name == "shout" or (name == "touch" and any(uri == u or uri.startswith(u + "/") for u in subscribed)):
        send({"method": "notifications/resources/updated", "params": {"uri": uri}})
    elif name == "grow":
        send({"method": f"notifications/{arguments.get('what', 'tools')}/list_changed"})
    elif name == "vendor":
        send({"method": "notifications/vendor/news", "params": {"x": 1}})
    elif name == "crash":
        os._exit(3)
    return json.dumps({"subscribed": sorted(subscribed), "times": times}) if name == "subscribed" else "done"


def answer(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    if method == "initialize":
        changes = {} if PLAIN else {"listChanged": True}
        offered = {"tools": changes, "prompts": {}, "resources": {**changes, "subscribe": not PLAIN}}
        info = {"name": "library", "version": "1"}
        return {"protocolVersion": params["protocolVersion"], "capabilities": offered, "serverInfo": info}
    if method == "tools/list":
        return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]}
    if method == "tools/call":
        text = call(params["name"], params.get("arguments", {}))
        return {"content": [{"type": "text", "text": text}]}
    if method == "resources/subscribe" and not PLAIN and params["uri"] != "file:///missing":
        subscribed[params["uri"]] += 1
        times[params["uri"]] += 1
        return {}
    if method == "resources/unsubscribe" and not PLAIN:
        del subscribed[params["uri"]]
        return {}
    return None


for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message or "method" not in message:
        continue
    result = answer(message["method"], message.get("params", {}))
    error = {"code": -32002, "message": f"cannot: {message['method']}"}
    send({"id": message["id"], **({"result": result} if result is not None else {"error": error})})

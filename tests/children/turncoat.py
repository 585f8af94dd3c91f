"""A handshake-era stdio server that reads what it offers from a file, anew for each list.

``python turncoat.py FILE``: a JSON object of ``tools``, ``prompts`` and ``templates`` (whole items), or
``raw`` (the text of the result of ``tools/list``), or ``broken`` (every list fails). The tool ``turn`` says
that the list of tools has changed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

OFFER = Path(sys.argv[1])
KEYS = {
    "tools/list": ("tools", "tools"),
    "prompts/list": ("prompts", "prompts"),
    "resources/templates/list": ("templates", "resourceTemplates"),
}


def send(text: str) -> None:
    print(text, flush=True)


def answer(method: str, params: dict[str, Any]) -> str | None:
    offer = json.loads(OFFER.read_text(encoding="utf-8"))
    if method == "initialize":
        offered = {"tools": {"listChanged": True}, "prompts": {}, "resources": {}, "completions": {}}
        info = {"name": "turncoat", "version": "1"}
        return json.dumps(
            {"protocolVersion": params["protocolVersion"], "capabilities": offered, "serverInfo": info}
        )
    if method in KEYS:
        if offer.get("broken"):
            return None
        if method == "tools/list" and "raw" in offer:
            return str(offer["raw"])
        kind, key = KEYS[method]
        return json.dumps({key: offer.get(kind, [])})
    if method == "tools/call":
        if params["name"] == "turn":
            send('{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}')
        return json.dumps({"content": [{"type": "text", "text": f"ran {params['name']}"}]})
    if method == "prompts/get":
        return json.dumps({"messages": []})
    return "{}" if method == "ping" else None


for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    ident = json.dumps(message["id"])
    result = answer(message["method"], message.get("params", {}))
    fault = '"error":{"code":-32000,"message":"broken"}'
    said = fault if result is None else f'"result":{result}'
    send(f'{{"jsonrpc":"2.0","id":{ident},{said}}}')

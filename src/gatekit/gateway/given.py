"""Between the gateway's nouns and those that plugins see: a request, and how it ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec import Raw
from msgspec.structs import replace

from gatekit.errors import Blocked
from gatekit.gateway.outcomes import fault_of
from gatekit.gateway.router import Route, Target
from gatekit.model.call import Call, Fault, Large, Outcome, Pieces, Result
from gatekit.plugin import Answered as Seen
from gatekit.plugin import Asked, Block

_WITH_ARGUMENTS = frozenset({"tools/call", "prompts/get"})
_KNOWN = ("_meta", "arguments", "name")
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""Methods whose name a plugin may replace, and where it stands."""


Tool = Callable[[str], Mapping[str, Any] | Awaitable[Mapping[str, Any] | None] | None]


def asked_of(call: Call, target: Route, tool: Tool | None) -> Asked:
    params = target.params if isinstance(target, Target) else call.params
    name = target.name if isinstance(target, Target) else ""
    meta = params.get("_meta")
    meta = meta if isinstance(meta, dict) else {}
    if call.method not in _WITH_ARGUMENTS:
        rest = {key: value for key, value in params.items() if key != "_meta"} if meta else params
        return Asked(method=call.method, name=name, arguments=rest, meta=meta)
    arguments = params.get("arguments")
    known = ("_meta" in params) + ("arguments" in params) + ("name" in params)
    extra = {k: v for k, v in params.items() if k not in _KNOWN} if len(params) > known else {}
    return Asked(
        method=call.method,
        name=name,
        arguments=arguments if isinstance(arguments, dict) else {},
        meta=meta,
        extra=extra,
        tool=tool,
    )


def remade(call: Call, target: Route, asked: Asked) -> tuple[Call, Route]:
    """What a plugin has made of a request. Always a new object: the old one was judged as it is."""
    params = target.params if isinstance(target, Target) else call.params
    if call.method in _WITH_ARGUMENTS:
        new = {**params, "arguments": dict(asked.arguments)}
    else:
        new = dict(asked.arguments)
        if "_meta" in params:
            new["_meta"] = params["_meta"]
    if not isinstance(target, Target):
        return replace(call, params=new), target
    if asked.name != target.name:
        key = _NAMED.get(call.method)
        if key is not None:
            new[key] = asked.name
            return call, replace(target, name=asked.name, params=new)
    return call, replace(target, params=new)


def seen_of(asked: Asked, outcome: Outcome) -> Seen:
    if isinstance(outcome, Fault):
        error: dict[str, Any] = {"code": outcome.code, "message": outcome.message}
        if outcome.data is not None:
            error["data"] = outcome.data
        return Seen(asked.method, asked.name, error, kind="error")
    body = outcome.body
    if isinstance(body, Large):
        return Seen(asked.method, asked.name, raw=body.pieces)
    if isinstance(body, Raw):
        return Seen(asked.method, asked.name, raw=Pieces((bytes(memoryview(body)),)))
    return Seen(asked.method, asked.name, body)


def outcome_of(before: Outcome, back: Seen) -> Outcome:
    if isinstance(before, Fault):
        body = back.body
        return Fault(before.code, str(body.get("message", "")), body.get("data"), before.status)
    if back.decoded or not isinstance(before, Result):
        return Result(dict(back.body))
    if isinstance(before.body, Large):
        return Result(replace(before.body, pieces=back.pieces))
    return Result(Raw(bytes(back.pieces)))


def fault_of_block(block: Block) -> Fault:
    return fault_of(Blocked(block.public, block.reason))

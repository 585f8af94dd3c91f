"""The handshake dialect: 2024-11-05 to 2025-11-25, opened by ``initialize``.

What a newer server says is brought down to what the client's revision knows. Nothing is lost silently where
it can be said in older words: a link or a sound becomes a text that tells of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from gatekit.errors import InvalidParams, InvalidRequestFault
from gatekit.model.call import ClientSide, EraName
from gatekit.protocol.headers import VERSION, Headers
from gatekit.protocol.jsonrpc import Request
from gatekit.protocol.methods import ASSUMED_VERSION, HANDSHAKE_VERSIONS, LATEST_HANDSHAKE, at_least, spec

_AUDIO: Final = "2025-03-26"
"""First revision with audio content, tool annotations and progress messages."""
_STRUCTURED: Final = "2025-06-18"
"""First revision with structured content, output schemas, resource links, titles."""
_ICONS: Final = "2025-11-25"
"""First revision with icons, and with URL-mode elicitation."""

_STATELESS_KEYS: Final = frozenset(("resultType", "ttlMs", "cacheScope"))
_SERVER_INFO: Final = "io.modelcontextprotocol/serverInfo"


# -- opening -----------------------------------------------------------------------------------------------


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """What a client says in ``initialize``."""

    requested: str
    version: str
    """The revision that the session will speak."""
    capabilities: dict[str, Any]
    info: dict[str, Any]


def negotiate(requested: str) -> str:
    """The revision to answer ``initialize`` with: the requested one, or our latest of this era.

    Also for a revision that has no handshake any more: who sends ``initialize`` can speak an older one.
    """
    return requested if requested in HANDSHAKE_VERSIONS else LATEST_HANDSHAKE


def read_initialize(message: Request) -> Opening:
    """Read ``initialize``. Raises InvalidParams with the request's id."""
    params = message.params
    requested, capabilities, info = (
        params.get("protocolVersion"),
        params.get("capabilities", {}),
        params.get("clientInfo", {}),
    )
    if not isinstance(requested, str):
        raise _invalid(message, "protocolVersion must be a string")
    if not isinstance(capabilities, dict) or not isinstance(info, dict):
        raise _invalid(message, "capabilities and clientInfo must be objects")
    return Opening(requested=requested, version=negotiate(requested), capabilities=capabilities, info=info)


def _invalid(message: Request, why: str) -> InvalidParams:
    fault = InvalidParams(f"Invalid params: {why}")
    fault.request_id = message.id
    return fault


def initialize_result(
    version: str,
    server_info: Mapping[str, Any],
    capabilities: Mapping[str, Any],
    instructions: str | None,
) -> dict[str, Any]:
    """The answer to ``initialize`` in the negotiated revision."""
    info = dict(server_info)
    # Both are required of an Implementation; a server that left one out must not cost the client its session.
    info.setdefault("name", "gatekit")
    info.setdefault("version", "0")
    if not at_least(version, _ICONS):
        for key in ("icons", "description", "websiteUrl"):
            info.pop(key, None)
    if not at_least(version, _STRUCTURED):
        info.pop("title", None)
    offered = {key: value for key, value in capabilities.items() if key != "extensions"}
    if not at_least(version, _AUDIO):
        offered.pop("completions", None)
    if not at_least(version, _ICONS):
        offered.pop("tasks", None)
    body: dict[str, Any] = {"protocolVersion": version, "capabilities": offered, "serverInfo": info}
    if instructions:
        body["instructions"] = instructions
    return body


def read(
    message: Request, session_version: str, *, capabilities: dict[str, Any], info: dict[str, Any]
) -> tuple[ClientSide, dict[str, Any]]:
    """The client's side and the params of a request inside a session; the params are passed as they are."""
    client = ClientSide(era="handshake", version=session_version, capabilities=capabilities, info=info)
    return client, message.params


def check_version(headers: Headers, session_version: str | None) -> str:
    """The revision of a request after ``initialize``: by header, else by session, else 2025-03-26.

    Raises InvalidRequestFault (HTTP 400) for an unknown revision (MCP 2025-06-18, Protocol Version Header).
    A known one that is not the session's is tolerated: clients exist that send their latest.
    """
    values = headers.get(VERSION) or ()
    for value in values:
        if value.strip(b" \t").decode("latin-1") not in HANDSHAKE_VERSIONS:
            raise InvalidRequestFault("Bad Request: unsupported MCP-Protocol-Version")
    if session_version is not None:
        return session_version
    return values[0].strip(b" \t").decode("latin-1") if values else ASSUMED_VERSION


# -- results -----------------------------------------------------------------------------------------------


def needs_rewrite(
    method: str, client_era: EraName, client_version: str, upstream_era: EraName, upstream_version: str
) -> bool:
    """Whether a result has to be built into an object to fit the client; if not, its bytes may pass.

    True too often costs time, False too often breaks clients: only known equal or harmless cases are False.
    """
    if client_era != upstream_era:
        return True
    if client_era == "stateless":
        # The scope must become private, and a cursor or list is of the same shape.
        return spec(method).cacheable
    if client_version == upstream_version or at_least(client_version, upstream_version):
        return False
    return method in _DOWNLEVEL


def result(method: str, body: Mapping[str, Any], version: str) -> dict[str, Any]:
    """A result as a client of ``version`` knows it; ``body`` is not changed and may be of either era."""
    shaped = {key: value for key, value in body.items() if key not in _STATELESS_KEYS}
    meta = shaped.get("_meta")
    if isinstance(meta, dict) and _SERVER_INFO in meta:
        meta = {key: value for key, value in meta.items() if key != _SERVER_INFO}
        shaped["_meta"] = meta
        if not meta:
            del shaped["_meta"]
    lower = _DOWNLEVEL.get(method)
    return shaped if lower is None else lower(shaped, version)


Shape = dict[str, Any]


def _call_result(body: Shape, version: str) -> Shape:
    content = body.get("content")
    blocks = [_block(item, version) for item in content] if isinstance(content, list) else []
    body["content"] = blocks
    if "structuredContent" not in body:
        return body
    structured = body["structuredContent"]
    if at_least(version, _STRUCTURED) and isinstance(structured, dict):
        return body
    # Any JSON is structured content since 2026-07-28, an object since 2025-06-18, and nothing before.
    del body["structuredContent"]
    if not blocks:
        blocks.append({"type": "text", "text": msgspec.json.encode(structured).decode()})
    return body


def _block(item: Any, version: str) -> Any:
    if not isinstance(item, dict):
        return item
    kind = item.get("type")
    if kind == "audio" and not at_least(version, _AUDIO):
        return _text(f"[audio, {item.get('mimeType', 'unknown type')}: not shown by this client]", item)
    if kind == "resource_link":
        if not at_least(version, _STRUCTURED):
            name = item.get("title") or item.get("name") or "resource"
            return _text(f"[{name}]({item.get('uri', '')})", item)
        return _described(item, version)
    return item


def _text(text: str, origin: Shape) -> Shape:
    block: Shape = {"type": "text", "text": text}
    if isinstance(origin.get("annotations"), dict):
        block["annotations"] = origin["annotations"]
    return block


def _prompt_result(body: Shape, version: str) -> Shape:
    messages = body.get("messages")
    if isinstance(messages, list):
        body["messages"] = [
            {**item, "content": _block(item.get("content"), version)} if isinstance(item, dict) else item
            for item in messages
        ]
    return body


def _described(item: Any, version: str) -> Any:
    """Anything with a name and a description, without what its reader's revision lacks."""
    if not isinstance(item, dict):
        return item
    drop = set()
    if not at_least(version, _ICONS):
        drop.add("icons")
    if not at_least(version, _STRUCTURED):
        drop |= {"title", "_meta"}
    return {key: value for key, value in item.items() if key not in drop} if drop & item.keys() else item


def _tool(item: Any, version: str) -> Any:
    if not isinstance(item, dict):
        return item
    tool = dict(_described(item, version))
    schema = tool.get("inputSchema")
    if not isinstance(schema, dict):
        tool["inputSchema"] = {"type": "object"}
    elif schema.get("type") != "object":
        # One tool without it makes strict clients of this era refuse the whole list.
        tool["inputSchema"] = {**schema, "type": "object"}
    output = tool.get("outputSchema")
    if not at_least(version, _STRUCTURED) or not (
        isinstance(output, dict) and output.get("type") == "object"
    ):
        tool.pop("outputSchema", None)
    if not at_least(version, _AUDIO):
        tool.pop("annotations", None)
    if not at_least(version, _ICONS):
        tool.pop("execution", None)
    return tool


def _prompt(item: Any, version: str) -> Any:
    item = _described(item, version)
    if isinstance(item, dict) and isinstance(item.get("arguments"), list):
        return {**item, "arguments": [_described(argument, version) for argument in item["arguments"]]}
    return item


def _listing(key: str, change: Callable[[Any, str], Any]) -> Callable[[Shape, str], Shape]:
    def lower(body: Shape, version: str) -> Shape:
        items = body.get(key)
        if isinstance(items, list):
            body[key] = [change(item, version) for item in items]
        return body

    return lower


_DOWNLEVEL: Final[Mapping[str, Callable[[Shape, str], Shape]]] = {
    "tools/call": _call_result,
    "tools/list": _listing("tools", _tool),
    "prompts/get": _prompt_result,
    "prompts/list": _listing("prompts", _prompt),
    "resources/list": _listing("resources", _described),
    "resources/templates/list": _listing("resourceTemplates", _described),
}


# -- errors ------------------------------------------------------------------------------------------------

_RESOURCE_NOT_FOUND: Final = -32002
_URL_ELICITATION: Final = -32042
_STATELESS_CODES: Final = range(-32041, -32019)
"""-32041 … -32020: given their meaning by 2026-07-28; no code of this era."""


def fault(
    method: str, code: int, message: str, data: Any = None, version: str = LATEST_HANDSHAKE
) -> tuple[int, str, Any]:
    """An error of either era as a client of this one knows it: code, message, data."""
    if method == "resources/read" and code == -32602 and _says_missing(message, data):
        return _RESOURCE_NOT_FOUND, message, data
    if code in _STATELESS_CODES:
        return -32603, message, None
    if code == _URL_ELICITATION and not at_least(version, _ICONS):
        return -32603, message, None
    return code, message, data


def _says_missing(message: str, data: Any) -> bool:
    """Whether invalid params means an absent resource: newer servers send its ``uri``, others say so."""
    text = message.lower()
    return (isinstance(data, dict) and "uri" in data) or "not found" in text or "unknown resource" in text

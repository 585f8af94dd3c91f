"""The handshake dialect: 2024-11-05 to 2025-11-25, opened by ``initialize``.

What a newer server says is brought down to what the client's revision knows. Nothing is lost silently where
it can be said in older words: a link or a sound becomes a text that tells of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gatekit.errors import InvalidParams, InvalidRequestFault
from gatekit.model.call import ClientSide, EraName
from gatekit.protocol.era import lowering
from gatekit.protocol.headers import VERSION, Headers
from gatekit.protocol.jsonrpc import Request
from gatekit.protocol.methods import (
    ASSUMED_VERSION,
    HANDSHAKE_VERSIONS,
    LATEST_HANDSHAKE,
    METHODS,
    TASKS_EXTENSION,
    at_least,
    spec,
)

_URL_MODE: Final = LATEST_HANDSHAKE
"""First revision with URL-mode elicitation."""

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
    body: dict[str, Any] = {
        "protocolVersion": version,
        "capabilities": lowering.trimmed(_offered(capabilities), "capabilities", version),
        "serverInfo": lowering.trimmed(info, "implementation", version),
    }
    if instructions:
        body["instructions"] = instructions
    return body


def _offered(capabilities: Mapping[str, Any]) -> dict[str, Any]:
    """Capabilities without the one extension that means another thing in this era: tasks are core here."""
    offered = dict(capabilities)
    extensions = offered.get("extensions")
    if isinstance(extensions, dict) and TASKS_EXTENSION in extensions:
        offered["extensions"] = {key: value for key, value in extensions.items() if key != TASKS_EXTENSION}
        if not offered["extensions"]:
            del offered["extensions"]
    return offered


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
    return lowering.has_rules(method)


def result(method: str, body: Mapping[str, Any], version: str) -> dict[str, Any]:
    """A result as a client of ``version`` knows it; ``body`` is not changed and may be of either era."""
    shaped = {key: value for key, value in body.items() if key not in _STATELESS_KEYS}
    meta = shaped.get("_meta")
    if isinstance(meta, dict) and _SERVER_INFO in meta:
        meta = {key: value for key, value in meta.items() if key != _SERVER_INFO}
        shaped["_meta"] = meta
        if not meta:
            del shaped["_meta"]
    return lowering.lowered(method, shaped, version)


def notice(method: str, params: dict[str, Any], version: str) -> dict[str, Any] | None:
    """A notification's params as a client of ``version`` knows them; None if it has no such notification."""
    row = METHODS.get(method)
    if row is not None and not row.known_in(version):
        return None
    return lowering.trimmed(params, "progress", version) if method == "notifications/progress" else params


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
    if code == _URL_ELICITATION and not at_least(version, _URL_MODE):
        return -32603, message, None
    return code, message, data


def _says_missing(message: str, data: Any) -> bool:
    """Whether invalid params means an absent resource: newer servers send its ``uri``, others say so."""
    text = message.lower()
    return (isinstance(data, dict) and "uri" in data) or "not found" in text or "unknown resource" in text

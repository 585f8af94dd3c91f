"""The stateless dialect: 2026-07-28 and later. Every request says for itself who speaks which revision.

Towards clients: ``read`` (the ladder of refusals), ``result``, ``fault``, ``discover_result``. Towards
upstreams: ``request_meta``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gatekit.errors import InvalidParams, MethodNotFound, ProtocolFault, UnsupportedVersion
from gatekit.model.call import ClientSide
from gatekit.protocol.era.detect import META_PREFIX, META_VERSION
from gatekit.protocol.headers import VERSION, Headers, check_mirrored, single
from gatekit.protocol.jsonrpc import Notification, Request
from gatekit.protocol.methods import METHODS, STATELESS_VERSIONS, spec

META_CAPABILITIES: Final = META_PREFIX + "clientCapabilities"
META_CLIENT_INFO: Final = META_PREFIX + "clientInfo"
META_LOG_LEVEL: Final = META_PREFIX + "logLevel"
META_SERVER_INFO: Final = META_PREFIX + "serverInfo"
META_SUBSCRIPTION: Final = META_PREFIX + "subscriptionId"

_ENVELOPE: Final = frozenset((META_VERSION, META_CAPABILITIES, META_CLIENT_INFO, META_LOG_LEVEL))

_encode = msgspec.json.Encoder().encode

_OF_TASKS: Final = frozenset(name for name in METHODS if name.startswith("tasks/"))
"""There ``ttlMs`` says how long the task is kept (SEP-2663)."""

LOG_LEVELS: Final = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")


# -- requests ----------------------------------------------------------------------------------------------


def read(message: Request, headers: Headers | None) -> tuple[ClientSide, dict[str, Any]]:
    """Check a request and separate its envelope from its params.

    The params come back without the envelope's ``_meta`` keys; progressToken, trace and vendor keys stay.
    ``headers`` None leaves out their comparison (transports that have none).

    The first rung that fails decides: envelope (InvalidParams), mirrored headers (HeaderMismatch), revision
    (UnsupportedVersion), method of another era (MethodNotFound, HTTP 404). All carry the request's id.
    """
    try:
        return _read(message, headers)
    except ProtocolFault as fault:
        fault.request_id = message.id
        raise


def _read(message: Request, headers: Headers | None) -> tuple[ClientSide, dict[str, Any]]:
    params = message.params
    meta = params.get("_meta")
    if not isinstance(meta, dict):
        raise InvalidParams("Invalid params: _meta must carry the protocol version and client capabilities")
    for key in (META_VERSION, META_CAPABILITIES):
        if key not in meta:
            raise InvalidParams(f"Invalid params: _meta lacks {key}")
    version = meta[META_VERSION]
    if headers is not None:
        check_mirrored(headers, message.method, params, version)
    if not isinstance(version, str):
        raise InvalidParams(f"Invalid params: {META_VERSION} must be a string")
    check_version(version)
    client = _client(version, meta)
    row = spec(message.method)
    if row.known and ("stateless" not in row.eras or row.direction == "server" or row.notification):
        raise MethodNotFound(f"Method not found: {message.method}")
    return client, _without_envelope(params, meta)


def _without_envelope(params: Mapping[str, Any], meta: Mapping[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in meta.items() if key not in _ENVELOPE}
    inner = {key: value for key, value in params.items() if key != "_meta"}
    if rest:
        inner["_meta"] = rest
    return inner


def _client(version: str, meta: dict[str, Any]) -> ClientSide:
    capabilities = meta[META_CAPABILITIES]
    if not isinstance(capabilities, dict):
        raise InvalidParams(f"Invalid params: {META_CAPABILITIES} must be an object")
    info = meta.get(META_CLIENT_INFO)
    level = meta.get(META_LOG_LEVEL)
    if level is not None and level not in LOG_LEVELS:
        raise InvalidParams(f"Invalid params: {META_LOG_LEVEL} is not a log level")
    return ClientSide(
        era="stateless",
        version=version,
        capabilities=capabilities,
        # Self-asserted and optional: a server MUST NOT require it, so nonsense counts as absent.
        info=info if isinstance(info, dict) else {},
        log_level=level,
    )


def read_notification(message: Notification, headers: Headers | None) -> tuple[ClientSide, dict[str, Any]]:
    """Check a notification and separate its envelope, of which it may have any part, from its params.

    The core defines none that a client sends over HTTP, so there is little to check; the revision in header
    and body must be one we speak. Raises UnsupportedVersion or HeaderMismatch.
    """
    meta = message.params.get("_meta")
    version = meta.get(META_VERSION) if isinstance(meta, dict) else None
    sent = single(headers, VERSION) if headers is not None else None
    if isinstance(version, str) and headers is not None:
        check_mirrored(headers, message.method, message.params, version)
    spoken = version if isinstance(version, str) else (sent or b"").decode("latin-1")
    check_version(spoken)
    known = meta if isinstance(meta, dict) else {}
    capabilities, info = known.get(META_CAPABILITIES), known.get(META_CLIENT_INFO)
    client = ClientSide(
        era="stateless",
        version=spoken,
        capabilities=capabilities if isinstance(capabilities, dict) else {},
        info=info if isinstance(info, dict) else {},
    )
    return client, _without_envelope(message.params, known)


def check_version(requested: str) -> None:
    """Raises UnsupportedVersion, whose data names what a client may ask for instead."""
    if requested not in STATELESS_VERSIONS:
        # Handshake revisions are not listed: a client cannot use them with this envelope.
        raise UnsupportedVersion(
            "Unsupported protocol version",
            data={"supported": list(STATELESS_VERSIONS), "requested": requested},
        )


def request_meta(
    version: str | None,
    client_info: Mapping[str, Any] | None,
    capabilities: Mapping[str, Any],
    log_level: str | None,
) -> dict[str, Any]:
    """The envelope keys of ``_meta`` for a request to a stateless upstream; None leaves a key out."""
    meta: dict[str, Any] = {META_CAPABILITIES: dict(capabilities)}
    if version is not None:
        meta[META_VERSION] = version
    if client_info is not None:
        meta[META_CLIENT_INFO] = dict(client_info)
    if log_level is not None:
        meta[META_LOG_LEVEL] = log_level
    return meta


# -- results -----------------------------------------------------------------------------------------------


def result(method: str, body: Mapping[str, Any], *, server_info: Mapping[str, Any] | None) -> dict[str, Any]:
    """A result as this era wants it; ``body`` is not changed and may be of either era.

    Adds ``resultType``, the server's identity, and where the method is cacheable ``ttlMs`` (0: stale at once,
    unless the upstream gave a hint) and ``cacheScope``. The scope is always ``private``: what the gateway
    answers depends on who asks, and ``public`` would let anyone serve it to somebody else.
    """
    shaped = dict(body)
    kind = shaped.setdefault("resultType", "complete")
    if server_info:
        meta = shaped.get("_meta")
        shaped["_meta"] = {**(meta if isinstance(meta, dict) else {}), META_SERVER_INFO: dict(server_info)}
    if spec(method).cacheable and kind == "complete":
        ttl = shaped.get("ttlMs")
        shaped["ttlMs"] = ttl if type(ttl) is int and ttl >= 0 else 0
        shaped["cacheScope"] = "private"
    else:
        shaped.pop("cacheScope", None)
        if kind != "task" and method not in _OF_TASKS:
            shaped.pop("ttlMs", None)
    return shaped


def spliced(body: bytes, server_info: Mapping[str, Any] | None) -> bytes | None:
    """``result`` for the common case without building objects: the tags are put in front of the members.

    ``body`` is valid JSON. None where that could repeat a member, or change its meaning: if one of the tags'
    names stands anywhere in the body or could, spelt with escapes, and where no member follows at once.
    """
    if body[:2] != b'{"' or b"\\u" in body or b'"resultType"' in body or b'"_meta"' in body:
        return None
    if b'"ttlMs"' in body or b'"cacheScope"' in body:
        return None
    if not server_info:
        return b'{"resultType":"complete",' + body[1:]
    meta = _encode({META_SERVER_INFO: server_info})
    return b'{"resultType":"complete","_meta":' + meta + b"," + body[1:]


def tags(server_info: Mapping[str, Any] | None) -> dict[str, Any]:
    """What every result of a server of an older era is given: its kind, and who answered."""
    meta = {"_meta": {META_SERVER_INFO: server_info}} if server_info else {}
    return {"resultType": "complete", **meta}


def discover_result(
    server_info: Mapping[str, Any], capabilities: Mapping[str, Any], instructions: str | None
) -> dict[str, Any]:
    """The answer to ``server/discover``."""
    body: dict[str, Any] = {
        "supportedVersions": list(STATELESS_VERSIONS),
        "capabilities": dict(capabilities),
    }
    if instructions:
        body["instructions"] = instructions
    return result("server/discover", body, server_info=server_info)


# -- errors ------------------------------------------------------------------------------------------------

_STATUS: Final = {
    -32700: 400,
    -32600: 400,
    -32601: 404,
    -32602: 400,
    -32020: 400,
    -32021: 400,
    -32022: 400,
}
_RESOURCE_NOT_FOUND: Final = -32002
_URL_ELICITATION: Final = -32042
_HOP: Final = frozenset((-32700, -32020, -32022))
_RETIRED: Final = range(-32019, -31999)
"""-32019 … -32000: meant something in the handshake era; receivers MUST NOT interpret them now."""


def fault(code: int, message: str, data: Any = None) -> tuple[int, str, Any, int]:
    """An error of an upstream of either era as this era allows it: code, message, data, HTTP status.

    -32002 becomes -32602 (MCP 2026-07-28: MUST NOT emit -32002 or -32042); the rest of the old server range
    says nothing here and becomes an internal error with the same text, and so does what an upstream found
    wrong with the gateway's own headers, revision or JSON. Faults of the gateway itself bring code and status
    along as class data and do not need this.
    """
    if code == _RESOURCE_NOT_FOUND:
        code = -32602
    elif code == _URL_ELICITATION or code in _HOP:
        # Speaks of another flow or another hop: a client that acted on the data would act wrongly.
        code, data = -32603, None
    elif code in _RETIRED:
        code = -32603
    return code, message, data, _STATUS.get(code, 200)

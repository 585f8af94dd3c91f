"""Which dialect does this POST speak? (MCP 2026-07-28, Streamable HTTP §Backward compatibility)"""

from __future__ import annotations

from typing import Final

from gatekit.model.call import EraName
from gatekit.protocol.headers import VERSION, Headers
from gatekit.protocol.jsonrpc import Message, Notification, Request
from gatekit.protocol.methods import HANDSHAKE_VERSIONS

META_PREFIX: Final = "io.modelcontextprotocol/"
META_VERSION: Final = META_PREFIX + "protocolVersion"

_HANDSHAKE_BYTES: Final = frozenset(version.encode() for version in HANDSHAKE_VERSIONS)


def detect(message: Message | list[Message], headers: Headers) -> EraName:
    """The era whose rules judge this body. Total: what is neither gets its refusal from that era's rules.

    Stateless is a request or notification that carries the envelope's version, or comes with a version header
    that no handshake revision knows. Everything else is of the handshake era: batches and responses, which
    the stateless era has not, and an ``initialize`` without envelope, whatever version it or its header asks
    for, because the answer to that is to negotiate an older one.
    """
    if not isinstance(message, Request | Notification):
        return "handshake"
    meta = message.params.get("_meta")
    if isinstance(meta, dict) and META_VERSION in meta:
        return "stateless"
    if message.method == "initialize":
        return "handshake"
    for value in headers.get(VERSION) or ():
        if value.strip(b" \t") not in _HANDSHAKE_BYTES:
            return "stateless"
    return "handshake"

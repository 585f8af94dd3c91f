"""Cursors of merged lists: where the next page begins, sealed.

A cursor names a server, that server's own cursor, and how many items of the page behind it were shown
already. It is sealed because a server's own cursor is nobody else's business, and bound to the person, the
endpoint and the method: somebody else's cursor, or one of another list, is no cursor (-32602).
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from gatekit.errors import InvalidParams, VaultError
from gatekit.gateway.ports import Sealer
from gatekit.model.call import Call

_PURPOSE = "gateway list cursor"


class Mark(Struct, frozen=True, array_like=True):
    """A place in a merged list: before the item ``skip`` of the page ``theirs`` of ``server``."""

    server: str
    theirs: str | None = None
    """The server's own cursor; None: its first page."""
    skip: int = 0


class _Sealed(Struct, frozen=True, array_like=True):
    principal_id: str
    endpoint: str
    method: str
    mark: Mark


_decode = msgspec.json.Decoder(_Sealed).decode


def seal(sealer: Sealer, call: Call, mark: Mark) -> str:
    """The ``nextCursor`` for a page of ``call``'s list."""
    sealed = _Sealed(call.access.principal.id, call.server, call.method, mark)
    return sealer.seal(msgspec.json.encode(sealed).decode(), _PURPOSE)


def read(sealer: Sealer, call: Call) -> Mark | None:
    """Where the caller wants to go on; None: at the beginning. Raises InvalidParams (MCP: -32602)."""
    cursor = call.params.get("cursor")
    if cursor is None:
        return None
    if not isinstance(cursor, str):
        raise InvalidParams("Invalid params: cursor must be a string")
    try:
        sealed = _decode(sealer.open(cursor, _PURPOSE))
    except (VaultError, msgspec.DecodeError):
        raise InvalidParams("Invalid params: unknown cursor", "cursor does not open") from None
    if sealed.principal_id != call.access.principal.id:
        raise InvalidParams("Invalid params: unknown cursor", "cursor of another principal")
    if sealed.endpoint != call.server or sealed.method != call.method:
        raise InvalidParams("Invalid params: unknown cursor", "cursor of another list")
    return sealed.mark

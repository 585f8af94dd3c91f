"""When the start failed: the client asked for a server and gets a reason instead of a dead pipe.

Most clients show nothing of a child that exits but "server disconnected"; an error answer to their first
request is shown to the person, so that is where the reason goes.
"""

from __future__ import annotations

from gatekit.errors import ProtocolFault
from gatekit.local.flights import Write
from gatekit.local.lines import LineTooLong
from gatekit.local.pump import Lines
from gatekit.protocol import jsonrpc
from gatekit.protocol.jsonrpc import Request

NOT_STARTED = -31011


async def excuse(reason: str, lines: Lines, write: Write) -> None:
    """Answer every request with ``reason`` until the client closes its end."""
    async for line in lines:
        if isinstance(line, LineTooLong):
            continue
        try:
            message = jsonrpc.decode_client(line)
        except ProtocolFault as fault:
            if fault.request_id is not None:
                await write(jsonrpc.encode_fault(fault.request_id, NOT_STARTED, reason))
            continue
        for each in message if isinstance(message, list) else [message]:
            if isinstance(each, Request):
                await write(jsonrpc.encode_fault(each.id, NOT_STARTED, reason))

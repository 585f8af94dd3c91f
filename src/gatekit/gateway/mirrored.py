"""Arguments that a client repeats in ``Mcp-Param-*`` headers (MCP 2026-07-28, Streamable HTTP).

The server behind the gateway says in its ``tools/list`` which arguments those are, and knows nothing of HTTP:
the gateway is the HTTP server that must refuse a request whose headers and body disagree. Headers that no
tool asks for are ignored (MUST).
"""

from __future__ import annotations

from gatekit.errors import HeaderMismatch
from gatekit.gateway.toolbook import Toolbook
from gatekit.model.call import Call
from gatekit.protocol.headers import check_params
from gatekit.upstream.link import Link


def is_plain(call: Call, tool: str, link: Link, books: Toolbook) -> bool:
    """Whether there is nothing for ``check`` to compare, as far as is known: so for nearly every call."""
    if call.headers is None:
        return True
    book = books.known(link)
    return book is not None and tool not in book.tools


async def check(call: Call, tool: str, link: Link, books: Toolbook) -> None:
    """Compare the headers of a ``tools/call`` with its arguments. Raises HeaderMismatch (-32020, HTTP 400).

    ``tool``: its name as the upstream knows it.
    """
    if call.headers is None:
        return
    book = await books.of(link)
    known = book.tools.get(tool)
    if known is None or not known.mirrored:
        return
    arguments = call.params.get("arguments")
    arguments = arguments if isinstance(arguments, dict) else {}
    try:
        check_params(call.headers, arguments, known.mirrored)
    except HeaderMismatch:
        # Perhaps the client knows a newer list than we do.
        newer = await books.newer(link, book)
        known = newer.tools.get(tool)
        if newer is book:
            raise
        if known is not None:
            check_params(call.headers, arguments, known.mirrored)

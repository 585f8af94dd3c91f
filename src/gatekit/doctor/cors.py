"""What a client needs that lives in somebody's web page (Fetch standard, CORS protocol)."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from gatekit.doctor.ailments import Ailment
from gatekit.doctor.line import Line, ailing, origin_of, path_of
from gatekit.doctor.opening import RESOURCE, SERVER, Found, message_of
from gatekit.doctor.profile import Profile

_ALLOW = "access-control-allow-origin"
_MCP = "authorization,content-type,mcp-protocol-version"


async def look(line: Line, profile: Profile, found: Found) -> None:
    """Ask as a browser asks before a page's own requests, and look whether the page may read the answers.

    Raises ``ClientWouldFail``.
    """
    origin, path = origin_of(found.url), urlsplit(found.url).path.rstrip("/")
    issuer = origin_of(found.issuer)
    wanted = [
        (found.url, "POST", _MCP),
        (found.url, "GET", _MCP + ",mcp-session-id"),
        (f"{origin}{RESOURCE}{path}", "GET", "mcp-protocol-version"),
        (f"{issuer}{SERVER}", "GET", "mcp-protocol-version"),
    ]
    endpoints = (found.server.get("registration_endpoint"), found.server.get("token_endpoint"))
    wanted += [(str(url), "POST", "content-type") for url in endpoints if url]
    for url, method, headers in wanted:
        await _preflight(line, profile.page, url, method, headers)
    await _readable(line, profile, found.url)


async def _preflight(line: Line, page: str, url: str, method: str, headers: str) -> None:
    asked = {
        "origin": page,
        "access-control-request-method": method,
        "access-control-request-headers": headers,
    }
    answer = await line.send("OPTIONS", url, asked)
    facts = {"path": path_of(url), "status": str(answer.status), "origin": page}
    if not 200 <= answer.status < 300:
        raise ailing(Ailment("cors-preflight", facts))
    _allowed(answer.headers, page, facts)
    granted = answer.headers.get("access-control-allow-headers", "").lower().replace(" ", "").split(",")
    if not set(headers.split(",")) <= set(granted):
        raise ailing(Ailment("cors-missing", {**facts, "header": "Access-Control-Allow-Headers"}))
    methods = answer.headers.get("access-control-allow-methods", "").upper()
    if method not in ("GET", "POST") and method not in methods:  # those two need no permission
        raise ailing(Ailment("cors-missing", {**facts, "header": "Access-Control-Allow-Methods"}))


async def _readable(line: Line, profile: Profile, url: str) -> None:
    """The page must be able to read the challenge of a 401."""
    method, headers, body = message_of("initialize")
    answer = await line.send(method, url, {**headers, "origin": profile.page}, json=body)
    facts = {"path": path_of(url), "status": str(answer.status), "origin": profile.page}
    _allowed(answer.headers, profile.page, facts)
    if "www-authenticate" not in answer.headers.get("access-control-expose-headers", "").lower():
        raise ailing(Ailment("cors-missing", {**facts, "header": "Access-Control-Expose-Headers"}))


def _allowed(headers: Mapping[str, str], page: str, facts: Mapping[str, str]) -> None:
    value = headers.get(_ALLOW, "")
    if "," in value:  # two headers, joined
        raise ailing(Ailment("cors-doubled", {**facts, "value": value}))
    if value not in ("*", page):
        raise ailing(Ailment("cors-missing", {**facts, "header": "Access-Control-Allow-Origin"}))

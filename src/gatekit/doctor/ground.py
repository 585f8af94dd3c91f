"""What no single client looks at: clocks, and misplaced documents that mislead some of them."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from gatekit.doctor.ailments import Ailment
from gatekit.doctor.line import Line, decoded, listed, origin_of
from gatekit.doctor.opening import RESOURCE, Found, message_of
from gatekit.errors import ClientWouldFail

MAX_SKEW = 30.0
"""Seconds. Codes live for 60."""


async def look(line: Line, url: str) -> list[Ailment]:
    """Everything that a request without a token shows about the way to ``url``."""
    method, headers, body = message_of("initialize")
    try:
        answer = await line.send(method, url, headers, json=body)
    except ClientWouldFail as failure:
        return [Ailment(failure.code, failure.facts)]
    found = []
    if skew := _skew(answer.headers.get("date", ""), line.clock.now()):
        found.append(skew)
    if answer.status == 401:
        if "www-authenticate" not in answer.headers:
            facts = {"method": method, "path": urlsplit(url).path}
            found.append(Ailment("challenge-missing", facts))
        if not answer.body:
            found.append(Ailment("body-empty"))
    if misleading := await _root(line, url):
        found.append(misleading)
    return found


def _skew(date: str, now: float) -> Ailment | None:
    try:
        theirs = parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
    apart = theirs - now
    if abs(apart) <= MAX_SKEW:
        return None
    return Ailment("clock", {"seconds": f"{abs(apart):.0f}", "direction": "ahead" if apart > 0 else "behind"})


async def _root(line: Line, url: str) -> Ailment | None:
    if not urlsplit(url).path.strip("/"):
        return None
    try:
        answer = await line.send("GET", origin_of(url) + RESOURCE, {"accept": "application/json"})
    except ClientWouldFail:
        return None
    resource = (decoded(answer) or {}).get("resource") if answer.status == 200 else None
    if not isinstance(resource, str) or resource == url:
        return None
    return Ailment("root-misleads", {"resource": resource, "url": url})


def scopes(found: Found) -> list[Ailment]:
    """What the authorization server's own document shows."""
    scopes = listed(found.server, "scopes_supported", found.issuer)  # discovery refused what is no list
    return [Ailment("offline-access")] if "offline_access" in scopes else []

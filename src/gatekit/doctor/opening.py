"""First contact and discovery: from a URL to the authorization server's metadata, the way one client goes."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from gatekit.doctor.ailments import Ailment
from gatekit.doctor.line import (
    REDIRECTS,
    Line,
    ailing,
    decoded,
    garbled,
    kind_of,
    listed,
    origin_of,
    parts_of,
    path_of,
    said,
)
from gatekit.doctor.profile import Opening, Profile
from gatekit.errors import OutboundRefused
from gatekit.local.account.discover import challenge_of
from gatekit.platform.outbound import Answer
from gatekit.platform.targets import parse
from gatekit.protocol.methods import LATEST_HANDSHAKE, LATEST_STATELESS

RESOURCE = "/.well-known/oauth-protected-resource"
SERVER = "/.well-known/oauth-authorization-server"
_OPENID = "/.well-known/openid-configuration"
_REQUIRED = ("authorization_endpoint", "token_endpoint", "response_types_supported")


class Found(Struct, frozen=True, kw_only=True):
    """What discovery tells a client."""

    url: str
    resource: str
    scopes: str
    issuer: str
    server: dict[str, Any]
    """RFC 8414."""


def headers_of(profile: Profile, **more: str) -> dict[str, str]:
    """What a client sends with everything; an empty value is not sent at all."""
    return {"user-agent": profile.agent, "accept": "application/json", **more}


def message_of(opening: Opening) -> tuple[str, dict[str, str], object]:
    """HTTP method, headers and JSON body of a first request."""
    both = {"accept": "application/json, text/event-stream"}
    information = {"name": "gatekit-doctor", "version": "1"}
    if opening == "initialize":
        params: dict[str, object] = {
            "protocolVersion": LATEST_HANDSHAKE,
            "capabilities": {},
            "clientInfo": information,
        }
        return "POST", both, {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
    if opening == "discover":
        meta = {
            "io.modelcontextprotocol/protocolVersion": LATEST_STATELESS,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": information,
        }
        headers = {**both, "mcp-method": "server/discover", "mcp-protocol-version": LATEST_STATELESS}
        params = {"_meta": meta}
        return "POST", headers, {"jsonrpc": "2.0", "id": 0, "method": "server/discover", "params": params}
    return opening, {"accept": "text/event-stream"} if opening == "GET" else {}, None


async def contact(line: Line, profile: Profile, url: str) -> str:
    """Make the first requests. Return where the challenge says the metadata is, empty if it does not say.

    Raises ``ClientWouldFail``.
    """
    leads = ""
    for opening in () if profile.guesses else profile.opening:
        method, headers, body = message_of(opening)
        if profile.version:
            headers["mcp-protocol-version"] = profile.version
        if profile.page:
            headers["origin"] = profile.page
        answer = await line.send(method, url, headers_of(profile, **headers), json=body)
        refused(profile, method, url, answer)
        leads = challenge(profile, method, url, answer) or leads
    return leads


def refused(profile: Profile, method: str, url: str, answer: Answer) -> None:
    """The answer to a request without a token must be 401, whatever the request is."""
    status = answer.status
    if status == 401:
        return
    facts = {"method": method, "path": path_of(url), "status": str(status), "host": parts_of(url).netloc}
    facts |= {"agent": profile.agent or "(none)", "location": answer.headers.get("location", "")}
    if status in REDIRECTS:
        raise ailing(Ailment("redirected", facts))
    if status == 403:
        ours = b"not published under that host name" in answer.body
        raise ailing(Ailment("host-rejected" if ours else "turned-away", facts))
    if status == 404:
        raise ailing(Ailment("not-here", facts))
    if 200 <= status < 300:
        # A proxy that answers for the gateway shows itself by what it says.
        raise ailing(Ailment("open" if "html" not in kind_of(answer) else "not-here", facts))
    raise ailing(Ailment("early", facts))


def challenge(profile: Profile, method: str, url: str, answer: Answer) -> str:
    """The ``resource_metadata`` of a 401; empty if there is none and the client can do without."""
    header = answer.headers.get("www-authenticate", "")
    facts = {"method": method, "path": path_of(url), "challenge": header, "origin": origin_of(url)}
    if not header:
        if profile.challenge:
            raise ailing(Ailment("challenge-missing", facts))
        return ""
    if header.lower().startswith("basic") or header.lower().count("bearer ") > 1:
        raise ailing(Ailment("challenge-doubled", facts))
    leads = challenge_of(header).resource_metadata
    if not leads and profile.challenge:
        raise ailing(Ailment("challenge-bare", facts))
    if leads and parts_of(leads).netloc != parts_of(url).netloc:
        # The same host with another scheme shows in the document, where the words are clearer.
        raise ailing(Ailment("challenge-elsewhere", {**facts, "given": leads}))
    return leads


async def discover(line: Line, profile: Profile, url: str, leads: str) -> Found:
    """RFC 9728, then RFC 8414. Raises ``ClientWouldFail``."""
    origin, path = origin_of(url), parts_of(url).path.rstrip("/")
    document, where = None, ""
    status = 0
    for where in dict.fromkeys(
        each for each in (leads, f"{origin}{RESOURCE}{path}", origin + RESOURCE) if each
    ):
        answer = await line.send("GET", _within(url, where), _metadata_headers(profile))
        status = status or answer.status
        if answer.status == 200:
            document = _object(where, answer)
            break
    if document is None:
        where = leads or f"{origin}{RESOURCE}{path}"
        raise ailing(Ailment("resource-missing", {"url": where, "status": str(status)}))
    resource = _resource(profile, url, document)
    servers = document.get("authorization_servers")
    if not isinstance(servers, list) or not servers or not isinstance(servers[0], str):
        raise ailing(Ailment("issuer-missing", {"url": where}))
    scopes = listed(document, "scopes_supported", where)
    server = await _server(line, profile, url, servers[0])
    if profile.needs_iss and not server.get("authorization_response_iss_parameter_supported"):
        raise ailing(Ailment("no-iss"))
    return Found(url=url, resource=resource, scopes=" ".join(scopes), issuer=servers[0], server=server)


def _metadata_headers(profile: Profile) -> dict[str, str]:
    more = {"mcp-protocol-version": profile.version or LATEST_HANDSHAKE}
    if profile.page:
        more["origin"] = profile.page
    return headers_of(profile, **more)


def _within(url: str, given: str) -> str:
    """``given`` with the scheme in use, where they differ in nothing else: the document shall say it."""
    ours, theirs = parts_of(url), parts_of(given)
    return theirs._replace(scheme=ours.scheme).geturl() if ours.netloc == theirs.netloc else given


def _object(url: str, answer: Answer) -> dict[str, Any]:
    document = decoded(answer)
    if document is None:
        raise ailing(garbled(url, f"{kind_of(answer)}: {said(answer, 60)}", answer.status))
    return document


def _resource(profile: Profile, url: str, document: dict[str, Any]) -> str:
    """The document's ``resource``, if this client takes it for ``url``."""
    if document.get("dpop_bound_access_tokens_required"):
        raise ailing(Ailment("dpop-required"))
    resource = document.get("resource")
    ours, theirs = parts_of(url), parts_of(resource if isinstance(resource, str) else "")
    facts = {"resource": str(resource), "url": url, "ours": ours.scheme, "theirs": theirs.scheme}
    if profile.strictness == "any" and isinstance(resource, str):
        return resource
    if theirs.netloc.lower() != ours.netloc.lower():
        raise ailing(Ailment("resource-host", facts))
    if theirs.scheme != ours.scheme:
        raise ailing(Ailment("resource-scheme", facts))
    if resource == url:
        return url
    # As the TypeScript and Python SDKs compare: the resource's path is the URL's, or above it.
    inside = len(ours.path) >= len(theirs.path) and f"{ours.path}/".startswith(theirs.path.rstrip("/") + "/")
    if not inside:
        raise ailing(Ailment("resource-path", facts))
    if profile.strictness == "exact":
        raise ailing(Ailment("resource-exact", facts))
    return str(resource) + ("/" if profile.slash and not theirs.path else "")


async def _server(line: Line, profile: Profile, url: str, issuer: str) -> dict[str, Any]:
    facts = {"issuer": issuer}
    try:
        parse(issuer)
    except OutboundRefused:
        raise ailing(Ailment("metadata-missing", {**facts, "url": issuer, "status": "nothing"})) from None
    parts = parts_of(issuer)
    path = parts.path.rstrip("/")
    candidates = [f"{origin_of(issuer)}{SERVER}{path}", f"{origin_of(issuer)}{_OPENID}{path}"]
    if path:
        candidates.append(f"{issuer.rstrip('/')}{_OPENID}")
    status = 0
    for where in candidates:
        answer = await line.send("GET", _within(url, where), _metadata_headers(profile))
        status = status or answer.status
        if answer.status == 200:
            return _checked(_object(where, answer), where, issuer)
    raise ailing(Ailment("metadata-missing", {**facts, "url": candidates[0], "status": str(status)}))


def _checked(document: dict[str, Any], where: str, issuer: str) -> dict[str, Any]:
    named = document.get("issuer")
    if named != issuer:
        raise ailing(Ailment("issuer-other", {"issuer": issuer, "named": str(named)}))
    lacking = [name for name in _REQUIRED if not document.get(name)]
    listed(document, "scopes_supported", where)
    if "S256" not in listed(document, "code_challenge_methods_supported", where):
        lacking.append("code_challenge_methods_supported with S256")
    if lacking:
        raise ailing(Ailment("metadata-poor", {"url": where, "members": ", ".join(lacking)}))
    if document.get("require_pushed_authorization_requests"):
        raise ailing(Ailment("pushed-required"))
    for member, given in document.items():
        ours = member.endswith("_endpoint") and isinstance(given, str)
        if ours and parts_of(given).scheme != parts_of(issuer).scheme:
            facts = {"member": member, "given": given, "issuer": issuer}
            raise ailing(Ailment("endpoint-elsewhere", facts))
    return document

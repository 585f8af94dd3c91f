"""From a refusal to the authorization server: RFC 9728 (whose resource is it), RFC 8414 (where to go).

What a server says about itself is checked before anything is sent anywhere: the resource must be the one we
asked for, the issuer the one that was named, the code must be protected by PKCE.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from gatekit.errors import ChannelError, OutboundRefused

_PARAMETER = re.compile(r'([A-Za-z_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))')
_PRM = "/.well-known/oauth-protected-resource"
_OAUTH = "/.well-known/oauth-authorization-server"
_OPENID = "/.well-known/openid-configuration"


class Answer(Protocol):
    """``platform.outbound.Answer``."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...


class Fetch(Protocol):
    """``platform.outbound.Outbound.fetch``. Raises ``OutboundRefused``."""

    def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json: object = None,
        redirects: int = 0,
    ) -> Awaitable[Answer]: ...


class Challenge(Struct, frozen=True):
    """What a refusal says (RFC 6750 §3, RFC 9728 §5.1)."""

    resource_metadata: str = ""
    scope: str = ""
    error: str = ""
    description: str = ""


class Resource(Struct, frozen=True):
    """RFC 9728: what to ask a token for, and whom."""

    resource: str
    issuer: str
    scopes: str = ""
    """What is asked for when the challenge names none."""


class Issuer(Struct, frozen=True, kw_only=True):
    """RFC 8414, as far as it matters here."""

    issuer: str
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    registration_endpoint: str = ""
    device_authorization_endpoint: str = ""
    revocation_endpoint: str = ""
    code_challenge_methods_supported: tuple[str, ...] = ()
    grant_types_supported: tuple[str, ...] = ()
    scopes_supported: tuple[str, ...] = ()
    authorization_response_iss_parameter_supported: bool = False
    client_id_metadata_document_supported: bool = False


def challenge_of(header: str) -> Challenge:
    """Read ``WWW-Authenticate``; of several challenges the Bearer one."""
    _, found, bearer = re.split(r"(?i)(\bbearer\b)", header, maxsplit=1) if _bearer(header) else ("", "", "")
    parameters = (
        {m[1].lower(): m[3] or m[2].replace('\\"', '"') for m in _PARAMETER.finditer(bearer)} if found else {}
    )
    return Challenge(
        parameters.get("resource_metadata", ""),
        parameters.get("scope", ""),
        parameters.get("error", ""),
        parameters.get("error_description", ""),
    )


def _bearer(header: str) -> bool:
    return re.search(r"(?i)\bbearer\b", header) is not None


async def resource_of(fetch: Fetch, url: str, challenge: Challenge) -> Resource:
    """Who protects ``url``. A server without RFC 9728 is its own authorization server (MCP 2025-03-26).

    Raises ``ChannelError``.
    """
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    path = parts.path.rstrip("/")
    candidates = [challenge.resource_metadata] if challenge.resource_metadata else []
    candidates += [f"{origin}{_PRM}{path}", f"{origin}{_PRM}"]
    for candidate in dict.fromkeys(candidates):
        document = await _document(fetch, candidate)
        if document is None:
            continue
        resource = document.get("resource")
        if not isinstance(resource, str) or not _covers(resource, url):
            raise ChannelError(f"{url} says that it is the resource {resource!r}: this is another one")
        servers = document.get("authorization_servers")
        if not isinstance(servers, list) or not servers or not isinstance(servers[0], str):
            raise ChannelError(f"{url} names no authorization server")
        scopes = document.get("scopes_supported")
        wanted = (
            " ".join(each for each in scopes if isinstance(each, str)) if isinstance(scopes, list) else ""
        )
        return Resource(resource, servers[0], wanted)
    return Resource(url, origin)


def _covers(resource: str, url: str) -> bool:
    """Whether a token for ``resource`` is one for ``url``: the same, or the part of the server it lies in."""
    ours, theirs = urlsplit(url), urlsplit(resource)
    if (ours.scheme, ours.netloc.lower()) != (theirs.scheme, theirs.netloc.lower()):
        return False
    above = theirs.path.rstrip("/")
    return ours.path.rstrip("/") == above or ours.path.startswith(above + "/")


async def issuer_of(fetch: Fetch, resource: Resource) -> Issuer:
    """The authorization server's metadata. Raises ``ChannelError``."""
    parts = urlsplit(resource.issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    candidates = [f"{origin}{_OAUTH}{path}", f"{origin}{_OPENID}{path}"]
    if path:
        candidates.append(f"{origin}{path}{_OPENID}")
    for candidate in candidates:
        document = await _document(fetch, candidate)
        if document is not None:
            return _checked(document, resource.issuer)
    if path or resource.scopes:
        raise ChannelError(f"the authorization server {resource.issuer} has no metadata (RFC 8414)")
    # MCP 2025-03-26, "Fallbacks for Servers without Metadata Discovery"
    return Issuer(
        issuer=origin,
        authorization_endpoint=f"{origin}/authorize",
        token_endpoint=f"{origin}/token",
        registration_endpoint=f"{origin}/register",
    )


def _checked(document: dict[str, Any], issuer: str) -> Issuer:
    known = {key: value for key, value in document.items() if value is not None}
    try:
        found = msgspec.convert(known, Issuer)
    except msgspec.ValidationError as error:
        raise ChannelError(f"the metadata of {issuer} cannot be used: {error}") from None
    if found.issuer.rstrip("/") != issuer.rstrip("/"):  # RFC 8414 §3.3; one slash is a common slip
        raise ChannelError(f"the metadata of {issuer} is that of {found.issuer!r}")
    if "S256" not in found.code_challenge_methods_supported:
        raise ChannelError(f"{issuer} does not say that it supports PKCE (S256), so nobody may sign in there")
    return found


async def _document(fetch: Fetch, url: str) -> dict[str, Any] | None:
    """A JSON object; None if there is none. Raises ``ChannelError`` if nobody can be asked."""
    try:
        answer = await fetch("GET", url, headers={"accept": "application/json"}, redirects=3)
    except OutboundRefused as error:
        raise ChannelError(f"cannot find out how to sign in: {error}") from error
    if answer.status != 200:
        return None
    try:
        found = msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        return None
    return found if isinstance(found, dict) else None

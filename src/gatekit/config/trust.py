"""``proxy.auth.external`` and ``proxy.auth.identity_assertions``: from what is written to what is meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from gatekit.config import document as doc
from gatekit.config.addresses import is_loopback
from gatekit.config.trust_schema import AssertionIn, ExternalIn, IntrospectionIn, IssuerIn
from gatekit.errors import OutboundRefused
from gatekit.model.trust import ALGORITHMS, AssertionIssuer, ClaimNames, ExternalServer, Introspection
from gatekit.platform.targets import parse


def external_server(written: ExternalIn, path: doc.Path, document: doc.Document) -> ExternalServer:
    """The authorization server in charge. Faults go to the document."""
    return ExternalServer(
        **_issuer(written, path, document),
        name=written.name,
        audiences=written.audiences,
        token_types=tuple(
            _checked(_token_type, value, (*path, "token_types", index), document)
            for index, value in enumerate(written.token_types)
        ),
        required_scopes=written.required_scopes,
        scopes=written.scopes or written.required_scopes,
        introspection=_introspection(written.introspection, (*path, "introspection"), document),
    )


def assertion_issuer(
    name: str, written: AssertionIn, path: doc.Path, document: doc.Document
) -> AssertionIssuer:
    """One identity provider whose assertions are exchanged. Faults go to the document."""
    return AssertionIssuer(**_issuer(written, path, document), name=name, longest=written.max_age)


def _issuer(written: IssuerIn, path: doc.Path, document: doc.Document) -> dict[str, Any]:
    jwks_uri = written.jwks_uri
    return {
        "issuer": _checked(issuer_url, written.issuer, (*path, "issuer"), document),
        "jwks_uri": _checked(secure_url, jwks_uri, (*path, "jwks_uri"), document) if jwks_uri else "",
        "algorithms": tuple(
            _checked(_algorithm, value, (*path, "algorithms", index), document)
            for index, value in enumerate(_some(written.algorithms, (*path, "algorithms"), document))
        ),
        "clients": written.clients,
        "claims": ClaimNames(
            subject=written.subject_claim,
            username=written.username_claim,
            email=written.email_claim,
            email_verified="" if written.verified_email else ClaimNames().email_verified,
            name=written.name_claim,
            groups=written.groups_claim or "",
        ),
        "unknown_people": written.unknown_people,
        "clock_skew": written.clock_skew,
    }


def _introspection(
    written: IntrospectionIn | None, path: doc.Path, document: doc.Document
) -> Introspection | None:
    if written is None:
        return None
    endpoint = written.endpoint
    return Introspection(
        client_id=written.client_id,
        client_secret=written.client_secret,
        endpoint=_checked(secure_url, endpoint, (*path, "endpoint"), document) if endpoint else "",
        every_token=written.every_token,
        cache=written.cache,
    )


def issuer_url(text: str) -> str:
    """RFC 8414 §2: https, no query, no fragment. Kept as it is written: tokens are compared with it letter by
    letter. Raises ``ValueError``."""
    if "?" in text:
        raise ValueError("must not hold a query")
    return secure_url(text)


def secure_url(text: str) -> str:
    """A URL that is https, or stays on this machine. Raises ``ValueError``."""
    parts = urlsplit(text)
    if parts.scheme not in ("https", "http") or not parts.hostname or not text.isascii() or " " in text:
        raise ValueError("expected a URL like https://login.example.com/realms/acme")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("must be https (plain http is only acceptable on this machine)")
    if "#" in text or "@" in parts.netloc:
        raise ValueError("must not hold a user name or fragment")
    try:
        parse(text)  # now, and not when the first token comes: it is what will be dialled
    except OutboundRefused as refused:
        raise ValueError(str(refused)) from refused
    return text


def _algorithm(text: str) -> str:
    if text not in ALGORITHMS:
        raise ValueError(f"unknown algorithm; known: {', '.join(ALGORITHMS)}")
    return text


def _token_type(text: str) -> str:
    found = text.lower().removeprefix("application/")
    if found in ("none", ""):
        return ""
    if "/" in found or not found.isprintable():
        raise ValueError("expected a token type like at+jwt or JWT, or none for tokens without one")
    return found


def _some(values: Sequence[str], path: doc.Path, document: doc.Document) -> Sequence[str]:
    if not values:
        document.fault(path, "must name at least one")
    return values


def _checked(read: Callable[[str], str], value: str, path: doc.Path, document: doc.Document) -> str:
    try:
        return read(value)
    except ValueError as error:
        document.fault(path, str(error))
        return value

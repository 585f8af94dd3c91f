"""Security events that an identity provider pushes: reading and judging the token they come in.

A Security Event Token (RFC 8417) as the Shared Signals Framework profiles it: signed, with a type of its
own, about one subject (RFC 9493). What follows from an event is said by ``consequence``; whom it is about
here, and doing it, is ``oauth.signals``'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from gatekit.errors import EventTokenRefused, ForeignTokenInvalid
from gatekit.model.connections import Signals
from gatekit.platform.foreign import Foreign, audience, numeric_date, parse, text, verify
from gatekit.platform.remote_keys import RemoteKeys

TYP = "secevent+jwt"
ALGORITHMS = frozenset(("RS256", "PS256", "ES256", "EdDSA", "Ed25519"))
SKEW = 60.0
"""Seconds by which the transmitter's clock may differ from ours."""
OLDEST = 7 * 86400.0
"""Seconds that an event may have waited at its transmitter; so long its name is kept."""
MAX_EVENTS = 16
MAX_ALIASES = 8

CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
RISC = "https://schemas.openid.net/secevent/risc/event-type/"
SSF = "https://schemas.openid.net/secevent/ssf/event-type/"

Consequence = Literal["end", "disable", "note"]
"""``end``: what came over the connection until then; ``disable``: that, and the person, if the connection is
their home; ``note``: nothing changes, it is on record."""

_CONSEQUENCES: Mapping[str, Consequence] = {
    f"{CAEP}session-revoked": "end",
    f"{RISC}sessions-revoked": "end",  # the older name of the same
    f"{RISC}credential-compromise": "end",
    f"{RISC}account-credential-change-required": "end",
    f"{RISC}account-disabled": "disable",
    f"{RISC}account-purged": "disable",
}
_CREDENTIAL_CHANGE = f"{CAEP}credential-change"
_CHANGED = frozenset(("revoke", "update", "delete"))
"""CAEP §3.3 ``change_type``. Who adds a passkey loses nothing."""


class BySubject(Struct, frozen=True):
    """``iss_sub``: the provider's own name of a person."""

    issuer: str
    subject: str


class ByEmail(Struct, frozen=True):
    email: str


class ByIdent(Struct, frozen=True):
    """``opaque``: a name that both sides know, of a person or of a session."""

    ident: str


Pointer = BySubject | ByEmail | ByIdent


class SecurityEvent(Struct, frozen=True):
    """One entry of ``events``, and whom it is about."""

    kind: str
    """URI."""
    consequence: Consequence
    people: Sequence[Pointer]
    sessions: Sequence[Pointer]
    """Of a complex subject that names a session and no person."""

    @property
    def name(self) -> str:
        """The last part of the URI, for records."""
        return self.kind.rpartition("/")[2][:80] or "unnamed"


class EventToken(Struct, frozen=True):
    """What a genuine token says."""

    ident: str
    """``jti``."""
    issued_at: float
    events: Sequence[SecurityEvent]


async def read(token: str, signals: Signals, keys: RemoteKeys, now: float) -> EventToken:
    """Judge what was pushed: what costs nothing first, the signature last.

    Raises ``EventTokenRefused`` with a code of RFC 8935 §2.4, ``KeysUnavailable``.
    """
    try:
        found = parse(token)
        ident, issued_at = _checked(found, signals, now)
        events = _events(found.claims)
    except ForeignTokenInvalid as bad:
        raise EventTokenRefused("invalid_request", bad.detail) from bad
    try:
        listed = await keys.keys(signals.jwks_uri, found.kid)
        verify(found, listed, algorithms=ALGORITHMS, typ=frozenset((TYP,)))
    except ForeignTokenInvalid as bad:
        raise EventTokenRefused("invalid_key", bad.detail) from bad
    return EventToken(ident, issued_at, events)


def _checked(found: Foreign, signals: Signals, now: float) -> tuple[str, float]:
    """``jti`` and ``iat``, which RFC 8417 §2.2 requires with ``iss``."""
    claims = found.claims
    if found.typ != TYP:  # SSF §4.1.6: so that no other token of the provider is ever taken for one
        raise EventTokenRefused("invalid_request", f"type {found.typ[:64]!r} is not {TYP}")
    if found.issuer != signals.issuer:
        raise EventTokenRefused("invalid_issuer", f"issuer {found.issuer[:200]!r}")
    if signals.audience not in audience(claims):
        raise EventTokenRefused("invalid_audience", f"aud {str(claims.get('aud'))[:200]!r}")
    ident, issued_at = text(claims, "jti"), numeric_date(claims, "iat")
    ends = numeric_date(claims, "exp")
    if issued_at is None or not now - OLDEST <= issued_at <= now + SKEW:
        raise EventTokenRefused("invalid_request", "iat is missing, in the future, or long ago")
    if ends is not None and ends <= now - SKEW:
        raise EventTokenRefused("invalid_request", "expired")
    return ident, issued_at


def _events(claims: Mapping[str, Any]) -> Sequence[SecurityEvent]:
    """RFC 8417 §2.2: an object of objects, with one member at least."""
    written = claims.get("events")
    if not isinstance(written, dict) or not 0 < len(written) <= MAX_EVENTS:
        raise EventTokenRefused("invalid_request", "events is not an object of sane size")
    found = []
    for kind, event in written.items():
        if not isinstance(event, dict):
            raise EventTokenRefused("invalid_request", "an event is not an object")
        does = consequence(kind, event)
        # SSF 1.0 has the subject beside the events; its drafts had it in each of them.
        about = claims.get("sub_id", event.get("subject"))
        people, sessions = ((), ()) if does == "note" and about is None else _whom(about)
        found.append(SecurityEvent(kind, does, people, sessions))
    return found


def consequence(kind: str, event: Mapping[str, Any]) -> Consequence:
    """What follows from an event. RFC 8417 §2: what is not known is no reason to refuse it."""
    if kind == _CREDENTIAL_CHANGE:
        return "end" if event.get("change_type") in _CHANGED else "note"
    return _CONSEQUENCES.get(kind, "note")


def _whom(about: object) -> tuple[Sequence[Pointer], Sequence[Pointer]]:
    """(people, sessions). Of a complex subject the person counts: whoever is named loses what they have, not
    one session of it. One that names neither (a device, a tenant) is about nobody we could tell."""
    if _format(about) != "complex":
        return _pointers(about), ()
    parts: Mapping[str, Any] = about if isinstance(about, dict) else {}
    people = _pointers(parts["user"]) if "user" in parts else ()
    sessions = _pointers(parts["session"]) if "session" in parts and not people else ()
    return people, sessions


def _pointers(about: object, *, within: bool = False) -> Sequence[Pointer]:
    """RFC 9493 §3.2. A format that we do not know names nobody; one that lacks a member is refused."""
    kind = _format(about)
    part: Mapping[str, Any] = about if isinstance(about, dict) else {}
    if kind in ("iss_sub", "iss-sub"):
        return (BySubject(text(part, "iss", 2048), text(part, "sub")),)
    if kind == "email":
        return (ByEmail(text(part, "email").strip().lower()),)
    if kind == "opaque":
        return (ByIdent(text(part, "id")),)
    if kind == "aliases" and not within:
        listed = part.get("identifiers")
        if not isinstance(listed, list) or not 0 < len(listed) <= MAX_ALIASES:
            raise EventTokenRefused("invalid_request", "aliases without identifiers")
        return tuple(found for one in listed for found in _pointers(one, within=True))
    return ()


def _format(about: object) -> str:
    """RFC 9493 §3: MUST contain ``format``, which drafts called ``subject_type``."""
    if isinstance(about, dict):
        kind = about.get("format", about.get("subject_type"))
        if isinstance(kind, str) and kind:
            return kind
    raise EventTokenRefused("invalid_request", "the subject has no format")

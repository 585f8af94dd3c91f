"""Is it meant for us, now, and for the sign-in of this browser?  (SAML Profiles §4.1.4.2, checklist S5, S6.)

Works on verified elements; the response around an assertion may be unsigned, and then its attributes can only
refuse, never admit.
"""

from __future__ import annotations

from msgspec import Struct

from gatekit.errors import SamlRefused, SignInRefused
from gatekit.identity.saml.documents import Element, child, children, needed, text
from gatekit.identity.saml.names import BEARER, ENTITY, SUCCESS, tag
from gatekit.identity.saml.times import moment

SKEW = 60.0
"""Seconds by which the provider's clock and ours may differ."""
MAX_LIFE = 86_400.0
"""Seconds from now that an assertion may be good for; its id is remembered that long."""

_CONDITIONS = frozenset(
    tag(f"saml:{name}") for name in ("AudienceRestriction", "OneTimeUse", "ProxyRestriction")
)


class Expected(Struct, frozen=True, kw_only=True):
    """What an answer has to fit."""

    issuer: str
    """The provider's entity id."""
    audience: str
    """Ours."""
    acs: str
    """Where it has to be posted."""
    now: float
    request: str | None
    """Id of the request that this browser carried to the provider; None: the provider began by itself."""
    contexts: tuple[str, ...] = ()
    """Ways of authentication of which it must be one; empty: any."""


def judge_response(response: Element, expected: Expected, *, signed: bool, empty: bool) -> None:
    """Raise ``SamlRefused`` or, if the provider says that the person did not sign in, ``SignInRefused``."""
    _version(response)
    _issuer(response, expected, optional=True)
    destination = response.get("Destination")
    if destination != expected.acs and (destination or signed):
        # SAML Bindings §3.5.5.2: a signed message must say where it goes.
        raise SamlRefused("destination", f"sent to {str(destination)[:200]!r}, not to {expected.acs!r}")
    _in_response_to(response.get("InResponseTo"), expected)
    codes = _status(needed(response, "samlp:Status"))
    if codes[:1] != [SUCCESS]:
        said = ", ".join(code.rpartition(":")[2] for code in codes)[:200]
        if not empty:
            raise SamlRefused("status", f"an assertion beside the status {said}")
        raise SignInRefused(
            "The identity provider did not sign you in. You can try again.", f"saml status: {said}"
        )


def judge_assertion(assertion: Element, expected: Expected) -> float:
    """Until when its id must not count again, in seconds since the epoch. Raise ``SamlRefused``."""
    _version(assertion)
    if not assertion.get("ID"):
        raise SamlRefused("structure", "an assertion without an id")
    _issuer(assertion, expected, optional=False)
    _conditions(needed(assertion, "saml:Conditions"), expected)
    until = _confirmed(needed(assertion, "saml:Subject"), expected)
    for statement in children(assertion, "saml:AuthnStatement"):
        end = statement.get("SessionNotOnOrAfter")
        if end is not None and moment(end) <= expected.now - SKEW:
            raise SamlRefused("time", "the session at the provider has ended")
        if moment(statement.get("AuthnInstant") or "") > expected.now + SKEW:
            raise SamlRefused("time", "authenticated in the future")
    return until + SKEW


def _version(element: Element) -> None:
    if element.get("Version") != "2.0":
        raise SamlRefused("version", f"version {str(element.get('Version'))[:20]!r}")


def _issuer(element: Element, expected: Expected, *, optional: bool) -> None:
    found = child(element, "saml:Issuer")
    if found is None and optional:
        return
    if found is None or found.get("Format", ENTITY) != ENTITY or text(found).strip() != expected.issuer:
        said = text(found).strip()[:200] if found is not None else ""
        raise SamlRefused("issuer", f"issued by {said!r}, not by {expected.issuer!r}")


def _status(status: Element) -> list[str]:
    codes: list[str] = []
    code = child(status, "samlp:StatusCode")
    while code is not None and len(codes) < 4:
        codes.append(code.get("Value") or "")
        code = child(code, "samlp:StatusCode")
    return codes


def _in_response_to(value: str | None, expected: Expected) -> None:
    if expected.request is None:
        if value is not None:
            # Somebody else's request: an answer that was meant for another browser (SAML Profiles §4.1.5).
            raise SamlRefused("unsolicited", "answers a request, but none of this browser")
    elif value is None:
        raise SamlRefused("unsolicited", "answers no request")
    elif value != expected.request:
        raise SamlRefused("request", "answers another request than this browser's")


def _conditions(conditions: Element, expected: Expected) -> None:
    _within(conditions, expected.now)
    if any(item.tag not in _CONDITIONS for item in conditions):
        raise SamlRefused(
            "structure", "a condition that is not known"
        )  # SAML Core §2.5.1: then it is invalid
    restrictions = children(conditions, "saml:AudienceRestriction")
    if not restrictions:
        raise SamlRefused("audience", "meant for nobody in particular")
    for restriction in restrictions:  # §2.5.1.4: every one must hold
        audiences = [text(audience).strip() for audience in children(restriction, "saml:Audience")]
        if expected.audience not in audiences:
            said = ", ".join(audiences)[:200]
            raise SamlRefused("audience", f"meant for {said!r}, not for {expected.audience!r}")


def _within(element: Element, now: float) -> None:
    before, after = element.get("NotBefore"), element.get("NotOnOrAfter")
    if before is not None and moment(before) > now + SKEW:
        raise SamlRefused("time", f"not good before {before}")
    if after is not None and moment(after) <= now - SKEW:
        raise SamlRefused("time", f"not good any more since {after}")


def _confirmed(subject: Element, expected: Expected) -> float:
    """When the bearer confirmation ends. One that fits is enough (SAML Core §2.4.1.1)."""
    failure: SamlRefused | None = None
    for confirmation in children(subject, "saml:SubjectConfirmation"):
        if confirmation.get("Method") != BEARER:
            continue
        try:
            return _bearer(confirmation, expected)
        except SamlRefused as refused:
            failure = failure or refused
    raise failure or SamlRefused("confirmation", "no bearer confirmation")


def _bearer(confirmation: Element, expected: Expected) -> float:
    data = child(confirmation, "saml:SubjectConfirmationData")
    if data is None:
        raise SamlRefused("confirmation", "a bearer confirmation without its data")
    if data.get("Recipient") != expected.acs:
        raise SamlRefused("recipient", f"for {str(data.get('Recipient'))[:200]!r}, not for {expected.acs!r}")
    if data.get("NotOnOrAfter") is None or data.get("NotBefore") is not None:
        # SAML Profiles §4.1.4.2: it must have the one and must not have the other.
        raise SamlRefused("confirmation", "a bearer confirmation without end, or with a beginning")
    _within(data, expected.now)
    end = moment(data.get("NotOnOrAfter"))
    if end > expected.now + MAX_LIFE:
        raise SamlRefused("time", "good for more than a day")
    _in_response_to(data.get("InResponseTo"), expected)
    return end

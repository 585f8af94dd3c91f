"""Single logout by HTTP-Redirect: what a provider sends, and what it is told (SAML Profiles §4.4, checklist
S9).

Only signed messages count. A request ends what it names; a response ends nothing, it is the provider's
receipt.
"""

from __future__ import annotations

from msgspec import Struct

from gatekit.errors import SamlRefused
from gatekit.identity.saml.documents import Element, child, children, needed, parse, text
from gatekit.identity.saml.judge import SKEW
from gatekit.identity.saml.metadata import Provider
from gatekit.identity.saml.names import UNSPECIFIED, tag
from gatekit.identity.saml.request import check_query, inflated
from gatekit.identity.saml.response import Name
from gatekit.identity.saml.times import moment

MAX_AGE = 300.0
"""Seconds that a request without an end of its own is good for."""
MAX_INDICES = 50


class Asked(Struct, frozen=True, kw_only=True):
    """A provider's logout request, verified."""

    id: str
    name: Name
    indices: tuple[str, ...]
    relay_state: str
    good_until: float


def read_request(raw: str, provider: Provider, here: str, now: float) -> Asked:
    """``raw``: the query as it came; ``here``: our logout address. Raise ``SamlRefused``."""
    fields = check_query(raw, "SAMLRequest", provider.keys)
    root = parse(inflated(fields["SAMLRequest"]))
    if root.tag != tag("samlp:LogoutRequest"):
        raise SamlRefused("structure", "not a samlp:LogoutRequest")
    _common(root, provider, here, now)
    until = root.get("NotOnOrAfter")
    end = moment(until) if until is not None else moment(root.get("IssueInstant") or "") + MAX_AGE
    if end <= now - SKEW:
        raise SamlRefused("time", "the request has expired")
    name = child(root, "saml:NameID")
    indices = [text(item) for item in children(root, "samlp:SessionIndex")]
    if name is None or len(indices) > MAX_INDICES:
        raise SamlRefused("subject", "names nobody, or too many sessions")
    return Asked(
        id=root.get("ID") or "",
        name=Name(text(name), name.get("Format") or UNSPECIFIED),
        indices=tuple(indices),
        relay_state=fields.get("RelayState", ""),
        good_until=min(end, now + 86_400.0) + SKEW,
    )


def read_response(raw: str, provider: Provider, here: str, now: float) -> str:
    """The request that it answers. Raise ``SamlRefused``."""
    fields = check_query(raw, "SAMLResponse", provider.keys)
    root = parse(inflated(fields["SAMLResponse"]))
    if root.tag != tag("samlp:LogoutResponse"):
        raise SamlRefused("structure", "not a samlp:LogoutResponse")
    _common(root, provider, here, now)
    return root.get("InResponseTo") or ""


def _common(root: Element, provider: Provider, here: str, now: float) -> None:
    if root.get("Version") != "2.0" or not root.get("ID"):
        raise SamlRefused("version", "no id, or another version than 2.0")
    if root.get("Destination") != here:  # SAML Bindings §3.4.5.2: a signed message must say it
        raise SamlRefused("destination", f"sent to {str(root.get('Destination'))[:200]!r}")
    if text(needed(root, "saml:Issuer")).strip() != provider.entity_id:
        raise SamlRefused("issuer", "not of this provider")
    if abs(moment(root.get("IssueInstant") or "") - now) > MAX_AGE + SKEW:
        raise SamlRefused("time", "not made a moment ago")

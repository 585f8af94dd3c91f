"""What the rules of a connection make of a sign-in. Pure, so that ``gatekit connections test`` can show it.

Also where an e-mail address is taken apart: its domain is what stands after the one ``@`` it has. With
several (``a@good.example@evil.example``) two readers could see two domains, so it has none (checklist F1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from gatekit.model.connections import Admit, ConnectionRules, GroupRules
from gatekit.model.people import ExternalIdentity


class Mapped(Struct, frozen=True):
    """Who somebody is here, with the names that the rules chose."""

    identity: ExternalIdentity
    groups: frozenset[str]
    """Local groups that the provider's groups stand for."""


class NotAdmitted(Struct, frozen=True):
    reason: str
    """For people and for the record."""


def apply(identity: ExternalIdentity, rules: ConnectionRules) -> Mapped | NotAdmitted:
    """The names first, then whether the connection lets such a person in.

    Whether the policy does, and whether somebody new becomes a person here, is decided elsewhere.
    """
    named = _named(identity, rules)
    domain = domain_of(named.email) if named.email_verified else ""
    if rules.domains and domain not in rules.domains:
        return NotAdmitted(f"no verified address in {' or '.join(rules.domains)}")
    if _conditions(rules.admit) and not _admits(rules.admit, domain, named.provider_groups):
        return NotAdmitted("neither the address nor a group fits what `admit` names")
    return Mapped(named, local_groups(rules.groups, named.provider_groups))


def domain_of(email: str | None) -> str:
    """The domain of an address, lower case; empty if it has none that everybody agrees on."""
    local, mark, domain = (email or "").partition("@")
    if not local or not mark or "@" in domain:
        return ""
    return domain.lower().rstrip(".")


def local_groups(rules: GroupRules, asserted: Iterable[str]) -> frozenset[str]:
    """Local groups that provider groups stand for."""
    wanted = frozenset(asserted)
    return frozenset(local for name, local in rules.mapped if name in wanted)


def _conditions(admit: Admit) -> bool:
    return bool(admit.domains or admit.groups)


def _admits(admit: Admit, domain: str, groups: Iterable[str]) -> bool:
    if domain and domain in admit.domains:
        return True
    return not frozenset(admit.groups).isdisjoint(groups)


def _named(identity: ExternalIdentity, rules: ConnectionRules) -> ExternalIdentity:
    """With the attributes that ``map`` chose. An address from another attribute than the provider's own is
    not verified by anybody. What the provider's own code read already comes out the same."""
    names, said = rules.names, identity.attributes
    login = _one(said, names.login) or identity.login
    display_name = _one(said, names.display_name) or identity.display_name
    email = _one(said, names.email) or identity.email
    verified = identity.email_verified and email == identity.email
    groups = frozenset(said[names.groups]) if names.groups in said else identity.provider_groups
    return replace(
        identity,
        login=login,
        display_name=display_name,
        email=email,
        email_verified=verified,
        provider_groups=groups,
    )


def _one(said: Mapping[str, tuple[str, ...]], name: str) -> str:
    values = said.get(name, ()) if name else ()
    return str(values[0]) if len(values) == 1 and str(values[0]).isprintable() else ""

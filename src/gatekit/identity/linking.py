"""A sign-in that belongs to somebody who is known by another connection (checklist F2).

Off unless both connections say so. An address links only when both providers verified it, both are believed
about its domain, exactly one person has it, and that person cannot change others' roles: an address that
somebody gets at one provider must not become the account of an administrator by itself.
"""

from __future__ import annotations

from collections.abc import Callable

from gatekit.identity.rules import domain_of
from gatekit.model.connections import ConnectionRules
from gatekit.model.people import ExternalIdentity, Identity, User
from gatekit.store.people_ports import Identities, Users

Rules = Callable[[str], ConnectionRules]
"""Of a connection by name; of an unknown one: nothing is allowed."""


async def to_link(
    identity: ExternalIdentity, users: Users, identities: Identities, rules: Rules
) -> User | None:
    """Whom the sign-in may be added to; None: nobody. Raises ``StoreError``.

    Also somebody who is disabled: it is them, and they do not come in anew by another door.
    """
    # Beyond ASCII, letters fold into each other (K into k), and no two programs agree which.
    email = (identity.email or "").lower() if (identity.email or "").isascii() else ""
    domain = domain_of(email)
    if not identity.email_verified or not _trusts(rules(identity.connection), domain):
        return None
    found = await users.by_email(email, 2)
    if len(found) != 1:  # nobody, or more than one
        return None
    (user,) = found
    if not user.email_verified or user.role in ("admin", "owner"):
        return None
    if user.connection == identity.connection or not _trusts(rules(user.connection), domain):
        return None
    there = await identities.of_user(user.id)
    return None if any(one.connection == identity.connection for one in there) else user


def linked(identity: ExternalIdentity, user: User, now: int) -> Identity:
    return Identity(
        user_id=user.id,
        connection=identity.connection,
        issuer=identity.issuer,
        subject=identity.subject,
        login=identity.login,
        email=identity.email,
        email_verified=identity.email_verified,
        created_at=now,
    )


def _trusts(rules: ConnectionRules, domain: str) -> bool:
    return rules.enabled and rules.link and bool(domain) and domain in rules.trusted_domains

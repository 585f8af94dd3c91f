"""What a provider keeps here about people by SCIM, beside what Gatekit knows of them."""

from __future__ import annotations

from msgspec import Struct

from gatekit.model.people import Group, User


class Account(Struct, frozen=True, kw_only=True):
    """A person as their home connection provisions them. One for each person at most, and gone with them."""

    user_id: str
    connection: str
    user_name: str
    """As the provider writes it."""
    user_key: str
    """The same, folded: unique within the connection (RFC 7643 §4.1.1)."""
    external_id: str = ""
    """The provider's own id; nothing makes it unique."""
    body: str = "{}"
    """The other attributes as JSON, with canonical names."""
    active: bool = True
    """What the provider said last. Whether the person may come in is ``User.disabled``."""
    held: bool = False
    """The person was disabled here already when the provider deactivated them: what it gives back is not
    enough to let them in."""
    version: int = 1
    created_at: int = 0
    updated_at: int = 0


class Provisioned(Struct, frozen=True):
    """A person and what is provisioned of them."""

    user: User
    account: Account


class ProvisionedGroup(Struct, frozen=True):
    """A group that a provider provisioned. ``version`` counts its changes, members included."""

    group: Group
    version: int


class SavedGroup(Struct, frozen=True):
    """What became of a change: who really joined and left."""

    version: int
    joined: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class ScimToken(Struct, frozen=True, kw_only=True):
    """What a provider presents. Stored as a hash; it opens one connection's people and nothing else."""

    id: str
    connection: str
    token_hash: str
    hint: str
    """Its last characters, to tell several apart."""
    created_at: int
    expires_at: int = 0
    """0: never."""
    revoked_at: int | None = None
    last_used_at: int | None = None


def is_live(token: ScimToken, now: float) -> bool:
    return token.revoked_at is None and (token.expires_at == 0 or token.expires_at > now)

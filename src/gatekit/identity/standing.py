"""Does somebody still count?  One pure function, asked by every grant type and by every bearer check.

Keycloak published five advisories in 2026 because one grant type forgot to ask (checklist R6). Here there is
one place to forget nothing in, and one service that loads the rows for it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, Literal, Protocol

from msgspec import Struct
from msgspec.structs import replace

from gatekit.identity.ports import Admission
from gatekit.model.access import Active, Inactive, Standing
from gatekit.model.oauth import CLIENT_CREDENTIALS, Client, Grant
from gatekit.model.people import SERVICE, SERVICE_ACCOUNT, Principal, User
from gatekit.store.client_ports import Clients
from gatekit.store.people_ports import Users
from gatekit.store.ports import Grants


class _NotInvolved(Enum):
    NOT_INVOLVED = "not involved"


NOT_INVOLVED: Final = _NotInvolved.NOT_INVOLVED
"""Says that there is no client or grant to judge (a browser session, an API key). ``None`` means that there
should be one and the row is gone, which is a refusal."""

NotInvolved = Literal[_NotInvolved.NOT_INVOLVED]


def principal_is_active(
    user: User | None,
    client: Client | NotInvolved | None,
    grant: Grant | NotInvolved | None,
    *,
    connection_enabled: bool,
    admitted: bool,
    now: float,
    way_enabled: bool = True,
) -> Standing:
    """Judge one person, the client that acts for them and the grant it acts under.

    ``admitted`` is the gateway-wide policy's word, ``connection_enabled`` says whether the person's identity
    provider is still configured, ``way_enabled`` the same of the connection over which this grant or browser
    session came (False only if one is known), ``now`` is in seconds since the epoch. Whatever is missing
    refuses.
    """
    return (
        _refuse_person(user, connection_enabled, admitted)
        or (None if way_enabled else Inactive("the connection it came over is not configured any more"))
        or _refuse_client(client)
        or _refuse_grant(grant, user, client, now)
        or Active()
    )


def _refuse_person(user: User | None, connection_enabled: bool, admitted: bool) -> Inactive | None:
    if user is None:
        return Inactive("the user does not exist any more")
    if user.disabled:
        return Inactive("the user is disabled")
    if not connection_enabled:
        return Inactive(f"the connection {user.connection!r} is not configured any more")
    if not admitted:
        return Inactive("the policy does not admit this user")
    return None


def _refuse_client(client: Client | NotInvolved | None) -> Inactive | None:
    if client is NOT_INVOLVED:
        return None
    if client is None:
        return Inactive("the client does not exist any more")
    if client.disabled:
        return Inactive("the client is disabled")
    return None


def _refuse_grant(
    grant: Grant | NotInvolved | None, user: User | None, client: Client | NotInvolved | None, now: float
) -> Inactive | None:
    if grant is NOT_INVOLVED:
        return None
    if grant is None:
        return Inactive("the grant does not exist any more")
    if grant.revoked_at is not None:
        return Inactive(f"the grant was revoked: {grant.revoke_reason}")
    if grant.expires_at <= now:
        return Inactive("the grant has reached its absolute end")
    if user is None or grant.user_id != user.id:
        return Inactive("the grant belongs to somebody else")
    if isinstance(client, Client) and grant.client_id != client.id:
        return Inactive("the grant belongs to another client")
    return None


def acts_for_itself(client: Client | None) -> bool:
    """Whether a client is a principal of its own (RFC 6749 §4.4): the operator says so, it can prove itself,
    and it is not disabled."""
    return (
        client is not None
        and client.source == "configured"
        and client.auth_method != "none"
        and CLIENT_CREDENTIALS in client.grant_types
        and not client.disabled
    )


class Directory(Protocol):
    """``identity.directory`` implements it."""

    async def principal(self, user_id: str) -> Principal | None: ...


class StandingRows(Protocol):
    """The part of ``store.ports.Store`` that is needed here."""

    @property
    def users(self) -> Users: ...
    @property
    def clients(self) -> Clients: ...
    @property
    def grants(self) -> Grants: ...


class Upright(Struct, frozen=True, kw_only=True):
    """Everybody involved is in good standing; the rows as they were read."""

    user: User
    principal: Principal
    client: Client | None = None
    grant: Grant | None = None


class Standings:
    """Loads the rows and asks ``principal_is_active``."""

    def __init__(
        self,
        rows: StandingRows,
        directory: Directory,
        policy: Callable[[], Admission],
        connections: Callable[[], frozenset[str]],
    ) -> None:
        self._rows = rows
        self._directory = directory
        self._policy = policy
        self._connections = connections

    async def person(self, user_id: str, now: float, way: str = "") -> Upright | Inactive:
        """Judge a person alone: an API key, a browser session. ``way``: the connection that it came over."""
        user = await self._rows.users.get(user_id)
        return await self._judge(user, NOT_INVOLVED, NOT_INVOLVED, now, way=way)

    async def known(self, user_id: str, now: float) -> Upright | Inactive:
        """Judge a person alone, whomever the policy admits: there is no token that says groups."""
        user = await self._rows.users.get(user_id)
        return await self._judge(user, NOT_INVOLVED, NOT_INVOLVED, now, admitted=True)

    async def asserted(
        self, user_id: str, said: frozenset[tuple[str, str]], now: float
    ) -> Upright | Inactive:
        """Judge a person with the (connection, group) pairs that another issuer's token names, instead of
        whatever providers said before."""
        user = await self._rows.users.get(user_id)
        return await self._judge(user, NOT_INVOLVED, NOT_INVOLVED, now, said)

    async def grant(self, grant_id: str, now: float) -> Upright | Inactive:
        """Judge a grant, its person and its client: a code, a refresh token, an access token."""
        found = await self._rows.grants.with_parties(grant_id)
        if found is None:
            return Inactive("the grant does not exist any more")
        grant, user, client = found
        return await self._judge(user, client, grant, now, way=grant.connection)

    async def _vouched_for(self, user: User) -> bool:
        """Whether whoever says that somebody is who they are is configured."""
        if user.connection == SERVICE:
            return acts_for_itself(await self._rows.clients.get(user.subject))
        if user.connection == SERVICE_ACCOUNT:  # an administrator, who made it and can disable it
            return True
        return user.connection in self._connections()

    async def _judge(
        self,
        user: User | None,
        client: Client | NotInvolved | None,
        grant: Grant | NotInvolved,
        now: float,
        said: frozenset[tuple[str, str]] | None = None,
        *,
        admitted: bool = False,
        way: str = "",
    ) -> Upright | Inactive:
        principal = await self._directory.principal(user.id) if user is not None else None
        if principal is not None and said is not None:
            home = principal.connection
            principal = replace(
                principal,
                provider_groups=frozenset(name for connection, name in said if connection == home),
                linked_groups=frozenset(pair for pair in said if pair[0] != home),
            )
        standing = principal_is_active(
            user,
            client,
            grant,
            connection_enabled=user is not None and await self._vouched_for(user),
            way_enabled=not way or user is None or way == user.connection or way in self._connections(),
            admitted=principal is not None and (admitted or self._policy().admits(principal)),
            now=now,
        )
        if isinstance(standing, Inactive):
            return Inactive(standing.reason, user.id, user.username) if user is not None else standing
        if user is None or principal is None:  # for the type checker: principal_is_active refused both
            return Inactive("the user does not exist any more")
        return Upright(
            user=user,
            principal=principal,
            client=client if isinstance(client, Client) else None,
            grant=grant if isinstance(grant, Grant) else None,
        )

"""Who the local person is, and the door that knows nobody else (docs/decisions/0014-local-person.md).

There is no credential: who can start ``gatekit stdio`` on a data directory can read that directory, keys and
all. The rules still hold, so that the same file means the same for a person wherever they come in, and an
agent that runs on their behalf is held to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec.structs import replace

from gatekit.errors import BearerError, NotFound, SignInRefused, TokenInvalid
from gatekit.identity.standing import NOT_INVOLVED, principal_is_active
from gatekit.model.access import EVERY_SERVER, Access, Asked, Inactive
from gatekit.model.people import LOCAL, Principal
from gatekit.model.rules import ByLogin, Rules
from gatekit.model.scopes import ALL
from gatekit.policy.engine import Policy
from gatekit.store.people_ports import Users

CONNECTION = "os"
"""Connection of a person whom only the operating system knows."""
CLIENT = "stdio"


class Directory(Protocol):
    """``identity.directory.Directory``."""

    async def principal(self, user_id: str) -> Principal | None: ...


def os_person(uid: int, name: str) -> Principal:
    """The operating system's user, where no rules name anybody."""
    return Principal(id=f"os:{uid}", username=name, connection=CONNECTION, login=name)


class People:
    """Finds the local person among the accounts and names of one installation."""

    def __init__(self, users: Users, directory: Directory) -> None:
        self._users = users
        self._directory = directory

    async def find(self, name: str, rules: Rules, connections: frozenset[str], now: float) -> Principal:
        """The person called ``name``: an account of the store, or else a name that the file's lists hold.

        Raises ``NotFound`` for neither, ``SignInRefused`` for somebody who may not come in, ``StoreError``.
        """
        user = await self._users.by_username(name)
        if user is None:
            return self._named_in_file(name, rules)
        principal = await self._directory.principal(user.id)
        standing = principal_is_active(
            user,
            NOT_INVOLVED,
            NOT_INVOLVED,
            connection_enabled=user.connection in connections,
            admitted=principal is not None and Policy.compile(rules).admits(principal),
            now=now,
        )
        if isinstance(standing, Inactive) or principal is None:
            reason = standing.reason if isinstance(standing, Inactive) else "the user is disabled"
            raise SignInRefused(f"{name} may not use this gateway: {reason}")
        return principal

    def _named_in_file(self, name: str, rules: Rules) -> Principal:
        if name.lower() not in _named(rules):
            raise NotFound(
                f"nobody here is called {name!r}: say who you are with --user NAME "
                "(gatekit users list shows the accounts; or name yourself in a list of the file)"
            )
        principal = Principal(
            id=f"{LOCAL}:{name.lower()}", username=name.lower(), connection=LOCAL, login=name.lower()
        )
        if not Policy.compile(rules).admits(principal):
            raise SignInRefused(f"{name} may not use this gateway: the policy does not admit this user")
        return principal


def _named(rules: Rules) -> frozenset[str]:
    """Every local username that some list of the file holds."""
    lists = [rules.gateway or (), *(members for _, members in rules.groups)]
    for server in rules.servers:
        lists += [server.allowed or (), *(tool.allowed for tool in server.tools)]
    lists += [rule.who or () for rule in rules.rules if rule.effect == "allow" and not rule.shadow]
    return frozenset(
        selector.login.lower()
        for members in lists
        for selector in members
        if isinstance(selector, ByLogin) and selector.connection == LOCAL
    )


class LocalDoor:
    """Implements ``gateway.ports.Door``: everything that comes in is the one local person's."""

    def __init__(self, principal: Principal, server: str) -> None:
        """``server``: the only one that may be used; ``""`` for all that the rules allow."""
        self._access = Access(
            principal=principal,
            client_id=CLIENT,
            client_name="",
            credential="local",
            credential_id="",
            servers=frozenset({server or EVERY_SERVER}),
            aggregate=not server,
            scopes=frozenset(ALL),
        )
        self._refusal = ""

    @property
    def access(self) -> Access:
        return self._access

    def introduce(self, client: str) -> None:
        """The client says what it is called. Unverified, as everywhere."""
        self._access = replace(self._access, client_name=client)

    def admit(self, principal: Principal) -> None:
        """The person as they are now (groups may have changed)."""
        self._access = replace(self._access, principal=principal)
        self._refusal = ""

    def refuse(self, reason: str) -> None:
        """From now on nothing more is let in."""
        self._refusal = reason

    @property
    def refusal(self) -> str:
        return self._refusal

    def cached(self, authorization: bytes) -> Access | None:  # noqa: ARG002
        return None if self._refusal else self._access

    async def check(self, authorization: Sequence[bytes], asked: Asked | None = None) -> Access:  # noqa: ARG002
        if self._refusal:
            raise TokenInvalid(self._refusal, self._refusal)
        return self._access

    def challenge(self, error: BearerError, server: str, legacy: bool = False) -> str:  # noqa: ARG002
        return ""  # there is nothing to sign in to

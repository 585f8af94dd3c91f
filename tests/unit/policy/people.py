"""People for the tests of this room."""

from __future__ import annotations

from gatekit.model.people import Principal


def local(
    username: str = "alice",
    *,
    email: str | None = None,
    verified: bool = True,
    groups: frozenset[str] = frozenset(),
) -> Principal:
    return Principal(
        id=f"usr_{username}",
        username=username,
        connection="local",
        email=email,
        email_verified=verified,
        groups=groups,
    )


def github(
    login: str = "octocat",
    *,
    connection: str = "github",
    username: str | None = None,
    email: str | None = None,
    verified: bool = True,
    provider_groups: frozenset[str] = frozenset(),
) -> Principal:
    return Principal(
        id=f"usr_{connection}_{login}",
        username=username or f"{login}-{connection}",
        connection=connection,
        login=login,
        email=email,
        email_verified=verified,
        provider_groups=provider_groups,
    )

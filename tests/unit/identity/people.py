"""Rows for the tests of this room."""

from __future__ import annotations

from gatekit.model.people import LOCAL, ExternalIdentity, User


def local(username: str, *, disabled: bool = False) -> User:
    return User(
        id=f"usr_{username}",
        connection=LOCAL,
        issuer=LOCAL,
        subject=f"usr_{username}",
        username=username,
        disabled=disabled,
        created_at=1,
        updated_at=1,
    )


def from_github(**changes: object) -> ExternalIdentity:
    values: dict[str, object] = {
        "connection": "github",
        "issuer": "https://github.com",
        "subject": "583231",
        "login": "octocat",
        "email": "octocat@example.com",
        "email_verified": True,
        "display_name": "The Octocat",
        "provider_groups": frozenset({"acme", "acme/platform"}),
    }
    return ExternalIdentity(**{**values, **changes})  # type: ignore[arg-type]

"""``gatekit users show``: one person, and all that hangs on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from gatekit.cli.context import Office, Workspace, located
from gatekit.cli.output import as_json, listed, minute, moment, print_facts, print_json, print_table

if TYPE_CHECKING:
    from gatekit.admin.factors import FactorsView
    from gatekit.admin.people import PersonView


@click.command()
@click.argument("username")
@as_json
@located
def show(workspace: Workspace, /, username: str, as_json: bool) -> None:
    """Show everything about one person: who it is, ways of signing in, browsers, applications, keys.

    \b
    Example:
      gatekit users show alice
    """
    view, parts = workspace.read(lambda office: _all(office, username))
    facts = person_facts(view)
    if as_json:
        print_json({**facts, **{name: [_json(row) for row in rows] for name, rows in parts.items()}})
        return
    print_facts({name: _word(value) for name, value in facts.items()})
    for name, rows in parts.items():
        click.echo(f"\n{name.replace('_', ' ').upper()}")
        if not rows:
            click.echo("none")
            continue
        columns = [column for column in rows[0] if column not in _ONLY_JSON]
        print_table(
            [_TITLES.get(column, column).upper() for column in columns],
            [[_cell(column, row[column]) for column in columns] for row in rows],
            "",
        )


_ONLY_JSON = frozenset({"scopes"})
_TITLES = {
    name: name.removesuffix("_at").replace("_", " ") + " (UTC)"
    for name in ("last_seen_at", "signed_in_at", "expires_at", "used_at", "last_used_at", "created_at")
}


async def _all(office: Office, username: str) -> tuple[PersonView, dict[str, list[dict[str, Any]]]]:
    actor = office.actor
    view = await office.people.show(actor, username)
    return view, {
        "identities": [
            {
                "connection": row.connection,
                "login": row.login,
                "subject": row.subject,
                "issuer": row.issuer,
                "last_seen_at": row.last_seen_at,
            }
            for row in await office.identities.list(actor, username)
        ],
        "passkeys": [
            {"name": row.name, "created_at": row.created_at, "last_used_at": row.last_used_at or None}
            for row in await office.passkeys.list(actor, username)
        ],
        "second_factor": _second_factor(await office.factors.show(actor, username)),
        "sessions": [
            {
                "id": row.id,
                "signed_in_at": row.session.auth_time,
                "expires_at": row.session.expires_at,
                "address": row.session.address,
                "agent": row.session.agent,
            }
            for row in await office.sessions.list(actor, username)
        ],
        "grants": [
            {
                "id": row.grant.id,
                "client": row.client_name,
                "resources": list(row.grant.resources),
                "scopes": list(row.grant.scopes),
                "used_at": row.used_at,
            }
            for row in await office.grants.list(actor, username)
        ],
        "keys": _keys(await office.keys.list(actor, username)),
        "admin_keys": _keys(await office.admin_keys.list(actor, username)),
    }


def _second_factor(view: FactorsView) -> list[dict[str, Any]]:
    if view.totp is None:
        return []
    return [
        {
            "kind": "authenticator",
            "recovery_codes_left": view.codes_left,
            "created_at": view.totp.created_at,
            "last_used_at": view.totp.last_used_at or None,
        }
    ]


def _keys(views: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {
            "id": view.key.id,
            "name": view.key.name,
            "state": view.state,
            "expires_at": view.key.expires_at,
            "last_used_at": view.key.last_used_at,
        }
        for view in views
    ]


def state(view: PersonView) -> str:
    if view.user.disabled:
        return "disabled"
    return "active" if view.has_password or view.user.connection != "local" else "invited"


def person_facts(view: PersonView) -> dict[str, Any]:
    """For programs."""
    user = view.user
    return {
        "username": user.username,
        "id": user.id,
        "display_name": user.display_name,
        "email": user.email,
        "email_verified": user.email_verified,
        "connection": user.connection,
        "login": user.login,
        "role": user.role,
        "groups": [m.group for m in view.groups if m.source == "local"],
        "provider_groups": [m.group for m in view.groups if m.source != "local"],
        "state": state(view),
        "disabled": user.disabled,
        "created_at": moment(user.created_at),
        "last_seen_at": moment(user.last_seen_at),
    }


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value or "")


def _json(row: dict[str, Any]) -> dict[str, Any]:
    return {name: moment(value) if name in _TITLES else value for name, value in row.items()}


def _cell(column: str, value: Any) -> str:
    if column in _TITLES:
        return minute(value)
    return listed(value) if isinstance(value, list) else str(value or "-")

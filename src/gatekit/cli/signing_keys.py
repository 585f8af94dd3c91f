"""``gatekit signing-keys``: the keys that sign tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gatekit.cli.context import Office, Workspace, located, placed
from gatekit.cli.output import as_json, minute, moment, print_json, print_table, yes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatekit.model.oauth import SigningKey

_TIMES = ("published_at", "signs_from", "retired_at")


@click.group(name="signing-keys", short_help="The keys that sign tokens: list, rotate, retire.")
@placed
def signing_keys() -> None:
    """Keys that sign access tokens and other statements. A running gateway follows within a second.

    \b
    Example:
      gatekit signing-keys list
    """


@signing_keys.command("list")
@click.option("--all", "ended", is_flag=True, help="Also those that are retired.")
@as_json
@located
def list_(workspace: Workspace, /, ended: bool, as_json: bool) -> None:
    """List keys (never their private halves).

    \b
    Example:
      gatekit signing-keys list --all
    """

    async def work(office: Office) -> list[SigningKey]:
        return list(await office.signing_keys.list(office.actor))

    facts = [fact for fact in _facts(workspace.read(work)) if ended or fact["state"] != "retired"]
    if as_json:
        print_json(facts)
        return
    print_table(
        ("KID", "PURPOSE", "STATE", "PUBLISHED", "SIGNS FROM", "RETIRED"),
        [tuple(fact[name] or "-" for name in ("kid", "purpose", "state", *_TIMES)) for fact in facts],
        "there are no keys yet; the gateway makes the first one when it starts",
    )


@signing_keys.command()
@as_json
@located
def rotate(workspace: Workspace, /, as_json: bool) -> None:
    """Publish the next key of each purpose. It signs ten minutes from now; nobody is signed out.

    \b
    Example:
      gatekit signing-keys rotate
    """
    made = workspace.change(lambda office: office.signing_keys.rotate(office.actor))
    if as_json:
        print_json([{"kid": key.kid, "purpose": key.purpose} for key in made])
        return
    for key in made:
        click.echo(f"{key.kid} ({key.purpose}) is published and signs from {minute(_signs_from(key))} UTC")


@signing_keys.command()
@click.argument("kid", metavar="KID")
@yes
@located
def retire(workspace: Workspace, /, kid: str, yes: bool) -> None:
    """End a key at once, because it leaked. What it signed counts for nothing from now on.

    Clients with a refresh token get a new access token by themselves; nobody has to sign in again.

    \b
    Example:
      gatekit signing-keys retire nVzPx3 --yes
    """
    if not yes:
        click.confirm(
            f"Retire the key {kid}? Everything it signed is refused from now on, and it cannot be taken back",
            abort=True,
            err=True,
        )
    successor = workspace.change(lambda office: office.signing_keys.retire(office.actor, kid))
    click.echo(f"{kid} is retired")
    if successor is not None:
        click.echo(f"{successor.kid} takes over at once", err=True)
    click.echo("Other resource servers keep what they fetched of our keys: see docs/keys.md", err=True)


def _signs_from(key: SigningKey) -> int:
    from gatekit.oauth.keys import PUBLISH_AHEAD

    return key.created_at + PUBLISH_AHEAD


def _facts(keys: Sequence[SigningKey]) -> list[dict[str, Any]]:
    from gatekit.oauth.keys import signs
    from gatekit.platform.clock import SystemClock

    now = SystemClock().now()
    by_purpose: dict[str, list[SigningKey]] = {}
    for key in keys:
        by_purpose.setdefault(key.purpose, []).append(key)
    return [
        {
            "kid": key.kid,
            "purpose": key.purpose,
            "algorithm": key.algorithm,
            "state": _state(key, signs(by_purpose[key.purpose], now), now),
            "published_at": moment(key.created_at),
            "signs_from": moment(_signs_from(key)),
            "retired_at": moment(key.retired_at),
        }
        for key in keys
    ]


def _state(key: SigningKey, signing: str | None, now: float) -> str:
    if key.retired_at is not None:
        return "retired"
    if key.kid == signing:
        return "signs"
    return "next" if _signs_from(key) > now else "verifies"

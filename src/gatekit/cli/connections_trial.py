"""``gatekit connections test``: does the provider answer, and what would a sign-in become?"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatekit.cli.connections_signin import PORT, signed_in
from gatekit.cli.context import Workspace, located
from gatekit.cli.output import as_json, print_facts, print_json
from gatekit.errors import ConfigError, IdentityError, InvalidInput, NotFound

if TYPE_CHECKING:
    from gatekit.config.model import Connection
    from gatekit.model.directory import LdapConnection


@click.command()
@click.argument("name")
@click.option(
    "--claims",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Claims of an id_token (or attributes, as names with values) as JSON: shows what they become.",
)
@click.option(
    "--user", help="LDAP: look this login up in the directory and show what a sign-in would become."
)
@click.option(
    "--sign-in", is_flag=True, help="Sign in at the provider in a browser, and show what that becomes."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    help="With --sign-in: where the browser comes back to, on this machine.",
)
@click.option(
    "--browser/--no-browser", default=True, help="With --sign-in: open a browser, or only say where."
)
@as_json
@located
def test(
    workspace: Workspace,
    /,
    name: str,
    claims: Path | None,
    user: str | None,
    sign_in: bool,
    port: int,
    browser: bool,
    as_json: bool,
) -> None:
    """Ask the provider for its metadata and keys, or a directory for a person; show what a sign-in becomes.

    Nothing is stored, and nobody is signed in here.

    \b
    Example:
      gatekit connections test okta --claims ada.json
      gatekit connections test corp --user ada
      gatekit connections test okta --sign-in
    """
    if sum((claims is not None, user is not None, sign_in)) > 1:
        raise InvalidInput("--claims, --user and --sign-in are three ways to say who: use one")
    connection = workspace.connection(name)
    if connection is None:
        raise NotFound(f"there is no connection {name}; `gatekit connections list` shows which there are")
    if sign_in:
        facts = _tried(connection, port, browser)
    else:
        facts = _previewed(connection, claims) if claims else asyncio.run(_asked(connection, user))
    if as_json:
        print_json(facts)
    else:
        print_facts({key: _shown(value) for key, value in facts.items()})
    if not facts["ok"]:
        raise SystemExit(1)


def _claims(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as bad:
        raise ConfigError([f"{path}: not JSON: {bad}"]) from bad
    if not isinstance(found, dict):
        raise ConfigError([f"{path}: expected claims as keys and values"])
    return found


def _previewed(connection: Connection, claims: Path) -> dict[str, Any]:
    from gatekit.identity.trial import preview

    return preview(connection, _claims(claims))


def _tried(connection: Connection, port: int, browser: bool) -> dict[str, Any]:
    from gatekit.cli.bridge import browse, tell
    from gatekit.identity.trial import become

    try:
        found = asyncio.run(signed_in(connection, port, browse if browser else lambda _: False, tell))
    except IdentityError as refused:
        return {"ok": False, "refused": refused.public, "reason": refused.detail}
    return become(connection, found)


async def _directory(connection: LdapConnection, user: str | None) -> dict[str, Any]:
    """Whether the directory lets us look people up, and what it says about one of them."""
    from gatekit.directories import ldap_threads, looking
    from gatekit.errors import ProviderFailed, SignInRefused
    from gatekit.identity.trial import become
    from gatekit.platform.clock import SystemClock

    threads = ldap_threads()
    provider = looking(connection, threads, SystemClock())
    servers = ", ".join(connection.urls)
    try:
        identity = await provider.preview(user or "gatekit-connections-test")
    except ProviderFailed as failed:
        return {"ok": False, "servers": servers, "trouble": failed.detail}
    except SignInRefused as refused:
        if user is None:
            account = connection.bind_dn or "none"
            return {"ok": True, "servers": servers, "account": account, "lets us search": True}
        return {"ok": False, "servers": servers, "refused": refused.public}
    finally:
        threads.close()
    return become(connection, identity)


async def _asked(connection: Connection, user: str | None) -> dict[str, Any]:
    """What the provider says about itself. Contacts it."""
    from gatekit.model.connections import OidcConnection
    from gatekit.model.directory import LdapConnection

    if isinstance(connection, LdapConnection):
        return await _directory(connection, user)
    if user is not None:
        raise InvalidInput("--user is for LDAP: other providers say who somebody is only when they sign in")
    if not isinstance(connection, OidcConnection):
        advice = "this kind publishes nothing that could be asked for; try --claims, or sign in"
        return {"ok": True, "connection": connection.name, "kind": connection.kind, "note": advice}
    from gatekit.errors import KeysUnavailable
    from gatekit.identity.oidc.provider import OidcProvider
    from gatekit.outgoing import openid_provider
    from gatekit.platform.clock import SystemClock, SystemEntropy

    provider = openid_provider(connection, SystemClock(), SystemEntropy())
    assert isinstance(provider, OidcProvider)
    facts: dict[str, Any] = {"ok": True, "issuer": connection.issuer}
    try:
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            facts[name] = await provider.discovery.endpoint(name)
        facts["keys"] = len(await provider.keys.keys(facts["jwks_uri"]))
        document = await provider.discovery.document()
    except KeysUnavailable as failed:
        return {"ok": False, "issuer": connection.issuer, "trouble": failed.detail or str(failed)}
    for name in ("userinfo_endpoint", "end_session_endpoint"):
        facts[name] = document.get(name, "none")
    facts["back-channel logout"] = bool(document.get("backchannel_logout_supported"))
    if not facts["keys"]:
        facts |= {"ok": False, "trouble": "none of its keys can verify a signature that is accepted here"}
    return facts


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)

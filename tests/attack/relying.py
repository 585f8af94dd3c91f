"""A relying party in the world of attacks: a client that an operator entered, and what it does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet

from gatekit.errors import OutboundRefused
from gatekit.model.oauth import Client
from tests.attack.world import Browser, World, returned

REDIRECT = "https://wiki.example/callback"
WIKI = {"client_id": "wiki", "redirect_uris": [REDIRECT]}


class Told:
    """Where relying parties hear of logouts: remembers what was sent, answers as it is told to."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        """(URL, logout token)"""
        self.answers: list[int | OutboundRefused] = []
        """What to answer next; 200 when there is nothing."""

    async def __call__(self, url: str, form: Mapping[str, str]) -> int:
        self.heard.append((url, form["logout_token"]))
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, OutboundRefused):
            raise answer
        return answer


async def listening(world: World) -> Told:
    """Let the gateway of ``world`` tell relying parties of logouts."""
    told = Told()
    world.services = replace(world.services, send=told)
    await world.boot()
    return told


async def enter(world: World, client_id: str = "wiki", **metadata: Any) -> Mapping[str, Any]:
    """Enter a relying party as an operator does."""
    await world.store.clients.add(
        Client(
            id=client_id,
            name=client_id.title(),
            redirect_uris=(REDIRECT,),
            source="configured",
            metadata=json.dumps(metadata),
        )
    )
    return {**WIKI, "client_id": client_id}


def url(world: World, client: Mapping[str, Any] = WIKI, **changes: Any) -> str:
    """An authentication request (OpenID Connect Core §3.1.2.1) that asks for nothing but the person."""
    params: dict[str, str | None] = {"scope": "openid", "resource": None, "nonce": "n-1", **changes}
    return world.authorize_url(client, **params)


async def code(
    world: World,
    browser: Browser,
    client: Mapping[str, Any] = WIKI,
    username: str = "alice",
    **changes: Any,
) -> str:
    """Go all the way to a code; sign in and agree where a page asks for it."""
    page = await browser.visit(url(world, client, **changes))
    if not page.is_redirect and 'name="password"' in page.text:
        page = await browser.submit(page, username=username, password=f"{username}-password")
    return returned(page if page.is_redirect else await world.approve(browser, page))["code"]


async def tokens(
    world: World, browser: Browser, client: Mapping[str, Any] = WIKI, **changes: Any
) -> dict[str, Any]:
    answer = await world.redeem(client, await code(world, browser, client, **changes))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def claims(world: World, token: str, algorithm: str = "ES256") -> dict[str, Any]:
    """What an independent library reads with our published keys."""
    async with world.http() as http:
        keys = KeySet.import_key_set((await http.get("/jwks")).json())
    return dict(jwt.decode(token, keys, algorithms=[algorithm]).claims)

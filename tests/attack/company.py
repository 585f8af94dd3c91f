"""A company with an OpenID provider of its own, and somebody who came over it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

from gatekit.errors import OutboundRefused
from gatekit.identity.mapping import Mapping
from gatekit.identity.ports import UPSTREAM
from gatekit.model.connections import ConnectionRules, Signals
from gatekit.model.people import Identity, User
from gatekit.platform.outbound import Answer
from tests.attack.world import Browser, World, returned
from tests.emulators.openid import OpenIdEmulator
from tests.emulators.transmitter import AUDIENCE, JWKS_URI, TRANSMITTER, Transmitter

PATH = "/backchannel-logout/acme"


class Company:
    """A world with a connection ``acme``, and somebody who came over it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.idp = OpenIdEmulator(world.clock, recheck=300.0)
        self.idp.token = {"refresh_token": "upstream-1"}
        self.idp.claims = {"sid": "session-1"}
        self.rules = ConnectionRules(
            signals=Signals(issuer=TRANSMITTER, audience=AUDIENCE, jwks_uri=JWKS_URI)
        )
        self.transmitter = Transmitter(world.clock)
        self.keys_down = False
        self._streams: dict[str, tuple[ConnectionRules, Transmitter]] = {}
        self.browser: Browser = world.browser()
        self.client: dict[str, Any] = {}
        self.tokens: dict[str, Any] = {}

    async def open(self) -> None:
        world = self.world
        world.providers["acme"] = self.idp.provider
        mapping = Mapping(
            world.store.users,
            world.store.groups,
            world.store.identities,
            clock=world.clock,
            entropy=world.entropy,
            admits=lambda principal: world.policy.admits(principal),
            rules=lambda _: self.rules,
            seal=lambda upstream: world.vault.seal(upstream, UPSTREAM),
        )
        world.services = replace(
            world.services,
            mapping=mapping,
            rules=self._rules,
            own_key_fetch=self._keys,
            recheck=lambda name: (self.idp.provider, 300.0) if name == "acme" else None,
        )
        await world.boot()
        self.browser = world.browser()  # of the server that was just built
        self.client = await world.register()
        self.tokens = await self.sign_in(self.browser)

    async def sign_in(self, browser: Browser) -> dict[str, Any]:
        world = self.world
        url = world.authorize_url(self.client, resource=f"{world.issuer}/s/clock/mcp")
        page = await browser.visit(url)
        link = page.text.split('href="/go/acme')[1].split('"')[0].replace("&amp;", "&")
        there = await browser.get(f"/go/acme{link}")
        sent = {k: v[0] for k, v in parse_qs(urlsplit(there.headers["location"]).query).items()}
        self.idp.nonce = sent["nonce"]
        page = await browser.visit(f"/callback/acme?code=x&state={sent['state']}")
        answer = returned(page if page.is_redirect else await world.approve(browser, page))
        response = await world.redeem(self.client, answer["code"])
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def told(self, token: str) -> int:
        async with self.world.http() as http:
            return (await http.post(PATH, data={"logout_token": token})).status_code

    async def in_(self) -> tuple[bool, bool]:
        """Whether the access token still opens something, and the browser is still signed in."""
        now = int(self.world.clock.now())
        sessions = await self.world.store.browser_sessions.list(await self._user_id(), now)
        return await self.world.alive(self.tokens["access_token"], "clock"), bool(sessions)

    async def _user_id(self) -> str:
        user = await self.world.store.users.by_identity("acme", self.idp.connection.issuer, "ada")
        assert user is not None
        return user.id

    async def person(self) -> User:
        user = await self.world.store.users.get(await self._user_id())
        assert user is not None
        return user

    async def moves_to(self, connection: str) -> None:
        """Their home is another one; this is a way in that was linked."""
        row = Identity(
            user_id=await self._user_id(), connection=connection, issuer="elsewhere", subject="ada"
        )
        await self.world.store.identities.add(row)
        await self.world.store.identities.settle(row)

    async def guest(self, subject: str) -> None:
        """Somebody else who came over it."""
        ident = self.world.entropy.ident("usr_")
        issuer = self.idp.connection.issuer
        await self.world.store.users.add(
            User(id=ident, username=subject, connection="acme", issuer=issuer, subject=subject)
        )

    # -- security events -------------------------------------------------------------------------------------

    async def push(self, events: dict[str, Any], /, **claims: Any) -> httpx2.Response:
        return await self.told_event(self.transmitter.sign(self.transmitter.claims(events, **claims)))

    async def told_event(
        self, token: str, connection: str = "acme", media: str = "application/secevent+jwt"
    ) -> httpx2.Response:
        async with self.world.http() as http:
            headers = {"Content-Type": media, "Accept": "application/json"}
            return await http.post(f"/ssf/{connection}", content=token.encode("latin-1"), headers=headers)

    def second_stream(self, connection: str) -> Transmitter:
        """Another connection with a stream of its own."""
        issuer = f"https://signals.{connection}.example"
        other = Transmitter(self.world.clock, issuer=issuer, audience=f"for {connection}")
        signals = Signals(issuer=issuer, audience=other.audience, jwks_uri=f"{issuer}/jwks")
        self._streams[connection] = (ConnectionRules(signals=signals), other)
        return other

    def _rules(self, name: str) -> ConnectionRules:
        if name == "acme":
            return self.rules
        return self._streams[name][0] if name in self._streams else ConnectionRules()

    async def _keys(self, method: str, url: str, **_: Any) -> Answer:
        assert method == "GET"
        if self.keys_down:
            raise OutboundRefused("signals.idp.example: cannot connect")
        sets = {JWKS_URI: self.transmitter}
        sets |= {rules.signals.jwks_uri: who for rules, who in self._streams.values() if rules.signals}
        return Answer(200, {}, json.dumps(sets[url].jwks()).encode())

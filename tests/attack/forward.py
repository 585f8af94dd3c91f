"""Forward-auth in the world of attacks: the door, a trusted proxy in front, applications behind that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2
from joserfc import jwt
from joserfc.jwk import KeySet
from starlette.applications import Starlette

from gatekit.model.people import LOCAL
from gatekit.model.rules import Anyone, ByGroup, ByLogin, Rules, ServerRules
from gatekit.model.target import Target
from gatekit.platform.peers import TrustedProxies
from gatekit.policy.engine import Policy
from gatekit.web.forward_auth import ForwardAuth
from gatekit.web.middleware import ClientAddress, HostGuard
from tests.attack.world import PAGES, Browser, World

PROXY = "10.0.0.1"
STRANGER = "198.51.100.7"
WIKI = Target(name="wiki", url="https://wiki.example", title="Wiki")
ROBOT = Target(name="robot", url="https://robot.example", title="Robot", sign_in=False)
ADMIN = Target(name="admin", url="https://apps.example/admin", title="Admin")
SHOP = Target(name="shop", url="https://apps.example/shop", title="Shop")
TARGETS = (WIKI, ROBOT, ADMIN, SHOP)
PAGE = {"accept": "text/html"}


class Front:
    """A world whose gateway stands behind a proxy. alice may use everything, bob wiki and shop."""

    def __init__(self, world: World) -> None:
        self.world = world
        rules = Rules(
            gateway=(Anyone(),),
            servers=(
                *world.rules.servers,
                ServerRules(server="wiki", allowed=(Anyone(),), place="proxy.forward_auth"),
                ServerRules(server="robot", allowed=(ByGroup("developers"),), place="proxy.forward_auth"),
                ServerRules(server="admin", allowed=(ByLogin(LOCAL, "alice"),), place="proxy.forward_auth"),
                ServerRules(server="shop", allowed=(Anyone(),), place="proxy.forward_auth"),
            ),
        )
        world.policy = Policy.compile(rules)
        self.targets: list[Target] = list(TARGETS)
        world.server.set_servers(world.settings.servers, targets=TARGETS)
        judge, passes = world.server.forward(lambda: self.targets)
        door = ForwardAuth(
            judge,
            passes,
            world.server.browser,
            world.server.sign_in_for,
            issuer=world.issuer,
            pages=PAGES,
        )
        proxies = TrustedProxies(["10.0.0.0/8"])
        app = Starlette(routes=[*door.routes(), *world.server.routes()])
        self.app = HostGuard(ClientAddress(app, proxies), [urlsplit(world.issuer).hostname or ""], proxies)

    def browser(self) -> Browser:
        """A person's browser, whose every request comes through the proxy."""
        return Browser(
            transport=httpx2.ASGITransport(self.app, client=(PROXY, 1)),
            base_url=self.world.issuer,
            timeout=30,
        )

    async def ask(
        self,
        uri: str = "/page?x=1",
        *,
        host: str = "wiki.example",
        method: str = "GET",
        headers: Mapping[str, str] | list[tuple[str, str]] | None = None,
        cookies: Mapping[str, str] | None = None,
        peer: str = PROXY,
        query: str = "",
        forwarded: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """What a proxy asks about one request of a client that sent ``headers``."""
        said = {
            "x-forwarded-method": method,
            "x-forwarded-proto": "https",
            "x-forwarded-host": host,
            "x-forwarded-uri": uri,
            **(forwarded or {}),
        }
        given = list(headers.items()) if isinstance(headers, Mapping) else list(headers or [])
        if cookies:
            given.append(("cookie", "; ".join(f"{name}={value}" for name, value in cookies.items())))
        transport = httpx2.ASGITransport(self.app, client=(peer, 1))
        async with httpx2.AsyncClient(transport=transport, base_url=self.world.issuer) as http:
            return await http.get(f"/verify{query}", headers=[*said.items(), *given])

    async def enter(
        self, browser: Browser, target: Target = WIKI, username: str = "alice", to: str = "/page?x=1"
    ) -> dict[str, str]:
        """Walk from the application to the sign-in page and back; the cookies at the application's host."""
        page = await browser.get(f"{target.origin}/.gatekit/start?target={target.name}&to={to}")
        page = await browser.visit(page.headers["location"])
        if not page.is_redirect:
            page = await browser.submit(page, username=username, password=f"{username}-password")
        done = await browser.get(page.headers["location"])
        assert done.status_code == 303, done.text
        assert done.headers["location"] == f"{target.origin}{to}"
        return at(browser, target)

    async def token(self, target: Target, username: str = "alice", **changes: Any) -> str:
        """An access token for an application, as a client gets it."""
        client = await self.world.register()
        found = await self.world.tokens(client, username=username, resource=target.url, **changes)
        return str(found["access_token"])


def at(browser: Browser, target: Target) -> dict[str, str]:
    """The cookies that a browser sends to an application."""
    host = urlsplit(target.url).hostname or ""
    return {
        cookie.name: cookie.value or ""
        for cookie in browser.cookies.jar
        if cookie.domain in (host, f".{host}", f"{host}.local")
    }


async def identity(world: World, response: httpx2.Response) -> dict[str, Any]:
    """What an application reads in the signed header, with our published keys."""
    async with world.http() as http:
        keys = KeySet.import_key_set((await http.get("/jwks")).json())
    token = jwt.decode(response.headers["x-gatekit-identity"], keys, algorithms=["ES256"])
    assert token.header["typ"] == "gatekit-identity+jwt"
    return dict(token.claims)

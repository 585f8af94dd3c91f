"""A whole authorization server on a scratch database, and browsers and clients to attack it with.

Everything is the real thing: store, vault, policy, people, pages. Only time is ours. The resource server is
the bearer check behind the smallest possible ASGI application, because what stands behind it does not matter
here.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import msgspec
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gatekit.errors import BearerError, SignInRefused, TokenInvalid
from gatekit.identity.directory import Directory
from gatekit.identity.local import Invitations, LocalPasswords
from gatekit.identity.mapping import Mapping as IdentityMapping
from gatekit.identity.passwords import HashCost, PasswordHasher
from gatekit.identity.ports import Leg
from gatekit.model.access import Asked
from gatekit.model.audit import AuditEvent
from gatekit.model.oauth import Client
from gatekit.model.people import LOCAL, ExternalIdentity, Group, Membership, User
from gatekit.model.resource import ResourceServer
from gatekit.model.rules import Anyone, ByGroup, ByLogin, Rules, ServerRules
from gatekit.oauth.core import Services
from gatekit.oauth.keys import new_key
from gatekit.oauth.server import AuthorizationServer
from gatekit.oauth.settings import OAuthSettings
from gatekit.platform.clock import SystemEntropy
from gatekit.platform.fetching import Exchange, Fetch
from gatekit.platform.vault import Vault, load_master_key, token_hash
from gatekit.policy.engine import Policy
from gatekit.store.sql.store import open_store
from gatekit.web.pages import HtmlPages

ISSUER = "https://gate.example"
START = 1_790_000_000.0
PAGES = HtmlPages()
"""Stateless but for compiled templates, so one is enough for all worlds."""
REPORTS = ResourceServer(
    name="reports",
    uri="https://reports.example/api",
    title="Reports",
    scopes=("reports:read", "reports:write"),
    auth_method="client_secret_basic",
    secret_hash=token_hash("the secret of reports"),
)
LEDGER = ResourceServer(
    name="ledger",
    uri="api://ledger",
    title="Ledger",
    auth_method="client_secret_post",
    secret_hash=token_hash("the secret of ledger"),
)
"""Resource servers elsewhere, for ``resource_servers=`` of a world."""
VERIFIER = "v" * 20 + "-._~" + "A1b2" * 10
LOOPBACK = "http://127.0.0.1/callback"
USED_LOOPBACK = "http://127.0.0.1:49152/callback"

BOTH_FORMATS = pytest.mark.parametrize("world", ["jwt", "opaque"], indirect=True)
"""For a test of access tokens that must hold whatever they look like."""

Params = Mapping[str, str | None]
Event = TypeVar("Event", bound=AuditEvent)


def s256(verifier: str) -> str:
    """RFC 7636 §4.2."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


class ManualClock:
    """Time stands still until somebody moves it."""

    def __init__(self, start: float = START) -> None:
        self.at = start

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += seconds


class Trail:
    """Keeps audit events in order; can be told to fail."""

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []
        self.failure: Exception | None = None

    async def write(self, event: AuditEvent) -> None:
        if self.failure is not None:
            raise self.failure
        self.events.append(event)

    def named(self, kind: type[Event], **fields: Any) -> list[Event]:
        return [
            event
            for event in self.events
            if isinstance(event, kind) and all(getattr(event, key) == value for key, value in fields.items())
        ]


class FakeProvider:
    """An identity provider that believes the ``code``: ``good-<subject>`` is that person."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.completed: list[Mapping[str, str]] = []

    @property
    def name(self) -> str:
        return self._name

    @property
    def title(self) -> str:
        return self._name.title()

    async def begin(self, callback_url: str) -> Leg:
        state = SystemEntropy().token("", 24)
        url = f"https://{self._name}.example/authorize?" + urlencode(
            {"state": state, "redirect_uri": callback_url}
        )
        return Leg(url, f'{{"state":"{state}"}}')

    async def complete(self, params: Mapping[str, str], secret: str, callback_url: str) -> ExternalIdentity:
        self.completed.append(dict(params))
        code = params.get("code", "")
        if params.get("state", "") not in secret or not code.startswith("good-"):
            raise SignInRefused("The provider refused.", "test provider refused")
        return ExternalIdentity(
            connection=self._name,
            issuer=f"https://{self._name}.example",
            subject=code[5:],
            login=code[5:],
            email=None,
            email_verified=False,
            display_name="<script>alert(1)</script>",
        )


class Browser(httpx2.AsyncClient):
    """A browser with its own cookies, which follows redirects inside the gateway only."""

    async def visit(self, url: str, **options: Any) -> httpx2.Response:
        """GET, following redirects as long as they stay on the gateway."""
        return await self._follow(await self.get(url, **options))

    async def submit(self, page: httpx2.Response, **fields: str) -> httpx2.Response:
        """Fill in and send the form of ``page``."""
        action, hidden = form_of(page.text)
        data = {**hidden, **fields}
        return await self._follow(await self.post(action, data=data))

    async def _follow(self, response: httpx2.Response) -> httpx2.Response:
        for _ in range(8):
            location = response.headers.get("location", "")
            if not (response.is_redirect and (location.startswith("/") or location.startswith(ISSUER))):
                return response
            response = await self.get(location)
        raise AssertionError("too many redirects")


def form_of(text: str, action: str = "") -> tuple[str, dict[str, Any]]:
    """(action, hidden and checked fields) of the first form, or of the one with ``action``."""
    for match in re.finditer(r"<form\b([^>]*)>(.*?)</form>", text, re.S | re.I):
        target = attribute(match[1], "action") or ""
        if action and target != action:
            continue
        fields: dict[str, Any] = {}
        for control in re.finditer(r"<input\b([^>]*)>", match[2], re.I):
            kind = (attribute(control[1], "type") or "text").lower()
            name = attribute(control[1], "name")
            if name is None or (kind == "checkbox" and not re.search(r"\bchecked\b", control[1])):
                continue
            if kind in ("hidden", "checkbox"):
                value = attribute(control[1], "value") or ""
                if kind == "checkbox":
                    fields.setdefault(name, []).append(value)
                else:
                    fields[name] = value
        return target, fields
    raise AssertionError(f"no form {action} in: {text[:500]}")


def attribute(tag: str, name: str) -> str | None:
    """An attribute's value, unescaped."""
    found = re.search(rf'\b{name}\s*=\s*"([^"]*)"', tag, re.I)
    return html.unescape(found[1]) if found else None


def provider_link(text: str, name: str) -> str:
    """The link of a sign-in page that starts a trip to provider ``name``."""
    found = re.search(rf'href="(/go/{name}\?[^"]*)"', text)
    assert found, text[:500]
    return html.unescape(found[1])


def returned(response: httpx2.Response) -> dict[str, str]:
    """What a redirect to the client carries; every parameter once."""
    assert response.is_redirect, (response.status_code, response.text[:300])
    query = parse_qs(urlsplit(response.headers["location"]).query, keep_blank_values=True)
    assert all(len(values) == 1 for values in query.values()), query
    return {name: values[0] for name, values in query.items()}


class World:
    """The server under test with its people, and shortcuts for what honest clients do."""

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, Any] | None = None,
        fetch: Fetch | None = None,
        exchange: Exchange | None = None,
    ) -> None:
        self.exchange = exchange
        self.directory = directory
        self.fetch = fetch
        self.clock = ManualClock()
        self.trail = Trail()
        self.entropy = SystemEntropy()
        self.providers: dict[str, Any] = {"github": FakeProvider("github"), "gitlab": FakeProvider("gitlab")}
        self.rules = Rules(
            gateway=(Anyone(),),
            servers=(
                ServerRules(server="files", allowed=(ByGroup("developers"),)),
                ServerRules(server="clock", allowed=(Anyone(),)),
                ServerRules(server="vault", allowed=(ByLogin(LOCAL, "alice"),)),
            ),
            resources=(
                ServerRules(server="reports", allowed=(Anyone(),)),
                ServerRules(server="ledger", allowed=(ByLogin(LOCAL, "alice"),)),
            ),
        )
        self.policy = Policy.compile(self.rules)
        self.settings = OAuthSettings(
            **{
                "issuer": ISSUER,
                "servers": (("files", "Files"), ("clock", "Clock"), ("vault", "")),
                **(settings or {}),
            }
        )
        self.issuer = self.settings.issuer
        self.files = f"{self.issuer}/s/files/mcp"
        self.people: dict[str, User] = {}

    async def open(self) -> None:
        self.store = await open_store(self.directory / "gatekit.db")
        self.vault = Vault(load_master_key(self.directory))
        self.hasher = PasswordHasher(HashCost(time_cost=1, memory_kib=8, parallelism=1))
        self.directory_of_people = Directory(self.store.users, self.store.groups, self.store.identities)
        self.passwords = LocalPasswords(self.store.users, self.hasher, self.clock)
        mapping = IdentityMapping(
            self.store.users,
            self.store.groups,
            self.store.identities,
            clock=self.clock,
            entropy=self.entropy,
            admits=lambda principal: self.policy.admits(principal),
        )
        self.services = Services(
            store=self.store,
            vault=self.vault,
            audit=self.trail,
            clock=self.clock,
            entropy=self.entropy,
            pages=PAGES,
            directory=self.directory_of_people,
            mapping=mapping,
            policy=lambda: self.policy,
            passwords={self.passwords.name: self.passwords},
            invitations=Invitations(
                self.store.users, self.store.invites, self.hasher, self.clock, self.store.browser_sessions
            ),
            providers=self.providers,
            fetch=self.fetch,
            exchange=self.exchange,
            key_fetch=self.fetch,
            own_key_fetch=self.fetch,
        )
        await self.boot()

    async def boot(self) -> None:
        """Build the server over the store that is there, as a restart does."""
        self.server = AuthorizationServer(self.settings, self.services)
        await self.server.start()
        self.app = Starlette(
            routes=[
                *self.server.routes(),
                Route("/s/{server}/mcp", self._resource, methods=["GET", "POST", "DELETE"]),
                Route("/mcp", self._resource, methods=["GET", "POST", "DELETE"]),
            ]
        )

    async def reopen(self, **settings: Any) -> None:
        """Restart with other settings."""
        self.settings = msgspec.structs.replace(self.settings, **settings)
        await self.boot()

    async def changed(self) -> None:
        """What a gateway does when another process has changed something."""
        self.directory_of_people.forget()
        await self.server.changed()

    async def rotate_keys(self) -> str:
        """What ``gatekit signing-keys rotate`` does to a gateway that runs."""
        key = new_key(self.vault, "access-token", int(self.clock.now()))
        await self.store.signing_keys.add(key)
        await self.changed()
        return key.kid

    async def retire_key(self, kid: str) -> None:
        """What ``gatekit signing-keys retire`` does."""
        await self.store.signing_keys.retire(kid, int(self.clock.now()))
        await self.changed()

    async def close(self) -> None:
        self.hasher.close()
        await self.store.close()

    async def add_person(self, username: str, password: str, groups: Sequence[str] = ()) -> User:
        user = User(
            id=self.entropy.ident("usr_"),
            connection=LOCAL,
            issuer=LOCAL,
            subject=username,
            username=username,
            created_at=int(self.clock.now()),
        )
        await self.store.users.add(user, await self.hasher.hash(password))
        known = await self.store.groups.names()
        for group in groups:
            if group not in known:
                await self.store.groups.create(Group(id=f"grp_{group}", name=group))
            await self.store.groups.add(Membership(user_id=user.id, group=group))
        self.people[username] = user
        return user

    # -- browsers and clients ------------------------------------------------------------------------------

    def browser(self, address: str = "198.51.100.7") -> Browser:
        return Browser(
            transport=httpx2.ASGITransport(self.app, client=(address, 1)), base_url=self.issuer, timeout=30
        )

    def http(self, address: str = "198.51.100.7") -> httpx2.AsyncClient:
        """A client program: no cookies are kept between uses."""
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(self.app, client=(address, 1)), base_url=self.issuer, timeout=30
        )

    async def register(self, **metadata: Any) -> dict[str, Any]:
        wanted = {
            "client_name": "Test client",
            "redirect_uris": [LOOPBACK],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            **metadata,
        }
        async with self.http() as http:
            response = await http.post("/register", json=wanted)
        assert response.status_code == 201, response.text
        found: dict[str, Any] = response.json()
        return found

    async def configure(self, *clients: Client) -> None:
        """These are the clients of the configuration file from now on."""
        await self.server.set_clients(clients)

    def authorize_url(self, client: Mapping[str, Any], **changes: str | None) -> str:
        """A correct request of ``client``; a parameter set to None is left out."""
        params: dict[str, str | None] = {
            "response_type": "code",
            "client_id": client["client_id"],
            "redirect_uri": USED_LOOPBACK
            if client["redirect_uris"] == [LOOPBACK]
            else client["redirect_uris"][0],
            "code_challenge": s256(VERIFIER),
            "code_challenge_method": "S256",
            "state": "s%41 +&=?",
            "scope": "mcp",
            "resource": self.files,
            **changes,
        }
        return "/authorize?" + urlencode({name: value for name, value in params.items() if value is not None})

    async def sign_in(self, browser: Browser, url: str, username: str = "alice") -> httpx2.Response:
        """Open ``url`` and give name and password. Returns the page after that."""
        page = await browser.visit(url)
        assert page.status_code == 200, page.text
        return await browser.submit(page, username=username, password=f"{username}-password")

    async def approve(self, browser: Browser, page: httpx2.Response, **fields: str) -> httpx2.Response:
        action, hidden = form_of(page.text, "/consent")
        return await browser.post(action, data={**hidden, **fields, "decision": "approve"})

    async def code(
        self,
        client: Mapping[str, Any],
        browser: Browser | None = None,
        username: str = "alice",
        **changes: str | None,
    ) -> str:
        """Go all the way to an authorization code."""
        browser = browser or self.browser()
        page = await self.sign_in(browser, self.authorize_url(client, **changes), username)
        # Somebody who agreed before is not asked again.
        answer = returned(page if page.is_redirect else await self.approve(browser, page))
        assert answer["iss"] == self.issuer
        return answer["code"]

    async def token(self, client: Mapping[str, Any], **params: str | None) -> httpx2.Response:
        """POST /token as ``client``; a parameter set to None is left out."""
        fields: dict[str, str | None] = {"client_id": client["client_id"], **params}
        async with self.http() as http:
            return await http.post(
                "/token", data={name: value for name, value in fields.items() if value is not None}
            )

    async def redeem(self, client: Mapping[str, Any], code: str, **changes: str | None) -> httpx2.Response:
        params: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": USED_LOOPBACK
            if client["redirect_uris"] == [LOOPBACK]
            else client["redirect_uris"][0],
            "code_verifier": VERIFIER,
            **changes,
        }
        return await self.token(client, **params)

    async def tokens(
        self,
        client: Mapping[str, Any],
        browser: Browser | None = None,
        username: str = "alice",
        **changes: str | None,
    ) -> dict[str, Any]:
        """A whole login: the token answer."""
        response = await self.redeem(client, await self.code(client, browser, username, **changes))
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def refresh(self, client: Mapping[str, Any], token: str, **changes: str | None) -> httpx2.Response:
        return await self.token(client, grant_type="refresh_token", refresh_token=token, **changes)

    async def use(self, token: str, server: str = "files") -> httpx2.Response:
        """Call an MCP endpoint with a bearer token."""
        path = f"/s/{server}/mcp" if server else "/mcp"
        async with self.http() as http:
            return await http.post(path, headers={"authorization": f"Bearer {token}"})

    async def alive(self, token: str, server: str = "files") -> bool:
        return (await self.use(token, server)).status_code == 200

    # -- the resource server -------------------------------------------------------------------------------

    async def _resource(self, request: Request) -> Response:
        bearer = self.server.bearer
        server = request.path_params.get("server", "")
        headers = [value for name, value in request.scope["headers"] if name == b"authorization"]
        try:
            access = bearer.cached(headers[0]) if len(headers) == 1 else None
            proofs = [value for name, value in request.scope["headers"] if name == b"dpop"]
            access = access or await bearer.check(headers, Asked(request.method, request.url.path, proofs))
            if not access.reaches(server):
                raise TokenInvalid("the access token is meant for another resource")
        except BearerError as error:
            sent = {"WWW-Authenticate": bearer.challenge(error, server)}
            if error.nonce:
                sent["DPoP-Nonce"] = error.nonce
            return JSONResponse({"error": error.error}, error.status, sent)
        return JSONResponse(
            {
                "user": access.principal.username,
                "client": access.client_id,
                "credential": access.credential,
                "servers": sorted(access.servers),
                "aggregate": access.aggregate,
            }
        )


@asynccontextmanager
async def world_in(
    directory: Path,
    template: Path | None = None,
    fetch: Fetch | None = None,
    exchange: Exchange | None = None,
    **settings: Any,
) -> AsyncIterator[World]:
    """An open world with alice (developers) and bob (nobody in particular).

    ``template`` is a directory that ``prepare`` filled: copying it is faster than making it.
    """
    if template is not None and template != directory:
        shutil.copytree(template, directory, dirs_exist_ok=True)
    world = World(directory, settings, fetch, exchange)
    await world.open()
    try:
        if template is None:
            await populate(world)
        for user in await world.store.users.list():
            world.people[user.username] = user
        yield world
    finally:
        await world.close()


async def populate(world: World) -> None:
    await world.add_person("alice", "alice-password", ["developers"])
    await world.add_person("bob", "bob-password")


async def prepare(directory: Path) -> None:
    """Fill a directory that worlds can be copied from."""
    async with world_in(directory):
        pass

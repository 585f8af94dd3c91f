"""T3, T5, T8, R5, R6, B1: tokens for resource servers elsewhere, and what those may learn of tokens."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace

from gatekit.model.audit import ConsentGiven, TokenEvent
from gatekit.model.oauth import Client
from gatekit.model.people import LOCAL
from gatekit.model.rules import ByLogin, ServerRules
from gatekit.oauth.jws import new_private_key, signer_key
from gatekit.policy.engine import Policy
from tests.attack.signing import Signer
from tests.attack.test_refresh import LOSSES
from tests.attack.world import LEDGER, LOOPBACK, REPORTS, World, form_of, returned, world_in

ASK = httpx2.BasicAuth("reports", "the secret of reports")


@pytest.fixture(params=["jwt", "opaque"])
async def world(tmp_path: Path, template: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with world_in(
        tmp_path, template, access_token_format=request.param, resource_servers=(REPORTS, LEDGER)
    ) as found:
        yield found


async def introspected(world: World, token: str) -> dict[str, Any]:
    async with world.http() as http:
        found: dict[str, Any] = (await http.post("/introspect", data={"token": token}, auth=ASK)).json()
    return found


async def test_T3_a_token_for_elsewhere_opens_nothing_here(world: World) -> None:
    """T3: the audience is one API elsewhere, so no endpoint of ours takes it, whatever its scopes say."""
    client = await world.register()
    token = (await world.tokens(client, resource=REPORTS.uri))["access_token"]
    for server in ("files", "clock", "vault", "reports", ""):
        refused = await world.use(token, server)
        assert refused.status_code == 401
        assert 'error="invalid_token"' in refused.headers["www-authenticate"]
    own = (await world.tokens(client, resource=None))["access_token"]
    assert await world.alive(own)
    assert await introspected(world, own) == {"active": False}


@pytest.mark.parametrize("also", ["https://gate.example/s/files/mcp", "https://gate.example/mcp", LEDGER.uri])
async def test_T3_one_token_is_never_for_two_parties(world: World, also: str) -> None:
    """T3: whoever takes a token could use it at the other one, in its person's name."""
    client = await world.register()
    url = world.authorize_url(client, resource=REPORTS.uri) + f"&resource={also}"
    async with world.browser() as browser:
        refused = returned(await browser.visit(url))
    assert refused["error"] == "invalid_target"
    async with world.http() as http:
        device = await world.register(grant_types=["urn:ietf:params:oauth:grant-type:device_code"])
        fields = {"client_id": device["client_id"], "resource": [REPORTS.uri, also]}
        assert (await http.post("/device_authorization", data=fields)).json()["error"] == "invalid_target"


@pytest.mark.parametrize(
    "resource",
    [
        "https://reports.example/",
        "https://reports.example/api/v2",
        "https://reports.example/apix",
        "https://reports.example.evil.example/api",
        "https://x@reports.example/api",
        "https://reports.example/api#x",
        "https://reports.example/api?x",
        "http://reports.example/api",
        "https://reports.example/%61pi",
        "reports",
        "api://ledger/x",
    ],
)
async def test_T3_what_only_looks_like_the_identifier(world: World, resource: str) -> None:
    """T3: unknown to us, so nobody gets a token for it."""
    client = await world.register()
    async with world.browser() as browser:
        refused = returned(await browser.visit(world.authorize_url(client, resource=resource)))
    assert refused["error"] == "invalid_target"


async def test_R5_a_grant_for_one_resource_yields_no_token_for_another(world: World) -> None:
    """R5: neither by code nor by refresh token, in either direction."""
    client = await world.register()
    code = await world.code(client, resource=REPORTS.uri)
    assert (await world.redeem(client, code, resource=world.files)).json()["error"] == "invalid_target"
    tokens = (await world.redeem(client, code, resource=REPORTS.uri + "/")).json()
    for resource in (world.files, LEDGER.uri):
        refused = await world.refresh(client, tokens["refresh_token"], resource=resource)
        assert refused.json()["error"] == "invalid_target"
    own = await world.tokens(client, resource=None)
    refused = await world.refresh(client, own["refresh_token"], resource=REPORTS.uri)
    assert refused.json()["error"] == "invalid_target"
    renewed = (await world.refresh(client, tokens["refresh_token"])).json()
    assert (await introspected(world, renewed["access_token"]))["aud"] == REPORTS.uri


async def test_T5_each_resource_has_its_own_scopes(world: World) -> None:
    """T5: a scope of one place is never part of a token for another."""
    client = await world.register()
    for asked, got in (
        ("reports:read", "reports:read"),
        ("mcp:call reports:write", "reports:write"),
        ("mcp mcp:read mcp:call", "reports:read reports:write"),
        ("", "reports:read reports:write"),
    ):
        tokens = await world.tokens(client, resource=REPORTS.uri, scope=asked)
        assert tokens["scope"] == got
        assert (await introspected(world, tokens["access_token"]))["scope"] == got
    assert "reports" not in (await world.tokens(client, scope="reports:read mcp:read"))["scope"]
    narrow = await world.tokens(client, resource=REPORTS.uri, scope="reports:read")
    for scope in ("reports:read reports:write", "mcp:read"):
        refused = await world.refresh(client, narrow["refresh_token"], scope=scope)
        assert refused.json()["error"] == "invalid_scope"


async def test_B1_consent_names_the_place_and_what_may_be_done_there(world: World) -> None:
    """B1, B6: agreeing to our own servers is not agreeing to somebody else's API."""
    client = await world.register()
    async with world.browser() as browser:
        page = await world.sign_in(browser, world.authorize_url(client, resource=None))
        assert "Reports" not in page.text, "what the client did not name is not offered along"
        await world.approve(browser, page)
        page = await browser.visit(world.authorize_url(client, resource=REPORTS.uri, scope="reports:write"))
        assert page.status_code == 200
        for text in ("Reports", "reports.example", "reports:write", "not part of this gateway"):
            assert text in page.text
        assert "reports:read" not in page.text
        assert "Call the tools" not in page.text
        forged = {"resource": [REPORTS.uri, world.files, LEDGER.uri], "read_only": "yes"}
        action, hidden = form_of(page.text, "/consent")
        code = returned(await browser.post(action, data={**hidden, **forged, "decision": "approve"}))["code"]
    tokens = (await world.redeem(client, code)).json()
    assert tokens["scope"] == "reports:write"
    found = await introspected(world, tokens["access_token"])
    assert (found["aud"], found["scope"]) == (REPORTS.uri, "reports:write")
    assert not await world.alive(tokens["access_token"])
    given = world.trail.named(ConsentGiven, resources=(REPORTS.uri,))
    assert len(given) == 1
    issued = world.trail.named(TokenEvent, resources=(REPORTS.uri,), action="issued")
    assert len(issued) == 1


async def test_B1_lists_decide_who_gets_tokens_for_elsewhere(world: World) -> None:
    """B1: bob is not on the list of the ledger, and no page offers it to him."""
    client = await world.register()
    async with world.browser() as browser:
        page = await world.sign_in(browser, world.authorize_url(client, resource=LEDGER.uri), "bob")
        assert returned(page)["error"] == "access_denied"
    assert (await world.tokens(client, username="alice", resource=LEDGER.uri))["scope"] == ""


@pytest.mark.parametrize("loss", LOSSES)
async def test_R6_lost_standing_is_inactive(
    world: World, loss: Callable[[World, str], Awaitable[None]]
) -> None:
    """R6: whoever is disabled, deleted, not admitted any more: the resource server hears it at once."""
    client = await world.register()
    tokens = await world.tokens(client, resource=REPORTS.uri)
    assert (await introspected(world, tokens["access_token"]))["active"] is True
    await loss(world, client["client_id"])
    assert await introspected(world, tokens["access_token"]) == {"active": False}
    assert (await world.refresh(client, tokens["refresh_token"])).status_code in (400, 401)


async def test_R6_off_the_list_of_the_resource(world: World) -> None:
    """R6: alice may come in, and not to this API any more: inactive at once, and no further token."""
    client = await world.register()
    tokens = await world.tokens(client, resource=REPORTS.uri)
    code = await world.code(client, resource=REPORTS.uri)
    own = await world.tokens(client, resource=None)
    world.rules = replace(
        world.rules, resources=(ServerRules(server="reports", allowed=(ByLogin(LOCAL, "bob"),)),)
    )
    world.policy = Policy.compile(world.rules)
    assert await introspected(world, tokens["access_token"]) == {"active": False}
    assert (await world.refresh(client, tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await world.redeem(client, code)).json()["error"] == "invalid_grant"
    assert (await world.refresh(client, own["refresh_token"])).status_code == 200
    exchange = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": tokens["access_token"],
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }
    assert (await world.token(client, **exchange)).status_code in (400, 401)


async def test_R6_a_client_that_is_limited_now(world: World) -> None:
    """R6: the operator took the API from what the client may use."""
    configured = Client(
        id="exporter",
        name="Exporter",
        redirect_uris=(LOOPBACK,),
        source="configured",
        servers=("reports", "files"),
    )
    await world.store.clients.configure([configured])
    client = {"client_id": "exporter", "redirect_uris": [LOOPBACK]}
    tokens = await world.tokens(client, resource=REPORTS.uri)
    assert (await introspected(world, tokens["access_token"]))["active"] is True
    async with world.browser() as browser:
        refused = returned(await browser.visit(world.authorize_url(client, resource=LEDGER.uri)))
    assert refused["error"] == "invalid_target"
    await world.store.clients.configure([replace(configured, servers=("files",))])
    assert await introspected(world, tokens["access_token"]) == {"active": False}
    assert (await world.refresh(client, tokens["refresh_token"])).json()["error"] == "invalid_grant"
    narrow = replace(configured, scope="reports:read")
    await world.store.clients.configure([narrow])
    assert (await introspected(world, tokens["access_token"]))["scope"] == "reports:read"


async def test_R6_a_resource_that_is_gone_from_the_file(world: World) -> None:
    """R6: its secret opens nothing any more, and no new token is for it."""
    client = await world.register()
    tokens = await world.tokens(client, resource=REPORTS.uri)
    world.server.set_servers(world.settings.servers, (LEDGER,))
    async with world.http() as http:
        refused = await http.post("/introspect", data={"token": tokens["access_token"]}, auth=ASK)
    assert refused.status_code == 401
    refused = await world.refresh(client, tokens["refresh_token"], resource=REPORTS.uri)
    assert refused.json()["error"] == "invalid_target"
    assert (await world.refresh(client, tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_T8_unknown_expired_and_foreign_tokens_are_looked_at_alike(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T8: the same answer after the same work: what was asked of the store is counted, not the time."""
    client = await world.register()
    expired = (await world.tokens(client, resource=REPORTS.uri))["access_token"]
    world.clock.advance(3600)
    foreign = (await world.tokens(client, resource=LEDGER.uri))["access_token"]
    own = (await world.tokens(client))["access_token"]
    if expired.startswith("gk_at_"):
        unknown = "gk_at_" + "x" * 43
    else:
        unknown = signer_key(new_private_key(), "at+jwt").sign(b"{}")
    await introspected(world, unknown)  # an unknown key is looked for, once in a few seconds
    asked: list[str] = []
    reader = world.store._database.all

    async def counted(sql: str, **params: object) -> Any:
        asked.append(sql)
        return await reader(sql, **params)

    monkeypatch.setattr(world.store._database, "all", counted)
    one = world.store._database.one

    async def counted_one(sql: str, **params: object) -> Any:
        asked.append(sql)
        return await one(sql, **params)

    monkeypatch.setattr(world.store._database, "one", counted_one)
    work = {}
    for name, token in {"unknown": unknown, "expired": expired, "foreign": foreign, "own": own}.items():
        asked.clear()
        assert await introspected(world, token) == {"active": False}
        work[name] = tuple(asked)
    assert len(set(work.values())) == 1, work


async def test_T8_a_resource_server_is_no_client(world: World) -> None:
    """T8: its name and secret open the introspection endpoint and nothing else."""
    tokens = await world.tokens(await world.register(), resource=REPORTS.uri)
    grants = (
        {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]},
        {"grant_type": "client_credentials"},
        {"grant_type": "authorization_code", "code": "x"},
    )
    async with world.http() as http:
        for fields in grants:
            assert (await http.post("/token", data=fields, auth=ASK)).status_code == 401
        assert (await http.post("/revoke", data={"token": "x"}, auth=ASK)).status_code == 401
        page = await http.get("/authorize", params={"client_id": "reports", "response_type": "code"})
        assert page.status_code == 400


async def test_without_servers_of_its_own(tmp_path: Path, template: Path) -> None:
    """An authorization server for others alone: who names no resource means the only one there is."""
    async with world_in(tmp_path, template, servers=(), resource_servers=(REPORTS,)) as world:
        client = await world.register()
        tokens = await world.tokens(client, resource=None)
        assert (await introspected(world, tokens["access_token"]))["aud"] == REPORTS.uri
        world.server.set_servers((), (REPORTS, LEDGER))
        async with world.browser() as browser:
            refused = returned(await browser.visit(world.authorize_url(client, resource=None)))
        assert refused["error"] == "invalid_target"
        assert (await world.refresh(client, tokens["refresh_token"])).status_code == 200
        world.server.set_servers((), ())
        async with world.browser() as browser:
            page = await world.sign_in(browser, world.authorize_url(client, resource=None))
            assert returned(page)["error"] == "access_denied"


class KeyServer:
    """Where a resource server publishes its keys."""

    def __init__(self, signer: Signer) -> None:
        self.status = 200
        self.headers = {"content-type": "application/json"}
        self.body = json.dumps(signer.jwks).encode()

    async def __call__(self, method: str, url: str, **_options: Any) -> KeyServer:
        return self


async def test_A2_a_resource_server_proves_itself_with_a_key(tmp_path: Path, template: Path) -> None:
    """A2, T8: signed by its own key, for us, once; nobody else's assertion counts for it."""
    signer, stranger = Signer(), Signer()
    asking = replace(
        REPORTS,
        auth_method="private_key_jwt",
        secret_hash=None,
        jwks_uri="https://reports.example/keys",
    )
    async with world_in(tmp_path, template, KeyServer(signer), resource_servers=(asking, LEDGER)) as world:
        token = (await world.tokens(await world.register(), resource=REPORTS.uri))["access_token"]
        async with world.http() as http:

            async def ask(**fields: Any) -> httpx2.Response:
                return await http.post("/introspect", data={"token": token, **fields})

            good = signer.fields(world, "reports")
            assert (await ask(**good)).json()["active"] is True
            for bad in (
                good,  # a second time
                signer.fields(world, "reports", aud="https://other.example"),
                signer.fields(world, "reports", iss="ledger"),
                signer.fields(world, "ledger"),
                stranger.fields(world, "reports"),
            ):
                refused = await ask(**bad)
                assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
            grant = {"grant_type": "client_credentials", **signer.fields(world, "reports")}
            assert (await http.post("/token", data=grant)).status_code == 401

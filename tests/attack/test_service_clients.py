"""K2, M3, R6 and A1 for clients of the configuration file, and for those that act for themselves."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import httpx2
import pytest

from gatekit.errors import AuditUnavailable
from gatekit.model.audit import ClientEvent, TokenEvent
from gatekit.model.oauth import CLIENT_CREDENTIALS, Client
from gatekit.model.rules import AccessList, Anyone, ByGroup, ByLogin, Rules, ServerRules
from gatekit.platform.vault import token_hash
from gatekit.policy.engine import Policy
from tests.attack.signing import Signer
from tests.attack.world import LOOPBACK, World, returned
from tests.support.proofs import Holder

SECRET = "a secret that the operator keeps"
BOT = Client(
    id="ci-bot",
    name="Nightly build",
    redirect_uris=(),
    auth_method="client_secret_basic",
    secret_hash=token_hash(SECRET),
    grant_types=(CLIENT_CREDENTIALS,),
    source="configured",
)
NAMED = ByLogin("client", "ci-bot")
PEOPLE = Anyone()


def changed(client: Client = BOT, **fields: Any) -> Client:
    return Client(**{**{name: getattr(client, name) for name in client.__struct_fields__}, **fields})


def allow(
    world: World, gateway: AccessList = (PEOPLE, NAMED), files: AccessList = (NAMED,), **groups: Any
) -> None:
    world.policy = Policy.compile(
        Rules(
            gateway=gateway,
            groups=tuple(groups.items()),
            servers=(
                ServerRules(server="files", allowed=files),
                ServerRules(server="clock", allowed=(Anyone(),)),
                ServerRules(server="vault", allowed=(NAMED,)),
            ),
        )
    )


@pytest.fixture
async def bot(world: World) -> Client:
    await world.configure(BOT)
    allow(world)
    return BOT


async def ask(
    world: World, secret: str = SECRET, client_id: str = "ci-bot", **fields: str
) -> httpx2.Response:
    pair = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    async with world.http() as http:
        return await http.post(
            "/token",
            data={"grant_type": "client_credentials", **fields},
            headers={"authorization": f"Basic {pair}"},
        )


async def token(world: World, **fields: str) -> str:
    answer = await ask(world, **fields)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


async def refused(world: World, **fields: str) -> str:
    answer = await ask(world, **fields)
    assert answer.status_code in (400, 401), answer.text
    return str(answer.json()["error"])


async def test_a_client_acts_for_itself(world: World, bot: Client) -> None:
    answer = await ask(world, resource=world.files)
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert "refresh_token" not in body
    found = await world.use(body["access_token"])
    assert found.status_code == 200
    assert found.json()["user"] == "client:ci-bot"
    event = world.trail.named(TokenEvent, action="issued", grant_type=CLIENT_CREDENTIALS)[0]
    assert (event.principal, event.client_id) == ("client:ci-bot", "ci-bot")
    assert event.principal_id.startswith("svc_")
    async with world.http() as http:
        document = (await http.get("/.well-known/oauth-authorization-server")).json()
        assert CLIENT_CREDENTIALS in document["grant_types_supported"]
        await world.configure()
        document = (await http.get("/.well-known/oauth-authorization-server")).json()
        assert CLIENT_CREDENTIALS not in document["grant_types_supported"]


async def test_T3_a_service_token_is_for_what_was_asked(world: World, bot: Client) -> None:
    """T3: a token for one server opens no other, and the aggregate only if it was asked for."""
    one = await token(world, resource=world.files)
    assert await world.alive(one)
    assert not await world.alive(one, "vault")
    assert not await world.alive(one, "")
    everything = await token(world)
    assert await world.alive(everything, "vault")
    assert await world.alive(everything, "")
    assert not await world.alive(everything, "clock")
    assert await refused(world, resource=f"{world.issuer}/s/clock/mcp") == "invalid_target"
    assert await refused(world, resource="https://other.example/mcp") == "invalid_target"


async def test_everybody_means_people(world: World, bot: Client) -> None:
    """A list that says "everybody who can sign in" lets no program in."""
    allow(world, gateway=(Anyone(),))
    assert await refused(world) == "unauthorized_client"
    allow(world, files=(Anyone(),))
    assert await refused(world, resource=world.files) == "invalid_target"
    allow(world, files=(ByGroup("bots"),), bots=(NAMED,))
    assert await world.alive(await token(world, resource=world.files))


async def test_R6_a_service_loses_its_standing(world: World, bot: Client) -> None:
    """R6, F3: disabled client, disabled principal, removed from the lists: no token, and the old ones die."""
    held = await token(world)
    user = await world.store.users.by_username("client:ci-bot")
    assert user is not None

    async def is_out(error: str) -> None:
        world.server.bearer.forget()
        world.directory_of_people.forget()
        assert await refused(world) == error
        assert not await world.alive(held)

    await world.store.clients.set_disabled("ci-bot", True)
    await is_out("invalid_client")
    await world.store.clients.set_disabled("ci-bot", False)
    world.server.bearer.forget()
    assert await world.alive(held)
    await world.store.users.update(changed_user(user, disabled=True))
    await is_out("unauthorized_client")
    await world.store.users.update(user)
    allow(world, gateway=(Anyone(),))
    await is_out("unauthorized_client")
    allow(world)
    world.server.bearer.forget()
    assert await world.alive(held)
    await world.configure(changed(grant_types=("authorization_code",), redirect_uris=(LOOPBACK,)))
    await is_out("unauthorized_client")


def changed_user(user: Any, **fields: Any) -> Any:
    return type(user)(**{**{name: getattr(user, name) for name in user.__struct_fields__}, **fields})


async def test_R6_removed_from_the_file(world: World, bot: Client) -> None:
    """R6: what the file no longer names is gone with its tokens, and does not come back with the name."""
    held = await token(world)
    await world.configure()
    assert not await world.alive(held)
    assert await refused(world) == "invalid_client"
    await world.configure(BOT)
    assert not await world.alive(held)
    assert await world.alive(await token(world))


async def register(world: World, **metadata: Any) -> httpx2.Response:
    wanted = {"redirect_uris": [LOOPBACK], "token_endpoint_auth_method": "client_secret_basic", **metadata}
    async with world.http() as http:
        return await http.post("/register", json=wanted)


async def test_K2_nobody_registers_as_a_principal(world: World) -> None:
    """K2: what would be nothing but a client that acts for itself is refused."""
    answer = await register(world, grant_types=["client_credentials"], redirect_uris=[])
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_client_metadata"


async def test_K2_nobody_registers_as_a_principal_beside_other_things(world: World) -> None:
    """K2: the grant is left out of what is registered, and refused when it is used."""
    answer = await register(world, grant_types=["authorization_code", "client_credentials"])
    assert answer.status_code == 201
    found = answer.json()
    assert found["grant_types"] == ["authorization_code"]
    refusal = await ask(world, found["client_secret"], found["client_id"])
    assert (refusal.status_code, refusal.json()["error"]) == (400, "unauthorized_client")


async def test_K2_a_stored_row_alone_is_not_enough(world: World) -> None:
    """K2: the grant asks where a client comes from and how it proves itself, whatever its row lists."""
    allow(world)
    await world.store.clients.add(changed(source="dynamic"))
    assert await refused(world) == "unauthorized_client"
    public = changed(id="public", auth_method="none", secret_hash=None)
    await world.configure(public)
    async with world.http() as http:
        answer = await http.post("/token", data={"grant_type": "client_credentials", "client_id": "public"})
    assert answer.json()["error"] == "unauthorized_client"


async def test_A1_secrets_of_the_file_change_with_an_overlap(world: World, bot: Client) -> None:
    """A1: the secret before the last change is good as long as it is listed, and any other never."""
    new = "the next secret of this client"
    await world.configure(
        changed(secret_hash=token_hash(new), old_secret_hash=BOT.secret_hash, old_secret_until=2**40)
    )
    assert (await ask(world, new)).status_code == 200
    assert (await ask(world, SECRET)).status_code == 200
    assert (await ask(world, "another")).status_code == 401
    await world.configure(changed(secret_hash=token_hash(new)))
    assert (await ask(world, new)).status_code == 200
    assert (await ask(world, SECRET)).status_code == 401
    assert (await ask(world, "")).status_code == 401


async def test_A2_a_service_with_a_key(world: World) -> None:
    """A2: the key of the file counts, and no secret does."""
    signer = Signer()
    keys = json.dumps(signer.jwks)
    await world.configure(changed(auth_method="private_key_jwt", secret_hash=None, jwks=keys))
    allow(world)
    async with world.http() as http:
        fields = {"grant_type": "client_credentials", **signer.fields(world, "ci-bot")}
        assert (await http.post("/token", data=fields)).status_code == 200
        assert (await http.post("/token", data=fields)).status_code == 401
    assert await refused(world) == "invalid_client"


async def test_many_requests_leave_one_grant(world: World, bot: Client) -> None:
    """A program that asks every minute does not fill the store; first requests at once make one principal."""
    await asyncio.gather(*(ask(world, resource=world.files) for _ in range(10)))
    for _ in range(5):
        await token(world, resource=world.files)
    users = [user for user in await world.store.users.list() if user.connection == "client"]
    assert len(users) == 1
    assert len(await world.store.grants.list(users[0].id)) <= 10
    before = len(await world.store.grants.list(users[0].id))
    world.clock.advance(3600)
    await token(world, resource=world.files)
    assert len(await world.store.grants.list(users[0].id)) == before
    (newest, *_rest) = reversed(await world.store.grants.list(users[0].id))
    await world.store.grants.revoke(newest.id, int(world.clock.now()), "by an operator")
    assert await world.alive(await token(world, resource=world.files))


async def test_what_cannot_be_recorded_is_not_given(world: World, bot: Client) -> None:
    world.trail.failure = AuditUnavailable("disk full")
    assert (await ask(world)).status_code == 503


@pytest.mark.parametrize("grant", ["refresh_token", "authorization_code"])
async def test_a_service_has_its_own_grant_type_only(world: World, bot: Client, grant: str) -> None:
    async with world.http() as http:
        pair = base64.b64encode(f"ci-bot:{SECRET}".encode()).decode()
        answer = await http.post(
            "/token", data={"grant_type": grant, "code": "x"}, headers={"authorization": f"Basic {pair}"}
        )
    assert answer.json()["error"] == "unauthorized_client"
    page = await world.browser().visit(
        world.authorize_url({"client_id": "ci-bot", "redirect_uris": [LOOPBACK]})
    )
    assert page.status_code == 400


# -- clients of the file that people sign in with ----------------------------------------------------------

WEB = Client(
    id="wiki",
    name="The wiki",
    redirect_uris=("https://wiki.example/callback",),
    auth_method="client_secret_post",
    secret_hash=token_hash(SECRET),
    source="configured",
    servers=("files",),
    scope="mcp:read",
)
AS_CLIENT = {"client_id": "wiki", "redirect_uris": ["https://wiki.example/callback"]}


async def test_T5_a_bounded_client_gets_no_more_than_the_file_says(world: World) -> None:
    """T3, T5: servers and scopes of the file bound what anybody can agree to, asked for or not."""
    await world.configure(WEB)
    secret = {"client_secret": SECRET}
    for asked in ("mcp:read mcp:call", "mcp", "", "openid mcp:call"):
        code = await world.code(AS_CLIENT, scope=asked, resource=None)
        body = (await world.redeem(AS_CLIENT, code, **secret)).json()
        assert body["scope"] == "mcp:read", asked
        assert await world.alive(body["access_token"])
        assert not await world.alive(body["access_token"], "clock")
        assert not await world.alive(body["access_token"], "")
    browser = world.browser()
    await world.sign_in(browser, "/login")
    for other in ("/s/clock/mcp", "/mcp"):
        page = await browser.visit(world.authorize_url(AS_CLIENT, resource=f"{world.issuer}{other}"))
        if page.is_redirect:
            assert returned(page)["error"] == "invalid_target"
        else:
            assert page.status_code == 400


async def test_T5_a_bound_that_narrows_takes_from_the_tokens_that_are_there(world: World) -> None:
    """T5, T7: what the file takes away is gone at the next request."""
    await world.configure(changed(WEB, servers=(), scope=""))
    secret = {"client_secret": SECRET}
    code = await world.code(AS_CLIENT, resource=f"{world.issuer}/mcp")
    body = (await world.redeem(AS_CLIENT, code, **secret)).json()
    assert await world.alive(body["access_token"], "")
    await world.configure(WEB)
    assert not await world.alive(body["access_token"], "")


async def test_T11_a_stream_ends_when_the_file_narrows_its_client(world: World) -> None:
    """T11: what was opened under a wider bound does not go on under a narrower one."""
    wide = changed(WEB, servers=("files", "clock"), scope="")
    await world.configure(wide)
    code = await world.code(AS_CLIENT, resource=world.files)
    body = (await world.redeem(AS_CLIENT, code, client_secret=SECRET)).json()
    bearer = [f"Bearer {body['access_token']}".encode()]
    access = await world.server.bearer.check(bearer)
    assert await world.server.is_active(access)
    for narrower in (changed(wide, servers=("clock",)), changed(wide, scope="mcp:read")):
        await world.configure(narrower)
        assert not await world.server.is_active(access)
    await world.configure(wide)
    assert await world.server.is_active(access)


async def test_the_audit_says_what_the_file_changed(world: World) -> None:
    await world.configure(WEB)
    await world.configure(changed(WEB, name="Another name"))
    await world.configure(changed(WEB, name="Another name"))
    await world.configure()
    events = world.trail.named(ClientEvent, client_id="wiki")
    found = [(getattr(event, "action", ""), getattr(event, "reason", "")) for event in events]
    by = "by the configuration file"
    assert found == [("changed", by), ("changed", by), ("deleted", by)]


async def test_P1_a_program_may_bind_its_token_to_a_key(world: World, bot: Client) -> None:
    """P1: with a proof the token of a program is bound, and worth nothing to whoever merely bears it."""
    holder = Holder()
    proof = holder.proof("POST", f"{world.issuer}/token", world.clock.now())
    pair = base64.b64encode(f"ci-bot:{SECRET}".encode()).decode()
    async with world.http() as http:
        answer = await http.post(
            "/token",
            data={"grant_type": CLIENT_CREDENTIALS, "resource": world.files},
            headers={"authorization": f"Basic {pair}", "dpop": proof},
        )
    assert answer.status_code == 200, answer.text
    assert answer.json()["token_type"] == "DPoP"
    assert not await world.alive(answer.json()["access_token"])


async def test_M3_the_file_wins_over_a_registration_of_that_name(world: World) -> None:
    """M3, K3: what a stranger registered under a name ends when the operator takes the name."""
    client = await world.register()
    tokens = await world.tokens(client)
    await world.configure(changed(WEB, id=client["client_id"]))
    assert not await world.alive(tokens["access_token"])
    assert (await world.refresh(client, tokens["refresh_token"])).status_code == 401
    row = await world.store.clients.get(client["client_id"])
    assert row is not None
    assert (row.source, row.name) == ("configured", "The wiki")
    await world.server.tidy()
    world.clock.advance(10 * 86_400)
    await world.server.tidy()
    assert await world.store.clients.get(client["client_id"]) is not None

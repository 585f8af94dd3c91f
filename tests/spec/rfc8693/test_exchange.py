"""RFC 8693, token exchange, as far as it makes less of a token: what is offered, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace

from gatekit.errors import AuditUnavailable
from gatekit.model.access import Access
from gatekit.model.audit import TokenEvent
from gatekit.model.oauth import TOKEN_EXCHANGE as GRANT_TYPE
from gatekit.model.oauth import Client
from gatekit.oauth.grants.token_exchange import ACCESS_TOKEN
from tests.attack.bound import call, proof_for, redeem, token_request, tokens
from tests.attack.world import LOOPBACK, World, returned, world_in
from tests.support.proofs import Holder


@pytest.fixture
async def client(world: World) -> dict[str, Any]:
    return await exchanger(world)


async def exchanger(world: World, **metadata: Any) -> dict[str, Any]:
    """A client that an operator allowed to exchange."""
    found = await world.register(**metadata)
    row = await world.store.clients.get(found["client_id"])
    assert row is not None
    await world.store.clients.describe(replace(row, grant_types=(*row.grant_types, GRANT_TYPE)))
    return found


async def exchange(
    world: World, client: Mapping[str, Any], token: str, **changes: str | None
) -> httpx2.Response:
    return await world.token(
        client,
        **{
            "grant_type": GRANT_TYPE,
            "subject_token": token,
            "subject_token_type": ACCESS_TOKEN,
            **changes,
        },
    )


async def broad(world: World, client: Mapping[str, Any]) -> str:
    """A token for two servers."""
    browser = world.browser()
    url = world.authorize_url(client) + f"&resource={world.issuer}/s/clock/mcp"
    page = await world.sign_in(browser, url)
    code = returned(await world.approve(browser, page))["code"]
    answer = await world.redeem(client, code)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


async def test_2_1_fewer_resources(world: World, client: dict[str, Any]) -> None:
    token = await broad(world, client)
    assert await world.alive(token)
    assert await world.alive(token, "clock")
    answer = await exchange(world, client, token, resource=f"{world.issuer}/s/clock/mcp")
    assert answer.status_code == 200, answer.text
    less = answer.json()["access_token"]
    assert await world.alive(less, "clock")
    assert not await world.alive(less)
    assert await world.alive(token)
    assert world.trail.named(TokenEvent, action="issued", grant_type=GRANT_TYPE)


async def test_2_2_1_the_answer(world: World, client: dict[str, Any]) -> None:
    """“issued_token_type REQUIRED … token_type REQUIRED”, and “typically not issued”: no refresh token."""
    token = (await world.tokens(client))["access_token"]
    answer = await exchange(world, client, token, scope="mcp:read", requested_token_type=ACCESS_TOKEN)
    found = answer.json()
    assert set(found) == {"access_token", "issued_token_type", "token_type", "expires_in", "scope"}
    assert (found["issued_token_type"], found["token_type"]) == (ACCESS_TOKEN, "Bearer")
    assert found["scope"] == "mcp:read"
    assert answer.headers["cache-control"] == "no-store"


async def test_2_1_everything_is_left_if_nothing_is_named(world: World, client: dict[str, Any]) -> None:
    token = (await world.tokens(client))["access_token"]
    first = (await exchange(world, client, token)).json()
    assert first["access_token"] != token
    assert await world.alive(first["access_token"])


async def test_it_never_lives_longer(world: World, client: dict[str, Any]) -> None:
    """T11: not even by being exchanged again and again."""
    token = (await world.tokens(client))["access_token"]
    for _ in range(3):
        world.clock.advance(1000)
        answer = await exchange(world, client, token)
        token = answer.json()["access_token"]
        assert answer.json()["expires_in"] <= 3600 - 1000
    assert answer.json()["expires_in"] == 600
    assert (await exchange(world, client, token)).json()["error"] == "invalid_request"  # too often
    world.clock.advance(600)
    assert not await world.alive(token)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"resource": "https://gate.example/s/vault/mcp"}, "invalid_target"),
        ({"resource": "https://gate.example/mcp"}, "invalid_target"),
        ({"resource": "https://elsewhere.example"}, "invalid_target"),
        ({"audience": "files"}, "invalid_target"),
        ({"scope": "mcp:read mcp:call"}, "invalid_scope"),
        ({"scope": "mcp"}, "invalid_scope"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"scope": "mcp:read admin"}, "invalid_scope"),
        ({"subject_token": None}, "invalid_request"),
        ({"subject_token_type": None}, "invalid_request"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:jwt"}, "invalid_request"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:id_token"}, "invalid_request"),
        ({"actor_token": "x", "actor_token_type": ACCESS_TOKEN}, "invalid_request"),
        ({"actor_token_type": ACCESS_TOKEN}, "invalid_request"),
    ],
)
async def test_R5_2_2_2_nothing_more_and_nothing_else(
    world: World, client: dict[str, Any], changes: dict[str, str | None], error: str
) -> None:
    """R5: of a token for reading one server comes no other server, no other scope, no other kind of token."""
    token = (await world.tokens(client, scope="mcp:read"))["access_token"]
    answer = await exchange(world, client, token, **changes)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


async def test_2_2_2_what_is_no_access_token_of_ours(world: World, client: dict[str, Any]) -> None:
    """R4: “if either the subject_token or actor_token are invalid for any reason … the value of the error
    parameter MUST be the invalid_request error code.”"""
    found = await world.tokens(client)
    access = found["access_token"]
    for wrong in (found["refresh_token"], "gk_key_x", "gk_at_x", access + "x", access[:-2], "a.b.c", "x"):
        answer = await exchange(world, client, wrong)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_only_clients_that_are_registered_for_it(world: World) -> None:
    """K2: nobody registers themselves for it."""
    client = await world.register(grant_types=["authorization_code", "refresh_token", GRANT_TYPE])
    assert GRANT_TYPE not in client["grant_types"]
    token = (await world.tokens(client))["access_token"]
    answer = await exchange(world, client, token)
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")


async def test_only_the_client_that_the_token_was_issued_to(world: World, client: dict[str, Any]) -> None:
    """B1: who came by another client's token makes nothing of it."""
    token = (await world.tokens(client))["access_token"]
    answer = await exchange(world, await exchanger(world), token)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_R6_nobody_who_does_not_count(world: World, client: dict[str, Any]) -> None:
    """R6: disabled people and clients, revoked grants: neither exchange nor what came of one."""
    token = (await world.tokens(client))["access_token"]
    less = (await exchange(world, client, token)).json()["access_token"]
    assert await world.alive(less)
    await world.store.users.update(replace(world.people["alice"], disabled=True))
    world.server.bearer.forget()
    assert not await world.alive(less)
    assert (await exchange(world, client, token)).json()["error"] == "invalid_request"
    await world.store.users.update(world.people["alice"])
    world.server.bearer.forget()
    assert await world.alive(less)
    await world.store.clients.set_disabled(client["client_id"], True)
    world.server.bearer.forget()
    assert not await world.alive(less)
    assert (await exchange(world, client, token)).status_code == 401


async def test_T7_it_ends_with_its_family(world: World, client: dict[str, Any]) -> None:
    """T7: revoking the refresh token ends what was made of an access token, too."""
    found = await world.tokens(client)
    less = (await exchange(world, client, found["access_token"])).json()["access_token"]
    async with world.http() as http:
        await http.post("/revoke", data={"client_id": client["client_id"], "token": found["refresh_token"]})
    assert not await world.alive(less)


async def test_T7_it_ends_with_the_token_it_was_made_of(world: World, client: dict[str, Any]) -> None:
    """T7: and what was made of that one; the others of the family live on."""
    found = await world.tokens(client)
    first = (await exchange(world, client, found["access_token"])).json()["access_token"]
    second = (await exchange(world, client, first)).json()["access_token"]
    sibling = (await exchange(world, client, found["access_token"])).json()["access_token"]
    access = await world.server.bearer.check([f"Bearer {second}".encode()])
    assert await is_active(world, access)
    async with world.http() as http:
        await http.post("/revoke", data={"client_id": client["client_id"], "token": first})
    assert not await world.alive(first)
    assert not await world.alive(second)
    assert not await is_active(world, access)  # a stream that was open
    assert (await exchange(world, client, second)).json()["error"] == "invalid_request"
    assert await world.alive(sibling)
    assert await world.alive(found["access_token"])


async def is_active(world: World, access: Access) -> bool:
    return await world.server.is_active(access)


async def test_P1_a_bound_token_is_exchanged_by_who_holds_its_key(
    world: World, client: dict[str, Any]
) -> None:
    """P1: what comes of it is bound to the same key."""
    holder = Holder()
    token = (await tokens(world, client, holder))["access_token"]
    form = {"grant_type": GRANT_TYPE, "subject_token": token, "subject_token_type": ACCESS_TOKEN}
    for proof in (None, proof_for(world, Holder())):
        answer = await token_request(world, client, proof, **form)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")
    done = await token_request(world, client, proof_for(world, holder), **form)
    assert done.json()["token_type"] == "DPoP"
    less = done.json()["access_token"]
    assert (await call(world, less, [proof_for(world, holder, "/s/files/mcp", less)])).status_code == 200
    assert not await world.alive(less)


async def test_P1_an_ordinary_token_can_be_bound_on_the_way(world: World, client: dict[str, Any]) -> None:
    """P1: less again: only who holds the key can use what comes of it."""
    holder = Holder()
    token = (await redeem(world, client, await world.code(client), None)).json()["access_token"]
    form = {"grant_type": GRANT_TYPE, "subject_token": token, "subject_token_type": ACCESS_TOKEN}
    less = (await token_request(world, client, proof_for(world, holder), **form)).json()["access_token"]
    assert not await world.alive(less)
    assert (await call(world, less, [proof_for(world, holder, "/s/files/mcp", less)])).status_code == 200


async def test_opaque_tokens_are_exchanged_as_well(tmp_path: Any, template: Any) -> None:
    async with world_in(tmp_path, template, access_token_format="opaque") as world:
        client = await exchanger(world)
        token = (await world.tokens(client))["access_token"]
        less = (await exchange(world, client, token, scope="mcp:read")).json()["access_token"]
        assert less.startswith("gk_at_")
        assert await world.alive(less)


async def test_without_a_record_there_is_no_token(world: World, client: dict[str, Any]) -> None:
    token = (await world.tokens(client))["access_token"]
    world.trail.failure = AuditUnavailable("disk full")
    assert (await exchange(world, client, token)).status_code == 503


async def test_2_1_it_is_announced_where_somebody_may_use_it(world: World) -> None:
    """RFC 8414 §2: nothing is promised that nobody can have."""

    async def offered() -> list[str]:
        async with world.http() as http:
            document = (await http.get("/.well-known/oauth-authorization-server")).json()
        return list(document["grant_types_supported"])

    assert GRANT_TYPE not in await offered()
    await world.configure(
        Client(
            id="planner",
            name="Planner",
            redirect_uris=(LOOPBACK,),
            grant_types=("authorization_code", "refresh_token", GRANT_TYPE),
            source="configured",
        )
    )
    assert GRANT_TYPE in await offered()
    planner = {"client_id": "planner", "redirect_uris": [LOOPBACK]}
    token = (await world.tokens(planner))["access_token"]
    assert (await exchange(world, planner, token)).status_code == 200

"""RFC 7009: token revocation."""

from __future__ import annotations

from tests.attack.world import BOTH_FORMATS, World

pytestmark = BOTH_FORMATS


async def test_2_2_invalid_tokens_are_200(world: World) -> None:
    """ "invalid tokens do not cause an error response" """
    client = await world.register()
    async with world.http() as http:
        for token in ("x", "gk_rt_x", "a.b.c"):
            answer = await http.post("/revoke", data={"client_id": client["client_id"], "token": token})
            assert answer.status_code == 200
            assert answer.content == b""


async def test_2_1_clients_authenticate(world: World) -> None:
    client = await world.register(token_endpoint_auth_method="client_secret_post")
    tokens = await _confidential_tokens(world, client)
    async with world.http() as http:
        fields = {"client_id": client["client_id"], "token": tokens["access_token"]}
        assert (await http.post("/revoke", data=fields)).status_code == 401
        assert await world.alive(tokens["access_token"])
        fields["client_secret"] = client["client_secret"]
        assert (await http.post("/revoke", data=fields)).status_code == 200
    assert not await world.alive(tokens["access_token"])


async def test_2_1_a_refresh_token_takes_its_grant_along(world: World) -> None:
    """ "the authorization server SHOULD also invalidate all access tokens based on the same authorization
    grant" """
    client = await world.register()
    tokens = await world.tokens(client)
    other = await world.tokens(client)
    async with world.http() as http:
        fields = {"client_id": client["client_id"], "token": tokens["refresh_token"]}
        assert (await http.post("/revoke", data=fields)).status_code == 200
    assert not await world.alive(tokens["access_token"])
    assert await world.alive(other["access_token"])  # another login of the same client is another grant


async def _confidential_tokens(world: World, client: dict[str, str]) -> dict[str, str]:
    code = await world.code(client)
    found: dict[str, str] = (await world.redeem(client, code, client_secret=client["client_secret"])).json()
    return found

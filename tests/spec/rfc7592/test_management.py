"""RFC 7592: the client configuration endpoint."""

from __future__ import annotations

from tests.attack.test_management import changed, manage, update
from tests.attack.world import LOOPBACK, World


async def test_3_the_registration_answer_says_where_and_with_what(world: World) -> None:
    """§3: 'registration_access_token REQUIRED', 'registration_client_uri REQUIRED'."""
    client = await world.register()
    assert client["registration_client_uri"].startswith(f"{world.issuer}/")
    assert client["registration_access_token"].startswith("gk_rg_")


async def test_2_the_token_is_a_bearer_token(world: World) -> None:
    """§2: 'The client configuration endpoint MUST be protected by … the registration access token';
    'If the registration access token used to make this request is not valid, the server MUST respond with an
    error as described in "The OAuth 2.0 Authorization Framework: Bearer Token Usage"'."""
    client = await world.register()
    async with world.http() as http:
        bare = await http.get(client["registration_client_uri"])
    assert (bare.status_code, bare.headers["www-authenticate"]) == (401, "Bearer")
    wrong = await manage(world, client, token="gk_rg_x")
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_token")


async def test_2_1_read(world: World) -> None:
    """§2.1: 'Upon successful read of the information for a currently active client, the authorization server
    responds with an HTTP 200 OK'; §3: 'all registered metadata about this client'."""
    client = await world.register()
    answer = await manage(world, client)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == client


async def test_2_1_no_such_client(world: World) -> None:
    """§2.1: 'If the client does not exist on this server, the server MUST respond with HTTP 401
    Unauthorized'."""
    client = await world.register()
    await manage(world, client, "DELETE")
    assert (await manage(world, client)).status_code == 401


async def test_2_1_no_permission(world: World) -> None:
    """§2.1: 'If the client does not have permission to read its record, the server MUST return an HTTP 403
    Forbidden.'"""
    client = await world.register()
    await world.store.clients.set_disabled(client["client_id"], True)
    assert (await manage(world, client)).status_code == 403


async def test_2_2_an_update_replaces_everything(world: World) -> None:
    """§2.2: 'Valid values of client metadata fields in this request MUST replace, not augment, the values
    previously associated with this client. Omitted fields MUST be treated as null or empty values'."""
    client = await world.register(client_uri="https://a.example/", redirect_uris=[LOOPBACK])
    new = ["https://b.example/cb"]
    found = await changed(world, client, redirect_uris=new, client_name="Another name")
    assert (found["redirect_uris"], found["client_name"]) == (new, "Another name")
    assert "client_uri" not in found


async def test_2_2_the_identifier_is_there_and_right(world: World) -> None:
    """§2.2: 'The updated client metadata fields request MUST include the "client_id" field'."""
    client = await world.register()
    for ident in (None, "other"):
        answer = await manage(world, client, "PUT", json=update(client, client_id=ident))
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")


async def test_2_2_what_must_not_be_included(world: World) -> None:
    """§2.2: 'It MUST NOT include the "registration_access_token", "registration_client_uri",
    "client_secret_expires_at", or "client_id_issued_at" fields'."""
    client = await world.register()
    for name in (
        "registration_access_token",
        "registration_client_uri",
        "client_secret_expires_at",
        "client_id_issued_at",
    ):
        answer = await manage(world, client, "PUT", json=update(client, **{name: client.get(name, 0)}))
        assert answer.status_code == 400, name


async def test_2_2_the_secret(world: World) -> None:
    """§2.2: 'If the client includes the "client_secret" field in the request, the value of this field MUST
    match the currently issued client secret for that client. The client MUST NOT be allowed to overwrite its
    existing client secret with its own chosen value.'"""
    client = await world.register(token_endpoint_auth_method="client_secret_basic")
    answer = await manage(world, client, "PUT", json=update(client, client_secret="chosen by the client"))
    assert answer.status_code == 400
    assert (await changed(world, client, client_secret=client["client_secret"]))["client_id"]


async def test_2_3_delete(world: World) -> None:
    """§2.3: 'the server MUST respond with an HTTP 204 No Content message'; 'the authorization server SHOULD
    immediately invalidate all existing authorization grants and currently active access tokens, all refresh
    tokens, and other tokens associated with this client'."""
    client = await world.register()
    tokens = await world.tokens(client)
    answer = await manage(world, client, "DELETE")
    assert (answer.status_code, answer.content) == (204, b"")
    assert not await world.alive(tokens["access_token"])

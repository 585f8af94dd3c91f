"""K3: who may read, change and withdraw a registration (RFC 7592), and what they cannot bring about."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from gatekit.errors import AuditUnavailable
from gatekit.model.audit import ClientEvent
from gatekit.oauth.management import SECRET_OVERLAP
from gatekit.platform.vault import token_hash
from tests.attack.signing import Signer
from tests.attack.world import LOOPBACK, World

WEB = "https://app.example.net/callback"
SECOND = "https://second.example.net/callback"


async def manage(
    world: World,
    client: Mapping[str, Any],
    method: str = "GET",
    token: str | None = None,
    json: Any = None,
) -> httpx2.Response:
    bearer = client["registration_access_token"] if token is None else token
    path = urlsplit(client["registration_client_uri"]).path
    async with world.http() as http:
        headers = {"authorization": f"Bearer {bearer}"}
        return await http.request(method, path, headers=headers, json=json)


def update(client: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """A whole and correct update."""
    wanted = {
        "client_id": client["client_id"],
        "client_name": client["client_name"],
        "redirect_uris": client["redirect_uris"],
        "grant_types": client["grant_types"],
        "token_endpoint_auth_method": client["token_endpoint_auth_method"],
        **changes,
    }
    return {name: value for name, value in wanted.items() if value is not None}


async def changed(world: World, client: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    answer = await manage(world, client, "PUT", json=update(client, **changes))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_K3_the_token_is_stored_as_a_hash_and_changes_with_every_update(world: World) -> None:
    """K3: a hash at rest; after an update the token of before is worth nothing."""
    client = await world.register()
    row = await world.store.clients.get(client["client_id"])
    assert row is not None
    assert row.registration_hash == token_hash(client["registration_access_token"])
    renamed = await changed(world, client, client_name="Renamed")
    assert renamed["registration_access_token"] != client["registration_access_token"]
    for method in ("GET", "PUT", "DELETE"):
        assert (await manage(world, client, method, json=update(client))).status_code == 401
    assert (await manage(world, renamed)).json()["client_name"] == "Renamed"
    assert world.trail.named(ClientEvent, action="changed", client_id=client["client_id"])


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_K3_a_token_reaches_its_own_client_only(world: World, method: str) -> None:
    """K3: the answer for another client's path is the answer for no client's path."""
    mine, other = await world.register(), await world.register()
    tokens = await world.tokens(other)
    gone = {**other, "registration_client_uri": f"{world.issuer}/register/gkc_never"}
    answers = [
        await manage(world, target, method, token, json=update(other))
        for target, token in (
            (other, mine["registration_access_token"]),
            (gone, mine["registration_access_token"]),
            (other, ""),
            (other, "gk_rg_guess"),
            (other, tokens["access_token"]),
            (other, other["client_id"]),
        )
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert answers[0].content == answers[1].content == answers[3].content
    assert 'error="invalid_token"' in answers[0].headers["www-authenticate"]
    assert await world.alive(tokens["access_token"])
    assert (await manage(world, other)).status_code == 200


async def test_K3_a_disabled_client_stays_disabled(world: World) -> None:
    """K3: whatever a disabled client sends with its good token, it is as it was (CVE-2026-9705)."""
    client = await world.register()
    tokens = await world.tokens(client)
    await world.store.clients.set_disabled(client["client_id"], True)
    world.server.bearer.forget()
    for method, body in (
        ("GET", None),
        ("PUT", update(client)),
        ("PUT", update(client, disabled=False, enabled=True)),
        ("DELETE", None),
    ):
        assert (await manage(world, client, method, json=body)).status_code == 403
    row = await world.store.clients.get(client["client_id"])
    assert row is not None
    assert row.disabled
    assert (await world.refresh(client, tokens["refresh_token"])).status_code == 401
    page = await world.browser().visit(world.authorize_url(client))
    assert page.status_code == 400


async def test_K3_nothing_but_its_own_description_changes(world: World) -> None:
    """K3, K2: an update gives no trust, no identifier, no grant type that a registration would not give."""
    client = await world.register()
    grants = ["authorization_code", "refresh_token", "client_credentials", "implicit"]
    found = await changed(
        world,
        client,
        source="configured",
        disabled=False,
        grant_types=grants,
        scope="admin",
        servers=["vault"],
    )
    assert found["client_id"] == client["client_id"]
    assert found["grant_types"] == ["authorization_code", "refresh_token"]
    assert found["client_id_issued_at"] == client["client_id_issued_at"]
    row = await world.store.clients.get(client["client_id"])
    assert row is not None
    assert (row.source, row.servers, row.disabled) == ("dynamic", (), False)


BAD: dict[str, dict[str, Any]] = {
    "no client_id": {"client_id": None},
    "another client_id": {"client_id": "gkc_other"},
    "a registration token": {"registration_access_token": "x"},
    "where it is managed": {"registration_client_uri": "https://evil.example/"},
    "when its secret ends": {"client_secret_expires_at": 0},
    "when it was registered": {"client_id_issued_at": 0},
    "a secret that it does not have": {"client_secret": "x"},
    "a method without proof": {"token_endpoint_auth_method": "none"},
    "another method": {"token_endpoint_auth_method": "private_key_jwt", "jwks": Signer().jwks},
    "a hostile redirect": {"redirect_uris": ["javascript:alert(1)"]},
    "a redirect in the clear": {"redirect_uris": ["http://app.example/cb"]},
    "no redirect": {"redirect_uris": []},
}


@pytest.mark.parametrize("changes", BAD.values(), ids=BAD)
async def test_K3_updates_that_are_refused_change_nothing(world: World, changes: dict[str, Any]) -> None:
    """K3: what is refused leaves the client, its secret and its token as they were."""
    client = await world.register(token_endpoint_auth_method="client_secret_post")
    before = await world.store.clients.get(client["client_id"])
    answer = await manage(world, client, "PUT", json=update(client, **changes))
    assert answer.status_code == 400
    assert await world.store.clients.get(client["client_id"]) == before
    assert (await manage(world, client)).status_code == 200


async def test_A1_a_secret_is_renewed_with_an_overlap(world: World) -> None:
    """A1: left out of an update it is renewed, and the old one ends a day later; sent along it stays."""
    client = await world.register(token_endpoint_auth_method="client_secret_post")
    kept = await changed(world, client, client_secret=client["client_secret"])
    assert "client_secret" not in kept
    renewed = await changed(world, {**client, **kept})
    assert renewed["client_secret"] != client["client_secret"]
    assert renewed["client_secret_expires_at"] == 0

    async def known(secret: str) -> bool:
        answer = await world.refresh(client, "gk_rt_x", client_secret=secret)
        assert answer.status_code in (400, 401)
        return answer.status_code == 400

    assert await known(renewed["client_secret"])
    assert await known(client["client_secret"])
    again = await changed(world, renewed)
    assert not await known(client["client_secret"])  # two ago
    assert await known(renewed["client_secret"])
    world.clock.advance(SECRET_OVERLAP)
    assert await known(again["client_secret"])
    assert not await known(renewed["client_secret"])


async def test_K3_a_redirect_uri_that_was_taken_away_stays_away(world: World) -> None:
    """K3, D1: an identifier that vouches for a redirect URI does not bring it back into a registration."""
    client = await world.register(redirect_uris=[LOOPBACK, WEB])
    found = await changed(world, client, redirect_uris=[LOOPBACK, SECOND])
    assert found["redirect_uris"] == [LOOPBACK, SECOND]
    for uri, status in ((WEB, 400), (SECOND, 200)):
        page = await world.browser().visit(world.authorize_url(client, redirect_uri=uri))
        assert page.status_code == status
    assert not world.trail.named(ClientEvent, action="readmitted")


async def test_K3_keys_roll_over(world: World) -> None:
    """K3, A2: after an update the new key counts, and the old one does not."""
    old, new = Signer(kid="old"), Signer(kid="new")
    client = await world.register(token_endpoint_auth_method="private_key_jwt", jwks=old.jwks)
    ident = client["client_id"]
    await changed(world, client, jwks=new.jwks)
    for signer, status in ((old, 401), (new, 400)):
        fields = signer.fields(world, ident)
        assert (await world.refresh(client, "gk_rt_x", **fields)).status_code == status


async def test_K3_withdrawn_means_gone(world: World) -> None:
    """K3: the client, its tokens, its registration token; and its identifier is not let in again on sight."""
    client = await world.register()
    tokens = await world.tokens(client)
    answer = await manage(world, client, "DELETE")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["cache-control"] == "no-store"
    assert not await world.alive(tokens["access_token"])
    assert (await world.refresh(client, tokens["refresh_token"])).status_code == 401
    for method in ("GET", "PUT", "DELETE"):
        assert (await manage(world, client, method, json=update(client))).status_code == 401
    page = await world.browser().visit(world.authorize_url(client))
    assert page.status_code == 400
    assert world.trail.named(ClientEvent, action="deleted", client_id=client["client_id"])


async def test_K3_of_many_updates_at_once_one_counts(world: World) -> None:
    """K3: a registration token is used up by one update; the others change nothing."""
    client = await world.register()
    answers = await asyncio.gather(
        *(
            manage(world, client, "PUT", json=update(client, client_name=f"Name {number}"))
            for number in range(8)
        )
    )
    winners = [answer.json() for answer in answers if answer.status_code == 200]
    assert [answer.status_code for answer in answers].count(401) == 7
    (winner,) = winners
    assert (await manage(world, winner)).json()["client_name"] == winner["client_name"]


async def test_K1_updates_have_a_budget(world: World) -> None:
    """K1: each update is recorded, so there is an end to them."""
    client = await world.register()
    found: Mapping[str, Any] = client
    for _ in range(20):
        found = await changed(world, found)
    answer = await manage(world, found, "PUT", json=update(client))
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert (await manage(world, found)).status_code == 200


async def test_K3_what_cannot_be_recorded_does_not_happen(world: World) -> None:
    """K3: fail closed."""
    client = await world.register()
    before = await world.store.clients.get(client["client_id"])
    world.trail.failure = AuditUnavailable("disk full")
    for method in ("PUT", "DELETE"):
        assert (await manage(world, client, method, json=update(client))).status_code == 503
    assert await world.store.clients.get(client["client_id"]) == before


async def test_K3_clients_of_another_kind_are_not_managed_here(world: World) -> None:
    """K3: neither a forgotten client that was let in again nor one that the operator took over."""
    client = await world.register()
    row = await world.store.clients.get(client["client_id"])
    assert row is not None
    world.clock.advance(world.settings.unused_client_lifetime + 1)
    await world.server.tidy()
    await world.browser().visit(world.authorize_url(client))  # let in again on sight
    assert (await manage(world, client)).status_code == 401
    ours = type(row)(
        **{name: getattr(row, name) for name in row.__struct_fields__} | {"source": "configured"}
    )
    await world.configure(ours)
    assert (await manage(world, client)).status_code == 401

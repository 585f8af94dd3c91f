"""T1, T7, B9: access tokens that are random strings. What both forms share is tested with both, see
``world.BOTH_FORMATS``."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gatekit.errors import StoreFull
from gatekit.model.oauth import AccessToken
from gatekit.platform.vault import token_hash
from tests.attack.world import World, prepare, world_in


@pytest.fixture
async def opaque(tmp_path: Path, template: Path) -> AsyncIterator[World]:
    async with world_in(tmp_path, template, access_token_format="opaque") as found:
        yield found


async def test_B9_they_are_random_and_only_their_hash_is_stored(opaque: World) -> None:
    """B9: tokens are hashed at rest."""
    client = await opaque.register()
    tokens = await opaque.tokens(client)
    token = tokens["access_token"]
    assert re.fullmatch(r"gk_at_[A-Za-z0-9_-]{43}", token)
    assert await opaque.alive(token)
    again = (await opaque.refresh(client, tokens["refresh_token"])).json()["access_token"]
    assert again != token
    await opaque.store.close()
    kept = b"".join(path.read_bytes() for path in opaque.directory.glob("gatekit.db*"))
    await opaque.open()
    assert token_hash(token).encode() in kept
    assert token.encode() not in kept
    assert token.removeprefix("gk_at_").encode() not in kept


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token[:-1],
        lambda token: token + "x",
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: token.upper(),
        lambda token: token.replace("gk_at_", "gk_rt_"),
        lambda token: token.replace("gk_at_", ""),
        lambda token: "gk_at_",
        lambda token: token + "=",
        lambda token: token_hash(token),
        lambda token: "gk_at_" + token_hash(token),
        lambda token: "gk_at_' OR 1=1 --",
    ],
)
async def test_T1_what_is_not_exactly_one_of_ours(opaque: World, change: Any) -> None:
    """T1: nothing but the very string is accepted, least of all what the store holds."""
    token = (await opaque.tokens(await opaque.register()))["access_token"]
    refused = await opaque.use(change(token))
    assert refused.status_code == 401
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]
    assert await opaque.alive(token)


async def test_T7_another_choice_of_format_ends_no_token(tmp_path: Path) -> None:
    """T7: living tokens of the other form work until they expire, and are revoked as before."""
    await prepare(tmp_path)
    async with world_in(tmp_path, tmp_path, access_token_format="jwt") as signing:
        client = await signing.register()
        signed = await signing.tokens(client)
    async with world_in(tmp_path, tmp_path, access_token_format="opaque") as storing:
        assert await storing.alive(signed["access_token"])
        stored = (await storing.refresh(client, signed["refresh_token"])).json()
        assert stored["access_token"].startswith("gk_at_")
    async with world_in(tmp_path, tmp_path, access_token_format="jwt") as again:
        assert await again.alive(signed["access_token"])
        assert await again.alive(stored["access_token"])
        async with again.http() as http:
            data = {"client_id": client["client_id"], "token": stored["access_token"]}
            assert (await http.post("/revoke", data=data)).status_code == 200
        assert not await again.alive(stored["access_token"])
        assert await again.alive(signed["access_token"])
        again.clock.advance(3600)
        assert not await again.alive(signed["access_token"])


async def test_C4_R7_a_token_that_cannot_be_stored_costs_neither_code_nor_refresh_token(
    opaque: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C4, R7: the store fails when the access token is written, before anything was used up."""

    async def full(_: AccessToken) -> None:
        raise StoreFull("no room")

    client = await opaque.register()
    code = await opaque.code(client)
    with monkeypatch.context() as patch:
        patch.setattr(opaque.store.access_tokens, "add", full)
        assert (await opaque.redeem(client, code)).status_code == 503
    tokens = (await opaque.redeem(client, code)).json()
    with monkeypatch.context() as patch:
        patch.setattr(opaque.store.access_tokens, "add", full)
        assert (await opaque.refresh(client, tokens["refresh_token"])).status_code == 503
    opaque.clock.advance(100)  # longer than the grace: this is the token's first use
    assert (await opaque.refresh(client, tokens["refresh_token"])).status_code == 200


async def test_expired_rows_are_removed(opaque: World) -> None:
    token = (await opaque.tokens(await opaque.register()))["access_token"]
    await opaque.server.tidy()
    assert await opaque.store.access_tokens.by_hash(token_hash(token)) is not None
    opaque.clock.advance(3600)
    await opaque.server.tidy()
    assert await opaque.store.access_tokens.by_hash(token_hash(token)) is None

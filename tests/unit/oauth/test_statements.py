"""Statements: a key and a type for each kind, made when first used, seen by other processes."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import get_args

import pytest

from gatekit.errors import StoreError, TokenInvalid
from gatekit.oauth.keys import KeyRing, new_key
from gatekit.oauth.statements import Kind, Statements
from gatekit.platform.vault import Vault, load_master_key
from gatekit.store.sql.store import open_store
from tests.attack.world import ManualClock


def header(token: str) -> dict[str, str]:
    first = token.partition(".")[0]
    found: dict[str, str] = json.loads(base64.urlsafe_b64decode(first + "=="))
    return found


async def test_each_kind_has_its_own_key_and_type(tmp_path: Path) -> None:
    store, clock = await open_store(tmp_path / "gatekit.db"), ManualClock()
    try:
        vault = Vault(load_master_key(tmp_path))
        access = KeyRing(store.signing_keys, vault, clock, 3600)
        await access.load()
        here = Statements(store.signing_keys, vault, clock)
        await here.load()
        assert await here.public_keys() == [], "nothing is made before it is used"

        kinds = get_args(Kind)
        tokens = {
            kind: await here.sign(kind, {"sub": kind}) for kind in ("id-token", "logout-token", "identity")
        }
        headers = {kind: header(token) for kind, token in tokens.items()}
        assert {kind: found["typ"] for kind, found in headers.items()} == {
            "id-token": "JWT",
            "logout-token": "logout+jwt",
            "identity": "gatekit-identity+jwt",
        }
        assert len({found["kid"] for found in headers.values()}) == 3
        assert {key["kid"] for key in await here.public_keys()} == {f["kid"] for f in headers.values()}
        for kind in kinds:
            token = tokens[kind]
            assert await here.read(kind, token) == {"sub": kind}
            with pytest.raises(TokenInvalid):
                access.verify(token)
            for other in kinds:
                if other == kind:
                    continue
                with pytest.raises(TokenInvalid):
                    await here.read(other, token)
    finally:
        await store.close()


async def test_another_process_reads_and_publishes_what_one_made(tmp_path: Path) -> None:
    store, clock = await open_store(tmp_path / "gatekit.db"), ManualClock()
    try:
        vault = Vault(load_master_key(tmp_path))
        here, there = (Statements(store.signing_keys, vault, clock) for _ in range(2))
        await there.load()
        token = await here.sign("id-token", {"sub": "alice"})
        clock.advance(10)
        assert len(await there.public_keys()) == 1
        assert await there.read("id-token", token) == {"sub": "alice"}
    finally:
        await store.close()


async def test_keys_of_another_master_key_are_no_answer_and_make_none(tmp_path: Path) -> None:
    """Whoever asks is told to come again; no new key takes the place of one that cannot be read."""
    store, clock = await open_store(tmp_path / "gatekit.db"), ManualClock()
    try:
        await store.signing_keys.add(new_key(Vault(bytes(32)), "id-token-rs256", int(clock.now())))
        here = Statements(store.signing_keys, Vault(load_master_key(tmp_path)), clock)
        await here.load()
        for _ in range(2):
            with pytest.raises(StoreError, match="master key"):
                await here.sign("id-token", {}, "RS256")
        await here.tidy()
        assert len(await store.signing_keys.list()) == 1
        assert header(await here.sign("id-token", {}))["alg"] == "ES256"
    finally:
        await store.close()

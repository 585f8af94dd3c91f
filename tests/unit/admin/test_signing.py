"""Keys that sign: which are published and ended by the commands."""

from __future__ import annotations

import json

import pytest

from gatekit.admin.signing import SigningKeys
from gatekit.errors import NotFound
from gatekit.identity.saml.keys import SamlKeys
from gatekit.oauth.keys import new_key
from gatekit.platform.vault import Vault
from tests.unit.admin.conftest import NOW, Setting

VAULT = Vault(bytes(32))


def desk(setting: Setting) -> SigningKeys:
    return SigningKeys(*setting.parts, lambda purpose, now: new_key(VAULT, purpose, now))


async def test_every_purpose_gets_a_key_of_its_own_kind(setting: Setting) -> None:
    store = setting.store.signing_keys
    for purpose in ("access-token", "id-token", "id-token-rs256"):
        await store.add(new_key(VAULT, purpose, NOW - 10))
    made = await desk(setting).rotate(setting.actor)
    kinds = {key.purpose: (key.algorithm, json.loads(key.public_jwk)["kty"]) for key in made}
    assert kinds == {
        "access-token": ("ES256", "EC"),
        "id-token": ("ES256", "EC"),
        "id-token-rs256": ("RS256", "RSA"),
    }


async def test_keys_of_saml_are_left_to_saml(setting: Setting) -> None:
    """Partners have imported them with their certificates: a bare key in their place would be worse than
    none."""
    saml = SamlKeys(setting.store.signing_keys, VAULT, setting.clock, "gate.example")
    (before,) = await saml.pairs("saml-signing")
    made = await desk(setting).rotate(setting.actor)
    assert [key.purpose for key in made] == ["access-token"]
    (row,) = await setting.store.signing_keys.list("saml-signing")
    assert await desk(setting).retire(setting.actor, row.kid) is None
    (after,) = await saml.pairs("saml-signing")
    assert after.certificate != before.certificate


async def test_a_successor_comes_before_the_end(setting: Setting) -> None:
    key = new_key(VAULT, "access-token", NOW)
    await setting.store.signing_keys.add(key)
    successor = await desk(setting).retire(setting.actor, key.kid[:10])
    assert successor is not None
    living = [k.kid for k in await setting.store.signing_keys.list() if k.retired_at is None]
    assert living == [successor.kid]
    with pytest.raises(NotFound):
        await desk(setting).retire(setting.actor, "nothing")

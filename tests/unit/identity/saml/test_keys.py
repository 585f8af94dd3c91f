"""Our own keys: made once, sealed, two uses apart."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256

from gatekit.identity.saml.keys import SamlKeys
from gatekit.platform.vault import Vault
from gatekit.store.sql.store import open_store
from tests.support.clock import ManualClock


async def test_keys_are_made_once_and_sealed(tmp_path: Path) -> None:
    store = await open_store(tmp_path / "gatekit.db")
    try:
        vault, clock = Vault(bytes(32)), ManualClock()
        one, other = (
            SamlKeys(store.signing_keys, vault, clock, "gate.example.com", bits=2048) for _ in range(2)
        )
        made, seen = await asyncio.gather(one.pairs("saml-signing"), other.pairs("saml-signing"))
        assert [p.certificate for p in made] == [p.certificate for p in seen]
        assert made[0].certificate.public_key() == made[0].private.public_key()
        [reading] = await one.pairs("saml-reading")
        assert reading.certificate != made[0].certificate
        await store.signing_keys.retire(reading.certificate.fingerprint(SHA256()).hex()[:43], 5)
        [next_one] = await other.pairs("saml-reading")
        assert next_one.certificate != reading.certificate, "a key that leaked is followed by another"
        for row in await store.signing_keys.list():
            assert "PRIVATE" not in row.private_sealed + row.public_jwk
    finally:
        await store.close()


async def test_the_old_key_signs_until_it_is_retired(tmp_path: Path) -> None:
    """A provider that has not imported the next one yet must not be given its signatures."""
    clock, store = ManualClock(), await open_store(tmp_path / "gatekit.db")
    try:
        keys = SamlKeys(store.signing_keys, Vault(bytes(32)), clock, "gate.example", bits=2048)
        (old,) = await keys.pairs("saml-signing")
        clock.at += 60
        await store.signing_keys.add(await keys.fresh("saml-signing"))
        assert len(await keys.pairs("saml-signing")) == 2
        assert (await keys.signing()).private_numbers() == old.private.private_numbers()
        await store.signing_keys.retire(old.certificate.fingerprint(SHA256()).hex()[:43], int(clock.now()))
        assert (await keys.signing()).private_numbers() != old.private.private_numbers()
    finally:
        await store.close()

"""Our own keys for SAML: one signs what we send, one reads what is encrypted for us.

Two, because a key that decrypts for strangers must not sign as well. RSA, because that is what every provider
takes. They lie sealed among the signing keys and are made at first use; a certificate is only the form in
which metadata carries a key, so it says nothing but a name and lasts as long as metadata is copied by hand.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from msgspec import Struct

from gatekit.model.oauth import SigningKey
from gatekit.model.ports import Clock
from gatekit.store.ports import SigningKeys

Use = Literal["saml-signing", "saml-reading"]
SEAL = "saml-key"
BITS = 3072
YEARS = 10


class Sealer(Protocol):
    """``platform.vault`` implements it."""

    def seal(self, plain: str, purpose: str) -> str: ...
    def open(self, sealed: str, purpose: str) -> str: ...


class Pair(Struct, frozen=True):
    private: rsa.RSAPrivateKey
    certificate: x509.Certificate


class SamlKeys:
    """Keys by use, newest first. Not for use across threads."""

    def __init__(self, store: SigningKeys, vault: Sealer, clock: Clock, name: str, bits: int = BITS) -> None:
        """``name``: the common name in certificates, our public host."""
        self._store = store
        self._vault = vault
        self._clock = clock
        self._name = name
        self._bits = bits
        self._kept: dict[tuple[str, str], Pair] = {}

    async def signing(self) -> rsa.RSAPrivateKey:
        """What signs: the oldest one, until it is retired. Providers know the next one by then, from metadata
        that somebody has imported. Raises ``StoreError``."""
        return (await self.pairs("saml-signing"))[-1].private

    async def fresh(self, use: Use) -> SigningKey:
        """A new one, which is nowhere yet."""
        return await asyncio.to_thread(self._new, use)  # up to a second of arithmetic

    async def pairs(self, use: Use) -> list[Pair]:
        """Every pair that is not retired; the first is made when there is none. Raises ``StoreError``."""
        rows = await self._standing(use)
        if not rows:
            # Several processes may come here at once; compare-and-swap leaves one of their keys.
            await self._store.succeed(await self.fresh(use), None)
            rows = await self._standing(use)
        return [self._pair(row) for row in rows]

    async def _standing(self, use: Use) -> list[SigningKey]:
        return [row for row in await self._store.list(use) if row.retired_at is None]

    def _pair(self, row: SigningKey) -> Pair:
        known = self._kept.get((row.purpose, row.kid))
        if known is None:
            opened = self._vault.open(row.private_sealed, SEAL).encode()
            private = serialization.load_pem_private_key(opened, password=None)
            assert isinstance(private, rsa.RSAPrivateKey)
            certificate = x509.load_pem_x509_certificate(json.loads(row.public_jwk)["certificate"].encode())
            known = self._kept[(row.purpose, row.kid)] = Pair(private, certificate)
        return known

    def _new(self, use: Use) -> SigningKey:
        private = rsa.generate_private_key(65537, self._bits)
        certificate = self_signed(private, self._name, self._clock.now)
        pem = private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        encoded = certificate.public_bytes(serialization.Encoding.PEM).decode()
        return SigningKey(
            kid=certificate.fingerprint(hashes.SHA256()).hex()[:43],
            purpose=use,
            algorithm="RS256" if use == "saml-signing" else "RSA-OAEP",
            public_jwk=json.dumps({"certificate": encoded}),
            private_sealed=self._vault.seal(pem.decode(), SEAL),
            created_at=int(self._clock.now()),
        )


def self_signed(private: rsa.RSAPrivateKey, name: str, now: Callable[[], float]) -> x509.Certificate:
    """The form in which metadata carries a key."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    start = datetime.fromtimestamp(int(now()), UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - timedelta(days=1))
        .not_valid_after(start + timedelta(days=365 * YEARS))
        .sign(private, hashes.SHA256())
    )

"""Proof of possession (RFC 9449, DPoP): who presents a token shows that they hold the key it is bound to.

``Proofs`` judges one proof, at our own endpoints and at the resource server alike. It says whose key signed
it (the RFC 7638 thumbprint), never whether that is the right key: only who asks knows what the key is
compared with. Each proof counts once. That is remembered in the store and not in memory, so that it holds for
every process and across restarts; a proof is a signature for one request anyhow, and one row is less work
than checking it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from hmac import compare_digest
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct
from starlette.requests import Request

from gatekit.errors import ForeignTokenInvalid, InvalidProof, ProofNonceWanted, ProofRefused
from gatekit.model.ports import Clock
from gatekit.oauth.ports import Vault
from gatekit.oauth.settings import OAuthSettings
from gatekit.platform.foreign import local_keys, numeric_date, parse, verify
from gatekit.platform.segments import encode_segment
from gatekit.store.ports import Replays

ALGORITHMS = ("ES256", "ES384", "EdDSA", "Ed25519", "PS256", "RS256")
"""What proofs may be signed with: asymmetric, all of them (RFC 9449 §4.2)."""
HEADER = "dpop"
NONCE_HEADER = "DPoP-Nonce"
TYP = frozenset(("dpop+jwt",))
PURPOSE = "dpop"

MAX_PROOF = 8192
MAX_JTI = 256
WINDOW = 120
"""Seconds by which a proof may be old, and by which a client's clock may be ahead (RFC 9449 §11.1)."""
NONCE_PERIOD = 300
"""Seconds between two nonces; the one before is still good."""

_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_KEY = "gatekit.proven_key"
"""Where ``proven_key`` stands in the scope of a request, which nobody else shares."""
_PORTS = {"http": 80, "https": 443}


class Target(Struct, frozen=True):
    """What a proof must be for."""

    method: str
    url: str
    token: str = ""
    """The access token that came with it; empty where there is none (our own endpoints)."""


class Proofs:
    """Judges DPoP proofs."""

    def __init__(self, settings: OAuthSettings, replays: Replays, vault: Vault, clock: Clock) -> None:
        self._settings = settings
        self._replays = replays
        self._vault = vault
        self._clock = clock

    async def verify(self, headers: Sequence[bytes], target: Target) -> str:
        """The thumbprint of the key that signed the one proof in ``headers`` (RFC 9449 §4.3).

        Raises ``ProofRefused``, or ``StoreError``: no answer is not a yes.
        """
        if len(headers) != 1:
            raise ProofRefused("exactly one DPoP header is needed", f"{len(headers)} DPoP headers")
        jkt, claims = _signed(headers[0])
        issued = _claims(claims, target, self._clock.now())
        if self._settings.dpop_nonce and not self._is_ours(claims.get("nonce")):
            raise ProofRefused("the proof needs the nonce of this answer", nonce=self.nonce())
        await self._once(jkt, str(claims["jti"]), issued)
        return jkt

    def nonce(self) -> str:
        """What a proof must hold from now on, the same in every process (RFC 9449 §8)."""
        return self._nonce(int(self._clock.now()) // NONCE_PERIOD)

    def _nonce(self, period: int) -> str:
        return self._vault.mac(str(period), "dpop-nonce")

    def _is_ours(self, nonce: object) -> bool:
        period = int(self._clock.now()) // NONCE_PERIOD
        given = nonce.encode("utf-8", "surrogatepass") if isinstance(nonce, str) else b""
        return any([compare_digest(given, self._nonce(one).encode()) for one in (period, period - 1)])

    async def _once(self, jkt: str, jti: str, issued: float) -> None:
        """RFC 9449 §11.1. A ``jti`` is the signer's, so two keys may use the same."""
        ends = int(issued) + WINDOW + 1
        if not await self._replays.first(PURPOSE, f"{jkt}.{jti}", ends, int(self._clock.now())):
            raise ProofRefused("the proof was used before")


class EndpointProofs:
    """Proofs at the authorization server's own endpoints (RFC 9449 §5, §10.1)."""

    def __init__(self, settings: OAuthSettings, proofs: Proofs) -> None:
        self._settings = settings
        self._proofs = proofs

    async def offered(self, request: Request, path: str) -> str:
        """The thumbprint of the key that the caller holds; empty if no proof came.

        Raises ``InvalidProof``, ``ProofNonceWanted``.
        """
        headers = [value for name, value in request.scope["headers"] if name == HEADER.encode()]
        if not headers:
            return ""
        target = Target(request.method, f"{self._settings.issuer}{path}")
        try:
            return await self._proofs.verify(headers, target)
        except ProofRefused as refused:
            if refused.nonce:
                raise ProofNonceWanted(refused.description, refused.nonce) from refused
            raise InvalidProof(refused.description, refused.detail) from refused

    def fresh_nonce(self) -> str:
        """What to send along with an answer (RFC 9449 §8.2); empty if nonces are not asked for."""
        return self._proofs.nonce() if self._settings.dpop_nonce else ""


def proven_key(request: Request) -> str:
    """The thumbprint that the token endpoint found before a grant type was asked; empty if there is none."""
    return str(request.scope.get(_KEY, ""))


def note_proven_key(request: Request, jkt: str) -> None:
    """For ``proven_key``."""
    request.scope[_KEY] = jkt


def normal_target(url: str) -> str:
    """``url`` without query and fragment, normalised (RFC 9449 §4.3; RFC 3986 §6.2.2, §6.2.3).

    Raises ``ValueError`` for what is no plain http or https URL.
    """
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError("not a URL")
    parts = urlsplit(url)
    scheme, host, port = parts.scheme, parts.hostname, parts.port  # scheme and host in lower case
    if scheme not in _PORTS or not host or "@" in parts.netloc:
        raise ValueError("not a plain http URL")
    netloc = f"[{host}]" if ":" in host else host
    if port is not None and port != _PORTS[scheme]:
        netloc = f"{netloc}:{port}"
    return f"{scheme}://{netloc}{_normal_path(parts.path)}"


def _normal_path(path: str) -> str:
    plain = _ESCAPE.sub(_escaped, path)
    kept: list[str] = []
    segments = plain.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments and segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _escaped(found: re.Match[str]) -> str:
    char = chr(int(found[1], 16))
    return char if char in _UNRESERVED else found[0].upper()


def _signed(header: bytes) -> tuple[str, dict[str, Any]]:
    """(thumbprint, claims) of a proof that the key in its own header signed."""
    try:
        if len(header) > MAX_PROOF:
            raise ProofRefused("the proof is too long")
        found = parse(header.decode("latin-1"))
        # The one JWT whose key stands in its own header: it proves that somebody holds it and says nothing
        # about who that is. ``local_keys`` takes public signature keys only.
        keys = local_keys({"keys": [found.header.get("jwk")]}, strict=True)
        claims = verify(found, keys, algorithms=frozenset(ALGORITHMS), typ=TYP)
    except ForeignTokenInvalid as bad:
        raise ProofRefused("the proof is not acceptable", bad.detail) from bad
    return keys[0].thumbprint(), claims


def _claims(claims: dict[str, Any], target: Target, now: float) -> float:
    """Check what a proof says (RFC 9449 §4.3, 3 and 8 to 12); return when it was made."""
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI:
        raise ProofRefused("the proof's jti is missing or not usable")
    if claims.get("htm") != target.method:
        raise ProofRefused("the proof is for another method", f"htm {str(claims.get('htm'))[:20]!r}")
    _check_url(claims.get("htu"), target.url)
    try:
        issued = numeric_date(claims, "iat")
    except ForeignTokenInvalid:
        issued = None
    if issued is None:
        raise ProofRefused("the proof's iat is missing or not a time")
    if not -WINDOW <= issued - now <= WINDOW:
        raise ProofRefused(
            "the proof is too old, or your clock is wrong", f"iat is {issued - now:+.0f} s off"
        )
    if target.token:
        expected = encode_segment(sha256(target.token.encode("ascii")).digest())
        if claims.get("ath") != expected:
            raise ProofRefused("the proof is for another access token", "ath differs")
    return issued


def _check_url(htu: object, url: str) -> None:
    try:
        if isinstance(htu, str) and normal_target(htu) == normal_target(url):
            return
    except ValueError:
        pass
    # Said aloud: clients that reach us under another name than the public one would search for long.
    raise ProofRefused(f"the proof is not for {url}", f"htu {str(htu)[:200]!r}, expected {url!r}")

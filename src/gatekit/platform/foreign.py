"""JWTs that somebody else signed: assertions, proofs, access tokens of another authorization server.

Our own access tokens never come here (``jws``, decision 0009). Header and claims are read once, by the strict
reader below, and the JOSE library is given bytes, an algorithm and a key: it never interprets what a stranger
wrote, so there is no second reading that could differ from the first. ``jwk``, ``jku``, ``x5u`` and ``x5c``
in a header are never looked at; a header with ``crit`` or ``b64`` is refused (checklist T1; RFC 8725).

The order of use: ``parse`` to learn who claims to have signed, ``remote_keys`` or ``local_keys`` for the keys
of exactly that somebody, ``verify``, then ``check_times`` and whatever else the token's profile asks for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from gatekit.errors import ForeignTokenInvalid
from gatekit.platform.segments import decode_segment
from gatekit.platform.strict_json import read_object

if TYPE_CHECKING:
    from joserfc.jwk import Key as NativeKey

MAX_TOKEN = 16 * 1024
"""Characters. Providers that put many groups into a token come close to 8,000."""
MAX_KEYS = 64
"""Keys of one set that are looked at."""
MAX_TRIES = 8
"""Keys that one token is tried with, if it does not say which."""
RSA_BITS = (2048, 8192)
"""RFC 7518 §3.3 at the lower end; the upper one bounds what one signature costs us."""

_CURVES = {
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),  # RFC 8037; RFC 9864 calls the same thing Ed25519
    "Ed25519": ("OKP", "Ed25519"),
}
_KINDS = {
    **_CURVES,
    **{f"{family}{bits}": ("RSA", "") for family in ("RS", "PS") for bits in (256, 384, 512)},
}
"""Algorithm → the key type and curve that it belongs to (RFC 8725 §3.2: the key decides, not the token)."""

ASYMMETRIC = frozenset(_KINDS)
"""Every algorithm there is here. There is no HMAC and no ``none``."""

_PRIVATE = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth", "k"))


class Foreign(Struct, frozen=True):
    """A compact JWS taken apart. Nothing in it is verified."""

    header: Mapping[str, Any]
    claims: dict[str, Any]
    signed: bytes
    signature: bytes

    @property
    def algorithm(self) -> str:
        return str(self.header["alg"])

    @property
    def kid(self) -> str:
        """Which key is said to have signed; empty if the header does not say."""
        return str(self.header.get("kid", ""))

    @property
    def typ(self) -> str:
        """Media type in lower case without ``application/`` (RFC 7515 §4.1.9); empty if there is none."""
        return str(self.header.get("typ", "")).lower().removeprefix("application/")

    @property
    def issuer(self) -> str:
        """``iss``, as it is written; empty if it is missing or not a text."""
        value = self.claims.get("iss")
        return value if isinstance(value, str) else ""


class Key(Struct, frozen=True):
    """A public key that may verify signatures."""

    kid: str
    kind: tuple[str, str]
    """Key type and curve."""
    algorithm: str
    """The only algorithm it is for; empty if its owner does not say."""
    native: NativeKey

    def fits(self, algorithm: str) -> bool:
        """Whether a signature with ``algorithm`` can be this key's."""
        same = self.algorithm == algorithm or {self.algorithm, algorithm} == {"EdDSA", "Ed25519"}
        return _KINDS[algorithm] == self.kind and (not self.algorithm or same)

    def thumbprint(self) -> str:
        """RFC 7638, SHA-256."""
        return self.native.thumbprint()


def parse(token: str) -> Foreign:
    """Take a compact JWS apart, to learn whose it claims to be. Raises ``ForeignTokenInvalid``."""
    if len(token) > MAX_TOKEN or not token.isascii() or token.count(".") != 2:
        raise _invalid("not a compact JWS of sane size")
    head, payload, signature = token.split(".")
    try:
        header = read_object(decode_segment(head))
        claims = read_object(decode_segment(payload))
        raw = decode_segment(signature)
    except ValueError as bad:
        raise _invalid(f"not a strict compact JWS: {bad}") from bad
    for name, longest in (("alg", 16), ("kid", 512), ("typ", 128)):
        value = header.get(name, "")
        if not isinstance(value, str) or len(value) > longest:
            raise _invalid(f"the header's {name} is not a short text")
    if not header.get("alg"):
        raise _invalid("the header names no algorithm")
    # RFC 7515 §4.1.11: what must be understood and is not ends it. We understand no extension.
    if "crit" in header or "b64" in header:
        raise _invalid("the header holds an extension that must be understood")
    return Foreign(header, claims, f"{head}.{payload}".encode("ascii"), raw)


def verify(
    token: str | Foreign,
    keys: Sequence[Key],
    *,
    algorithms: frozenset[str],
    typ: frozenset[str] | None,
) -> dict[str, Any]:
    """The claims, if one of ``keys`` signed them with one of ``algorithms``.

    ``typ``: the media types that are accepted, in lower case and without ``application/``; ``""`` stands for
    a token without one; None accepts every type: then the caller must tell tokens apart otherwise (T2).
    Times, issuer and audience are the caller's to check. Raises ``ForeignTokenInvalid``.
    """
    found = parse(token) if isinstance(token, str) else token
    algorithm = found.algorithm
    if algorithm not in algorithms or algorithm not in ASYMMETRIC:
        raise _invalid(f"algorithm {algorithm[:16]!r} is not accepted")
    if typ is not None and found.typ not in typ:
        raise _invalid(f"type {found.typ[:64]!r} is not accepted")
    candidates = [key for key in keys if key.fits(algorithm) and key.kid in ("", found.kid or key.kid)]
    if not candidates:
        raise _invalid(f"no key fits kid {found.kid[:64]!r} and {algorithm}")
    # A key that bears the name before those that bear none.
    candidates.sort(key=lambda key: key.kid != found.kid)
    if not any(_signed(found, key) for key in candidates[:MAX_TRIES]):
        raise _invalid("bad signature")
    return found.claims


def local_keys(jwks: object, *, strict: bool = False) -> Sequence[Key]:
    """The public signature keys of a JWK set (RFC 7517 §5) in their order.

    What cannot verify a signature here (other types, encryption keys, weak ones) is left out, and so is a key
    whose private or secret part stands in the set: everybody knows it. With ``strict`` it is an error
    instead: for sets that somebody registers. Raises ``ForeignTokenInvalid``; its reason may be shown.
    """
    listed = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(listed, list) or not all(isinstance(jwk, dict) for jwk in listed):
        raise ForeignTokenInvalid("the keys are not a JWK set")
    if strict and not 0 < len(listed) <= MAX_KEYS:
        raise ForeignTokenInvalid(f"a JWK set must hold 1 to {MAX_KEYS} keys")
    found = []
    for jwk in listed[:MAX_KEYS]:
        try:
            found.append(_key(jwk))
        except ValueError as unusable:
            if strict:
                raise ForeignTokenInvalid(f"a key cannot be used: {unusable}") from unusable
    return found


def check_times(claims: Mapping[str, Any], now: float, *, skew: float, longest: float | None = None) -> float:
    """``exp`` (required), ``nbf`` and ``iat`` against ``now``, in seconds; return ``exp``.

    ``skew``: by how much clocks may differ. ``longest``: how far ahead ``exp`` may lie, and how old ``iat``
    may be where it is given. Raises ``ForeignTokenInvalid``.
    """
    ends = numeric_date(claims, "exp")
    if ends is None:
        raise _invalid("exp is missing")
    if ends <= now - skew:
        raise _invalid("expired")
    if longest is not None and ends > now + longest + skew:
        raise _invalid(f"exp is more than {longest:g} seconds ahead")
    begins = numeric_date(claims, "nbf")
    if begins is not None and begins > now + skew:
        raise _invalid("not valid yet")
    issued = numeric_date(claims, "iat")
    if issued is not None and issued > now + skew:
        raise _invalid("issued in the future")
    if longest is not None and issued is not None and issued < now - longest - skew:
        raise _invalid(f"issued more than {longest:g} seconds ago")
    return ends


def audience(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """``aud`` as texts (RFC 7519 §4.1.3); empty if it is missing. Raises ``ForeignTokenInvalid``."""
    value = claims.get("aud", [])
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
        raise _invalid("aud is neither a text nor a list of texts")
    return tuple(values)


def text(claims: Mapping[str, Any], name: str, longest: int = 512) -> str:
    """A claim that must be a text of 1 to ``longest`` characters. Raises ``ForeignTokenInvalid``."""
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        raise _invalid(f"{name} is not a text of sane size")
    return value


def _signed(found: Foreign, key: Key) -> bool:
    # 80 ms and some megabytes that a gateway pays for only if somebody else's token comes in.
    from joserfc.jws import JWSRegistry  # noqa: PLC0415

    # RFC 9864's name, without the deprecation warning of the old one; the key's curve is checked in ``fits``.
    name = "Ed25519" if found.algorithm == "EdDSA" else found.algorithm
    return JWSRegistry.algorithms[name].verify(found.signed, found.signature, key.native)


def _key(jwk: Mapping[str, Any]) -> Key:
    """Raises ``ValueError`` for a key that cannot verify signatures here."""
    kty, algorithm, kid = jwk.get("kty"), jwk.get("alg", ""), jwk.get("kid", "")
    if not isinstance(kid, str) or len(kid) > 512:
        raise ValueError("its kid is not a short text")
    if _PRIVATE & jwk.keys():
        raise ValueError("it holds a private or secret part")
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        raise ValueError("it is not for signatures")
    kind = (str(kty), "" if kty == "RSA" else str(jwk.get("crv")))
    if kind not in _KINDS.values():
        raise ValueError("its type is not in use here")
    if algorithm and _KINDS.get(algorithm if isinstance(algorithm, str) else "") != kind:
        raise ValueError("its alg does not belong to its type")
    members = {name: jwk.get(name) for name in ("kty", "crv", "n", "e", "x", "y") if name in jwk}
    if not all(isinstance(value, str) for value in members.values()):
        raise ValueError("its members are not texts")
    if kty == "RSA":
        _check_rsa(members)
    return Key(kid, kind, algorithm, _native(members))


def _check_rsa(members: Mapping[str, Any]) -> None:
    modulus = int.from_bytes(decode_segment(members.get("n", "")), "big")
    exponent = int.from_bytes(decode_segment(members.get("e", "")), "big")
    if not RSA_BITS[0] <= modulus.bit_length() <= RSA_BITS[1]:
        raise ValueError(f"an RSA key must have {RSA_BITS[0]} to {RSA_BITS[1]} bits")
    if exponent % 2 == 0 or not 3 <= exponent < 1 << 32:
        raise ValueError("its exponent is not a usual one")


def _native(members: dict[str, Any]) -> NativeKey:
    from joserfc.errors import JoseError  # noqa: PLC0415  (as above)
    from joserfc.jwk import import_key  # noqa: PLC0415

    try:
        key = import_key(members)
        key.get_op_key("verify")  # now, not at the first token: it checks that a point lies on its curve
    except (JoseError, KeyError, TypeError) as bad:
        raise ValueError(str(bad) or type(bad).__name__) from bad
    return key


def numeric_date(claims: Mapping[str, Any], name: str) -> float | None:
    """RFC 7519 §2: a number of seconds, perhaps with a fraction; None if it is missing.

    Bounded, because JSON can carry numbers that no clock can be compared with. Raises
    ``ForeignTokenInvalid``.
    """
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1 << 53:
        raise _invalid(f"{name} is not a time")
    return float(value)


def _invalid(detail: str) -> ForeignTokenInvalid:
    """One sentence for everybody, the cause for the log."""
    return ForeignTokenInvalid("the token cannot be accepted", detail)

"""JWTs that somebody else signed: read once, strictly (RFC 7515, RFC 7519, RFC 8725; checklist T1, T2)."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from hashlib import sha256
from hmac import digest
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from gatekit.errors import ForeignTokenInvalid
from gatekit.platform.foreign import (
    ASYMMETRIC,
    MAX_KEYS,
    MAX_TOKEN,
    audience,
    check_times,
    local_keys,
    parse,
    text,
    verify,
)

RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
EC384 = ECKey.generate_key("P-384", {"kid": "ec384"})
EC521 = ECKey.generate_key("P-521", {"kid": "ec521"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})
STRANGER = ECKey.generate_key("P-256", {"kid": "ec"})
OURS: list[Any] = [RSA, EC, EC384, EC521, ED]
SET = {"keys": [key.as_dict(private=False) for key in OURS]}
KEYS = local_keys(SET)
CLAIMS = {"iss": "https://idp.example", "sub": "alice", "exp": 2_000_000_000}


def segment(data: bytes | dict[str, Any]) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sign(
    key: Any, header: bytes | dict[str, Any], payload: bytes | dict[str, Any] = b"", alg: str = ""
) -> str:
    """A token whose first segments are exactly these bytes, with a genuine signature over them."""
    algorithm = alg or (json.loads(header) if isinstance(header, bytes) else header)["alg"]
    signed = f"{segment(header)}.{segment(payload or CLAIMS)}"
    return f"{signed}.{segment(jws.JWSRegistry.algorithms[algorithm].sign(signed.encode(), key))}"


def check(token: str, **more: Any) -> dict[str, Any]:
    return verify(token, KEYS, **{"algorithms": ASYMMETRIC, "typ": None, **more})


@pytest.mark.parametrize(
    ("alg", "key"),
    [
        *((f"{family}{bits}", RSA) for family in ("RS", "PS") for bits in (256, 384, 512)),
        *(("ES256", EC), ("ES384", EC384), ("ES512", EC521), ("EdDSA", ED), ("Ed25519", ED)),
    ],
)
def test_every_algorithm(alg: str, key: Any) -> None:
    with_name, without = ({"alg": alg, "kid": key.kid}, {"alg": alg})
    signer = "Ed25519" if alg == "EdDSA" else ""
    assert check(sign(key, with_name, alg=signer)) == CLAIMS
    assert check(sign(key, without, alg=signer)) == CLAIMS
    with pytest.raises(ForeignTokenInvalid, match="not accepted"):
        check(sign(key, with_name, alg=signer), algorithms=ASYMMETRIC - {alg})


def test_the_table_of_algorithms_is_all_tested() -> None:
    assert len(ASYMMETRIC) == 11
    assert not ASYMMETRIC & {"none", "HS256", "HS384", "HS512", "ES256K", "RSA1_5"}


PEM = RSA.as_pem(private=False)


def hmac_with(secret: bytes, header: dict[str, Any]) -> str:
    signed = f"{segment(header)}.{segment(CLAIMS)}"
    return f"{signed}.{segment(digest(secret, signed.encode(), sha256))}"


def der() -> str:
    signed = f"{segment({'alg': 'ES256', 'kid': 'ec'})}.{segment(CLAIMS)}"
    private: Any = EC.get_op_key("sign")
    return f"{signed}.{segment(private.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))}"


GOOD = sign(EC, {"alg": "ES256", "kid": "ec"})
HEAD, BODY, SIGNATURE = GOOD.split(".")
PUBLIC_STRANGER = STRANGER.as_dict(private=False)
DEEP = b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"

HOSTILE: dict[str, str] = {
    "empty": "",
    "two segments": f"{HEAD}.{BODY}",
    "five segments, an encrypted one": f"{HEAD}.{BODY}.{SIGNATURE}.a.b",
    "too long": f"{HEAD}.{BODY}.{SIGNATURE}" + "A" * MAX_TOKEN,
    "not ASCII": f"{HEAD}.{BODY}.{SIGNATURE[:-1]}ü",
    "padding": f"{HEAD}=.{BODY}.{SIGNATURE}",
    "space": f"{HEAD}. {BODY}.{SIGNATURE}",
    "newline at the end": GOOD + "\n",
    "the other alphabet": f"{HEAD}.{BODY}.{SIGNATURE[:-2]}+/",
    "another spelling of the last bits": GOOD[:-1] + chr(ord(GOOD[-1]) + 1)
    if GOOD[-1] in "AQgw"
    else GOOD + "A",
    "alg none": f"{segment({'alg': 'none'})}.{BODY}.",
    "alg none with a signature": f"{segment({'alg': 'none', 'kid': 'ec'})}.{BODY}.{SIGNATURE}",
    "alg NoNe": f"{segment({'alg': 'NoNe'})}.{BODY}.AA",
    "alg null": f"{segment({'alg': None})}.{BODY}.{SIGNATURE}",
    "alg a list": f"{segment({'alg': ['ES256']})}.{BODY}.{SIGNATURE}",
    "alg missing": f"{segment({'kid': 'ec'})}.{BODY}.{SIGNATURE}",
    "alg in lower case": f"{segment({'alg': 'es256', 'kid': 'ec'})}.{BODY}.{SIGNATURE}",
    "HS256 with the public key as PEM": hmac_with(PEM, {"alg": "HS256", "kid": "rsa"}),
    "HS256 with the public key's modulus": hmac_with(str(RSA.as_dict()["n"]).encode(), {"alg": "HS256"}),
    "RS256 claimed for an EC key": sign(EC, {"alg": "RS256", "kid": "ec"}, alg="ES256"),
    "ES256 claimed for an RSA key": sign(RSA, {"alg": "ES256", "kid": "rsa"}, alg="RS256"),
    "ES384 for a key on P-256": f"{segment({'alg': 'ES384', 'kid': 'ec'})}.{BODY}.{SIGNATURE}",
    "a stranger's key of the same name": sign(STRANGER, {"alg": "ES256", "kid": "ec"}),
    "a stranger's key, embedded": sign(STRANGER, {"alg": "ES256", "kid": "ec", "jwk": PUBLIC_STRANGER}),
    "a stranger's key, embedded alone": sign(STRANGER, {"alg": "ES256", "jwk": PUBLIC_STRANGER}),
    "jku": sign(STRANGER, {"alg": "ES256", "kid": "ec", "jku": "https://evil.example/jwks"}),
    "x5u": sign(STRANGER, {"alg": "ES256", "kid": "ec", "x5u": "https://evil.example/cert"}),
    "x5c": sign(STRANGER, {"alg": "ES256", "kid": "ec", "x5c": ["AAAA"]}),
    "another key's name": sign(EC, {"alg": "ES256", "kid": "ec384"}),
    "kid that climbs": sign(EC, {"alg": "ES256", "kid": "../../dev/null"}),
    "kid that is SQL": sign(EC, {"alg": "ES256", "kid": "ec' OR '1'='1"}),
    "kid that is a list": sign(EC, {"alg": "ES256", "kid": ["ec"]}),
    "kid that is a number": sign(EC, {"alg": "ES256", "kid": 1}),
    "kid that is huge": sign(EC, {"alg": "ES256", "kid": "k" * 513}),
    "typ that is a number": sign(EC, {"alg": "ES256", "kid": "ec", "typ": 1}),
    "crit unknown": sign(EC, {"alg": "ES256", "kid": "ec", "crit": ["x"], "x": 1}),
    "crit empty": sign(EC, {"alg": "ES256", "kid": "ec", "crit": []}),
    "b64 false": sign(EC, {"alg": "ES256", "kid": "ec", "crit": ["b64"], "b64": False}),
    "b64 false without crit": sign(EC, {"alg": "ES256", "kid": "ec", "b64": False}),
    "b64 true": sign(EC, {"alg": "ES256", "kid": "ec", "b64": True}),
    "repeated header member": sign(EC, b'{"alg":"none","alg":"ES256","kid":"ec"}'),
    "repeated claim": sign(EC, {"alg": "ES256", "kid": "ec"}, b'{"sub":"a","sub":"b"}'),
    "repeated claim inside": sign(EC, {"alg": "ES256", "kid": "ec"}, b'{"a":[{"b":1,"b":2}]}'),
    "NaN": sign(EC, {"alg": "ES256", "kid": "ec"}, b'{"exp":NaN}'),
    "Infinity": sign(EC, {"alg": "ES256", "kid": "ec"}, b'{"exp":Infinity}'),
    "infinite by size": sign(EC, {"alg": "ES256", "kid": "ec"}, b'{"exp":1e999}'),
    "a number of 5,000 digits": sign(EC, {"alg": "ES256", "kid": "ec"}, b'{"exp":' + b"9" * 5000 + b"}"),
    "deep": sign(EC, {"alg": "ES256", "kid": "ec"}, DEEP),
    "a list of claims": sign(EC, {"alg": "ES256", "kid": "ec"}, b"[1]"),
    "text as claims": sign(EC, {"alg": "ES256", "kid": "ec"}, b'"x"'),
    "null as claims": sign(EC, {"alg": "ES256", "kid": "ec"}, b"null"),
    "no claims": f"{HEAD}..{SIGNATURE}",
    "not UTF-8": sign(EC, {"alg": "ES256", "kid": "ec"}, b'{"sub":"\xff"}'),
    "UTF-16": sign(EC, {"alg": "ES256", "kid": "ec"}, '{"sub":"a"}'.encode("utf-16")),
    "half a character": sign(EC, {"alg": "ES256", "kid": "ec"}, b'{"sub":"\\ud800"}'),
    "more after the object": sign(EC, {"alg": "ES256", "kid": "ec"}, b'{"sub":"a"} x'),
    "header is a list": f"{segment(b'[]')}.{BODY}.{SIGNATURE}",
    "zero signature": f"{HEAD}.{BODY}.{segment(bytes(64))}",
    "DER signature": der(),
    "short signature": f"{HEAD}.{BODY}.{SIGNATURE[:40]}",
    "long signature": f"{HEAD}.{BODY}.{segment(base64.urlsafe_b64decode(SIGNATURE + '==') + bytes(2))}",
    "empty signature": f"{HEAD}.{BODY}.",
    "changed claims": f"{HEAD}.{segment({**CLAIMS, 'sub': 'root'})}.{SIGNATURE}",
    "changed header": f"{segment({'alg': 'ES256', 'kid': 'ec', 'typ': 'at+jwt'})}.{BODY}.{SIGNATURE}",
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_tokens(name: str) -> None:
    """T1: nothing of it is accepted, and nothing else than a refusal happens."""
    with pytest.raises(ForeignTokenInvalid) as refused:
        check(HOSTILE[name])
    assert refused.value.description == "the token cannot be accepted"


def test_the_corpus_is_hostile_for_its_own_reasons() -> None:
    assert check(GOOD) == CLAIMS
    assert len({hash(token) for token in HOSTILE.values()}) == len(HOSTILE)


def test_foreign_header_members_are_not_looked_at() -> None:
    header = {"alg": "ES256", "kid": "ec", "x5t": "abc", "nonce": "n", "jku": 7, "x5c": ["A"], "jwk": {}}
    assert check(sign(EC, header)) == CLAIMS


@pytest.mark.parametrize(
    ("written", "accepted", "passes"),
    [
        ("at+jwt", {"at+jwt"}, True),
        ("application/at+jwt", {"at+jwt"}, True),
        ("AT+JWT", {"at+jwt"}, True),
        ("JWT", {"at+jwt"}, False),
        ("JWT", {"at+jwt", "jwt"}, True),
        (None, {"at+jwt"}, False),
        (None, {"jwt", ""}, True),
        ("logout+jwt", {"jwt", ""}, False),
        ("xat+jwt", {"at+jwt"}, False),
    ],
)
def test_typ(written: str | None, accepted: set[str], passes: bool) -> None:
    """T2: RFC 8725 §3.11, RFC 7515 §4.1.9."""
    token = sign(EC, {"alg": "ES256", "kid": "ec"} | ({"typ": written} if written else {}))
    if passes:
        assert check(token, typ=frozenset(accepted)) == CLAIMS
    else:
        with pytest.raises(ForeignTokenInvalid, match="type"):
            check(token, typ=frozenset(accepted))


def test_parse_verifies_nothing_and_names_the_signer() -> None:
    found = parse(sign(STRANGER, {"alg": "ES256", "kid": "ec", "typ": "application/X+jwt"}))
    assert (found.algorithm, found.kid, found.typ, found.issuer) == ("ES256", "ec", "x+jwt", CLAIMS["iss"])
    assert parse(sign(EC, {"alg": "ES256"}, {"iss": 7})).issuer == ""
    assert check(GOOD) == verify(parse(GOOD), KEYS, algorithms=ASYMMETRIC, typ=None)


def _set(*jwks: dict[str, Any]) -> dict[str, Any]:
    return {"keys": list(jwks)}


PUBLIC = EC.as_dict(private=False)

UNUSABLE: dict[str, dict[str, Any]] = {
    "private": EC.as_dict(private=True),
    "private RSA": RSA.as_dict(private=True),
    "symmetric": OctKey.generate_key(256).as_dict(),
    "for encryption": {**PUBLIC, "use": "enc"},
    "for signing alone": {**PUBLIC, "key_ops": ["sign"]},
    "key_ops no list": {**PUBLIC, "key_ops": 7},
    "unknown type": {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"},
    "unknown curve": {**PUBLIC, "crv": "secp256k1"},
    "no type": {"kid": "x"},
    "type no text": {"kty": 7},
    "off the curve": {**PUBLIC, "x": PUBLIC["y"], "y": PUBLIC["x"]},
    "curve and point of different length": {**PUBLIC, "crv": "P-384"},
    "coordinate missing": {name: value for name, value in PUBLIC.items() if name != "y"},
    "coordinate no text": {**PUBLIC, "x": 1},
    "alg of another type": {**PUBLIC, "alg": "RS256"},
    "alg unknown": {**PUBLIC, "alg": "HS256"},
    "alg no text": {**PUBLIC, "alg": ["ES256"]},
    "kid no text": {**PUBLIC, "kid": 1},
    "weak RSA": {"kty": "RSA", "n": segment(b"\xff" * 128), "e": "AQAB"},
    "huge RSA": {"kty": "RSA", "n": segment(b"\xff" * 2049), "e": "AQAB"},
    "RSA with exponent 1": {**RSA.as_dict(private=False), "e": "AQ"},
    "RSA with an even exponent": {**RSA.as_dict(private=False), "e": segment(b"\x01\x00\x00")},
    "RSA with a huge exponent": {**RSA.as_dict(private=False), "e": segment(b"\xff" * 16)},
    "RSA without modulus": {"kty": "RSA", "e": "AQAB"},
    "RSA modulus that is no base64url": {**RSA.as_dict(private=False), "n": "ä"},
}


@pytest.mark.parametrize("name", sorted(UNUSABLE))
def test_unusable_keys_are_left_out_or_named(name: str) -> None:
    assert [key.kid for key in local_keys(_set(UNUSABLE[name], PUBLIC))] == ["ec"]
    with pytest.raises(ForeignTokenInvalid, match="a key cannot be used"):
        local_keys(_set(PUBLIC, UNUSABLE[name]), strict=True)


@pytest.mark.parametrize(
    "value", [None, [], "x", {}, {"keys": None}, {"keys": "x"}, {"keys": [1]}, {"keys": {}}]
)
def test_no_key_set(value: object) -> None:
    with pytest.raises(ForeignTokenInvalid, match="not a JWK set"):
        local_keys(value)


def test_the_number_of_keys_is_bounded() -> None:
    assert len(local_keys(_set(*[PUBLIC] * (MAX_KEYS + 5)))) == MAX_KEYS
    for wrong in ([], [PUBLIC] * (MAX_KEYS + 1)):
        with pytest.raises(ForeignTokenInvalid, match="1 to 64"):
            local_keys(_set(*wrong), strict=True)


def test_a_key_that_names_its_algorithm_is_for_no_other() -> None:
    narrow = local_keys(_set({**RSA.as_dict(private=False), "alg": "PS256"}))
    assert verify(sign(RSA, {"alg": "PS256"}), narrow, algorithms=ASYMMETRIC, typ=None)
    with pytest.raises(ForeignTokenInvalid, match="no key fits"):
        verify(sign(RSA, {"alg": "RS256"}), narrow, algorithms=ASYMMETRIC, typ=None)


def test_keys_without_a_name_are_tried() -> None:
    nameless = [
        {name: value for name, value in k.items() if name != "kid"} for k in (PUBLIC_STRANGER, PUBLIC)
    ]
    assert verify(GOOD, local_keys(_set(*nameless)), algorithms=ASYMMETRIC, typ=None) == CLAIMS


def test_thumbprint() -> None:
    assert [key.thumbprint() for key in KEYS] == [key.thumbprint() for key in OURS]


NOW = 1_000_000.0


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({}, "exp is missing"),
        ({"exp": None}, "exp is not a time"),
        ({"exp": "1000060"}, "exp is not a time"),
        ({"exp": True}, "exp is not a time"),
        ({"exp": -1}, "exp is not a time"),
        ({"exp": 1 << 60}, "exp is not a time"),
        ({"exp": NOW - 60}, "expired"),
        ({"exp": NOW + 361}, "exp is more than 300 seconds ahead"),
        ({"exp": NOW + 60, "nbf": NOW + 61}, "not valid yet"),
        ({"exp": NOW + 60, "nbf": "0"}, "nbf is not a time"),
        ({"exp": NOW + 60, "iat": NOW + 61}, "issued in the future"),
        ({"exp": NOW + 60, "iat": NOW - 361}, "issued more than 300 seconds ago"),
        ({"exp": NOW + 60, "iat": []}, "iat is not a time"),
    ],
)
def test_times_refused(claims: dict[str, Any], reason: str) -> None:
    with pytest.raises(ForeignTokenInvalid, match=reason):
        check_times(claims, NOW, skew=60, longest=300)


def test_times_accepted() -> None:
    full = {"exp": NOW + 300.5, "iat": NOW, "nbf": NOW}
    assert check_times(full, NOW, skew=0) == NOW + 300.5
    assert check_times({"exp": NOW - 59}, NOW, skew=60) == NOW - 59
    assert check_times({"exp": NOW + 10**7, "iat": 0}, NOW, skew=0) == NOW + 10**7


@pytest.mark.parametrize(
    ("value", "found"),
    [("a", ("a",)), (["a", "b"], ("a", "b")), ([], ()), (None, None), ([1], None), ({}, None)],
)
def test_audience(value: object, found: tuple[str, ...] | None) -> None:
    if found is not None:
        assert audience({"aud": value}) == found
        return
    with pytest.raises(ForeignTokenInvalid, match="aud"):
        audience({"aud": value})


def test_audience_missing() -> None:
    assert audience({}) == ()


@pytest.mark.parametrize("value", [None, "", 1, [], "x" * 513])
def test_text_refused(value: object) -> None:
    with pytest.raises(ForeignTokenInvalid, match="sub is not a text"):
        text({"sub": value}, "sub")
    assert text({"sub": "a"}, "sub") == "a"


def test_the_library_is_imported_only_when_it_is_needed() -> None:
    """Start-up and memory of a gateway that trusts nobody else's tokens."""
    imported = "gatekit.platform.foreign, gatekit.platform.remote_keys"
    code = f"import sys, {imported}; sys.exit('joserfc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_nothing_of_the_hostile_corpus_is_said_aloud(caplog: pytest.LogCaptureFixture) -> None:
    for token in HOSTILE.values():
        with pytest.raises(ForeignTokenInvalid):
            check(token)
    assert not caplog.records

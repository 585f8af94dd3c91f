"""What we send by way of the browser: AuthnRequest, LogoutRequest, LogoutResponse, and the two bindings.

HTTP-Redirect (SAML Bindings §3.4): deflated, in the query, the signature over the query's own text. HTTP-POST
(§3.5): base64 in a form, the signature inside. Redirect is taken where a provider offers both.
"""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from hashlib import sha256
from urllib.parse import quote, unquote_plus
from xml.sax.saxutils import escape, quoteattr

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from gatekit.errors import SamlRefused
from gatekit.identity.saml.documents import MAX_MESSAGE, canonical, parse, serialised
from gatekit.identity.saml.names import DS, ENVELOPED, EXCLUSIVE, POST, RSA_SHA256, SAML, SAMLP, XENC
from gatekit.identity.saml.signature import ECDSA_METHODS, RSA_METHODS, PublicKey, made_by
from gatekit.identity.saml.times import written

_NAMESPACES = f'xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}"'


def authn_request(
    *,
    ident: str,
    now: float,
    issuer: str,
    destination: str,
    acs: str,
    name_id_format: str = "",
    contexts: Sequence[str] = (),
    force: bool = False,
) -> bytes:
    """SAML Core §3.4.1."""
    policy = f" Format={quoteattr(name_id_format)}" if name_id_format else ""
    wanted = "".join(f"<saml:AuthnContextClassRef>{escape(c)}</saml:AuthnContextClassRef>" for c in contexts)
    asked = f'<samlp:RequestedAuthnContext Comparison="exact">{wanted}</samlp:RequestedAuthnContext>'
    return (
        f'<samlp:AuthnRequest {_NAMESPACES} ID={quoteattr(ident)} Version="2.0"'
        f' IssueInstant="{written(now)}"'
        f" Destination={quoteattr(destination)} AssertionConsumerServiceURL={quoteattr(acs)}"
        f'{" ForceAuthn=" + quoteattr("true") if force else ""} ProtocolBinding="{POST}">'
        f"<saml:Issuer>{escape(issuer)}</saml:Issuer>"
        f'<samlp:NameIDPolicy{policy} AllowCreate="true"/>{asked if contexts else ""}</samlp:AuthnRequest>'
    ).encode()


def logout_request(
    *, ident: str, now: float, issuer: str, destination: str, name_id: str, name_format: str, session: str
) -> bytes:
    """SAML Core §3.7.1."""
    index = f"<samlp:SessionIndex>{escape(session)}</samlp:SessionIndex>" if session else ""
    return (
        f'<samlp:LogoutRequest {_NAMESPACES} ID={quoteattr(ident)} Version="2.0"'
        f' IssueInstant="{written(now)}"'
        f" Destination={quoteattr(destination)} NotOnOrAfter={quoteattr(written(now + 300))}>"
        f"<saml:Issuer>{escape(issuer)}</saml:Issuer>"
        f"<saml:NameID Format={quoteattr(name_format)}>{escape(name_id)}</saml:NameID>{index}"
        "</samlp:LogoutRequest>"
    ).encode()


def logout_response(
    *, ident: str, now: float, issuer: str, destination: str, in_response_to: str, status: str
) -> bytes:
    """SAML Core §3.7.2."""
    return (
        f'<samlp:LogoutResponse {_NAMESPACES} ID={quoteattr(ident)} Version="2.0"'
        f' IssueInstant="{written(now)}"'
        f" Destination={quoteattr(destination)} InResponseTo={quoteattr(in_response_to)}>"
        f"<saml:Issuer>{escape(issuer)}</saml:Issuer>"
        f'<samlp:Status><samlp:StatusCode Value="{status}"/></samlp:Status></samlp:LogoutResponse>'
    ).encode()


# -- HTTP-POST ---------------------------------------------------------------------------------------------


def signed(message: bytes, key: rsa.RSAPrivateKey) -> bytes:
    """The same message with a signature as its second child (SAML Core §5.4), in the form that we accept."""
    root = parse(message)
    digest = b64encode(sha256(canonical(root)).digest()).decode("ascii")
    uri = quoteattr(f"#{root.get('ID')}")
    template = (
        f'<ds:Signature xmlns:ds="{DS}"><ds:SignedInfo>'
        f'<ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"/><ds:SignatureMethod Algorithm="{RSA_SHA256}"/>'
        f'<ds:Reference URI={uri}><ds:Transforms><ds:Transform Algorithm="{ENVELOPED}"/>'
        f'<ds:Transform Algorithm="{EXCLUSIVE}"/></ds:Transforms><ds:DigestMethod Algorithm="{XENC}sha256"/>'
        f"<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo><ds:SignatureValue/>"
        "</ds:Signature>"
    )
    signature = parse(template.encode())
    root.insert(1, signature)
    made = key.sign(canonical(signature[0]), padding.PKCS1v15(), hashes.SHA256())
    signature[1].text = b64encode(made).decode("ascii")
    return serialised(root)


# -- HTTP-Redirect -----------------------------------------------------------------------------------------


def redirect_url(
    location: str, kind: str, message: bytes, relay_state: str, key: rsa.RSAPrivateKey | None
) -> str:
    """``kind`` is SAMLRequest or SAMLResponse; with ``key`` the query is signed (SAML Bindings §3.4.4.1)."""
    deflater = zlib.compressobj(wbits=-15)
    packed = b64encode(deflater.compress(message) + deflater.flush()).decode("ascii")
    query = f"{kind}={quote(packed, safe='')}"
    if relay_state:
        query += f"&RelayState={quote(relay_state, safe='')}"
    if key is not None:
        query += f"&SigAlg={quote(RSA_SHA256, safe='')}"
        made = key.sign(query.encode("ascii"), padding.PKCS1v15(), hashes.SHA256())
        query += f"&Signature={quote(b64encode(made).decode('ascii'), safe='')}"
    return f"{location}{'&' if '?' in location else '?'}{query}"


def inflated(packed: str) -> bytes:
    """The message in a redirect's query. Raise ``SamlRefused``: a few bytes may stand for gigabytes (S4)."""
    try:
        raw = b64decode(packed, validate=True)
        inflater = zlib.decompressobj(wbits=-15)
        message = inflater.decompress(raw, MAX_MESSAGE + 1)
    except (Base64Error, ValueError, zlib.error) as bad:
        raise SamlRefused("xml", "not a deflated message") from bad
    if len(message) > MAX_MESSAGE or inflater.unconsumed_tail:
        raise SamlRefused("size", "inflates to more than is read")
    if not inflater.eof or inflater.unused_data:
        raise SamlRefused("xml", "not exactly one deflated message")
    return message


def posted(encoded: str) -> bytes:
    """The message in a posted form. Raise ``SamlRefused``."""
    if len(encoded) > 2 * MAX_MESSAGE:
        raise SamlRefused("size", "larger than is read")
    try:
        return b64decode("".join(encoded.split()), validate=True)
    except (Base64Error, ValueError) as bad:
        raise SamlRefused("xml", "not base64") from bad


def check_query(raw: str, kind: str, keys: Sequence[PublicKey]) -> Mapping[str, str]:
    """The parameters of a redirect whose signature holds; ``raw`` is the query as it came.

    The signature covers the sender's own percent-encoding (SAML Bindings §3.4.4.1), so the raw text is what
    is checked, and only what was checked is returned. Raise ``SamlRefused``.
    """
    parts: dict[str, str] = {}
    for piece in raw.split("&"):
        name, _, value = piece.partition("=")
        if name in parts:
            raise SamlRefused("structure", f"{name[:50]!r} is repeated")  # Keycloak CVE-2026-18217
        parts[name] = value
    if not parts.get("Signature") or not parts.get("SigAlg"):
        raise SamlRefused("unsigned", "the message is not signed")
    if kind not in parts:
        raise SamlRefused("structure", f"no {kind}")
    names = [name for name in (kind, "RelayState", "SigAlg") if name in parts]
    signed = "&".join(f"{name}={parts[name]}" for name in names).encode()
    method = unquote_plus(parts["SigAlg"])
    try:
        made = b64decode(unquote_plus(parts["Signature"]), validate=True)
    except (Base64Error, ValueError) as bad:
        raise SamlRefused("signature_form", "Signature is not base64") from bad
    if method not in RSA_METHODS and method not in ECDSA_METHODS:
        raise SamlRefused("algorithm", f"not accepted: {method[:100]!r}")
    if not any(made_by(key, method, made, signed) for key in keys):
        raise SamlRefused("key", "none of the keys in the provider's metadata made this signature")
    return {name: unquote_plus(parts[name]) for name in names}

"""Our own metadata: what an identity provider imports."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gatekit.identity.saml.names import DS, MD, POST, REDIRECT, SAMLP, XENC, XENC11

_READS = (f"{XENC11}aes256-gcm", f"{XENC11}aes128-gcm", f"{XENC}aes256-cbc", f"{XENC}rsa-oaep-mgf1p")


def own_metadata(
    *,
    entity_id: str,
    acs: str,
    slo: str,
    signing: Sequence[x509.Certificate],
    reading: Sequence[x509.Certificate],
    signs_requests: bool,
    name_id_format: str = "",
) -> bytes:
    """An EntityDescriptor (SAML Metadata §2.4.4). The newest key of each use comes first."""
    described = "".join(_key(certificate, "signing") for certificate in signing)
    described += "".join(_key(certificate, "encryption") for certificate in reading)
    wanted = f"<md:NameIDFormat>{escape(name_id_format)}</md:NameIDFormat>" if name_id_format else ""
    return (
        f'<md:EntityDescriptor xmlns:md="{MD}" xmlns:ds="{DS}" entityID={quoteattr(entity_id)}>'
        f'<md:SPSSODescriptor protocolSupportEnumeration="{SAMLP}" WantAssertionsSigned="true"'
        f' AuthnRequestsSigned="{"true" if signs_requests else "false"}">{described}'
        f'<md:SingleLogoutService Binding="{REDIRECT}" Location={quoteattr(slo)}/>{wanted}'
        f'<md:AssertionConsumerService Binding="{POST}" Location={quoteattr(acs)}'
        ' index="0" isDefault="true"/>'
        "</md:SPSSODescriptor></md:EntityDescriptor>"
    ).encode()


def _key(certificate: x509.Certificate, use: str) -> str:
    data = b64encode(certificate.public_bytes(Encoding.DER)).decode("ascii")
    methods = "".join(f'<md:EncryptionMethod Algorithm="{name}"/>' for name in _READS)
    return (
        f'<md:KeyDescriptor use="{use}"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{data}'
        f"</ds:X509Certificate></ds:X509Data></ds:KeyInfo>{methods if use == 'encryption' else ''}"
        "</md:KeyDescriptor>"
    )

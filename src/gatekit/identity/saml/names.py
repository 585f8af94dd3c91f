"""Names that the SAML, XML Signature and XML Encryption specifications give to things."""

from __future__ import annotations

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
MD = "urn:oasis:names:tc:SAML:2.0:metadata"
DS = "http://www.w3.org/2000/09/xmldsig#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"

PREFIXES = {"saml": SAML, "samlp": SAMLP, "md": MD, "ds": DS, "xenc": XENC, "xenc11": XENC11}

POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"

SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
REQUESTER = "urn:oasis:names:tc:SAML:2.0:status:Requester"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"

PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
ENTITY = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"

RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = DS + "enveloped-signature"


def tag(name: str) -> str:
    """``saml:Assertion`` as lxml spells it: ``{urn:…:assertion}Assertion``."""
    prefix, _, local = name.partition(":")
    return f"{{{PREFIXES[prefix]}}}{local}"

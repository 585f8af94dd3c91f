"""Messages by way of the browser: what we send, and signed queries that come."""

from __future__ import annotations

import zlib
from base64 import b64encode
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from lxml import etree

from gatekit.errors import SamlRefused
from gatekit.identity.saml.documents import MAX_MESSAGE, parse
from gatekit.identity.saml.request import (
    authn_request,
    check_query,
    inflated,
    logout_request,
    logout_response,
    posted,
    redirect_url,
    signed,
)
from gatekit.identity.saml.signature import verify
from tests.support.saml import ACS, NOW, NS, SP, keys, oracle_accepts

OURS = [keys("sp").private.public_key()]


def authn(**changes: object) -> bytes:
    said = {"ident": "_1", "now": NOW, "issuer": SP, "destination": "https://idp.example/sso?a=1", "acs": ACS}
    return authn_request(**{**said, **changes})  # type: ignore[arg-type]


def url(message: bytes | None = None, relay: str = "gk_x", kind: str = "SAMLRequest") -> str:
    return redirect_url("https://idp.example/sso?a=1", kind, message or authn(), relay, keys("sp").private)


def test_a_request_says_where_the_answer_goes() -> None:
    root = etree.fromstring(authn(contexts=("urn:x&y",), force=True, name_id_format="urn:f"))
    assert root.get("AssertionConsumerServiceURL") == ACS
    assert root.get("Destination") == "https://idp.example/sso?a=1"
    assert root.get("ForceAuthn") == "true"
    assert root.findtext("saml:Issuer", namespaces=NS) == SP
    assert root.find("samlp:NameIDPolicy", NS).get("Format") == "urn:f"
    assert root.findtext(".//saml:AuthnContextClassRef", namespaces=NS) == "urn:x&y"


def test_texts_cannot_break_out_of_a_message() -> None:
    """B5: Whatever a provider once said, it comes back as text."""
    said = {"name_id": '"><x/>', "name_format": '"><x/>', "session": "</x>&"}
    out = logout_request(ident="_1", now=NOW, issuer="<i>", destination='"', **said)
    root = etree.fromstring(out)
    assert root.findtext("saml:NameID", namespaces=NS) == '"><x/>'
    assert root.findtext("samlp:SessionIndex", namespaces=NS) == "</x>&"
    answer = logout_response(
        ident="_2", now=NOW, issuer=SP, destination='"', in_response_to='"><x/>', status="urn:s"
    )
    assert etree.fromstring(answer).get("InResponseTo") == '"><x/>'


def test_a_signed_redirect_holds() -> None:
    query = urlsplit(url()).query.removeprefix("a=1&")
    found = check_query(query, "SAMLRequest", OURS)
    assert found["RelayState"] == "gk_x"
    assert inflated(found["SAMLRequest"]) == authn()
    assert parse_qs(query).keys() == {"SAMLRequest", "RelayState", "SigAlg", "Signature"}


def query_of(**changes: str | None) -> str:
    fields: dict[str, str | None] = {
        part.partition("=")[0]: part.partition("=")[2]
        for part in urlsplit(url()).query.removeprefix("a=1&").split("&")
    }
    fields.update(changes)
    return "&".join(f"{name}={value}" for name, value in fields.items() if value is not None)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (query_of(Signature=None), "unsigned"),
        (query_of(SigAlg=None), "unsigned"),
        (query_of(RelayState="gk_y"), "key"),
        (query_of(RelayState=None), "key"),
        (query_of(SigAlg=quote("http://www.w3.org/2000/09/xmldsig#rsa-sha1", safe="")), "algorithm"),
        (query_of(Signature="%20"), "signature_form"),
        (query_of(Signature="AAAA"), "key"),
        (query_of() + "&RelayState=gk_y", "structure"),
        (query_of() + "&SAMLRequest=AAAA", "structure"),
        (query_of(SAMLRequest=None), "structure"),
    ],
)
def test_S9_a_query_that_is_not_signed_as_it_came(query: str, reason: str) -> None:
    """S9: Logout by redirect counts only if its signature holds for the text as it came."""
    with pytest.raises(SamlRefused) as caught:
        check_query(query, "SAMLRequest", OURS)
    assert caught.value.reason == reason


def test_another_key_did_not_sign_it() -> None:
    with pytest.raises(SamlRefused) as caught:
        check_query(query_of(), "SAMLRequest", [keys("idp").private.public_key()])
    assert caught.value.reason == "key"


def deflated(data: bytes) -> str:
    deflater = zlib.compressobj(wbits=-15)
    return b64encode(deflater.compress(data) + deflater.flush()).decode()


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        (deflated(bytes(50_000_000)), "size"),
        (deflated(b"<a/>")[:-4], "xml"),
        (b64encode(b"plain text").decode(), "xml"),
        ("not base64", "xml"),
        (b64encode(zlib.compress(b"<a/>")).decode(), "xml"),
    ],
)
def test_S4_what_inflates_to_too_much(packed: str, reason: str) -> None:
    """S4: A few bytes may stand for gigabytes; no more than one message is inflated."""
    with pytest.raises(SamlRefused) as caught:
        inflated(packed)
    assert caught.value.reason == reason


def test_S3_what_we_sign_inside_a_message(tmp_path: Path) -> None:
    """S3: By our own rules and by xmlsec1's; and not any more after a change."""
    document = signed(authn(contexts=("urn:x",)), keys("sp").private)
    assert verify(parse(document), OURS, MAX_MESSAGE).get("ID") == "_1"
    assert oracle_accepts(document, keys("sp"), tmp_path, "AuthnRequest")
    broken = document.replace(ACS.encode(), b"https://evil.example/acs")
    assert not oracle_accepts(broken, keys("sp"), tmp_path, "AuthnRequest")
    assert [child.tag.rpartition("}")[2] for child in etree.fromstring(document)][:2] == [
        "Issuer",
        "Signature",
    ]


def test_posted_forms() -> None:
    assert posted("PGEv\r\nPg==") == b"<a/>"
    with pytest.raises(SamlRefused, match="base64"):
        posted("PGEvPg=")
    with pytest.raises(SamlRefused, match="larger"):
        posted("A" * 600_000)

"""What a provider's metadata may say, and what is made of it."""

from __future__ import annotations

import pytest
from lxml import etree

from gatekit.errors import SamlRefused
from gatekit.identity.saml.metadata import read_metadata
from gatekit.identity.saml.names import REDIRECT
from tests.support.saml import IDP, NOW, Signing, keys, metadata, moment, sign


def refused(document: bytes, entity: str = "") -> SamlRefused:
    with pytest.raises(SamlRefused) as caught:
        read_metadata(document, NOW, entity)
    return caught.value


def test_what_is_read() -> None:
    found = read_metadata(metadata([keys("idp")]), NOW)
    assert found.entity_id == IDP
    sign_in, sign_out = found.endpoint(REDIRECT), found.endpoint(REDIRECT, sign_out=True)
    assert sign_in is not None
    assert sign_in.location == "https://idp.example.com/sso"
    assert sign_out is not None
    assert sign_out.response_location == "https://idp.example.com/slo"
    assert found.expiries() == tuple(k.certificate.not_valid_after_utc.timestamp() for k in [keys("idp")])


def test_a_key_without_use_counts_for_signing() -> None:
    """S8: SAML Metadata §2.4.1.1; Keycloak CVE-2026-16443 checked nothing then."""
    assert len(read_metadata(metadata([keys("idp")], use=None), NOW).keys) == 1


def test_without_a_signing_key_nothing_is_imported() -> None:
    """S8: A provider whose answers could not be checked is no provider."""
    assert "0 signing certificates" in refused(metadata([])).detail
    assert "0 signing certificates" in refused(metadata([keys("idp")], use="encryption")).detail


def test_several_certificates_are_several_keys() -> None:
    """S8: Rollover: the next one is published beside the present one."""
    assert len(read_metadata(metadata([keys("idp"), keys("next")]), NOW).keys) == 2


def test_weak_keys_are_refused() -> None:
    assert "neither RSA" in refused(metadata([keys("weak", bits=1024)])).detail


def test_expired_metadata_is_refused() -> None:
    """S8: validUntil ends what it says."""
    assert "validUntil" in refused(metadata([keys("idp")], extra=f' validUntil="{moment(-1)}"')).detail
    found = read_metadata(metadata([keys("idp")], extra=f' validUntil="{moment(60)}"'), NOW)
    assert found.valid_until == NOW + 60


@pytest.mark.parametrize(
    ("written", "seconds"), [("PT6H", 21_600.0), ("PT1S", 300.0), ("P1Y", 604_800.0), ("soon", None)]
)
def test_how_long_it_is_kept(written: str, seconds: float | None) -> None:
    found = read_metadata(metadata([keys("idp")], extra=f' cacheDuration="{written}"'), NOW)
    assert found.cache == seconds


@pytest.mark.parametrize(
    "base", ["javascript:alert(1)//", "file:///etc", "https://idp.example.com@evil.example", "//idp.example"]
)
def test_a_browser_is_sent_nowhere_strange(base: str) -> None:
    """I1: No script, no file, no second host in what a provider says."""
    assert "not a place" in refused(metadata([keys("idp")], base=base)).detail


def test_the_one_of_a_federation() -> None:
    one, other = (
        metadata([keys("idp")]),
        metadata([keys("next")], entity="https://other.example").replace(b'ID="_m"', b""),
    )
    both = b'<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">' + one + other
    both += b"</md:EntitiesDescriptor>"
    assert "2 times" in refused(both).detail
    assert "0 times" in refused(both, "https://nobody.example").detail
    assert read_metadata(both, NOW, "https://other.example").keys == (keys("next").certificate.public_key(),)


def test_metadata_that_must_be_signed() -> None:
    """S8: With a pinned key, only what that key signed is read."""
    pinned = [keys("federation").private.public_key()]
    plain = etree.fromstring(metadata([keys("idp")]))
    with pytest.raises(SamlRefused) as caught:
        read_metadata(etree.tostring(plain), NOW, signers=pinned)
    assert caught.value.reason == "unsigned"
    sign(plain, Signing(pair=keys("federation")))
    assert read_metadata(etree.tostring(plain), NOW, signers=pinned).entity_id == IDP
    forged = etree.tostring(plain).replace(b"idp.example.com/sso", b"evil.example.com/sso")
    with pytest.raises(SamlRefused) as caught:
        read_metadata(forged, NOW, signers=pinned)
    assert caught.value.reason == "digest"


@pytest.mark.parametrize(
    "document",
    [
        b"<html/>",
        metadata([keys("idp")]).replace(b"SAML:2.0:protocol", b"SAML:1.1:protocol"),
        metadata([keys("idp")]).replace(b"bindings:HTTP-Redirect", b"bindings:SOAP"),
        metadata([keys("idp")], entity=""),
    ],
)
def test_what_is_no_use(document: bytes) -> None:
    assert refused(document).reason == "metadata"

"""A provider that lies, another one that speaks for it, and whoever stands between: nobody becomes somebody.

Against ``OidcProvider`` and an emulated provider that says what a test wants; the whole way with published
providers is in ``tests/journey/test_openid_providers.py``.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import ECKey

from gatekit.errors import IdentityError, ProviderFailed, SignInRefused
from tests.emulators.issuer import segment
from tests.emulators.openid import CALLBACK, ISSUER, OpenIdEmulator
from tests.support.clock import ManualClock

TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"
OTHER_TENANT = "00000000-1111-4222-8333-444444444444"


@pytest.fixture
def idp() -> OpenIdEmulator:
    return OpenIdEmulator(ManualClock())


async def test_an_honest_provider_signs_somebody_in(idp: OpenIdEmulator) -> None:
    found = await idp.sign_in()
    assert (found.issuer, found.subject, found.login) == (ISSUER, "ada", "ada")
    assert (found.email, found.email_verified) == ("ada@example.com", True)


WRONG: dict[str, dict[str, Any]] = {
    "another nonce": {"nonce": "another"},
    "no nonce": {"nonce": ...},
    "a nonce that is no text": {"nonce": ["x"]},
    "another issuer": {"iss": "https://idp.example/realms/evil"},
    "the issuer with a slash": {"iss": f"{ISSUER}/"},
    "no issuer": {"iss": ...},
    "another audience": {"aud": "somebody else"},
    "no audience": {"aud": ...},
    "audience as a prefix": {"aud": "gate"},
    "several audiences and nobody asked": {"aud": ["gate kit", "somebody else"]},
    "several audiences and another asked": {"aud": ["gate kit", "x"], "azp": "x"},
    "another client asked": {"azp": "somebody else"},
    "expired": {"exp": 1},
    "no expiry": {"exp": ...},
    "expiry that is no number": {"exp": "9999999999"},
    "issued long ago": {"iat": 1},
    "no time of issue": {"iat": ...},
    "issued in the future": {"iat": 1 << 40},
    "another access token": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    "no subject": {"sub": ...},
    "an empty subject": {"sub": ""},
    "a subject that is a number": {"sub": 7},
    "a subject with control characters": {"sub": "ada\n"},
    "a logout token": {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
}


@pytest.mark.parametrize("claims", WRONG.values(), ids=list(WRONG))
async def test_claims_that_are_not_for_this_sign_in(idp: OpenIdEmulator, claims: dict[str, Any]) -> None:
    """C8, T3, T4: nonce, issuer, audience, times: each of them alone ends the sign-in."""
    idp.claims = claims
    with pytest.raises(ProviderFailed):
        await idp.sign_in()


HEADERS: dict[str, dict[str, Any]] = {
    "none": {"alg": "none"},
    "None": {"alg": "None"},
    "HMAC with the public key": {"alg": "HS256"},
    "another asymmetric one": {"alg": "RS256"},
    "an access token": {"typ": "at+jwt"},
    "a logout token": {"typ": "logout+jwt"},
    "an extension": {"crit": ["x"], "x": 1},
    "unencoded": {"b64": False},
    "an unknown key": {"kid": "../../etc/passwd"},
    "no algorithm": {"alg": ...},
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=list(HEADERS))
async def test_headers_that_choose_their_own_judge(idp: OpenIdEmulator, header: dict[str, Any]) -> None:
    """T1, T2, F3: algorithm and kind of token are ours to choose."""
    idp.header = header
    with pytest.raises(ProviderFailed):
        await idp.sign_in()


async def test_a_key_that_the_token_brings_along_is_not_looked_at(idp: OpenIdEmulator) -> None:
    """T1: jwk and jku in the header."""
    idp.signer = ECKey.generate_key("P-256", {"kid": "first"})
    for more in ({}, {"jwk": idp.signer.as_dict(private=False)}, {"jku": "https://evil.example/jwks"}):
        idp.header = more
        with pytest.raises(ProviderFailed):
            await idp.sign_in()
    assert not any("evil.example" in url for url, _ in idp.asked)


async def test_an_id_token_whose_signature_was_cut_off(idp: OpenIdEmulator) -> None:
    """T1: an empty signature."""
    whole = idp.id_token()
    idp.token = {"id_token": whole.rpartition(".")[0] + "."}
    with pytest.raises(ProviderFailed):
        await idp.sign_in()
    idp.token = {"id_token": f"{segment({'alg': 'none'})}.{whole.split('.')[1]}."}
    with pytest.raises(ProviderFailed):
        await idp.sign_in()


@pytest.mark.parametrize(
    "params",
    [{"state": "another"}, {"state": ""}, {"iss": "https://evil.example"}, {"iss": f"{ISSUER}/"}],
    ids=str,
)
async def test_an_answer_that_belongs_elsewhere(idp: OpenIdEmulator, params: dict[str, str]) -> None:
    """D6: state and iss (RFC 9207) are judged before anything is sent to anybody."""
    with pytest.raises(SignInRefused):
        await idp.sign_in(**params)
    assert not any(url.endswith("/token") for url, _ in idp.asked)


async def test_an_answer_without_iss_from_a_provider_that_names_itself(idp: OpenIdEmulator) -> None:
    """D6: RFC 9207 §2.4: who says that it sends iss must send it, with errors as well."""
    idp.metadata["authorization_response_iss_parameter_supported"] = True
    for params in ({}, {"error": "access_denied", "code": ""}):
        with pytest.raises(SignInRefused, match="does not name its issuer"):
            await idp.sign_in(**params)
    assert (await idp.sign_in(iss=ISSUER)).subject == "ada"


async def test_the_metadata_of_another_issuer_is_not_used(idp: OpenIdEmulator) -> None:
    """D6: one tenant of a provider cannot speak for another."""
    idp.metadata["issuer"] = "https://idp.example/realms/evil"
    with pytest.raises(ProviderFailed):
        await idp.sign_in()


@pytest.mark.parametrize(
    "endpoint",
    ["javascript:alert(1)", "file:///etc/passwd", "http://idp.example/auth", "", None, 7, "data:,x"],
    ids=str,
)
@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
async def test_metadata_that_leads_somewhere_else(idp: OpenIdEmulator, name: str, endpoint: Any) -> None:
    """I1: an endpoint is https, and nothing that a browser would run or a file system answers."""
    idp.metadata[name] = endpoint
    with pytest.raises(ProviderFailed):
        await idp.sign_in()


async def test_userinfo_about_somebody_else(idp: OpenIdEmulator) -> None:
    """F1: OpenID Connect Core §5.3.2: token substitution."""
    for userinfo in ({"sub": "mallory"}, {}, {"sub": 7}, {"sub": ["ada"]}):
        idp.userinfo = userinfo
        with pytest.raises(ProviderFailed):
            await idp.sign_in()


async def test_what_is_signed_wins_over_userinfo(idp: OpenIdEmulator) -> None:
    """F1: the id_token's own claims cannot be replaced by an unsigned answer."""
    idp.claims = {"email": "ada@example.com", "email_verified": False}
    idp.userinfo = {"sub": "ada", "email": "root@example.com", "email_verified": True}
    found = await idp.sign_in()
    assert (found.email, found.email_verified) == ("ada@example.com", False)


@pytest.mark.parametrize("said", [False, "false", None, 1, "yes", ..., ["true"]], ids=str)
async def test_only_what_is_called_verified_is(idp: OpenIdEmulator, said: Any) -> None:
    """F1: anything but true is no."""
    idp.userinfo = {"sub": "ada", "email": "boss@example.com"} | (
        {} if said is ... else {"email_verified": said}
    )
    found = await idp.sign_in()
    assert not found.email_verified


async def test_a_login_that_people_choose_themselves_is_not_used(idp: OpenIdEmulator) -> None:
    """F1: preferred_username may be anything (OpenID Connect Core §5.7)."""
    idp.userinfo |= {"preferred_username": "root"}
    assert (await idp.sign_in()).login == "ada"


def entra(clock: ManualClock, tenants: tuple[str, ...] = (TENANT,), **more: Any) -> OpenIdEmulator:
    tenant = tenants[0] if len(tenants) == 1 else "{tenantid}"
    issuer = f"https://idp.example/{tenant}/v2.0"
    idp = OpenIdEmulator(clock, kind="entra", tenants=tenants, issuer=issuer, **more)
    idp.metadata["issuer"] = issuer
    idp.claims = {"iss": f"https://idp.example/{TENANT}/v2.0", "tid": TENANT, "oid": "oid-of-ada"}
    return idp


async def test_entra_id_knows_people_by_tenant_and_object() -> None:
    """F1: nOAuth: the address at Entra ID is whatever somebody's administrator wrote."""
    idp = entra(ManualClock())
    idp.userinfo = {"sub": "ada", "email": "ceo@example.com", "email_verified": True}
    found = await idp.sign_in()
    assert (found.issuer, found.subject) == (f"https://idp.example/{TENANT}/v2.0", "oid-of-ada")
    assert not found.email_verified
    idp.claims |= {"xms_edov": True}
    assert (await idp.sign_in()).email_verified


@pytest.mark.parametrize(
    "claims",
    [
        {"tid": OTHER_TENANT},
        {"tid": ...},
        {"iss": f"https://idp.example/{OTHER_TENANT}/v2.0", "tid": OTHER_TENANT},
        {"iss": f"https://idp.example/{OTHER_TENANT}/v2.0"},
        {"oid": ...},
    ],
    ids=str,
)
@pytest.mark.parametrize("tenants", [(TENANT,), (TENANT, "11111111-1111-4111-8111-111111111111")], ids=len)
async def test_entra_id_of_a_tenant_that_is_not_named(
    tenants: tuple[str, ...], claims: dict[str, Any]
) -> None:
    """F1: every tenant of the world signs with the same keys."""
    idp = entra(ManualClock(), tenants)
    assert (await idp.sign_in()).subject == "oid-of-ada"
    idp.claims |= claims
    with pytest.raises(ProviderFailed):
        await idp.sign_in()


async def test_groups_that_are_missing_are_not_no_groups() -> None:
    """F1: with more than 200 groups the token has a hint; its address is never asked (Entra ID overage)."""
    idp = entra(ManualClock(), graph_url="https://graph.example")
    idp.claims |= {
        "_claim_names": {"groups": "src1"},
        "_claim_sources": {"src1": {"endpoint": "https://evil.example/groups"}},
    }
    with pytest.raises(ProviderFailed, match="Microsoft Graph"):
        await idp.sign_in()
    asked = [url for url, _ in idp.asked]
    assert any(url.startswith("https://graph.example/v1.0/me/") for url in asked)
    assert not any("evil" in url for url in asked)


@pytest.mark.parametrize("said", ["evil.example", "", None, ..., ["example.com"], "notexample.com"], ids=str)
async def test_google_account_outside_of_the_organisation(said: Any) -> None:
    """F1: the hosted domain decides, never the address."""
    idp = OpenIdEmulator(ManualClock(), kind="google", hosted_domains=("example.com",))
    idp.claims = {"hd": said}
    with pytest.raises(SignInRefused, match="hd is"):
        await idp.sign_in()
    idp.claims = {"hd": "Example.com"}
    assert (await idp.sign_in()).login == "ada@example.com"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (500, b"", ProviderFailed),
        (503, b"{}", ProviderFailed),
        (429, b"", ProviderFailed),
        (200, b"<html>", ProviderFailed),
        (200, b'{"error": "server_error"}', ProviderFailed),
        (401, b'{"error": "invalid_client"}', ProviderFailed),
        (400, b'{"error": "invalid_grant"}', SignInRefused),
        (200, b'{"error": "invalid_grant"}', SignInRefused),
    ],
)
async def test_only_invalid_grant_is_a_no(
    idp: OpenIdEmulator, status: int, body: bytes, kind: type[IdentityError]
) -> None:
    """F7: what a provider's answer to a refresh says about the person; errors may come with 200."""
    idp.token_status, idp.raw = status, body
    with pytest.raises(kind):
        await idp.provider.ask_again("refresh token")
    idp.down = True
    with pytest.raises(ProviderFailed):
        await idp.provider.ask_again("refresh token")


async def test_secrets_stay_out_of_what_is_said(idp: OpenIdEmulator) -> None:
    """B9: neither a repr nor a failure holds a secret or a token."""
    idp.raw = b'{"access_token": "at-secret", "id_token": 7}'
    with pytest.raises(ProviderFailed) as failed:
        await idp.sign_in()
    said = f"{failed.value} {failed.value.detail} {failed.value.__cause__} {idp.connection!r}"
    assert "secret" not in said
    assert "s&cret" not in said


async def test_every_trip_has_secrets_of_its_own(idp: OpenIdEmulator) -> None:
    """C8: state, nonce and PKCE are new each time, and S256."""
    queries = [parse_qs(urlsplit((await idp.provider.begin(CALLBACK)).url).query) for _ in range(2)]
    for name in ("state", "nonce", "code_challenge"):
        assert queries[0][name] != queries[1][name]
    assert queries[0]["code_challenge_method"] == ["S256"]

"""Sign-in with GitHub against an emulator of our own (checklist F1, F7, D6)."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from gatekit.errors import IdentityError, ProviderFailed, SignInRefused
from gatekit.identity.github import MAX_PAGES, GitHubProvider, GitHubSettings
from gatekit.identity.ports import Leg
from gatekit.model.people import ExternalIdentity
from gatekit.platform.clock import SystemClock, SystemEntropy
from gatekit.platform.outbound import Outbound
from tests.emulators.github import CLIENT_ID, CLIENT_SECRET, Account, GitHubEmulator, Trouble
from tests.emulators.serving import serving

CALLBACK = "http://127.0.0.1:8080/callback/github"

OCTOCAT = Account(
    id=583231,
    login="Octocat",
    name="The Octocat",
    emails=[
        {"email": "old@example.com", "primary": False, "verified": True},
        {"email": "octocat@example.com", "primary": True, "verified": True, "visibility": None},
    ],
    orgs=["Acme", "globex", "initech", "umbrella", "hooli"],
    teams=[("Acme", "Platform"), ("Acme", "sre"), ("hooli", "xyz")],
)


class GitHub:
    """A running emulator, a provider that talks to it, and a browser that goes there and back."""

    def __init__(self, emulator: GitHubEmulator, origin: str, api: str) -> None:
        self.emulator = emulator
        self.origin = origin
        self.api = api
        self.provider = self.with_settings()

    def with_settings(self, **changes: object) -> GitHubProvider:
        values: dict[str, object] = {
            "name": "github",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "base_url": self.origin,
            "api_url": self.origin + self.api,
        }
        settings = GitHubSettings(**{**values, **changes})  # type: ignore[arg-type]
        return GitHubProvider(settings, Outbound(SystemClock(), ["127.0.0.1"]), SystemEntropy())

    async def visit(self, leg: Leg) -> dict[str, str]:
        """Follow the link as a browser would; the parameters it comes back with."""
        async with httpx2.AsyncClient(trust_env=False, verify=False) as browser:
            answer = await browser.get(leg.url)
        assert answer.status_code == 302
        location = answer.headers["location"]
        assert location.startswith(CALLBACK)
        return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}

    async def sign_in(self, provider: GitHubProvider | None = None) -> ExternalIdentity:
        provider = provider or self.provider
        leg = await provider.begin(CALLBACK)
        return await provider.complete(await self.visit(leg), leg.secret, CALLBACK)

    async def failure(self, provider: GitHubProvider | None = None) -> IdentityError:
        with pytest.raises(IdentityError) as caught:
            await self.sign_in(provider)
        return caught.value


@pytest.fixture(params=["", "/api/v3"], ids=["cloud", "enterprise"])
async def github(request: pytest.FixtureRequest) -> AsyncIterator[GitHub]:
    """As in the cloud (API on a host of its own) and as on an Enterprise Server (``/api/v3``)."""
    emulator = GitHubEmulator([OCTOCAT], api=request.param)
    async with serving(emulator.app) as origin:
        yield GitHub(emulator, origin, request.param)


@pytest.fixture
async def cloud() -> AsyncIterator[GitHub]:
    octocat = Account(**{**OCTOCAT.__dict__, "emails": list(OCTOCAT.emails), "orgs": list(OCTOCAT.orgs)})
    emulator = GitHubEmulator([octocat])
    async with serving(emulator.app) as origin:
        yield GitHub(emulator, origin, "")


async def test_the_whole_trip(github: GitHub) -> None:
    assert await github.sign_in() == ExternalIdentity(
        connection="github",
        issuer=github.origin,
        subject="583231",
        login="Octocat",
        email="octocat@example.com",
        email_verified=True,
        display_name="The Octocat",
        provider_groups=frozenset(
            {"acme", "globex", "initech", "umbrella", "hooli"} | {"acme/platform", "acme/sre", "hooli/xyz"}
        ),
    )
    (asked,) = github.emulator.seen.authorize
    assert asked["scope"] == "read:user user:email read:org"
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == CALLBACK
    (redeemed,) = github.emulator.seen.token
    assert redeemed["redirect_uri"] == CALLBACK
    assert re.fullmatch(r"[A-Za-z0-9_-]{43,128}", redeemed["code_verifier"])  # RFC 7636 §4.1
    assert "/user/orgs?per_page=100&page=3" in github.emulator.seen.paths


async def test_each_trip_has_secrets_of_its_own() -> None:
    settings = GitHubSettings(
        name="ghe", client_id="c", client_secret="s", base_url="https://ghe.example.com"
    )
    provider = GitHubProvider(settings, Outbound(SystemClock()), SystemEntropy())
    legs = [await provider.begin("https://mcp.example.com/callback/ghe") for _ in range(2)]
    assert len({json.loads(leg.secret)["state"] for leg in legs}) == 2
    assert len({json.loads(leg.secret)["verifier"] for leg in legs}) == 2
    assert legs[0].url.startswith("https://ghe.example.com/login/oauth/authorize?")
    assert json.loads(legs[0].secret)["verifier"] not in legs[0].url
    assert (provider.name, provider.title) == ("ghe", "GitHub")


def test_the_secret_is_not_in_the_repr() -> None:
    settings = GitHubSettings(name="github", client_id="c", client_secret="very-secret")
    assert "very-secret" not in repr(settings)
    assert "very-secret" not in str([settings])


async def test_F1_a_renamed_person_is_the_same_subject(cloud: GitHub) -> None:
    before = await cloud.sign_in()
    cloud.emulator.rename(583231, "monalisa")
    after = await cloud.sign_in()
    assert (before.subject, after.subject) == ("583231", "583231")
    assert after.login == "monalisa"


@pytest.mark.parametrize(
    ("emails", "email", "verified"),
    [
        ([{"email": "a@x.example", "primary": True, "verified": False}], "a@x.example", False),
        (
            [
                {"email": "boss@x.example", "primary": False, "verified": True},
                {"email": "me@x.example", "primary": True, "verified": False},
            ],
            "me@x.example",
            False,
        ),
        ([{"email": "boss@x.example", "primary": False, "verified": True}], None, False),
        ([{"email": "me@x.example", "primary": True}], "me@x.example", False),
        ([], None, False),
    ],
)
async def test_F1_only_the_primary_address_and_only_as_verified_as_github_says(
    cloud: GitHub, emails: list[dict[str, object]], email: str | None, verified: bool
) -> None:
    cloud.emulator.accounts[583231].emails = emails
    identity = await cloud.sign_in()
    assert (identity.email, identity.email_verified) == (email, verified)


async def test_without_organisations_nothing_is_asked_about_them(cloud: GitHub) -> None:
    identity = await cloud.sign_in(cloud.with_settings(fetch_orgs=False))
    assert identity.provider_groups == frozenset()
    assert cloud.emulator.seen.authorize[0]["scope"] == "read:user user:email"
    assert not [path for path in cloud.emulator.seen.paths if "orgs" in path or "teams" in path]


@pytest.mark.parametrize("path", ["/user/emails", "/user/orgs", "/user/teams"])
@pytest.mark.parametrize("status", [403, 404])
async def test_a_list_that_may_not_be_seen_is_empty(cloud: GitHub, path: str, status: int) -> None:
    cloud.emulator.trouble[path] = Trouble(status, b'{"message": "Not Found"}')
    identity = await cloud.sign_in()
    assert identity.subject == "583231"
    if path == "/user/emails":
        assert identity.email is None
    else:
        kind = {"/user/orgs": "acme", "/user/teams": "acme/platform"}[path]
        assert kind not in identity.provider_groups


async def test_only_members_of_an_allowed_organisation(cloud: GitHub) -> None:
    assert await cloud.sign_in(cloud.with_settings(allowed_orgs=("ACME",)))
    error = await cloud.failure(cloud.with_settings(allowed_orgs=("wayne",)))
    assert isinstance(error, SignInRefused)
    assert "Octocat" in error.public
    assert "583231" in error.detail
    with pytest.raises(ValueError, match="fetch_orgs"):
        cloud.with_settings(allowed_orgs=("acme",), fetch_orgs=False)


# -- refusals and failures -----------------------------------------------------------------------------------


async def test_the_person_pressed_cancel(cloud: GitHub) -> None:
    cloud.emulator.cancels = True
    error = await cloud.failure()
    assert isinstance(error, SignInRefused)
    assert "cancelled" in error.public
    assert cloud.emulator.seen.token == []


async def test_F7_errors_come_with_http_200(cloud: GitHub) -> None:
    error = await cloud.failure(cloud.with_settings(client_secret="wrong-secret-value"))
    assert isinstance(error, ProviderFailed)
    assert "not set up correctly" in error.public
    assert "incorrect_client_credentials" in error.detail
    assert "wrong-secret-value" not in error.public + error.detail


async def test_a_code_twice(cloud: GitHub) -> None:
    leg = await cloud.provider.begin(CALLBACK)
    params = await cloud.visit(leg)
    await cloud.provider.complete(params, leg.secret, CALLBACK)
    with pytest.raises(ProviderFailed, match="bad_verification_code"):
        await cloud.provider.complete(params, leg.secret, CALLBACK)


async def test_C8_a_code_of_another_trip_does_not_pass_pkce(cloud: GitHub) -> None:
    victim, attacker = await cloud.provider.begin(CALLBACK), await cloud.provider.begin(CALLBACK)
    stolen = await cloud.visit(victim)
    mixed = {"code": stolen["code"], "state": json.loads(attacker.secret)["state"]}
    with pytest.raises(ProviderFailed, match="bad_verification_code"):
        await cloud.provider.complete(mixed, attacker.secret, CALLBACK)


@pytest.mark.parametrize(
    "change",
    [{"state": "gk_gs_another"}, {"state": ""}, {"iss": "https://evil.example"}, {"iss": ""}],
)
async def test_D6_an_answer_that_is_not_to_our_question(cloud: GitHub, change: dict[str, str]) -> None:
    leg = await cloud.provider.begin(CALLBACK)
    params = {**await cloud.visit(leg), **change}
    with pytest.raises(SignInRefused):
        await cloud.provider.complete(params, leg.secret, CALLBACK)
    assert cloud.emulator.seen.token == []


async def test_D6_the_right_issuer_passes(cloud: GitHub) -> None:
    leg = await cloud.provider.begin(CALLBACK)
    params = {**await cloud.visit(leg), "iss": f"{cloud.origin}/login/oauth"}
    assert (await cloud.provider.complete(params, leg.secret, CALLBACK)).subject == "583231"


async def test_a_callback_with_nothing_in_it(cloud: GitHub) -> None:
    leg = await cloud.provider.begin(CALLBACK)
    with pytest.raises(ProviderFailed, match="without code"):
        await cloud.provider.complete({"state": json.loads(leg.secret)["state"]}, leg.secret, CALLBACK)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        ("application_suspended", ProviderFailed, "not set up correctly"),
        ("redirect_uri_mismatch", ProviderFailed, "not set up correctly"),
        ("unverified_user_email", SignInRefused, "Verify"),
        ("temporarily_unavailable", ProviderFailed, "try again"),
        ("x" * 100_000, ProviderFailed, "try again"),
    ],
)
async def test_other_errors_at_the_callback(
    cloud: GitHub, error: str, kind: type[IdentityError], words: str
) -> None:
    leg = await cloud.provider.begin(CALLBACK)
    params = {"state": json.loads(leg.secret)["state"], "error": error, "error_description": "y" * 100_000}
    with pytest.raises(kind) as caught:
        await cloud.provider.complete(params, leg.secret, CALLBACK)
    assert words in caught.value.public
    assert len(caught.value.detail) < 1000


GARBAGE = [
    b"",
    b"<html>Unicorn!</html>",
    b"null",
    b"[]",
    b"{",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"id": "583231", "login": "octocat"}',
    b'{"id": true, "login": "octocat"}',
    b'{"id": 0, "login": "octocat"}',
    b'{"id": -1, "login": "octocat"}',
    b'{"id": 583231.5, "login": "octocat"}',
    b'{"id": 583231, "login": ""}',
    b'{"id": 583231}',
    b'{"login": "octocat"}',
]


@pytest.mark.parametrize("body", GARBAGE)
async def test_garbage_instead_of_a_person(cloud: GitHub, body: bytes) -> None:
    cloud.emulator.trouble["/user"] = Trouble(200, body or b" ")
    error = await cloud.failure()
    assert isinstance(error, ProviderFailed)
    assert "GitHub" in error.public


@pytest.mark.parametrize(
    "body", [b"<html>", b"null", b"{}", b'{"access_token": 1}', b'{"access_token": "t", "token_type": "mac"}']
)
async def test_garbage_instead_of_a_token(cloud: GitHub, body: bytes) -> None:
    cloud.emulator.trouble["/login/oauth/access_token"] = Trouble(200, body)
    assert isinstance(await cloud.failure(), ProviderFailed)
    assert cloud.emulator.seen.paths == []


@pytest.mark.parametrize("path", ["/login/oauth/access_token", "/user", "/user/emails", "/user/orgs"])
@pytest.mark.parametrize("status", [500, 502, 503])
async def test_github_is_down(cloud: GitHub, path: str, status: int) -> None:
    cloud.emulator.trouble[path] = Trouble(status, b"<h1>Unicorn</h1>")
    error = await cloud.failure()
    assert isinstance(error, ProviderFailed)
    assert "at the moment" in error.public
    assert str(status) in error.detail


async def test_github_hangs(cloud: GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatekit.identity.github.TIMEOUT", 0.2)
    cloud.emulator.trouble["/user"] = Trouble(delay=0.6)
    error = await cloud.failure()
    assert isinstance(error, ProviderFailed)
    assert "no complete answer" in error.detail


async def test_github_is_not_there(cloud: GitHub) -> None:
    provider = cloud.with_settings(base_url="http://127.0.0.1:1", api_url="http://127.0.0.1:1")
    leg = await provider.begin(CALLBACK)
    params = {"state": json.loads(leg.secret)["state"], "code": "abc"}
    with pytest.raises(ProviderFailed, match="cannot connect"):
        await provider.complete(params, leg.secret, CALLBACK)


@pytest.mark.parametrize(
    "link",
    ['<http://169.254.169.254/latest?page=2>; rel="next"', "<https://evil.example/user/orgs>; rel=next"],
)
async def test_M2_the_token_does_not_follow_a_link_to_another_host(cloud: GitHub, link: str) -> None:
    cloud.emulator.trouble["/user/orgs"] = Trouble(link=link)
    error = await cloud.failure()
    assert isinstance(error, ProviderFailed)
    assert "another host" in error.detail


async def test_an_endless_list_ends(cloud: GitHub) -> None:
    cloud.emulator.accounts[583231].orgs = [f"org{number}" for number in range(1000)]
    identity = await cloud.sign_in()
    asked = [path for path in cloud.emulator.seen.paths if path.startswith("/user/orgs")]
    assert len(asked) == MAX_PAGES
    assert "org1" in identity.provider_groups


async def test_B9_no_token_is_logged(cloud: GitHub, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="gatekit"):
        await cloud.sign_in()
        cloud.emulator.trouble["/user/teams"] = Trouble(404, b"{}")
        await cloud.sign_in()
        cloud.emulator.trouble["/user"] = Trouble(200, b'{"id": "gho_leaked"}')
        error = await cloud.failure()
    told = caplog.text + error.public + error.detail
    assert caplog.records
    for secret in (*cloud.emulator.tokens, CLIENT_SECRET, "gho_leaked"):
        assert secret not in told
    for form in cloud.emulator.seen.token:
        assert form["code"] not in told
        assert form["code_verifier"] not in told

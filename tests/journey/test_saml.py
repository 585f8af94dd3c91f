"""Sign-in over SAML against SimpleSAMLphp, all the way to a tool's answer, through a real gateway process."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode, urljoin

import pytest

from gatekit.demo.browser import Page, Person, StoryError
from gatekit.demo.wire import Login, McpClient, fetch
from tests.support.running import ECHO, RunningGateway
from tests.support.simplesaml import SimpleSaml

SIGNED: dict[str, dict[str, Any]] = {
    "response": {"saml20.sign.response": True, "saml20.sign.assertion": False},
    "assertion": {"saml20.sign.response": False, "saml20.sign.assertion": True},
    "both": {"saml20.sign.response": True, "saml20.sign.assertion": True},
    "sealed": {"saml20.sign.assertion": True, "assertion.encryption": True, "sharedkey_algorithm":
               "http://www.w3.org/2009/xmlenc11#aes256-gcm"},
    "sealed-cbc": {"saml20.sign.response": True, "saml20.sign.assertion": True, "assertion.encryption": True,
                   "sharedkey_algorithm": "http://www.w3.org/2001/04/xmlenc#aes128-cbc"},
    "unsigned": {"saml20.sign.response": False, "saml20.sign.assertion": False},
    "sealed-unsigned": {"saml20.sign.response": True, "saml20.sign.assertion": False,
                        "assertion.encryption": True},
    "sha1": {"signature.algorithm": "http://www.w3.org/2000/09/xmldsig#rsa-sha1"},
    "portal": {},
    "leaving": {},
    "posting": {},
}  # fmt: skip
"""Connections of the gateway, and how the provider answers each."""
SOUND = ("response", "assertion", "both", "sealed", "sealed-cbc", "posting")


class CorpPerson(Person):
    """Somebody who presses the button of a connection and signs in at the provider."""

    connection = "both"

    def _next(self, page: Page, redirect_uri: str, decision: str) -> Page | str:
        link = re.search(rf'href="(/go/{self.connection}\?[^"]+)"', page.text)
        if link is not None:
            note = re.search(r'role="alert"[^>]*>([^<]+)<', page.text)
            if note is not None:
                raise StoryError(note[1])
            return self.browser.follow(urljoin(page.url, link[1].replace("&amp;", "&")), redirect_uri)
        for form in page.forms:
            if any(field.name in {"SAMLRequest", "SAMLResponse"} for field in form.fields):
                # Ours has a button; the provider's posts it by a script.
                return self.browser.submit(page, form, {}, "", redirect_uri)
        return super()._next(page, redirect_uri, decision)


def person(connection: str, name: str = "alice") -> CorpPerson:
    found = CorpPerson(name, f"{name}pw")
    object.__setattr__(found, "connection", connection)
    return found


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleSaml]:
    running = SimpleSaml(tmp_path_factory.mktemp("simplesaml"))
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, provider: SimpleSaml) -> Iterator[RunningGateway]:
    """One connection for each way of answering; ``echo`` is for alice, whichever way she comes."""
    members = [f"{name}:alice" for name in SIGNED]
    running = RunningGateway(
        tmp_path_factory.mktemp("saml"), {"echo": {"command": list(ECHO), "allowed_users": members}}
    )
    connections: dict[str, dict[str, Any]] = {
        name: {"type": "saml", "metadata": provider.metadata} for name in SIGNED
    }
    connections["portal"] |= {"idp_initiated": True}
    connections["leaving"] |= {"single_logout": True}
    # The same provider, as if it took requests by form alone.
    document = fetch(provider.metadata).body.decode()
    by_form = re.sub(r"(<md:SingleSignOnService [^>]*)HTTP-Redirect", r"\1HTTP-POST", document)
    assert by_form != document
    connections["posting"] |= {"metadata": by_form}
    running.proxy = {
        "auth": {"enabled": True, "providers": {"local": {}, **connections}, "allowed_users": members}
    }
    running.groups = {}
    running.write()
    try:
        running.start()
        provider.knows({f"{running.url}/saml/{name}/metadata": special for name, special in SIGNED.items()})
        yield running
    finally:
        running.stop()


def login(gateway: RunningGateway, someone: Person) -> Login:
    found = Login(gateway.endpoint("echo"))
    found.discover()
    found.register("journey")
    found.redeem(found.authorize(someone))
    return found


@pytest.mark.parametrize("connection", SOUND)
def test_to_a_tools_answer(gateway: RunningGateway, connection: str) -> None:
    """Signed response, signed assertion, both, encrypted: request signed, answer judged, tool called."""
    token = str(login(gateway, person(connection)).token["access_token"])
    client = McpClient(gateway.endpoint("echo"), token)
    client.initialize()
    said = client.request("tools/call", {"name": "echo", "arguments": {"message": "by SAML"}})
    assert "by SAML" in str(said)
    [event] = [e for e in gateway.audit("--event", "sign_in") if e["connection"] == connection]
    assert event["outcome"] == "ok"


@pytest.mark.parametrize(
    ("connection", "reason"),
    [("unsigned", "saml unsigned"), ("sealed-unsigned", "saml unsigned"), ("sha1", "saml algorithm")],
)
def test_what_is_refused(gateway: RunningGateway, connection: str, reason: str) -> None:
    """S3, S7: A provider that is set up weakly is refused, and the audit says what to change."""
    with pytest.raises(StoryError, match="could not be accepted"):
        login(gateway, person(connection))
    [event] = [e for e in gateway.audit("--event", "sign_in") if e["connection"] == connection]
    assert event["reason"].startswith(reason)


def browse(gateway: RunningGateway, someone: CorpPerson, url: str) -> Page:
    """Open ``url`` and go on as a browser with scripts does, to the page where nothing is left to do."""
    page = someone.browser.follow(url)
    for _ in range(6):
        assert isinstance(page, Page)
        if page.url.startswith(gateway.url) and not any(form.has("password") for form in page.forms):
            return page
        if not page.forms:
            return page
        page = someone._next(page, "", "approve")
    raise AssertionError(page)


def name_on_the_page(gateway: RunningGateway, someone: CorpPerson) -> str:
    page = someone.browser.open(f"{gateway.url}/")
    found = re.search(r"alice[\w-]*", page.text)
    return found[0] if found else ""


def from_the_portal(gateway: RunningGateway, provider: SimpleSaml, connection: str) -> str:
    service = f"{gateway.url}/saml/{connection}/metadata"
    query = urlencode({"spentityid": service, "RelayState": "https://evil.example/"})
    return f"{provider.base}saml2/idp/SSOService.php?{query}"


def test_S6_the_provider_may_not_begin_by_itself(gateway: RunningGateway, provider: SimpleSaml) -> None:
    """S6, S9: By itself off; where it is on, RelayState leads nowhere."""
    someone = person("both")
    page = browse(gateway, someone, from_the_portal(gateway, provider, "both"))
    assert page.status == 400
    assert name_on_the_page(gateway, someone) == ""
    portal = person("portal")
    page = browse(gateway, portal, from_the_portal(gateway, provider, "portal"))
    assert page.url == f"{gateway.url}/"
    assert name_on_the_page(gateway, portal).startswith("alice")


def test_S9_signing_out_at_the_provider(gateway: RunningGateway, provider: SimpleSaml) -> None:
    """S9: Single logout: the provider's request ends our session, and our receipt satisfies it."""
    someone, other = person("both"), person("both")
    for each in (someone, other):
        browse(gateway, each, f"{gateway.url}/login")
        assert name_on_the_page(gateway, each).startswith("alice")
    done = f"{gateway.url}/healthz"
    page = someone.browser.follow(
        f"{provider.base}saml2/idp/SingleLogoutService.php?{urlencode({'ReturnTo': done})}"
    )
    assert isinstance(page, Page)
    assert page.url == done, page.text[:500]
    assert name_on_the_page(gateway, someone) == ""
    assert name_on_the_page(gateway, other).startswith("alice"), "another browser, another sign-in"
    events = gateway.audit("--event", "sign_out")
    assert events[0]["reason"] == "asked for by the identity provider both"


def test_S9_signing_out_here_ends_it_at_the_provider(gateway: RunningGateway, provider: SimpleSaml) -> None:
    """S9: The provider accepts our signed request, and asks for the password again afterwards."""
    someone = person("leaving")
    browse(gateway, someone, f"{gateway.url}/login")
    home = someone.browser.open(f"{gateway.url}/")
    page = someone.browser.submit(home, home.forms[0], {}, "", "")
    assert isinstance(page, Page)
    assert page.url.startswith(f"{gateway.url}/saml/leaving/slo?SAMLResponse="), page.text[:500]
    assert "You are signed out" in page.text
    assert name_on_the_page(gateway, someone) == ""
    someone.browser.visited.clear()
    browse(gateway, someone, f"{gateway.url}/login")
    assert "sign in" in someone.browser.visited, "the provider had forgotten who it was"


def test_what_the_command_line_shows(gateway: RunningGateway, provider: SimpleSaml) -> None:
    said = gateway.gatekit(
        "connections", "saml-metadata", "both", "--theirs", "--config", str(gateway.config)
    )
    assert f"entity_id: {provider.entity}" in said
    ours = gateway.gatekit("connections", "saml-metadata", "both", "--config", str(gateway.config))
    assert ours.strip() == fetch(f"{gateway.url}/saml/both/metadata").body.decode()


def test_somebody_who_is_on_no_list(gateway: RunningGateway) -> None:
    with pytest.raises(StoryError, match="signed in as mallory"):
        login(gateway, person("both", "mallory"))

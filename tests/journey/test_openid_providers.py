"""Sign-in with OpenID providers that nobody here wrote, from the button to a tool's answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from gatekit.demo.browser import Page, StoryError
from gatekit.demo.gateway import free_port
from gatekit.demo.wire import Login, McpClient
from tests.support.companies import CLIENT, TENANT, CompanyGateway, Employee, emulated
from tests.support.provider import Provider
from tests.support.running import started

PROVIDERS: dict[str, dict[str, Any]] = {
    "google": {"users": [{"email": "ada@example.com", "name": "Ada", "hd": "example.com"}]},
    "microsoft": {"users": [{"email": "ada@example.com", "name": "Ada"}]},
    "okta": {
        "users": [{"okta_id": "00uada", "login": "ada@example.com", "email": "ada@example.com",
                   "first_name": "Ada", "last_name": "L"}],
        "groups": [{"okta_id": "00geng", "name": "Engineering"}],
        "group_memberships": [{"group_okta_id": "00geng", "user_okta_id": "00uada"}],
    },
}  # fmt: skip


def signed_in(gateway: CompanyGateway, person: Employee) -> McpClient:
    login = Login(gateway.endpoint("echo"))
    login.discover()
    login.register("journey")
    login.redeem(login.authorize(person))
    client = McpClient(login.url, str(login.token["access_token"]))
    client.initialize()
    return client


def uses(client: McpClient) -> bool:
    answer = client.request("tools/call", {"name": "echo", "arguments": {"message": "hello"}})
    return "hello" in json.dumps(answer)


@contextmanager
def company(
    tmp_path: Path, service: str, entry: dict[str, Any], users: list[str]
) -> Iterator[CompanyGateway]:
    """A gateway with one connection, called as its kind, to one service of ``emulate``."""
    port = free_port(0)
    kind = "entra" if service == "microsoft" else service
    seed = {
        **PROVIDERS[service],
        "oauth_clients": [
            {**CLIENT, "name": "Gatekit", "redirect_uris": [f"http://127.0.0.1:{port}/callback/{kind}"]}
        ],
    }
    with emulated(tmp_path / "emulate", service, seed) as origin:
        written = json.loads(json.dumps({**CLIENT, **entry}).replace("ORIGIN", origin))
        gateway = CompanyGateway(tmp_path / "gateway", {kind: written}, users, port)
        gateway.url = f"http://127.0.0.1:{port}"
        with started(gateway):
            yield gateway


def people(gateway: CompanyGateway) -> list[tuple[str, str]]:
    listed = json.loads(gateway.gatekit("users", "list", "--json"))
    return [(person["username"], person["connection"]) for person in listed]


def test_google(tmp_path: Path) -> None:
    entry = {"issuer": "ORIGIN", "hosted_domains": ["example.com"]}
    with company(tmp_path, "google", entry, ["ada@example.com"]) as gateway:
        assert uses(signed_in(gateway, Employee("ada@example.com", "", connection="google")))
        # The one that emulate brings along is a private account.
        with pytest.raises(StoryError, match=r"403 You are .* not in an organisation that may sign in here"):
            signed_in(gateway, Employee("testuser@gmail.com", "", connection="google"))
        assert [connection for _, connection in people(gateway)] == ["google"]


def test_entra_id(tmp_path: Path) -> None:
    """F1: at Entra ID nobody's address counts as verified by itself; access goes by the name there."""
    entry = {"tenants": [TENANT], "authority": "ORIGIN", "graph_url": "ORIGIN"}
    with company(tmp_path, "microsoft", entry, ["entra:ada@example.com"]) as gateway:
        assert uses(signed_in(gateway, Employee("ada@example.com", "", connection="entra")))
        with pytest.raises(StoryError, match=r"403 You are signed in as .* nobody has given you access"):
            signed_in(gateway, Employee("testuser@outlook.com", "", connection="entra"))


def test_entra_id_address_is_not_verified(tmp_path: Path) -> None:
    """F1: nOAuth: what stands in ``email`` opens nothing."""
    entry = {"tenants": [TENANT], "authority": "ORIGIN"}
    with (
        company(tmp_path, "microsoft", entry, ["ada@example.com"]) as gateway,
        pytest.raises(StoryError, match=r"403 You are signed in as ada@example.com"),
    ):
        signed_in(gateway, Employee("ada@example.com", "", connection="entra"))


def test_entra_id_of_another_tenant(tmp_path: Path) -> None:
    """F1: a person of a tenant that is not named does not come in, whatever the signature says."""
    other = "00000000-0000-4000-8000-000000000000"
    entry = {"tenants": [other], "authority": "ORIGIN"}
    with (
        company(tmp_path, "microsoft", entry, ["*"]) as gateway,
        pytest.raises(StoryError, match=r"502 Microsoft answered something that cannot be used"),
    ):
        signed_in(gateway, Employee("ada@example.com", "", connection="entra"))


def test_okta_with_groups(tmp_path: Path) -> None:
    entry = {
        "issuer": "ORIGIN/oauth2/default",
        "admit": {"groups": ["Engineering"]},
        "groups": {"map": {"Engineering": "developers"}},
    }
    with company(tmp_path, "okta", entry, ["group:developers"]) as gateway:
        assert uses(signed_in(gateway, Employee("ada@example.com", "", connection="okta")))
        with pytest.raises(StoryError, match=r"403 You are signed in as .* does not let you in"):
            signed_in(gateway, Employee("testuser@okta.local", "", connection="okta"))


def test_a_broken_provider_is_a_page_and_the_others_work(tmp_path: Path) -> None:
    """The page names the connection and the ways that are left; the audit has the reason."""
    dead = {"type": "oidc", "issuer": f"http://127.0.0.1:{free_port(0)}", "title": "Acme", **CLIENT}
    gateway = CompanyGateway(tmp_path, {"local": {}, "acme": dead}, ["local:alice"])
    with started(gateway):
        with pytest.raises(StoryError, match=r"502 Acme cannot be reached at the moment"):
            signed_in(gateway, Employee("ada", "", connection="acme"))
        login = Login(gateway.endpoint("echo"))
        login.discover()
        login.register("journey")
        login.redeem(login.authorize(gateway.person("alice")))
        refused = [event for event in gateway.audit() if event["event"] == "sign_in"]
        assert {(event["connection"], event["outcome"]) for event in refused} == {
            ("acme", "refused"),
            ("local", "ok"),
        }


def test_the_certified_provider(tmp_path: Path) -> None:
    """Also the recipe of docs/external.md: clients register here, and the provider knows one client alone."""
    port = free_port(0)
    callback = f"http://127.0.0.1:{port}/callback/acme"
    client = {**CLIENT, "redirect_uris": [callback], "grant_types": ["authorization_code", "refresh_token"]}
    provider = Provider(tmp_path / "provider", clients=[client])
    provider.start()
    entry = {"type": "oidc", "issuer": provider.issuer, "title": "Acme", **CLIENT}
    gateway = CompanyGateway(tmp_path / "gateway", {"acme": entry}, ["ada@example.com"], port)
    try:
        with started(gateway):
            assert uses(signed_in(gateway, Employee("ada", "", connection="acme")))
            with pytest.raises(StoryError, match=r"403 You are signed in as mallory"):
                signed_in(gateway, Employee("mallory", "", connection="acme"))
            assert people(gateway) == [("ada", "acme")]
    finally:
        provider.stop()


def asks_for_a_name(gateway: CompanyGateway, person: Employee) -> bool:
    """Whether the provider asks who it is, when somebody begins to sign in."""
    page = person.browser.follow(f"{gateway.url}/login")
    assert isinstance(page, Page)
    link = re.search(r'href="(/go/acme\?[^"]+)"', page.text)
    assert link is not None, page.text
    there = person.browser.follow(urljoin(page.url, link[1].replace("&amp;", "&")))
    assert isinstance(there, Page)
    return any(field.name == "login" for form in there.forms for field in form.fields)


def test_who_signs_out_here_is_signed_out_at_the_provider(tmp_path: Path) -> None:
    port = free_port(0)
    here = f"http://127.0.0.1:{port}"
    client = {
        **CLIENT,
        "redirect_uris": [f"{here}/callback/acme"],
        "post_logout_redirect_uris": [f"{here}/signed-out/acme"],
    }
    provider = Provider(tmp_path / "provider", clients=[client])
    provider.start()
    entry = {"type": "oidc", "issuer": provider.issuer, "title": "Acme", "logout": True, **CLIENT}
    gateway = CompanyGateway(tmp_path / "gateway", {"acme": entry}, ["ada@example.com"], port)
    ada = Employee("ada", "", connection="acme")
    try:
        with started(gateway):
            signed_in(gateway, ada)
            home = ada.browser.follow(f"{here}/")
            assert isinstance(home, Page)
            form = next(form for form in home.forms if form.action.endswith("/logout"))
            asks = ada.browser.submit(home, form, {}, "", "")
            assert isinstance(asks, Page)
            assert asks.url.startswith(provider.issuer), asks.summary()
            fields = {field.name: field.value for field in asks.forms[0].fields}
            action = urljoin(asks.url, asks.forms[0].action)
            assert asks_for_a_name(gateway, ada) is False  # the session there is still alive
            agreed = ada.browser.follow(
                urljoin(action, ada.browser.open(action, {**fields, "logout": "yes"}).headers["location"])
            )
            assert isinstance(agreed, Page)
            assert agreed.url.startswith(f"{here}/signed-out/acme?state="), agreed.summary()
            assert "Here and at the identity provider" in agreed.text
            assert asks_for_a_name(gateway, ada) is True
            assert ada.browser.open(agreed.url.replace("state=", "state=x")).status == 400
            assert ada.browser.open(f"{here}/signed-out/acme").status == 400
            stored = (gateway.data / "gatekit.db").read_bytes()
            assert b"id_token" not in stored  # sealed
    finally:
        provider.stop()

"""What real clients need of the authorization server, where no specification says it; numbers as in
``test_requirements``.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.attack.world import World, attribute, returned

REGISTRATIONS: dict[str, dict[str, Any]] = {
    "VS Code": {
        "client_name": "Visual Studio Code",
        "application_type": "native",
        "redirect_uris": [
            "https://insiders.vscode.dev/redirect",
            "https://vscode.dev/redirect",
            "http://127.0.0.1/",
            "http://127.0.0.1:33418/",
        ],
        "grant_types": [
            "authorization_code",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:device_code",
        ],
    },
    "Cursor": {
        "redirect_uris": [
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "http://localhost:8787/callback",
        ]
    },
    "ChatGPT": {
        "redirect_uris": [
            "https://chatgpt.com/connector/oauth/a1b2",
            "https://chatgpt.com/connector_platform_oauth_redirect",
        ]
    },
    "Claude": {
        "redirect_uris": [
            "https://claude.ai/api/mcp/auth_callback",
            "https://claude.com/api/mcp/auth_callback",
        ],
        "scope": "claudeai",
    },
    "Copilot CLI": {"redirect_uris": ["http://127.0.0.1:40404/"]},
    "Qwen Code": {"redirect_uris": ["http://localhost:7777/oauth/callback"], "code_challenge_method": "S256"},
    "mcp-remote": {
        "redirect_uris": ["http://localhost:15000/oauth/callback"],
        "software_id": "2e6dc280-f3c3-4e01-99a7-8181dbd1d23d",
        "software_version": "0.15.1",
        "client_uri": "https://github.com/geelen/mcp-remote",
    },
}


async def test_2_the_challenge_to_the_letter(world: World) -> None:
    """One line that every parser reads the same: no trailing space, no error code without a token."""
    async with world.http() as http:
        answer = await http.post("/s/files/mcp", json={})
    metadata = f"{world.issuer}/.well-known/oauth-protected-resource/s/files/mcp"
    scope = 'scope="mcp:read mcp:call"'
    assert answer.headers["www-authenticate"] == f'Bearer resource_metadata="{metadata}", {scope}'


async def test_3_the_scopes_of_the_challenge_are_those_of_the_document(world: World) -> None:
    """Few clients recover from a step-up, so one sign-in asks for everything."""
    async with world.http() as http:
        challenge = (await http.get("/s/files/mcp")).headers["www-authenticate"]
        document = (await http.get("/.well-known/oauth-protected-resource/s/files/mcp")).json()
    asked = re.search(r'scope="([^"]*)"', challenge)
    assert asked
    assert asked[1].split() == document["scopes_supported"]


async def test_4_the_issuer_is_spelt_the_same_everywhere(world: World) -> None:
    async with world.http() as http:
        resource = (await http.get("/.well-known/oauth-protected-resource/s/files/mcp")).json()
        server = (await http.get("/.well-known/oauth-authorization-server")).json()
    assert resource["authorization_servers"] == [server["issuer"]] == [world.issuer]
    assert resource["bearer_methods_supported"] == ["header"]
    assert not resource["resource"].endswith("/")


async def test_6_endpoints_where_clients_guess_them(world: World) -> None:
    """Clients of 2025-03-26 without metadata go to /authorize, /token and /register of the origin."""
    async with world.http() as http:
        document = (await http.get("/.well-known/oauth-authorization-server")).json()
    for name, path in (("authorization", "/authorize"), ("token", "/token"), ("registration", "/register")):
        assert document[f"{name}_endpoint"] == world.issuer + path


@pytest.mark.parametrize("client", REGISTRATIONS)
async def test_8_every_recorded_registration_is_taken_as_it_is(world: World, client: str) -> None:
    wanted = {"token_endpoint_auth_method": "none", **REGISTRATIONS[client]}
    async with world.http() as http:
        request = http.build_request("POST", "/register", json=wanted)
        del request.headers["user-agent"]
        answer = await http.send(request)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["client_id"]
    assert answer.json()["redirect_uris"] == wanted["redirect_uris"]
    assert "refresh_token" in answer.json()["grant_types"]


async def test_10_the_root_path_is_a_redirect_too(world: World) -> None:
    client = await world.register(redirect_uris=["http://127.0.0.1/", "http://localhost/callback"])
    async with world.browser() as browser:
        await world.sign_in(browser, "/login")
        for uri in ("http://127.0.0.1:33418/", "http://localhost:5/callback"):
            page = await browser.visit(world.authorize_url(client, redirect_uri=uri))
            answer = page if page.is_redirect else await world.approve(browser, page)
            assert answer.headers["location"].startswith(f"{uri}?")
            assert "code" in returned(answer)


async def test_11_ten_registrations_in_a_minute_are_no_flood(world: World) -> None:
    """Codex and opencode register at each login, FastMCP at each start."""
    for _ in range(10):
        assert (await world.register(redirect_uris=["http://127.0.0.1:4711/callback"]))["client_id"]


async def test_16_a_second_start_asks_nobody_anything(world: World) -> None:
    """The Python SDK runs /authorize again at each restart; FastMCP asks once without cookies before."""
    client = await world.register()
    async with world.browser() as browser:
        page = await world.sign_in(browser, world.authorize_url(client))
        assert "code" in returned(await world.approve(browser, page))
        async with world.http() as probe:
            assert (await probe.get(world.authorize_url(client))).status_code == 200
        for redirect in ("http://127.0.0.1:50001/callback", "http://127.0.0.1:50002/callback"):
            again = await browser.visit(world.authorize_url(client, redirect_uri=redirect))
            assert "code" in returned(again)


async def test_16_the_pages_work_without_scripts_and_lead_to_the_client(world: World) -> None:
    """Chromium applies ``form-action`` to the redirect after a form as well, which goes to the client."""
    client = await world.register()
    async with world.browser() as browser:
        sign_in = await browser.visit(world.authorize_url(client))
        consent = await browser.submit(sign_in, username="alice", password="alice-password")
        for page in (sign_in, consent):
            assert "form-action" not in page.headers["content-security-policy"]
            form = re.search(r"<form\b([^>]*)>", page.text)
            assert form
            assert (attribute(form[1], "method") or "").lower() == "post"
            assert re.search(r"<button\b(?![^>]*type=\"button\")", page.text)
        # Strict would hide the session from the next client, which comes from another site.
        policies = [cookie.get_nonstandard_attr("SameSite") for cookie in browser.cookies.jar]
        assert policies
        assert set(map(str, policies)) <= {"lax", "Lax"}

"""D1–D10: redirects, mix-up, metadata."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

import pytest

from tests.attack.world import (
    LOOPBACK,
    USED_LOOPBACK,
    VERIFIER,
    World,
    form_of,
    provider_link,
    returned,
    s256,
    world_in,
)

HTTPS = "https://app.example.com/cb"


@pytest.mark.parametrize(
    "presented",
    [
        "https://app.example.com/cb/",
        "https://app.example.com/CB",
        "https://app.example.com/cb?x=1",
        "https://app.example.com/x/../cb",
        "https://app.example.com/%2e/cb",
        "https://app.example.com/%63b",
        "https://app.example.com\\cb",
        "https://app.example.com\\@evil.example/cb",
        "https://evil@app.example.com/cb",
        "https://app.example.com@evil.example/cb",
        "https://app.example.com@@evil.example/cb",
        "https://app.example.com/cb#x",
        "HTTPS://app.example.com/cb",
        "http://app.example.com/cb",
        "https://App.example.com/cb",
        "https://app.example.com:443/cb",
        "https://app.example.com.evil.example/cb",
        "https://evilapp.example.com/cb",
        "https://аpp.example.com/cb",
        "https://app.example.com/cb\t",
        "https://app.example.com/cb\r\nX: y",
        "https://app.example.com/cb\x00",
        " https://app.example.com/cb",
        "javascript:alert(1)",
        "//app.example.com/cb",
        "/cb",
    ],
)
async def test_D1_redirect_uri_is_compared_raw(world: World, presented: str) -> None:
    client = await world.register(redirect_uris=[HTTPS])
    async with world.browser() as browser:
        answer = await browser.get(world.authorize_url(client, redirect_uri=presented))
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert answer.headers["content-type"].startswith("text/html")


async def test_D1_two_redirect_uris_in_one_request(world: World) -> None:
    client = await world.register(redirect_uris=[HTTPS])
    async with world.browser() as browser:
        for second in (HTTPS, "https://evil.example/cb"):
            answer = await browser.get(
                world.authorize_url(client) + "&" + urlencode({"redirect_uri": second})
            )
            assert answer.status_code == 400


@pytest.mark.parametrize(
    ("registered", "presented", "good"),
    [
        ("http://127.0.0.1/cb", "http://127.0.0.1:5555/cb", True),
        ("http://localhost:3000/cb?x=1", "http://localhost:5555/cb?x=1", True),
        ("http://[::1]/", "http://[::1]:5555/", True),
        ("http://127.0.0.1/cb", "http://localhost:5555/cb", False),
        ("http://localhost/cb", "http://[::1]:5555/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:5555/cb/", False),
        ("http://127.0.0.1/cb", "https://127.0.0.1:5555/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:5555/cb?x=1", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1.evil.example:5555/cb", False),
        ("https://app.example.com/cb", "https://app.example.com:5555/cb", False),
    ],
)
async def test_D2_only_the_port_of_a_loopback_may_differ(
    world: World, registered: str, presented: str, good: bool
) -> None:
    client = await world.register(redirect_uris=[registered])
    async with world.browser() as browser:
        page = await browser.visit(world.authorize_url(client, redirect_uri=presented))
        assert page.status_code == (200 if good else 400)


async def test_D2_the_token_request_repeats_the_used_uri(world: World) -> None:
    client = await world.register()
    code = await world.code(client, redirect_uri=USED_LOOPBACK)
    assert (await world.redeem(client, code, redirect_uri=LOOPBACK)).json()["error"] == "invalid_grant"
    assert (await world.redeem(client, code, redirect_uri=USED_LOOPBACK)).status_code == 200


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "blob:https://x/y",
        "about:blank",
        "view-source:https://x/",
        "ws://localhost/",
        "http://app.example.com/cb",
        "https://app.example.com/cb#x",
        "https://*.example.com/cb",
        "https://u:p@app.example.com/cb",
        "https://app.example.com/\x07",
        "unlisted://callback",
    ],
)
async def test_D3_registration_refuses(world: World, uri: str) -> None:
    async with world.http() as http:
        answer = await http.post("/register", json={"redirect_uris": [uri]})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_redirect_uri")
    assert "redirect_uri" in answer.json()["error_description"]


async def test_D3_private_schemes_by_allow_list(tmp_path: Path) -> None:
    async with world_in(tmp_path, private_use_schemes=("acme",)) as world:
        client = await world.register(redirect_uris=["acme://callback"], application_type="native")
        tokens = await world.tokens(client)
        assert await world.alive(tokens["access_token"])
        async with world.http() as http:
            answer = await http.post("/register", json={"redirect_uris": ["cursor://callback"]})
        assert answer.status_code == 400


async def test_D4_unknown_clients_never_redirect(world: World) -> None:
    client = await world.register()
    async with world.browser() as browser:
        for changes in (
            {"client_id": "gkc_unknown"},
            {"client_id": None},
            {"client_id": "https://evil.example/c"},
        ):
            answer = await browser.get(world.authorize_url(client, **changes))
            assert answer.status_code == 400
            assert "location" not in answer.headers
            assert "Remove the saved login" in answer.text
        await world.store.clients.set_disabled(client["client_id"], True)
        answer = await browser.get(world.authorize_url(client))
        assert answer.status_code == 400
        assert "location" not in answer.headers
    refused = await world.redeem({**client, "client_id": "gkc_unknown"}, "gk_ac_x")
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert "www-authenticate" in refused.headers


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None},
        {"response_type": "token"},
        {"prompt": "none"},
        {"resource": "https://elsewhere.example/"},
    ],
    ids=str,
)
async def test_D4_a_fresh_registration_is_no_open_redirector(
    world: World, changes: dict[str, str | None]
) -> None:
    client = await world.register(redirect_uris=[HTTPS])
    async with world.browser() as browser:
        answer = await browser.get(world.authorize_url(client, **changes))
        assert answer.status_code == 400
        assert "location" not in answer.headers
    await world.tokens(client)  # somebody has finished a login with it: now it is trusted
    async with world.browser() as browser:
        assert "error" in returned(await browser.get(world.authorize_url(client, **changes)))


async def test_D5_iss_in_every_answer(world: World) -> None:
    """I11: `iss` in every answer."""
    client = await world.register()
    async with world.http() as http:
        issuer = (await http.get("/.well-known/oauth-authorization-server")).json()["issuer"]
    assert issuer == world.issuer
    async with world.browser() as browser:
        page = await world.sign_in(browser, world.authorize_url(client))
        action, fields = form_of(page.text, "/consent")
        denied = returned(await browser.post(action, data={**fields, "decision": "deny"}))
        assert denied["error"] == "access_denied"
        page = await browser.visit(world.authorize_url(client))
        granted = returned(await world.approve(browser, page))
        early = returned(await browser.get(world.authorize_url(client, response_type="id_token")))
    assert granted["iss"] == denied["iss"] == early["iss"] == issuer
    assert early["error"] == "unsupported_response_type"
    assert granted["state"] == denied["state"] == early["state"] == "s%41 +&=?"


async def test_D6_a_callback_counts_only_for_its_own_connection(world: World) -> None:
    """I11: A callback counts only for its own connection."""
    client = await world.register()
    async with world.browser() as browser:
        page = await browser.get(world.authorize_url(client, resource=f"{world.issuer}/s/clock/mcp"))
        leg = await browser.get(provider_link(page.text, "github"))
        state = _state(leg.headers["location"])
        mixed = await browser.get(f"/callback/gitlab?code=good-carol&state={state}")
        assert mixed.status_code == 400
        assert world.providers["gitlab"].completed == []
        assert (await browser.get(f"/callback/nowhere?code=x&state={state}")).status_code == 404
        right = await browser.visit(f"/callback/github?code=good-carol&state={state}")
        assert "carol" in right.text
        again = await browser.get(f"/callback/github?code=good-carol&state={state}")
        assert again.status_code == 400


async def test_D6_callbacks_are_registered_apart(world: World) -> None:
    client = await world.register()
    async with world.browser() as browser:
        page = await browser.get(world.authorize_url(client))
        seen = set()
        for name in ("github", "gitlab"):
            leg = await browser.get(provider_link(page.text, name))
            seen.add(leg.headers["location"].split("redirect_uri=")[1].split("&")[0])
    assert seen == {quote(f"{world.issuer}/callback/{name}", safe="") for name in ("github", "gitlab")}


@pytest.mark.parametrize("name", ["state", "code_challenge", "scope", "response_type", "prompt"])
async def test_D7_repeated_parameters_at_authorize(world: World, name: str) -> None:
    client = await world.register()
    async with world.browser() as browser:
        url = world.authorize_url(client, prompt="consent") + "&" + urlencode({name: "x"})
        answer = returned(await browser.get(url))
    assert answer["error"] == "invalid_request"
    assert ("state" in answer) is (name != "state")


async def test_D7_repeated_resources_are_fine_if_they_are_known(world: World) -> None:
    client = await world.register()
    async with world.browser() as browser:
        url = world.authorize_url(client) + "&" + urlencode({"resource": world.files})
        assert (await browser.visit(url)).status_code == 200


async def test_D7_the_token_endpoint_reads_one_plain_form(world: World) -> None:
    client = await world.register()
    code = await world.code(client)
    fields = {
        "grant_type": "authorization_code",
        "client_id": client["client_id"],
        "code": code,
        "code_verifier": VERIFIER,
        "redirect_uri": USED_LOOPBACK,
    }
    body = urlencode(fields)
    plain = {"content-type": "application/x-www-form-urlencoded"}
    async with world.http() as http:
        for name, value in fields.items():
            double = await http.post("/token", content=f"{body}&{urlencode({name: value})}", headers=plain)
            assert (double.status_code, double.json()["error"]) == (400, "invalid_request")
        for media in ("application/json", "text/plain", "multipart/form-data; boundary=x", ""):
            wrong = await http.post("/token", content=body, headers={"content-type": media})
            assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_request")
        assert (await http.post("/token", json=fields)).status_code == 400
        assert (await http.get("/token?" + body)).status_code == 405
        assert (await http.post("/token?" + body, headers=plain)).status_code in (400, 401)
        assert (await http.post("/token", content="a=" + "x" * 70_000, headers=plain)).status_code == 413
        assert (await http.post("/token", content=_chunks(), headers=plain)).status_code == 413
        assert (await http.post("/token", content=b"client_id=%ff%fe", headers=plain)).status_code == 400
        charset = {"content-type": "application/x-www-form-urlencoded;charset=UTF-8"}
        assert (await http.post("/token", content=body, headers=charset)).status_code == 200


async def test_D7_registration_refuses_repeated_members_and_odd_json(world: World) -> None:
    good = '"redirect_uris":["http://localhost/cb"]'
    async with world.http() as http:
        for body in (
            f'{{{good},"client_name":"a","client_name":"b"}}',
            f"{{{good},{good}}}",
            f'{{{good},"x":{{"a":1,"a":2}}}}',
            f'{{{good},"x":NaN}}',
            f"[{{{good}}}]",
            "null",
            "",
            "{",
            "[" * 8000,
            f'{{{good},"client_name":["a"]}}',
            f'{{{good},"grant_types":"authorization_code"}}',
            '{"redirect_uris":"http://localhost/cb"}',
            '{"redirect_uris":[["http://localhost/cb"]]}',
        ):
            answer = await http.post("/register", content=body, headers={"content-type": "application/json"})
            assert answer.status_code == 400, body[:80]
        huge = f'{{{good},"x":"{"y" * 20_000}"}}'
        answer = await http.post("/register", content=huge, headers={"content-type": "application/json"})
        assert answer.status_code == 413


NEXT = [
    "https://evil.example",
    "//evil.example",
    "/\\evil.example",
    "https:evil.example",
    "/%2f%2fevil.example",
    "\t//evil.example",
]


@pytest.mark.parametrize("target", NEXT)
async def test_D8_nothing_of_ours_follows_a_foreign_next(world: World, target: str) -> None:
    names = ("next", "return_to", "redirect", "post_logout_redirect_uri", "RelayState", "rd", "url")
    junk = urlencode(dict.fromkeys(names, target))
    async with world.browser() as browser:
        page = await browser.get(f"/login?{junk}")
        action, fields = form_of(page.text, "/login")
        filled = {**fields, **dict.fromkeys(names, target), "username": "alice", "password": "alice-password"}
        answer = await browser.post(f"{action}?{junk}", data=filled)
        assert answer.headers["location"] == "/"
        home = await browser.get(f"/?{junk}")
        assert "evil.example" not in home.text
        action, fields = form_of(home.text, "/logout")
        answer = await browser.post(f"{action}?{junk}", data={**fields, **dict.fromkeys(names, target)})
        assert answer.headers["location"] == "/"


async def test_D9_host_and_forwarded_headers_change_nothing(world: World) -> None:
    """I4, I15: `Host` and forwarded headers change nothing."""
    client = await world.register()
    spoofed = {
        "host": "evil.example",
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "http",
        "x-forwarded-uri": "/evil",
        "x-forwarded-prefix": "/evil",
        "forwarded": "host=evil.example;proto=http",
        "x-original-url": "/evil",
    }
    async with world.browser() as browser:
        for path in (
            "/.well-known/oauth-authorization-server",
            "/.well-known/openid-configuration",
            "/.well-known/oauth-protected-resource/s/files/mcp",
            world.authorize_url(client),
            "/",
        ):
            plain, fooled = await browser.get(path), await browser.get(path, headers=spoofed)
            assert plain.status_code == fooled.status_code == 200
            assert "evil" not in fooled.text + str(fooled.headers)
        refused = await browser.post("/s/files/mcp", headers=spoofed)
        assert "evil" not in refused.headers["www-authenticate"]
        page = await browser.get(world.authorize_url(client))
        leg = await browser.get(provider_link(page.text, "github"), headers=spoofed)
        assert "evil" not in leg.headers["location"]


@pytest.mark.parametrize("server", ["files", "clock", "vault", ""])
async def test_D10_the_challenge_leads_to_the_document_of_this_endpoint(world: World, server: str) -> None:
    path = f"/s/{server}/mcp" if server else "/mcp"
    async with world.http() as http:
        refused = await http.get(path)
        assert refused.status_code == 401
        challenge = refused.headers["www-authenticate"]
        url = challenge.split('resource_metadata="')[1].split('"')[0]
        assert url == f"{world.issuer}/.well-known/oauth-protected-resource{path}"
        document = (await http.get(urlsplit(url).path)).json()
        assert document["resource"] == world.issuer + path
        assert document["authorization_servers"] == [world.issuer]
        assert document["bearer_methods_supported"] == ["header"]
        assert document["scopes_supported"] == ["mcp:read", "mcp:call"]


async def test_D10_no_document_for_anything_else(world: World) -> None:
    async with world.http() as http:
        for path in (
            "/.well-known/oauth-protected-resource",
            "/.well-known/oauth-protected-resource/",
            "/.well-known/oauth-protected-resource/s/nothing/mcp",
            "/.well-known/oauth-authorization-server/s/files/mcp",
            "/.well-known/openid-configuration/s/files/mcp",
            "/.well-known/mcp.json",
        ):
            assert (await http.get(path)).status_code == 404, path


async def test_D10_cors_is_open_on_discovery_registration_and_token(world: World) -> None:
    page = {"origin": "https://inspector.example"}
    async with world.http() as http:
        for path, method in (
            ("/.well-known/oauth-authorization-server", "GET"),
            ("/.well-known/oauth-protected-resource/s/files/mcp", "GET"),
            ("/.well-known/oauth-protected-resource/s/nothing/mcp", "GET"),
            ("/register", "POST"),
            ("/token", "POST"),
            ("/revoke", "POST"),
        ):
            asked = {
                "access-control-request-method": method,
                "access-control-request-headers": "content-type,mcp-protocol-version",
            }
            preflight = await http.request("OPTIONS", path, headers={**page, **asked})
            assert preflight.status_code == 204
            assert preflight.headers["access-control-allow-origin"] == "*"
            assert method in preflight.headers["access-control-allow-methods"]
            assert "mcp-protocol-version" in preflight.headers["access-control-allow-headers"]
            answer = await http.request(method, path, headers=page)
            assert answer.headers["access-control-allow-origin"] == "*"
            assert "access-control-allow-credentials" not in answer.headers
            opaque = await http.request(method, path, headers={"origin": "null"})
            assert "access-control-allow-origin" not in opaque.headers
        for path in ("/authorize", "/", "/login"):
            answer = await http.get(path, headers=page)
            assert "access-control-allow-origin" not in answer.headers


async def test_D10_other_servers_after_a_reload(world: World) -> None:
    world.server.set_servers((("new", "New"),))
    async with world.http() as http:
        assert (await http.get("/.well-known/oauth-protected-resource/s/new/mcp")).status_code == 200
        assert (await http.get("/.well-known/oauth-protected-resource/s/files/mcp")).status_code == 404


async def _chunks() -> AsyncIterator[bytes]:
    for _ in range(20):
        yield b"x" * 5000


def _state(url: str) -> str:
    return url.split("state=")[1].split("&")[0]


def test_the_challenge_helper_is_the_specification_example() -> None:
    """RFC 7636 appendix B, so that the tests themselves are not wrong together with the code."""
    assert (
        s256("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )

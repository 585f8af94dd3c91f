"""Attacks on forward-auth: forged questions, forged headers, paths with two readings, stolen passes."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import httpx2
import msgspec
import pytest

from gatekit.admin.desk import operator
from gatekit.admin.keys import Keys
from gatekit.errors import AuditUnavailable
from gatekit.model.audit import DoorRefused, ForwardEvent
from gatekit.model.target import Target
from gatekit.oauth.forward.identity import HEADERS
from gatekit.platform.segments import encode_segment
from tests.attack.forward import ADMIN, PAGE, PROXY, ROBOT, SHOP, STRANGER, WIKI, Front, at, identity
from tests.attack.world import World, returned


@pytest.fixture
async def front(world: World) -> Front:
    return Front(world)


# -- what is let through ------------------------------------------------------------------------------------


async def test_a_token_for_the_application_passes_and_says_who(front: Front) -> None:
    token = await front.token(WIKI)
    answer = await front.ask(headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    claims = await identity(front.world, answer)
    assert claims["aud"] == "https://wiki.example"
    assert claims["sub"] == front.world.people["alice"].id
    assert claims["preferred_username"] == "alice"
    assert claims["groups"] == ["developers"]
    assert claims["exp"] - claims["iat"] <= 60
    assert answer.headers["x-auth-request-preferred-username"] == "alice"
    assert answer.headers["x-auth-request-groups"] == "developers"
    (event,) = front.world.trail.named(ForwardEvent)
    assert isinstance(event, ForwardEvent)
    assert (event.server, event.path, event.decision, event.principal) == ("wiki", "/page", "allow", "alice")


async def test_a_browser_signs_in_once_and_comes_back_to_its_page(front: Front) -> None:
    browser = front.browser()
    first = await front.ask("/page?a=1&b=/x", headers=PAGE)
    assert first.status_code == 302
    assert first.headers["location"] == "https://wiki.example/.gatekit/start?target=wiki&to=/page?a=1&b=/x"
    cookies = await front.enter(browser, to="/page?a=1&b=/x")
    answer = await front.ask(cookies=cookies)
    assert answer.status_code == 200
    assert (await identity(front.world, answer))["auth_time"] == int(front.world.clock.now())
    # The next application asks for no password.
    page = await browser.get("https://apps.example/.gatekit/start?target=shop&to=/shop")
    page = await browser.get(page.headers["location"])
    assert page.headers["location"].startswith("https://apps.example/.gatekit/done?")


async def test_api_keys_pass_where_they_are_for(front: Front) -> None:

    world = front.world
    keys = Keys(world.store, world.trail, world.clock, world.entropy)
    actor = operator("test")
    every = await keys.create(actor, "alice", name="all", servers=(), valid_for=90_000, known_servers=())
    one = await keys.create(
        actor, "alice", name="one", servers=("wiki",), valid_for=90_000, known_servers=("wiki",)
    )
    for token, host, status in (
        (every.token, "wiki.example", 200),
        (one.token, "wiki.example", 200),
        (one.token, "robot.example", 401),
    ):
        answer = await front.ask(host=host, headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == status, (host, answer.text)


# -- F4: who may ask, and what about ------------------------------------------------------------------------


async def test_only_the_operators_proxies_are_answered(front: Front) -> None:
    """F4, D9: whoever reaches us past the proxy may claim anything and is told nothing."""
    token = await front.token(WIKI)
    for query in ("", "?target=wiki"):
        answer = await front.ask(headers={"authorization": f"Bearer {token}"}, peer=STRANGER, query=query)
        assert answer.status_code == 403
        assert not [name for name in HEADERS if name in answer.headers]


@pytest.mark.parametrize(
    "said",
    [
        {"x-forwarded-uri": ""},
        {"x-forwarded-uri": "https://wiki.example/page"},
        {"x-forwarded-uri": "page"},
        {"x-forwarded-uri": "/page#fragment"},
        {"x-forwarded-uri": "/a b"},
        {"x-forwarded-uri": "/a\tb"},
        {"x-forwarded-uri": "/" + "a" * 9000},
        {"x-forwarded-host": ""},
        {"x-forwarded-host": "wiki.example, evil.example"},
        {"x-forwarded-host": "wiki.example/x"},
        {"x-forwarded-host": "alice@wiki.example"},
        {"x-forwarded-host": "wiki.example."},
        {"x-forwarded-host": "wiki.example:444"},
        {"x-forwarded-host": "sub.wiki.example"},
        {"x-forwarded-proto": "http"},
        {"x-forwarded-proto": "ftp"},
        {"x-forwarded-method": "get"},
        {"x-forwarded-method": ""},
    ],
)
async def test_a_question_that_is_not_plain_is_refused(front: Front, said: dict[str, str]) -> None:
    """F4: no application is guessed from something odd."""
    token = await front.token(WIKI)
    answer = await front.ask(headers={"authorization": f"Bearer {token}"}, forwarded=said)
    assert answer.status_code in (400, 403)


@pytest.mark.parametrize("name", ["uri", "host", "proto", "method"])
async def test_a_second_copy_of_what_the_proxy_says_is_refused(front: Front, name: str) -> None:
    """F4: a client's own X-Forwarded header beside the proxy's."""
    token = await front.token(WIKI)
    headers = [("authorization", f"Bearer {token}"), (f"x-forwarded-{name}", "/public")]
    assert (await front.ask(headers=headers)).status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "/shop/../admin",
        "/shop/%2e%2e/admin",
        "/shop/..%2fadmin",
        "/shop%2f..%2fadmin",
        "/shop/%252e%252e/admin",
        "/shop/..\\admin",
        "/shop/%5c..%5cadmin",
        "/shop;/../admin",
        "/shop//../admin",
        "//admin",
        "/shop/./x",
        "/SHOP/x",
        "/%53HOP",
        "/shop/%00",
        "/shop/%zz",
        "/shop%",
        "/shopping",
        "/",
        "/other",
    ],
)
async def test_a_path_that_could_be_another_is_refused(front: Front, path: str) -> None:
    """F4: bob may use /shop and not /admin; no spelling of one is taken for the other."""
    token = await front.token(SHOP, "bob")
    headers = {"authorization": f"Bearer {token}"}
    assert (
        await front.ask("/shop/cart?next=/../admin", host="apps.example", headers=headers)
    ).status_code == 200
    assert (await front.ask("/sho%70/cart", host="apps.example", headers=headers)).status_code == 200
    answer = await front.ask(path, host="apps.example", headers=headers)
    assert answer.status_code == 403


async def test_every_spelling_of_a_path_is_judged_as_what_it_is(front: Front) -> None:
    """F4: an escaped letter in /admin is /admin, for which a token for /shop is none."""
    token = await front.token(SHOP, "bob")
    for path in ("/admin", "/%61dmin/x", "/admin/users?x=/shop"):
        answer = await front.ask(path, host="apps.example", headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 401


async def test_what_the_proxys_configuration_names_must_agree(front: Front) -> None:
    """F4: one request, two hosts: the Host header says wiki, the proxy routed it to the robot."""
    token = await front.token(WIKI)
    headers = {"authorization": f"Bearer {token}"}
    assert (await front.ask(headers=headers, query="?target=wiki")).status_code == 200
    assert (await front.ask(headers=headers, query="?target=robot")).status_code == 403
    assert (await front.ask(headers=headers, query="?target=wiki&target=wiki")).status_code in (200, 400)


@pytest.mark.parametrize("agent", ["GoogleHC/1.0", "kube-probe/1.29", "ELB-HealthChecker/2.0"])
async def test_no_header_of_the_client_is_a_way_in(front: Front, agent: str) -> None:
    """F4: health checks and preflights get what everybody gets."""
    for method, path in (("GET", "/healthz"), ("GET", "/robots.txt"), ("OPTIONS", "/x"), ("HEAD", "/ping")):
        headers = {"user-agent": agent, "origin": "https://evil.example"}
        answer = await front.ask(path, method=method, headers=headers)
        assert answer.status_code == 401


# -- forged identities --------------------------------------------------------------------------------------


async def test_every_answer_that_lets_through_has_every_header(front: Front) -> None:
    """F4, T10: a proxy writes over what a client forged only if there is something to write: alice has no
    address and bob no group, and both headers are there."""
    for username in ("alice", "bob"):
        token = await front.token(WIKI, username)
        forged = {name: "root" for name in HEADERS}
        answer = await front.ask(headers={"authorization": f"Bearer {token}", **forged})
        assert answer.status_code == 200
        for name in HEADERS:
            assert len(answer.headers.get_list(name)) == 1, name
            assert "root" not in answer.headers[name]


@pytest.mark.parametrize(
    "name",
    [
        "X_Gatekit_Identity",
        "X-Gatekit_Identity",
        "X_Auth_Request_User",
        "x-auth_request-GROUPS",
        "X_AUTH-REQUEST_EMAIL",
    ],
)
async def test_other_spellings_of_our_headers_are_refused(front: Front, name: str) -> None:
    """F4, T10: a proxy does not write over X_Auth_Request_User, and a WSGI program cannot tell it apart."""
    token = await front.token(WIKI)
    answer = await front.ask(headers={"authorization": f"Bearer {token}", name: "root"})
    assert answer.status_code == 403


async def test_the_signed_header_is_good_for_one_application_and_opens_nothing(front: Front) -> None:
    """T2, T3: it is no access token, here or at another application."""
    token = await front.token(WIKI)
    answer = await front.ask(headers={"authorization": f"Bearer {token}"})
    signed = answer.headers["x-gatekit-identity"]
    assert not await front.world.alive(signed)
    assert (await front.ask(headers={"authorization": f"Bearer {signed}"})).status_code == 401


# -- tokens -------------------------------------------------------------------------------------------------


async def test_tokens_for_something_else_do_not_pass(front: Front) -> None:
    """T3: a token for an MCP server, for everything behind /mcp, for another application."""
    world = front.world
    client = await world.register()
    for resource in (world.files, f"{world.issuer}/mcp", ROBOT.url):
        token = (await world.tokens(client, resource=resource))["access_token"]
        answer = await front.ask(headers={"authorization": f"Bearer {token}", **PAGE})
        assert answer.status_code == 401, resource
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    wiki = await front.token(WIKI)
    for server in ("files", "clock", ""):
        assert not await world.alive(wiki, server)


async def test_a_program_is_told_where_to_get_a_token(front: Front) -> None:
    """RFC 9728 §5.1: and the document is about the URL that the program used."""
    answer = await front.ask()
    assert answer.status_code == 401
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("Bearer resource_metadata=")
    assert "error=" not in challenge
    where = challenge.partition('"')[2].partition('"')[0]
    async with front.browser() as browser:
        assert (await browser.get(where)).json()["resource"] == "https://wiki.example"


async def test_a_token_for_reading_changes_nothing(front: Front) -> None:
    """T5: scopes count here as they do at MCP servers."""
    token = await front.token(WIKI, scope="mcp:read")
    headers = {"authorization": f"Bearer {token}"}
    assert (await front.ask(headers=headers)).status_code == 200
    refused = await front.ask(headers=headers, method="POST")
    assert refused.status_code == 403
    assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]


async def test_a_token_that_does_not_count_is_not_made_up_for_by_a_cookie(front: Front) -> None:
    """T9: what was presented decides."""
    cookies = await front.enter(front.browser())
    for value in ("Bearer nonsense", "Bearer "):
        assert (await front.ask(cookies=cookies, headers={"authorization": value})).status_code == 401
    twice = [("authorization", "Bearer a"), ("authorization", "Bearer b")]
    assert (await front.ask(cookies=cookies, headers=twice)).status_code == 400
    assert (await front.ask(cookies=cookies, headers={"authorization": "Basic dTpw"})).status_code == 200


# -- people -------------------------------------------------------------------------------------------------


async def test_who_may_not_is_turned_away_and_recorded(front: Front) -> None:
    cookies = await front.enter(front.browser(), WIKI, "bob")
    assert (await front.ask(cookies=cookies)).status_code == 200
    client = await front.world.register()
    page = await front.world.sign_in(
        front.world.browser(), front.world.authorize_url(client, resource=ROBOT.url), "bob"
    )
    assert returned(page)["error"] == "access_denied"  # no token for what one may not use
    browser = front.browser()
    start = await browser.get(f"{ADMIN.origin}/.gatekit/start?target=admin&to=/admin")
    page = await browser.visit(start.headers["location"])
    page = await browser.submit(page, username="bob", password="bob-password")
    assert page.status_code == 403
    assert "bob" in page.text


async def test_rules_that_change_count_at_the_next_request(front: Front) -> None:
    """R6: somebody is taken off the list, is disabled, or the application is removed."""
    world = front.world
    cookies = await front.enter(front.browser(), WIKI, "bob")
    token = await front.token(WIKI, "bob")
    bearer = {"authorization": f"Bearer {token}"}
    assert (await front.ask(cookies=cookies)).status_code == 200
    assert (await front.ask(headers=bearer)).status_code == 200
    await world.store.users.update(msgspec.structs.replace(world.people["bob"], disabled=True))
    world.directory_of_people.forget()
    world.server.bearer.forget()
    for answer in (await front.ask(cookies=cookies), await front.ask(headers=bearer)):
        assert answer.status_code == 401
    assert world.trail.named(DoorRefused, principal="bob", server="wiki")
    front.targets.clear()
    alices = await front.token(WIKI)
    assert (await front.ask(headers={"authorization": f"Bearer {alices}"})).status_code == 403


async def test_without_a_record_nothing_passes(front: Front) -> None:

    cookies = await front.enter(front.browser())
    front.world.trail.failure = AuditUnavailable("full")
    answer = await front.ask(cookies=cookies)
    assert answer.status_code == 503
    assert not [name for name in HEADERS if name in answer.headers]


# -- B7, D8: passes, tickets, and where they lead -----------------------------------------------------------


async def test_signing_out_ends_every_pass(front: Front) -> None:
    """B7: on the server, at once, whatever cookies a browser keeps."""
    browser = front.browser()
    wiki = await front.enter(browser)
    shop = await front.enter(browser, SHOP, to="/shop")
    ask_shop: dict[str, Any] = {"uri": "/shop", "host": "apps.example", "cookies": shop}
    assert (await front.ask(cookies=wiki)).status_code == 200
    assert (await front.ask(**ask_shop)).status_code == 200
    home = await browser.get("/")
    await browser.submit(home)
    assert (await front.ask(cookies=wiki)).status_code == 401
    assert (await front.ask(**ask_shop)).status_code == 401


async def test_our_own_cookie_is_no_pass_and_a_pass_is_not_our_cookie(front: Front) -> None:
    """B7: an application that reads its cookies cannot act for the person here or elsewhere."""
    browser = front.browser()
    cookies = await front.enter(browser)
    assert set(cookies) == {"__Host-gk_pass_wiki", "__Host-gk_way_wiki"}
    own = {cookie.name: cookie.value or "" for cookie in browser.cookies.jar if "gk_session" in cookie.name}
    assert own
    assert (await front.ask(cookies=own)).status_code == 401
    value = cookies["__Host-gk_pass_wiki"]
    moved = {"__Host-gk_pass_shop": value, "__Host-gk_pass_robot": value, "__Host-gk_session": value}
    assert (await front.ask("/shop", host="apps.example", cookies=moved)).status_code == 401
    assert (await front.ask(host="robot.example", cookies=moved)).status_code == 401
    async with front.browser() as other:
        home = await other.get("/", headers={"cookie": f"__Host-gk_session={value}"})
    assert "alice" not in home.text


async def test_a_ticket_is_for_one_browser_and_one_time(front: Front) -> None:
    """B2, B7: a link with somebody else's ticket signs nobody in."""
    browser, other = front.browser(), front.browser()
    start = await browser.get("https://wiki.example/.gatekit/start?target=wiki&to=/")
    page = await browser.visit(start.headers["location"])
    page = await browser.submit(page, username="alice", password="alice-password")
    ticket = page.headers["location"]
    async with front.browser() as fresh:  # has no cookie at all
        assert (await fresh.get(ticket)).status_code == 400
    await other.get("https://wiki.example/.gatekit/start?target=wiki&to=/")
    assert (await other.get(ticket)).status_code == 400
    for changed in (ticket.replace("target=wiki", "target=shop"), ticket[:-4] + "AAAA"):
        assert (await browser.get(changed)).status_code in (400, 404)
    # "first" of several copies that arrive together
    answers = await asyncio.gather(*(browser.get(ticket) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [303, 400, 400, 400, 400]
    front.world.clock.advance(61)
    assert (await browser.get(ticket)).status_code == 400


async def test_several_tabs_are_on_their_way_at_once(front: Front) -> None:
    browser = front.browser()
    await front.enter(browser)
    starts = [
        await browser.get(f"https://wiki.example/.gatekit/start?target=wiki&to=/tab{number}")
        for number in range(3)
    ]
    tickets = [await browser.get(start.headers["location"]) for start in starts]
    for number, ticket in enumerate(tickets):
        done = await browser.get(ticket.headers["location"])
        assert done.headers["location"] == f"https://wiki.example/tab{number}"


async def test_who_is_turned_away_on_the_way_is_on_record(front: Front) -> None:
    browser = front.browser()
    await front.enter(browser, username="bob")
    start = await browser.get("https://apps.example/.gatekit/start?target=admin&to=/admin/secret")
    answer = await browser.get(start.headers["location"])
    assert answer.status_code == 403
    (event,) = front.world.trail.named(ForwardEvent, server="admin")
    assert (event.principal, event.path, event.decision) == ("bob", "/admin/secret", "deny")


async def test_a_ticket_for_no_browser_is_for_nobody(front: Front) -> None:
    """B2, B7: a ticket that was made for a browser without a cookie signs in none of them."""
    mallory = front.browser()
    start = await mallory.get("https://wiki.example/.gatekit/start?target=wiki&to=/")
    page = await mallory.visit(start.headers["location"])
    await mallory.submit(page, username="alice", password="alice-password")
    nothing = encode_segment(sha256(b"").digest())
    sent = await mallory.get(f"/forward/wiki?way={nothing}&to=/")
    assert sent.status_code == 303
    async with front.browser() as victim:
        answer = await victim.get(sent.headers["location"])
    assert answer.status_code == 400
    assert "gk_pass" not in str(answer.headers)


async def test_a_ticket_dies_with_its_minute_and_with_its_session(front: Front) -> None:
    for spoil in ("time", "session"):
        browser = front.browser()
        start = await browser.get("https://wiki.example/.gatekit/start?target=wiki&to=/")
        page = await browser.visit(start.headers["location"])
        page = await browser.submit(page, username="alice", password="alice-password")
        if spoil == "time":
            front.world.clock.advance(61)
        else:
            await front.world.store.browser_sessions.end_all(
                front.world.people["alice"].id, int(front.world.clock.now())
            )
        assert (await browser.get(page.headers["location"])).status_code == 400


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/%5cevil.example",
        "/x\r\nLocation: https://evil.example",
        "javascript:alert(1)",
        "@evil.example",
        ".evil.example",
        "",
    ],
)
async def test_the_way_back_leads_to_the_application_only(front: Front, to: str) -> None:
    """D8: whatever a link says, the browser ends at the operator's own origin."""
    browser = front.browser()
    await browser.submit(await browser.get("/login"), username="alice", password="alice-password")

    path = f"/.gatekit/start?target=wiki&to={to.replace(chr(13), '%0d').replace(chr(10), '%0a')}"
    answer = await browser.get(f"https://wiki.example{path}")
    for _ in range(4):
        if not answer.is_redirect:
            break
        where = urlsplit(answer.headers["location"])
        assert where.netloc in ("wiki.example", "gate.example"), answer.headers["location"]
        assert "\r" not in answer.headers["location"]
        if where.netloc == "wiki.example" and not where.path.startswith("/.gatekit/"):
            return
        answer = await browser.get(answer.headers["location"])
    assert answer.status_code == 404


async def test_the_page_before_is_not_skipped_by_an_empty_form(front: Front) -> None:
    """F5: the step that gives a ticket looks itself whether somebody is signed in, whatever is sent to it."""
    browser = front.browser()
    start = await browser.get("https://wiki.example/.gatekit/start?target=wiki&to=/")
    where = start.headers["location"]
    for attempt in (await browser.post(where), await browser.post(where, data={"username": ""})):
        assert attempt.status_code == 405
    assert 'name="password"' in (await browser.get(where)).text
    done = await browser.get("https://wiki.example/.gatekit/done?target=wiki")
    assert done.status_code == 400
    assert not at(browser, WIKI).get("__Host-gk_pass_wiki")


async def test_an_application_without_sign_in_takes_no_cookies(front: Front) -> None:
    browser = front.browser()
    answer = await front.ask(host="robot.example", headers=PAGE)
    assert answer.status_code == 401
    assert (await browser.get("https://robot.example/.gatekit/start?target=robot&to=/")).status_code == 404


async def test_the_host_guard_stays_shut_for_everything_else(front: Front) -> None:
    """I3, D9: an application's name is good for what proxies and their browsers need, no more."""

    for peer, path, status in (
        (PROXY, "/.gatekit/start?target=wiki&to=/", 303),
        (PROXY, "/login", 403),
        (PROXY, "/forward/wiki", 403),
        (STRANGER, "/.gatekit/start?target=wiki&to=/", 403),
        (STRANGER, "/verify", 403),
    ):
        transport = httpx2.ASGITransport(front.app, client=(peer, 1))
        async with httpx2.AsyncClient(transport=transport, base_url="https://wiki.example") as http:
            assert (await http.get(path)).status_code == status, (peer, path)


async def test_traefik_asks_under_the_name_of_its_own_configuration(front: Front) -> None:
    """Traefik's ForwardAuth as its documentation has it: Host is that of ``address``, the client's headers
    and five of X-Forwarded-* come along; its answer is copied to the client unless it is 2xx."""
    token = await front.token(WIKI)
    headers = {
        "host": "gatekit:8080",
        "x-forwarded-for": "203.0.113.9",
        "x-forwarded-port": "443",
        "x-real-ip": "203.0.113.9",
        "x-forwarded-server": "traefik-1",
        "accept-encoding": "gzip",
    }
    passed = await front.ask(query="?target=wiki", headers={**headers, "authorization": f"Bearer {token}"})
    assert passed.status_code == 200
    (event,) = front.world.trail.named(ForwardEvent)
    assert event.address == "203.0.113.9"
    turned = await front.ask(query="?target=wiki", headers={**headers, **PAGE})
    assert turned.status_code == 302
    assert (await front.ask(query="?target=wiki", headers=headers, peer=STRANGER)).status_code == 403


async def test_a_client_that_is_limited_reaches_only_what_it_is_limited_to(front: Front) -> None:
    """K2, T3: an operator who narrows a client narrows what it holds already."""
    token = await front.token(WIKI)
    bearer = {"authorization": f"Bearer {token}"}
    assert (await front.ask(headers=bearer)).status_code == 200
    (client,) = await front.world.store.clients.list()
    limited = msgspec.structs.replace(client, source="configured", servers=("shop",))
    await front.world.store.clients.configure([limited])
    front.world.server.bearer.forget()
    assert (await front.ask(headers=bearer)).status_code == 401


async def test_what_plain_headers_hold_is_one_line_of_ascii(front: Front) -> None:
    """T10: names that people chose cannot end a header or begin a list."""
    cookies = await front.enter(front.browser(), WIKI, "alice")
    await front.world.store.users.update(
        msgspec.structs.replace(front.world.people["alice"], username="älice,root\r\nX-Evil: 1 %")
    )
    front.world.directory_of_people.forget()
    answer = await front.ask(cookies=cookies)
    assert answer.headers["x-auth-request-preferred-username"] == "%C3%A4lice%2Croot%0D%0AX-Evil: 1 %25"
    assert "x-evil" not in answer.headers


async def test_a_strict_corner_of_an_open_host_is_not_reached_by_another_spelling(front: Front) -> None:
    """F4: all of a host is for everybody and /admin for alice; what the application might take for /admin is
    never judged as the rest."""
    front.targets.append(Target(name="wiki", url="https://apps.example", title="All of it"))
    front.targets = [target for target in front.targets if target.url != WIKI.url]
    front.world.server.set_servers(front.world.settings.servers, targets=front.targets)
    client = await front.world.register()
    found = await front.world.tokens(client, username="bob", resource="https://apps.example")
    headers = {"authorization": f"Bearer {found['access_token']}"}
    for path in ("/", "/anything", "/administrator", "/a%20b?x=/admin"):
        answer = await front.ask(path, host="apps.example", headers=headers)
        assert answer.status_code == 200, path
    spellings = "/admin /admin/ /%61dmin /ADMIN /Admin/x //admin /./admin /x/../admin /admin;x=1 /admin%2fx"
    spellings += " /x%2f..%2fadmin /%2e/admin /admin%00 /\\admin /%5cadmin /%2561dmin"
    spellings += " /admin%20 /admin. /admin%2e/x /admin%20/x /shop/../admin"
    for path in spellings.split():
        answer = await front.ask(path, host="apps.example", headers=headers)
        assert answer.status_code in (401, 403), path

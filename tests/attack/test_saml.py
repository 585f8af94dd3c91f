"""SAML over HTTP: whose browser an answer belongs to, what a provider may begin and end (S6, S9)."""

from __future__ import annotations

import asyncio
import html
import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import msgspec
import pytest
from lxml import etree
from msgspec.structs import replace

from gatekit.identity.ports import UPSTREAM
from gatekit.identity.saml.facts import Upstream
from gatekit.identity.saml.keys import SamlKeys
from gatekit.identity.saml.provider import SamlProvider, SamlSettings
from gatekit.identity.saml.request import check_query, inflated, logout_request, logout_response, redirect_url
from gatekit.identity.saml.source import Written
from gatekit.model.audit import SignIn, SignOut
from gatekit.model.oauth import Transaction
from gatekit.oauth.posted import SEAL
from gatekit.platform.vault import token_hash
from tests.attack.world import ISSUER, Browser, World, form_of, provider_link
from tests.support.saml import (
    IDP,
    NOW,
    NS,
    PERSISTENT,
    Keys,
    Said,
    Signing,
    keys,
    metadata,
    moment,
    sound,
    text_of,
)


@dataclass
class Corp:
    """One SAML connection of a world, and its provider."""

    world: World
    name: str = "corp"
    key: str = "idp"
    idp_initiated: bool = False
    single_logout: bool = False

    def __post_init__(self) -> None:
        self.pair = keys(self.key)
        self.base = f"{ISSUER}/saml/{self.name}"
        settings = SamlSettings(
            name=self.name,
            title="Corp",
            entity_id=f"{self.base}/metadata",
            acs=f"{self.base}/acs",
            slo=f"{self.base}/slo",
            idp_initiated=self.idp_initiated,
            single_logout=self.single_logout,
        )
        world = self.world
        self.keys = SamlKeys(world.store.signing_keys, world.vault, world.clock, "gate.example", bits=2048)
        self.provider = SamlProvider(
            settings,
            Written(self.name, metadata([self.pair]).decode(), world.clock),
            self.keys,
            world.store.replays,
            world.clock,
            world.entropy,
        )
        world.providers[self.name] = self.provider

    async def start(self, browser: Browser) -> tuple[str, str]:
        """(request id, RelayState) of a sign-in that this browser began."""
        page = await browser.visit("/login")
        answer = await browser.get(provider_link(page.text, self.name))
        assert answer.status_code == 302, answer.text[:300]
        query = parse_qs(urlsplit(answer.headers["location"]).query)
        request = etree.fromstring(inflated(query["SAMLRequest"][0]))
        assert request.findtext("saml:Issuer", namespaces=NS) == f"{self.base}/metadata"
        return request.get("ID"), query["RelayState"][0]

    def answer(self, request: str | None, signed: str = "assertion", **changes: Any) -> str:
        said = {
            "in_response_to": request,
            "confirmation_in_response_to": request,
            "audience": f"{self.base}/metadata",
            "destination": f"{self.base}/acs",
            "recipient": f"{self.base}/acs",
            "attributes": {"uid": ["dora"], "mail": ["dora@example.com"]},
            "assertion_id": self.world.entropy.token("_"),
        }
        document = sound(Said(**{**said, **changes}), signed, Signing(pair=self.pair))
        return b64encode(text_of(document)).decode()

    async def post(self, answer: str, state: str | None, browser: Browser | None = None) -> httpx2.Response:
        """As the provider's page makes a browser do it: no cookies of ours come along (SameSite=Lax)."""
        fields = {"SAMLResponse": answer, **({} if state is None else {"RelayState": state})}
        async with self.world.browser() as bare:
            received = await bare.post(
                f"/saml/{self.name}/acs", data=fields, headers={"Origin": "https://idp.example.com"}
            )
            if browser is not None:
                for cookie in bare.cookies.jar:
                    browser.cookies.jar.set_cookie(cookie)
            return received

    async def sign_in(self, browser: Browser, **changes: Any) -> httpx2.Response:
        request, state = await self.start(browser)
        received = await self.post(self.answer(request, **changes), state)
        assert received.status_code == 303, received.text[:300]
        return await browser.visit(received.headers["location"])

    def logout(self, name: str, session: str = "_session", **changes: Any) -> str:
        said = {
            "ident": self.world.entropy.token("_"),
            "now": self.world.clock.now(),
            "issuer": IDP,
            "destination": f"{self.base}/slo",
        }
        pair: Keys = changes.pop("pair", self.pair)
        message = logout_request(**{**said, **changes}, name_id=name, name_format=PERSISTENT, session=session)
        url = redirect_url(f"{self.base}/slo", "SAMLRequest", message, "r 1", pair.private)
        return url.removeprefix(ISSUER)


@pytest.fixture
def corp(world: World) -> Corp:
    world.clock.at = NOW
    return Corp(world)


def refusals(world: World) -> list[str]:
    return [event.reason for event in world.trail.named(SignIn, outcome="refused")]


async def who(browser: Browser) -> str:
    page = await browser.visit("/")
    return "dora" if "dora" in page.text else ""


async def test_of_answers_at_one_moment_the_first_counts(world: World) -> None:
    """S6: whoever posts along with the browser changes nothing, however close they are."""
    state = "gk_os_of_one_browser"
    run = Corp(world)
    leg = Transaction(
        id_hash=token_hash(state),
        browser_hash="b",
        client_id="",
        redirect_uri="",
        state=None,
        code_challenge="",
        scopes=(),
        resources=(),
        provider=run.name,
        provider_state=world.vault.seal(json.dumps({"secret": "{}", "run": "r"}), SEAL),
        created_at=int(world.clock.now()),
        expires_at=int(world.clock.now()) + 600,
    )
    await world.store.transactions.add(leg)
    stored = world.store.transactions.lay
    laid: list[bool] = []

    async def lay(id_hash: str, before: str, after: str) -> bool:
        laid.append(await stored(id_hash, before, after))
        return laid[-1]

    world.store.transactions.lay = lay  # type: ignore[method-assign]

    async def post(number: int) -> int:
        fields = {"SAMLResponse": f"answer-{number}", "RelayState": state}
        return (await world.browser().post("/saml/corp/acs", data=fields)).status_code

    assert set(await asyncio.gather(*map(post, range(20)))) == {303}
    assert laid.count(True) == 1
    kept = await world.store.transactions.get(leg.id_hash, int(world.clock.now()))
    assert kept is not None
    first = json.loads(world.vault.open(kept.provider_state, SEAL))["answer"]
    assert await post(99) == 303
    again = await world.store.transactions.get(leg.id_hash, int(world.clock.now()))
    assert again is not None
    assert json.loads(world.vault.open(again.provider_state, SEAL))["answer"] == first


async def test_a_person_signs_in(corp: Corp, world: World) -> None:
    browser = world.browser()
    await corp.sign_in(browser)
    assert await who(browser) == "dora"
    user = await world.store.users.by_username("dora")
    assert user is not None
    assert (user.connection, user.issuer, user.subject) == ("corp", IDP, "7c0ffee1")
    assert user.email == "dora@example.com"
    assert not user.email_verified
    [event] = world.trail.named(SignIn, outcome="ok")
    assert event.connection == "corp"


@pytest.mark.parametrize("signed", ["response", "both"])
async def test_all_ways_of_signing(corp: Corp, world: World, signed: str) -> None:
    browser = world.browser()
    await corp.sign_in(browser, signed=signed)
    assert await who(browser) == "dora"


async def test_B2_S6_an_answer_in_another_browser(corp: Corp, world: World) -> None:
    """B2, S6: The attacker's own answer, carried by the victim's browser: nobody is signed in there."""
    attacker, victim = world.browser(), world.browser()
    request, state = await corp.start(attacker)
    await corp.start(victim)
    received = await corp.post(corp.answer(request), state)
    page = await victim.visit(received.headers["location"])
    assert page.status_code == 403
    assert await who(victim) == ""


async def test_S6_an_answer_to_another_browsers_request(corp: Corp, world: World) -> None:
    """S6: A stolen answer under one's own RelayState: its InResponseTo names another request."""
    attacker, victim = world.browser(), world.browser()
    stolen, _ = await corp.start(victim)
    _, state = await corp.start(attacker)
    received = await corp.post(corp.answer(stolen), state)
    page = await attacker.visit(received.headers["location"])
    assert page.status_code == 502
    assert await who(attacker) == ""
    assert refusals(world)[-1].startswith("saml request:")


async def test_S6_the_same_answer_twice(corp: Corp, world: World) -> None:
    """S6: State and assertion count once."""
    browser = world.browser()
    request, state = await corp.start(browser)
    answer = corp.answer(request)
    first = await corp.post(answer, state)
    await browser.visit(first.headers["location"])
    again = await corp.post(answer, state)
    assert again.status_code == 400
    assert (await world.browser().visit(first.headers["location"])).status_code == 400


async def test_S6_an_assertion_counts_once_for_all_legs(world: World) -> None:
    """S6: A provider's own answer, posted again: its assertion was used."""
    world.clock.at = NOW
    corp = Corp(world, idp_initiated=True)
    answer = corp.answer(None)
    for expected in ("dora", ""):
        browser = world.browser()
        received = await corp.post(answer, None, browser)
        await browser.visit(received.headers["location"])
        assert await who(browser) == expected
    assert refusals(world) == ["saml replay: this message was used before"]


async def test_S6_the_first_answer_is_judged(corp: Corp, world: World) -> None:
    """S6: Whoever learns a RelayState cannot exchange the answer that was posted."""
    browser = world.browser()
    request, state = await corp.start(browser)
    first = await corp.post(corp.answer(request), state)
    await corp.post(corp.answer(request, name_id="other", attributes={"uid": ["mallory"]}), state)
    await browser.visit(first.headers["location"])
    assert await who(browser) == "dora"


async def test_S6_an_answer_in_the_address_is_not_looked_at(corp: Corp, world: World) -> None:
    """S6: Answers come by POST; what the address of the callback says besides its state is nothing."""
    browser = world.browser()
    request, state = await corp.start(browser)
    query = urlencode({"state": state, "SAMLResponse": corp.answer(request)})
    page = await browser.visit(f"/callback/corp?{query}")
    assert page.status_code == 502
    assert await who(browser) == ""


@pytest.mark.parametrize("state", [None, "", "gk_ss_unknown", "https://evil.example/", "/account"])
async def test_S9_unsolicited_answers_are_refused(corp: Corp, world: World, state: str | None) -> None:
    """S6, S9: Nobody asked: nothing is kept, nothing is followed, and it is on record."""
    received = await corp.post(corp.answer(None), state)
    assert received.status_code == 400
    assert not received.cookies
    assert refusals(world)[-1].startswith("saml unsolicited")
    assert "evil.example" not in received.text


@pytest.mark.parametrize("state", [None, "https://evil.example/", "//evil.example", "/account"])
async def test_S9_D8_where_a_sign_in_from_the_provider_leads(world: World, state: str | None) -> None:
    """S9, D8: Where the operator lets the provider begin, RelayState is still never a place to go."""
    world.clock.at = NOW
    corp = Corp(world, idp_initiated=True)
    browser = world.browser()
    received = await corp.post(corp.answer(None), state, browser)
    assert received.headers["location"].startswith("/callback/corp?state=gk_ss_")
    done = await browser.get(received.headers["location"])
    assert done.headers["location"] == "/"
    assert await who(browser) == "dora"


async def test_S9_a_disabled_connection_begins_nothing(world: World) -> None:
    """S9: CVE-2026-2603: a provider that was switched off may not begin either, nor finish what was begun."""
    world.clock.at = NOW
    corp = Corp(world, idp_initiated=True)
    browser = world.browser()
    request, state = await corp.start(browser)
    held = await corp.post(corp.answer(request), state)
    del world.providers["corp"]
    assert (await browser.get(held.headers["location"])).status_code == 404
    assert (await corp.post(corp.answer(None), None)).status_code == 404
    assert (await browser.get(corp.logout("7c0ffee1"))).status_code == 404
    assert (await browser.get("/saml/corp/metadata")).status_code == 404


async def test_D6_an_answer_at_another_connections_door(corp: Corp, world: World) -> None:
    """D6: The state of one connection is worth nothing at another's."""
    other = Corp(world, "other", "next")
    browser = world.browser()
    request, state = await corp.start(browser)
    received = await other.post(corp.answer(request), state)
    assert received.status_code == 400
    assert (await world.browser().post("/saml/github/acs", data={"SAMLResponse": "x"})).status_code == 404


async def test_D6_one_provider_does_not_speak_for_another(corp: Corp, world: World) -> None:
    """D6, S3: A genuine answer of one provider, for a leg that leads to another."""
    other = Corp(world, "other", "next")
    browser = world.browser()
    request, state = await other.start(browser)
    forged = corp.answer(
        request,
        audience=f"{other.base}/metadata",
        destination=f"{other.base}/acs",
        recipient=f"{other.base}/acs",
    )
    received = await other.post(forged, state)
    await browser.visit(received.headers["location"])
    assert await who(browser) == ""
    assert refusals(world)[-1].startswith("saml key:")


@pytest.mark.parametrize(
    ("content", "media", "status"),
    [
        (b"RelayState=x", "application/x-www-form-urlencoded", 400),
        (b"SAMLResponse=x&SAMLResponse=y", "application/x-www-form-urlencoded", 400),
        (b"SAMLResponse=" + b"A" * 600_000, "application/x-www-form-urlencoded", 413),
        (b"SAMLResponse=x", "text/plain", 400),
        (b"", "application/x-www-form-urlencoded", 400),
    ],
)
async def test_D7_forms_that_are_none(
    corp: Corp, world: World, content: bytes, media: str, status: int
) -> None:
    """D7: Repeated fields, other media types, oversized bodies."""
    answer = await world.browser().post("/saml/corp/acs", content=content, headers={"content-type": media})
    assert answer.status_code == status


async def test_B5_what_a_provider_says_is_text(corp: Corp, world: World) -> None:
    """B5: Markup in attributes is escaped on our pages."""
    browser = world.browser()
    await corp.sign_in(browser, attributes={"uid": ["&lt;img src=x&gt;dora"], "displayName": ["&lt;b&gt;"]})
    assert "<img" not in (await browser.visit("/")).text


async def test_a_forged_answer_is_on_record_and_the_others_still_work(corp: Corp, world: World) -> None:
    """S3: One sentence for the person, the reason in the audit, and the form is still there."""
    browser = world.browser()
    request, state = await corp.start(browser)
    forged = b64decode(corp.answer(request)).replace(b"dora", b"root")
    received = await corp.post(b64encode(forged).decode(), state)
    page = await browser.visit(received.headers["location"])
    assert page.status_code == 502
    assert "could not be accepted" in html.unescape(page.text)
    assert "digest" not in page.text
    assert refusals(world) == ["saml digest: Assertion is not what was signed"]
    assert "/go/github" in page.text


# -- metadata and logout -----------------------------------------------------------------------------------


async def test_our_metadata(corp: Corp, world: World) -> None:
    answer = await world.browser().get("/saml/corp/metadata")
    assert answer.headers["content-type"] == "application/samlmetadata+xml"
    root = etree.fromstring(answer.content)
    assert root.get("entityID") == f"{ISSUER}/saml/corp/metadata"
    assert b"PRIVATE" not in answer.content
    uses = [found.get("use") for found in root.iter("{*}KeyDescriptor")]
    assert uses == ["signing", "encryption"]


async def test_requests_are_signed_with_the_key_of_our_metadata(corp: Corp, world: World) -> None:
    browser = world.browser()
    page = await browser.visit("/login")
    answer = await browser.get(provider_link(page.text, "corp"))
    assert "&Signature=" in answer.headers["location"]


async def test_S9_the_provider_ends_a_session(corp: Corp, world: World) -> None:
    """S9: A signed logout request ends the sign-in that it names, in whichever browser it comes."""
    browser, other = world.browser(), world.browser()
    await corp.sign_in(browser)
    await corp.sign_in(other, name_id="8d", session_index="_other", attributes={"uid": ["dora2"]})
    answer = await world.browser().get(corp.logout("7c0ffee1"))
    assert answer.status_code == 302
    location = urlsplit(answer.headers["location"])
    assert location.path == "/slo"
    receipt = etree.fromstring(inflated(parse_qs(location.query)["SAMLResponse"][0]))
    assert receipt.find(".//samlp:StatusCode", NS).get("Value").endswith(":Success")
    assert parse_qs(location.query)["RelayState"] == ["r 1"]
    assert await who(browser) == ""
    assert await who(other) == "dora"
    [event] = world.trail.named(SignOut)
    assert event.reason == "asked for by the identity provider corp"


async def test_S9_a_request_without_an_index_ends_all_of_a_person(corp: Corp, world: World) -> None:
    """S9: Only those that came in over this connection."""
    browser = world.browser()
    await corp.sign_in(browser)
    await world.browser().get(corp.logout("7c0ffee1", ""))
    assert await who(browser) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"pair": keys("attacker")},
        {"issuer": "https://other.example"},
        {"destination": f"{ISSUER}/saml/other/slo"},
        {"now": NOW - 1000},
    ],
    ids=["foreign key", "issuer", "destination", "old"],
)
async def test_S9_logout_that_does_not_count(corp: Corp, world: World, change: dict[str, Any]) -> None:
    """S9: Not signed by the provider, for somebody else, or of another time: nobody is signed out."""
    browser = world.browser()
    await corp.sign_in(browser)
    answer = await world.browser().get(corp.logout("7c0ffee1", **change))
    assert answer.status_code == 400
    assert await who(browser) == "dora"


async def test_S9_logout_unsigned_or_twice(corp: Corp, world: World) -> None:
    """S9: Unsigned requests are refused, and a signed one works once."""
    browser = world.browser()
    await corp.sign_in(browser)
    url = corp.logout("7c0ffee1", "_session")
    assert (await world.browser().get(url.partition("&SigAlg")[0])).status_code == 400
    assert await who(browser) == "dora"
    assert (await world.browser().get(url)).status_code == 302
    await corp.sign_in(browser)
    assert (await world.browser().get(url)).status_code == 400
    assert await who(browser) == "dora"


async def test_S9_the_index_alone_ends_nobody_elses_session(corp: Corp, world: World) -> None:
    """S9: Indices may be small numbers (SAML Core §2.7.2): two people have the same one."""
    browser = world.browser()
    await corp.sign_in(browser)
    answer = await world.browser().get(corp.logout("8d"))
    assert answer.status_code == 302
    assert await who(browser) == "dora"


@pytest.mark.parametrize("wanted", [True, False])
async def test_S9_signing_out_here_may_end_it_there(world: World, wanted: bool) -> None:
    """S9: A signed request for exactly this person, if the operator wants it; a receipt ends nothing."""
    world.clock.at = NOW
    corp = Corp(world, single_logout=wanted)
    browser, other = world.browser(), world.browser()
    await corp.sign_in(browser)
    await corp.sign_in(other)
    user = await world.store.users.by_username("dora")
    assert user is not None
    [identity] = await world.store.identities.of_user(user.id)
    upstream = msgspec.json.encode(Upstream("7c0ffee1", PERSISTENT)).decode()
    sealed = world.vault.seal(upstream, UPSTREAM)
    await world.store.identities.update(replace(identity, upstream_sealed=sealed))
    _, hidden = form_of((await browser.visit("/")).text, "/logout")
    answer = await browser.post("/logout", data=hidden)
    assert await who(browser) == ""
    location = answer.headers["location"]
    assert location.startswith("https://idp.example.com/slo?SAMLRequest=") == wanted
    if wanted:
        [pair] = await corp.keys.pairs("saml-signing")
        fields = check_query(urlsplit(location).query, "SAMLRequest", [pair.private.public_key()])
        asked = etree.fromstring(inflated(fields["SAMLRequest"]))
        assert asked.findtext("saml:NameID", namespaces=NS) == "7c0ffee1"
        receipt = logout_response(
            ident="_r", now=NOW, issuer=IDP, destination=f"{corp.base}/slo", in_response_to=asked.get("ID"),
            status="urn:oasis:names:tc:SAML:2.0:status:Success",
        )  # fmt: skip
        url = redirect_url(f"{corp.base}/slo", "SAMLResponse", receipt, "", corp.pair.private)
        assert "signed out" in (await other.get(url)).text
        assert (await other.get(url.partition("&SigAlg")[0])).status_code == 400
    assert await who(other) == "dora"


async def test_R6_a_disabled_person_stays_out(corp: Corp, world: World) -> None:
    """R6: However good the answer is."""
    browser = world.browser()
    await corp.sign_in(browser)
    user = await world.store.users.by_username("dora")
    assert user is not None
    await world.store.users.update(replace(user, disabled=True))
    other = world.browser()
    await corp.sign_in(other)
    assert await who(other) == ""


async def test_nothing_of_a_run_is_readable(corp: Corp, world: World) -> None:
    """S6: What is laid aside is sealed."""
    browser = world.browser()
    request, state = await corp.start(browser)
    await corp.post(corp.answer(request), state)
    leg = await world.store.transactions.get(token_hash(state), int(world.clock.now()))
    assert leg is not None
    assert "SAMLResponse" not in leg.provider_state
    assert moment(0)


async def test_B3_B5_requests_by_form(world: World) -> None:
    """B3, B5: A provider that takes requests by form alone: one button, no script, all escaped."""
    world.clock.at = NOW
    corp = Corp(world)
    by_form = metadata([corp.pair], base='https://idp.example.com/"&gt;&lt;x'.replace('"', "'")).replace(
        b"HTTP-Redirect", b"HTTP-POST"
    )
    corp.provider._source = Written("corp", by_form.decode(), world.clock)
    browser = world.browser()
    page = await browser.visit("/login")
    shown = await browser.get(provider_link(page.text, "corp"))
    assert shown.status_code == 200
    assert "<x" not in shown.text
    assert "<script" not in shown.text
    assert "frame-ancestors 'none'" in shown.headers["content-security-policy"]
    action, hidden = form_of(shown.text)
    assert action.startswith("https://idp.example.com/")
    assert etree.fromstring(b64decode(hidden["SAMLRequest"])).find("ds:Signature", NS) is not None
    request = etree.fromstring(b64decode(hidden["SAMLRequest"])).get("ID")
    received = await corp.post(corp.answer(request), hidden["RelayState"])
    await browser.visit(received.headers["location"])
    assert await who(browser) == "dora"

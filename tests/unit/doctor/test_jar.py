"""The doctor's browser: cookies by a browser's rules, forms as they stand."""

from __future__ import annotations

import pytest

from gatekit.doctor.jar import Jar, forms_of
from gatekit.doctor.line import Line
from gatekit.errors import ClientWouldFail
from gatekit.platform.clock import SystemClock
from gatekit.platform.outbound import Answer, Outbound

PAGE = b"""<!doctype html><form method=post action="/login?x=1&amp;y=2">
<input type=hidden name=t value="a&amp;b">
<input name=username><input type=password name=pass><input type=checkbox name=on checked value=1>
<input type=checkbox name=off value=1><button name=decision value=approve>Go</button>
<button type=button name=no value=x>No</button></form><input name=outside value=1>"""


class Scripted(Line):
    """Answers from a list, and remembers what was asked."""

    def __init__(self, *answers: Answer) -> None:
        super().__init__(Outbound(SystemClock()), SystemClock())
        self.answers = list(answers)
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    async def send(self, method: str, url: str, headers=None, **content):  # type: ignore[no-untyped-def]
        self.asked.append((method, url, {**(headers or {}), **(content.get("form") or {})}))
        return self.answers.pop(0)


def page(**headers: str) -> Answer:
    return Answer(200, {name.replace("_", "-"): value for name, value in headers.items()}, PAGE)


def redirect(to: str) -> Answer:
    return Answer(303, {"location": to}, b"")


async def test_cookies_come_back_and_redirects_stop_at_the_client() -> None:
    cookies = "a=1; Path=/; Expires=Wed, 01 Jan 2031 00:00:00 GMT, __Host-b=2; Path=/; Secure"
    line = Scripted(page(set_cookie=cookies), redirect("/on"), redirect("http://127.0.0.1:5/cb?code=x"))
    jar = Jar(line)
    where, answer = await jar.follow("https://gate.example/authorize")
    (form,) = forms_of(answer)
    arrived, _ = await jar.submit(where, form, {"username": "me"}, "approve", "http://127.0.0.1:5/cb")
    assert arrived == "http://127.0.0.1:5/cb?code=x"
    method, url, sent = line.asked[1]
    assert (method, url) == ("POST", "https://gate.example/login?x=1&y=2")
    assert sent["cookie"] == "a=1; __Host-b=2"
    assert {name: sent.get(name) for name in ("t", "username", "on", "off", "decision", "no")} == {
        "t": "a&b",
        "username": "me",
        "on": "1",
        "off": None,
        "decision": "approve",
        "no": None,
    }
    assert (form.text, form.password) == ("username", "pass")


@pytest.mark.parametrize(
    ("url", "cookie", "says"),
    [
        ("http://gate.example/", "__Host-s=1; Path=/; Secure", "plain http"),
        ("https://gate.example/", "__Host-s=1; Path=/login; Secure", "Path=/"),
        ("https://gate.example/", "__Host-s=1; Path=/; Secure; Domain=gate.example", "no Domain"),
        ("https://gate.example/", "s=1; Domain=internal.example", "internal.example"),
    ],
)
async def test_cookies_that_a_browser_drops(url: str, cookie: str, says: str) -> None:
    jar = Jar(Scripted(page(set_cookie=cookie)))
    await jar.follow(url)
    assert says in jar.trouble["reason"]


async def test_a_page_that_leads_in_a_circle_or_astray() -> None:
    jar = Jar(Scripted(*[redirect("/again")] * 20))
    with pytest.raises(ClientWouldFail, match="redirected"):
        await jar.follow("https://gate.example/")
    evil = Answer(200, {}, b'<form action="https://evil.example/"><input type=password name=p></form>')
    jar = Jar(line := Scripted(evil))
    where, answer = await jar.follow("https://gate.example/")
    with pytest.raises(ClientWouldFail):
        await jar.submit(where, forms_of(answer)[0], {"p": "secret"}, "", "")
    assert len(line.asked) == 1, "the password left for another origin"


async def test_cookies_stay_with_the_origin_that_set_them() -> None:
    line = Scripted(page(set_cookie="session=1"), page(set_cookie="other=2"), page())
    jar = Jar(line)
    for origin in ("https://gate.example", "https://as.example", "https://gate.example"):
        await jar.follow(f"{origin}/authorize")
    assert [sent["cookie"] for _, _, sent in line.asked] == ["", "", "session=1"]

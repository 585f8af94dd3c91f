"""Redirect URIs: what may be registered and what a request means (checklist D1–D3)."""

from __future__ import annotations

import pytest

from gatekit.errors import InvalidRedirectUri
from gatekit.oauth.redirects import (
    Unusable,
    Usable,
    acceptable,
    answer,
    display_host,
    is_loopback,
    judge,
    match,
)

SCHEMES = ("cursor", "vscode")


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example.com/callback",
        "https://app.example.com",
        "https://app.example.com:8443/cb?x=1",
        "https://xn--bcher-kva.example/cb",
        "http://localhost:3000/callback",
        "http://localhost/callback",
        "http://127.0.0.1/",
        "http://127.0.0.1:33418/",
        "http://127.9.8.7:1/x",
        "http://[::1]:5000/cb",
        "cursor://anysphere.cursor-mcp/oauth/callback",
    ],
)
def test_honest_uris_are_usable(uri: str) -> None:
    assert judge(uri, SCHEMES) == Usable()


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "blob:https://x/1",
        "about:blank",
        "view-source:https://x",
        "ws://localhost/x",
        "ftp://localhost/x",
        "http://example.com/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://localhost.evil.example/cb",
        "http://localhost@evil.example/cb",
        "http://evil@localhost/cb",
        "http://2130706433/cb",
        "http://0x7f.1/cb",
        "http://127.1/cb",
        "http://127.0.0.256/cb",
        "http://localhost:0/cb",
        "http://localhost:99999/cb",
        "http://localhost:80:80/cb",
        "HTTP://localhost/cb",
        "HTTPS://app.example.com/cb",
        "https://user@app.example.com/cb",
        "https://a@@b.example/cb",
        "https://*.example.com/cb",
        "https://app.example.com/cb#fragment",
        "https://app.example.com/cb#",
        "https://bücher.example/cb",
        "https://app.example.com\\@evil.example/cb",
        "https://app.example.com/c b",
        " https://app.example.com/cb",
        "https://app.example.com/cb\n",
        "https://app.example.com/\tcb",
        "https://app.example.com/\x00cb",
        "https://app.example.com/%zz",
        "https:///cb",
        "https:app.example.com/cb",
        "//app.example.com/cb",
        "/cb",
        "",
        "https://app.example.com/" + "x" * 2048,
    ],
)
def test_hostile_uris_are_refused_whole(uri: str) -> None:
    judgement = judge(uri, (*SCHEMES, "javascript", "data", "file"))
    assert isinstance(judgement, Unusable)
    assert judgement.hostile
    with pytest.raises(InvalidRedirectUri) as caught:
        acceptable(["https://app.example.com/ok", uri], SCHEMES)
    assert "redirect_uri" in caught.value.description


def test_an_unlisted_private_scheme_is_left_out_but_not_alone() -> None:
    assert acceptable(["zig://cb", "http://localhost/cb"], SCHEMES) == ("http://localhost/cb",)
    with pytest.raises(InvalidRedirectUri):
        acceptable(["zig://cb"], SCHEMES)


def test_scheme_allow_list_is_case_sensitive() -> None:
    assert isinstance(judge("Cursor://x/y", SCHEMES), Unusable)


@pytest.mark.parametrize(
    ("registered", "presented", "same"),
    [
        ("http://localhost/callback", "http://localhost:49152/callback", True),
        ("http://localhost:1/callback", "http://localhost:2/callback", True),
        ("http://localhost:1/callback", "http://localhost/callback", True),
        ("http://127.0.0.1/", "http://127.0.0.1:33418/", True),
        ("http://[::1]/cb", "http://[::1]:8/cb", True),
        ("http://127.0.0.1/cb?a=b", "http://127.0.0.1:8/cb?a=b", True),
        ("http://127.0.0.1/", "http://127.0.0.1:33418", False),
        ("http://localhost/callback", "http://127.0.0.1/callback", False),
        ("http://127.0.0.1/callback", "http://[::1]/callback", False),
        ("http://127.0.0.1/callback", "http://127.0.0.2/callback", False),
        ("http://localhost/callback", "http://localhost:1/callback/", False),
        ("http://localhost/callback", "http://localhost:1/Callback", False),
        ("http://localhost/callback", "http://localhost:1/callback?x", False),
        ("http://localhost/callback", "http://LOCALHOST:1/callback", False),
        ("http://localhost/callback", "https://localhost:1/callback", False),
        ("http://localhost/callback", "http://localhost:70000/callback", False),
        ("http://localhost/callback", "http://localhost:1/callback#x", False),
        ("https://a.example/cb", "https://a.example:444/cb", False),
        ("https://a.example/cb", "https://a.example/cb/", False),
        ("https://a.example/cb", "https://a.example/cb?x=1", False),
        ("https://a.example/cb", "https://a.example/x/../cb", False),
        ("https://a.example/cb", "https://a.example/%63b", False),
        ("https://a.example/cb", "https://A.example/cb", False),
        ("https://a.example/cb", "https://a.example/cb", True),
    ],
)
def test_comparison(registered: str, presented: str, same: bool) -> None:
    assert match((registered,), presented) == (registered if same else None)


def test_an_exact_match_wins_over_another_port() -> None:
    both = ("http://localhost:1/cb", "http://localhost:2/cb")
    assert match(both, "http://localhost:2/cb") == "http://localhost:2/cb"
    assert match(both, "http://localhost:3/cb") == "http://localhost:1/cb"


def test_answers_keep_the_query_and_encode_everything() -> None:
    assert answer("https://a.example/cb", [("code", "a b&c")]) == "https://a.example/cb?code=a%20b%26c"
    assert (
        answer("https://a.example/cb?x=1", [("state", "%41+")]) == "https://a.example/cb?x=1&state=%2541%2B"
    )
    assert answer("https://a.example/cb?", [("a", "b")]) == "https://a.example/cb?a=b"


def test_what_the_page_shows() -> None:
    assert display_host("https://a.example:8443/cb") == "a.example:8443"
    assert display_host("cursor://x/y").startswith("cursor:")
    assert is_loopback("http://127.0.0.1:1/")
    assert not is_loopback("https://localhost/")

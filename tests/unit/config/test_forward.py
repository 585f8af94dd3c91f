"""``proxy.forward_auth``: what is resolved, and what is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekit.config.checks import warnings
from gatekit.config.show import describe
from gatekit.model.rules import ByGroup
from gatekit.model.target import Target
from tests.unit.config.write import faults, loaded

FILE = """
proxy:
  public_url: https://gate.example.com
  trusted_proxies: [127.0.0.1]
  forward_auth:
    wiki:
      url: {url}
      allowed_groups: [developers]
"""


def test_everything_that_may_be_written(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        FILE.format(url="HTTPS://Wiki.Example.com:443/Docs/")
        + """
    board: {url: "http://localhost:3000", title: Board, sign_in: false, allowed_users: [alice]}
""",
    )
    assert config.forward_auth == (
        Target(name="wiki", url="https://wiki.example.com/Docs", title="wiki"),
        Target(name="board", url="http://localhost:3000", title="Board", sign_in=False),
    )
    (rules, _) = config.rules.servers
    assert (rules.server, rules.allowed, rules.place) == (
        "wiki",
        (ByGroup("developers"),),
        "proxy.forward_auth",
    )
    shown = describe(config)["proxy"]["forward_auth"]
    assert shown["wiki"]["allowed_users"] == ["group:developers"]
    assert shown["board"]["sign_in"] is False


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://wiki.example.com", "must be https"),
        ("https://gate.example.com/wiki", "another host name than public_url"),
        ("https://gate.example.com:8443", "another host name than public_url"),
        ("https://wiki.example.com/a/../b", "no dot segments"),
        ("https://wiki.example.com/a%2fb", "the path may hold"),
        ("https://wiki.example.com/.gatekit/x", "are ours"),
        ("https://wiki.example.com?x=1", "without a path"),
        ("https://u:p@wiki.example.com", "user name"),
        ("wiki.example.com", "expected a URL"),
    ],
)
def test_urls_that_would_be_read_in_two_ways_or_are_not_safe(tmp_path: Path, url: str, text: str) -> None:
    found = faults(tmp_path, FILE.format(url=url))
    assert any(text in fault for fault in found), found


def test_nobody_is_believed_without_trusted_proxies(tmp_path: Path) -> None:
    text = FILE.format(url="https://wiki.example.com").replace("  trusted_proxies: [127.0.0.1]\n", "")
    assert any(
        "proxy.trusted_proxies: is required with forward_auth" in fault for fault in faults(tmp_path, text)
    )


def test_not_while_people_sign_in_elsewhere(tmp_path: Path) -> None:
    text = FILE.format(url="https://wiki.example.com")
    text += "  auth: {external: {issuer: https://idp.example.com}}\n"
    assert any("forward_auth: cannot be used while people" in fault for fault in faults(tmp_path, text))


def test_names_are_unique_among_servers_and_urls_among_applications(tmp_path: Path) -> None:
    text = FILE.format(url="https://wiki.example.com")
    twice = text + '    second: {url: "https://wiki.example.com"}\n'
    assert any("is the one of 'wiki' already" in fault for fault in faults(tmp_path, twice))
    same = text + "servers:\n  wiki: {command: prog, allowed_users: [alice]}\n"
    assert any("there is a server 'wiki' already" in fault for fault in faults(tmp_path, same))


def test_an_application_for_nobody_is_worth_a_word(tmp_path: Path) -> None:
    text = FILE.format(url="https://wiki.example.com").replace("allowed_groups: [developers]", "title: W")
    config = loaded(tmp_path, text)
    assert any("proxy.forward_auth.wiki: has no list" in line for line in warnings(config, {}))

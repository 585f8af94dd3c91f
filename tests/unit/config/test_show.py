"""The resolved configuration, without secrets."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gatekit.config.show import describe, masked, selector
from gatekit.model.rules import Anyone, ByEmail, ByGroup, ByLogin, ByProviderGroup, Selector
from tests.unit.config.write import loaded

TEXT = """
    proxy:
      auth:
        providers: {local: , github: {client_id: Iv1.abc, client_secret: plain-hunter2}}
        allowed_users: ["*"]
    groups: {dev: [alice, "github:octocat"]}
    servers:
      x:
        command: prog --api-key hunter2 --token=hunter2 --password -v postgres://u:hunter2@h/db ${env:S}
        args: ["${env:S}"]
        env: {API_KEY: hunter2, LEVEL: info, DATABASE_URL: "postgres://u:hunter2@h/db", X: "${env:S}",
              Y: "${file:tok}", ENDPOINT: "https://u:hunter2@h/x"}
        users: [dev]
        tools: {"d*": [], "e*": ["team:acme/ops"]}
      y: {command: prog}
      z: {command: prog, users: [], title: Zed}
"""


def test_no_secret_is_shown_however_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "tok").write_text("hunter2")
    shown = describe(loaded(tmp_path, TEXT, {"S": "hunter2"}))
    assert "hunter2" not in msgspec.json.encode(shown).decode()
    assert shown["servers"]["x"]["env"] == {
        "API_KEY": "***",
        "LEVEL": "info",
        "DATABASE_URL": "***",
        "X": "***",
        "Y": "***",
        "ENDPOINT": "https://u:***@h/x",
    }
    assert shown["servers"]["x"]["command"] == [
        "prog", "--api-key", "***", "--token=***", "--password", "-v", "postgres://u:***@h/db", "***", "***",
    ]  # fmt: skip
    assert shown["proxy"]["auth"]["providers"]["github"]["client_secret"] == "***"


ASKED = """
    proxy:
      auth:
        clients:
          relying:
            jwks_uri: "https://app.example.com/jwks?key=hunter2"
            redirect_uris: ["https://app.example.com/callback"]
            backchannel_logout_uri: "https://app.example.com/out?code=hunter2"
    servers: {x: {command: ls}}
"""
TRUSTED = """
    proxy:
      auth:
        external:
          name: idp
          issuer: https://login.example.com
          jwks_uri: "https://login.example.com/keys?appid=hunter2"
          introspection:
            client_id: gate
            client_secret: hunter2-hunter2-hunter2
            endpoint: "https://login.example.com/introspect?key=hunter2"
    servers: {x: {command: ls, users: ["idp:ann"]}}
"""


@pytest.mark.parametrize("text", [ASKED, TRUSTED])
def test_what_stands_in_the_query_of_an_address_is_not_shown(tmp_path: Path, text: str) -> None:
    shown = msgspec.json.encode(describe(loaded(tmp_path, text))).decode()
    assert "hunter2" not in shown
    for address in ("https://app.example.com/jwks?***", "https://app.example.com/out?***"):
        assert (address in shown) == (text is ASKED)
    assert ("https://login.example.com/keys?***" in shown) == (text is TRUSTED)


def test_lists_are_shown_with_what_they_mean(tmp_path: Path) -> None:
    (tmp_path / "tok").write_text("x")
    shown = describe(loaded(tmp_path, TEXT, {"S": "x"}))
    assert shown["proxy"]["auth"]["allowed_users"] == ["*"]
    assert shown["groups"] == {"dev": ["local:alice", "github:octocat"]}
    servers = shown["servers"]
    assert servers["x"]["allowed_users"] == ["group:dev"]
    assert servers["x"]["tools"] == {"d*": "nobody", "e*": ["group:github/acme/ops"]}
    assert servers["y"]["allowed_users"] == "everybody on the gateway-wide list"
    assert servers["z"]["allowed_users"] == "nobody"
    assert servers["z"]["title"] == "Zed"


def test_no_list_at_all_is_shown_as_nobody(tmp_path: Path) -> None:
    shown = describe(loaded(tmp_path, "servers: {x: {command: prog}}"))
    assert shown["servers"]["x"]["allowed_users"] == "nobody"
    assert shown["proxy"]["auth"]["allowed_users"].startswith("not declared")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Anyone(), "*"),
        (ByEmail("a@b.c"), "a@b.c"),
        (ByLogin("github", "a"), "github:a"),
        (ByGroup("dev"), "group:dev"),
        (ByProviderGroup("github", "acme"), "group:github/acme"),
        (ByProviderGroup("github", "acme/ops"), "group:github/acme/ops"),
    ],
)
def test_a_selector_can_be_written_back(tmp_path: Path, value: Selector, text: str) -> None:
    assert selector(value) == text
    config = loaded(
        tmp_path,
        "proxy: {auth: {providers: {local: , github: {client_id: a, client_secret: b}}}}\n"
        f"servers: {{x: {{command: prog, allowed_users: ['{text}']}}}}",
    )
    assert config.rules.servers[0].allowed == (value,)


@pytest.mark.parametrize("word", ["prog", "--verbose", "-k", "https://host/path", "a=b", "--tokenizer-off"])
def test_ordinary_words_stay(word: str) -> None:
    assert masked(word) == word

"""``proxy.auth.clients``: what is understood, and what is refused at its line."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gatekit.config.model import Config
from gatekit.config.show import describe
from gatekit.model.rules import ByLogin
from tests.unit.config.write import faults, loaded

SECRET = "0123456789abcdef0123456789abcdef"
OLD = "fedcba9876543210fedcba9876543210"
KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}


def text(**clients: Any) -> str:
    """JSON is YAML."""
    return json.dumps(
        {"proxy": {"auth": {"clients": clients}}, "servers": {"docs": {"command": "x", "users": ["dev"]}}}
    )


def config(folder: Path, **clients: Any) -> Config:
    return loaded(folder, text(**clients), {"S": SECRET, "OLD": OLD})


def fault(folder: Path, **fields: Any) -> str:
    found = faults(folder, text(**{"bot": fields}))
    assert len(found) == 1, found
    return found[0]


def test_a_program_that_acts_for_itself(tmp_path: Path) -> None:
    (bot,) = config(
        tmp_path,
        **{"ci-bot": {"secret": "${env:S}", "previous_secret": "${env:OLD}", "servers": ["docs"]}},
    ).clients
    assert (bot.id, bot.name, bot.source) == ("ci-bot", "ci-bot", "configured")
    assert bot.auth_method == "client_secret_basic"
    assert bot.grant_types == ("client_credentials",)
    assert bot.secret_hash == sha256(SECRET.encode()).hexdigest()
    assert bot.old_secret_hash == sha256(OLD.encode()).hexdigest()
    assert bot.old_secret_until > 2**33
    assert bot.servers == ("docs",)


def test_a_client_that_people_sign_in_with(tmp_path: Path) -> None:
    (wiki,) = config(
        tmp_path,
        wiki={
            "name": "The wiki",
            "jwks": {"keys": [KEY]},
            "redirect_uris": ["https://wiki.example/cb", "http://127.0.0.1/cb"],
            "scopes": ["mcp:call"],
            "post_logout_redirect_uris": ["https://wiki.example/bye"],
            "dpop_only": True,
        },
    ).clients
    assert wiki.auth_method == "private_key_jwt"
    assert json.loads(wiki.jwks) == {"keys": [KEY]}
    assert wiki.grant_types == ("authorization_code", "refresh_token")
    assert wiki.scope.split() == ["mcp:read", "mcp:call"]
    assert json.loads(wiki.metadata) == {
        "dpop_bound_access_tokens": True,
        "post_logout_redirect_uris": ["https://wiki.example/bye"],
    }


def test_keys_may_stand_in_a_file_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [KEY]}))
    (bot,) = config(tmp_path, bot={"jwks": "${file:keys.json}", "signing_algorithm": "ES256"}).clients
    assert (json.loads(bot.jwks), bot.signing_algorithm) == ({"keys": [KEY]}, "ES256")


def test_a_url_may_identify_a_client(tmp_path: Path) -> None:
    url = "https://app.example/client.json"
    (app,) = config(tmp_path, **{url: {"redirect_uris": ["http://localhost/cb"]}}).clients
    assert (app.id, app.auth_method) == (url, "none")


def test_grant_types_have_short_names(tmp_path: Path) -> None:
    wanted = {"grant_types": ["device_code", "token_exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer"]}
    (bot,) = config(tmp_path, bot={"secret": SECRET, **wanted}).clients
    assert [name.rpartition(":")[2] for name in bot.grant_types] == [
        "device_code",
        "token-exchange",
        "jwt-bearer",
    ]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "client_credentials needs a secret, jwks or a jwks_uri"),
        ({"secret": "short"}, "is too short: at least 20 characters"),
        ({"secret": SECRET, "previous_secret": "short"}, "is too short"),
        ({"auth_method": "client_secret_post"}, "is required for client_secret_post"),
        ({"auth_method": "private_key_jwt", "secret": SECRET, "jwks": {"keys": [KEY]}}, "is not used with"),
        (
            {"secret": SECRET, "auth_method": "client_secret_post", "jwks_uri": "https://x.example/k"},
            "not used",
        ),
        ({"auth_method": "client_secret_jwt", "secret": SECRET}, "client_secret_jwt"),
        ({"jwks": {"keys": [{**KEY, "d": "AAAA"}]}}, "private"),
        ({"jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}}, "cannot be used"),
        ({"jwks": "not json"}, "is not a JWK set in JSON"),
        ({"jwks": {"keys": [KEY]}, "jwks_uri": "https://x.example/k"}, "one of jwks and jwks_uri"),
        ({"jwks_uri": "http://x.example/k"}, "must be an https URL"),
        ({"jwks": {"keys": [KEY]}, "signing_algorithm": "HS256"}, "must be one of"),
        ({"secret": SECRET, "grant_types": []}, "is empty"),
        ({"secret": SECRET, "grant_types": ["implicit"]}, "unknown grant type"),
        ({"secret": SECRET, "grant_types": ["client_credential"]}, "did you mean 'client_credentials'?"),
        ({"grant_types": ["authorization_code"]}, "where people come back to"),
        (
            {
                "secret": SECRET,
                "grant_types": ["client_credentials"],
                "redirect_uris": ["https://x.example/"],
            },
            "no use",
        ),
        ({"redirect_uris": ["http://x.example/cb"]}, "may use http only for localhost"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "must not use the scheme"),
        ({"secret": SECRET, "scopes": ["mcp:raed"]}, "did you mean 'mcp:read'?"),
        ({"secret": SECRET, "scopes": ["a b"]}, "is not a scope"),
        ({"secret": SECRET, "servers": ["dosc"]}, "did you mean 'docs'?"),
        ({"secret": SECRET, "backchannel_logout_uri": "file:///x"}, "must not use the scheme"),
        ({"secret": SECRET, "id_token_algorithm": "HS256"}, "ES256 or RS256"),
        ({"secret": SECRET, "secrets": "x"}, "unknown key"),
    ],
    ids=str,
)
def test_faults(tmp_path: Path, fields: dict[str, Any], said: str) -> None:
    assert said in fault(tmp_path, **fields)


@pytest.mark.parametrize(
    "name", ["gkc_mine", "CI-bot", "a b", "../x", "http://app.example/c", "", "https://app.example/c"]
)
def test_names_that_cannot_be(tmp_path: Path, name: str) -> None:
    (found,) = faults(tmp_path, text(**{name: {"secret": SECRET}}))
    assert "cannot identify a client" in found


def test_two_names_that_lists_could_not_tell_apart(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, text(bot={"secret": SECRET}, Bot={"redirect_uris": ["https://w.example/"]}))
    assert "there is 'bot' already" in found


def test_lists_name_clients_that_act_for_themselves(tmp_path: Path) -> None:
    clients = {"ci-bot": {"secret": SECRET}, "wiki": {"redirect_uris": ["https://w.example/cb"]}}
    document = json.loads(text(**clients))
    document["proxy"]["auth"]["allowed_users"] = ["client:ci-BOT"]
    rules = loaded(tmp_path, json.dumps(document)).rules
    assert rules.gateway == (ByLogin("client", "ci-bot"),)
    for name in ("wiki", "ci-bto"):
        document["proxy"]["auth"]["allowed_users"] = [f"client:{name}"]
        (found,) = faults(tmp_path, json.dumps(document))
        assert "no client" in found
    assert "did you mean 'ci-bot'?" in found


def test_no_connection_can_take_the_name(tmp_path: Path) -> None:
    (found,) = faults(
        tmp_path, "proxy: {auth: {providers: {client: {type: github, client_id: a, client_secret: b}}}}"
    )
    assert "cannot be the name of a connection" in found


def test_no_secret_is_shown(tmp_path: Path) -> None:
    shown = describe(
        config(tmp_path, bot={"secret": SECRET, "previous_secret": OLD}, key={"jwks": {"keys": [KEY]}})
    )["proxy"]["auth"]["clients"]
    written = msgspec.json.encode(shown).decode()
    for secret in (SECRET, OLD):
        assert secret not in written
        assert sha256(secret.encode()).hexdigest() not in written
    assert (shown["bot"]["secret"], shown["bot"]["previous_secret"]) == ("***", "***")
    assert shown["key"]["auth_method"] == "private_key_jwt"

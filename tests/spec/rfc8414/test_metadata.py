"""RFC 8414 and OpenID Connect Discovery 1.0: authorization server metadata."""

from __future__ import annotations

from pathlib import Path

from tests.attack.world import World, world_in


async def test_3_2_the_document(world: World) -> None:
    async with world.http() as http:
        response = await http.get("/.well-known/oauth-authorization-server")
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/json"
        document = response.json()
        openid = (await http.get("/.well-known/openid-configuration")).json()
        del openid["scopes_supported"]
        assert openid | document == openid | {"scopes_supported": document["scopes_supported"]}
    issuer = world.issuer
    assert document["issuer"] == issuer
    for name, path in (
        ("authorization_endpoint", "/authorize"),
        ("token_endpoint", "/token"),
        ("registration_endpoint", "/register"),
        ("revocation_endpoint", "/revoke"),
        ("device_authorization_endpoint", "/device_authorization"),
        ("jwks_uri", "/jwks"),
    ):
        assert document[name] == issuer + path
    assert document["response_types_supported"] == ["code"]
    assert document["grant_types_supported"] == [
        "authorization_code",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:device_code",
    ]
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["token_endpoint_auth_methods_supported"] == [
        "none",
        "client_secret_post",
        "client_secret_basic",
        "private_key_jwt",
    ]
    # "this metadata entry MUST be present if [private_key_jwt is] specified"
    assert "ES256" in document["token_endpoint_auth_signing_alg_values_supported"]
    assert not {"none", "HS256"} & set(document["token_endpoint_auth_signing_alg_values_supported"])
    assert document["authorization_response_iss_parameter_supported"] is True
    assert document["scopes_supported"] == ["mcp:read", "mcp:call"]
    assert not [name for name, value in document.items() if value in (None, [], "")]


async def test_openid_discovery_has_its_required_members(world: World) -> None:
    """OpenID Connect Discovery §3 lists as REQUIRED what strict clients insist on."""
    async with world.http() as http:
        document = (await http.get("/.well-known/openid-configuration")).json()
    required = "issuer authorization_endpoint token_endpoint jwks_uri response_types_supported"
    required += " subject_types_supported id_token_signing_alg_values_supported"
    assert set(required.split()) <= set(document)


async def test_nothing_is_promised_that_is_not_there(world: World) -> None:
    async with world.http() as http:
        document = (await http.get("/.well-known/oauth-authorization-server")).json()
        assert "client_id_metadata_document_supported" not in document
        assert "offline_access" not in document["scopes_supported"]
        for name in document:
            if name.endswith(("_endpoint", "_uri")):
                path = document[name].removeprefix(world.issuer)
                assert (await http.get(path)).status_code != 404


async def test_registration_can_be_switched_off(tmp_path: Path) -> None:
    async with world_in(tmp_path, registration_enabled=False) as world, world.http() as http:
        document = (await http.get("/.well-known/oauth-authorization-server")).json()
        assert "registration_endpoint" not in document
        assert (await http.post("/register", json={})).status_code == 404

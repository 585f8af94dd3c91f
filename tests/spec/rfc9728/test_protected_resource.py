"""RFC 9728: protected resource metadata, per endpoint."""

from __future__ import annotations

from tests.attack.world import World


async def test_3_3_resource_is_identical_to_the_url_used(world: World) -> None:
    async with world.http() as http:
        for path in ("/s/files/mcp", "/s/clock/mcp", "/mcp"):
            document = (await http.get(f"/.well-known/oauth-protected-resource{path}")).json()
            assert document["resource"] == f"https://gate.example{path}"
            assert document["authorization_servers"] == ["https://gate.example"]


async def test_5_1_the_challenge_names_the_document(world: World) -> None:
    async with world.http() as http:
        refused = await http.get("/s/clock/mcp")
    assert (
        'resource_metadata="https://gate.example/.well-known/oauth-protected-resource/s/clock/mcp"'
        in refused.headers["www-authenticate"]
    )


async def test_the_name_shown_is_the_servers_title(world: World) -> None:
    async with world.http() as http:
        document = (await http.get("/.well-known/oauth-protected-resource/s/files/mcp")).json()
    assert document["resource_name"] == "Files"

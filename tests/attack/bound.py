"""What an honest client that holds a key does in the world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2

from tests.attack.world import VERIFIER, World
from tests.support.proofs import Holder


async def token_request(world: World, client: Mapping[str, Any], proof: str | None, **form: str) -> Any:
    """POST /token, with a DPoP header if there is one."""
    headers = {} if proof is None else {"DPoP": proof}
    async with world.http() as http:
        return await http.post("/token", data={"client_id": client["client_id"], **form}, headers=headers)


def proof_for(world: World, holder: Holder, path: str = "/token", token: str = "", **claims: Any) -> str:
    """A proof for a POST to ``path``, made now."""
    return holder.proof("POST", f"{world.issuer}{path}", world.clock.now(), token, **claims)


async def redeem(
    world: World, client: Mapping[str, Any], code: str, holder: Holder | None
) -> httpx2.Response:
    answer: httpx2.Response = await token_request(
        world,
        client,
        proof_for(world, holder) if holder else None,
        grant_type="authorization_code",
        code=code,
        redirect_uri="http://127.0.0.1:49152/callback",
        code_verifier=VERIFIER,
    )
    return answer


async def refresh(
    world: World, client: Mapping[str, Any], token: str, holder: Holder | None
) -> httpx2.Response:
    answer: httpx2.Response = await token_request(
        world,
        client,
        proof_for(world, holder) if holder else None,
        grant_type="refresh_token",
        refresh_token=token,
    )
    return answer


async def tokens(world: World, client: Mapping[str, Any], holder: Holder, **changes: Any) -> Any:
    """A whole login of a client that holds a key."""
    answer = await redeem(world, client, await world.code(client, **changes), holder)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def call(
    world: World, token: str, proofs: list[str], *, scheme: str = "DPoP", path: str = "/s/files/mcp"
) -> httpx2.Response:
    """POST to an MCP endpoint with these DPoP headers."""
    headers = [("authorization", f"{scheme} {token}"), *(("dpop", proof) for proof in proofs)]
    async with world.http() as http:
        return await http.post(path, headers=headers)

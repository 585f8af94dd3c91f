"""What an honest client does with an identity assertion (ID-JAG) where its issuer is trusted."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace

from gatekit.model.oauth import JWT_BEARER, Client
from gatekit.model.rules import Anyone, ByLogin, ByProviderGroup, Rules, ServerRules
from gatekit.model.trust import AssertionIssuer, ClaimNames
from gatekit.platform.vault import token_hash
from gatekit.policy.engine import Policy
from tests.attack.world import START, World, world_in
from tests.emulators.issuer import ISSUER, EmulatedIssuer

SECRET = "a secret that the operator keeps"
AGENT = Client(
    id="agent",
    name="Office agent",
    redirect_uris=(),
    auth_method="client_secret_basic",
    secret_hash=token_hash(SECRET),
    grant_types=(JWT_BEARER,),
    source="configured",
)
OTHER = replace(AGENT, id="other", name="Other agent")
PUBLIC = replace(AGENT, id="public", auth_method="none", secret_hash=None)
WITHOUT = replace(
    AGENT, id="without", grant_types=("authorization_code",), redirect_uris=("https://a.example/",)
)
TRUSTED = AssertionIssuer(
    name="corp",
    issuer=ISSUER,
    algorithms=("ES256",),
    claims=ClaimNames(username="email", groups="groups"),
)
RULES = Rules(
    servers=(
        ServerRules(server="files", allowed=(ByProviderGroup("corp", "eng"), ByLogin("corp", "eve"))),
        ServerRules(server="clock", allowed=(Anyone(),)),
        ServerRules(server="vault", allowed=(ByLogin("corp", "boss@corp.example"),)),
    )
)


@pytest.fixture
def idp() -> EmulatedIssuer:
    return EmulatedIssuer()


@pytest.fixture
async def world(tmp_path: Path, template: Path, idp: EmulatedIssuer) -> AsyncIterator[World]:
    async with world_in(tmp_path, template, exchange=idp.exchange, assertions=(TRUSTED,)) as found:
        found.policy = Policy.compile(RULES)
        await found.configure(AGENT, OTHER, PUBLIC, WITHOUT)
        yield found


def claims(**changes: Any) -> dict[str, Any]:
    """What the identity provider says of eve; None leaves a claim out."""
    full = {
        "iss": ISSUER,
        "sub": "eve-id",
        "aud": "https://gate.example",
        "client_id": "agent",
        "jti": "assertion-1",
        "iat": START,
        "exp": START + 120,
        "resource": "https://gate.example/s/files/mcp",
        "scope": "mcp:read mcp:call",
        "email": "eve@corp.example",
        "email_verified": True,
        "groups": ["eng"],
        **changes,
    }
    return {name: value for name, value in full.items() if value is not None}


def assertion(idp: EmulatedIssuer, header: Mapping[str, Any] | None = None, **changes: Any) -> str:
    return idp.sign(claims(**changes), {"typ": "oauth-id-jag+jwt", **(header or {})})


async def bring(
    world: World, written: str, client: str = "agent", headers: Mapping[str, str] | None = None, **fields: str
) -> httpx2.Response:
    pair = base64.b64encode(f"{client}:{SECRET}".encode()).decode()
    async with world.http() as http:
        return await http.post(
            "/token",
            data={"grant_type": JWT_BEARER, "assertion": written, **fields},
            headers={"authorization": f"Basic {pair}", **(headers or {})},
        )


async def refused(response: httpx2.Response, error: str = "invalid_grant", status: int = 400) -> None:
    assert (response.status_code, response.json()["error"]) == (status, error), response.text

"""A SCIM door over a real store, and a provider that speaks to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from starlette.applications import Starlette

from gatekit.admin.provisioned_groups import ProvisionedGroups
from gatekit.admin.provisioning import ProvisionedPeople
from gatekit.admin.scim_tokens import ScimBearer
from gatekit.identity.scim.patch import PATCH_URN
from gatekit.identity.scim.schema import GROUP_URN, USER_URN
from gatekit.model.audit import AdminEvent, AuditEvent
from gatekit.model.connections import Provisioning
from gatekit.model.people import User
from gatekit.platform.clock import SystemEntropy
from gatekit.platform.limits import Rate
from gatekit.store.ports import Store
from gatekit.store.sql.store import open_store
from gatekit.web.scim import Rates, ScimDoor
from gatekit.web.scim_route import scim_routes
from tests.support.clock import ManualClock

ISSUER = "https://gate.example"
BASE = f"{ISSUER}/scim/v2"
OKTA = "gk_scim_" + "o" * 43
ENTRA = "gk_scim_" + "e" * 43


class Trail:
    def __init__(self) -> None:
        self.events: list[AuditEvent] = []

    async def write(self, event: AuditEvent) -> None:
        self.events.append(event)


class Provider:
    """One connection's provisioning client."""

    def __init__(self, http: httpx2.AsyncClient, token: str) -> None:
        self.http = http
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def send(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        sent = {**self.headers, "Content-Type": "application/scim+json", **(headers or {})}
        return await self.http.request(method, f"/scim/v2{path}", json=body, headers=sent)

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        return await self.send("GET", path, headers=headers)

    async def made(self, path: str, **attributes: Any) -> dict[str, Any]:
        """POST, which must do."""
        urn = USER_URN if path == "/Users" else GROUP_URN
        answer = await self.send("POST", path, {"schemas": [urn], **attributes})
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def user(self, name: str = "ada", **attributes: Any) -> dict[str, Any]:
        return await self.made("/Users", userName=name, **attributes)

    async def patch(self, path: str, *operations: Mapping[str, Any], **headers: str) -> httpx2.Response:
        body = {"schemas": [PATCH_URN], "Operations": list(operations)}
        return await self.send("PATCH", path, body, headers)

    async def names(self, query: str) -> list[str]:
        """``userName`` or ``displayName`` of those found, in order."""
        answer = await self.get(query)
        assert answer.status_code == 200, answer.text
        return [each.get("userName", each.get("displayName")) for each in answer.json()["Resources"]]


class ScimWorld:
    def __init__(self, store: Store, rates: Rates) -> None:
        self.store = store
        self.clock = ManualClock()
        self.trail = Trail()
        self.open = {"okta": Provisioning(token=OKTA), "entra": Provisioning(token=ENTRA)}
        """Connections with provisioning."""
        desk = (store, self.trail, self.clock, SystemEntropy())
        door = ScimDoor(
            ScimBearer(store.scim_tokens, self.clock, lambda: self.open),
            ProvisionedPeople(*desk),
            ProvisionedGroups(*desk),
            self.trail,
            self.clock,
            issuer=ISSUER,
            rates=rates,
        )
        transport = httpx2.ASGITransport(Starlette(routes=scim_routes(lambda: door.handle)))
        self.http = httpx2.AsyncClient(transport=transport, base_url=ISSUER)
        self.okta = Provider(self.http, OKTA)
        self.entra = Provider(self.http, ENTRA)

    async def person(self, ident: str) -> User:
        user = await self.store.users.get(ident)
        assert user is not None
        return user

    def told(self) -> list[str]:
        """``user.create ada`` and so on."""
        return [f"{each.action} {each.target}" for each in self.trail.events if isinstance(each, AdminEvent)]


@asynccontextmanager
async def scim_world(folder: Path, rates: Rates | None = None) -> AsyncIterator[ScimWorld]:
    store = await open_store(folder / "gatekit.db")
    try:
        world = ScimWorld(store, rates or Rates(Rate(10_000, 1), Rate(10_000, 1)))
        async with world.http:
            yield world
    finally:
        await store.close()

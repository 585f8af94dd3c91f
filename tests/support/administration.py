"""A whole gateway in this process, for programs that administrate it: its people, their admin keys, HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from starlette.routing import BaseRoute, Route

from gatekit.admin.admin_keys import SCOPES, AdminKeys, IssuedAdminKey
from gatekit.admin.desk import operator
from gatekit.admin.keys import Keys
from gatekit.app import Application
from gatekit.config.load import load
from gatekit.model.people import LOCAL, Role, User
from gatekit.platform.clock import SystemClock, SystemEntropy
from gatekit.web.api.mount import Api
from gatekit.web.api.openapi import PREFIX
from tests.support.running import ECHO

OPERATOR = operator("ops")
URL = "http://127.0.0.1:8080"
HERE = "192.0.2.7"


class Administration:
    """Made by ``administration``."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.store = application.store
        self.parts = (application.store, application.recorder, SystemClock(), SystemEntropy())

    async def person(self, name: str, role: Role = "member") -> User:
        """Somebody with a local account."""
        user = User(
            id=f"usr_{name}",
            connection=LOCAL,
            issuer=LOCAL,
            subject=f"usr_{name}",
            username=name,
            login=name,
            role=role,
            created_at=1_700_000_000,
        )
        await self.store.users.add(user)
        return user

    async def issue(self, name: str, scopes: Sequence[str] = SCOPES, **options: Any) -> IssuedAdminKey:
        """An admin key of somebody, made by the operator."""
        return await AdminKeys(*self.parts).create(OPERATOR, name, name="test", scopes=scopes, **options)

    async def key(self, name: str, scopes: Sequence[str] = SCOPES, **options: Any) -> str:
        return (await self.issue(name, scopes, **options)).token

    async def ordinary_key(self, name: str) -> str:
        return (await Keys(*self.parts).create(OPERATOR, name, name="laptop")).token

    def http(self, token: str = "", address: str = HERE) -> httpx2.AsyncClient:
        """A program with this key."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        transport = httpx2.ASGITransport(self.application, client=(address, 1))
        return httpx2.AsyncClient(transport=transport, base_url=URL + PREFIX, headers=headers, timeout=30)

    async def program(self, name: str, role: Role, scopes: Sequence[str] = SCOPES) -> httpx2.AsyncClient:
        """A person of this role, and their program."""
        await self.person(name, role)
        return self.http(await self.key(name, scopes))


def opened(route: BaseRoute) -> list[BaseRoute]:
    """The REST interface hangs in the application as one route, until somebody asks for it."""
    return route.endpoint.inner() if isinstance(route, Route) and isinstance(route.endpoint, Api) else [route]


@asynccontextmanager
async def administration(folder: Path, **proxy: Any) -> AsyncIterator[Administration]:
    """``echo`` is published for everybody."""
    document = {
        "data_dir": str(folder / "data"),
        "proxy": {
            "public_url": URL,
            "auth": {"enabled": True, "provider": "local", "allowed_users": ["*", "service:robot"]},
            **proxy,
        },
        "servers": {"echo": {"command": list(ECHO)}},
    }
    (folder / "gatekit.yaml").write_text(json.dumps(document), encoding="utf-8")
    application = await Application.open(load(folder / "gatekit.yaml"))
    try:
        yield Administration(application)
    finally:
        await application.close()

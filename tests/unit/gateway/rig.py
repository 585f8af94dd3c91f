"""A data plane with real children, a real recorder and a real policy; only the token check is a table."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from gatekit.audit.recorder import Recorder
from gatekit.errors import BearerError, TokenInvalid, TokenMissing
from gatekit.gateway.core import Gateway
from gatekit.gateway.endpoint import endpoint_of
from gatekit.gateway.ports import GatewaySettings, Surroundings
from gatekit.gateway.published import Merging, Published
from gatekit.model.access import Access, Asked
from gatekit.model.people import Principal
from gatekit.model.rules import Rules
from gatekit.model.scopes import ALL
from gatekit.model.server import Server
from gatekit.model.virtual import Virtual
from gatekit.platform.clock import SystemClock, SystemEntropy
from gatekit.platform.vault import Vault
from gatekit.policy.engine import Policy
from gatekit.store.approval_ports import Approvals
from gatekit.upstream.pool import Pool
from gatekit.upstream.supervisor import Supervisor

CHILDREN = Path(__file__).parents[2] / "children"
STATELESS_META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


def child(script: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, str(CHILDREN / script), *arguments)


def person(name: str, *groups: str) -> Principal:
    return Principal(
        id=f"usr_{name}", username=name, connection="local", login=name, groups=frozenset(groups)
    )


class TableDoor:
    """Tokens in a table; everything else is a stranger."""

    def __init__(self) -> None:
        self.tokens: dict[bytes, Access] = {}

    def give(
        self,
        token: str,
        principal: Principal,
        *servers: str,
        client: str = "cli_1",
        scopes: Sequence[str] = ALL,
    ) -> None:
        self.tokens[f"Bearer {token}".encode()] = Access(
            principal=principal,
            client_id=client,
            client_name=f"client {client}",
            credential="access_token",
            credential_id=f"jti_{token}",
            servers=frozenset(servers or ("*",)),
            aggregate=not servers,
            scopes=frozenset(scopes),
        )

    def cached(self, authorization: bytes) -> Access | None:
        return self.tokens.get(authorization)

    async def check(self, authorization: Sequence[bytes], asked: Asked | None = None) -> Access:
        if not authorization:
            raise TokenMissing
        raise TokenInvalid("unknown token")

    def challenge(self, error: BearerError, server: str, legacy: bool = False) -> str:
        return f'Bearer resource_metadata="x/{server}{"/sse" if legacy else ""}", error="{error.error}"'


class Memory:
    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def get(self, key: str) -> str | None:
        return self.kept.get(key)

    async def put(self, key: str, value: str) -> None:
        self.kept[key] = value


class Answer:
    """What came back over one ASGI request, as it comes."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.done = False
        self.task: asyncio.Task[None] | None = None
        self._disconnected = asyncio.Event()
        self._news = asyncio.Condition()
        self._reads = asyncio.Event()
        self._reads.set()

    @property
    def json(self) -> Any:
        if self.headers.get("content-type") == "text/event-stream":
            return self.events[-1]
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        lines = self.body.decode().split("\n")
        return [json.loads(line[5:]) for line in lines if line.startswith("data:") and line[5:].strip()]

    def disconnect(self) -> None:
        self._disconnected.set()

    async def until(self, seen: str, patience: float = 10) -> None:
        """Wait until ``seen`` is part of what came."""
        async with asyncio.timeout(patience), self._news:
            await self._news.wait_for(lambda: seen in self.body.decode())

    async def news(self, patience: float = 20) -> None:
        """Wait until something more has come, or the answer has ended."""
        seen = len(self.body)
        async with asyncio.timeout(patience), self._news:
            await self._news.wait_for(lambda: self.done or len(self.body) > seen)

    async def end(self, patience: float = 10) -> Answer:
        assert self.task is not None
        await asyncio.wait_for(self.task, patience)
        return self

    def hold(self) -> None:
        """Take nothing more for now: a reader that is slow."""
        self._reads.clear()

    def read(self) -> None:
        self._reads.set()

    async def send(self, message: Any) -> None:
        await self._reads.wait()
        async with self._news:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
            else:
                self.body += message.get("body", b"")
                self.done = not message.get("more_body", False)
            self._news.notify_all()

    async def gone(self) -> dict[str, str]:
        await self._disconnected.wait()
        return {"type": "http.disconnect"}


class Rig:
    """One gateway for one test."""

    def __init__(
        self,
        folder: Path,
        servers: Sequence[Server],
        rules: Rules,
        pool: Any = None,
        *,
        virtual: Sequence[Virtual] = (),
        merging: Merging | None = None,
        approvals: Approvals | None = None,
        **settings: Any,
    ) -> None:
        clock, entropy = SystemClock(), SystemEntropy()
        self.folder = folder
        self.door = TableDoor()
        self.active: set[str] = set()
        self.inactive: set[str] = set()
        self.bereft: set[str] = set()
        self.looking: Callable[[], Awaitable[object]] = lambda: asyncio.sleep(0)
        """What the look at rows takes."""
        self.trail = Recorder(folder / "audit", writer="gateway", clock=clock, entropy=entropy)
        self.pool: Any = pool or Pool(
            Supervisor(clock, os.environ, "test"), clock, Memory(), lambda _event: None
        )
        self.gateway = Gateway(
            Surroundings(
                door=self.door,
                trail=self.trail,
                pool=self.pool,
                clock=clock,
                entropy=entropy,
                sealer=Vault(b"k" * 32),
                settings=GatewaySettings(
                    **{"max_body_bytes": 1 << 20, "version": "test", "keepalive": 15, **settings}
                ),
                is_active=self._is_active,
                is_person_active=self._is_person_active,
                bereft=self._bereft,
                approvals=approvals,
            ),
            self.tables(servers, rules, virtual, merging),
        )
        self.gateway.start()

    async def _is_active(self, access: Access) -> bool:
        await self.looking()
        return access.principal.username not in self.inactive

    async def _is_person_active(self, principal_id: str) -> bool:
        return principal_id.removeprefix("usr_") not in self.inactive

    async def _bereft(
        self, people: Collection[str], credentials: Collection[str], clients: Collection[str]
    ) -> frozenset[str]:
        return frozenset(self.bereft.intersection(people) if credentials or clients else ())

    @staticmethod
    def tables(
        servers: Sequence[Server],
        rules: Rules,
        virtual: Sequence[Virtual] = (),
        merging: Merging | None = None,
    ) -> Published:
        return Published({server.name: server for server in servers}, Policy.compile(rules), virtual, merging)

    async def close(self) -> None:
        await self.gateway.close()
        await self.pool.close()
        await self.trail.aclose()

    async def calling(self) -> None:
        """Until a call is on its way at some server."""
        async with asyncio.timeout(10):
            while not self.pool.stats()["pending"]:
                await asyncio.sleep(0.01)

    def records(self, event: str = "call") -> list[dict[str, Any]]:
        lines = [
            json.loads(line)
            for path in sorted((self.folder / "audit").glob("*.jsonl"))
            for line in path.read_text().splitlines()
        ]
        return [line for line in lines if line["event"] == event]

    # -- requests ------------------------------------------------------------------------------------------

    def start(
        self,
        path: str,
        body: bytes = b"",
        method: str = "POST",
        token: str | None = "alice",
        held: asyncio.Event | None = None,
        **headers: str,
    ) -> Answer:
        """Begin one HTTP request; header names are given with ``_`` for ``-``. ``held``: until when the body
        lets itself be waited for."""
        table = {"content_type": "application/json", "accept": "application/json, text/event-stream"}
        if token is not None:
            table["authorization"] = f"Bearer {token}"
        table |= headers
        pairs = [(k.replace("_", "-").encode(), v.encode()) for k, v in table.items() if v]
        answer = Answer()
        incoming = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if held is not None:
                await held.wait()
            return incoming.pop() if incoming else await answer.gone()

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": pairs,
            "client": ("127.0.0.1", 1),
        }
        path, _, query = path.partition("?")
        scope |= {"path": path, "query_string": query.encode()}
        endpoint = self.gateway.endpoint if endpoint_of(path) is not None else self.gateway.legacy_endpoint
        answer.task = asyncio.ensure_future(endpoint(scope, receive, answer.send))
        return answer

    async def http(self, path: str, body: bytes = b"", **options: Any) -> Answer:
        return await self.start(path, body, **options).end()

    def begin(
        self, path: str, method: str, params: Any = None, request_id: Any = 1, **options: Any
    ) -> Answer:
        message = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params or {}}
        if request_id is None:
            del message["id"]
        return self.start(path, json.dumps(message, separators=(",", ":")).encode(), **options)

    async def rpc(
        self, path: str, method: str, params: Any = None, request_id: Any = 1, **options: Any
    ) -> Answer:
        return await self.begin(path, method, params, request_id, **options).end()

    async def open(
        self,
        path: str,
        token: str = "alice",
        capabilities: Any = None,
        version: str = "2025-11-25",
    ) -> str:
        """A handshake-era session; its id."""
        answer = await self.rpc(
            path,
            "initialize",
            {
                "protocolVersion": version,
                "capabilities": capabilities or {},
                "clientInfo": {"name": "test", "version": "1"},
            },
            token=token,
        )
        assert answer.status == 200, answer.body
        return answer.headers["mcp-session-id"]

    async def stateless(
        self, path: str, method: str, params: Any = None, request_id: Any = 1, **options: Any
    ) -> Answer:
        return await self.begin_stateless(path, method, params, request_id, **options).end()

    def begin_stateless(
        self, path: str, method: str, params: Any = None, request_id: Any = 1, **options: Any
    ) -> Answer:
        params = {**(params or {})}
        params["_meta"] = {**STATELESS_META, **params.get("_meta", {})}
        headers = {"mcp_protocol_version": "2026-07-28", "mcp_method": method}
        name = params.get("name", params.get("uri"))
        if name is not None and method in ("tools/call", "prompts/get", "resources/read"):
            headers["mcp_name"] = name
        return self.begin(path, method, params, request_id, **{**headers, **options})

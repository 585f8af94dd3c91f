"""One client and one server around a gateway, for properties: everything legal, nothing swallowed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from gatekit.model.rules import ByLogin, Rules, ServerRules
from gatekit.model.server import Server
from gatekit.protocol.headers import encode_value
from gatekit.protocol.methods import HANDSHAKE_VERSIONS, STATELESS_VERSIONS, spec
from tests.support.scripted import Error, ScriptedLink, ScriptedPool
from tests.unit.gateway.rig import Answer, Rig, person

PATH = "/s/s/mcp"
PREFIX = "io.modelcontextprotocol/"
ENVELOPE = frozenset(
    PREFIX + key for key in ("protocolVersion", "clientInfo", "clientCapabilities", "logLevel")
)
SERVER_INFO = PREFIX + "serverInfo"
MODERN = STATELESS_VERSIONS[-1]


def exact(value: Any) -> str:
    """JSON in which 1, 1.0 and true differ."""
    return json.dumps(value, sort_keys=True)


def without(value: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key not in keys}


def bare(body: dict[str, Any]) -> dict[str, Any]:
    """Less what the envelope of the stateless era adds, and an empty ``_meta``."""
    body = without(body, "resultType", "ttlMs", "cacheScope")
    meta = body.get("_meta")
    if isinstance(meta, dict):
        meta = without(meta, SERVER_INFO, *ENVELOPE)
        body = {**without(body, "_meta"), **({"_meta": meta} if meta else {})}
    return body


class World:
    """``client`` and ``upstream`` are revisions."""

    def __init__(self, folder: Path, client: str, upstream: str) -> None:
        self.client = client
        self.upstream = upstream
        self.answer: Any = {}
        """What the server answers: a result, or an ``Error``."""
        self.first: list[dict[str, Any]] = []
        """What it says before, as it stands."""
        era: Any = "handshake" if upstream in HANDSHAKE_VERSIONS else "stateless"
        offers: dict[str, Any] = {"tools": {}, "prompts": {}, "resources": {}, "completions": {}}
        self.pool = ScriptedPool(self._serve, era, upstream, **offers)
        rules = Rules(servers=(ServerRules(server="s", allowed=(ByLogin("local", "alice"),)),))
        self.rig = Rig(folder, (Server(name="s", command=("none",)),), rules, self.pool, max_depth=80)
        self.rig.door.give("alice", person("alice"))
        self.session = ""
        self._number = 0

    async def open(self) -> None:
        if self.client != MODERN:
            self.session = await self.rig.open(PATH, version=self.client, capabilities={"roots": {}})
        else:
            await self.request("server/discover", {})

    async def close(self) -> None:
        await self.rig.close()

    def _serve(self, link: ScriptedLink, message: dict[str, Any]) -> Any:
        if "method" not in message or "id" not in message:
            return None
        if message["method"] == "tools/list" and self.first:
            return {"tools": []}  # the gateway's own question, before the call
        for said in self.first:
            link.say(said(message) if callable(said) else said)
        if isinstance(self.answer, Error):
            raise self.answer
        return self.answer

    def begin(self, method: str, params: dict[str, Any], **meta: Any) -> Answer:
        self._number += 1
        if self.client != MODERN:
            if meta:
                params = {**params, "_meta": {**params.get("_meta", {}), **meta}}
            return self.rig.begin(PATH, method, params, self._number, mcp_session_id=self.session)
        params = {**params, "_meta": {**params.get("_meta", {}), **meta}}
        headers = {"mcp_method": encode_value(method)}
        name = params.get(spec(method).name_key) if spec(method).mirrored else None
        if isinstance(name, str):
            headers["mcp_name"] = encode_value(name)
        return self.rig.begin_stateless(PATH, method, params, self._number, **headers)

    async def request(self, method: str, params: dict[str, Any], **meta: Any) -> dict[str, Any]:
        """The response, and before it in ``events`` whatever came."""
        answer = await self.begin(method, params, **meta).end()
        assert answer.json["id"] == self._number
        response: dict[str, Any] = answer.json
        return response

    def seen(self, method: str) -> dict[str, Any]:
        """The params that the server got last for ``method``."""
        return self.pool.link.requests(method)[-1]

    async def settled(self) -> None:
        for _ in range(8):
            await asyncio.sleep(0)

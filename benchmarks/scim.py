"""A directory keeps ten thousand people here by SCIM: a first run of all, a second that changes nothing.

``python -m benchmarks.scim [people]`` starts a gateway of its own and speaks to it over HTTP as providers
do: for each person a question by ``userName``, then a POST; eight at a time, and a 429 is waited out. The
second run asks again and puts the same. Not part of the tests.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2

from gatekit.demo.gateway import DemoGateway, free_port

TOKEN = "gk_scim_" + "b" * 43
AT_ONCE = 8
BATCH = 100
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def person(number: int) -> dict[str, Any]:
    name = f"person{number:06}@example.com"
    return {
        "schemas": [USER],
        "userName": name,
        "externalId": f"00u{number:08}",
        "name": {"givenName": f"Given{number}", "familyName": f"Family{number}"},
        "displayName": f"Given{number} Family{number}",
        "emails": [{"value": name, "type": "work", "primary": True}],
        "active": True,
    }


class Directory:
    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http
        self.waited = 0
        self.idents: dict[int, str] = {}

    async def send(self, method: str, path: str, **more: Any) -> httpx2.Response:
        while True:
            answer = await self._http.request(method, path, **more)
            if answer.status_code != 429:
                answer.raise_for_status()
                return answer
            self.waited += 1
            await asyncio.sleep(float(answer.headers["Retry-After"]))

    async def _find(self, number: int) -> list[dict[str, Any]]:
        asked = {"filter": f'userName eq "{person(number)["userName"]}"'}
        found: list[dict[str, Any]] = (await self.send("GET", "Users", params=asked)).json()["Resources"]
        return found

    async def make(self, number: int) -> None:
        assert not await self._find(number)
        made = (await self.send("POST", "Users", json=person(number))).json()
        self.idents[number] = made["id"]

    async def again(self, number: int) -> None:
        (found,) = await self._find(number)
        await self.send("PUT", f"Users/{found['id']}", json=person(number))

    async def fill(self, people: int) -> None:
        """One group of everybody, a hundred members at a time."""
        group = (await self.send("POST", "Groups", json={"schemas": [GROUP], "displayName": "All"})).json()
        for start in range(0, people, BATCH):
            members = [{"value": self.idents[at]} for at in range(start, min(start + BATCH, people))]
            operation = {"op": "Add", "path": "members", "value": members}
            await self.send(
                "PATCH", f"Groups/{group['id']}", json={"schemas": [PATCH], "Operations": [operation]}
            )

    async def list(self) -> None:
        cursor: str | None = ""
        while cursor is not None:
            params = {"count": "500", "cursor": cursor}
            cursor = (await self.send("GET", "Users", params=params)).json().get("nextCursor")

    async def scan(self) -> None:
        """A question that no index answers."""
        params = {"filter": 'name.familyName ew "999"', "count": "10"}
        await self.send("GET", "Users", params=params)


async def each(work: Callable[[int], Awaitable[None]], people: int) -> None:
    numbers = iter(range(people))

    async def worker() -> None:
        for number in numbers:
            await work(number)

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))


async def measure(url: str, pid: int, people: int) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx2.AsyncClient(base_url=f"{url}/scim/v2/", headers=headers, timeout=60) as http:
        directory = Directory(http)
        runs: tuple[tuple[str, Callable[[], Awaitable[None]]], ...] = (
            (f"first run, {people} people", lambda: each(directory.make, people)),
            ("second run, nothing changed", lambda: each(directory.again, people)),
            (f"one group of all, {BATCH} members a request", lambda: directory.fill(people)),
            ("list of everybody, 500 a page", directory.list),
            ("a filter that no index answers", directory.scan),
        )
        for what, run in runs:
            began, waited = time.perf_counter(), directory.waited
            await run()
            took = time.perf_counter() - began
            status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
            rss = (
                int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) // 1024
            )
            late = f", {directory.waited - waited} requests told to wait" if directory.waited > waited else ""
            print(f"{what}: {took:.1f} s{late}; the gateway has {rss} MB", flush=True)


def main() -> None:
    people = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        gateway = DemoGateway(Path(folder), free_port(0))
        connection = {"client_id": "x", "client_secret": "y", "provisioning": {"token": TOKEN}}
        document = {
            "data_dir": "data",
            "proxy": {
                "port": gateway.port,
                "public_url": gateway.url,
                "auth": {"providers": {"local": {}, "github": connection}},
            },
            "servers": {"none": {"command": ["mcp-server-time"], "allowed_users": ["github:nobody"]}},
        }
        gateway.config.write_text(json.dumps(document), encoding="utf-8")
        gateway.start()
        try:
            assert gateway.process is not None
            print(f"{os.cpu_count()} cores", flush=True)
            asyncio.run(measure(gateway.url, gateway.process.pid, people))
        finally:
            gateway.stop()


if __name__ == "__main__":
    main()

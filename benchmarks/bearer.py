"""What the bearer check costs: ``python -m benchmarks.bearer [rounds]``.

A whole application as ``gatekit serve`` puts it together, without its socket; a store on disk with one
person, client and grant. Processor time of the process, all threads, per check: the least of many
short rounds (what it costs), and the median (what it costs beside the neighbours of that moment).
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import uvloop

from gatekit.app import Application
from gatekit.config.load import load
from gatekit.errors import BearerError
from gatekit.model.oauth import ApiKey, AuthorizationCode, Client, Grant
from gatekit.model.people import User
from gatekit.oauth.bearer import Bearer
from gatekit.oauth.claims import AccessClaims
from gatekit.oauth.formats import AccessTokens, TokenFormat
from gatekit.oauth.jws import new_private_key, signer_key
from gatekit.platform.vault import token_hash

ISSUER = "http://localhost:8080"
EACH = 200
KNOWN = 40_000
CONFIG = """
data_dir: data
proxy: {auth: {provider: local, allowed_users: [alice]}}
servers: {echo: {command: /bin/cat}}
"""


class Bench:
    """One application and its only grant."""

    def __init__(self, application: Application) -> None:
        self.application = application
        core = application.authorization._core
        self.core = core
        self.bearer: Bearer = core.bearer
        self.now = int(time.time())

    async def fill(self) -> None:
        store, now = self.application.store, self.now
        user = User(
            id="usr_1", connection="local", issuer="local", subject="1", username="alice", created_at=now
        )
        await store.users.add(user)
        await store.clients.add(Client(id="gkc_1", name="bench", redirect_uris=("http://127.0.0.1/",)))
        grant = Grant(
            id="gkg_1",
            user_id="usr_1",
            client_id="gkc_1",
            resources=(f"{ISSUER}/s/echo/mcp",),
            scopes=("mcp:read", "mcp:call"),
            auth_time=now,
            created_at=now,
            expires_at=now + 86_400,
        )
        code = AuthorizationCode(
            code_hash="x",
            grant_id="gkg_1",
            client_id="gkc_1",
            redirect_uri="http://127.0.0.1/",
            code_challenge="x",
            resources=grant.resources,
            created_at=now,
            expires_at=now + 60,
        )
        await store.grants.approve(grant, code)

    def claims(self, number: int) -> AccessClaims:
        return AccessClaims(
            iss=ISSUER,
            sub="usr_1",
            aud=(f"{ISSUER}/s/echo/mcp",),
            client_id="gkc_1",
            gid="gkg_1",
            jti=f"jti-{number:020}",
            iat=self.now,
            exp=self.now + 3600,
            scope="mcp:read mcp:call",
            auth_time=self.now,
        )

    async def issued(self, form: TokenFormat) -> list[bytes]:
        entropy = self.application._entropy
        tokens = AccessTokens(self.core.keys, self.application.store.access_tokens, entropy, form)
        return [header(await tokens.mint(self.claims(number))) for number in range(EACH)]

    async def keys(self) -> list[bytes]:
        found = []
        for number in range(EACH):
            secret = self.application._entropy.token("gk_key_")
            await self.application.store.api_keys.add(
                ApiKey(
                    id=f"key_{number}",
                    token_hash=token_hash(secret),
                    user_id="usr_1",
                    name="bench",
                    servers=(),
                    hint="",
                    created_at=self.now,
                    expires_at=self.now + 3600,
                    last_used_at=self.now + 60,
                )
            )
            found.append(header(secret))
        return found

    async def check_all(self, headers: Sequence[bytes]) -> None:
        self.bearer.forget()
        for one in headers:
            await self.bearer.check([one])

    async def refuse_all(self, headers: Sequence[bytes]) -> None:
        refused = 0
        for one in headers:
            try:
                await self.bearer.check([one])
            except BearerError:
                refused += 1
        assert refused == len(headers)


def header(token: str) -> bytes:
    return b"Bearer " + token.encode()


async def cost(work: Callable[[], Awaitable[None]], number: int, rounds: int) -> tuple[float, float]:
    """(least, median) microseconds of processor time for one of ``number``."""
    found = []
    for _ in range(rounds):
        before = time.process_time()
        await work()
        found.append((time.process_time() - before) / number * 1e6)
    return min(found), statistics.median(found)


async def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="gatekit-bench-") as folder:
        (Path(folder) / "gatekit.yaml").write_text(CONFIG)
        application = await Application.open(load(Path(folder) / "gatekit.yaml"))
        await application.authorization.start()  # the background jobs would forget what is being measured
        try:
            await measure(Bench(application), rounds)
        finally:
            await application.close()


async def measure(bench: Bench, rounds: int) -> None:
    await bench.fill()
    signed, opaque, keys = await bench.issued("jwt"), await bench.issued("opaque"), await bench.keys()
    foreign = signer_key(new_private_key(), "at+jwt")
    unknown_key = [header(foreign.sign(b"{}")) for _ in range(EACH)]
    tampered = [one[:-3] + (b"AAA" if one[-3:] != b"AAA" else b"BBB") for one in signed]
    strangers = [header(bench.application._entropy.token("gk_at_")) for _ in range(EACH)]
    await bench.check_all([*signed[:1], *opaque[:1]])
    gc.collect()
    gc.freeze()  # as ``gatekit serve`` does
    gc.set_threshold(50_000, 20, 100)
    known = signed[0]

    async def cached() -> None:
        for _ in range(KNOWN):
            assert bench.bearer.cached(known)

    async def verified() -> None:
        for one in signed:
            bench.core.keys.verify(one[7:].decode())

    rows: list[tuple[str, Callable[[], Awaitable[None]], int]] = [
        ("known token, either form", cached, KNOWN),
        ("the signature of a JWT alone", verified, EACH),
        ("JWT, first seen", lambda: bench.check_all(signed), EACH),
        ("opaque, first seen", lambda: bench.check_all(opaque), EACH),
        ("API key, first seen", lambda: bench.check_all(keys), EACH),
        ("refused: JWT of another key", lambda: bench.refuse_all(unknown_key), EACH),
        ("refused: JWT, bad signature", lambda: bench.refuse_all(tampered), EACH),
        ("refused: opaque, unknown", lambda: bench.refuse_all(strangers), EACH),
    ]
    print("| | µs CPU, least | median |\n|---|---|---|")
    for name, work, number in rows:
        least, median = await cost(work, number, rounds)
        print(f"| {name} | {least:.1f} | {median:.1f} |")


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 25))

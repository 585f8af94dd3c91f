"""Whether many people and groups are felt by one of them: ``python benchmarks/people.py``.

Two installations, one with 100 people and 5 groups and one with 100,000 and 5,000, are asked the same
questions in turns, so that a busy machine disturbs both alike:

- *sign-in*: a provider's answer becomes a stored person and a principal, from a cold directory (the write
  that notes the sign-in included; the provider itself and the pages are not). Once by the clock on the wall,
  and once by the processor time of the whole process, which other programs disturb less.
- *permission*: one tool judged, with the rights of a principal that has been here before: what every call
  costs. Of the same number of principals in both, so that the rules are compared and not caches.
- *rights*: what one principal may do, worked out from the rules: once after something changed.
- *groups*: every group somebody is in, through nested ones, for an application or a relying party. There are
  more of them where groups are nested deeper.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from gatekit.identity.directory import Directory
from gatekit.identity.mapping import Mapping
from gatekit.model.people import ExternalIdentity, Principal
from gatekit.model.rules import ByGroup, Rules, ServerRules, ToolRule
from gatekit.platform.clock import SystemClock, SystemEntropy
from gatekit.policy.engine import Policy
from gatekit.policy.stored import read_stored, with_stored
from gatekit.store.sql.store import SqlStore, open_store

SIZES = ((100, 5), (100_000, 5_000))
SIGN_INS = 4_000
CHECKS = 40_000
ASKING = 100
GROUPS_EACH = 3
CHILDREN = 8
"""Groups nested in one group, directly; 5,000 are five levels deep then."""
CONNECTION, ISSUER = "okta", "https://acme.okta.com"
NOW = 1_790_000_000


def fill(path: Path, people: int, groups: int) -> None:
    """Rows as sign-ins and administrators would have left them."""
    chance = random.Random(1)
    raw = sqlite3.connect(path)
    raw.executemany(
        "INSERT INTO groups VALUES (?, ?, '', 'local', '', ?, ?)",
        [(f"grp_{number}", f"g{number}", NOW, NOW) for number in range(groups)],
    )
    raw.executemany(
        "INSERT INTO group_nesting VALUES (?, ?, ?)",
        [(f"g{(number - 1) // CHILDREN}", f"g{number}", NOW) for number in range(1, groups)],
    )
    raw.executemany(
        "INSERT INTO users (id, connection, issuer, subject, username, login, email, email_verified, "
        "display_name, disabled, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, 0, ?, ?)",
        [
            (
                f"usr_{n}",
                CONNECTION,
                ISSUER,
                f"00u{n}",
                f"p{n}",
                f"p{n}",
                f"p{n}@example.com",
                f"P {n}",
                NOW,
                NOW,
            )
            for n in range(people)
        ],
    )
    raw.executemany(
        "INSERT INTO identities VALUES (?, ?, ?, ?, ?, ?, 1, ?, NULL, '')",
        [
            (f"usr_{n}", CONNECTION, ISSUER, f"00u{n}", f"p{n}", f"p{n}@example.com", NOW)
            for n in range(people)
        ],
    )
    raw.executemany(
        "INSERT INTO memberships VALUES (?, ?, ?)",
        [
            row
            for n in range(people)
            for row in (
                *((f"usr_{n}", f"g{g}", "local") for g in chance.sample(range(groups), GROUPS_EACH)),
                (f"usr_{n}", "Engineering", CONNECTION),
            )
        ],
    )
    raw.commit()
    raw.close()


class Installation:
    """One of the two."""

    def __init__(self, store: SqlStore, policy: Policy, people: int) -> None:
        self.people = people
        self.policy = policy
        self.directory = Directory(store.users, store.groups, store.identities)
        self.mapping = Mapping(
            store.users,
            store.groups,
            store.identities,
            clock=SystemClock(),
            entropy=SystemEntropy(),
            admits=policy.admits,
            forget=self.directory.forget,
        )
        self.signed_in: list[float] = []
        self.worked: list[float] = []
        self.checked: list[float] = []
        self.worked_out: list[float] = []
        self.listed: list[float] = []
        self.principals: list[Principal] = []

    async def sign_in(self, number: int) -> None:
        said = ExternalIdentity(
            connection=CONNECTION,
            issuer=ISSUER,
            subject=f"00u{number}",
            login=f"p{number}",
            email=f"p{number}@example.com",
            email_verified=True,
            display_name=f"P {number}",
            provider_groups=frozenset({"Engineering"}),
        )
        started, worked = time.perf_counter(), time.process_time()
        user = await self.mapping.admit(said)
        principal = await self.directory.principal(user.id)
        self.signed_in.append(time.perf_counter() - started)
        self.worked.append(time.process_time() - worked)
        assert principal is not None
        self.principals.append(principal)

    def check(self, principal: Principal) -> None:
        started = time.perf_counter()
        rights = self.policy.rights(principal)
        rights.decide("files", "tool", "read_file")
        self.worked_out.append(time.perf_counter() - started)
        started = time.perf_counter()
        for _ in range(10):
            rights.decide("files", "tool", "read_file")
        self.checked.append((time.perf_counter() - started) / 10)
        started = time.perf_counter()
        self.policy.groups(principal)
        self.listed.append(time.perf_counter() - started)


async def build(folder: Path, people: int, groups: int) -> tuple[SqlStore, Installation]:
    path = folder / f"{people}.db"
    store = await open_store(path)
    fill(path, people, groups)
    rules = Rules(
        servers=(
            ServerRules(
                server="files",
                allowed=(ByGroup("g0"),),
                tools=(ToolRule(glob="delete_*", allowed=(ByGroup("g1"),)),),
            ),
        )
    )
    started = time.perf_counter()
    policy = Policy.compile(with_stored(rules, await read_stored(store.groups)))
    took = 1000 * (time.perf_counter() - started)
    print(f"{people:>7} people, {groups:>5} groups: rules compiled in {took:.1f} ms")
    return store, Installation(store, policy, people)


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)]


def show(name: str, small: Sequence[float], large: Sequence[float], unit: float, word: str) -> None:
    measures: tuple[tuple[str, Callable[[Sequence[float]], float]], ...] = (
        ("p50", statistics.median),
        ("p95", lambda values: percentile(values, 0.95)),
    )
    for measure, of in measures:
        one, other = of(small) * unit, of(large) * unit
        print(
            f"{name:<11} {measure}  {one:8.2f} {word}  {other:8.2f} {word}  {100 * (other / one - 1):+6.1f} %"
        )


async def main() -> None:
    chance = random.Random(2)
    with tempfile.TemporaryDirectory() as folder:
        built = [await build(Path(folder), *size) for size in SIZES]
        small, large = (installation for _, installation in built)
        for round_ in range(SIGN_INS + 200):
            for one in (small, large) if round_ % 2 else (large, small):
                await one.sign_in(chance.randrange(one.people))
        for one in (small, large):
            del one.signed_in[:200], one.worked[:200]  # until everything is warm
        for round_ in range(CHECKS):
            for one in (small, large) if round_ % 2 else (large, small):
                one.check(one.principals[chance.randrange(-ASKING, 0)])
        print(f"{'':<16}{SIZES[0][0]:>11,} {SIZES[1][0]:>12,}")
        show("sign-in", small.signed_in, large.signed_in, 1e3, "ms")
        show("processor", small.worked, large.worked, 1e3, "ms")
        show("groups", small.listed, large.listed, 1e6, "µs")
        show("rights", small.worked_out, large.worked_out, 1e6, "µs")
        show("permission", small.checked, large.checked, 1e6, "µs")
        for store, _ in built:
            await store.close()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

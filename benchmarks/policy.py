"""What rules cost: a decision, a list, one person's rights, a changed file. Processor time, in one process.

usage: python -m benchmarks.policy
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gatekit.model.circumstances import Circumstances
from gatekit.model.people import Principal
from gatekit.model.rules import Anyone, ArgumentTest, ByGroup, ByLogin, Effect, Rule, Rules, ServerRules
from gatekit.policy.engine import Policy, Rights

COUNT = 1000
SERVERS = 10
TOOLS = [f"tool_{number}" for number in range(200)]
ROUNDS = 40
BUSY = Principal(
    id="u",
    username="u1",
    connection="local",
    login="u1",
    groups=frozenset(f"group_{number}" for number in range(20)),
)
"""In twenty groups, so that every rule but those about single people is about this person."""
LISTING = Circumstances(client_id="c", address="10.0.0.1", at=1.79e9, auth_time=1_790_000_000)
CALLING = Circumstances(
    client_id="c",
    address="10.0.0.1",
    at=1.79e9,
    auth_time=1_790_000_000,
    arguments={"path": "/srv/data/report.txt", "limit": 10},
)
_EFFECTS: tuple[Effect, ...] = ("allow", "deny", "deny", "ask")


def main() -> None:
    """Print the table."""
    print(f"{COUNT} rules, {SERVERS} servers, a person of 20 groups; least of {ROUNDS} rounds")
    print(f"a loop of 10,000 additions: {_least(_additions):.0f} µs, beside it")
    for arguments in (False, True):
        print(f"\n{'half of the rules look at arguments' if arguments else 'no rule looks at arguments'}")
        for title, microseconds in _measured(arguments):
            print(f"  {title:52} {microseconds:10.2f} µs")


def _measured(arguments: bool) -> list[tuple[str, float]]:
    rules = Rules(
        servers=tuple(ServerRules(server=f"s{n}", allowed=(Anyone(),)) for n in range(SERVERS)),
        rules=tuple(_rule(number, arguments) for number in range(COUNT)),
    )
    policy = Policy.compile(rules)
    rights = policy.rights(BUSY)
    rights.selected("s1", "tool", TOOLS, LISTING)
    return [
        ("compile all of it (once for each change)", _least(lambda: Policy.compile(rules), 5)),
        ("the rights of one person", _least(lambda: policy.rights(BUSY))),
        ("a decision, the name never asked for before", _fresh(rules, _decisions) / len(TOOLS)),
        ("a decision, the name new for this person", _new(policy, _decisions) / len(TOOLS)),
        ("a decision", _least(lambda: _decisions(rights)) / len(TOOLS)),
        ("a list of 200 tools, never asked for before", _fresh(rules, _listed)),
        ("a list of 200 tools, new for this person", _new(policy, _listed)),
        ("a list of 200 tools, again", _least(lambda: _listed(rights))),
    ]


def _rule(number: int, arguments: bool) -> Rule:
    effect = _EFFECTS[number % 4]
    globs = (f"tool_{number % 200}", f"drop_{number}_*", f"*_{number}")
    tested = arguments and number % 2
    return Rule(
        name=f"r{number}",
        effect=effect,
        who=(ByLogin("local", f"u{number}"),) if number % 5 == 0 else (ByGroup(f"group_{number % 20}"),),
        servers=(f"s{number % SERVERS}",) if number % 3 else ("s*",),
        names=(("tool", globs[number % 3]),),
        arguments=(ArgumentTest(pointer="/path", operator="matches", value=f"^/etc/{number}"),)
        if tested
        else (),
        approvers=(Anyone(),) if effect == "ask" else (),
    )


def _decisions(rights: Rights) -> None:
    for name in TOOLS:
        rights.decide("s1", "tool", name, CALLING)


def _listed(rights: Rights) -> None:
    rights.selected("s1", "tool", TOOLS, LISTING)


def _fresh(rules: Rules, ask: Callable[[Rights], Any]) -> float:
    """The first question that a new policy is asked."""
    found = []
    for _ in range(5):
        rights = Policy.compile(rules).rights(BUSY)
        found.append(_took(lambda: ask(rights)))  # noqa: B023 -- called at once
    return min(found)


def _new(policy: Policy, ask: Callable[[Rights], Any]) -> float:
    """The first question of one person, after somebody else had asked."""
    found = []
    for _ in range(ROUNDS):
        rights = policy.rights(BUSY)
        found.append(_took(lambda: ask(rights)))  # noqa: B023 -- called at once
    return min(found)


def _least(work: Callable[[], Any], rounds: int = ROUNDS) -> float:
    return min(_took(work) for _ in range(rounds))


def _took(work: Callable[[], Any]) -> float:
    began = time.process_time_ns()
    work()
    return (time.process_time_ns() - began) / 1000


def _additions() -> int:
    total = 0
    for number in range(10_000):
        total += number
    return total


if __name__ == "__main__":
    main()

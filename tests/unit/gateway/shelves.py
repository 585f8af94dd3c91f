"""Gateways over several servers of which a test says what they offer."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gatekit.model.rules import ByLogin, Rules, ServerRules
from gatekit.model.server import Server
from tests.unit.gateway.rig import CHILDREN, Rig, person

ALICE, BOB = ByLogin("local", "alice"), ByLogin("local", "bob")
Make = Callable[..., Rig]


def shelf(name: str, *, instances: Any = "session", **offer: Any) -> Server:
    """A server of ``tests/children/shelf.py``."""
    command = (sys.executable, "-S", "-E", str(CHILDREN / "shelf.py"), json.dumps({"name": name, **offer}))
    return Server(name=name, command=command, instances=instances)


def for_alice(*names: str) -> Rules:
    return Rules(servers=tuple(ServerRules(server=name, allowed=(ALICE,)) for name in names))


def rig_of(folder: Path, servers: Sequence[Server], rules: Rules | None = None, **more: Any) -> Rig:
    """A rig whose Alice may use all of ``servers`` unless ``rules`` say otherwise."""
    made = Rig(folder, servers, rules or for_alice(*(server.name for server in servers)), **more)
    made.door.give("alice", person("alice"))
    made.door.give("bob", person("bob"))
    return made

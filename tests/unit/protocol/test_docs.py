"""docs/protocol.md says what the tables do."""

from __future__ import annotations

import re
from pathlib import Path

from gatekit.gateway import tasks
from gatekit.protocol.era import lowering, stateless
from gatekit.protocol.methods import HANDSHAKE_VERSIONS, STATELESS_VERSIONS

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "protocol.md").read_text(encoding="utf-8")


def test_the_table_of_older_clients_is_the_table() -> None:
    rows = re.findall(r"^\| (20\d\d-\d\d-\d\d) \| (\w+) \| `(\w+)` \|$", TEXT, re.MULTILINE)
    assert rows == [(row.since, row.place, row.key) for row in lowering.KEYS]


def test_kinds_of_content_and_their_revisions() -> None:
    for kind, since in lowering.BLOCKS.items():
        assert f"`{kind}` before {since}" in TEXT


def test_every_revision_and_every_key_of_the_envelope_is_named() -> None:
    for version in (*HANDSHAKE_VERSIONS, *STATELESS_VERSIONS):
        assert version in TEXT
    for key in stateless._ENVELOPE:
        assert key.rpartition("/")[2] in TEXT


def test_methods_and_bounds_of_tasks() -> None:
    assert not [method for method in (*tasks.METHODS, tasks.LIST) if f"`{method}`" not in TEXT]
    assert f"{tasks._PER_OWNER:,} tasks" in TEXT
    assert (tasks.DEFAULT_LIFE, tasks.LONGEST_LIFE) == (86400, 7 * 86400)

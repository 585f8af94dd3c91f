"""The table against the official tables of both SDK packages."""

from __future__ import annotations

from typing import Any

import pytest
from mcp.shared.inbound import NAME_BEARING_METHODS
from mcp_types import methods as official
from mcp_types import version as official_version

from gatekit.errors import InvalidParams
from gatekit.protocol import methods
from gatekit.protocol.methods import METHODS, Target, spec, target

EXTENSIONS = {m for m in METHODS if m.startswith(("tasks/", "notifications/tasks"))}


def _eras(table: Any, method: str) -> set[str]:
    versions = {v for m, v in table if m == method}
    handshake = {"handshake"} if versions & set(methods.HANDSHAKE_VERSIONS) else set()
    return handshake | ({"stateless"} if versions & set(methods.STATELESS_VERSIONS) else set())


def test_versions() -> None:
    assert methods.HANDSHAKE_VERSIONS == official_version.HANDSHAKE_PROTOCOL_VERSIONS
    assert methods.STATELESS_VERSIONS == official_version.MODERN_PROTOCOL_VERSIONS
    assert methods.LATEST_HANDSHAKE == official_version.LATEST_HANDSHAKE_VERSION
    assert methods.LATEST_STATELESS == official_version.LATEST_MODERN_VERSION


def test_every_official_method_is_listed_with_its_eras() -> None:
    tables = (
        official.CLIENT_REQUESTS,
        official.SERVER_REQUESTS,
        official.CLIENT_NOTIFICATIONS,
        official.SERVER_NOTIFICATIONS,
    )
    names = {method for table in tables for method, _ in table}
    assert names == set(METHODS) - EXTENSIONS
    for name in names:
        assert set().union(*(_eras(table, name) for table in tables)) == set(METHODS[name].eras), name


TASKS_CORE = {
    "tasks/get",
    "tasks/cancel",
    "tasks/result",
    "tasks/list",
    "notifications/tasks/status",
}


@pytest.mark.parametrize("version", methods.ALL_VERSIONS)
def test_each_revision_knows_exactly_its_methods(version: str) -> None:
    """Method, direction and whether it is a notification, revision by revision."""
    of_client, of_server = ("client", "both"), ("server", "both")
    for table, directions, notification in (
        (official.CLIENT_REQUESTS, of_client, False),
        (official.SERVER_REQUESTS, of_server, False),
        (official.CLIENT_NOTIFICATIONS, of_client, True),
        (official.SERVER_NOTIFICATIONS, of_server, True),
    ):
        theirs = {m for m, v in table if v == version}
        ours = {
            m
            for m, row in METHODS.items()
            if row.known_in(version) and row.direction in directions and row.notification is notification
        } - EXTENSIONS
        # 2026-07-28 has progress in one direction only; the table keeps one row for both eras.
        if version in methods.STATELESS_VERSIONS and directions == of_client and notification:
            ours.discard("notifications/progress")
        assert ours == theirs, (version, directions, notification)


def test_tasks_are_known_where_they_are_specified() -> None:
    """The official maps leave tasks out: core in 2025-11-25 only, an extension in 2026-07-28."""
    assert {m for m in EXTENSIONS if METHODS[m].known_in("2025-11-25")} == TASKS_CORE
    assert {m for m in EXTENSIONS if METHODS[m].known_in("2026-07-28")} == {
        "tasks/get",
        "tasks/cancel",
        "tasks/update",
        "notifications/tasks",
    }
    assert not [m for m in EXTENSIONS if METHODS[m].known_in("2025-06-18")]


def test_directions() -> None:
    from_client = {m for t in (official.CLIENT_REQUESTS, official.CLIENT_NOTIFICATIONS) for m, _ in t}
    from_server = {m for t in (official.SERVER_REQUESTS, official.SERVER_NOTIFICATIONS) for m, _ in t}
    for name in set(METHODS) - EXTENSIONS:
        expected = {(True, False): "client", (False, True): "server", (True, True): "both"}
        assert METHODS[name].direction == expected[name in from_client, name in from_server], name


def test_cacheable_askable_and_mirrored_methods() -> None:
    assert {m for m, row in METHODS.items() if row.cacheable} == set(official.CACHEABLE_METHODS)
    assert {m for m, row in METHODS.items() if row.may_ask} == set(official.INPUT_REQUIRED_METHODS)
    mirrored = {m: row.name_key for m, row in METHODS.items() if row.mirrored and m not in EXTENSIONS}
    assert mirrored == dict(NAME_BEARING_METHODS)


def test_list_keys_are_those_of_the_official_results() -> None:
    for name, row in METHODS.items():
        if row.list_key and name not in EXTENSIONS:
            official.validate_server_result(name, methods.LATEST_HANDSHAKE, {row.list_key: []})


def test_an_unknown_method_passes_through_under_its_server() -> None:
    row = spec("vendor/thing")
    assert (row.known, row.permission, row.notification) == (False, "server", False)
    assert spec("notifications/vendor").notification


@pytest.mark.parametrize(
    ("method", "params", "expected"),
    [
        ("tools/call", {"name": "t"}, Target("tool", "t")),
        ("prompts/get", {"name": "p"}, Target("prompt", "p")),
        ("resources/read", {"uri": "u:x"}, Target("resource", "u:x")),
        ("resources/subscribe", {"uri": "u:x"}, Target("resource", "u:x")),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "p"}}, Target("prompt", "p")),
        (
            "completion/complete",
            {"ref": {"type": "ref/resource", "uri": "u:{x}"}},
            Target("resource", "u:{x}"),
        ),
        ("tools/list", {}, Target("server")),
        ("ping", {}, Target("none")),
        ("vendor/thing", {"name": "t"}, Target("server")),
    ],
)
def test_target(method: str, params: dict[str, Any], expected: Target) -> None:
    assert target(method, params) == expected


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/call", {}),
        ("tools/call", {"name": 3}),
        ("tools/call", {"name": ""}),
        ("tools/call", {"name": ["t"]}),
        ("resources/read", {"name": "t"}),
        ("completion/complete", {}),
        ("completion/complete", {"ref": {"type": "ref/tool", "name": "t"}}),
        ("completion/complete", {"ref": {"type": "ref/prompt", "uri": "t"}}),
    ],
)
def test_what_names_nothing_cannot_be_judged(method: str, params: dict[str, Any]) -> None:
    with pytest.raises(InvalidParams):
        target(method, params)


def test_at_least_orders_known_revisions_only() -> None:
    assert methods.at_least("2025-06-18", "2025-06-18")
    assert methods.at_least("2026-07-28", "2024-11-05")
    assert not methods.at_least("2025-03-26", "2025-06-18")
    assert not methods.at_least("9999-01-01", "2025-06-18")
    assert not methods.at_least("2025-06-18", "2024-10-07")

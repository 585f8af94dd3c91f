"""docs/audit.md names every event, field and fixed value, and nothing that does not exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import msgspec
import pytest

from gatekit.model.audit import AnyAuditEvent, AuditEvent

TEXT = (Path(__file__).parents[3] / "docs" / "audit.md").read_text()
EVENTS: dict[str, type[AuditEvent]] = {
    str(event.__struct_config__.tag): event for event in get_args(AnyAuditEvent)
}
SECTIONS = {
    match[1]: match[2] for match in re.finditer(r"^### `(\w+)`\n(.*?)(?=^### |\Z)", TEXT, re.M | re.S)
}
COMMON = {field.name for field in msgspec.structs.fields(AuditEvent)}


def test_every_event_has_a_section_and_every_section_an_event() -> None:
    assert set(SECTIONS) == set(EVENTS)


def test_the_closed_set_is_complete() -> None:
    assert set(EVENTS.values()) == set(AuditEvent.__subclasses__())


def test_common_fields() -> None:
    part = TEXT.split("## Fields of every record")[1].split("## ")[0]
    named = set(re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\|(.*?)\|", part, re.M))))
    assert named == COMMON | {"event", "seq", "writer", "prev", "hash"}


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_fields_and_values_of_an_event(name: str) -> None:
    words = set(re.findall(r"`([a-z_]+)`", SECTIONS[name]))
    own = {field.name for field in msgspec.structs.fields(EVENTS[name])} - COMMON
    values = {
        value
        for field, kind in get_type_hints(EVENTS[name]).items()
        if get_origin(kind) is Literal and field in own
        for value in get_args(kind)
    }
    assert own | values <= words, f"not documented: {sorted((own | values) - words)}"

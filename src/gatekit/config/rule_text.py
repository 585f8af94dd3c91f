"""A single rule as text, with the keys and units of the file; and what the file has for it to be about."""

from __future__ import annotations

from typing import Any

import msgspec

from gatekit.config import document as doc
from gatekit.config.fields import Place, read_section
from gatekit.config.model import Config
from gatekit.config.rules_schema import RuleIn
from gatekit.errors import ConfigError
from gatekit.policy.written import Known, Written, written_from


def read_rule(text: str, file: str = "rule") -> Written:
    """YAML (or JSON). A name in it counts for nothing: the command says how the rule is called.

    Raises ``ConfigError``, ``InvalidInput``.
    """
    document = doc.read(text)
    found = None
    if isinstance(document.data, dict) and not document.faults:
        place = Place(document, (), frozenset(), lambda _: "unknown key")
        found = read_section(RuleIn, {"name": "rule", **document.data}, place)
    if found is None or document.faults:
        raise ConfigError([fault.render(file) for fault in document.faults] or [f"{file}: is no rule"])
    return written_from(_plain(found))


def rule_as_text(written: Written) -> dict[str, Any]:
    """Only what is said, for people to read and to write back."""
    plain = msgspec.to_builtins(written)
    assert isinstance(plain, dict)
    return plain


def known_of(config: Config) -> Known:
    """What rules that are made at run time may be about."""
    issuers = [entry.name for entry in (*config.auth.connections, *config.assertions)]
    return Known(
        servers=frozenset(entry.server for entry in config.rules.servers + config.rules.resources),
        connections=frozenset(issuers + ([config.external.name] if config.external else [])),
        groups=frozenset(name for name, _ in config.rules.groups),
    )


def _plain(rule: RuleIn) -> dict[str, Any]:
    plain = msgspec.to_builtins(rule)
    return {key: value for key, value in _said(plain).items() if key != "name"}


def _said(value: dict[str, Any]) -> dict[str, Any]:
    """Without keys that were not written."""
    return {
        key: _said(item) if isinstance(item, dict) else item
        for key, item in value.items()
        if item is not None
    }

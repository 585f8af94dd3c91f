"""Connections for people: secrets masked, what is left as it is by itself left out."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from gatekit.config.model import Connection
from gatekit.model.connections import ConnectionRules
from gatekit.model.factors import LocalFactors

MASK = "***"
_SECRET = re.compile(r"secret|password|key|token", re.IGNORECASE)


def shown_connection(connection: Connection) -> dict[str, Any]:
    """In the words of the file, as far as they differ from the struct's that is for the better."""
    shown: dict[str, Any] = {"type": connection.kind}
    for name in connection.__struct_fields__:
        value = getattr(connection, name)
        if name in ("kind", "name", "rules") or value is None:
            continue
        if isinstance(value, LocalFactors):
            shown |= _factors(value)
            continue
        if isinstance(value, msgspec.Struct):
            value = msgspec.structs.asdict(value)
        if _SECRET.search(name) and value:
            value = MASK
        if isinstance(value, str) and value.startswith("<"):
            value = "(a document)"  # SAML metadata, which may have hundreds of lines
        shown[name] = list(value) if isinstance(value, tuple) else value
    return shown | _rules(connection.rules)


def _factors(factors: LocalFactors) -> dict[str, Any]:
    usual = msgspec.structs.asdict(LocalFactors())
    return {key: value for key, value in msgspec.structs.asdict(factors).items() if value != usual[key]}


def _rules(rules: ConnectionRules) -> dict[str, Any]:
    facts = {
        "enabled": None if rules.enabled else False,
        "domains": list(rules.domains),
        "admit": {
            name: list(values) for name, values in msgspec.structs.asdict(rules.admit).items() if values
        },
        "create": None if rules.create else False,
        "link": rules.link or None,
        "trusted_domains": list(rules.trusted_domains),
        "map": {name: value for name, value in msgspec.structs.asdict(rules.names).items() if value},
        "groups": {
            **({"map": dict(rules.groups.mapped)} if rules.groups.mapped else {}),
            **({} if rules.groups.keep else {"keep": False}),
        },
        "provisioning": rules.provisioning
        and {"token": MASK if rules.provisioning.token else "none", "match": rules.provisioning.match},
        "ssf": rules.signals and msgspec.structs.asdict(rules.signals),
    }
    return {key: value for key, value in facts.items() if value not in (None, [], {})}

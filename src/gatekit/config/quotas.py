"""``quotas`` in the file: how much of what may be used, by whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Struct

from gatekit.config import document as doc
from gatekit.config.fields import Flag, Misfit, OneOf, Place, Section, Text, Texts, Whole
from gatekit.config.rulebook import Rulebook
from gatekit.config.rules_schema import RuleIn
from gatekit.config.units import seconds, show_seconds, show_size, size
from gatekit.model.rules import Allowance, Per, Quota

TOP = "quotas"
_LEAST, _MOST = 1.0, 31 * 86400.0
_CALLS, _BYTES = 1_000_000_000, 1024**5
Names = tuple[str, ...]


class PerTime(Struct, frozen=True):
    """So much in a time: ``100/1m``; with ``sized``, ``20MB/1h``."""

    sized: bool = False
    placeholder: Allowance = Allowance(1, _LEAST)

    def read(self, value: Any, place: Place) -> Any:
        example = "20MB/1h" if self.sized else "100/1m"
        amount, slash, span = value.partition("/") if isinstance(value, str) else ("", "", "")
        try:
            found = Allowance(self._amount(amount.strip()), seconds(span.strip())) if slash else None
        except ValueError:
            found = None
        if found is None:
            place.expected(f"so much in a time, like {example}", value)
        elif not 1 <= found.amount <= (_BYTES if self.sized else _CALLS):
            place.fault(f"must be at least 1 and no more than {_BYTES if self.sized else _CALLS}")
        elif not _LEAST <= found.seconds <= _MOST:
            place.fault(f"the time must be from {show_seconds(_LEAST)} to {show_seconds(_MOST)}")
        else:
            return found
        return Misfit

    def _amount(self, text: str) -> int:
        return size(text) if self.sized else int(text)


class QuotaIn(Section, frozen=True, kw_only=True):
    name: Annotated[str, Text()]
    who: Annotated[Names | None, Texts()] = None
    unless: Annotated[Names, Texts()] = ()
    roles: Annotated[Names, Texts()] = ()
    clients: Annotated[Names, Texts()] = ()
    servers: Annotated[Names, Texts()] = ()
    tools: Annotated[Names, Texts()] = ()
    prompts: Annotated[Names, Texts()] = ()
    resources: Annotated[Names, Texts()] = ()
    per: Annotated[Per, OneOf(("person", "client", "all"))] = "person"
    calls: Annotated[Allowance | None, PerTime()] = None
    bytes_in: Annotated[Allowance | None, PerTime(sized=True)] = None
    bytes_out: Annotated[Allowance | None, PerTime(sized=True)] = None
    at_once: Annotated[int | None, Whole(1, 1_000_000)] = None
    shadow: Annotated[bool, Flag()] = False


class Quotabook(Rulebook):
    """Resolves the quotas of one file. Whom and what they are about is read as it is in ``rules``."""

    top, word = TOP, "quota"

    def quotas(self, written: Sequence[QuotaIn]) -> tuple[Quota, ...]:
        """Everything in the order of the file."""
        return tuple(self._quota(entry, (TOP, index)) for index, entry in enumerate(written))

    def _quota(self, entry: QuotaIn, path: doc.Path) -> Quota:
        limits = (entry.calls, entry.bytes_in, entry.bytes_out, entry.at_once)
        if all(limit is None for limit in limits) and not self._document.faulty(path):
            self._document.fault(path, "limits nothing; write calls, bytes_in, bytes_out or at_once")
        selected = RuleIn(
            name=entry.name,
            effect="deny",
            who=entry.who,
            unless=entry.unless,
            roles=entry.roles,
            clients=entry.clients,
            servers=entry.servers,
            tools=entry.tools,
            prompts=entry.prompts,
            resources=entry.resources,
            shadow=entry.shadow,
        )
        return Quota(
            rule=self._one(selected, path),
            per=entry.per,
            calls=entry.calls,
            bytes_in=entry.bytes_in,
            bytes_out=entry.bytes_out,
            at_once=entry.at_once or 0,
        )


def shown_quota(quota: Quota) -> dict[str, Any]:
    """Plain data in the shape of the file, without whom and what it is about."""
    shown: dict[str, Any] = {"name": quota.name, "per": quota.per}
    for key, allowance, text in (
        ("calls", quota.calls, str),
        ("bytes_in", quota.bytes_in, show_size),
        ("bytes_out", quota.bytes_out, show_size),
    ):
        if allowance is not None:
            shown[key] = f"{text(allowance.amount)}/{show_seconds(allowance.seconds)}"
    if quota.at_once:
        shown["at_once"] = quota.at_once
    return shown | ({"shadow": True} if quota.rule.shadow else {})

"""``quotas`` as an operator writes them."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Struct

from gatekit.config.fields import Flag, Misfit, OneOf, Place, Section, Text, Texts, Whole
from gatekit.config.units import seconds, show_seconds, size
from gatekit.model.rules import Allowance, Per

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

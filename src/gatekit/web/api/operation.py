"""What an operation of the interface is: a row of the table, and the words that all rows share."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Generic, Literal, TypeVar

from msgspec import Meta, Struct
from msgspec.structs import replace

from gatekit.admin.desk import Actor
from gatekit.admin.permissions import Permission
from gatekit.errors import NotAcceptable
from gatekit.model.admin_keys import AdminKey
from gatekit.web.api.desks import Desks

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Item = TypeVar("Item")
Row = TypeVar("Row")

MAX_PAGE = 500
PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
"""Of texts that are shown to others: no control characters."""

Limit = Annotated[int, Meta(ge=1, le=MAX_PAGE, description="How many at most.")]
Cursor = Annotated[
    str, Meta(max_length=1024, description="`next_cursor` of the page before; the same filters go with it.")
]


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


class Paged(Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of every list."""

    limit: Limit = 50
    cursor: Cursor = ""


class Page(Struct, Generic[Item], frozen=True):
    """One page of a list. `next_cursor` is null on the last one."""

    items: tuple[Item, ...]
    next_cursor: str | None = None


class Wanted(Struct, frozen=True):
    """One request that was let in, checked against its row of the table."""

    actor: Actor
    path: Mapping[str, str]
    """Values of the places in the path."""
    query: Any
    """An instance of ``Operation.query``."""
    body: Any
    """An instance of ``Operation.body``; None if there is none."""
    key: AdminKey
    """The one that asks."""

    @property
    def looking(self) -> Wanted:
        """The same, to see what it is about: whoever may change a thing sees what it became, whatever the
        scopes of the key say about looking at others."""
        return replace(self, actor=replace(self.actor, scopes=None))

    def __getitem__(self, place: str) -> str:
        return self.path[place]


Run = Callable[[Desks, Wanted], Awaitable[Any]]


class Operation(Struct, frozen=True, kw_only=True):
    """A row. ``name`` is the operationId (``noun.verb``)."""

    name: str
    method: Method
    path: str
    """Below ``/api/v1``; places as ``{name}``, or ``{name:path}`` where a name may hold a slash."""
    permission: Permission | None
    """None: whatever good key there is."""
    summary: str
    run: Run
    query: type[Struct] = Nothing
    body: type[Struct] | None = None
    answer: Any = None
    """Type of the answer; None: there is none (204)."""
    status: int = 200
    current: Run | None = None
    """What the thing looks like now, for ``If-Match``; None: it has no state that could be changed."""
    tagged: bool = False
    """The answer is such a state, and carries an ``ETag``."""

    @property
    def noun(self) -> str:
        return self.name.partition(".")[0]

    @property
    def changes(self) -> bool:
        return self.method != "GET"


def paged(
    rows: Sequence[Row], query: Paged, key: Callable[[Row], str], show: Callable[[Row], Item]
) -> Page[Item]:
    """One page of ``rows``, which are sorted by ``key``. Raises ``NotAcceptable`` for a made-up cursor."""
    start = bisect_right(rows, uncursor(query.cursor), key=key) if query.cursor else 0
    chosen = rows[start : start + query.limit]
    more = start + query.limit < len(rows)
    return Page(tuple(show(row) for row in chosen), cursor(key(chosen[-1])) if more else None)


def next_page(
    rows: Sequence[Row], query: Paged, key: Callable[[Row], str], show: Callable[[Row], Item]
) -> Page[Item]:
    """One page of ``rows``: those after ``after_of(query)``, and one more than was asked for if there is."""
    shown = rows[: query.limit]
    more = len(rows) > query.limit
    return Page(tuple(show(row) for row in shown), cursor(key(shown[-1])) if more else None)


def after_of(query: Paged) -> str:
    """The key that the page before ended with. Raises ``NotAcceptable``."""
    return uncursor(query.cursor) if query.cursor else ""


def cursor(key: str) -> str:
    """Opaque on purpose: what it says may change."""
    return base64.urlsafe_b64encode(key.encode()).rstrip(b"=").decode()


def uncursor(text: str) -> str:
    """Raises ``NotAcceptable``."""
    try:
        data = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
        return data.decode()
    except (ValueError, binascii.Error):
        raise NotAcceptable("the cursor is not one of ours") from None

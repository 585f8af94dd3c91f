"""API keys of people, and admin keys."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from gatekit.admin.admin_keys import AdminKeyView
from gatekit.admin.keys import DEFAULT_SECONDS, MAX_SECONDS, KeyView
from gatekit.web.api.desks import Desks
from gatekit.web.api.operation import Operation, Page, Paged, Wanted, after_of, next_page, paged
from gatekit.web.api.times import maybe, moment

State = Literal["active", "expired", "revoked"]


class KeyQuery(Paged, frozen=True, forbid_unknown_fields=True):
    owner: Annotated[str, Meta(max_length=200, description="Username.")] = ""
    state: State | None = None


class NewKey(Struct, frozen=True, forbid_unknown_fields=True):
    """An API key for a client that cannot do OAuth."""

    owner: Annotated[str, Meta(min_length=1, max_length=200, description="Username.")]
    name: Annotated[str, Meta(min_length=1, max_length=100, description="What it is for.")]
    servers: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...],
        Meta(max_length=200, description="Servers it opens; empty: every server its owner may use."),
    ] = ()
    read_only: Annotated[bool, Meta(description="It lists and reads, and calls no tool.")] = False
    valid_for: Annotated[int, Meta(ge=1, le=MAX_SECONDS, description="Seconds.")] = DEFAULT_SECONDS


class Key(Struct, frozen=True):
    """An API key, without its secret."""

    id: str
    owner: str
    name: str
    hint: Annotated[str, Meta(description="The last four characters of the secret.")]
    servers: tuple[str, ...]
    read_only: bool
    state: State
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


class KeyPage(Page[Key], frozen=True):
    """One page."""


class MadeKey(Struct, frozen=True):
    """`token` is shown this once."""

    token: str
    key: Key


class AdminKey(Struct, frozen=True):
    """An admin key, without its secret."""

    id: str
    owner: str
    name: str
    hint: Annotated[str, Meta(description="The last four characters of the secret.")]
    scopes: tuple[str, ...]
    addresses: Annotated[tuple[str, ...], Meta(description="Networks it may be used from; empty: any.")]
    state: State
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


class AdminKeyPage(Page[AdminKey], frozen=True):
    """One page."""


def key_out(view: KeyView) -> Key:
    key = view.key
    return Key(
        id=key.id,
        owner=view.owner,
        name=key.name,
        hint=key.hint,
        servers=key.servers,
        read_only=key.read_only,
        state=view.state,
        created_at=moment(key.created_at),
        expires_at=moment(key.expires_at),
        revoked_at=maybe(key.revoked_at),
        last_used_at=maybe(key.last_used_at),
    )


def admin_key_out(view: AdminKeyView) -> AdminKey:
    key = view.key
    return AdminKey(
        id=key.id,
        owner=view.owner,
        name=key.name,
        hint=key.hint,
        scopes=key.scopes,
        addresses=key.addresses,
        state=view.state,
        created_at=moment(key.created_at),
        expires_at=moment(key.expires_at),
        revoked_at=maybe(key.revoked_at),
        last_used_at=maybe(key.last_used_at),
    )


async def _list(desks: Desks, wanted: Wanted) -> Page[Key]:
    query: KeyQuery = wanted.query
    views = await desks.keys.page(
        wanted.actor,
        query.owner or None,
        state=query.state or "",
        after=after_of(query),
        limit=query.limit + 1,
    )
    return next_page(views, query, _key_id, key_out)


async def _create(desks: Desks, wanted: Wanted) -> MadeKey:
    new: NewKey = wanted.body
    issued = await desks.keys.create(
        wanted.actor,
        new.owner,
        name=new.name,
        servers=new.servers,
        valid_for=new.valid_for,
        read_only=new.read_only,
        known_servers=[server.name for server in desks.servers()],
    )
    return MadeKey(issued.token, key_out(KeyView(issued.key, issued.owner, "active")))


async def _show(desks: Desks, wanted: Wanted) -> Key:
    return key_out(await desks.keys.show(wanted.actor, wanted["id"]))


async def _revoke(desks: Desks, wanted: Wanted) -> None:
    await desks.keys.revoke(wanted.actor, wanted["id"])


async def _list_admin(desks: Desks, wanted: Wanted) -> Page[AdminKey]:
    query: KeyQuery = wanted.query
    views = await desks.admin_keys.list(wanted.actor, query.owner or None)
    fitting = [view for view in views if query.state in (None, view.state)]
    return paged(sorted(fitting, key=_admin_key_id), query, _admin_key_id, admin_key_out)


async def _show_admin(desks: Desks, wanted: Wanted) -> AdminKey:
    return admin_key_out(await desks.admin_keys.show(wanted.actor, wanted["id"]))


async def _revoke_admin(desks: Desks, wanted: Wanted) -> None:
    await desks.admin_keys.revoke(wanted.actor, wanted["id"])


def _key_id(view: KeyView) -> str:
    return view.key.id


def _admin_key_id(view: AdminKeyView) -> str:
    return view.key.id


OPERATIONS = (
    Operation(
        name="keys.list",
        method="GET",
        path="/keys",
        permission="keys:read",
        summary="API keys, oldest first",
        query=KeyQuery,
        answer=KeyPage,
        run=_list,
    ),
    Operation(
        name="keys.create",
        method="POST",
        path="/keys",
        permission="keys:write",
        summary="Make an API key for somebody",
        body=NewKey,
        answer=MadeKey,
        status=201,
        run=_create,
    ),
    Operation(
        name="keys.get",
        method="GET",
        path="/keys/{id}",
        permission="keys:read",
        summary="One API key",
        answer=Key,
        tagged=True,
        run=_show,
    ),
    Operation(
        name="keys.revoke",
        method="DELETE",
        path="/keys/{id}",
        permission="keys:write",
        summary="End an API key at once and for good",
        run=_revoke,
        current=_show,
    ),
    Operation(
        name="admin_keys.list",
        method="GET",
        path="/admin-keys",
        permission="admin_keys:read",
        summary="Admin keys, oldest first; they are made at the command line only",
        query=KeyQuery,
        answer=AdminKeyPage,
        run=_list_admin,
    ),
    Operation(
        name="admin_keys.get",
        method="GET",
        path="/admin-keys/{id}",
        permission="admin_keys:read",
        summary="One admin key",
        answer=AdminKey,
        tagged=True,
        run=_show_admin,
    ),
    Operation(
        name="admin_keys.revoke",
        method="DELETE",
        path="/admin-keys/{id}",
        permission="admin_keys:write",
        summary="End an admin key at once and for good, also the one that asks",
        run=_revoke_admin,
        current=_show_admin,
    ),
)

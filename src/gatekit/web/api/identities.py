"""In which ways a person signs in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from gatekit.model.people import Identity as StoredIdentity
from gatekit.web.api.desks import Desks
from gatekit.web.api.operation import PRINTABLE, Operation, Page, Paged, Wanted, paged
from gatekit.web.api.people import PERSON
from gatekit.web.api.times import maybe, moment

Printable = Annotated[str, Meta(min_length=1, max_length=255, pattern=PRINTABLE)]


class NewIdentity(Struct, frozen=True, forbid_unknown_fields=True):
    """Whoever the provider calls `subject` signs in as this person from then on."""

    connection: Annotated[str, Meta(min_length=1, max_length=64)]
    issuer: Printable
    subject: Printable
    login: Annotated[str, Meta(max_length=255, pattern=PRINTABLE)] = ""


class Identity(Struct, frozen=True):
    """One way of signing in."""

    connection: str
    issuer: str
    subject: str
    login: str
    email: str | None
    email_verified: bool
    created_at: datetime
    last_seen_at: datetime | None


class IdentityPage(Page[Identity], frozen=True):
    """One page."""


def _out(row: StoredIdentity) -> Identity:
    return Identity(
        connection=row.connection,
        issuer=row.issuer,
        subject=row.subject,
        login=row.login,
        email=row.email,
        email_verified=row.email_verified,
        created_at=moment(row.created_at),
        last_seen_at=maybe(row.last_seen_at),
    )


def _key(row: StoredIdentity) -> str:
    return f"{row.connection}\n{row.issuer}\n{row.subject}"


async def _list(desks: Desks, wanted: Wanted) -> Page[Identity]:
    rows = sorted(await desks.identities.list(wanted.actor, wanted["username"]), key=_key)
    return paged(rows, wanted.query, _key, _out)


async def _link(desks: Desks, wanted: Wanted) -> Identity:
    new: NewIdentity = wanted.body
    row = await desks.identities.link(
        wanted.actor,
        wanted["username"],
        connection=new.connection,
        issuer=new.issuer,
        subject=new.subject,
        login=new.login,
    )
    return _out(row)


class MergeInto(Struct, frozen=True, forbid_unknown_fields=True):
    """Who it is as well."""

    into: Annotated[str, Meta(min_length=1, max_length=64, pattern=PRINTABLE)]


class Merged(Struct, frozen=True):
    """How much moved."""

    into: str
    identities: int
    groups: int
    grants: int
    keys: int


async def _merge(desks: Desks, wanted: Wanted) -> Merged:
    change: MergeInto = wanted.body
    moved = await desks.merging.merge(wanted.actor, wanted["username"], change.into)
    return Merged(change.into, moved.identities, moved.groups, moved.grants, moved.keys)


async def _unlink(desks: Desks, wanted: Wanted) -> None:
    await desks.identities.unlink(wanted.actor, wanted["username"], wanted["connection"])


OPERATIONS = (
    Operation(
        name="people.identities",
        method="GET",
        path=f"{PERSON}/identities",
        permission="people:read",
        summary="In which ways a person signs in",
        query=Paged,
        answer=IdentityPage,
        run=_list,
    ),
    Operation(
        name="people.link",
        method="POST",
        path=f"{PERSON}/identities",
        permission="people:write",
        summary="Let somebody at a provider sign in as this person",
        body=NewIdentity,
        answer=Identity,
        status=201,
        run=_link,
    ),
    Operation(
        name="people.merge",
        method="POST",
        path=f"{PERSON}/merge",
        permission="people:write",
        summary="Make this person part of another one, who it is as well; not to be undone but by unlinking",
        body=MergeInto,
        answer=Merged,
        run=_merge,
    ),
    Operation(
        name="people.unlink",
        method="DELETE",
        path=f"{PERSON}/identities/{{connection}}",
        permission="people:write",
        summary="Take a person's ways in by one connection away; the last one stays",
        run=_unlink,
    ),
)

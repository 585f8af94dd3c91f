"""What is stored of a person or a group ↔ a SCIM resource."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from gatekit.errors import ScimValue
from gatekit.model.people import Group, User
from gatekit.model.provisioning import Account, Provisioned, ProvisionedGroup

Resource = dict[str, Any]

MAX_NAME = 256
MAX_BODY = 64 * 1024
"""Of what is kept of one person."""
_ADDRESS = re.compile(r"[^\s@:/*?,;<>\"'\x00-\x1f\x7f]{1,64}@[^\s@:/*?,;<>\"'_\x00-\x1f\x7f]{1,190}")
_APART = ("userName", "externalId", "active")
"""What has a column of its own."""


def etag(version: int) -> str:
    """RFC 7644 §3.14."""
    return f'W/"{version}"'


def folded(user_name: str) -> str:
    """``userName`` is not case exact (RFC 7643 §4.1.1), so names that differ in case only are one."""
    return user_name.strip().casefold()


def address(resource: Resource) -> str | None:
    """The e-mail address that stands for the others: the primary one, one for work, any that can be one."""
    emails = [email for email in resource.get("emails", []) if _ADDRESS.fullmatch(email.get("value", ""))]
    emails.sort(
        key=lambda email: (email.get("primary") is not True, str(email.get("type")).lower() != "work")
    )
    return str(emails[0]["value"]) if emails else None


def display_name(resource: Resource) -> str:
    name = resource.get("name", {})
    whole = " ".join(name[part] for part in ("givenName", "familyName") if name.get(part))
    chosen = str(resource.get("displayName") or name.get("formatted") or whole)
    return "".join(letter for letter in chosen if letter.isprintable())[:MAX_NAME]


def account_of(resource: Resource, before: Account) -> Account:
    """``before`` with what the resource says. Raise ``ScimValue``.

    Without ``active`` it stays as it was: nobody comes back because a client left something out. That it is
    unassigned (RFC 7643 §2.5) is kept in the body, as null.
    """
    user_name = str(resource["userName"])
    _check_name("userName", user_name)
    external_id = str(resource.get("externalId", ""))
    if len(external_id) > MAX_NAME:
        raise ScimValue(f"externalId may have {MAX_NAME} characters")
    attributes = {key: value for key, value in resource.items() if key not in _APART}
    if "active" not in resource and before.user_name:
        attributes["active"] = None
    body = msgspec.json.encode(attributes, order="deterministic").decode()
    if len(body) > MAX_BODY:
        raise ScimValue(f"the attributes of a user may have {MAX_BODY} characters")
    return replace(
        before,
        user_name=user_name,
        user_key=folded(user_name),
        external_id=external_id,
        active=bool(resource.get("active", before.active)),
        body=body,
    )


def adopted(user: User, name: str) -> Account:
    """The account of somebody who came by signing in, before their provider has said anything by SCIM."""
    resource: Resource = {"userName": name}
    if user.display_name:
        resource["displayName"] = user.display_name
    if user.email:
        resource["emails"] = [{"value": user.email, "type": "work", "primary": True}]
    made = Account(
        user_id=user.id,
        connection=user.connection,
        user_name=name,
        user_key=folded(name),
        created_at=user.created_at,
        updated_at=user.updated_at,
    )
    return account_of(resource, made)


def facts(user: User, before: Account | None, after: Account, *, claimed: bool) -> User:
    """The row with what provisioning may say about a person.

    An address counts as verified only when the provider has said so at a sign-in. Somebody who has signed in
    (``claimed``) keeps login and address as the sign-in had them, unless they were those provisioned before:
    then a change here is a change of the same fact.
    """
    said, had = stored(after), stored(before) if before is not None else {}
    changed = replace(user, display_name=display_name(said) or user.display_name)
    if not claimed or (before is not None and folded(user.login) == before.user_key):
        changed = replace(changed, login=after.user_name)
    if (not claimed or user.email == address(had)) and (email := address(said)) != user.email:
        changed = replace(changed, email=email, email_verified=False)
    return changed


def stored(account: Account) -> Resource:
    """The resource as it was stored: what a patch works on."""
    resource: Resource = {
        "userName": account.user_name,
        "active": account.active,
        **msgspec.json.decode(account.body),
    }
    if account.external_id:
        resource["externalId"] = account.external_id
    return {name: value for name, value in resource.items() if value is not None}


def user_resource(found: Provisioned, groups: Sequence[Group], base: str) -> Resource:
    """As a client sees it. ``base``: the address under which all resources lie."""
    account = found.account
    resource: Resource = {"id": found.user.id, **stored(account)}
    location = f"{base}/Users/{found.user.id}"
    resource["meta"] = _meta("User", account.created_at, account.updated_at, location, account.version)
    return with_groups(resource, groups, base)


def with_groups(resource: Resource, groups: Sequence[Group], base: str) -> Resource:
    if not groups:
        return resource
    shown = [
        {"value": group.id, "$ref": f"{base}/Groups/{group.id}", "display": group.name, "type": "direct"}
        for group in groups
    ]
    return {**resource, "groups": shown}


def group_resource(found: ProvisionedGroup, members: Sequence[str], base: str) -> Resource:
    group = found.group
    resource: Resource = {"id": group.id, "displayName": group.name}
    if group.external_id:
        resource["externalId"] = group.external_id
    if members:
        resource["members"] = [
            {"value": ident, "$ref": f"{base}/Users/{ident}", "type": "User"} for ident in members
        ]
    location = f"{base}/Groups/{group.id}"
    resource["meta"] = _meta("Group", group.created_at, group.updated_at, location, found.version)
    return resource


def group_of(resource: Resource, before: Group) -> Group:
    """``before`` with what the resource says, its members apart. Raise ``ScimValue``."""
    name, external_id = str(resource["displayName"]), str(resource.get("externalId", ""))
    _check_name("displayName", name)
    if len(external_id) > MAX_NAME:
        raise ScimValue(f"externalId may have {MAX_NAME} characters")
    return replace(before, name=name, external_id=external_id)


def member_idents(resource: Resource) -> Sequence[str]:
    """Raise ``ScimValue`` for what cannot be a member here."""
    idents = []
    for member in resource.get("members", []):
        # RFC 7643 §8.7.1 would have groups in groups; providers send the people of both instead.
        if str(member.get("type", "User")).lower() != "user" or not member.get("value"):
            raise ScimValue("only users can be members of a group")
        idents.append(str(member["value"]))
    return idents


def is_name(name: str) -> bool:
    return len(name) <= MAX_NAME and bool(name.strip()) and name.isprintable()


def _check_name(attribute: str, name: str) -> None:
    if not is_name(name):
        raise ScimValue(f"{attribute} must have 1 to {MAX_NAME} printable characters")


def _meta(kind: str, created: int, changed: int, location: str, version: int) -> Resource:
    return {
        "resourceType": kind,
        "created": _time(created),
        "lastModified": _time(changed),
        "location": location,
        "version": etag(version),
    }


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

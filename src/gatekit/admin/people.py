"""People: create, invite, disable, delete."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from gatekit.admin.desk import Actor, Desk, words
from gatekit.audit.pseudonyms import SALT, Covers, digest
from gatekit.errors import Conflict, Forbidden, InvalidInput, NotFound, SignInRefused
from gatekit.identity.names import MAX_USERNAME
from gatekit.model.people import LOCAL, Invite, Membership, PeopleQuery, Pseudonym, User
from gatekit.platform.vault import token_hash

INVITE_SECONDS = 48 * 3600
MAX_INVITE_SECONDS = 30 * 86400
INVITE_PREFIX = "gk_inv_"
MAX_DISPLAY_NAME = 200

_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
_USERNAME = re.compile(rf"[a-z0-9][a-z0-9._-]{{0,{MAX_USERNAME - 1}}}")
_EMAIL = re.compile(r"[^\s@:/*?,;<>\"']{1,64}@[^\s@:/*?,;<>\"'_]{1,253}")

Afterlife = Literal["keep", "pseudonymise"]
"""What becomes of somebody's records."""

Hash = Callable[[str], Awaitable[str]]
"""Password → stored hash; raises ``SignInRefused`` with the rule that a password breaks."""


class PersonView(Struct, frozen=True):
    """A person as an administrator sees them."""

    user: User
    groups: tuple[Membership, ...]
    has_password: bool


class Invited(Struct, frozen=True):
    """``token`` is shown this once; it stands at the end of the invite link."""

    user: User
    token: str
    expires_at: int


class People(Desk):
    """Every method that changes something raises ``AdminError``, ``StoreError`` or ``AuditUnavailable``."""

    async def create(
        self,
        actor: Actor,
        username: str,
        *,
        email: str = "",
        display_name: str = "",
        groups: Sequence[str] = (),
        password: tuple[str, Hash] | None = None,
    ) -> User:
        """Add a person of the embedded connection, as a member of existing groups.

        Without ``password`` (the text, and what hashes it) an invite link is the way in.
        """
        self._may(actor, "people:write")
        check_username(username)
        check_email(email)
        checked_title(display_name)
        await self._check_groups(actor, groups)
        hashed = await _hashed(*password) if password is not None else None
        ident, now = self._entropy.ident("usr_"), self._now()
        user = User(
            id=ident,
            connection=LOCAL,
            issuer=LOCAL,
            subject=ident,
            username=username,
            login=username,
            email=email or None,
            # Rules ask for a verified address; here an administrator vouches for it.
            email_verified=bool(email),
            display_name=display_name,
            created_at=now,
            updated_at=now,
        )
        await self._gives(actor, user)
        await self._store.users.add(user, hashed)
        for group in groups:
            await self._store.groups.add(Membership(user_id=ident, group=group))
        await self._record(
            actor, "user.create", username, after=words(id=ident, email=email, groups=",".join(groups))
        )
        return user

    async def show(self, actor: Actor, username: str) -> PersonView:
        return await self._view(await self._whom(actor, "people:read", username, own=True))

    async def list(self, actor: Actor, query: PeopleQuery | None = None) -> Sequence[PersonView]:
        """By username: all, or one page."""
        self._may(actor, "people:read")
        store = self._store.users
        return [await self._view(user) for user in await (store.page(query) if query else store.list())]

    async def change(
        self, actor: Actor, username: str, *, email: str | None = None, display_name: str | None = None
    ) -> User:
        """Another address (empty: none) or full name. Of a provider's people the provider says these."""
        user = self._local(await self._whom(actor, "people:write", username))
        wanted = user
        if email is not None:
            check_email(email)
            wanted = replace(wanted, email=email or None, email_verified=bool(email))
        if display_name is not None:
            wanted = replace(wanted, display_name=checked_title(display_name))
        if wanted == user:
            return user
        await self._gives(actor, user)  # taking such an address away takes what it gives
        await self._gives(actor, wanted)
        wanted = replace(wanted, updated_at=self._now())
        await self._store.users.update(wanted)
        before, after = (words(email=one.email, name=one.display_name) for one in (user, wanted))
        await self._record(actor, "user.change", user.username, before=before, after=after)
        return wanted

    async def count(self, actor: Actor, query: PeopleQuery) -> int:
        """How many there are on all pages together."""
        self._may(actor, "people:read")
        return await self._store.users.count(query)

    async def disable(self, actor: Actor, username: str) -> User:
        """Refuse the person everywhere from now on; nothing is lost, ``enable`` takes it back.

        Browser sessions end. Tokens and keys stay as they are and open nothing meanwhile, because every use
        of them asks whether the person is active.
        """
        self._not_oneself(actor, await self._whom(actor, "people:write", username))
        user = await self._set_disabled(actor, username, True)
        await self._store.browser_sessions.end_all(user.id, self._now())
        return user

    async def end_sessions(self, actor: Actor, username: str) -> None:
        """Sign the person out in every browser."""
        user = await self._whom(actor, "sessions:write", username, own=True)
        await self._store.browser_sessions.end_all(user.id, self._now())
        await self._record(actor, "user.sign_out", user.username)

    async def enable(self, actor: Actor, username: str) -> User:
        await self._gives(actor, await self._whom(actor, "people:write", username))
        return await self._set_disabled(actor, username, False)

    async def delete(self, actor: Actor, username: str, audit: Afterlife = "keep") -> User:
        """Remove the person and everything that hangs on them: sessions, grants, keys, memberships.

        Their records in the audit keep the name, or are shown under a pseudonym from now on
        (``audit.pseudonyms``).
        """
        view = await self._view(await self._whom(actor, "people:write", username))
        self._not_oneself(actor, view.user)
        if audit == "pseudonymise":
            return await self._forget(actor, view.user)
        await self._store.users.delete(view.user.id)
        groups = ",".join(membership.group for membership in view.groups)
        before = words(id=view.user.id, email=view.user.email, groups=groups)
        await self._record(actor, "user.delete", view.user.username, before=before)
        return view.user

    async def _forget(self, actor: Actor, user: User) -> User:
        salt = await self._store.settings.put_if_absent(SALT, self._entropy.token(""))
        names = {user.username, user.login, user.email or "", user.subject}
        for row in await self._store.identities.of_user(user.id):
            names |= {row.login, row.email or "", row.subject}
        pseudonym = Pseudonym(
            user_id=user.id,
            name=f"person-{self._entropy.letters(_LETTERS, 10)}",
            digests=tuple(sorted(digest(salt, name) for name in names if name)),
            created_at=self._now(),
        )
        for alias in await self._store.merging.aliases(user.id):  # who they were before two were merged
            was = Pseudonym(
                user_id=alias.old_id,
                name=f"person-{self._entropy.letters(_LETTERS, 10)}",
                digests=(digest(salt, alias.username),),
                created_at=self._now(),
            )
            await self._store.pseudonyms.add(was)
        # First: there is no moment at which the person is gone and the name is shown.
        await self._store.pseudonyms.add(pseudonym)
        await self._store.users.delete(user.id)
        await self._record(actor, "user.forget", pseudonym.name, before=words(id=user.id))
        return user

    async def covers(self, actor: Actor) -> Covers:
        """What goes over the names of people who are forgotten, for whoever shows records."""
        self._may(actor, "audit:read")
        salt = await self._store.settings.get(SALT) or ""
        return Covers(await self._store.pseudonyms.list(), salt)

    async def set_password(self, actor: Actor, username: str, password: str, hash_password: Hash) -> User:
        """Set a password; sign-ins that were made with the old one end."""
        user = self._local(await self._whom(actor, "people:write", username))
        await self._gives(actor, user)  # whoever sets it can be that person
        await self._opens_for(actor, user)
        hashed = await _hashed(password, hash_password)
        now = self._now()
        await self._store.users.set_password(user.id, hashed, now)
        await self._store.browser_sessions.end_all(user.id, now)
        await self._record(actor, "user.password", user.username)
        return user

    async def invite(self, actor: Actor, username: str, valid_for: int = INVITE_SECONDS) -> Invited:
        """A one-time link with which the person chooses a password; earlier links end.

        ``valid_for`` is in seconds, at most 30 days.
        """
        user = await self._whom(actor, "people:write", username)
        await self._gives(actor, user)
        if not 0 < valid_for <= MAX_INVITE_SECONDS:
            raise InvalidInput(f"an invite is good for at most {MAX_INVITE_SECONDS // 86400} days")
        user = self._local(user)
        await self._opens_for(actor, user)
        if user.disabled:
            raise Conflict(f"{user.username} is disabled; `gatekit users enable {user.username}` first")
        token, now = self._entropy.token(INVITE_PREFIX), self._now()
        invite = Invite(
            token_hash=token_hash(token), user_id=user.id, created_at=now, expires_at=now + valid_for
        )
        await self._store.invites.add(invite)
        await self._record(actor, "user.invite", user.username, after=words(expires_at=invite.expires_at))
        return Invited(user, token, invite.expires_at)

    async def _view(self, user: User) -> PersonView:
        groups = await self._store.groups.of_user(user.id)
        return PersonView(user, tuple(groups), await self._store.users.password_hash(user.id) is not None)

    def _local(self, user: User) -> User:
        if user.connection != LOCAL:
            raise InvalidInput(f"{user.username} signs in with {user.connection} and has no password here")
        return user

    async def _set_disabled(self, actor: Actor, username: str, disabled: bool) -> User:
        user = await self._person(username)
        if user.disabled is disabled:
            return user
        changed = replace(user, disabled=disabled, updated_at=self._now())
        await self._store.users.update(changed)
        before, after = ("enabled", "disabled") if disabled else ("disabled", "enabled")
        await self._record(actor, "user.disable" if disabled else "user.enable", user.username, before, after)
        return changed

    def _not_oneself(self, actor: Actor, user: User) -> None:
        """Whoever locks themselves out cannot take it back."""
        if actor.id == user.id:
            raise Forbidden("nobody disables or deletes themselves; somebody else has to")

    async def _check_groups(self, actor: Actor, groups: Sequence[str]) -> None:
        """Before anything is written, so that a slip of the pen does not leave half a person."""
        for group in groups:
            self._gives_group(actor, group)
            if await self._store.groups.get(group) is None:
                raise NotFound(f"there is no group {group}; `gatekit groups create {group}` makes it")


async def _hashed(password: str, hash_password: Hash) -> str:
    try:
        return await hash_password(password)
    except SignInRefused as refused:
        raise InvalidInput(refused.public) from None


def check_email(email: str) -> None:
    if email and not _EMAIL.fullmatch(email):
        raise InvalidInput(f"{email!r} is not an e-mail address")


def checked_title(name: str) -> str:
    if len(name) > MAX_DISPLAY_NAME or not name.isprintable():
        raise InvalidInput(f"a full name is at most {MAX_DISPLAY_NAME} printable characters")
    return name


def check_username(username: str) -> None:
    if not _USERNAME.fullmatch(username):
        raise InvalidInput(
            f"{username!r} cannot be a username: lower case letters, digits and . _ -, beginning with a "
            f"letter or digit, at most {MAX_USERNAME}"
        )

"""What another file would change, and putting it in place: the work behind ``gatekit plan`` and ``apply``."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from gatekit.audit.query import Filter, search
from gatekit.cli.context import Office, Workspace
from gatekit.cli.policy_people import everybody, file_of, store_of, stored_now
from gatekit.config.clients import services_of
from gatekit.config.load import load_draft
from gatekit.config.model import Config
from gatekit.config.reload import NEEDS_RESTART
from gatekit.config.tenants import common_of
from gatekit.errors import ConfigError, Conflict, InvalidInput
from gatekit.model.audit import AdminEvent
from gatekit.model.people import LOCAL, SERVICE, Principal, service_name
from gatekit.model.rules import ByLogin, Rules
from gatekit.platform.clock import SystemClock
from gatekit.policy.cases import failures
from gatekit.policy.compare import Change, Thing, changed_rules, changes, named_people, named_things
from gatekit.policy.engine import Policy
from gatekit.policy.stored import NOTHING_STORED, with_stored

ANYBODY = "* (whoever can sign in)"
_LOOK_EVERY = 0.1
_SEPARATE = frozenset(("path", "rules", "servers", "virtual", "notes", "secret_files", "policy_tests"))
"""Fields of Config that are shown in another way, or mean nothing by themselves."""


class Plan(Struct, frozen=True, kw_only=True):
    """What would change. With ``faults`` the rest says nothing."""

    target: Path
    text: bytes = b""
    """What would be written, and what is there now."""
    before: bytes = b""
    faults: tuple[str, ...] = ()
    servers: tuple[tuple[str, str], ...] = ()
    rules: tuple[tuple[str, str], ...] = ()
    settings: tuple[str, ...] = ()
    """By what their parts of the configuration are called; values may be secret."""
    restart: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()

    @property
    def differs(self) -> bool:
        return self.text != self.before

    @property
    def changed(self) -> bool:
        return bool(self.servers or self.rules or self.settings or self.restart or self.changes)

    @property
    def previous(self) -> Path:
        return self.target.with_name(f"{self.target.name}.previous")

    def facts(self) -> dict[str, Any]:
        marks = {"+": "new", "-": "gone", "~": "changed"}
        return {
            "faults": list(self.faults),
            "servers": [{"name": name, "is": marks[mark]} for mark, name in self.servers],
            "rules": [{"name": name, "is": marks[mark]} for mark, name in self.rules],
            "settings": list(self.settings),
            "restart": list(self.restart),
            "access": [msgspec.to_builtins(change) for change in self.changes],
        }


async def planned(office: Office | None, workspace: Workspace, new: Path) -> Plan:
    """``office`` None: there is no store yet, and to look must not make one. Raises ``StoreError``,
    ``InvalidInput``, ``Conflict``."""
    old = file_of(workspace)
    target = old.path
    if common_of(target) is not None:
        raise InvalidInput(f"{target} is a tenant's: its limits are another file's; write it by hand")
    try:
        text, before, config = _read(new, target)
    except ConfigError as error:
        return Plan(target=target, faults=error.faults)
    failed = failures(Policy.compile(config.rules), config.policy_tests)
    if failed:
        faults = (f"policy_tests: {failure.case.name}: {failure.why}" for failure in failed)
        return Plan(target=target, faults=tuple(faults))
    return Plan(
        target=target,
        text=text,
        before=before,
        servers=_servers(old, config),
        rules=changed_rules(old.rules, config.rules),
        settings=_settings(old, config),
        restart=tuple(NEEDS_RESTART[name] for name in NEEDS_RESTART if _differ(old, config, name)),
        changes=await _access(office, workspace, old, config),
    )


def _read(new: Path, target: Path) -> tuple[bytes, bytes, Config]:
    """Both files, and what the new one means. What is applied later is what was checked here."""
    text, before = new.read_bytes(), target.read_bytes()
    config = load_draft(new, target)
    if new.read_bytes() != text:
        raise Conflict(f"{new} is being written; try again")
    return text, before, config


async def _access(
    office: Office | None, workspace: Workspace, old: Config, new: Config
) -> tuple[Change, ...]:
    stored = await stored_now(office) if office else NOTHING_STORED
    before, after = with_stored(old.rules, stored), with_stored(new.rules, stored)
    people: list[tuple[str, Principal]] = []
    if office:
        people = [(found.username, found) async for found in everybody(office, workspace)]
    people += _others(before, after, people)
    clients = {*services_of(old.clients), *services_of(new.clients)}
    people += [(service_name(name), _named(SERVICE, name)) for name in sorted(clients)]
    things: dict[str, dict[Thing, None]] = {}
    for pin in await store_of(office).pins.brief() if office else ():
        if pin.kind in ("tool", "prompt"):
            things.setdefault(pin.server, {})[("tool" if pin.kind == "tool" else "prompt", pin.name)] = None
    for rules in (before, after):
        for server, thing in named_things(rules):
            things.setdefault(server, {})[thing] = None
    known = {server: sorted(found) for server, found in things.items()}
    return changes(Policy.compile(before), Policy.compile(after), people, known)


def _others(before: Rules, after: Rules, people: list[tuple[str, Principal]]) -> list[tuple[str, Principal]]:
    """Whoever a file names and who never came; each group; and anybody."""
    here = {(found.connection, (found.login or found.username).lower()) for _, found in people}
    mails = {found.email for _, found in people if found.email}
    others = []
    for selector in sorted(named_people(before) | named_people(after), key=str):
        if isinstance(selector, ByLogin):
            if selector.connection != SERVICE and (selector.connection, selector.login) not in here:
                label = (
                    selector.login
                    if selector.connection == LOCAL
                    else f"{selector.connection}:{selector.login}"
                )
                others.append((label, _named(selector.connection, selector.login)))
        elif selector.address not in mails:
            someone = Principal(
                id=selector.address,
                username="",
                connection="",
                email=selector.address,
                email_verified=True,
            )
            others.append((selector.address, someone))
    groups = sorted({name for rules in (before, after) for name, _ in rules.groups})
    for name in groups:
        member = Principal(id=f"group:{name}", username="", connection="", groups=frozenset((name,)))
        others.append((f"group:{name}", member))
    return [*others, (ANYBODY, Principal(id="*", username="", connection=""))]


def _named(connection: str, login: str) -> Principal:
    return Principal(id=f"{connection}:{login}", username=login, connection=connection, login=login)


def _servers(old: Config, new: Config) -> tuple[tuple[str, str], ...]:
    before, after = _published(old), _published(new)
    return tuple(
        ("+" if name not in before else "-" if name not in after else "~", name)
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name)
    )


def _published(config: Config) -> Mapping[str, object]:
    """Servers, virtual ones as well, without where they stand in the file; and whom their lists name."""
    real = {entry.server.name: msgspec.structs.replace(entry, line=0) for entry in config.servers}
    virtual = {entry.virtual.name: msgspec.structs.replace(entry, line=0) for entry in config.virtual}
    lists = {entry.server: entry for entry in config.rules.servers}
    return {name: (entry, lists.get(name)) for name, entry in {**real, **virtual}.items()}


def _settings(old: Config, new: Config) -> tuple[str, ...]:
    names = (name for name in Config.__struct_fields__ if name not in _SEPARATE | NEEDS_RESTART.keys())
    return (*(name for name in names if _differ(old, new, name)), *_named_in_rules(old.rules, new.rules))


def _named_in_rules(old: Rules, new: Rules) -> Iterator[str]:
    """What nobody need gain or lose by, as far as is known here: a role, a quota, a provider's group."""
    parts = {
        "groups": "groups",
        "proxy.auth.allowed_users": "gateway",
        "proxy.auth.roles": "roles",
        "quotas": "quotas",
    }
    yield from (name for name, part in parts.items() if getattr(old, part) != getattr(new, part))
    before, after = ({(e.place, e.server): e for e in rules.resources} for rules in (old, new))
    for key in dict.fromkeys((*before, *after)):
        if before.get(key) != after.get(key):
            yield ".".join(key)


def _differ(old: Config, new: Config, name: str) -> bool:
    return bool(getattr(old, name) != getattr(new, name))


async def put(office: Office, plan: Plan) -> float:
    """Write the file, keep the one before, and record it. The moment before that, seconds since the epoch.

    Raises ``Conflict`` if the file is another one by now, ``AuditUnavailable``, ``OSError``.
    """
    started = SystemClock().now()
    if plan.target.read_bytes() != plan.before:
        raise Conflict(f"{plan.target} was changed meanwhile; look at the plan again")
    _replace(plan.previous, plan.before, plan.target)
    _replace(plan.target.resolve(), plan.text, plan.target)
    event = AdminEvent(
        at=SystemClock().now(),
        principal=office.actor.name,
        action="config.apply",
        target=str(plan.target),
        before=_digest(plan.before),
        after=_digest(plan.text),
        door="cli",
    )

    async def record(*parts: Any) -> None:
        await parts[1].write(event)

    await office.of(record)
    return started


def _replace(path: Path, content: bytes, like: Path) -> None:
    """In one step, with the owner and the mode of ``like``: a gateway never sees half of it."""
    mode = like.stat()
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(draft, mode.st_mode & 0o777)
        if (mode.st_uid, mode.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(draft, mode.st_uid, mode.st_gid)
        os.replace(draft, path)
    finally:
        Path(draft).unlink(missing_ok=True)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def taken(workspace: Workspace, since: float, wait: float) -> str | None:
    """What the running gateway made of it: ``""`` it applied it, or why not; None: nobody said."""
    deadline = SystemClock().monotonic() + wait
    while True:
        for record in search(workspace.data_dir / "audit", Filter(event="config", since=since)):
            action = record.fields.get("action")
            if action == "applied":
                return ""
            if action == "refused":
                return str(record.fields.get("detail") or "it did not say why")
        if SystemClock().monotonic() >= deadline:
            return None
        time.sleep(_LOOK_EVERY)

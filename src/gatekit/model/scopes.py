"""Scopes: how much of its person's rights a credential carries. Few, and in words on the consent page.

Which server is not theirs to say, that is the audience (RFC 8707); which tool is not either, that is the
policy, and no token cures what the policy denies. So two are left: look, and do.

``WHOLE`` is the one scope of the first releases. It stays good for everything, is granted to who asks for it
by name, and is not advertised any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

READ = "mcp:read"
"""Lists, prompts, resources, completions, subscriptions: everything but ``CALL``."""
CALL = "mcp:call"
"""Make a server do something: call tools, and whatever this gateway does not know. Implies ``READ``: nobody
calls a tool without having read what it takes."""
WHOLE = "mcp"

ALL = (READ, CALL)
"""What is advertised, and granted to who asks for nothing we know."""

_CALLING = frozenset((CALL, WHOLE))
_READING = frozenset((READ, CALL, WHOLE))


def may_call(scopes: Collection[str]) -> bool:
    return not _CALLING.isdisjoint(scopes)


def may_read(scopes: Collection[str]) -> bool:
    return not _READING.isdisjoint(scopes)


def granted(asked: Iterable[str], known: tuple[str, ...] = ALL) -> tuple[str, ...]:
    """Of what was asked for, what there is, and what it implies; all of ``known`` if that is nothing.

    Unknown scopes are ignored, not refused: clients add ``offline_access`` and others by themselves, and the
    token answer names what was granted (RFC 6749 §3.3).
    """
    wanted = set(asked)
    if CALL in wanted:
        wanted.add(READ)
    return tuple(scope for scope in (*known, WHOLE) if scope in wanted) or known


def read_only(scopes: Iterable[str]) -> tuple[str, ...]:
    """The same without ``CALL``: what is left if the person wants it so. Nothing is added to what carries no
    calls, such as a mere sign-in."""
    scopes = tuple(scopes)
    if not may_call(scopes):
        return scopes
    rest = tuple(scope for scope in scopes if scope not in _CALLING)
    return rest if READ in rest else (READ, *rest)


def of_foreign(named: Iterable[str], ours: Collection[str]) -> frozenset[str]:
    """What a token of another issuer stands for: all of ``ours``, unless it names scopes like ours itself.
    Then its issuer knows them, and means what it says."""
    return _READING.intersection(named) or frozenset(ours)


def excess(asked: Iterable[str], scopes: Collection[str]) -> frozenset[str]:
    """What of ``asked`` goes beyond ``scopes``; scopes of other systems are not looked at."""
    covered = set(scopes)
    if may_call(covered):
        covered |= _READING
    return frozenset(asked).intersection(_READING) - covered

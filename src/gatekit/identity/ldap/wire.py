"""The only file that knows the LDAP library (python-ldap, over the distribution's OpenLDAP). It blocks.

Imported only where there is an LDAP connection. Every option that matters is set here, on each connection,
and none is left to ``ldap.conf``, ``ldaprc`` or the environment: one line there may switch certificate checks
off.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import ldap

from gatekit.errors import DirectoryRefused, DirectoryUnreachable
from gatekit.identity.ldap.entries import Entry
from gatekit.model.directory import LdapConnection

_UNREACHABLE = (
    ldap.SERVER_DOWN,
    ldap.CONNECT_ERROR,
    ldap.TIMEOUT,
    ldap.TIMELIMIT_EXCEEDED,
    ldap.UNAVAILABLE,
    ldap.BUSY,
)
MAX_ENTRY = 1 << 20
MAX_ANSWER = 8 << 20
"""Octets of one entry, and of all that one search brings. An entry of a person has a few thousand, with a
portrait a few hundred thousand; the library has read a message whole before anybody can look at it, so the
time bound of the connection stands before this one."""
_SOME = (ldap.SIZELIMIT_EXCEEDED, ldap.PARTIAL_RESULTS)


class Link:
    """One connection to one server. Raises ``DirectoryUnreachable`` or ``DirectoryRefused``."""

    def __init__(self, handle: Any, url: str, timeout: float) -> None:
        self._handle = handle
        self._url = url
        self._timeout = timeout

    def bind(self, dn: str, password: str) -> None:
        """Raises ``DirectoryRefused`` if these are not the right credentials.

        A simple bind with a name and no password "succeeds" as nobody (RFC 4513 §5.1.2, checklist U5), and so
        does one with neither, so both are refused before anything is sent.
        """
        if not dn or not password or "\0" in password:
            raise DirectoryRefused("an empty name or password never binds")
        with _translated(self._url):
            self._handle.simple_bind_s(dn, password)

    def nobody(self) -> None:
        """Go on without a name (RFC 4513 §5.1.1)."""
        with _translated(self._url):
            self._handle.simple_bind_s("", "")

    def search(self, base: str, filter: str, attributes: Sequence[str], limit: int) -> list[Entry]:
        """At most ``limit`` entries at or below ``base``; referrals are left out."""
        found: list[Entry] = []
        size = 0
        with _translated(self._url):
            number = self._handle.search_ext(
                base, ldap.SCOPE_SUBTREE, filter, list(attributes), timeout=self._timeout, sizelimit=limit
            )
            try:
                while len(found) < limit:
                    kind, data = self._handle.result(number, all=0, timeout=self._timeout)[:2]
                    # Continuations to other servers come without a name, and nobody goes there.
                    fresh = [Entry(dn, {k.lower(): v for k, v in held.items()}) for dn, held in data if dn]
                    size += sum(map(self._weighed, fresh))
                    if size > MAX_ANSWER:
                        self._handle.abandon(number)
                        raise DirectoryRefused(f"{self._url}: an answer above {MAX_ANSWER} octets")
                    found += fresh[: limit - len(found)]
                    if kind == ldap.RES_SEARCH_RESULT:
                        return found
                self._handle.abandon(number)
            except ldap.NO_SUCH_OBJECT:
                return []
            except _SOME:
                return found
        return found

    def _weighed(self, entry: Entry) -> int:
        """Octets of an entry. Raises ``DirectoryRefused`` if it is no person's and no group's."""
        size = sum(len(name) + sum(map(len, held)) for name, held in entry.attributes.items())
        if size > MAX_ENTRY:
            raise DirectoryRefused(f"{self._url}: the entry {entry.dn[:200]} is above {MAX_ENTRY} octets")
        return size


@contextmanager
def connected(url: str, settings: LdapConnection) -> Iterator[Link]:
    """A connection to ``url``, encrypted as the settings say, bound to nobody yet.

    Raises ``DirectoryUnreachable`` (another server may do) or ``DirectoryRefused``.
    """
    with _translated(url):
        handle = ldap.initialize(url)
    try:
        with _translated(url):
            _set_options(handle, settings)
            if url.startswith("ldap://") and settings.start_tls:
                handle.start_tls_s()
        yield Link(handle, url, settings.timeout)
    finally:
        with suppress(ldap.LDAPError):  # it may be gone already
            handle.unbind_s()


@contextmanager
def _translated(url: str) -> Iterator[None]:
    """The library's errors as ours."""
    try:
        yield
    except _UNREACHABLE as error:
        raise DirectoryUnreachable(f"{url}: {_said(error)}") from None
    except ldap.LDAPError as error:
        raise DirectoryRefused(f"{url}: {_said(error)}") from None


def _set_options(handle: Any, settings: LdapConnection) -> None:
    handle.set_option(ldap.OPT_PROTOCOL_VERSION, 3)
    handle.set_option(ldap.OPT_REFERRALS, 0)
    # An alias is somebody's word for who somebody else is; and a chain of them is work.
    handle.set_option(ldap.OPT_DEREF, ldap.DEREF_NEVER)
    handle.set_option(ldap.OPT_NETWORK_TIMEOUT, settings.timeout)
    handle.set_option(ldap.OPT_TIMEOUT, settings.timeout)
    handle.set_option(ldap.OPT_RESTART, 0)
    authorities = settings.ca_file or ssl.get_default_verify_paths().cafile
    if authorities:
        handle.set_option(ldap.OPT_X_TLS_CACERTFILE, authorities)
    handle.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
    handle.set_option(ldap.OPT_X_TLS_PROTOCOL_MIN, ldap.OPT_X_TLS_PROTOCOL_TLS1_2)
    handle.set_option(ldap.OPT_X_TLS_NEWCTX, 0)  # without it the options above are not looked at


def _said(error: ldap.LDAPError) -> str:
    """What the library or the server says: its own words, never what was sent."""
    told = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    parts = [str(told.get(key, "")).strip() for key in ("desc", "info")]
    return ": ".join(part for part in parts if part)[:300] or type(error).__name__

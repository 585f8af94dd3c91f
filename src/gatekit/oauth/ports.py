"""What the authorization server asks of other rooms. Narrow Protocols, so that tests can see what is used."""

from __future__ import annotations

from collections.abc import Mapping as StrMapping
from collections.abc import Sequence
from typing import Literal, Protocol

from gatekit.model.audit import AuditEvent
from gatekit.model.circumstances import Circumstances
from gatekit.model.decision import Decision
from gatekit.model.people import ExternalIdentity, Principal, User


class Audit(Protocol):
    """``audit.recorder`` implements it."""

    async def write(self, event: AuditEvent) -> None:
        """Return when the record is safe; raise ``AuditUnavailable`` if it cannot be made so."""
        ...


class Rights(Protocol):
    def servers(self) -> Sequence[str]: ...

    def resources(self) -> Sequence[str]: ...

    def decide(self, server: str, kind: Literal["server"], name: str, about: Circumstances) -> Decision: ...


class Policy(Protocol):
    """``policy.engine.Policy``."""

    def admits(self, principal: Principal) -> bool: ...

    def rights(self, principal: Principal) -> Rights: ...

    def groups(self, principal: Principal) -> frozenset[str]: ...


class Mapping(Protocol):
    """``identity.mapping.Mapping``."""

    async def admit(self, identity: ExternalIdentity) -> User:
        """Find or create the person; raise ``SignInRefused``."""
        ...


class Homes(Protocol):
    """``identity.registry.Connections``."""

    @property
    def has_homes(self) -> bool:
        """Whether any connection has a domain."""
        ...

    def home(self, address: str) -> str:
        """The connection that an e-mail address belongs to by its domain; empty: none."""
        ...


class Homeless:
    """``Homes`` where no connection has a domain."""

    has_homes = False

    def home(self, address: str) -> str:  # noqa: ARG002
        return ""


class Vault(Protocol):
    """``platform.vault.Vault``."""

    def seal(self, plain: str, purpose: str) -> str: ...

    def open(self, sealed: str, purpose: str) -> str: ...

    def seal_with(self, secret: str, plain: str, purpose: str) -> str: ...

    def open_with(self, secret: str, sealed: str, purpose: str) -> str: ...

    def mac(self, message: str, purpose: str) -> str: ...


class Invitations(Protocol):
    """One-time links with which a person chooses a password."""

    async def invited(self, token: str) -> User | None:
        """Whom an unused, unexpired invite is for."""
        ...

    async def accept(self, token: str, password: str) -> User:
        """Use the invite up and set the password; raise ``SignInRefused`` with what to show."""
        ...


class Send(Protocol):
    """Delivers a form to an address that the operator entered. Raises ``OutboundRefused``."""

    async def __call__(self, url: str, form: StrMapping[str, str]) -> int:
        """POST; the status of the answer."""
        ...

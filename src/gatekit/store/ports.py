"""One Protocol per noun. ``tests/contract`` runs one suite over every implementation.

Conventions: methods are ``async``; ``get``-like methods return ``None`` when there is no row; methods that
*consume* a one-time thing do so by compare-and-swap and return ``None`` to everybody but the one winner.
Times are passed in (``now``, seconds since the epoch), never read from a clock. All raise ``StoreError``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from gatekit.model.oauth import (
    AccessToken,
    ApiKey,
    AuthorizationCode,
    Client,
    Consent,
    DeviceAuthorization,
    Grant,
    GrantQuery,
    KeyQuery,
    PushedRequest,
    RefreshToken,
    SigningKey,
    Transaction,
)
from gatekit.model.people import User
from gatekit.store.api_ports import AdminKeys, ApiReplies
from gatekit.store.approval_ports import Approvals
from gatekit.store.browser_ports import BrowserSessions, RelyingSessions
from gatekit.store.client_ports import Clients
from gatekit.store.connection_ports import StoredConnections
from gatekit.store.factor_ports import Factors
from gatekit.store.merge_ports import Merging
from gatekit.store.passkey_ports import Passkeys
from gatekit.store.people_ports import Groups, Identities, Invites, Pseudonyms, Users
from gatekit.store.pin_ports import Pins
from gatekit.store.request_ports import AccessRequests
from gatekit.store.rule_ports import StoredRules
from gatekit.store.scim_ports import Accounts, ScimGroups, ScimTokens


class Grants(Protocol):
    """Grants and what hangs below. ``revoke`` records a change ``grant:<id>``."""

    async def get(self, grant_id: str) -> Grant | None: ...

    async def with_parties(self, grant_id: str) -> tuple[Grant, User | None, Client | None] | None:
        """A grant, its person and its client, as they are at one moment. For whoever judges it: one look
        instead of three, because an access token that was not seen before waits for it."""
        ...

    async def list(self, user_id: str | None = None, client_id: str | None = None) -> list[Grant]: ...

    async def page(self, query: GrantQuery, now: int) -> Sequence[Grant]:
        """Up to ``query.limit``, by id."""
        ...

    async def revoke(self, grant_id: str, now: int, reason: str) -> bool:
        """Return False if it was revoked already or does not exist."""
        ...

    async def add(self, grant: Grant) -> None:
        """A grant without a code: nobody had to be asked. Raise ``NotFound`` if its principal is gone."""
        ...

    async def approve(self, grant: Grant, code: AuthorizationCode) -> None:
        """Insert a grant and its code in one transaction."""
        ...

    async def code(self, code_hash: str) -> AuthorizationCode | None: ...

    async def redeem(
        self, code_hash: str, now: int, refresh: RefreshToken | None
    ) -> AuthorizationCode | None:
        """Compare-and-swap: mark the code used and insert the first refresh token.

        Return the row as it was; None if it was used already, or its grant is revoked or gone.
        """
        ...

    async def refresh_token(self, token_hash: str) -> RefreshToken | None: ...

    async def rotate(
        self, token_hash: str, now: int, successor: RefreshToken, successor_sealed: str
    ) -> RefreshToken | None:
        """Compare-and-swap: mark ``token_hash`` used (with its sealed successor) and insert the successor.

        Return the row as it was; None if somebody else rotated it first, or its grant is revoked or gone.
        """
        ...

    async def last_issued(self, user_id: str) -> Mapping[str, int]:
        """When each grant of a person that has refresh tokens last gave one, in seconds."""
        ...

    async def deny_token(self, token_id: str, expires_at: int) -> None:
        """Put one access token (jti) on the deny list until it expires. Records a change ``token:<jti>``."""
        ...

    async def denied_tokens(self, now: int) -> Sequence[tuple[str, int]]:
        """(jti, expires_at) of every entry that still matters."""
        ...

    async def purge(self, now: int) -> None:
        """Remove expired codes, refresh tokens, deny-list entries, and grants that ended long ago.

        A used code is kept a while longer, so that its replay is still recognised as one.
        """
        ...


class AccessTokens(Protocol):
    """Opaque access tokens. What ends one before its time is its grant, or the deny list of ``Grants``."""

    async def add(self, token: AccessToken) -> None: ...

    async def by_hash(self, token_hash: str) -> AccessToken | None:
        """Expired ones included until they are purged."""
        ...

    async def purge(self, now: int) -> None: ...


class ApiKeys(Protocol):
    """``revoke`` records a change ``key:<id>``."""

    async def add(self, key: ApiKey) -> None: ...

    async def by_hash(self, token_hash: str) -> ApiKey | None: ...

    async def get(self, key_id: str) -> ApiKey | None: ...

    async def list(self, user_id: str | None = None) -> list[ApiKey]: ...

    async def page(self, query: KeyQuery, now: int) -> Sequence[ApiKey]:
        """Up to ``query.limit``, by id."""
        ...

    async def revoke(self, key_id: str, now: int) -> bool: ...

    async def used(self, key_id: str, now: int) -> None: ...


class Transactions(Protocol):
    """Runs through the authorization endpoint, and remembered approvals."""

    async def add(self, transaction: Transaction) -> None: ...

    async def get(self, id_hash: str, now: int) -> Transaction | None:
        """The transaction if it is neither finished nor expired."""
        ...

    async def update(self, transaction: Transaction) -> None:
        """Raise ``NotFound`` if it is finished or gone."""
        ...

    async def lay(self, id_hash: str, before: str, after: str) -> bool:
        """Compare-and-swap of ``provider_state``; False if it is no longer ``before``, or the run is over."""
        ...

    async def finish(self, id_hash: str, now: int) -> bool:
        """Compare-and-swap; True for exactly one caller."""
        ...

    async def consent(
        self,
        user_id: str,
        client_id: str,
        redirect_uri: str,
        scopes: tuple[str, ...],
        resources: tuple[str, ...],
    ) -> Consent | None: ...

    async def remember_consent(self, consent: Consent) -> None: ...

    async def forget_consents(self, user_id: str, client_id: str) -> None: ...

    async def purge(self, now: int) -> None: ...


class PushedRequests(Protocol):
    """Authorization requests that were pushed (RFC 9126)."""

    async def add(self, pushed: PushedRequest) -> None: ...

    async def get(self, uri_hash: str, now: int) -> PushedRequest | None:
        """The request if it is neither used nor expired. It may be read again and again."""
        ...

    async def use(self, uri_hash: str, now: int) -> bool:
        """Compare-and-swap; True for exactly one caller, also after it expired."""
        ...

    async def purge(self, expired_before: int) -> None: ...


class DeviceAuthorizations(Protocol):
    """Runs of the device authorization grant (RFC 8628)."""

    async def add(self, run: DeviceAuthorization) -> None:
        """Raise ``Conflict`` if one of its codes is in use."""
        ...

    async def pending(self, user_code_hash: str, now: int) -> DeviceAuthorization | None:
        """The run that waits for this user code, neither decided nor expired."""
        ...

    async def decide(self, device_hash: str, now: int, grant: Grant | None) -> bool:
        """Compare-and-swap: approve and insert ``grant``, or deny; True for exactly one caller."""
        ...

    async def poll(self, device_hash: str, now: int, client_id: str) -> DeviceAuthorization | None:
        """Note that its client asked at ``now``; return the row as it was, None if it is not that client's.

        Whoever asked too early finds ``interval`` five seconds longer next time (RFC 8628 §3.5).
        """
        ...

    async def redeem(self, device_hash: str, now: int, refresh: RefreshToken | None) -> bool:
        """Compare-and-swap: mark an approved run used and insert the first refresh token."""
        ...

    async def purge(self, now: int) -> None: ...


class Replays(Protocol):
    """Names of signed things that count once: ids of assertions, proofs and logout tokens."""

    async def first(self, purpose: str, key: str, expires_at: int, now: int) -> bool:
        """Compare-and-swap: True for exactly one caller, across processes, until ``expires_at``.

        ``purpose`` keeps the users of this table apart; ``key`` is a stranger's text of any length and says
        all that must be unique (for a ``jti`` that means its issuer as well). Only a hash of it is kept.
        False also if ``expires_at`` has passed: what has expired is nobody's first.
        """
        ...

    async def seen(self, purpose: str, key: str, now: int) -> bool:
        """Whether somebody was first already; changes nothing."""
        ...

    async def purge(self, now: int) -> None: ...


class SigningKeys(Protocol):
    """``add``, ``succeed`` and ``retire`` record a change ``signing_key:<kid>``."""

    async def add(self, key: SigningKey) -> None: ...

    async def succeed(self, key: SigningKey, newest: str | None) -> bool:
        """Compare-and-swap: add ``key`` if ``newest`` is still the newest of its purpose that is not retired
        (None: there is none). Several processes that rotate at once add one key."""
        ...

    async def list(self, purpose: str | None = None) -> list[SigningKey]:
        """Newest first, retired ones included until removed; of every purpose if none is named."""
        ...

    async def retire(self, kid: str, now: int) -> None: ...


class Settings(Protocol):
    """Small facts the gateway remembers: the era of an upstream, the installation id."""

    async def get(self, key: str) -> str | None: ...

    async def put(self, key: str, value: str) -> None: ...

    async def put_if_absent(self, key: str, value: str) -> str:
        """Return what is stored afterwards."""
        ...


class Changes(Protocol):
    """What other processes changed. Entries are ``noun:id``."""

    async def since(self, sequence: int) -> tuple[int, list[str]]:
        """(newest sequence, entries after ``sequence``).

        The newest sequence is what is stored, also when ``sequence`` is beyond it: a reader that begins asks
        for everything after a very large number. A first entry ``all:*`` says that some were trimmed before
        this reader saw them: forget everything.
        """
        ...

    async def trim(self, keep: int) -> None:
        """Leave the newest ``keep`` (at least 1)."""
        ...


class Store(Protocol):
    """Everything, over one database."""

    @property
    def users(self) -> Users: ...
    @property
    def identities(self) -> Identities: ...
    @property
    def pseudonyms(self) -> Pseudonyms: ...
    @property
    def merging(self) -> Merging: ...
    @property
    def groups(self) -> Groups: ...
    @property
    def invites(self) -> Invites: ...
    @property
    def clients(self) -> Clients: ...
    @property
    def grants(self) -> Grants: ...
    @property
    def access_tokens(self) -> AccessTokens: ...
    @property
    def api_keys(self) -> ApiKeys: ...
    @property
    def accounts(self) -> Accounts: ...
    @property
    def scim_groups(self) -> ScimGroups: ...
    @property
    def scim_tokens(self) -> ScimTokens: ...
    @property
    def admin_keys(self) -> AdminKeys: ...
    @property
    def api_replies(self) -> ApiReplies: ...
    @property
    def browser_sessions(self) -> BrowserSessions: ...
    @property
    def relying_sessions(self) -> RelyingSessions: ...
    @property
    def transactions(self) -> Transactions: ...
    @property
    def pushed_requests(self) -> PushedRequests: ...
    @property
    def device_authorizations(self) -> DeviceAuthorizations: ...
    @property
    def replays(self) -> Replays: ...
    @property
    def signing_keys(self) -> SigningKeys: ...
    @property
    def connections(self) -> StoredConnections: ...
    @property
    def passkeys(self) -> Passkeys: ...
    @property
    def factors(self) -> Factors: ...

    @property
    def pins(self) -> Pins: ...
    @property
    def rules(self) -> StoredRules: ...
    @property
    def access_requests(self) -> AccessRequests: ...
    @property
    def approvals(self) -> Approvals: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def changes(self) -> Changes: ...

    async def ready(self) -> None:
        """Raise ``StoreError`` unless the database can be read and written now."""
        ...

    async def close(self) -> None: ...

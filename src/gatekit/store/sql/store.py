"""Opens the store: file, schema, every port."""

from __future__ import annotations

import os
from pathlib import Path

from gatekit.errors import StoreError
from gatekit.store.sql.access_tokens import SqlAccessTokens
from gatekit.store.sql.accounts import SqlAccounts
from gatekit.store.sql.admin_keys import SqlAdminKeys, SqlApiReplies
from gatekit.store.sql.approvals import SqlApprovals
from gatekit.store.sql.browsers import SqlBrowserSessions, SqlTransactions
from gatekit.store.sql.clients import SqlApiKeys, SqlClients
from gatekit.store.sql.connections import SqlConnections
from gatekit.store.sql.devices import SqlDeviceAuthorizations
from gatekit.store.sql.engine import Database
from gatekit.store.sql.factors import SqlFactors
from gatekit.store.sql.facts import SqlChanges, SqlReplays, SqlSettings, SqlSigningKeys
from gatekit.store.sql.grants import SqlGrants
from gatekit.store.sql.groups import SqlGroups
from gatekit.store.sql.identities import SqlIdentities, SqlPseudonyms
from gatekit.store.sql.merging import SqlMerging
from gatekit.store.sql.passkeys import SqlPasskeys
from gatekit.store.sql.people import SqlInvites, SqlUsers
from gatekit.store.sql.pins import SqlPins
from gatekit.store.sql.pushed import SqlPushedRequests
from gatekit.store.sql.relying import SqlRelyingSessions
from gatekit.store.sql.requests import SqlAccessRequests
from gatekit.store.sql.revision import bring_up_to_date
from gatekit.store.sql.rules import SqlRules
from gatekit.store.sql.scim_groups import SqlScimGroups, SqlScimTokens

_PROBE = "store.ready"


class SqlStore:
    """Implements ``store.ports.Store`` over one open database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.users = SqlUsers(database)
        self.identities = SqlIdentities(database)
        self.pseudonyms = SqlPseudonyms(database)
        self.merging = SqlMerging(database)
        self.groups = SqlGroups(database)
        self.invites = SqlInvites(database)
        self.clients = SqlClients(database)
        self.grants = SqlGrants(database)
        self.access_tokens = SqlAccessTokens(database)
        self.api_keys = SqlApiKeys(database)
        self.accounts = SqlAccounts(database)
        self.scim_groups = SqlScimGroups(database)
        self.scim_tokens = SqlScimTokens(database)
        self.admin_keys = SqlAdminKeys(database)
        self.api_replies = SqlApiReplies(database)
        self.browser_sessions = SqlBrowserSessions(database)
        self.relying_sessions = SqlRelyingSessions(database)
        self.transactions = SqlTransactions(database)
        self.pushed_requests = SqlPushedRequests(database)
        self.device_authorizations = SqlDeviceAuthorizations(database)
        self.replays = SqlReplays(database)
        self.signing_keys = SqlSigningKeys(database)
        self.connections = SqlConnections(database)
        self.passkeys = SqlPasskeys(database)
        self.factors = SqlFactors(database)
        self.pins = SqlPins(database)
        self.rules = SqlRules(database)
        self.approvals = SqlApprovals(database)
        self.access_requests = SqlAccessRequests(database)
        self.settings = SqlSettings(database)
        self.changes = SqlChanges(database)

    @property
    def path(self) -> Path:
        """The database file."""
        return self._database.path

    async def ready(self) -> None:
        """Write and read one row, so that a full disk is noticed before a person meets it."""
        seen = await self.settings.get(_PROBE) or "0"
        # Another value each time: SQLite does not touch the disk for a row that stays as it was.
        await self.settings.put(_PROBE, "1" if seen == "0" else "0")

    async def close(self) -> None:
        await self._database.close()


async def open_store(path: Path) -> SqlStore:
    """Open the database at ``path``; make it or bring its schema up to date if need be.

    Raise ``StoreLocked``, ``StoreCorrupt``, ``StoreFull`` or ``StoreError``; the text names the file and says
    what to do.
    """
    _prepare(path)
    await bring_up_to_date(path)
    return SqlStore(await Database.open(path))


def _prepare(path: Path) -> None:
    """The folder is for its owner only, and so is the file (SQLite gives -wal and -shm the same mode)."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreError(f"{path}: the database cannot be opened ({error.strerror or error})") from error

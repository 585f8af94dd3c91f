"""A store that an older version wrote goes on working: what was there is there, and means the same."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from gatekit.identity.directory import Directory
from gatekit.identity.mapping import Mapping
from gatekit.identity.standing import Standings, Upright
from gatekit.model.people import ExternalIdentity, Identity, Membership
from gatekit.model.rules import ByProviderGroup, Rules
from gatekit.platform.clock import SystemEntropy
from gatekit.policy.engine import Policy
from gatekit.store.sql.migrate import upgrade
from gatekit.store.sql.store import open_store
from tests.contract.samples import refresh
from tests.support.clock import ManualClock

ROWS_OF_0010 = """
INSERT INTO users VALUES
  ('usr_1', 'github', 'https://github.com', '583231', 'octocat', 'octocat', 'o@example.com', 1, 'Octo', 0,
   5, 6, 7, NULL),
  ('usr_2', 'local', 'local', 'usr_2', 'alice', 'alice', NULL, 0, '', 1, 5, 6, NULL, 'argon2');
INSERT INTO local_groups VALUES ('dev', 5), ('sre', 6);
INSERT INTO memberships VALUES ('usr_2', 'dev', 'local'), ('usr_1', 'acme/web', 'github');
INSERT INTO browser_sessions (token_hash, user_id, auth_time, created_at, expires_at)
  VALUES ('bs', 'usr_1', 5, 5, 100);
INSERT INTO api_keys (id, token_hash, user_id, name, servers, hint, created_at, expires_at)
  VALUES ('key_1', 'hash', 'usr_2', 'laptop', '[]', 'wxyz', 5, 100);
INSERT INTO clients (id, name, redirect_uris, auth_method, grant_types, scope, application_type, client_uri,
  metadata, source, disabled, created_at)
  VALUES ('cli_1', 'Inspector', '[]', 'none', '["refresh_token"]', '', 'native', '', '', 'dynamic', 0, 5);
INSERT INTO grants VALUES ('grt_1', 'usr_1', 'cli_1', '[]', '["mcp"]', 5, 5, 100, NULL, '');
INSERT INTO refresh_tokens (token_hash, grant_id, client_id, created_at, expires_at)
  VALUES ('rt', 'grt_1', 'cli_1', 5, 100);
"""


async def test_people_groups_and_what_hangs_on_them_survive_0011(tmp_path: Path) -> None:
    path = tmp_path / "gatekit.db"
    upgrade(path, "0010")
    raw = sqlite3.connect(path)
    raw.executescript(ROWS_OF_0010)
    raw.close()
    store = await open_store(path)
    try:
        octocat = await store.users.by_identity("github", "https://github.com", "583231")
        assert octocat is not None
        assert (octocat.id, octocat.username, octocat.role) == ("usr_1", "octocat", "member")
        assert await store.identities.of_user("usr_1") == [
            Identity(
                user_id="usr_1",
                connection="github",
                issuer="https://github.com",
                subject="583231",
                login="octocat",
                email="o@example.com",
                email_verified=True,
                created_at=5,
                last_seen_at=7,
            )
        ]
        assert await store.users.password_hash("usr_2") == "argon2"
        assert await store.groups.names() == ["dev", "sre"]
        dev = await store.groups.get("dev")
        assert dev is not None
        assert (dev.source, dev.created_at) == ("local", 5)
        assert await store.groups.by_id(dev.id) == dev
        assert await store.groups.of_user("usr_2") == [Membership(user_id="usr_2", group="dev")]
        assert await store.groups.of_user("usr_1") == [
            Membership(user_id="usr_1", group="acme/web", source="github")
        ]
        session = await store.browser_sessions.get("bs", 10)
        assert session is not None
        assert session.connection == session.provider_session == ""
        assert await store.api_keys.by_hash("hash") is not None
        directory = Directory(store.users, store.groups, store.identities)
        policy = Policy.compile(Rules(gateway=(ByProviderGroup("github", "acme/web"),)))
        standings = Standings(store, directory, lambda: policy, lambda: frozenset({"github"}))
        assert isinstance(await standings.grant("grt_1", 10), Upright), "tokens go on"
        assert await store.grants.rotate("rt", 10, refresh("rt-2"), "sealed") is not None
        people = Mapping(
            store.users,
            store.groups,
            store.identities,
            clock=ManualClock(),
            entropy=SystemEntropy(),
            admits=policy.admits,
        )
        again = await people.admit(
            ExternalIdentity(
                connection="github",
                issuer="https://github.com",
                subject="583231",
                login="octocat",
                email=None,
                email_verified=False,
                provider_groups=frozenset({"acme/web"}),
            )
        )
        assert again.id == "usr_1", "and the same person signs in"
    finally:
        await store.close()

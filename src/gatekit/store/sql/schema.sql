-- The schema at the newest revision, for a new SQLite file. migrations/ builds the same one step by step (a test
-- compares them), but needs a library that a gateway should not carry in memory only because it is new.

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    connection TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    username TEXT NOT NULL,
    login TEXT NOT NULL,
    email TEXT,
    email_verified BOOLEAN NOT NULL,
    display_name TEXT NOT NULL,
    disabled BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    last_seen_at BIGINT,
    password_hash TEXT,
    role TEXT NOT NULL DEFAULT 'member'
);
CREATE UNIQUE INDEX users_identity ON users (connection, issuer, subject);
CREATE UNIQUE INDEX users_username ON users (username);
CREATE INDEX users_login ON users (connection, lower(login));
CREATE INDEX users_email ON users (lower(email));

CREATE TABLE identities (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    connection TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    login TEXT NOT NULL,
    email TEXT,
    email_verified BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT,
    upstream_sealed TEXT NOT NULL,
    PRIMARY KEY (connection, issuer, subject)
);
CREATE INDEX identities_user ON identities (user_id);

CREATE TABLE aliases (
    old_id TEXT NOT NULL PRIMARY KEY,
    username TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    merged_at BIGINT NOT NULL
);
CREATE INDEX aliases_user ON aliases (user_id);

CREATE TABLE pseudonyms (
    user_id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    digests TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE groups (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    title TEXT NOT NULL,
    source TEXT NOT NULL,
    external_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX groups_name ON groups (source, name);

CREATE TABLE group_nesting (
    parent TEXT NOT NULL,
    child TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (parent, child)
);
CREATE INDEX group_nesting_child ON group_nesting (child);

CREATE TABLE group_rules (
    group_name TEXT NOT NULL PRIMARY KEY,
    selectors TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE memberships (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    group_name TEXT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (user_id, group_name, source)
);
CREATE INDEX memberships_group ON memberships (group_name);

CREATE TABLE invites (
    token_hash TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE INDEX invites_user ON invites (user_id);

CREATE TABLE clients (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    redirect_uris TEXT NOT NULL,
    auth_method TEXT NOT NULL,
    secret_hash TEXT,
    grant_types TEXT NOT NULL,
    scope TEXT NOT NULL,
    application_type TEXT NOT NULL,
    client_uri TEXT NOT NULL,
    metadata TEXT NOT NULL,
    source TEXT NOT NULL,
    disabled BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT,
    old_secret_hash TEXT,
    old_secret_until BIGINT NOT NULL DEFAULT '0',
    jwks TEXT NOT NULL DEFAULT '',
    jwks_uri TEXT NOT NULL DEFAULT '',
    signing_algorithm TEXT NOT NULL DEFAULT '',
    registration_hash TEXT,
    servers TEXT NOT NULL DEFAULT '[]'
);

CREATE TABLE grants (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id TEXT NOT NULL,
    resources TEXT NOT NULL,
    scopes TEXT NOT NULL,
    auth_time BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    revoke_reason TEXT NOT NULL,
    connection TEXT NOT NULL DEFAULT '',
    amr TEXT NOT NULL DEFAULT ''
);
CREATE INDEX grants_user ON grants (user_id);
CREATE INDEX grants_client ON grants (client_id);

CREATE TABLE authorization_codes (
    code_hash TEXT NOT NULL PRIMARY KEY,
    grant_id TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    client_id TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    code_challenge TEXT NOT NULL,
    resources TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    jkt TEXT NOT NULL DEFAULT ''
);
CREATE INDEX authorization_codes_grant ON authorization_codes (grant_id);

CREATE TABLE refresh_tokens (
    token_hash TEXT NOT NULL PRIMARY KEY,
    grant_id TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    client_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    successor_sealed TEXT,
    jkt TEXT NOT NULL DEFAULT ''
);
CREATE INDEX refresh_tokens_grant ON refresh_tokens (grant_id);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);

CREATE TABLE denied_tokens (
    token_id TEXT NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);

CREATE TABLE access_tokens (
    token_hash TEXT NOT NULL PRIMARY KEY,
    claims TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX access_tokens_expiry ON access_tokens (expires_at);

CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    token_hash TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    servers TEXT NOT NULL,
    hint TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    last_used_at BIGINT,
    read_only BOOLEAN NOT NULL DEFAULT '0'
);
CREATE UNIQUE INDEX api_keys_token ON api_keys (token_hash);
CREATE INDEX api_keys_user ON api_keys (user_id);

CREATE TABLE admin_keys (
    id TEXT NOT NULL PRIMARY KEY,
    token_hash TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    addresses TEXT NOT NULL,
    hint TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    last_used_at BIGINT
);
CREATE UNIQUE INDEX admin_keys_token ON admin_keys (token_hash);
CREATE INDEX admin_keys_user ON admin_keys (user_id);

CREATE TABLE api_replies (
    key_id TEXT NOT NULL REFERENCES admin_keys (id) ON DELETE CASCADE,
    name_hash TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    sealed TEXT,
    PRIMARY KEY (key_id, name_hash)
);
CREATE INDEX api_replies_expiry ON api_replies (expires_at);

CREATE TABLE browser_sessions (
    token_hash TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    auth_time BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    address TEXT NOT NULL DEFAULT '',
    agent TEXT NOT NULL DEFAULT '',
    connection TEXT NOT NULL DEFAULT '',
    provider_session TEXT NOT NULL DEFAULT '',
    amr TEXT NOT NULL DEFAULT ''
);
CREATE INDEX browser_sessions_user ON browser_sessions (user_id);
CREATE INDEX browser_sessions_provider ON browser_sessions (connection, provider_session);

CREATE TABLE relying_sessions (
    grant_id TEXT NOT NULL PRIMARY KEY,
    session_hash TEXT NOT NULL,
    client_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    nonce TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    due_at BIGINT,
    attempts BIGINT NOT NULL,
    sid TEXT NOT NULL DEFAULT ''
);
CREATE INDEX relying_sessions_session ON relying_sessions (session_hash);
CREATE INDEX relying_sessions_due ON relying_sessions (due_at);
CREATE INDEX relying_sessions_user ON relying_sessions (user_id);

CREATE TABLE login_transactions (
    id_hash TEXT NOT NULL PRIMARY KEY,
    browser_hash TEXT NOT NULL,
    client_id TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    state TEXT,
    code_challenge TEXT NOT NULL,
    scopes TEXT NOT NULL,
    resources TEXT NOT NULL,
    prompt TEXT NOT NULL,
    user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
    provider TEXT NOT NULL,
    provider_state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    finished_at BIGINT,
    pushed_hash TEXT NOT NULL DEFAULT '',
    jkt TEXT NOT NULL DEFAULT '',
    nonce TEXT NOT NULL DEFAULT '',
    halfway TEXT NOT NULL DEFAULT ''
);
CREATE INDEX login_transactions_user ON login_transactions (user_id);
CREATE INDEX login_transactions_expiry ON login_transactions (expires_at);

CREATE TABLE pushed_requests (
    uri_hash TEXT NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL,
    parameters TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE INDEX pushed_requests_expiry ON pushed_requests (expires_at);

CREATE TABLE consents (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    scopes TEXT NOT NULL,
    resources TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, client_id, redirect_uri, scopes, resources)
);

CREATE TABLE device_authorizations (
    device_hash TEXT NOT NULL PRIMARY KEY,
    user_code_hash TEXT NOT NULL,
    client_id TEXT NOT NULL,
    scopes TEXT NOT NULL,
    resources TEXT NOT NULL,
    address TEXT NOT NULL,
    interval BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    polled_at BIGINT,
    status TEXT NOT NULL,
    grant_id TEXT REFERENCES grants (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX device_authorizations_code ON device_authorizations (user_code_hash);
CREATE INDEX device_authorizations_expiry ON device_authorizations (expires_at);
CREATE INDEX device_authorizations_grant ON device_authorizations (grant_id);

CREATE TABLE replays (
    purpose TEXT NOT NULL,
    key_hash TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (purpose, key_hash)
);
CREATE INDEX replays_expiry ON replays (expires_at);

CREATE TABLE scim_users (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    connection TEXT NOT NULL,
    user_name TEXT NOT NULL,
    user_key TEXT NOT NULL,
    external_id TEXT NOT NULL,
    body TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    held BOOLEAN NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX scim_users_name ON scim_users (connection, user_key);
CREATE INDEX scim_users_external ON scim_users (connection, external_id);
CREATE INDEX scim_users_order ON scim_users (connection, user_id);

CREATE TABLE scim_groups (
    group_id TEXT NOT NULL PRIMARY KEY REFERENCES groups (id) ON DELETE CASCADE,
    version BIGINT NOT NULL
);

CREATE TABLE scim_tokens (
    id TEXT NOT NULL PRIMARY KEY,
    connection TEXT NOT NULL,
    token_hash TEXT NOT NULL,
    hint TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    last_used_at BIGINT
);
CREATE UNIQUE INDEX scim_tokens_hash ON scim_tokens (token_hash);

CREATE TABLE signing_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    purpose TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    public_jwk TEXT NOT NULL,
    private_sealed TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT
);

CREATE TABLE connections (
    name TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    document_sealed TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE passkeys (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    public_key TEXT NOT NULL,
    sign_count BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL
);

CREATE INDEX passkeys_user ON passkeys (user_id);

CREATE TABLE totp (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    secret_sealed TEXT NOT NULL,
    last_step BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL
);

CREATE TABLE recovery_codes (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    PRIMARY KEY (user_id, digest)
);

CREATE TABLE pins (
    id TEXT NOT NULL PRIMARY KEY,
    server TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    definition TEXT NOT NULL,
    state TEXT NOT NULL,
    flags TEXT NOT NULL,
    seen_at BIGINT NOT NULL,
    decided_at BIGINT,
    decided_by TEXT NOT NULL
);

CREATE INDEX pins_name ON pins (server, kind, name);

CREATE TABLE rules (
    name TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    expires_at BIGINT,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL
);

CREATE TABLE approvals (
    id TEXT NOT NULL PRIMARY KEY,
    gateway TEXT NOT NULL,
    request_id TEXT NOT NULL,
    principal_id TEXT NOT NULL,
    principal TEXT NOT NULL,
    client_id TEXT NOT NULL,
    client TEXT NOT NULL,
    server TEXT NOT NULL,
    method TEXT NOT NULL,
    name TEXT NOT NULL,
    rule TEXT NOT NULL,
    reason TEXT NOT NULL,
    digest TEXT NOT NULL,
    arguments TEXT NOT NULL,
    asked_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    state TEXT NOT NULL,
    decided_at BIGINT,
    decided_by_id TEXT NOT NULL,
    decided_by TEXT NOT NULL,
    until BIGINT NOT NULL,
    whatever BIGINT NOT NULL,
    taken_at BIGINT
);

CREATE INDEX approvals_state ON approvals (state, asked_at);

CREATE TABLE access_requests (
    id TEXT NOT NULL PRIMARY KEY,
    principal_id TEXT NOT NULL,
    principal TEXT NOT NULL,
    server TEXT NOT NULL,
    tool TEXT NOT NULL,
    reason TEXT NOT NULL,
    seconds BIGINT NOT NULL,
    asked_at BIGINT NOT NULL,
    state TEXT NOT NULL,
    decided_at BIGINT,
    decided_by TEXT NOT NULL,
    rule TEXT NOT NULL,
    expires_at BIGINT
);

CREATE INDEX access_requests_state ON access_requests (state, asked_at);

CREATE TABLE settings (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- A sequence number is never used twice, not even after rows are trimmed: readers remember the newest they saw.
CREATE TABLE changes (
    sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    entry TEXT NOT NULL
);

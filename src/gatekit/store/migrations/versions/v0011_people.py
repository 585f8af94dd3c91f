"""Roles; several ways of signing in for one person; groups of providers, nested groups, groups by rule; which
way a browser session came in."""

from __future__ import annotations

from hashlib import sha256

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

SESSION = ("connection", "provider_session")


def upgrade() -> None:
    op.add_column("users", sa.Column("role", sa.Text, nullable=False, server_default="member"))
    for name in SESSION:
        op.add_column("browser_sessions", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.create_index(
        "browser_sessions_provider", "browser_sessions", ["connection", "provider_session"], unique=False
    )
    _identities()
    _groups()


def downgrade() -> None:
    op.create_table(
        "local_groups",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.execute(
        "INSERT INTO local_groups (name, created_at) SELECT name, created_at FROM groups "
        "WHERE source = 'local'"
    )
    for table in ("group_rules", "group_nesting", "groups", "identities"):
        op.drop_table(table)
    op.drop_index("browser_sessions_provider", "browser_sessions")
    for name in reversed(SESSION):
        op.drop_column("browser_sessions", name)
    op.drop_column("users", "role")


def _identities() -> None:
    """Everybody has one way of signing in until now: the one in their row."""
    op.create_table(
        "identities",
        sa.Column("user_id", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("connection", sa.Text, primary_key=True),
        sa.Column("issuer", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("login", sa.Text, nullable=False),
        sa.Column("email", sa.Text),
        sa.Column("email_verified", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_seen_at", sa.BigInteger),
        sa.Column("upstream_sealed", sa.Text, nullable=False),
    )
    op.create_index("identities_user", "identities", ["user_id"])
    op.execute(
        "INSERT INTO identities (user_id, connection, issuer, subject, login, email, email_verified, "
        "created_at, last_seen_at, upstream_sealed) "
        "SELECT id, connection, issuer, subject, login, email, email_verified, created_at, last_seen_at, '' "
        "FROM users"
    )


def _groups() -> None:
    groups = op.create_table(
        "groups",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("external_id", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    op.create_index("groups_name", "groups", ["source", "name"], unique=True)
    op.create_table(
        "group_nesting",
        sa.Column("parent", sa.Text, primary_key=True),
        sa.Column("child", sa.Text, primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index("group_nesting_child", "group_nesting", ["child"])
    op.create_table(
        "group_rules",
        sa.Column("group_name", sa.Text, primary_key=True),
        sa.Column("selectors", sa.Text, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    for row in op.get_bind().execute(sa.text("SELECT name, created_at FROM local_groups")).fetchall():
        op.get_bind().execute(
            groups.insert().values(
                id=f"grp_{sha256(row.name.encode()).hexdigest()[:24]}",
                name=row.name,
                title="",
                source="local",
                external_id="",
                created_at=row.created_at,
                updated_at=row.created_at,
            )
        )
    op.drop_table("local_groups")

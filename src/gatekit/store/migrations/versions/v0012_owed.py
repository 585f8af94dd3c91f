"""What relying parties are still owed outlives the grant, and so the person who is deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

TABLE = "relying_sessions"
OLD = "relying_sessions_before"


def upgrade() -> None:
    _rebuild(sa.Column("grant_id", sa.Text, primary_key=True))
    op.create_index("relying_sessions_user", TABLE, ["user_id"])


def downgrade() -> None:
    op.drop_index("relying_sessions_user")
    op.execute("DELETE FROM relying_sessions WHERE grant_id NOT IN (SELECT id FROM grants)")
    _rebuild(sa.Column("grant_id", sa.Text, sa.ForeignKey("grants.id", ondelete="CASCADE"), primary_key=True))


def _rebuild(key: sa.Column[str]) -> None:
    """The same table with another key: SQLite cannot drop a foreign key."""
    op.drop_index("relying_sessions_session")
    op.drop_index("relying_sessions_due")
    op.rename_table(TABLE, OLD)
    op.create_table(
        TABLE,
        key,
        sa.Column("session_hash", sa.Text, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("nonce", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("sid", sa.Text, nullable=False, server_default=""),
    )
    columns = "grant_id, session_hash, client_id, user_id, nonce, created_at, due_at, attempts, sid"
    op.execute(f"INSERT INTO {TABLE} ({columns}) SELECT {columns} FROM {OLD}")  # noqa: S608 - constants
    op.drop_table(OLD)
    op.create_index("relying_sessions_session", TABLE, ["session_hash"])
    op.create_index("relying_sessions_due", TABLE, ["due_at"])

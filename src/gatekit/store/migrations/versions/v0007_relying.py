"""OpenID Connect: where browser sessions signed people in, and the nonce of a run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

TABLE = "relying_sessions"


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("grant_id", sa.Text, sa.ForeignKey("grants.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("session_hash", sa.Text, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("nonce", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("attempts", sa.BigInteger, nullable=False),
    )
    op.create_index("relying_sessions_session", TABLE, ["session_hash"])
    op.create_index("relying_sessions_due", TABLE, ["due_at"])
    op.add_column("login_transactions", sa.Column("nonce", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("login_transactions", "nonce")
    op.drop_table(TABLE)

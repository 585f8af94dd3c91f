"""Admin keys, and answers of the REST interface that may be asked for again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "admin_keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("token_hash", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("addresses", sa.Text, nullable=False),
        sa.Column("hint", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
        sa.Column("last_used_at", sa.BigInteger),
    )
    op.create_index("admin_keys_token", "admin_keys", ["token_hash"], unique=True)
    op.create_index("admin_keys_user", "admin_keys", ["user_id"])
    op.create_table(
        "api_replies",
        sa.Column("key_id", sa.Text, sa.ForeignKey("admin_keys.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("name_hash", sa.Text, primary_key=True),
        sa.Column("request_hash", sa.Text, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("sealed", sa.Text),
    )
    op.create_index("api_replies_expiry", "api_replies", ["expires_at"])


def downgrade() -> None:
    op.drop_table("api_replies")
    op.drop_table("admin_keys")

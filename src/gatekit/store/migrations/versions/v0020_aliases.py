"""Who became whom when two people were merged."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.create_table(
        "aliases",
        sa.Column("old_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("username", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("merged_at", sa.BigInteger, nullable=False),
    )
    op.create_index("aliases_user", "aliases", ["user_id"])


def downgrade() -> None:
    op.drop_table("aliases")

"""Definitions that servers gave of their tools, prompts and resource templates."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    def text(name: str, *, key: bool = False) -> sa.Column[str]:
        return sa.Column(name, sa.Text, nullable=False, primary_key=key)

    op.create_table(
        "pins",
        text("id", key=True),
        text("server"),
        text("kind"),
        text("name"),
        text("digest"),
        text("definition"),
        text("state"),
        text("flags"),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("decided_at", sa.BigInteger),
        text("decided_by"),
    )
    op.create_index("pins_name", "pins", ["server", "kind", "name"])


def downgrade() -> None:
    op.drop_table("pins")

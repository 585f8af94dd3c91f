"""Second factors, and how somebody signed in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    def person() -> sa.Column[str]:
        return sa.Column("user_id", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)

    op.create_table(
        "totp",
        person(),
        sa.Column("secret_sealed", sa.Text, nullable=False),
        sa.Column("last_step", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_used_at", sa.BigInteger, nullable=False),
    )
    op.create_table("recovery_codes", person(), sa.Column("digest", sa.Text, primary_key=True))
    op.add_column("login_transactions", sa.Column("halfway", sa.Text, nullable=False, server_default=""))
    op.add_column("browser_sessions", sa.Column("amr", sa.Text, nullable=False, server_default=""))
    op.add_column("grants", sa.Column("amr", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("grants", "amr")
    op.drop_column("browser_sessions", "amr")
    op.drop_column("login_transactions", "halfway")
    op.drop_table("recovery_codes")
    op.drop_table("totp")

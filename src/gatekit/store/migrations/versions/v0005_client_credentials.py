"""What clients prove themselves with besides one secret, and what the file says of those that it names."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

TABLE = "clients"
NAMES = (
    *("old_secret_hash", "old_secret_until", "jwks", "jwks_uri"),
    *("signing_algorithm", "registration_hash", "servers"),
)


def upgrade() -> None:
    op.add_column(TABLE, sa.Column("old_secret_hash", sa.Text))
    op.add_column(TABLE, sa.Column("old_secret_until", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column(TABLE, sa.Column("jwks", sa.Text, nullable=False, server_default=""))
    op.add_column(TABLE, sa.Column("jwks_uri", sa.Text, nullable=False, server_default=""))
    op.add_column(TABLE, sa.Column("signing_algorithm", sa.Text, nullable=False, server_default=""))
    op.add_column(TABLE, sa.Column("registration_hash", sa.Text))
    op.add_column(TABLE, sa.Column("servers", sa.Text, nullable=False, server_default="[]"))


def downgrade() -> None:
    for name in reversed(NAMES):
        op.drop_column(TABLE, name)

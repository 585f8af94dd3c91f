"""Steps between schema revisions, run by ``store/sql/migrate.py`` through alembic, forward and back."""

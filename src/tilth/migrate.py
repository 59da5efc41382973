"""What revision files may call beside Alembic's `op`: each says what the database cannot know."""

from tilth.runtime.migrate.saying import (
    Irreversible,
    assured,
    backfill,
    irreversible,
    set_table_options,
)

__all__ = ["Irreversible", "assured", "backfill", "irreversible", "set_table_options"]

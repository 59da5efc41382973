"""Schema changes: found, written, explained, made and undone. The only place that uses Alembic."""

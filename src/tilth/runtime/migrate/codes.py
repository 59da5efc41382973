"""Everything that migrations are told by a code: one name each, which docs/errors/migrate.md explains."""

from __future__ import annotations

from typing import Literal

from tilth.errors import Finding

RiskCode = Literal[
    "drop_column", "drop_table", "required_column", "null_values", "narrowing", "duplicates",
    "orphans", "violations",
    "index_locks", "drop_index_locks", "concurrent_in_transaction", "type_rewrite", "stored_column",
    "counting_column", "volatile_default", "check_scan", "foreign_key_scan", "not_null_scan",
    "validate_at_once", "primary_key_locks", "unique_locks", "exclusion_locks", "several_locks",
    "unbatched_change", "cascade", "truncate", "enum_rename", "enum_order", "unknown_statement",
    "rename_table", "rename_column", "type", "wide_index", "same_index", "unindexed_key",
    "key_types", "long_name",
]  # fmt: skip
"""Of an operation, looked at before it is made."""

HistoryCode = Literal[
    "edited", "missing", "duplicate", "cycle", "broken_file", "several_heads", "irreversible",
    "model_import", "models_differ", "fails", "depends_on_rows", "no_rows", "leaves_traces",
    "loses_values", "loses_rows", "not_repeatable",
]  # fmt: skip
"""Of the files, and of what they do when they are tried."""

Level = Literal["error", "warning"]


def finding_of(
    code: RiskCode | HistoryCode,
    subject: str,
    reason: str,
    remedy: str,
    level: Level = "error",
    where: str | None = None,
) -> Finding:
    return Finding(f"migrate.{code}", subject, reason, remedy, level, where)

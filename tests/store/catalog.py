"""What a database has of the schema, as its catalog says it: for comparing two of them."""

from __future__ import annotations

from typing import Any, Final

import psycopg

#: Each gives rows of a name and what it is; nothing in them depends on how it came about (such as a column's place).
_QUERIES: Final = {
    "schema": "SELECT nspname, nspacl::text FROM pg_namespace WHERE nspname = 'trichat'",
    "relation": """
        SELECT relname, concat_ws(' ', relkind, relpersistence, reloptions::text, relacl::text)
        FROM pg_class WHERE relnamespace = 'trichat'::regnamespace
    """,
    "column": """
        SELECT c.relname || '.' || attname, concat_ws(
            ' ', format_type(atttypid, atttypmod), collname, attacl::text,
            CASE WHEN attnotnull THEN 'NOT NULL' END, attidentity, 'DEFAULT ' || pg_get_expr(adbin, adrelid)
        )
        FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
        LEFT JOIN pg_attrdef d ON adrelid = attrelid AND adnum = attnum
        LEFT JOIN pg_collation l ON l.oid = attcollation
        WHERE relnamespace = 'trichat'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
    """,
    "constraint": """
        SELECT conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'trichat'::regnamespace AND contype <> 'n'
    """,
    "index": """
        SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) || indisvalid
        FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE relnamespace = 'trichat'::regnamespace
    """,
    "function": """
        SELECT oid::regprocedure::text, concat_ws(' ', pg_get_functiondef(oid), proacl::text)
        FROM pg_proc WHERE pronamespace = 'trichat'::regnamespace
    """,
    "trigger": """
        SELECT tgrelid::regclass || '.' || tgname, concat_ws(' ', pg_get_triggerdef(oid), tgenabled)
        FROM pg_trigger WHERE NOT tgisinternal AND tgrelid::regclass::text LIKE 'trichat.%'
    """,
    "sequence": "SELECT sequencename::text, increment_by::text FROM pg_sequences WHERE schemaname = 'trichat'",
}

Catalog = dict[tuple[str, str], str | None]


def read_catalog(connection: psycopg.Connection[Any]) -> Catalog:
    """What each thing is, by its kind and name."""
    return {(kind, name): what for kind, query in _QUERIES.items() for name, what in connection.execute(query.encode())}

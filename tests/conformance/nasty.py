"""Databases that hold what real ones hold and nobody wishes for, one for each engine.

Build one by hand: python tests/conformance/nasty.py sqlite:///nasty.db
"""

import sqlite3
import sys
from collections.abc import Sequence

WIDE = 200

# Understood by both engines.
SHARED = (
    # Names.
    '''CREATE TABLE "Order Details" ("Order ID" INTEGER NOT NULL, "Line No." INTEGER NOT NULL,
        "Unit Price" NUMERIC(10, 2), "note, or ""remark""" TEXT,
        PRIMARY KEY ("Order ID", "Line No."))''',
    """INSERT INTO "Order Details" VALUES (1, 1, 9.99, 'a "quoted" note'), (1, 2, 0.5, NULL),
        (2, 1, 120, ''), (2, 2, -3.25, 'comma, semicolon; and
        a line break')""",
    """CREATE TABLE "select" ("from" INTEGER PRIMARY KEY, "where" TEXT, "group by" TEXT,
        "limit" INTEGER, "sort" TEXT, "metadata" TEXT, "registry" TEXT, "query" TEXT,
        "_private" TEXT, "__init__" TEXT, "a__b" INTEGER, "c.d" INTEGER, "x'y" TEXT, "100%" TEXT)""",
    """INSERT INTO "select" VALUES
        (1, 'w', 'g', 10, 's', 'm', 'r', 'q', 'p', 'i', 7, 8, 'it''s', 'all'),
        (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)""",
    'CREATE TABLE "Straße" ("größe" INTEGER PRIMARY KEY, "имя" TEXT, "名前" TEXT, "🌱" TEXT)',
    """INSERT INTO "Straße" VALUES (1, 'Äpfel', 'りんご', '🍏'), (2, 'яблоко', NULL, 'e\u0301'),
        (3, 'é', '', '𝒳')""",
    'CREATE TABLE "order" (id INTEGER PRIMARY KEY, name TEXT)',
    "INSERT INTO \"order\" VALUES (1, 'singular')",
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT)",
    "INSERT INTO orders VALUES (1, 'plural'), (2, 'again')",
    # Keys.
    """CREATE TABLE text_keys (code VARCHAR(60) PRIMARY KEY NOT NULL, rank INTEGER)""",
    """INSERT INTO text_keys VALUES ('plain', 1), ('a/b', 2), ('a,b', 3), ('50%', 4), ('%2F', 5),
        ('ключ', 6), (' spaces ', 7), ('q?x=1&y=2#z', 8), ('..', 9), ('.', 10), ('a+b', 11),
        ('"quoted"', 12), ('back\\slash', 13), ('', 14), ('🌱', 15), ('UPPER', 16), ('upper', 17)""",
    """CREATE TABLE text_pairs (first VARCHAR(20) NOT NULL, second VARCHAR(20) NOT NULL, n INTEGER,
        PRIMARY KEY (second, first))""",
    """INSERT INTO text_pairs VALUES ('a,b', 'c', 1), ('a', 'b,c', 2), ('a/b', 'c', 3), ('', '', 4),
        ('%', ',', 5), (',', '%', 6)""",
    "CREATE TABLE decimal_keys (amount NUMERIC(8, 3) PRIMARY KEY NOT NULL, name TEXT)",
    "INSERT INTO decimal_keys VALUES (0, 'zero'), (-1.5, 'minus'), (12345.678, 'long')",
    "CREATE TABLE date_keys (day DATE PRIMARY KEY NOT NULL, n INTEGER)",
    "INSERT INTO date_keys VALUES ('2026-01-31', 1), ('1999-12-31', 2), ('2024-02-29', 3)",
    "CREATE TABLE keyless (a INTEGER, b TEXT)",
    "INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (1, 'x'), (NULL, NULL), (NULL, NULL), (2, 'y')",
    "CREATE TABLE one_column (only_one INTEGER PRIMARY KEY)",
    "INSERT INTO one_column VALUES (-5), (0), (7)",
    "CREATE TABLE empty (id INTEGER PRIMARY KEY, name TEXT, amount NUMERIC(10, 2), at TIMESTAMP)",
    # References.
    """CREATE TABLE cities (country VARCHAR(2) NOT NULL, city VARCHAR(40) NOT NULL, people BIGINT,
        PRIMARY KEY (country, city))""",
    """INSERT INTO cities VALUES ('DE', 'Köln', 1100000), ('DE', 'Bonn', NULL),
        ('FR', 'Lyon', 9223372036854775807), ('', '', -9223372036854775808)""",
    """CREATE TABLE flights (id INTEGER PRIMARY KEY, origin_country VARCHAR(2),
        origin_city VARCHAR(40), target_country VARCHAR(2), target_city VARCHAR(40),
        FOREIGN KEY (origin_country, origin_city) REFERENCES cities (country, city),
        FOREIGN KEY (target_country, target_city) REFERENCES cities (country, city))""",
    """INSERT INTO flights VALUES (1, 'DE', 'Köln', 'FR', 'Lyon'), (2, 'FR', 'Lyon', 'DE', 'Köln'),
        (3, 'DE', NULL, '', ''), (4, NULL, NULL, 'DE', 'Bonn'), (5, 'DE', 'Köln', 'DE', 'Köln')""",
    """CREATE TABLE nodes (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES nodes (id),
        parent TEXT, nodes INTEGER, twin_id INTEGER UNIQUE REFERENCES nodes (id))""",
    "INSERT INTO nodes VALUES (1, NULL, 'root', 0, NULL)",
    "INSERT INTO nodes VALUES (2, 1, 'one', 1, NULL), (3, 3, 'itself', 2, 3)",
    "UPDATE nodes SET parent_id = 2, twin_id = 2 WHERE id = 1",
    "UPDATE nodes SET twin_id = 1 WHERE id = 2",
    "CREATE TABLE people (person_id INTEGER PRIMARY KEY, name TEXT NOT NULL)",
    "INSERT INTO people VALUES (1, 'Ada'), (2, 'Bo'), (3, 'Cy'), (4, 'Di')",
    """CREATE TABLE passports (person_id INTEGER PRIMARY KEY REFERENCES people (person_id),
        number TEXT UNIQUE)""",
    "INSERT INTO passports VALUES (1, 'X1'), (3, NULL)",
    """CREATE TABLE friendships (person_id INTEGER NOT NULL REFERENCES people (person_id),
        friend_id INTEGER NOT NULL REFERENCES people (person_id), PRIMARY KEY (person_id, friend_id))""",
    "INSERT INTO friendships VALUES (1, 2), (1, 3), (2, 1), (4, 4)",
    "CREATE TABLE clubs (id INTEGER PRIMARY KEY, people INTEGER)",
    "INSERT INTO clubs VALUES (1, 100), (2, NULL)",
    """CREATE TABLE club_members (club_id INTEGER NOT NULL REFERENCES clubs (id),
        member_id INTEGER NOT NULL REFERENCES people (person_id), PRIMARY KEY (club_id, member_id))""",
    "INSERT INTO club_members VALUES (1, 1), (1, 2), (2, 1)",
    """CREATE TABLE club_founders (club_id INTEGER NOT NULL REFERENCES clubs (id),
        founder_id INTEGER NOT NULL REFERENCES people (person_id),
        PRIMARY KEY (club_id, founder_id))""",
    "INSERT INTO club_founders VALUES (1, 4)",
    """CREATE TABLE visits (person_id INTEGER REFERENCES people (person_id),
        club_id INTEGER REFERENCES clubs (id), seen TEXT)""",
    "INSERT INTO visits VALUES (1, 1, 'x'), (1, 1, 'x'), (NULL, 2, NULL), (2, NULL, 'y')",
    # Numbers and texts.
    """CREATE TABLE numbers (id INTEGER PRIMARY KEY, small SMALLINT, large BIGINT,
        exact NUMERIC(12, 4), loose DOUBLE PRECISION)""",
    """INSERT INTO numbers VALUES (1, 1, 9223372036854775807, 0.0001, 0.1),
        (2, -1, -9223372036854775808, -99999999.9999, 1e300), (3, 0, 9007199254740993, 10, -0.0),
        (4, NULL, NULL, NULL, NULL), (5, 32767, 0, 1.5000, 123456789.123456789)""",
    "CREATE TABLE texts (id INTEGER PRIMARY KEY, body TEXT, short VARCHAR(5))",
    """INSERT INTO texts VALUES (1, '', 'a'), (2, NULL, NULL), (3, '100%_done', 'A'),
        (4, 'Ärger\\n', 'ä'), (5, '  ', ' '), (6, 'null', 'true'), (7, '=1+1', '-2'),
        (8, 'İıſK', 'ß'), (9, '\u2028\u202e\ufeff', '\u0001'), (10, '{"json": 1}', '[1]')""",
    "CREATE VIEW people_and_passports AS SELECT p.person_id, p.name, q.number, p.person_id * 2 AS twice"
    " FROM people p LEFT JOIN passports q ON q.person_id = p.person_id",
    "CREATE VIEW totals AS SELECT origin_country AS country, count(*) AS flights"
    " FROM flights GROUP BY origin_country",
    "CREATE VIEW no_rows AS SELECT * FROM empty",
)

SQLITE = (
    "CREATE TABLE blobs (id BLOB PRIMARY KEY NOT NULL, data BLOB, untyped)",
    "INSERT INTO blobs VALUES (x'00ff', x'', 1), (x'', NULL, 'text'), (x'41', 'text', x'80')",
    """CREATE TABLE lies (id INTEGER PRIMARY KEY, number INTEGER, flag BOOLEAN, at DATETIME,
        price DECIMAL(10, 2), label VARCHAR(3), day DATE, clock TIME, ratio REAL, big NUMERIC)""",
    """INSERT INTO lies VALUES (1, 'twelve', 't', '2026-01-31T10:00:00', 1.999, 'longer', '31.1.2026',
        'noon', 'n/a', 1e400), (2, 12, 'f', '2026-01-31T10:00:00.250', 'free', x'80', NULL, NULL,
        1.5, -1e400), (3, 1.5, 1, NULL, NULL, NULL, '2026-01-31', '10:00:00', NULL, NULL)""",
    """CREATE TABLE moments (id INTEGER PRIMARY KEY, usual DATETIME, fractions DATETIME,
        zulu TIMESTAMP, iso DATETIME, day DATETIME, epoch DATETIME, julian DATETIME, mixed DATETIME,
        minutes DATETIME, offsets DATETIME, clock TIME)""",
    """INSERT INTO moments VALUES
        (1, '2026-01-31 10:00:00', '2026-01-31 10:00:00.123456', '2026-01-31T10:00:00Z',
        '2026-01-31T10:00:00', '2026-01-31', 1769853600, 2461071.9, '2026-01-31', '2026-01-31 10:00',
        '2026-01-31 10:00:00+02:00', '10:00:00'),
        (2, '1999-12-31 23:59:59', '2026-01-31 10:00:00', '1999-12-31T23:59:59Z',
        '2026-01-31T10:00:00.500000', '1999-12-31', 0, 0.5, 1769853600, '1999-12-31 23:59',
        '1999-12-31 23:59:59+00:00', '23:59:59.5'),
        (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)""",
    "CREATE TABLE broken_texts (id INTEGER PRIMARY KEY, body TEXT, code TEXT UNIQUE)",
    """INSERT INTO broken_texts VALUES (1, CAST(x'ff41' AS TEXT), CAST(x'e282' AS TEXT)),
        (2, CAST(x'6100' AS TEXT) || 'b', 'fine'), (3, 'fine', CAST(x'eda080' AS TEXT))""",
    "CREATE TABLE null_keys (code TEXT PRIMARY KEY, n INTEGER)",
    "INSERT INTO null_keys VALUES (NULL, 1), (NULL, 2), ('a', 3)",
    "CREATE TABLE small (code TEXT PRIMARY KEY, n INT) WITHOUT ROWID",
    "INSERT INTO small VALUES ('b', 1), ('a', 2)",
    "CREATE TABLE folded (name TEXT PRIMARY KEY NOT NULL COLLATE NOCASE, n INTEGER)",
    "INSERT INTO folded VALUES ('b', 1), ('A', 2), ('C', 3), ('a1', 4)",
    """CREATE TABLE odd_types (id INTEGER PRIMARY KEY, a "INTEGER UNSIGNED", b NVARCHAR(160),
        c MONEY, d BIT, e BOOL, f, g UUID, h STRING, i JSON, j "DOUBLE PRECISION", k POINT)""",
    """INSERT INTO odd_types VALUES (1, 4294967295, 'x', 1.25, 1, 1, 'f',
        '0b1e2c3d-0000-4000-8000-000000000001', 'hello', '{"a": [1, null]}', 0.5, 'POINT(1 2)'),
        (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)""",
    """CREATE TABLE generated (id INTEGER PRIMARY KEY, a INTEGER,
        b INTEGER GENERATED ALWAYS AS (a * 2), c TEXT AS (a || '!') STORED)""",
    "INSERT INTO generated (id, a) VALUES (1, 21), (2, NULL)",
    """CREATE TABLE lonely (id INTEGER PRIMARY KEY, missing_id INTEGER REFERENCES missing (id),
        label TEXT REFERENCES texts (short), PERSON_id INTEGER REFERENCES PEOPLE)""",
    "INSERT INTO lonely VALUES (1, 99, 'a', 1), (2, NULL, 'nope', 77)",
    "CREATE VIEW broken_view AS SELECT * FROM long_gone",
    "CREATE VIEW unknown_function AS SELECT nobody_defined_this(id) AS x FROM texts",
    "CREATE VIEW expressions AS SELECT id, id + 1 AS next, body || '!' AS loud, NULL AS absent,"
    " 1.5 AS real, CASE id WHEN 1 THEN 1 ELSE 'many' END AS mixed FROM texts",
    "CREATE VIRTUAL TABLE pages USING fts5(title, body)",
    "INSERT INTO pages VALUES ('one', 'the first page'), ('two', 'the second')",
    "CREATE TABLE tilth_secrets (id INTEGER PRIMARY KEY, secret TEXT)",
)

POSTGRESQL = (
    "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy, very', '')",
    "CREATE TYPE address AS (street text, number int)",
    "CREATE DOMAIN positive AS integer CHECK (VALUE > 0)",
    "CREATE DOMAIN required_text AS text NOT NULL",
    """CREATE TABLE rich (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mood mood,
        amount positive, label required_text, tags text[], grid integer[][], moods mood[],
        span int4range, spans int4multirange, ip inet, net cidr, mac macaddr, doc jsonb, raw json,
        uid uuid, bits bit(4), cash money, data bytea, lasting interval, clock time, zoned timetz,
        home address, place point, doc_xml xml, search tsvector, "char" "char", fixed char(5),
        doubled integer GENERATED ALWAYS AS (amount * 2) STORED)""",
    """INSERT INTO rich (mood, amount, label, tags, grid, moods, span, spans, ip, net, mac, doc, raw,
        uid, bits, cash, data, lasting, clock, zoned, home, place, search, "char", fixed) VALUES
        ('happy, very', 1, 'a', '{a,NULL,"b,c",""}', '{{1,2},{3,NULL}}', '{sad,ok}', '[1,5)',
        '{[1,2),[5,9)}', '10.0.0.1/24', '10.0.0.0/8', '08:00:2b:01:02:03',
        '{"a": [1.10, null, "x"], "b": 1e400}', '{"a": 1, "a": 2}',
        '0b1e2c3d-0000-4000-8000-000000000001', B'1010', 12.50, '\\x00ff', '1 day 02:03:04.5',
        '23:59:59.5', '10:00:00+02', ROW('x', 1), '(1,2)', 'fat cat', 'c', 'ab'),
        ('', NULL, '', '{}', NULL, NULL, 'empty', NULL, '::1', NULL, NULL, 'null', 'null', NULL,
        NULL, NULL, '', '1 year 2 months', NULL, NULL, NULL, NULL, NULL, NULL, NULL)""",
    """CREATE TABLE extremes (id integer PRIMARY KEY, number numeric, ratio double precision,
        at timestamptz, plain timestamp, day date)""",
    """INSERT INTO extremes VALUES
        (1, 'NaN', 'NaN', 'infinity', 'infinity', 'infinity'),
        (2, 'Infinity', 'Infinity', '-infinity', '-infinity', '-infinity'),
        (3, '-Infinity', '-Infinity', '10000-01-01 00:00:00+00', '10000-01-01', '10000-01-01'),
        (4, 123456789012345678901234567890.12345678901234567890, 5e-324,
        '0044-03-15 00:00:00+00 BC', '0044-03-15 00:00:00 BC', '0044-03-15 BC'),
        (5, 0.1, 0.1, '2026-01-31 10:00:00.123456+02', '2026-01-31 10:00:00.5', '2026-01-31'),
        (6, NULL, NULL, NULL, NULL, NULL),
        (7, -0.00, '-0', '0001-01-01', '0001-01-01', '0001-01-01')""",
    "CREATE TABLE reals (id integer PRIMARY KEY, ratio real)",
    "INSERT INTO reals VALUES (1, 0.1), (2, 1e-45), (3, 'NaN'), (4, NULL), (5, '-Infinity')",
    "CREATE TABLE enum_keys (mood mood PRIMARY KEY, n integer)",
    "INSERT INTO enum_keys VALUES ('happy, very', 1), ('sad', 2), ('', 3)",
    "CREATE TABLE uuid_keys (id uuid PRIMARY KEY, n integer)",
    "INSERT INTO uuid_keys SELECT md5(i::text)::uuid, i FROM generate_series(1, 30) i",
    "CREATE TABLE moment_keys (at timestamptz PRIMARY KEY, n integer)",
    "INSERT INTO moment_keys VALUES ('2026-01-31 10:00:00.123456+00', 1), ('infinity', 2), ('1999-12-31', 3)",
    "CREATE TABLE inet_keys (ip inet PRIMARY KEY, n integer)",
    "INSERT INTO inet_keys VALUES ('10.0.0.1', 1), ('10.0.0.0/8', 2), ('::1', 3)",
    """CREATE TABLE readings (at date NOT NULL, sensor integer NOT NULL, value real,
        PRIMARY KEY (at, sensor)) PARTITION BY RANGE (at)""",
    "CREATE TABLE readings_2025 PARTITION OF readings FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')",
    "CREATE TABLE readings_2026 PARTITION OF readings FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
    "INSERT INTO readings VALUES ('2025-05-05', 1, 0.5), ('2026-05-05', 1, 1.5), ('2026-05-05', 2, NULL)",
    "CREATE MATERIALIZED VIEW reading_totals AS SELECT sensor, sum(value) AS total FROM readings GROUP BY sensor",
    """CREATE VIEW odd_view AS SELECT ARRAY[1, 2] AS numbers, 'x'::unknown AS nobody, now() > 'epoch' AS truth,
        row_number() OVER () AS n, NULL AS absent""",
    'CREATE TABLE "Case" (id integer PRIMARY KEY, "Name" text, name text)',
    "INSERT INTO \"Case\" VALUES (1, 'upper', 'lower')",
    "CREATE SCHEMA elsewhere",
    "CREATE TABLE elsewhere.hidden (id integer PRIMARY KEY)",
    "INSERT INTO elsewhere.hidden VALUES (1)",
    "CREATE TABLE reaching (id integer PRIMARY KEY, hidden_id integer REFERENCES elsewhere.hidden)",
    "INSERT INTO reaching VALUES (1, 1)",
    "COMMENT ON TABLE rich IS 'Every type there is.'",
    "COMMENT ON COLUMN rich.mood IS 'How it is today.'",
    "CREATE TABLE tilth_secrets (id integer PRIMARY KEY, secret text)",
)


def wide_table() -> Sequence[str]:
    """One table with 200 columns."""
    columns = ", ".join(f"c{place} INTEGER" for place in range(1, WIDE))
    values = ", ".join(map(str, range(1, WIDE)))
    return (
        f"CREATE TABLE wide (id INTEGER PRIMARY KEY, {columns})",
        f"INSERT INTO wide VALUES (1, {values}), (2, {values})",
    )


def many_rows() -> Sequence[str]:
    """Enough rows for several pages, with many equal and missing sort keys."""
    rows = ", ".join(
        f"({place}, {place % 7 if place % 5 else 'NULL'}, 'name {place % 13}')"
        for place in range(1, 451)
    )
    return (
        "CREATE TABLE many (id INTEGER PRIMARY KEY, bucket INTEGER, name TEXT)",
        f"INSERT INTO many VALUES {rows}",
    )


def build_nasty_sqlite(path: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in (*SHARED, *SQLITE, *wide_table(), *many_rows()):
        connection.execute(statement)
    connection.close()


def build_nasty_postgresql(url: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        for statement in (*SHARED, *POSTGRESQL, *wide_table(), *many_rows()):
            connection.execute(statement)


if __name__ == "__main__":
    [address] = sys.argv[1:]
    if address.startswith("sqlite:///"):
        build_nasty_sqlite(address.removeprefix("sqlite:///"))
    else:
        build_nasty_postgresql(address)

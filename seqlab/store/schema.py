"""Which tables does a results database have? One migration for each version, oldest first.

Metric and split names are stored once, in `name`, which keeps a million measurements small and quick to
load. Artifacts are in a table of their own, `exhibit`, so that loading measurements never reads them. What
runs used, many files each, is stored once for all that used the same, in `used`. Rules form a chain
(`seqlab.store.chain`).

Tables are neither STRICT nor have CHECK constraints. `seqlab.store.sound` asks more of every row than either
could (finite numbers, the shape of JSON, encodings, lengths), of what is written here and of what another
program wrote, and sets a bad row aside instead of refusing the store. A migration to STRICT tables would have
to leave such rows out, would copy every measurement, and SQLite before 3.37 could not read its result.
"""

import sqlite3
from collections.abc import Callable

from seqlab.store.chain import chain_what_is_there

Step = str | Callable[[sqlite3.Connection], None]  # statements, or a function where SQL is not enough

APPLICATION_ID = 0x5E91AB  # marks an SQLite file as ours
MIGRATIONS: tuple[tuple[Step, ...] | str, ...] = (
    """
    CREATE TABLE provenance (id INTEGER PRIMARY KEY, digest TEXT UNIQUE NOT NULL, json TEXT NOT NULL);
    CREATE TABLE run (
        id INTEGER PRIMARY KEY, uid TEXT UNIQUE NOT NULL, key TEXT NOT NULL, experiment TEXT NOT NULL,
        seed INTEGER NOT NULL, budget TEXT NOT NULL, factors TEXT NOT NULL, settings TEXT NOT NULL,
        status TEXT NOT NULL, error TEXT NOT NULL, traceback TEXT NOT NULL, seconds REAL NOT NULL,
        started TEXT NOT NULL, device TEXT NOT NULL, mlx TEXT NOT NULL, fingerprint TEXT NOT NULL,
        provenance INTEGER NOT NULL REFERENCES provenance (id)
    );
    CREATE INDEX run_by_experiment ON run (experiment, key);
    CREATE TABLE name (id INTEGER PRIMARY KEY, text TEXT UNIQUE NOT NULL);
    CREATE TABLE measurement (
        run INTEGER NOT NULL REFERENCES run (id), metric INTEGER NOT NULL REFERENCES name (id),
        split INTEGER NOT NULL REFERENCES name (id), step INTEGER, value REAL NOT NULL
    );
    CREATE INDEX measurement_by_run ON measurement (run);
    CREATE TABLE rule (
        claim TEXT NOT NULL, experiment TEXT NOT NULL, digest TEXT NOT NULL, statement TEXT NOT NULL,
        fixed TEXT NOT NULL, PRIMARY KEY (claim, experiment, digest)
    );
    CREATE TABLE verdict (
        id INTEGER PRIMARY KEY, claim TEXT NOT NULL, experiment TEXT NOT NULL, budget TEXT NOT NULL,
        outcome TEXT NOT NULL, effect REAL, low REAL, high REAL, n INTEGER NOT NULL, scope TEXT NOT NULL,
        reason TEXT NOT NULL, rule TEXT NOT NULL, judged TEXT NOT NULL
    );
    """,
    """
    CREATE TABLE exhibit (
        run INTEGER NOT NULL REFERENCES run (id), name TEXT NOT NULL, media TEXT NOT NULL,
        data BLOB NOT NULL, PRIMARY KEY (run, name)
    );
    """,
    """
    CREATE TABLE used (id INTEGER PRIMARY KEY, digest TEXT UNIQUE NOT NULL, json TEXT NOT NULL);
    CREATE TABLE run_used (
        run INTEGER PRIMARY KEY REFERENCES run (id), used INTEGER NOT NULL REFERENCES used (id)
    );
    """,
    """
    ALTER TABLE verdict ADD COLUMN evidence TEXT NOT NULL DEFAULT 'own';
    """,
    (
        """
        ALTER TABLE rule RENAME TO unchained;
        CREATE TABLE rule (
            place INTEGER PRIMARY KEY, claim TEXT NOT NULL, experiment TEXT NOT NULL, digest TEXT NOT NULL,
            statement TEXT NOT NULL, fixed TEXT NOT NULL, seal TEXT NOT NULL, link TEXT NOT NULL,
            UNIQUE (claim, experiment, digest)
        );
        CREATE TABLE witness (
            kind TEXT NOT NULL, number INTEGER NOT NULL, place INTEGER NOT NULL, link TEXT NOT NULL,
            PRIMARY KEY (kind, number)
        ) WITHOUT ROWID;
        """,
        chain_what_is_there,
        "DROP TABLE unchained",
    ),
)

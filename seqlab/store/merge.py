"""How are another database's runs copied, each once, however often the two are merged?

A run is identified by its `uid`, which is random; its row number changes. Of a rule that both databases have,
this one's date stays; the others are appended to this store's chain.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqlab.store import chain
from seqlab.store.numbers import unused


@contextmanager
def attached(connection: sqlite3.Connection, other: Path) -> Iterator[None]:
    """Make the tables of another database readable as `other.run` and so on."""
    connection.execute("ATTACH DATABASE ? AS other", (os.fspath(other),))
    try:
        yield
    finally:
        connection.execute("DETACH DATABASE other")


def copy_new_runs(connection: sqlite3.Connection) -> tuple[int, int]:
    """Copy the attached database's new runs; returns how many were new and how many were known.

    Both databases have the same schema. The caller holds the transaction.
    """
    execute = connection.execute
    total = execute("SELECT count(*) FROM other.run").fetchone()[0]
    before = execute("SELECT count(*) FROM main.run").fetchone()[0]
    execute("INSERT OR IGNORE INTO main.provenance (digest, json) SELECT digest, json FROM other.provenance")
    execute("INSERT OR IGNORE INTO main.name (text) SELECT text FROM other.name")
    execute(
        "CREATE TEMP TABLE arriving AS SELECT id, uid FROM other.run "
        "WHERE uid NOT IN (SELECT uid FROM main.run)"
    )
    execute(
        "INSERT INTO main.run SELECT ? + row_number() OVER (ORDER BY r.id), r.uid, r.key, "
        "r.experiment, r.seed, r.budget, r.factors, "
        "r.settings, r.status, r.error, r.traceback, r.seconds, r.started, r.device, r.mlx, "
        "r.fingerprint, p.id FROM other.run r JOIN temp.arriving a ON a.id = r.id "
        "JOIN other.provenance q ON q.id = r.provenance "
        "JOIN main.provenance p ON p.digest = q.digest ORDER BY r.id",
        (unused(connection, "run") - 1,),
    )
    execute(
        "INSERT INTO main.measurement SELECT mine.id, metric.id, split.id, m.step, m.value "
        "FROM other.measurement m JOIN temp.arriving a ON a.id = m.run "
        "JOIN main.run mine ON mine.uid = a.uid "
        "JOIN other.name om ON om.id = m.metric JOIN main.name metric ON metric.text = om.text "
        "JOIN other.name os ON os.id = m.split JOIN main.name split ON split.text = os.text "
        "ORDER BY m.rowid"
    )
    execute(
        "INSERT INTO main.exhibit SELECT mine.id, e.name, e.media, e.data FROM other.exhibit e "
        "JOIN temp.arriving a ON a.id = e.run JOIN main.run mine ON mine.uid = a.uid ORDER BY e.rowid"
    )
    execute("INSERT OR IGNORE INTO main.used (digest, json) SELECT digest, json FROM other.used")
    execute(
        "INSERT INTO main.run_used SELECT mine.id, used.id FROM other.run_used u "
        "JOIN temp.arriving a ON a.id = u.run JOIN main.run mine ON mine.uid = a.uid "
        "JOIN other.used ou ON ou.id = u.used JOIN main.used used ON used.digest = ou.digest"
    )
    for rule in execute(f"SELECT {chain.COLUMNS} FROM other.rule ORDER BY place").fetchall():
        chain.append(connection, *rule)
    place, link = chain.head(connection)
    execute(
        "INSERT INTO main.witness SELECT 'run', mine.id, ?, ? FROM temp.arriving a "
        "JOIN main.run mine ON mine.uid = a.uid",
        (place, link),
    )
    execute("DROP TABLE temp.arriving")
    added = execute("SELECT count(*) FROM main.run").fetchone()[0] - before
    return added, total - added

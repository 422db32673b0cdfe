"""How are stored runs read as pandas tables?

There are two, joined on `run`: runs, with a column for each factor, and measurements, in long form.
"""

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from seqlab.store.database import Store

RUN_COLUMNS = (
    "id AS run, uid, experiment, seed, budget, status, error, seconds, started, device, mlx, fingerprint, "
    "factors, settings"
)


class Tables(NamedTuple):
    """`runs`: one row a run, one column a factor. `measurements`: run, metric, value, split, step."""

    runs: pd.DataFrame
    measurements: pd.DataFrame


def load(source: Store | Path, *, runs: Iterable[int] | None = None) -> Tables:
    """Read runs and their measurements, all of them or those with the given numbers.

    `source` is an open store or the path of one.
    """
    if isinstance(source, Path):
        with Store.reading(source) as store:
            return load(store, runs=runs)
    chosen, parameters = "", list[str]()
    if runs is not None:
        chosen = " WHERE {} IN (SELECT value FROM json_each(?))"
        parameters = [json.dumps(list(runs))]
    with source.connected() as connection:
        table = pd.read_sql_query(
            f"SELECT {RUN_COLUMNS} FROM run{chosen.format('id')} ORDER BY id", connection, params=parameters
        )
        cursor = connection.execute(
            f"SELECT run, metric, value, split, step FROM measurement{chosen.format('run')}", parameters
        )
        names = dict(connection.execute("SELECT id, text FROM name"))
        measurements = _measurements(cursor, names)
    return Tables(_with_factors(table), measurements)


def _with_factors(runs: pd.DataFrame) -> pd.DataFrame:
    # Many runs have the same factors: parse each text once. Object columns keep int and float levels apart.
    parsed = {text: json.loads(text) for text in runs["factors"].unique()}
    names = dict.fromkeys(name for factors in parsed.values() for name in factors)
    columns = {
        name: pd.Series([parsed[text].get(name) for text in runs["factors"]], index=runs.index, dtype=object)
        for name in names
    }
    return pd.concat([runs.drop(columns=["factors"]), pd.DataFrame(columns, index=runs.index)], axis=1)


def _measurements(cursor: sqlite3.Cursor, names: dict[int, str]) -> pd.DataFrame:
    # In chunks, so that a million rows are never Python objects at the same time.
    chunks: list[np.ndarray] = []
    while rows := cursor.fetchmany(100_000):
        chunks.append(np.array(rows, dtype=np.float64))  # NULL steps become NaN
    table = np.concatenate(chunks) if chunks else np.empty((0, 5))
    order = sorted(names)
    position = {number: place for place, number in enumerate(order)}
    lookup = np.zeros(max(order, default=0) + 1, dtype=np.intp)
    for number, place in position.items():
        lookup[number] = place
    texts = pd.Index([names[number] for number in order])

    def named(column: int) -> "pd.Categorical[str]":
        return pd.Categorical.from_codes(lookup[table[:, column].astype(np.intp)], texts)

    return pd.DataFrame(
        {
            "run": table[:, 0].astype(np.int64),
            "metric": named(1),
            "value": table[:, 2],
            "split": named(3),
            "step": pd.Series(table[:, 4], dtype="Int64"),
        }
    )

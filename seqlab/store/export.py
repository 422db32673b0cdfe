"""How do results reach other tools? As CSV, Parquet or JSON with a schema version, artifacts as files."""

import json
from pathlib import Path
from typing import Literal

import pandas as pd

from seqlab.errors import StoreError
from seqlab.notebook.artifacts import Artifact, file_name
from seqlab.store.database import Store
from seqlab.store.tables import load

Format = Literal["csv", "parquet", "json"]
FORMATS: tuple[Format, ...] = ("csv", "parquet", "json")
SCHEMA_VERSION = 2  # 2: with `exhibits`, a table of artifacts and a folder of their files


def export(database: Store | Path, folder: Path, form: Format) -> list[Path]:
    """Write `runs`, `measurements` and `exhibits` into `folder`; returns the paths of what was written.

    Each factor is a column of `runs`. `exhibits` is the table of artifacts: it names the file of each, in a
    folder beside it.
    """
    if isinstance(database, Path):
        with Store.reading(database) as store:
            return export(store, folder, form)
    loaded = load(database)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tables = {**loaded._asdict(), "exhibits": _write_artifacts(database, folder)}
        written = [_write(frame, folder / f"{name}.{form}", form) for name, frame in tables.items()]
        written += [folder / "exhibits"] if len(tables["exhibits"]) else []
        about = folder / "schema.json"
        columns = {name: list(frame.columns) for name, frame in tables.items()}
        about.write_text(json.dumps({"schema_version": SCHEMA_VERSION, "columns": columns}, indent=2) + "\n")
    except (OSError, ImportError) as error:
        raise StoreError(f"cannot export to {folder}: {error}. Choose another folder or format.") from error
    return [*written, about]


def _write_artifacts(store: Store, folder: Path) -> pd.DataFrame:
    """Write each artifact to a file of its own, one at a time; returns the table that names them."""
    rows, taken = [], set[str]()
    with store.connected() as connection:
        found = connection.execute(
            "SELECT run, experiment, factors, seed, name, media, data FROM exhibit "
            "JOIN run ON run.id = run ORDER BY exhibit.rowid"
        )
        for run, experiment, factors, seed, *stored in found:
            artifact = Artifact(*stored)
            levels = [f"{name}-{level}" for name, level in json.loads(factors).items()]
            # With the run's number, since a repeated trial has artifacts of the same names.
            name = file_name(artifact, f"run{run}", experiment, *levels, f"seed{seed}")
            while name.casefold() in taken:  # two names of one run that differ in case only
                name = f"_{name}"
            taken.add(name.casefold())
            path = folder / "exhibits" / name
            path.parent.mkdir(exist_ok=True)
            aside = path.with_name(f".{name}.part")
            aside.write_bytes(artifact.data)
            aside.replace(path)
            rows.append([run, artifact.name, artifact.media, f"exhibits/{name}"])
    return pd.DataFrame(rows, columns=pd.Index(["run", "exhibit", "media", "file"]))


def _write(frame: pd.DataFrame, path: Path, form: Format) -> Path:
    aside = path.with_name(f".{path.name}.part")
    match form:
        case "csv":
            frame.to_csv(aside, index=False)
        case "parquet":
            # Levels of one factor may be of several types, which a Parquet column cannot hold:
            # write them as text.
            mixed = [name for name in frame if frame[name].dtype == object]
            frame.astype(dict.fromkeys(mixed, "string")).to_parquet(aside, index=False)
        case "json":
            # Not by `to_json`, which rounds to ten decimals.
            rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
            aside.write_text(json.dumps(rows))
    aside.replace(path)
    return path

"""Can another's store, or a text in a page, break anything? Stores with random damage, texts of every kind.

Three of four cases damage a store: it is merged from, compared with and used as one's own, and no command may
end with a traceback or lose what was there before. One of four writes texts wherever a page may have one: all
must print, in HTML and PDF.
"""

import random
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import ClassVar

from tests.faults.campaign import Campaign, Case
from tests.faults.commands import Done, seqlab
from tests.faults.faults import seen
from tests.faults.kills import whole_documents
from tests.faults.texts import PIECES, hostile
from tests.project import CALM, SHOWING, make

VALUES = (
    "soon",
    "",
    "\x00",
    "{",
    "[]",
    "null",
    "{}",
    '{"model": ["LSTM"]}',
    '{"estimate": 1}',
    '{"model": 1e999}',
    '{"model": "\\ud800"}',
    "[" * 50_000,
    "x" * 1_000_000,
    b"",
    b"\xff\x00",
    b"LSTM",
    -1,
    0,
    1.5,
    2**62,
    -(2**63),
    float("inf"),
    float("-inf"),
    1e308,
    "2026-13-45",
    "9999-12-31T23:59:59+00:00",
    "\x1b[31m",
    "\u202e",
    "😀",
    None,
)
POISON = (*VALUES, *(piece for pieces in PIECES.values() for piece in pieces[:2]))
STATEMENTS = (
    "DELETE FROM run WHERE id = (SELECT max(id) FROM run)",
    "DELETE FROM run WHERE id % 2",
    "DELETE FROM run",
    "DELETE FROM measurement WHERE rowid % 3 = 0",
    "DELETE FROM name",
    "DELETE FROM provenance",
    "DELETE FROM rule",
    "DELETE FROM rule WHERE place = 1",
    "DELETE FROM verdict",
    "DELETE FROM witness",
    "DELETE FROM used",
    "UPDATE run SET id = 9223372036854775807 WHERE id = 1",
    "UPDATE run SET id = -id",
    "UPDATE witness SET number = number + 5",
    "UPDATE witness SET place = 99",
    "UPDATE verdict SET id = 9223372036854775807 WHERE id = 1",
    "UPDATE rule SET place = place + 4611686018427387904",
    "UPDATE run SET started = '9999-12-31T23:59:59.000+00:00'",
    "UPDATE run SET key = 'same'",
    "INSERT INTO measurement SELECT * FROM measurement",
    "INSERT INTO measurement SELECT 99999, metric, split, step, value FROM measurement",
    "CREATE TABLE more (x)",
    "CREATE VIEW more AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
    "CREATE TRIGGER t AFTER INSERT ON run BEGIN DELETE FROM run; END",
    "CREATE INDEX more ON run (error)",
    "DROP INDEX measurement_by_run",
    "DROP TABLE measurement",
    "DROP TABLE witness",
    "ALTER TABLE run ADD COLUMN more",
    "ALTER TABLE verdict RENAME TO judged",
    "PRAGMA user_version = 0",
    "PRAGMA user_version = 3",
    "PRAGMA user_version = 99",
    "PRAGMA application_id = 0",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA writable_schema = ON",
    "VACUUM",
)
TABLES = (
    "provenance",
    "run",
    "name",
    "measurement",
    "rule",
    "verdict",
    "witness",
    "exhibit",
    "used",
    "run_used",
)
TEXTS = 4  # every so many cases


class Hostile(Campaign):
    """Stores and texts."""

    COUNT: ClassVar[int] = 200

    def prepare(self) -> None:
        """A project with results, and another machine's results of the same pages."""
        self.root = make(self.folder / "project", calm=CALM, showing=SHOWING.replace('"smoke"', '"quick"'))
        done = self._seqlab("report", "--engine", "embedded")
        assert done.status == 0, done.errors
        self.base = (self.root / "results" / "seqlab.db").rename(self.folder / "base.db")
        self.other = self.folder / "other.db"
        shutil.copy(self.base, self.other)
        with closing(sqlite3.connect(self.other, isolation_level=None)) as store:
            store.execute("UPDATE run SET uid = 'b' || substr(uid, 2)")
        self.texts = self.folder / "texts"

    def case(self, number: int, rng: random.Random) -> Case:
        """A hostile store, or hostile texts."""
        return self._texts(rng) if number % TEXTS == TEXTS - 1 else self._store(number, rng)

    def _store(self, number: int, rng: random.Random) -> Case:
        results = self.root / "results"
        shutil.rmtree(results)
        results.mkdir()
        shutil.copy(self.base, results / "seqlab.db")
        bad = self.folder / "bad.db"
        shutil.copy(self.other, bad)
        damages = rng.choices(DAMAGES, (6, 3, 1, 1), k=rng.choice([1, 1, 2]))
        said = " and ".join(damage(bad, rng) for damage in damages)
        before = _uids(results / "seqlab.db")
        merged = self._seqlab("results", "merge", str(bad))
        wrong = merged.wrong(0, 2) + self._seqlab("diff", str(bad)).wrong(0, 2)
        after = _uids(results / "seqlab.db")
        if before - after:
            wrong.append("merging lost runs")
        if merged.status and after != before:
            wrong.append("merging was refused, and changed the store")
        wrong += self._used(merged.status == 0, rng, whole=number % 10 == 0)
        shutil.rmtree(results)
        results.mkdir()
        shutil.copy(bad, results / "seqlab.db")
        wrong += [f"as one's own: {one}" for one in self._used(False, rng, whole=number % 10 == 0)]
        return Case(said, list(dict.fromkeys(wrong)), {"stores": 1, "merged": merged.status == 0})

    def _used(self, sound: bool, rng: random.Random, *, whole: bool) -> list[str]:
        """What goes wrong when the store is looked at and added to; a sound one may be refused by none."""
        export = ("results", "export", str(self.folder / "export"), "--format", rng.choice(["csv", "json"]))
        asked = [("claims",), ("results",), ("diff",), ("claims", "--verify"), ("show", "C38"), export]
        asked = rng.sample(asked, 3)
        asked += [("report", "--engine", "embedded")] if whole else []
        asked += [("run", "calm", "--seed", "77")] if whole or rng.random() < 0.2 else []
        wrong = []
        for words in asked:
            done = self._seqlab(*words)
            allowed = {0} if sound and words[0] != "claims" else {0, 1, 2, 3}
            wrong += [f"`{' '.join(words[:2])}`: {one}" for one in done.wrong(*allowed)]
            if words[0] == "run" and done.status == 2 and "UNIQUE" in done.errors:
                wrong.append(f"no run can be stored any more: {done.errors[-300:]}")
        return wrong

    def _texts(self, rng: random.Random) -> Case:
        marked = {f"Mark{place}": hostile(rng, f"Mark{place}") for place in range(8)}
        shutil.rmtree(self.texts, ignore_errors=True)
        make(self.texts, calm=CALM, texts=page_of(list(marked.values())))
        done = seqlab("report", "--engine", "embedded", "--root", str(self.texts), folder=self.folder)
        wrong = done.wrong(0, 1) or whole_documents(self.texts / "results")
        if not wrong:
            wrong = self._printed(done, list(marked))
        return Case(f"texts {list(map(ascii, marked.values()))}", wrong, {"texts": len(marked)})

    def _printed(self, done: Done, markers: list[str]) -> list[str]:
        """What of the texts is not in the documents."""
        html, broken = seen(self.texts / "results" / "report.html"), "texts: " in done.errors
        printed = {"HTML": html}
        if shutil.which("pdftotext"):
            command = ["pdftotext", str(self.texts / "results" / "report.pdf"), "-"]
            printed["PDF"] = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        wrong = [] if "Accuracy of both." in html else ["the other page did not come out"]
        for name, text in printed.items():
            if missing := [one for one in markers if one not in text]:
                wrong += [] if broken else [f"not in the {name}: {', '.join(missing)}"]
        if "\x1b" in done.errors:
            wrong.append("the terminal was given a control sequence")
        return wrong

    def _seqlab(self, *arguments: str) -> Done:
        return seqlab(*arguments, "--root", str(self.root), folder=self.folder, patience=300.0)


def page_of(texts: list[str]) -> str:
    """A page that has these texts as a level, an error, a sample, a panel, a caption, and as what it says."""
    first, error, sample, panel, category, caption, statement, setting = map(ascii, texts)
    return (
        SHOWING.replace('"smoke"', '"quick"')
        .replace('LAST = "LSTM"', f"LAST = {first}")
        .replace('"LSTM", "Linear"', 'LAST, "Linear"')
        .replace('    head = f"', f'    if trial.seed: raise ValueError({error})\n    head = {sample} + f"')
        .replace('Panel("Chain"', f"Panel({panel}")
        .replace('("helix",', f"({category},")
        .replace('"Accuracy."', caption)
        .replace("), LAST)", ', "LSTM")')
        .replace('{"steps": 3}', f'{{"steps": 3, "note": {setting}}}')
        .replace(
            "    figures=(", f"    claims=(Claim('C41', Difference({RULE}), {statement}),),\n    figures=("
        )
        .replace(
            "import Artifact, Panel",
            "import Artifact, Panel\nfrom seqlab.notebook.claims import Claim, Difference",
        )
    )


RULE = (
    "metric='accuracy', split='test', left={'model': 'Transformer'}, right={'model': 'Linear'}, above=0.1, "
    "matched=(), seeds=2"
)


def one_value(path: Path, rng: random.Random) -> str:
    """Another value in one row."""
    with closing(sqlite3.connect(path, isolation_level=None)) as store:
        table = rng.choice(TABLES)
        columns = [row[1] for row in store.execute(f"PRAGMA table_info({table})")]
        column, value = (
            rng.choice(columns),
            rng.choice(POISON),
        )
        rows = store.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        if not rows:
            return f"nothing in {table}"
        key = {"witness": "kind || number", "rule": "place"}.get(table, "rowid")
        where = f"{key} = (SELECT {key} FROM {table} LIMIT 1 OFFSET {rng.randrange(rows)})"
        said = f"{ascii(value)[:60]} as {column} of {table}"
        try:
            store.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (value,))
        except (sqlite3.Error, UnicodeEncodeError, OverflowError) as error:
            return f"{said} refused by SQLite ({error})"
        return said


def one_statement(path: Path, rng: random.Random) -> str:
    """A statement by hand."""
    statement = rng.choice(STATEMENTS)
    with closing(sqlite3.connect(path, isolation_level=None)) as store:
        try:
            store.execute(statement)
        except sqlite3.Error as error:
            return f"{statement} refused by SQLite ({error})"
    return statement


def flipped_bits(path: Path, rng: random.Random) -> str:
    """A few bits of the file."""
    content, places = bytearray(path.read_bytes()), []
    for _ in range(rng.choice([1, 2, 8, 100])):
        places.append(rng.randrange(len(content)))
        content[places[-1]] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
    return f"bits flipped at {places[:8]}"


def other_content(path: Path, rng: random.Random) -> str:
    """Less than the file, or something else."""
    content = path.read_bytes()
    cut = rng.randrange(len(content))
    others = {
        f"cut at {cut}": content[:cut],
        "empty": b"",
        "a text": b"no database\n" * 100,
        "zeros": bytes(len(content)),
        "the head alone": content[:100],
        "twice": content * 2,
        "moved": content[1:],
    }
    said = rng.choice(list(others))
    path.write_bytes(others[said])
    return said


Damage = Callable[[Path, random.Random], str]
DAMAGES: tuple[Damage, ...] = (one_value, one_statement, flipped_bits, other_content)


def _uids(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as store:
        return {row[0] for row in store.execute("SELECT uid FROM run")}

"""Does the chain of rules tell every change that was made afterwards, and nothing else?"""

import json
import re
import shutil
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from seqlab.__main__ import main
from seqlab.errors import StoreError
from seqlab.notebook.claims import Exact, Outcome, Verdict
from seqlab.notebook.experiment import Trial
from seqlab.store import chain
from seqlab.store.database import FixedRule, Run, Store
from seqlab.store.schema import MIGRATIONS

RULE = Exact(metric="loss", below=1.0)
ROOT = Path(__file__).parents[2]


def a_run(seed: int) -> Run:
    return Run(
        trial=Trial("rnn", {"model": "LSTM"}, seed, "quick", {}),
        status="ok",
        seconds=1.0,
        started=datetime(2026, 1, 5, tzinfo=UTC),
        device="cpu (x)",
        mlx="0",
        fingerprint="f",
        provenance={},
    )


def a_rule(number: int, digest: str = "") -> FixedRule:
    return FixedRule(
        f"C0{number}", "rnn", digest or f"d{number}", f"statement {number}", f"2026-01-0{number}"
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Five rules; a run after the second, a verdict by the third, and a run after the last."""
    path = tmp_path / "results" / "seqlab.db"
    with Store(path) as store:
        for number in range(1, 6):
            store.fix_rule(a_rule(number, RULE.digest() if number == 3 else ""))
            if number == 2:
                store.add(a_run(0))
        store.add_verdict(Verdict("C03", "rnn", Outcome.SUPPORTED, RULE, "reads", "reason"), budget="quick")
        store.add(a_run(1))
    return path


def verify(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """The exit status and the lines of `seqlab claims --verify`."""
    capsys.readouterr()
    status = main(["claims", "--verify", "--root", str(ROOT), "--results", str(path.parent)])
    return status, capsys.readouterr().out.splitlines()


def by_hand(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def rebuilt(path: Path, change: str) -> None:
    """Change the rules and compute all seals and links anew, as a careful forger would."""
    with sqlite3.connect(path) as connection:
        connection.execute(change)
        rules = connection.execute(f"SELECT {chain.COLUMNS} FROM rule ORDER BY place").fetchall()
        connection.execute("DELETE FROM rule")
        for rule in rules:
            chain.append(connection, *rule)
    connection.close()


def test_a_sound_chain_is_one_line(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, lines = verify(path, capsys)
    assert status == 0
    (line,) = lines
    assert line.startswith("None of 5 rules was changed")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE rule SET statement = 'another' WHERE place = 2", ["Rule 2, C02 of rnn .*was edited"]),
        ("UPDATE rule SET statement = 'another' WHERE place = 5", ["Rule 5, C05 of rnn .*was edited"]),
        ("UPDATE rule SET digest = 'x' WHERE place = 3", ["Rule 3.*was edited", "C03 of rnn: the rule"]),
        ("UPDATE rule SET fixed = '2025-12-31' WHERE place = 4", ["Rule 4, C04 of rnn .2025.*date was"]),
        ("UPDATE rule SET fixed = '2025-12-31' WHERE place = 5", ["Rule 5.*its date was changed"]),
        ("DELETE FROM rule WHERE place = 1", ["Rule 1 was removed"]),
        ("DELETE FROM rule WHERE place IN (3, 4)", ["Rules 3 to 4 were removed", "C03 of rnn: the rule"]),
        ("DELETE FROM rule WHERE place = 5", ["Rule 5 was removed. 2 runs and verdicts were stored when"]),
        ("DELETE FROM rule", ["Rules 1 to 5 were removed. 3 runs", "C03 of rnn: the rule .* is gone"]),
        (
            "UPDATE rule SET claim = 'C09', seal = 'y', link = 'z' WHERE place = 2",
            ["Rule 2.*its date", "Rule 2.*edited", "Rule 3.*or the rule before it", "Rule 2.*after 1 runs"],
        ),
    ],
)  # fmt: skip
def test_every_change_by_hand_is_told(
    path: Path, capsys: pytest.CaptureFixture[str], change: str, words: Sequence[str]
) -> None:
    by_hand(path, change)
    status, lines = verify(path, capsys)
    assert status == 1
    assert len(lines) == len(words), lines
    for line, word in zip(lines, words, strict=True):
        assert re.search(word, line), (word, line)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE rule SET statement = 'another' WHERE place = 1",
        "UPDATE rule SET fixed = '2025-12-31' WHERE place = 5",
        "DELETE FROM rule WHERE place = 2",
        "DELETE FROM rule WHERE place = 5",
    ],
)
def test_a_chain_that_is_forged_whole_contradicts_the_runs(
    path: Path, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    rebuilt(path, change)
    status, lines = verify(path, capsys)
    assert status == 1
    assert "runs and verdicts were stored" in lines[0]


def test_what_cannot_be_seen_is_what_the_documentation_says(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A last rule that no run and no verdict has seen; and a forger who rewrites the witnesses as well."""
    with Store(path) as store:
        store.fix_rule(a_rule(6))
        last = store.last_rule()
    by_hand(path, "DELETE FROM rule WHERE place = 6")
    assert verify(path, capsys)[0] == 0
    rebuilt(path, "UPDATE rule SET fixed = '2025-12-31' WHERE place = 1")
    by_hand(path, "UPDATE witness SET link = (SELECT link FROM rule WHERE rule.place = witness.place)")
    assert verify(path, capsys)[0] == 0
    with Store(path) as store:
        assert store.last_rule() != last  # which a copy elsewhere would show


def test_without_a_store_there_is_nothing_to_verify(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["claims", "--verify", "--root", str(ROOT), "--results", str(tmp_path)]) == 2
    assert "expected results at" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_rules_of_a_store_without_a_chain_are_chained_oldest_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "seqlab.db"
    with Store(path) as store:
        for number in range(1, 4):
            store.fix_rule(a_rule(number))
    unchain(path)
    by_hand(path, "INSERT INTO rule VALUES ('C00', 'rnn', 'd0', 'first', '2025-01-01')")
    with Store(path) as store:
        assert store.rows("PRAGMA user_version") == [(len(MIGRATIONS),)]
        assert [rule[0] for rule in store.rows("SELECT claim FROM rule ORDER BY place")] == [
            "C00", "C01", "C02", "C03",
        ]  # fmt: skip
        store.fix_rule(a_rule(4))
    assert verify(path, capsys)[0] == 0


def unchain(path: Path) -> None:
    """Bring the store back to the schema before rules were chained."""
    before = next(place for place, step in enumerate(MIGRATIONS) if not isinstance(step, str))
    by_hand(
        path,
        "CREATE TABLE plain (claim TEXT NOT NULL, experiment TEXT NOT NULL, digest TEXT NOT NULL, "
        "statement TEXT NOT NULL, fixed TEXT NOT NULL, PRIMARY KEY (claim, experiment, digest))",
        f"INSERT INTO plain SELECT {chain.COLUMNS} FROM rule",
        "DROP TABLE rule",
        "DROP TABLE witness",
        "ALTER TABLE plain RENAME TO rule",
        f"PRAGMA user_version = {before}",
    )


def test_merging_appends_rules_and_keeps_their_dates(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = tmp_path / "here" / "seqlab.db"
    with Store(here) as store:
        store.fix_rule(replace(a_rule(2), fixed="2026-03-01"))
        store.fix_rule(replace(a_rule(9), fixed="2026-03-02"))
        assert store.merge(path) == (2, 0)
        assert store.merge(path) == (0, 2)
        assert {rule.claim: rule.fixed for rule in store.fixed_rules()} == {
            "C01": "2026-01-01", "C02": "2026-03-01", "C03": "2026-01-03", "C04": "2026-01-04",
            "C05": "2026-01-05", "C09": "2026-03-02",
        }  # fmt: skip
    assert verify(here, capsys)[0] == 0
    by_hand(here, "DELETE FROM rule WHERE place = 6")  # the runs that arrived have seen it
    assert verify(here, capsys)[1] == [
        "Rule 6 was removed. 2 runs and verdicts were stored when they were there."
    ]


def test_a_store_whose_rules_were_changed_is_not_merged(path: Path, tmp_path: Path) -> None:
    by_hand(path, "UPDATE rule SET statement = 'another' WHERE place = 2")
    with Store(tmp_path / "here.db") as store:
        with pytest.raises(StoreError, match=r"changed after they were fixed: Rule 2, .* Nothing was merged"):
            store.merge(path)
        assert store.fixed_rules() == []
        assert store.rows("SELECT count(*) FROM run") == [(0,)]


def test_stores_are_still_exported(path: Path, tmp_path: Path) -> None:
    with_a_page = ["--root", str(ROOT), "--results", str(path.parent)]
    assert main(["results", "export", str(tmp_path / "out"), "--format", "json", *with_a_page]) == 0
    assert len(json.loads((tmp_path / "out" / "runs.json").read_text())) == 2


def test_a_copy_of_the_store_is_as_sound(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(path.parent, tmp_path / "copy")
    by_hand(tmp_path / "copy" / "seqlab.db", "VACUUM")
    assert verify(tmp_path / "copy" / "seqlab.db", capsys) == verify(path, capsys)

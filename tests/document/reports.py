"""Reports with invented values, every kind of block and every outcome, for tests."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from seqlab.document import outline
from seqlab.document.content import (
    Chapter,
    Failure,
    File,
    Files,
    Image,
    Passages,
    Pictures,
    Report,
    RuleChange,
    TableData,
    Text,
)
from seqlab.notebook.claims import Cell, Difference, Exact, Fairness, Outcome, Ratio, Rule, Slope, Verdict
from seqlab.notebook.ledger import read

SOURCES = Path(__file__).parents[2] / "report"
LEDGER = read(SOURCES / "claims.toml")
NASTY = "a|b <script> *x* @fig-x $5 \\ {{< include x >}}"
# A text with markup, code and ends of blocks, which must be shown verbatim.
VERBATIM = f"""First\n\n\n\tindented  twice {NASTY}\n```\n````\n`````{{python}}\n1/0\n```\n~~~\n:::
---\ntitle: no\n---\n# No heading {{#sec-x}}\n<!-- no comment -->\n漢字 😀 ♞\nlast"""
DIFFERENCE = Difference(
    metric="accuracy",
    left={"model": "Transformer"},
    right=({"model": "LSTM"}, {"model": NASTY}),
    above=0.05,
    per=("length",),
    along="length",
    split="test",
)
RATIO = Ratio(metric="step_time", left={"model": "Transformer"}, right={"model": "LSTM"}, below=1.0)
EXACT = Exact(metric="max_abs_error", below=1e-5)
SLOPE = Slope(metric="gradient_norm", x="step", y_scale="log10", above=-0.02)


def cell(level: object, decision: str, *, opponent: str = "", p_value: float | None = None) -> Cell:
    """A cell at one length."""
    return Cell(
        levels={"length": 64, "data": str(level)},
        estimate=0.34,
        low=0.31,
        high=0.38,
        n=5,
        decision=decision,  # type: ignore[arg-type]
        opponent=opponent,
        p_value=p_value,
    )


def verdict(claim: str, outcome: Outcome, rule: Rule, *cells: Cell, **more: object) -> Verdict:
    """A verdict with the given outcome, whose texts contain every special character."""
    effects = {"effect": 0.34, "low": 0.31, "high": 0.38, "n": 5} if cells else {}
    more = {"experiment": "rnn"} | more
    return Verdict(
        claim=claim,
        outcome=outcome,
        rule=rule,
        statement=f"The rule of {claim} in plain words, {NASTY}.",
        reason=f"the reason for {claim}",
        cells=cells,
        scope=f"a machine, {NASTY}",
        **{**effects, **more},  # type: ignore[arg-type]
    )


def chapter(folder: Path) -> Chapter:
    """A chapter with all six outcomes, two figures, a table, fairness records and cells."""
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    for name in ("one", "two"):
        (folder / "figures" / f"{name}.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    fair = (
        Fairness("parameters", 395_264.0, 404_112.0, 0.02, True, True),
        Fairness("step_flops", 1.2e9, 1.5e9, 0.05, False, True),
        Fairness("tuning_trials", None, 4.0, 0.0, True, False),
    )
    return Chapter(
        name="rnn",
        title=f"Does it forget? {NASTY}",
        prose="What a page says of itself, after @arora2023zoology.\n\nA second paragraph.",
        verdicts=(
            verdict("C01", Outcome.SUPPORTED, EXACT, cell(1, "pass"), predicted="supported"),
            verdict(
                "C06",
                Outcome.CONDITIONAL,
                DIFFERENCE,
                cell(NASTY, "pass", opponent=NASTY, p_value=0.0002),
                cell(2, "open", opponent="LSTM", p_value=0.3),
                boundary="holds from length 64, fails up to 32",
            ),
            verdict("C17", Outcome.NOT_SUPPORTED, RATIO, cell(1, "fail"), cell(2, "fail"), fairness=fair[:1]),
            verdict(
                "C38",
                Outcome.EQUIVALENT,
                replace(DIFFERENCE, margin=0.5),
                replace(cell(1, "fail"), equivalent=True),
                replace(cell(2, "open"), equivalent=True),
            ),
            verdict("C25", Outcome.INCONCLUSIVE, SLOPE, cell(1, "open"), fairness=fair, seeds_needed=7),
            verdict("C03", Outcome.NOT_TESTED, DIFFERENCE),
        ),
        figures=(
            Image(Path("figures/one.svg"), "Accuracy against length.", f'Lines "rise": {NASTY}', "5 seeds"),
            Image(folder / "figures" / "two.svg", "Another.", "A line.", ""),
            Passages("Texts.", (Text("LSTM", VERBATIM), Text(NASTY, "")), "seed 0"),
            Passages("None.", (), "no valid run yet"),
            Files("Songs.", (File("rnn-song.mid", bytes(2300), f"LSTM {NASTY}, seed 0"),)),
        ),
        tables=(
            TableData("Costs.", ("Model", NASTY), (("LSTM", NASTY),), "5 seeds"),
            TableData("Sizes.", ("Model",), ()),
        ),
        rerun="nox -s rnn -- --seeds 5",
        source="experiments/rnn.py",
        trials=40,
        seconds=63.2,
        settings={"steps": 600},
    )


def empty(budget: str = "quick") -> Report:
    """A report without any runs."""
    return Report(
        title="Why did Transformers replace RNNs, and when shouldn't they?",
        generated=datetime(2026, 3, 1, tzinfo=UTC),
        budget=budget,
        device="a machine",
        engine_note="Rendered by an engine.",
        ledger=LEDGER,
        outline=outline.read(SOURCES),
    )


def rich(folder: Path) -> Report:
    """A report with everything that can be in one, including two chapters with similar names."""
    bare = Chapter(name="r_x", title="Bare", rerun="nox -s r_x", source="experiments/r_x.py")
    alike = Chapter(name="r-x", title="Alike", rerun="nox -s r-x", source="experiments/r-x.py")
    return Report(
        title="Why did Transformers replace RNNs, and when shouldn't they?",
        generated=datetime(2026, 3, 1, tzinfo=UTC),
        budget="quick",
        device=f"a machine {NASTY}",
        engine_note="Rendered by an engine.",
        ledger=LEDGER,
        chapters=(chapter(folder), bare, alike),
        failures=(
            Failure(experiment="rnn", trial=f"seed 2 {NASTY}", status="diverged", error=f"nan {NASTY}"),
        ),
        broken={"vit": f"SyntaxError: {NASTY}"},
        provenance={"commit": "abc", "device": NASTY},
        rules_changed=(
            RuleChange(
                claim="C01",
                experiment="rnn",
                before="0123",
                after="4567",
                when=datetime(2026, 2, 1, tzinfo=UTC),
            ),
        ),
        rules_fixed={("C17", "rnn", RATIO.digest()): datetime(2026, 1, 15, tzinfo=UTC)},
        home="../",
        outline=outline.read(SOURCES),
        pictures=Pictures(
            chain=Image(Path("figures/one.svg"), "At length 8, one waits.", f"Two lines, {NASTY}"),
            strips={"C17": Image(Path("figures/two.svg"), "", f"Slower, {NASTY}")},
            scales=(("ratios", "0.1 to 10"),),
        ),
    )


def sources(folder: Path) -> Path:
    """A copy of the report's sources with a plain `_quarto.yml` and a theme of one file."""
    shutil.copytree(SOURCES / "templates", folder / "templates")
    shutil.copyfile(SOURCES / "outline.toml", folder / "outline.toml")
    shutil.copyfile(SOURCES / "references.bib", folder / "references.bib")
    (folder / "_quarto.yml").write_text("project: {type: default}\n")
    (folder / "theme").mkdir()
    (folder / "theme" / "looks.css").write_text("body {}\n")
    return folder

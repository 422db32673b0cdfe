"""Which tables does a page show, and what do their cells say?"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from seqlab.analysis.evidence import Evidence
from seqlab.analysis.findings import PageFindings
from seqlab.analysis.summaries import summarise
from seqlab.charts.words import factor_title, level_name, level_value
from seqlab.document.columns import Cell, headed, unit_of, written
from seqlab.document.content import TableData
from seqlab.document.origins import with_place
from seqlab.notebook.experiment import Experiment
from seqlab.notebook.figures import Level, Table, Where
from seqlab.notebook.metrics import metric_named


def split_of(evidence: Evidence, metric: str, split: str) -> str:
    """The requested split if the metric was measured on it, else none."""
    return split if split and evidence.series(metric, split) else ""


def deterministic(experiment: Experiment, where: Where) -> bool:
    """Whether every point of the figure runs once, without a seed."""
    points = [point for budget in experiment.budgets for point in budget.points]
    shown = [
        point
        for point in points
        if all(
            point.factors.get(name) in (level if isinstance(level, tuple) else (level,))
            for name, level in where.items()
        )
    ]
    return bool(shown) and all(point.seeds is None for point in shown)


def tables(page: PageFindings) -> tuple[TableData, ...]:
    """The page's tables with their values."""
    asked = [figure for figure in page.experiment.figures if isinstance(figure, Table)]
    return tuple(_table(table, page) for table in asked or _default_tables(page))


def _default_tables(page: PageFindings) -> Iterable[Table]:
    """For a page without tables: every metric with one number per run, for every point."""
    measurements = page.shown({}).evidence.measurements
    names = [str(name) for name in measurements["metric"].unique()]
    splits = measurements.groupby("metric", observed=True)["split"].unique()
    metrics = [
        f"{name}@{split}" if split else name
        for name in names
        if metric_named(name).index in ("training step", "repeat")
        for split in splits[name]
    ]
    rows = tuple(page.experiment.factor_levels(page.experiment.budgets[-1]))
    if metrics and rows:
        yield Table(rows=rows, metrics=tuple(metrics), caption="Everything that this page measured.")


@dataclass
class _Column:
    """A column in the making: its head, its unit in the catalogue, and its cells by row."""

    title: str
    unit: str
    of_machine: bool
    cells: dict[tuple[Level, ...], Cell] = field(default_factory=dict)


def _table(table: Table, page: PageFindings) -> TableData:
    """The table with its values: a column for each metric, or for each level of its `columns` factor.

    A column without any value is left out, and so is a factor that has one level throughout, which the text
    on the number of seeds names. Where the table shows the reference, metrics that depend on the machine
    still show what was measured here.
    """
    whole = page.shown(table.where)
    counts: list[int] = []
    columns = [column for column in _columns(table, page, whole.evidence, counts) if column.cells]
    keys = sorted(
        {key for column in columns for key in column.cells},
        key=lambda key: [
            page.experiment.level_order(name, level) for name, level in zip(table.rows, key, strict=True)
        ],
    )
    varied = [place for place in range(len(table.rows)) if len({key[place] for key in keys}) != 1]
    kept = varied or list(range(len(table.rows)))
    texts = _texts(columns, together=bool(table.columns))
    rows = tuple(
        (*(level_value(key[place]) for place in kept), *(text.get(key, "–") for _, text in texts))
        for key in keys
    )
    head = (*(factor_title(table.rows[place]) for place in kept), *(title for title, _ in texts))
    words = {at for at, place in enumerate(kept) for key in keys if isinstance(key[place], str)}
    same = [
        level_name(name, keys[0][place]) if keys and not isinstance(keys[0][place], str) else ""
        for place, name in enumerate(table.rows)
        if place not in kept
    ]
    n_text = with_place(_seeds(page, table, counts), whole)
    if whole.origin and any(column.of_machine for column in columns):
        n_text += "; times and sizes: measured here"
    return TableData(
        table.caption, head, rows, "; ".join(filter(None, [*same, n_text])), frozenset({0, *words})
    )


def _columns(table: Table, page: PageFindings, whole: Evidence, counts: list[int]) -> Iterator[_Column]:
    """Every column that was asked for; `counts` gets the seeds of each cell of the `whole` evidence."""
    levels = _levels(page, table) if table.columns else (None,)
    asked = [(*name.partition("@")[::2], level) for name in table.metrics for level in levels]
    for metric, wanted, level in asked:
        known, evidence = metric_named(metric), page.shown(table.where, [metric]).evidence
        split = split_of(evidence, metric, wanted or table.split)
        where = table.where if level is None else {**table.where, table.columns: level}
        twice = sum(other == metric for other, *_ in asked) > 1
        title = f"{known.title} ({split})" if split and twice else known.title
        if level is not None:
            title = f"{factor_title(table.columns)} {level_value(level)}"
        column = _Column(title, known.unit, known.of_machine)
        summary = summarise(evidence, metric, by=table.rows, split=split, where=where)
        for *key, estimate, low, high, n in summary.itertuples(index=False, name=None):
            if evidence is whole:  # beside the reference, those made here are told apart
                counts.append(int(n))
            column.cells[tuple(key)] = Cell(estimate, low, high)
        yield column


def _texts(columns: Sequence[_Column], *, together: bool) -> list[tuple[str, dict[tuple[Level, ...], str]]]:
    """The head and the cells of each column; columns of one metric have one unit `together`."""
    every = [cell for column in columns for cell in column.cells.values()]
    found = []
    for column in columns:
        unit = unit_of(every if together else column.cells.values(), column.unit)
        found.append((headed(column.title, unit), written(column.cells, unit)))
    return found


def _seeds(page: PageFindings, table: Table, counts: Sequence[int]) -> str:
    if deterministic(page.experiment, table.where):
        return "deterministic"
    least, most = (min(counts), max(counts)) if counts else (0, 0)
    if least == most == 1:
        return "n = 1 seed"
    return f"n = {least} to {most} seeds" if least != most else f"n = {most} seeds"


def _levels(page: PageFindings, table: Table) -> tuple[Level, ...]:
    """The measured levels of the factor that makes the table's columns, in order."""
    metric = table.metrics[0].partition("@")[0]
    evidence = page.shown(table.where, [metric]).evidence
    split = split_of(evidence, metric, table.split)
    found = summarise(evidence, metric, by=(table.columns,), split=split, where=table.where)
    return tuple(
        sorted(found[table.columns], key=lambda level: page.experiment.level_order(table.columns, level))
    )

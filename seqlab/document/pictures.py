"""Which pictures carry the front page and the ledger? The chain, the forest, and a strip for each claim."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from seqlab.analysis.combined import Combined, Headline, deciding, middle
from seqlab.analysis.findings import PageFindings
from seqlab.analysis.summaries import summarise
from seqlab.charts.chain import draw_chain
from seqlab.charts.forest import ForestRow, draw_forest
from seqlab.charts.scales import Scale
from seqlab.charts.strip import Strip, draw_strips
from seqlab.document.blocks import slug
from seqlab.document.content import Image, Pictures
from seqlab.document.measured import found, measured, short_effect
from seqlab.document.numbers import number, significant
from seqlab.document.outline import Outline
from seqlab.notebook.claims import Difference, Exact, Outcome, Ratio, Rule, Slope, Verdict
from seqlab.notebook.metrics import FRACTION, metric_named

TONES = {
    Outcome.SUPPORTED: "green",
    Outcome.CONDITIONAL: "amber",
    Outcome.EQUIVALENT: "violet",
    Outcome.NOT_SUPPORTED: "red",
    Outcome.INCONCLUSIVE: "blue",
    Outcome.NOT_TESTED: "soft",
}
TRANSFORMER, PARAMETERS = "Transformer", "parameters"


def pictures(
    pages: Sequence[PageFindings], claims: Mapping[str, Combined], outline: Outline, folder: Path
) -> Pictures:
    """Draw all that is shown, into `folder`; what was not measured is left out."""
    strips, scales = _strips(claims, folder)
    rows = _rows(claims, outline)
    ahead = sum(verdict.outcome is Outcome.SUPPORTED for _, verdict in rows)
    behind = sum(verdict.outcome is Outcome.NOT_SUPPORTED and row.high < 0 for row, verdict in rows)
    return Pictures(
        _chain(pages, outline, folder), _forest(rows, folder), strips, scales,
        ahead=ahead, behind=behind, between=len(rows) - ahead - behind,
        sizes=_sizes(pages, [verdict for _, verdict in rows]),
    )  # fmt: skip


def scale_name(rule: Rule) -> str:
    """Effects of the same name are drawn to one scale."""
    metric = metric_named(rule.metric)
    share = metric.span == FRACTION and not metric.unit
    if isinstance(rule, Ratio):
        return "ratios"
    if isinstance(rule, Difference):
        return f"differences in {'percentage points' if share else metric.unit or metric.title}"
    if isinstance(rule, Exact) and share:
        return "fractions"
    title = metric.title.partition(" (")[0]
    return f"slopes of {title}" if isinstance(rule, Slope) else title


def _logarithmic(rule: Rule) -> bool:
    return isinstance(rule, Ratio) or (isinstance(rule, Exact) and metric_named(rule.metric).log)


def _no_effect(rule: Rule) -> float | None:
    """The value where both sides are equal, or nothing grows."""
    return 1.0 if isinstance(rule, Ratio) else None if isinstance(rule, Exact) else 0.0


def _strips(
    claims: Mapping[str, Combined], folder: Path
) -> tuple[dict[str, Image], tuple[tuple[str, str], ...]]:
    """A strip for each claim with a number, and the ends of each scale that several share."""
    shown = {claim: one.headlines for claim, one in claims.items() if one.headlines}
    values: dict[str, list[float]] = {}
    logs: dict[str, bool] = {}
    for headline in (each for several in shown.values() for each in several):
        rule, name = headline.verdict.rule, scale_name(headline.verdict.rule)
        logs[name] = _logarithmic(rule)
        values.setdefault(name, []).extend(
            [rule.threshold, *filter(None, [_no_effect(rule)]), *(cell.estimate for cell in headline.alike)]
        )
        values[name] += [headline.cell.low, headline.cell.high]
    scales = {name: Scale.of(found, log=logs[name]) for name, found in values.items()}
    images = {}
    for claim, several in shown.items():
        path = draw_strips(
            [_strip(one, scales[scale_name(one.verdict.rule)]) for one in several],
            folder / f"strip-{slug(claim)}.svg",
        )
        images[claim] = Image(path, "", ". ".join(measured(one.verdict, one.alike) for one in several))
    shared = Counter(scale_name(several[0].verdict.rule) for several in shown.values())
    ends = tuple(
        (name, " to ".join(significant(end, 2) for end in scale.ends))
        for name, scale in scales.items()
        if shared[name] > 1
    )
    return images, ends


def _strip(headline: Headline, scale: Scale) -> Strip:
    rule, cell = headline.verdict.rule, headline.cell
    return Strip(
        bar=(cell.estimate, cell.low, cell.high),
        others=tuple(
            other.estimate
            for other in headline.verdict.cells
            if other is not cell and math.isfinite(other.estimate)
        ),
        threshold=rule.threshold,
        above=rule.above is not None,
        scale=scale,
        tone=TONES[
            Outcome.CONDITIONAL if cell not in deciding(headline.verdict) else headline.verdict.outcome
        ],
        title=f"{found(rule, [cell])}; n = {cell.n}",
        zero=_no_effect(rule),
    )


def _rows(claims: Mapping[str, Combined], outline: Outline) -> list[tuple[ForestRow, Verdict]]:
    """A row for each domain with a number, the largest effect first."""
    rows: list[tuple[ForestRow, Verdict]] = []
    for domain in outline.domains:
        verdicts = claims[domain.claim].verdicts if domain.claim in claims else ()
        verdict = next((one for one in verdicts if one.experiment == domain.page), None)
        if verdict and (row := _row(domain.name, verdict)):
            rows.append((row, verdict))
    return sorted(rows, key=lambda one: -one[0].effect)


def _forest(rows: Sequence[tuple[ForestRow, Verdict]], folder: Path) -> Image | None:
    if not rows:
        return None
    path = draw_forest(
        [row for row, _ in rows],
        folder / "forest.svg",
        left="opponent better",
        right=f"{TRANSFORMER} better",
    )
    return Image(path, "", "; ".join(f"{row.name}: {measured(one)}, {one.outcome}" for row, one in rows))


def _sizes(pages: Sequence[PageFindings], verdicts: Iterable[Verdict]) -> str:
    """The parameters of the smallest and the largest network that these verdicts compare with opponents."""
    found: list[float] = []
    by_name = {page.experiment.name: page for page in pages}
    for verdict in verdicts:
        page, rule = by_name.get(verdict.experiment), verdict.rule
        if page is None or not isinstance(rule, Ratio | Difference):
            continue
        evidence = page.shown(rule.left, [PARAMETERS]).evidence
        found += evidence.values(PARAMETERS, by=(), where={**rule.where, **rule.left})["value"].tolist()
    return (
        " to ".join(dict.fromkeys(number(float(f"{size:.1e}")) for size in (min(found), max(found))))
        if found
        else ""
    )


def _row(name: str, verdict: Verdict) -> ForestRow | None:
    rule, cell = verdict.rule, middle(deciding(verdict), verdict.rule) or middle(verdict.cells, verdict.rule)
    if cell is None or not isinstance(rule, Ratio | Difference) or verdict.outcome is Outcome.NOT_TESTED:
        return None
    low, high = sorted(_multiple(rule, value) for value in (cell.low, cell.high))
    bounded = math.isfinite(low) and math.isfinite(high)
    mirrored = TRANSFORMER not in str(rule.left) and TRANSFORMER in str(rule.right)
    return ForestRow(
        name,
        _multiple(rule, cell.estimate),
        low if bounded else 0.0,
        high if bounded else 0.0,
        text=short_effect(rule, cell, mirrored=mirrored),
        tone=TONES[verdict.outcome],
        title=f"{found(rule, [cell])}; n = {cell.n}",
        margin=_margin(rule),
        others=tuple(
            _multiple(rule, other.estimate)
            for other in verdict.cells
            if other is not cell and math.isfinite(other.estimate)
        ),
    )


def _margin(rule: Ratio | Difference) -> float:
    """Half the zone of equivalence, in multiples of what is claimed; the claim itself where none is named."""
    if rule.margin is None:
        return 1.0
    return abs(_multiple(rule, 1 + rule.margin if isinstance(rule, Ratio) else rule.margin))


def _multiple(rule: Ratio | Difference, value: float) -> float:
    """An effect as a multiple of what is claimed: 1 at the threshold, 0 without a difference."""
    if not math.isfinite(value):
        return math.nan
    if isinstance(rule, Ratio):
        if rule.threshold == 1 or value <= 0:
            return math.nan
        return math.log(value) / math.log(rule.threshold)
    return value / rule.threshold if rule.threshold else math.nan


def _chain(pages: Sequence[PageFindings], outline: Outline, folder: Path) -> Image | None:
    """The chain: what its page measured along one factor, a line for each level of another."""
    asked = outline.chain
    page = next((page for page in pages if page.experiment.name == asked.get("page")), None)
    if page is None:
        return None
    where = {name: tuple(of) if isinstance(of, list) else of for name, of in asked["where"].items()}
    metric, x, lines = asked["metric"], asked["x"], asked["lines"]
    table = summarise(page.shown(where, [metric]).evidence, metric, by=(lines, x), split="", where=where)
    found = {
        str(name): [(float(row[x]), float(row["estimate"])) for row in part.sort_values(x).to_dict("records")]
        for name, part in table.groupby(lines, observed=True)
    }
    named = where[lines] if isinstance(where.get(lines), tuple) else tuple(found)
    ordered = {name: found[name] for name in map(str, _names(named)) if len(found.get(name, ())) > 1}
    if not ordered:
        return None
    path = draw_chain(ordered, folder / "chain.svg", x_title=f"{x} of the sequence (tokens)")
    far = {name: points[-1] for name, points in ordered.items()}
    alt = "; ".join(f"{name}: {number(y)} at {x} {number(at)}" for name, (at, y) in far.items())
    return Image(path, _steepest(far, x), f"{metric_named(metric).title} by {x}. {alt}")


def _names(levels: object) -> Iterable[object]:
    return levels if isinstance(levels, tuple) else (levels,)


def _steepest(far: Mapping[str, tuple[float, float]], x: str) -> str:
    """`At length 128 the LSTM waits for 939 operations in a row, the Transformer decoder for 58.`"""
    first = next(iter(far))
    most = max(far, key=lambda name: far[name][1])
    at, value = far[most]
    return (
        f"At {x} {number(at)}, a layer of the {most} has {number(value)} operations in a row, "
        f"one of the {first} {number(far[first][1])}."
    )

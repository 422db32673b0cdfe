"""Are the article's historical facts right?

Years, chips and tokens that an article names can be checked without training anything. Each of its numbers
is compared with what was published, and counts as right within 5 % of the larger of the two. A published
figure settles something only if a second statement supports it: another paper, or arithmetic on other figures
of the same one. The last table lists every figure with its source, its place there and how it was read: in
the source itself, in a copy of its text, or computed from figures beside it. A figure that is known only from
a sentence that others quote is listed and settles nothing.

Words need a meaning before they can be right. Here a plural begins at two and ends at two of the next larger
unit: "days" are two days to two weeks, "weeks" two weeks to two months, and "trillions" begin at two.

Days instead of weeks? The Transformer's authors compare their training costs with those of recurrent
translators [@vaswani2017attention], which trained for days as well, on many more chips [@wu2016google;
@shazeer2017outrageously]. The table says operations, but they are computed as time, times chips, times a
chip's rate. So they can be converted back: how long would each training run have taken on the Transformer's
own eight chips, at the rates that its authors assume? The convolutional network in that table is the control.
It has no recurrence and computes all positions in parallel [@gehring2017convolutional]. If it too would have
taken weeks, parallel positions alone do not explain the shorter training.

How long GPT-3 trained was never published. The days that others quote are arithmetic on a rate that its
owners gave, and on a number of chips from a press release; their authors say that it might as well have been
ten times longer on a tenth of the chips [@patterson2021carbon]. The verdict here rests on such arithmetic and
says so. T5's paper and its code name two ways of sharing the work, by batch and by model, and no sequence was
ever split [@raffel2020exploring; @raffel2019code]; "sequence parallelism" is the name of a later technique
that does split sequences [@li2021sequence].

Two things are not tested: whether models of this scale would be infeasible otherwise, since nobody can repeat
that history, and whether parallel processing was the cause of what is found.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from types import MappingProxyType

from seqlab.measure.training_work import training_days
from seqlab.notebook import (
    Budget,
    Claim,
    Exact,
    Experiment,
    Interval,
    Measurement,
    Point,
    Table,
    Trial,
    grid,
)
from seqlab.tasks import published
from seqlab.tasks.published import relative_difference

KNOWN = published.load()
# What a word covers: from two of its unit to two of the next.
DAYS = (2.0, 14.0)
WEEKS = (14.0, 2 * 365.25 / 12)
TRILLIONS = (2e12, inf)
HUGE = (300e9, inf)  # tokens: as many as the article's own example
NAMED = ("T5", "GPT-3", "PaLM")  # the models that the article names, by their work
EIGHT = 8  # P100 chips, on which the Transformer was trained (Vaswani et al., 2017, section 5.2)
TRAINED = "days to train"


def days_on_eight(model: str) -> float:
    """Days that a published cost would have taken on the Transformer's chips."""
    return training_days(
        KNOWN.value(model, "operations"), devices=EIGHT, rate=KNOWN.value("P100", "sustained rate")
    )


GPT3_DAYS = training_days(
    KNOWN.agreed("GPT-3", "operations"),
    devices=KNOWN.agreed("GPT-3", "chips"),
    rate=KNOWN.agreed("GPT-3", "rate of a chip"),
)


@dataclass(frozen=True)
class Statement:
    """What the article says, as the numbers that its words allow, and the figure to compare it with."""

    claim: str
    allowed: tuple[float, float]
    figure: float


STATEMENTS: Mapping[str, Statement] = {
    "Transformer: days": Statement("C20", DAYS, KNOWN.agreed("Transformer (big)", TRAINED)),
    "GNMT: weeks": Statement("C20", WEEKS, KNOWN.agreed("GNMT", TRAINED)),
    "LSTM with experts: weeks": Statement("C20", WEEKS, KNOWN.agreed("LSTM with experts", TRAINED)),
    **{
        f"{model} on the Transformer's chips: weeks": Statement("C20", WEEKS, days_on_eight(model))
        for model in ("GNMT", "LSTM with experts")
    },
    **{f"{model}: huge data": Statement("C22", HUGE, KNOWN.agreed(model, "tokens")) for model in NAMED},
    "GPT-3: 300 billion tokens": Statement("C29", (300e9, 300e9), KNOWN.agreed("GPT-3", "tokens")),
    "GPT-3: weeks on V100 chips": Statement("C29", WEEKS, GPT3_DAYS),
    "GPT-3: weeks on A100 chips": Statement("C29", WEEKS, KNOWN.value("GPT-3 on A100", TRAINED)),
    "PaLM: 6144 chips": Statement("C30", (6_144, 6_144), KNOWN.agreed("PaLM", "chips")),
    "T5: sequences in parts": Statement(
        "C31", (2, inf), KNOWN.agreed("T5", "parts that a sequence is split into")
    ),
    **{
        f"{model}: trillions of {what}": Statement("C32", TRILLIONS, KNOWN.agreed(model, what))
        for model in NAMED
        for what in ("parameters", "tokens")
    },
    # Nothing came before the Transformer that rests on attention alone, its authors say (section 2).
    "no Transformer before": Statement("C34", (0, 0), 0.0),
    **{
        f"no parallel positions before (but {model})": Statement(
            "C34", (0, 0), KNOWN.value(model, "days before the Transformer")
        )
        for model in ("ConvS2S", "ByteNet")
    },
}
CLAIMS = tuple(dict.fromkeys(said.claim for said in STATEMENTS.values()))


def figure(trial: Trial) -> Iterator[Measurement]:
    """A published figure."""
    row = next(row for row in KNOWN.figures if levels_of(row) == trial.factors)
    yield Measurement("published_figure", row.value)


def statement(trial: Trial) -> Iterator[Measurement]:
    """What the article says, against what was published."""
    said = STATEMENTS[trial["statement"]]
    yield Measurement("published_figure", said.figure)
    yield Measurement("relative_difference", relative_difference(said.allowed, said.figure))


def training(trial: Trial) -> Iterator[Measurement]:
    """A training run of those years: as it was, or on the Transformer's chips."""
    model, own = trial["training"], trial["chips"] == "its own"
    yield Measurement("training_days", KNOWN.value(model, TRAINED) if own else days_on_eight(model))
    if model != "LSTM of 2014":  # whose chips and cost are unknown
        yield Measurement("chip_count", KNOWN.value(model, "chips") if own else EIGHT)
        yield Measurement("training_operations", KNOWN.value(model, "operations"))


def run(trial: Trial) -> Iterator[Measurement]:
    """One point of one of the parts."""
    parts = {"figure": figure, "training": training, **dict.fromkeys(CLAIMS, statement)}
    yield from parts[trial["part"]](trial)


def levels_of(row: published.Figure) -> Mapping[str, str]:
    """The factor levels that name a figure of the table."""
    named = f"{row.model}: {row.what}" + (f" ({row.unit})" if row.unit else "")
    source = f"{row.source.name}, {row.source.date:%Y-%m}; {row.place}"
    return MappingProxyType({"part": "figure", "figure": named, "source": source, "read": row.how})


COMPARED = ("Transformer (big)", "GNMT", "LSTM with experts")
# Nothing is drawn or timed, so every budget has all points, once.
POINTS: tuple[Point, ...] = (
    *grid(part="training", training=(*COMPARED, "LSTM of 2014"), chips="its own"),
    *grid(part="training", training=(*COMPARED, "ConvS2S"), chips="the Transformer's"),
    *(point for name, said in STATEMENTS.items() for point in grid(part=said.claim, statement=name)),
    *(Point(levels_of(row), None) for row in KNOWN.figures),
)


def claim(name: str, statement: str) -> Claim:
    """Every statement of the claim is within 5 % of its figure."""
    where = {"part": name}
    rule = Exact(metric="relative_difference", per=("statement",), along="statement", where=where, below=0.05)
    return Claim(name, rule, statement)


experiment = Experiment(
    chapter=24,
    run=run,
    budgets=(
        Budget("smoke", POINTS, timeout=60),
        Budget("quick", POINTS, timeout=120),
        Budget("full", POINTS),
    ),
    claims=(
        claim(
            "C20",
            "The Transformer of 2017 trained for days, and the recurrent translators that it was compared "
            "with for weeks: on the chips that they had and, computed from the published costs, on the "
            "Transformer's eight. Days are 2 to 14 of them, weeks are two weeks to two months, each within "
            "5 %. The cause is not tested.",
        ),
        claim(
            "C22",
            "Each of the three models that the article names was trained on at least as many tokens as its "
            "own example of a huge data set, 300 billion, within 5 %. It is not tested whether a recurrent "
            "model could be.",
        ),
        claim(
            "C29",
            "GPT-3 was trained on 300 billion tokens, within 5 %, and for weeks, which is two weeks to two "
            "months. No duration was published: the days are arithmetic on the work, the rate and the number "
            "of chips that others state, and a later estimate for newer chips.",
        ),
        claim(
            "C30",
            "PaLM was trained on 6,144 chips, within 5 %. Only the number is tested, not whether parallel "
            "processing of a sequence explains it: the work was shared by batch and by model.",
        ),
        claim(
            "C31",
            "T5's paper and its code say that sequences were split over devices, into at least two parts, "
            "which is what sequence parallelism means.",
        ),
        claim(
            "C32",
            "Each of the three models that the article names has at least two trillion parameters and was "
            "trained on at least two trillion tokens, within 5 %. If “trillions” began at one trillion, "
            "only T5's tokens would pass, and the verdict would be the same.",
        ),
        claim(
            "C34",
            "Before the paper of 2017 there was neither a Transformer nor a network that computes all "
            "positions in parallel in training. The paper's own section on related work names three of the "
            "latter; two are dated here, in days before it.",
        ),
    ),
    figures=(
        Interval(
            x="training_days", y="training", hue="chips", where={"part": "training"}, x_scale="log10",
            guides={"two weeks": DAYS[1]},
            caption="Days to train of the translators of those years: on the chips that they had, and by "
            "their published cost on the Transformer's eight chips. The convolutional network, which is as "
            "parallel as the Transformer, is the control.",
        ),
        Table(
            rows=("training", "chips"), where={"part": "training"},
            metrics=("training_days", "chip_count", "training_operations"),
            caption="The translators' training runs in numbers. Their work is that of the Transformer's "
            "authors: time, times chips, times a rate assumed for each chip.",
        ),
        Table(
            rows=("part", "statement"), where={"part": CLAIMS},
            metrics=("published_figure", "relative_difference"),
            caption="What the article says, the published or computed figure (days, tokens, parameters, "
            "chips or parts), and how far the nearest number that the words allow is from it.",
        ),
        Table(
            rows=("figure", "source", "read"), where={"part": "figure"}, metrics=("published_figure",),
            caption="Published figures: who stated them, when, where, and how they were read: in the source "
            "itself, in a copy of its text, or computed from figures beside it. What is only quoted by "
            "others settles nothing.",
        ),
    ),
)  # fmt: skip

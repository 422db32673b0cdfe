"""Tables with known statistics, as the analysis gives them, and one figure of each kind."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from seqlab.charts.draw import FigureData, gather
from seqlab.notebook.figures import Curve, Figure, Heatmap, Interval, Level, Tradeoff

MODELS = ("Transformer", "LSTM", "GRU")
LENGTHS = (64, 128, 256)
STEPS = tuple(range(0, 1000, 50))


def tables(
    by: tuple[str, ...], centres: Mapping[tuple[Level, ...], float], *, seeds: int = 5, spread: float = 0.02
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A summary and its samples: seeds lie evenly around each centre; one seed has no interval."""
    summary, samples = [], []
    for levels, centre in centres.items():
        values = centre * (1 + spread * np.linspace(-1, 1, seeds)) if seeds > 1 else np.array([centre])
        half = spread * centre if seeds > 1 else float("nan")
        summary.append((*levels, values.mean(), values.mean() - half, values.mean() + half, seeds))
        samples += [(*levels, seed, value) for seed, value in enumerate(values)]
    return (
        pd.DataFrame(summary, columns=pd.Index([*by, "estimate", "low", "high", "n"])),
        pd.DataFrame(samples, columns=pd.Index([*by, "seed", "value"])),
    )


def data(*args: tuple[pd.DataFrame, pd.DataFrame], figure: Figure) -> FigureData:
    """The tables as a figure takes them: those of a Tradeoff are joined."""
    waiting = iter(args)
    return gather(figure, lambda need: next(waiting))


def curve(*, models: tuple[str, ...] = MODELS, seeds: int = 5, **more: object) -> tuple[Curve, FigureData]:
    """Step time against length, in seconds: 1 ms times the length for the first model, and so on."""
    figure = Curve(caption="", x="length", y="step_time", hue="model", x_scale="log2", **more)  # type: ignore[arg-type]
    centres = {(m, n): 1e-3 * n * (i + 1) for i, m in enumerate(models) for n in LENGTHS}
    return figure, data(tables(("model", "length"), centres, seeds=seeds), figure=figure)


def panels() -> tuple[Curve, FigureData]:
    """Loss against training step, a panel a length."""
    figure = Curve(caption="", x="step", y="loss", hue="model", columns="length", guides={"guessing": 4.1})
    centres = {
        (n, m, s): 1.0 + i + 3 * np.exp(-s / 200)
        for n in LENGTHS
        for i, m in enumerate(MODELS)
        for s in STEPS
    }
    return figure, data(tables(("length", "model", "step"), centres), figure=figure)


def interval(*, hue: str = "", seeds: int = 5) -> tuple[Interval, FigureData]:
    """Accuracy for each model, or for each length and model."""
    guides = {"guessing": 0.1, "a baseline": 0.62}
    if hue:
        figure = Interval(caption="", x="accuracy", y="length", hue=hue, guides=guides)
        centres = {(n, m): 0.9 - n / 1000 - i / 50 for n in LENGTHS for i, m in enumerate(MODELS)}
        return figure, data(tables(("length", hue), centres, seeds=seeds), figure=figure)
    figure = Interval(caption="", x="accuracy", y="model", guides=guides)
    return figure, data(
        tables(("model",), {(m,): 0.9 - i / 10 for i, m in enumerate(MODELS)}, seeds=seeds), figure=figure
    )


def tradeoff() -> tuple[Tradeoff, FigureData]:
    """Accuracy against step time."""
    figure = Tradeoff(caption="", x="step_time", y="accuracy", hue="model", split="test", x_scale="log10")
    x = tables(("model",), {(m,): 0.002 * 4**i for i, m in enumerate(MODELS)})
    y = tables(("model",), {(m,): 0.7 + 0.1 * i for i, m in enumerate(MODELS)})
    return figure, data(x, y, figure=figure)


def roofline() -> tuple[Tradeoff, FigureData]:
    """Rate against bandwidth for widths of two models, joined, under a roof that bends at 20 B/s a B/s."""
    figure = Tradeoff(
        caption="", x="memory_bandwidth", y="matmul_rate", hue="model", along="width", x_scale="log10",
        y_scale="log10", roof=("step_time", "flop_rate"),
    )  # fmt: skip
    places = [(m, w) for w in (32, 64, 128) for m in MODELS[:2]]
    x = tables(("model", "width"), {(m, w): w / 8 for m, w in places})
    y = tables(("model", "width"), {(m, w): w / (2 if m == "LSTM" else 1) for m, w in places})
    slope, height = (tables((), {(): value}) for value in (10.0, 200.0))
    return figure, data(x, y, slope, height, figure=figure)


def heatmap() -> tuple[Heatmap, FigureData]:
    """Peak memory over width and length; one cell was not measured."""
    figure = Heatmap(caption="", x="length", y="width", value="peak_memory")
    centres = {(w, n): 1e4 * w * n for w in (32, 64) for n in LENGTHS if (w, n) != (64, 256)}
    return figure, data(tables(("width", "length"), centres), figure=figure)


def maps() -> tuple[Heatmap, FigureData]:
    """Influence of inputs on outputs of a causal network, whose upper half is empty, and an encoder."""
    figure = Heatmap(caption="", x="step", y="output", value="influence", columns="model")
    centres = {
        (model, output, step): 0.1 ** abs(output - step)
        for model in ("LSTM", "Encoder")
        for output in (1, 2, 3)
        for step in (1, 2, 3)
        if model == "Encoder" or step <= output
    }
    return figure, data(tables(("model", "output", "step"), centres, seeds=1), figure=figure)


KINDS: dict[str, Callable[[], tuple[Figure, FigureData]]] = {
    "curve": curve,
    "panels": panels,
    "interval": interval,
    "lanes": lambda: interval(hue="model"),
    "tradeoff": tradeoff,
    "roofline": roofline,
    "heatmap": heatmap,
    "maps": maps,
}

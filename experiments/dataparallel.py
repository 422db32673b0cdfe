"""Does training on several machines need a Transformer?

The giants were trained on thousands of chips at once [@chowdhery2022palm; @raffel2020exploring]. The article
takes that for a gift of the Transformer's own parallelism. Most of it is data parallelism, which divides a
batch: every chip computes the gradient of its own sequences, and all add up what they found. No network needs
a special form for that. Here a Transformer, an LSTM and a minGRU with equal numbers of parameters are trained
so, by one, two and four processes of this machine, each with one core and sequences of its own.

The *efficiency* of P processes is their throughput divided by P times that of one process alone, which is
timed before and after. With more processes than free cores it falls for any network, since they take turns;
what counts is whether it falls further for one that is trained step by step. In a ring, each process sends
2 (P - 1) / P times the bytes of all gradients a step, whatever the network [@patarasuk2009bandwidth]. How
many bytes really left is read from the counters of the loopback device.

The same arithmetic reaches further. A step of t seconds whose gradients take c seconds to add up between two
processes takes t + 2 c (P - 1) / P seconds on P of them, if all have a core and a link of their own, nothing
is hidden behind computing, and no message waits. The *predicted efficiency* of P processes is what remains of
t, for as many as the 6,144 chips of PaLM. It assumes this machine's speeds, so it compares networks and does
not describe a data centre.
"""

import math
import time
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from statistics import median

import mlx.core as mx
import psutil
from mlx import nn

from seqlab.measure.timing import seconds
from seqlab.models.backbones import TRANSFORMER, Size, TokenHead, build
from seqlab.models.parts.losses import token_loss
from seqlab.models.sizing import parameters
from seqlab.notebook import Budget, Claim, Experiment, Measurement, Ratio, Trial, grid
from seqlab.notebook.declared import declare
from seqlab.notebook.figures import Curve, Interval, Table
from seqlab.notebook.metrics import FROM_0, Metric
from seqlab.training import adamw, training_step
from seqlab.training.launched import launch
from seqlab.training.parallel import averaged, bytes_sent, rows
from seqlab.training.token_step import random_tokens

HEAD = TokenHead(vocabulary=64)
NETWORKS = (TRANSFORMER, "LSTM", "minGRU")
LOOPBACK = ("lo", "lo0")  # Linux and macOS
CHIPS = (2, 4, 16, 64, 256, 1_024, 6_144)

EFFICIENCY = declare(
    Metric("efficiency", "Throughput a process, relative to one process alone", "", "higher", log=True,
           span=FROM_0, here=True)
)  # fmt: skip
SENT = declare(Metric("bytes_sent", "Bytes that a process sends a step", "B", "lower", log=True))
FORMULA = declare(Metric("bytes_by_formula", "The same by the formula of a ring", "B", "lower", log=True))
PREDICTED = declare(
    Metric("predicted_efficiency", "Predicted efficiency", "", "higher", index="processes", span=FROM_0,
           here=True)
)  # fmt: skip
RING_TIME = declare(Metric("ring_time", "Time to add up the gradients", "s", "lower", log=True))


def network(name: str, width: int) -> nn.Module:
    """A language model with as many parameters as the Transformer of this width, within 2 %."""
    return build(name, Size(width), HEAD, seed=0)


def part(
    group: mx.distributed.Group,
    *,
    model: str = TRANSFORMER,
    width: int = 64,
    batch: int = 8,
    length: int = 64,
    steps: int = 5,
    blocks: int = 3,
    seed: int = 0,
) -> Iterator[Measurement]:
    """Time some steps of a data-parallel training, in each of the processes; `batch` is that of each."""
    trained, processes = network(model, width), group.size()
    mx.random.seed(seed)
    tokens = random_tokens(HEAD.vocabulary, batch=batch * processes, length=length)
    (own,) = rows(iter([tokens]), group.rank(), processes)
    step = training_step(
        trained, averaged(token_loss, group), adamw(1e-3), steps=blocks * steps, compiled=False
    )
    together = partial(mx.distributed.all_sum, mx.array(0.0), group=group)
    mx.eval(step(*own), together())
    taken, sent = [], []
    for _ in range(blocks):
        mx.eval(together())  # all begin at once
        left, begin = _bytes_out(), time.perf_counter()
        for _ in range(steps):
            mx.eval(step(*own))
        taken.append((time.perf_counter() - begin) / steps)
        sent.append((_bytes_out() - left) / steps / processes)
    yield Measurement("token_rate", processes * batch * length / median(taken), step=0)
    if processes > 1:
        yield Measurement(SENT, median(sent))
        yield Measurement(FORMULA, bytes_sent(trained, processes))
        yield Measurement(RING_TIME, _ring_time(trained, group, repeats=blocks * steps))


def _bytes_out() -> int:
    """What has left by the loopback device since the machine started."""
    counters = psutil.net_io_counters(pernic=True)
    return sum(counters[name].bytes_sent for name in LOOPBACK if name in counters)


def _ring_time(model: nn.Module, group: mx.distributed.Group, *, repeats: int) -> float:
    """Seconds to add up the gradients of all processes, alone."""
    message = mx.zeros(parameters(model))
    mx.eval(message)
    add_up = partial(mx.distributed.all_sum, message, group=group)
    return median(seconds(add_up) for _ in range(repeats))


def run(trial: Trial) -> Iterator[Measurement]:
    """One network on so many processes, and alone before and after."""
    names = ("model", "width", "batch", "length", "steps", "blocks")
    settings = {name: trial[name] for name in names} | {"seed": trial.seed}
    processes = trial["processes"]
    yield Measurement("parameters", _parameters(trial["model"], trial["width"]))
    before, shared, after = (
        {one.metric: one.value for one in launch(Path(__file__), count, settings)}
        for count in (1, processes, 1)
    )
    alone = math.sqrt(before["token_rate"] * after["token_rate"])
    yield Measurement("token_rate", shared["token_rate"], step=0)
    yield Measurement(EFFICIENCY, shared["token_rate"] / (processes * alone))
    for metric in (SENT, FORMULA, RING_TIME):
        yield Measurement(metric, shared[metric])
    step = trial["batch"] * trial["length"] / alone
    between_two = shared[RING_TIME] / (2 * (processes - 1) / processes)
    for chips in CHIPS:
        whole = step + 2 * (chips - 1) / chips * between_two
        yield Measurement(PREDICTED, step / whole, step=chips)


@cache
def _parameters(name: str, width: int) -> int:
    return parameters(network(name, width))


experiment = Experiment(
    chapter=27,
    run=run,
    protocol={"width": 64, "batch": 8, "length": 64, "steps": 5, "blocks": 3},
    budgets=(
        Budget(
            "smoke", grid(model=(TRANSFORMER, "LSTM"), processes=2, seeds=2),
            {"width": 16, "batch": 2, "length": 16, "steps": 2, "blocks": 2}, timeout=120,
        ),
        Budget("quick", grid(model=(TRANSFORMER, "LSTM"), processes=2, seeds=5), timeout=300),
        Budget("full", grid(model=NETWORKS, processes=(2, 4), seeds=10), timeout=300),
    ),
    claims=(
        Claim(
            "C31",
            Ratio(
                metric=EFFICIENCY, per=("processes",), left={"model": "LSTM"}, right={"model": TRANSFORMER},
                below=0.9, matched=("parameters",), finished=False,
            ),
            "If training on many chips rested on the Transformer's own parallelism, an LSTM of equal size "
            "would keep less than 0.9 of the Transformer's efficiency when batches are divided among "
            "processes.",
            predicted="not supported",
        ),
    ),
    figures=(
        Interval(
            x=EFFICIENCY, y="model", hue="processes", guides={"no loss": 1.0},
            caption="Throughput a process, relative to one process alone, by the number of processes.",
        ),
        Curve(
            x="step", y=PREDICTED, hue="model", columns="processes", x_scale="log2",
            caption="Efficiency on many processes, by arithmetic from the times of a step and of a ring.",
        ),
        Table(
            rows=("model", "processes"),
            metrics=("parameters", "token_rate", EFFICIENCY, SENT, FORMULA, RING_TIME),
            caption="Throughput, and what the processes send one another.",
        ),
    ),
)  # fmt: skip

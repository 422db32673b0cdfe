"""Does reading a prompt take one step, and writing one for each token?

A prompt is known as a whole, so a Transformer can read all of its tokens at once. This first phase of
decoding is called prefill. A token that the model writes is known only when it has been chosen, so each
pass of the decoding phase waits for the one before. The article says that self-attention and feed-forward
layers run in parallel "even in inference", and that writing goes one by one.

The page counts the longest path of operations that must follow one another, in MLX's graph, without a clock:
through a prompt that is read, and through as many tokens that are written. If a phase is parallel over
tokens, a further token adds no operation to the path. If it is sequential, every token adds at least one.

It also measures time per token in both phases, for a Transformer, an LSTM and a minGRU. The LSTM reads its
prompt step by step; the minGRU has a recurrence that can be computed in parallel too. All models have as
many parameters as the Transformer, within 2 %, and are timed side by side, in turn in every block.

The path describes an ideal machine with as many processors as it could use. The times describe this one,
with random weights and tokens.
"""

from collections.abc import Iterator, Mapping
from functools import cache

import mlx.core as mx
import numpy as np

from seqlab.decoding.timing import Workload, decode_arm, default_variant, prefill_arm, read_prompt
from seqlab.measure.blocks import Times, time_blocks
from seqlab.measure.depth import sequential_operations
from seqlab.models.backbones import TRANSFORMER, Size, TokenHead, build
from seqlab.models.heads import LanguageModel
from seqlab.models.sizing import parameters
from seqlab.notebook import Budget, Claim, Experiment, Measurement, Point, Ratio, Slope, Trial, grid
from seqlab.notebook.figures import Curve, Table

WIDTH = 64
HEAD = TokenHead(vocabulary=64)  # of random tokens
BACKBONE_OF = {"Linear attention": "linear attention"}  # the others have their backbone's name
MODELS = (TRANSFORMER, "RNN", "LSTM", "GRU", "minGRU", "LRU", *BACKBONE_OF)  # whose paths are counted
TIMED = (TRANSFORMER, "LSTM", "minGRU")
PHASES = ("prefill", "decode")


def model_of(name: str, *, width: int, seed: int = 0) -> LanguageModel:
    """The model of this name, with as many parameters as the Transformer of the width."""
    size = Size(width, orthogonal=False)  # how weights start changes no time
    model = build(BACKBONE_OF.get(name, name), size, HEAD, seed=seed)
    assert isinstance(model, LanguageModel)
    return model


@cache  # one measurement serves the trials of all models and phases
def phase_times(width: int, work: Workload, blocks: int, seed: int) -> Mapping[tuple[str, str], Times]:
    """Time of a token by model and phase, both phases as `seqlab.decoding` runs them on this device."""
    arms = {}
    for name in TIMED:
        model = model_of(name, width=width, seed=seed)
        mx.eval(model.state)
        arms[f"{name} prefill"] = prefill_arm(model, work)
        arms[f"{name} decode"] = decode_arm(model, work, default_variant())
    found = time_blocks(arms, blocks=blocks, rng=np.random.default_rng(seed))
    return {(name, phase): found[f"{name} {phase}"] for name in TIMED for phase in PHASES}


def read(trial: Trial) -> Iterator[Measurement]:
    """Time of a token that is read with all of a prompt, or written after it."""
    name, width, context = trial["model"], trial["width"], trial["context"]
    work = Workload(context, trial["batch"], trial["tokens_at_once"])
    found = phase_times(width, work, trial["blocks"], trial.seed)[name, trial["phase"]]
    yield from found.measurements("token_time")
    if trial["phase"] == "prefill":
        for block, taken in found.kept.items():
            yield Measurement("prefill_time", taken * context, step=block)
    yield Measurement("parameters", parameters(model_of(name, width=width)))


def depth(trial: Trial) -> Iterator[Measurement]:
    """Longest path of operations from the first token to the choice after the last."""
    model, count = model_of(trial["model"], width=WIDTH), trial["tokens"]

    def prefill(prompt: mx.array) -> mx.array:
        return mx.argmax(read_prompt(model, prompt)[0], axis=-1)

    def decode(prompt: mx.array) -> mx.array:
        logits, state = model.prefill(prompt[:, :1], model.initial_state(1, count))
        for _ in range(count - 1):
            logits, state = model.step(mx.argmax(logits, axis=-1), state)
        return mx.argmax(logits, axis=-1)

    path = {"prefill": prefill, "decode": decode}[trial["phase"]]
    prompt = mx.zeros((1, count), dtype=mx.int32)
    yield Measurement("sequential_operations", sequential_operations(path, prompt))


def run(trial: Trial) -> Iterator[Measurement]:
    """One point of one of the parts."""
    yield from {"read": read, "depth": depth}[trial["part"]](trial)


Lengths = tuple[int, ...]


def points(contexts: Mapping[int, Lengths], *, tokens: Lengths, seeds: int) -> tuple[Point, ...]:
    """Prompts to read, by batch, and numbers of tokens whose path is counted."""
    found: tuple[Point, ...] = ()
    for batch, lengths in contexts.items():
        found += grid(
            part="read", phase=PHASES, model=TIMED, width=WIDTH, batch=batch, context=lengths, seeds=seeds
        )
    return found + grid(part="depth", phase=PHASES, model=MODELS, tokens=tokens)


READ, DEPTH = {"part": "read"}, {"part": "depth"}

experiment = Experiment(
    chapter=8,
    run=run,
    # A budget that wants more precision has more seeds, each of which times everything anew.
    protocol={"tokens_at_once": 2, "blocks": 3},
    budgets=(
        Budget("smoke", points({1: (64,)}, tokens=(4, 8, 16), seeds=2), {"blocks": 2}, timeout=60),
        Budget("quick", points({1: (64, 256)}, tokens=(8, 16, 32), seeds=5), timeout=180),
        Budget(
            "full",
            points(
                {1: (64, 256, 1_024, 4_096, 8_192), 32: (64, 256, 1_024)},
                tokens=(8, 16, 32, 64, 128, 256), seeds=20,
            ),
            timeout=4 * 3_600,
        ),
    ),
    claims=(
        Claim(
            "C15",
            Slope(
                metric="sequential_operations", x="tokens", per=("model",), along="model",
                where=DEPTH | {"phase": "decode"}, above=0.99, seeds=1,
            ),
            "Written token by token, each further token adds at least one operation that must wait for the "
            "token before, in every model.",
        ),
        Claim(
            "C19",
            Slope(
                metric="sequential_operations", x="tokens", per=("phase",), along="phase",
                where=DEPTH | {"model": TRANSFORMER}, below=0.01, seeds=1,
            ),
            "In the Transformer a further token adds no sequential operation, neither in a prompt that is "
            "read (prefill) nor in tokens that are written (decode).",
        ),
        Claim(
            "C19",
            Ratio(
                metric="token_time", per=("batch", "context"), along="context",
                where=READ | {"model": TRANSFORMER}, left={"phase": "prefill"}, right={"phase": "decode"},
                below=0.5, matched=("parameters",),
            ),
            "A token that the Transformer reads as part of a prompt takes at most half the time of one that "
            "it writes after that prompt.",
        ),
    ),
    figures=(
        Curve(
            x="tokens", y="sequential_operations", hue="phase", columns="model", x_scale="log2",
            y_scale="log10", where=DEPTH | {"model": TIMED},
            caption="Longest path of sequential operations through a prompt of so many tokens (prefill) and "
            "through writing as many (decode).",
        ),
        Curve(
            x="context", y="token_time", hue="phase", columns="model", x_scale="log2", y_scale="log10",
            where=READ | {"batch": 1},
            caption="Time of a token that is read as part of a prompt (prefill), and of one that is written "
            "after it (decode), one sequence.",
        ),
        Table(
            rows=("model",), columns="context", where=READ | {"phase": "prefill", "batch": 1},
            metrics=("prefill_time",), caption="Time to read a whole prompt, one sequence.",
        ),
    ),
)  # fmt: skip

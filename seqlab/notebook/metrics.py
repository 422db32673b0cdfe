"""What can be measured: one catalogue of names, units, directions and titles.

Axis labels, table heads and the direction of "better" all come from here, so that a page only
names a metric. Values are stored in base units (s, B, FLOP, nat); charts choose a display unit.
"""

import math
from dataclasses import dataclass
from typing import Literal

from seqlab.errors import DivergedError, UsageError, unknown

MACHINE_UNITS = ("s", "d", "B", "FLOP/B")  # and all rates: times and sizes of what this machine does
Span = tuple[float, float]
ANY: Span = (-math.inf, math.inf)
FRACTION: Span = (0.0, 1.0)
FROM_0: Span = (0.0, math.inf)
UP_TO_1: Span = (-math.inf, 1.0)  # 0 is chance, and one may do worse; or a part that noise may make negative


@dataclass(frozen=True)
class Metric:
    """A quantity that can be measured.

    `log` says that seeds are averaged and compared as ratios (times, sizes, norms). `index` names what a
    measurement's `step` counts: training steps for most metrics, a distance or a position for others.
    `at_least` and `at_most` name the metric that is 1 in a run whose value is only such a bound, since it
    lies at the edge of what was tried. `span` is the smallest and the largest value that is possible, where
    that is certain. `curve` names the metric of the same unit that is measured in its place during training.

    `here` marks what depends on the machine although its unit does not say so: ratios and exponents of times
    and sizes, the digits of floating-point arithmetic.
    """

    name: str
    title: str
    unit: str = ""
    better: Literal["lower", "higher", "neither"] = "neither"
    log: bool = False
    index: str = "training step"
    at_least: str = ""
    at_most: str = ""
    span: Span = ANY
    curve: str = ""
    here: bool = False

    @property
    def of_machine(self) -> bool:
        """Whether it depends on the machine, so that only what was measured here can tell it."""
        return self.here or self.unit in MACHINE_UNITS or self.unit.endswith("/s")

    @property
    def least(self) -> float:
        """The smallest possible value; one that is compared as a ratio is 0 or more."""
        return max(self.span[0], 0.0) if self.log else self.span[0]

    @property
    def most(self) -> float:
        """The largest possible value."""
        return self.span[1]


def _catalogue(*metrics: Metric) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics}


METRICS = _catalogue(
    # Quality
    Metric("loss", "Loss", "nat", "lower", span=FROM_0),
    Metric("accuracy", "Accuracy", "", "higher", span=FRACTION),
    Metric("bits_per_character", "Bits per character", "bit", "lower", span=FROM_0),
    Metric("bits_per_token", "Bits per token", "bit", "lower", span=FROM_0),
    Metric("accuracy_identifiers", "Accuracy on identifiers", "", "higher", span=FRACTION),
    Metric("accuracy_copies", "Accuracy on identifiers seen before", "", "higher", span=FRACTION),
    Metric("accuracy_keywords", "Accuracy on keywords", "", "higher", span=FRACTION),
    Metric(
        "voice_bits",
        "Bits per token, by voice",
        "bit",
        "lower",
        index="voice (1 soprano, 2 alto, 3 tenor, 4 bass)",
        span=FROM_0,
    ),
    Metric("nats_per_frame", "Negative log-likelihood per frame", "nat", "lower", span=FROM_0),
    Metric(
        "bits_at_position", "Bits per character", "bit", "lower", index="characters seen before", span=FROM_0
    ),
    Metric("context_gain", "Extra bits without context beyond 100 characters", "bit", "higher"),
    Metric("order_gain", "Extra bits with context beyond 100 characters shuffled", "bit", "higher"),
    Metric("hidden_bits", "Bits per masked character", "bit", "lower", span=FROM_0),
    Metric("mse", "Mean squared error (standardised)", "", "lower", span=FROM_0),
    Metric("mae", "Mean absolute error (standardised)", "", "lower", span=FROM_0),
    Metric("q3_accuracy", "Three-class accuracy (Q3)", "", "higher", span=FRACTION),
    Metric("q8_accuracy", "Eight-state accuracy (Q8)", "", "higher", span=FRACTION),
    Metric("helix_recall", "Helix recall", "", "higher", span=FRACTION),
    Metric("strand_recall", "Strand recall", "", "higher", span=FRACTION),
    Metric("coil_recall", "Coil recall", "", "higher", span=FRACTION),
    Metric(
        "q3_at_length",
        "Three-class accuracy (Q3)",
        "",
        "higher",
        index="residues in the chain",
        span=FRACTION,
    ),
    Metric(
        "sampled_mse",
        "Mean squared error on the sample (standardised)",
        "",
        "lower",
        span=FROM_0,
        curve="mse",
    ),
    Metric("forecast", "Value (standardised)", index="hour from the forecast's first"),
    # Synthetic tasks: success by distance, by number of pairs, and beyond the training lengths
    Metric("success", "Normalised success (0 = chance)", "", "higher", index="distance", span=UP_TO_1),
    Metric("mean_success", "Mean normalised success over distances (0 = chance)", "", "higher", span=UP_TO_1),
    Metric(
        "reach",
        "Reach: distance at half success",
        "",
        "higher",
        log=True,
        at_least="reaches_end",
        at_most="reaches_nothing",
    ),
    Metric(
        "reaches_end",
        "Runs with a reach of at least the longest distance (fraction)",
        "",
        "higher",
        span=FRACTION,
    ),
    Metric(
        "reaches_nothing",
        "Runs with a reach of at most the shortest distance (fraction)",
        "",
        "lower",
        span=FRACTION,
    ),
    Metric("recalled", "Fraction of values recalled", "", "higher", index="pairs", span=FRACTION),
    Metric(
        "needed_width",
        "Smallest width that recalls 90 % of the values",
        "",
        "lower",
        log=True,
        index="pairs",
        at_least="widest_fails",
        at_most="narrowest_suffices",
    ),
    Metric(
        "widest_fails",
        "Runs in which the widest network does not suffice (fraction)",
        "",
        "lower",
        span=FRACTION,
    ),
    Metric(
        "narrowest_suffices",
        "Runs in which the narrowest network suffices (fraction)",
        "",
        "higher",
        span=FRACTION,
    ),
    Metric(
        "accuracy_by_length",
        "Accuracy beyond the training lengths",
        "",
        "higher",
        index="length",
        span=FRACTION,
    ),
    # Cost
    Metric("step_time", "Time per training step", "s", "lower", log=True, index="repeat"),
    Metric("compile_time", "Time of the first step, including compilation", "s", "lower", log=True),
    Metric("forward_time", "Time per forward pass", "s", "lower", log=True, index="repeat"),
    Metric(
        "relative_time",
        "Step time relative to the Transformer",
        "",
        "lower",
        log=True,
        index="repeat",
        here=True,
    ),
    Metric("token_rate", "Training throughput", "token/s", "higher", log=True, index="repeat"),
    Metric(
        "batch_gain", "Throughput relative to one sequence", "", "higher", log=True, index="repeat", here=True
    ),
    Metric(
        "form_gain",
        "Speedup over MLX's own layers (minGRU: over the loop)",
        "",
        "higher",
        log=True,
        index="repeat",
        here=True,
    ),
    Metric(
        "fixed_share",
        "Fixed cost of a step (fraction of a single-sequence step)",
        index="repeat",
        span=UP_TO_1,
        here=True,
    ),
    Metric("time_exponent", "Exponent of step time in sequence length", "", "lower", here=True),
    Metric(
        "crossover_length",
        "Length at which the Transformer is equally fast",
        "",
        "neither",
        log=True,
        here=True,
    ),
    Metric("compiled", "Compiled runs (fraction)", "", "neither", span=FRACTION, here=True),
    Metric(
        "blocks_dropped",
        "Timing blocks dropped because the machine's speed changed",
        "",
        "lower",
        span=FROM_0,
        here=True,
    ),
    Metric("peak_memory", "Peak memory of a training step", "B", "lower", log=True),
    Metric("activation_bytes", "Activations stored for the backward pass", "B", "lower", log=True),
    Metric("memory_exponent", "Exponent of peak memory in sequence length", "", "lower", here=True),
    Metric("cache_bytes", "Decoding state or cache", "B", "lower", log=True),
    Metric("cache_bytes_per_token", "Cache growth per token", "B", "lower", span=FROM_0),
    Metric("weight_bytes", "Size of the weights", "B", "neither", log=True),
    Metric(
        "cache_share", "Decoding state or cache relative to the weights", "", "lower", log=True, here=True
    ),
    Metric("outweighed_length", "Length at which the cache exceeds the weights", "", log=True, here=True),
    Metric("device_memory", "Device memory", "B", "higher", log=True),
    Metric(
        "out_of_memory_length", "Predicted length that fills device memory", "", "higher", log=True, here=True
    ),
    Metric("out_of_memory_low", "Predicted length, lower bound", "", "higher", log=True, here=True),
    Metric("out_of_memory_high", "Predicted length, upper bound", "", "higher", log=True, here=True),
    Metric("probe_length", "Length of the test run", span=FROM_0, here=True),
    Metric("prediction_error", "Prediction error at the test length", here=True),
    Metric(
        "probe_inside",
        "Test run within the predicted range (1 = yes)",
        "",
        "higher",
        span=FRACTION,
        here=True,
    ),
    Metric("token_time", "Time per token", "s", "lower", log=True, index="repeat"),
    Metric(
        "relative_token_time",
        "Time per token relative to the cached Transformer",
        "",
        "lower",
        log=True,
        index="repeat",
        here=True,
    ),
    Metric("prefill_time", "Prefill time", "s", "lower", log=True, index="repeat"),
    Metric("compile_gain", "Speedup of decoding by compilation", "", "higher", log=True, here=True),
    Metric("token_flops", "Work per token", "FLOP", "lower", log=True),
    Metric("token_bytes", "Memory traffic per token", "B", "lower", log=True),
    Metric("passes_per_token", "Model passes per generated token", "", "lower", span=FROM_0),
    Metric(
        "tokens_changed",
        "Generated tokens that differ from plain decoding",
        "",
        "lower",
        span=FROM_0,
        here=True,
    ),
    Metric("training_time", "Training time", "s", "lower", log=True),
    Metric("time_to_target", "Time to the target loss", "s", "lower", log=True),
    Metric("parameters", "Parameters", "", "neither", log=True),
    Metric("step_flops", "Work per training step", "FLOP", "lower", log=True),
    Metric("bytes_moved", "Memory traffic per training step", "B", "lower", log=True),
    Metric("intensity", "Arithmetic intensity", "FLOP/B", "higher", log=True),
    Metric("flop_rate", "Compute rate", "FLOP/s", "higher", log=True, index="repeat"),
    Metric("matmul_rate", "Peak rate of matrix products", "FLOP/s", "higher", log=True, index="repeat"),
    Metric("memory_bandwidth", "Memory bandwidth", "B/s", "higher", log=True),
    Metric(
        "utilisation",
        "Utilisation (fraction of the peak matrix-product rate)",
        "",
        "higher",
        log=True,
        index="repeat",
        here=True,
    ),
    Metric(
        "other_share",
        "Fraction outside matrix products",
        "",
        "lower",
        index="repeat",
        span=UP_TO_1,
        here=True,
    ),
    Metric("primitives", "Primitive operations without views", "", "lower", span=FROM_0),
    Metric("operation_latency", "Minimum latency of a dependent operation", "s", "lower", log=True),
    # Published figures and the cost of repeating them. Operations exceed all SI prefixes, and days all hours.
    Metric("published_figure", "Published figure", span=FROM_0),
    Metric(
        "relative_difference",
        "Relative difference between statement and published figure",
        "",
        "lower",
        span=FROM_0,
    ),
    Metric("training_operations", "Training compute (operations)", "", "lower", log=True),
    Metric("training_days", "Training time", "d", "lower", log=True),
    Metric("days_on_machines", "Training time", "d", "lower", log=True, index="machines like this one"),
    Metric("machines", "Machines like this one", "", "lower", log=True, here=True),
    Metric("chip_count", "Accelerator chips", "", "lower", span=FROM_0),
    Metric("updates", "Training steps", "", "lower", span=FROM_0),
    # Fairness: the resources of each side of a comparison
    Metric("train_steps", "Training steps taken", "", "neither", log=True),
    Metric("constant_steps", "Training steps before the learning rate falls", "", "neither", log=True),
    Metric("step_limit", "Training steps allowed", "", "neither", log=True),
    Metric("train_examples", "Training examples available", "", "neither", log=True),
    Metric("tuning_trials", "Tuning trials", "", "neither", span=FROM_0),
    Metric("late_gain", "Gain in the last quarter of the training", "", "lower", span=FROM_0),
    Metric("lookback_hours", "Look-back window (hours)", "", "neither", span=FROM_0),
    Metric("learning_rate", "Peak learning rate", "", "neither", log=True),
    Metric("tried_rate", "Learning rate tried", "", "neither", log=True, index="tuning trial"),
    Metric("tuning_score", "Validation score of a tried rate (lower is better)", "", index="tuning trial"),
    # Mechanism
    Metric("sequential_operations", "Sequential operations", "", "lower", span=FROM_0),
    Metric("constant_operations", "Sequential operations if independent of length", "", "lower"),
    Metric("operations_per_doubling", "Sequential operations per doubling of length", "", "lower"),
    Metric("operations_per_root", "Sequential operations per unit of √n", "", "lower"),
    Metric("operations_per_token", "Sequential operations per token", "", "lower"),
    Metric("growth_misfit", "Largest deviation from the fit", "", "lower", span=FROM_0),
    Metric("matrix_products", "Matrix products", "", "lower", span=FROM_0),
    Metric("influence", "Influence of an input on an output", log=True, index="input"),
    Metric(
        "useful_scores",
        "Fraction of computed attention scores that reach an output",
        "",
        "higher",
        span=FRACTION,
    ),
    Metric("size_exponent", "Scaling exponent in parameters", "", "higher"),
    Metric("data_exponent", "Scaling exponent in characters", "", "higher"),
    Metric("fitted_size_exponent", "Scaling exponent in parameters, with a loss floor", "", "higher"),
    Metric("fitted_data_exponent", "Scaling exponent in characters, with a loss floor", "", "higher"),
    Metric("fitted_floor", "Fitted loss floor", "bit", "neither"),
    Metric("plateau_share", "Fraction of training on the unigram plateau", "", "lower", span=FRACTION),
    Metric("plateau_left", "Runs that left the plateau (fraction)", "", "higher", span=FRACTION),
    Metric("unigram_divergence", "KL divergence from the unigram solution", "nat", "lower", log=True),
    Metric("bigram_divergence", "KL divergence from the bigram solution", "nat", "lower", log=True),
    Metric("loss_at_distance", "Loss", "nat", "lower", index="steps back to the same state", span=FROM_0),
    Metric(
        "gradient_norm",
        "Gradient norm, relative to the shortest distance",
        "",
        "neither",
        log=True,
        index="distance",
    ),
    Metric(
        "gradient_slope",
        "Change in gradient norm over 100 steps, from distance 1 (orders of magnitude)",
        "",
        "higher",
    ),
    Metric(
        "gradient_reach",
        "Gradient norm at the largest distance relative to the shortest (orders of magnitude)",
        "",
        "higher",
    ),
    Metric("gradient_lost", "Loss of gradient norm over 100 steps (orders of magnitude)", "", "lower"),
    Metric(
        "depth_gradient",
        "Gradient norm below the first layer, relative to above the last",
        "",
        "neither",
        log=True,
    ),
    Metric(
        "choice_effect",
        "Smallest change in next-token probabilities when the previous token changes",
        span=FROM_0,
    ),
    Metric("max_abs_error", "Largest absolute difference", "", "lower", span=FROM_0, here=True),
    Metric("permutation_error", "Largest output change under swapped inputs", log=True, here=True),
    Metric("tokens_agree", "Fraction of tokens that agree", "", "higher", span=FRACTION, here=True),
    Metric("distinct_tokens", "Distinct tokens generated", span=FROM_0),
    Metric(
        "product_bits",
        "Effective precision of float32 matrix products (fraction bits)",
        "",
        "higher",
        span=FROM_0,
        here=True,
    ),
    Metric("future_influence", "Largest gradient from a future token", "", "lower", span=FROM_0),
    Metric("pairs_connected", "Fraction of token pairs connected", "", "neither", span=FRACTION),
)


def metric_named(name: str) -> Metric:
    """The metric of this name; otherwise `UsageError` names the nearest known one."""
    try:
        return METRICS[name]
    except KeyError:
        raise UsageError(
            unknown("metric", name, METRICS) + " Add it to seqlab/notebook/metrics.py."
        ) from None


@dataclass(frozen=True)
class Measurement:
    """One number that a run measured.

    Raises `UsageError` for an unknown metric and `DivergedError` for a value that is not finite.
    """

    metric: str
    value: float
    split: str = ""  # train, valid, test, or empty where a split makes no sense
    step: int | None = None

    def __post_init__(self) -> None:
        metric_named(self.metric)
        if not math.isfinite(self.value):
            at = "" if self.step is None else f" at {metric_named(self.metric).index} {self.step}"
            raise DivergedError(f"{self.metric} is {self.value}{at}: the trial diverged.")

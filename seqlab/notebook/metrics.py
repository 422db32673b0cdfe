"""What can be measured: one catalogue of names, units, directions and titles.

Axis labels, table heads and the direction of "better" all come from here, so that a page only
names a metric. Values are stored in base units (s, B, FLOP, nat); charts choose a display unit.
"""

import math
from dataclasses import dataclass
from typing import Literal

from seqlab.errors import DivergedError, UsageError, unknown


@dataclass(frozen=True)
class Metric:
    """A quantity.

    `log` says that seeds are averaged and compared as ratios (times, sizes, norms). `index` names
    what a measurement's `step` counts: training steps for most, but a distance or a position too.
    """

    name: str
    title: str
    unit: str = ""
    better: Literal["lower", "higher", "neither"] = "neither"
    log: bool = False
    index: str = "training step"


def _catalogue(*metrics: Metric) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics}


METRICS = _catalogue(
    # Quality
    Metric("loss", "Loss", "nat", "lower"),
    Metric("accuracy", "Accuracy", "", "higher"),
    Metric("bits_per_character", "Bits per character", "bit", "lower"),
    Metric("bits_per_token", "Bits per token", "bit", "lower"),
    Metric("accuracy_identifiers", "On identifiers", "", "higher"),
    Metric("accuracy_copies", "On identifiers seen before", "", "higher"),
    Metric("accuracy_keywords", "On keywords", "", "higher"),
    Metric(
        "voice_bits",
        "Bits per token of a voice",
        "bit",
        "lower",
        index="voice (1 soprano, 2 alto, 3 tenor, 4 bass)",
    ),
    Metric("nats_per_frame", "Negative log likelihood of a frame", "nat", "lower"),
    Metric("bits_at_position", "Bits per character", "bit", "lower", index="characters seen before"),
    Metric("context_gain", "More bits without what is over 100 characters back", "bit", "higher"),
    Metric("order_gain", "More bits where that is shuffled", "bit", "higher"),
    Metric("hidden_bits", "Bits per masked character", "bit", "lower"),
    Metric("mse", "Mean squared error (standardised)", "", "lower"),
    Metric("mae", "Mean absolute error (standardised)", "", "lower"),
    Metric("q3_accuracy", "Accuracy of three classes (Q3)", "", "higher"),
    Metric("q8_accuracy", "Accuracy of eight states (Q8)", "", "higher"),
    Metric("helix_recall", "Helix found", "", "higher"),
    Metric("strand_recall", "Strand found", "", "higher"),
    Metric("coil_recall", "Coil found", "", "higher"),
    Metric("q3_at_length", "Accuracy of three classes (Q3)", "", "higher", index="residues in the chain"),
    Metric("sampled_mse", "Mean squared error on the sample (standardised)", "", "lower"),
    Metric("forecast", "Value (standardised)", index="hour from the forecast's first"),
    # What a made task asks, over guessing: distance, number of pairs, length beyond training
    Metric("success", "Success over guessing", "", "higher", index="distance"),
    Metric("mean_success", "Success over guessing, mean of all distances", "", "higher"),
    Metric("reach", "Reach: distance at which half of the success is left", "", "higher", log=True),
    Metric("reaches_end", "Reach of at least the longest distance (share of runs)", "", "higher"),
    Metric("reaches_nothing", "Reach of at most the shortest (share of runs)", "", "lower"),
    Metric("recalled", "Share of values recalled", "", "higher", index="pairs"),
    Metric("needed_width", "Width for nine values of ten", "", "lower", log=True, index="pairs"),
    Metric("accuracy_by_length", "Accuracy beyond the lengths of training", "", "higher", index="length"),
    # Cost
    Metric("step_time", "Time of a training step", "s", "lower", log=True, index="repeat"),
    Metric("compile_time", "Time of the first step, compilation included", "s", "lower", log=True),
    Metric("forward_time", "Time of a forward pass", "s", "lower", log=True, index="repeat"),
    Metric("relative_time", "Time of a step, over the Transformer's", "", "lower", log=True, index="repeat"),
    Metric("token_rate", "Training throughput", "token/s", "higher", log=True, index="repeat"),
    Metric(
        "batch_gain", "Tokens a second, over those of one sequence", "", "higher", log=True, index="repeat"
    ),
    Metric(
        "form_gain",
        "Times as fast as MLX's own layers (minGRU: as the loop)",
        "",
        "higher",
        log=True,
        index="repeat",
    ),
    Metric("fixed_share", "Share of a single sequence's step that others do not add to", index="repeat"),
    Metric("time_exponent", "Power of the length with which the time grows", "", "lower"),
    Metric("crossover_length", "Length at which the Transformer takes as long", "", "neither", log=True),
    Metric("compiled", "Compiled (share of runs)", "", "neither"),
    Metric("blocks_dropped", "Blocks dropped, for the machine had changed", "", "lower"),
    Metric("peak_memory", "Peak memory of a training step", "B", "lower", log=True),
    Metric("activation_bytes", "Activations kept for the backward pass", "B", "lower", log=True),
    Metric("memory_exponent", "Power of the length with which peak memory grows", "", "lower"),
    Metric("cache_bytes", "Memory that decoding keeps", "B", "lower", log=True),
    Metric("cache_bytes_per_token", "One more token adds", "B", "lower"),
    Metric("weight_bytes", "Weights", "B", "neither", log=True),
    Metric("cache_share", "Decoding's memory over the weights", "", "lower", log=True),
    Metric("outweighed_length", "Length that outweighs them", "", log=True),
    Metric("device_memory", "Device memory", "B", "higher", log=True),
    Metric("out_of_memory_length", "Length that fills it", "", "higher", log=True),
    Metric("out_of_memory_low", "At least", "", "higher", log=True),
    Metric("out_of_memory_high", "At most", "", "higher", log=True),
    Metric("probe_length", "Probe's length"),
    Metric("prediction_error", "Probe's error"),
    Metric("probe_inside", "Inside (1: yes)", "", "higher"),
    Metric("token_time", "Time of a token", "s", "lower", log=True, index="repeat"),
    Metric(
        "relative_token_time",
        "Time of a token, over that of the cached Transformer",
        "",
        "lower",
        log=True,
        index="repeat",
    ),
    Metric("prefill_time", "Time to read the context", "s", "lower", log=True, index="repeat"),
    Metric("compile_gain", "Time of a token, eager over compiled", "", "higher", log=True),
    Metric("token_flops", "Work of a token", "FLOP", "lower", log=True),
    Metric("token_bytes", "Memory that a token must read", "B", "lower", log=True),
    Metric("passes_per_token", "Passes through the model for a written token", "", "lower"),
    Metric("tokens_changed", "Written tokens that differ from plain decoding's", "", "lower"),
    Metric("training_time", "Time to train", "s", "lower", log=True),
    Metric("time_to_target", "Time to the target", "s", "lower", log=True),
    Metric("parameters", "Parameters", "", "neither", log=True),
    Metric("step_flops", "Work of a training step", "FLOP", "lower", log=True),
    Metric("bytes_moved", "Bytes that a training step reads and writes", "B", "lower", log=True),
    Metric("intensity", "Work for each byte", "FLOP/B", "higher", log=True),
    Metric("flop_rate", "Work a second", "FLOP/s", "higher", log=True, index="repeat"),
    Metric("matmul_rate", "Largest rate of matrix products", "FLOP/s", "higher", log=True, index="repeat"),
    Metric("memory_bandwidth", "Memory bandwidth", "B/s", "higher", log=True),
    Metric(
        "utilisation",
        "Share of the largest rate of matrix products",
        "",
        "higher",
        log=True,
        index="repeat",
    ),
    Metric("other_share", "Share that is not matrix products", "", "lower", index="repeat"),
    Metric("primitives", "Primitives, less views", "", "lower"),
    Metric("operation_latency", "Least time of an operation that waits for another", "s", "lower", log=True),
    # What was published, and what it would take. Work is far beyond any prefix, and days beyond hours.
    Metric("published_figure", "Published figure"),
    Metric("relative_difference", "Relative difference of statement and figure", "", "lower"),
    Metric("training_operations", "Work to train (operations)", "", "lower", log=True),
    Metric("training_days", "Days to train", "d", "lower", log=True),
    Metric("days_on_machines", "Days to train", "d", "lower", log=True, index="machines like this one"),
    Metric("machines", "Machines like this one", "", "lower", log=True),
    Metric("chip_count", "Chips", "", "lower"),
    Metric("updates", "Steps of training", "", "lower"),
    # Fairness: what each side of a comparison was given
    Metric("train_steps", "Training steps taken", "", "neither", log=True),
    Metric("train_examples", "Training examples available", "", "neither", log=True),
    Metric("tuning_trials", "Tuning trials", "", "neither"),
    Metric("lookback_hours", "Hours looked back", "", "neither"),
    Metric("learning_rate", "Learning rate, after warm-up", "", "neither", log=True),
    Metric("tried_rate", "Learning rate tried", "", "neither", log=True, index="tuning trial"),
    Metric("tuning_score", "Validation score of a rate tried, lower is better", "", index="tuning trial"),
    # Mechanism
    Metric("sequential_operations", "Sequential operations", "", "lower"),
    Metric("constant_operations", "Operations, if as many at any length", "", "lower"),
    Metric("operations_per_doubling", "Added by a doubling", "", "lower"),
    Metric("operations_per_root", "Added by a unit of √n", "", "lower"),
    Metric("operations_per_token", "Added by a token", "", "lower"),
    Metric("growth_misfit", "Off the fit, at most", "", "lower"),
    Metric("matrix_products", "Matrix products", "", "lower"),
    Metric("influence", "Influence of an input on an output", log=True, index="input"),
    Metric("useful_scores", "Share of computed scores that reach an output", "", "higher"),
    Metric("size_exponent", "Power of the parameters", "", "higher"),
    Metric("data_exponent", "Power of the characters", "", "higher"),
    Metric("fitted_size_exponent", "Power of the parameters, above a floor", "", "higher"),
    Metric("fitted_data_exponent", "Power of the characters, above a floor", "", "higher"),
    Metric("fitted_floor", "The floor", "bit", "neither"),
    Metric("plateau_share", "Share of training that stood still at counting states", "", "lower"),
    Metric("plateau_left", "Left the plateau (share of runs)", "", "higher"),
    Metric("unigram_divergence", "Divergence from counting states", "nat", "lower", log=True),
    Metric("bigram_divergence", "Divergence from counting pairs", "nat", "lower", log=True),
    Metric("loss_at_distance", "Loss", "nat", "lower", index="steps back to the same state"),
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
        "Trend of the gradient over 100 steps, from distance 1 (powers of ten)",
        "",
        "higher",
    ),
    Metric(
        "gradient_reach",
        "Gradient at the largest distance (power of ten, relative to the shortest)",
        "",
        "higher",
    ),
    Metric("gradient_lost", "Powers of ten that the gradient loses over 100 steps", "", "lower"),
    Metric(
        "depth_gradient",
        "Gradient norm below the first layer, relative to above the last",
        "",
        "neither",
        log=True,
    ),
    Metric("choice_effect", "Least change of the next token's probabilities by the token before"),
    Metric("max_abs_error", "Largest absolute difference", "", "lower"),
    Metric("permutation_error", "Largest change of an output when inputs trade places", log=True),
    Metric("tokens_agree", "Share of tokens that agree", "", "higher"),
    Metric("distinct_tokens", "Different tokens written"),
    Metric("product_bits", "Bits of fraction that a product of float32 keeps", "", "higher"),
    Metric("future_influence", "Largest gradient from a future token", "", "lower"),
    Metric("pairs_connected", "Share of token pairs connected", "", "neither"),
)


def metric_named(name: str) -> Metric:
    """Look a metric up; `UsageError` names the nearest known one."""
    try:
        return METRICS[name]
    except KeyError:
        raise UsageError(
            unknown("metric", name, METRICS) + " Add it to seqlab/notebook/metrics.py."
        ) from None


@dataclass(frozen=True)
class Measurement:
    """One number that a run produced.

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

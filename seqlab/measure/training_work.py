"""How much work is it to train a language model, by arithmetic on its size?

    C = 6 N D + 12 L H Q T D

N parameters see D tokens, each with two operations a parameter forward and four backward (Kaplan et al.,
2020, section 2.1). Attention adds the second term: L layers of H heads of size Q over a context of T, where
each pair of positions takes part in two products forward and four backward (Chowdhery et al., 2022, appendix
B). That counts all pairs; a kernel that skips the half that a causal mask hides halves it.
"""

from seqlab.errors import UsageError

DAY = 86_400  # seconds

Number = int | float  # chips and tokens may be counted exactly


def training_operations(parameters: Number, tokens: Number, *, active: Number = 1.0) -> float:
    """6 N D. `active` is the share of the parameters that process a token: one half where it passes either
    an encoder or a decoder (Brown et al., 2020, appendix D)."""
    return 6.0 * active * parameters * tokens


def attention_operations(tokens: Number, *, layers: int, width: int, context: int) -> float:
    """12 L H Q T D, with `width` = H Q, the heads' sizes together."""
    return 12.0 * layers * width * context * tokens


def training_days(operations: Number, *, devices: Number, rate: Number, utilisation: Number = 1.0) -> float:
    """Days that so many devices of this rate (operations a second) take, if they share the work evenly."""
    if not (operations >= 0 and devices > 0 and rate > 0 and 0 < utilisation <= 1):
        raise UsageError(
            "days need work from 0, devices and a rate above 0 and a utilisation up to 1, found "
            f"{operations:g}, {devices:g}, {rate:g} and {utilisation:g}."
        )
    return operations / (devices * rate * utilisation) / DAY

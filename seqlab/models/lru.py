"""Linear recurrent unit (LRU; Orvieto et al., 2023): a stable, complex, diagonal linear recurrence.

λ   = exp(-exp(ν) + i exp(θ)), so that |λ| < 1 for all parameters;  log γ starts at log √(1 - |λ|²)
h_t = λ ⊙ h_{t-1} + γ ⊙ (B x_t), complex
y_t = Re(C h_t) + D ⊙ x_t

A layer is x + GLU(GELU(y)) with y computed from norm(x). This is the paper's block with layer norm and
without dropout; without a nonlinearity, several layers would be equivalent to one. Initialisation follows the
paper's appendix A: |λ| uniform by area on a ring, phases uniform, B and C normal with variances 1/(2 width)
and 1/units for each of the real and imaginary parts, D normal.
"""

import math
from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Float

from seqlab.errors import UsageError
from seqlab.models.parts.activations import gelu, sigmoid_and_rest
from seqlab.models.parts.checks import check_choice, check_positive
from seqlab.models.parts.diagonal import FORMS, Form, Pair, complex_product, map_parts
from seqlab.models.parts.recurrence import Cell, CellState, RecurrentConfig, Stack

TINY = 1e-6  # random numbers stay this far from 0, where the logarithm is not finite


@dataclass(frozen=True)
class Config:
    """Sizes: `hidden` complex states per layer (width by default). `form`: see `parts.diagonal`.

    |λ| starts between `r_min` and `r_max`, the phase between 0 and `max_phase`. The defaults are the paper's;
    for long memory use r_min = 0.9, r_max = 0.999 and smaller phases.
    """

    width: int
    depth: int = 1
    hidden: int | None = None
    r_min: float = 0.0
    r_max: float = 1.0
    max_phase: float = 2 * math.pi
    form: Form = "chunked"

    def __post_init__(self) -> None:
        check_positive(width=self.width, depth=self.depth, hidden=self.units)
        check_choice("form", self.form, FORMS)
        if not 0 <= self.r_min < self.r_max <= 1:
            raise UsageError(
                f"expected 0 <= r_min < r_max <= 1, found r_min {self.r_min:g}, r_max {self.r_max:g}."
            )
        if not 0 < self.max_phase <= 2 * math.pi:
            raise UsageError(f"max_phase must be above 0 and at most 2π, found {self.max_phase:g}.")

    @property
    def units(self) -> int:
        """The number of complex states of a layer."""
        return self.width if self.hidden is None else self.hidden


class Recurrence(Cell):
    """The recurrence: (B, L, width) to (B, L, width). A state is a pair of real and imaginary parts."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.units, self.form = config.units, config.form
        width, states = config.width, config.units
        low, high = config.r_min**2, config.r_max**2
        area = low + (high - low) * mx.random.uniform(TINY, 1 - TINY, (states,))  # |λ|²
        self.log_nu = mx.log(-0.5 * mx.log(area))
        self.log_theta = mx.log(config.max_phase * mx.random.uniform(TINY, 1, (states,)))
        self.log_gamma = 0.5 * mx.log1p(-area)
        self.input_weight = mx.random.normal((2, states, width)) / math.sqrt(2 * width)  # Re B, Im B
        self.output_weight = mx.random.normal((width, 2 * states)) / math.sqrt(states)  # Re C, -Im C
        self.skip = mx.random.normal((width,))

    def initial_state(self, batch: int) -> CellState:
        """The real and imaginary parts, both zero."""
        return mx.zeros((batch, self.units)), mx.zeros((batch, self.units))

    def eigenvalues(self) -> tuple[Float[mx.array, "N"], Float[mx.array, "N"]]:
        """λ as real and imaginary parts, in float32, since bfloat16 would round |λ| = 0.999 to 1."""
        nu, theta = (log.astype(mx.float32) for log in (self.log_nu, self.log_theta))
        radius, phase = mx.exp(-mx.exp(nu)), mx.exp(theta)
        return radius * mx.cos(phase), radius * mx.sin(phase)

    def drive(self, x: Float[mx.array, "M D"]) -> tuple[Float[mx.array, "N M"], Float[mx.array, "N M"]]:
        """γ ⊙ (B x) of M inputs. γ scales the weights, which are fewer than the products."""
        weight = mx.exp(self.log_gamma)[:, None] * self.input_weight
        real, imaginary = mx.split(weight.reshape(-1, x.shape[-1]) @ x.T, 2)
        return real, imaginary

    def read(self, h: Pair, x: Float[mx.array, "M D"]) -> Float[mx.array, "M D"]:
        """Re(C h) + D ⊙ x of M states; the states are float32, the result has the type of x."""
        return mx.concatenate(list(h)).T.astype(x.dtype) @ self.output_weight.T + self.skip * x

    def extend(
        self, x: Float[mx.array, "B L D"], state: CellState | None
    ) -> tuple[Float[mx.array, "B L D"], CellState]:
        """The outputs of L more steps, in the `form` of the Config, and the new state."""
        batch, length, width = x.shape
        real, imaginary = self.initial_state(batch) if state is None else state
        rows = x.reshape(-1, width)
        b = map_parts(lambda part: part.reshape(-1, batch, length), self.drive(rows))
        h = FORMS[self.form](self.eigenvalues(), b, (real.T, imaginary.T))
        y = self.read(map_parts(lambda part: part.reshape(-1, batch * length), h), rows)
        return y.reshape(x.shape), map_parts(lambda part: part[..., -1].T, h)

    def step(self, x: Float[mx.array, "B D"], state: CellState) -> tuple[Float[mx.array, "B D"], CellState]:
        """The output of one more step, by the recurrence, and the new state."""
        column = map_parts(lambda part: part[:, None], self.eigenvalues())
        h = map_parts(mx.add, complex_product(column, (state[0].T, state[1].T)), self.drive(x))
        return self.read(h, x), map_parts(mx.transpose, h)


class Layer(Cell):
    """GLU(GELU(y)): two projections, one of which gates the other (Dauphin et al., 2017)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.units = config.width
        self.recurrence = Recurrence(config)
        self.to_value_and_gate = nn.Linear(config.width, 2 * config.width)

    def initial_state(self, batch: int) -> CellState:
        """The initial state of the recurrence."""
        return self.recurrence.initial_state(batch)

    def mix(self, y: Float[mx.array, "... D"]) -> Float[mx.array, "... D"]:
        """The nonlinearity, step by step."""
        value, gate = mx.split(self.to_value_and_gate(gelu(y)), 2, axis=-1)
        return value * sigmoid_and_rest(gate)[0]

    def extend(
        self, x: Float[mx.array, "B L D"], state: CellState | None
    ) -> tuple[Float[mx.array, "B L D"], CellState]:
        """The outputs of L more steps and the new state."""
        y, state = self.recurrence.extend(x, state)
        return self.mix(y), state

    def step(self, x: Float[mx.array, "B D"], state: CellState) -> tuple[Float[mx.array, "B D"], CellState]:
        """The output of one more step and the new state."""
        y, state = self.recurrence.step(x, state)
        return self.mix(y), state


class Model(Stack):
    """A stack of LRU blocks, each x + layer(norm(x)): (B, L, width) to (B, L, width)."""

    def __init__(self, config: Config) -> None:
        sizes = RecurrentConfig(config.width, depth=config.depth, residual=True)
        super().__init__(sizes, [Layer(config) for _ in range(config.depth)])

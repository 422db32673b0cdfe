"""Does every trial of the page on throughput report its network's share, and has every cell all networks?"""

import pytest

from experiments import throughput
from experiments.throughput import PARAMETERS, TRANSFORMER, Cell, Group, Plan
from seqlab.measure.blocks import Times
from seqlab.notebook import Trial


def test_a_trial_yields_its_share_and_the_longest_how_time_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a network whose time is linear in the length and crosses the Transformer's, a square, at 100."""

    def timed(group: Group, cell: Cell, plan: Plan, seed: int) -> dict[str, tuple[Times, Times | None]]:
        def times(seconds: float) -> Times:
            return Times(first=1.0, kept={2: seconds, 5: 3 * seconds, 6: seconds}, dropped=4)

        return {
            "RNN": (times(100.0 * cell.length), None),
            TRANSFORMER: (times(float(cell.length**2)), times(1.0)),
        }

    monkeypatch.setattr(throughput, "timed", timed)
    settings = {"blocks": 3, "steps": 30}

    def run(model: str, length: int, part: str = "length") -> dict[str, list[tuple[int | None, float]]]:
        factors = {
            "part": part, "view": PARAMETERS, "length": length, "batch": 8, "width": 64, "model": model
        }  # fmt: skip
        found: dict[str, list[tuple[int | None, float]]] = {}
        for each in throughput.run(Trial("throughput", factors, 0, "smoke", settings)):
            found.setdefault(each.metric, []).append((each.step, each.value))
        return found

    short = run("RNN", 128)
    assert short["step_time"] == [(2, 12_800.0), (5, 38_400.0), (6, 12_800.0)]
    assert short["relative_time"] == [(block, 100 / 128) for block in (2, 5, 6)]
    assert short["token_rate"][0] == (2, 8 * 128 / 12_800)
    assert short["blocks_dropped"] == [(None, 4)]
    assert {"parameters", "step_flops", "compile_time"} <= set(short)
    assert {"time_exponent", "crossover_length", "forward_time"} & set(short) == set()

    ((_, power),), ((_, place),) = (
        run("RNN", 256, "growth")[name] for name in ("time_exponent", "crossover_length")
    )
    assert power == pytest.approx(1)
    assert place == pytest.approx(100)
    growth = run(TRANSFORMER, 256, "growth")
    assert growth["time_exponent"][0][1] == pytest.approx(2)
    assert set(growth) == {"time_exponent"}
    transformer = run(TRANSFORMER, 256)
    assert len(transformer["forward_time"]) == 3
    assert "relative_time" not in transformer


def test_every_view_of_a_verdict_is_planned_for_all_networks() -> None:
    """Each cell has the Transformer and all its opponents, or a verdict would lack a side."""
    for budget in throughput.experiment.budgets:
        cells: dict[tuple[object, ...], set[object]] = {}
        for point in budget.points:
            key = tuple(level for name, level in point.factors.items() if name != "model")
            cells.setdefault(key, set()).add(point.factors["model"])
        networks = set(throughput.NETWORKS if budget.name == "full" else throughput.COMMON)
        assert all(models == networks for models in cells.values())
        assert {TRANSFORMER, "RNN", "LSTM", "minGRU", "TCN"} <= networks
        lengths, longest = (
            {int(p.factors["length"]) for p in budget.points if p.factors["part"] == part}
            for part in ("length", "growth")
        )
        assert set(throughput.octaves(max(longest))) == lengths

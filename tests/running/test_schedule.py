"""Do trials run in the order that decides most, and stop in time? By a clock that no test waits for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from seqlab.machine.settings import Settings
from seqlab.notebook.experiment import Trial
from seqlab.running.costs import Costs
from seqlab.running.execute import execute
from seqlab.running.limit import Limit
from seqlab.running.plan import Plan, due_trials
from seqlab.running.schedule import Block, Queue, as_asked, by_need
from seqlab.store.database import Store
from tests.running.limited import DEVICE, Clock, Machine, compares, exact, page, plan, record


def ordered(
    *plans: Plan, seconds: Mapping[str, float] | None = None, **decided: Sequence[bool]
) -> list[Trial]:
    records = {
        one.experiment.name: [
            record(trial, (seconds or {}).get(trial.experiment, 1.0)) for trial in one.planned
        ]
        for one in plans
    }
    blocks = by_need(plans, decided=decided, costs=Costs(records, device=DEVICE[1]), jobs=2)
    return [trial for block in blocks for trial in block.trials]


def runs_of(found: Sequence[Trial], of: str) -> list[str]:
    """The values in their order, each run of equal ones once."""
    values = [trial.experiment if of == "page" else str(trial.seed) for trial in found]
    return [value for place, value in enumerate(values) if not place or values[place - 1] != value]


LEARNS = plan(page("learns", compares("C38")))
OTHER = plan(page("other", compares("C39")))
TIMED = plan(page("timed", compares("C04", "step_time"), parallel_over=()))
LAW = plan(page("law", exact("C08"), seeds=None))


def test_time_and_arithmetic_come_before_what_learns() -> None:
    found = ordered(LEARNS, LAW, TIMED)
    assert runs_of(found, "page") == ["law", "timed", "learns"]
    assert len(found) == len({id(trial) for trial in found}) == 4 + 8 + 8


def test_the_page_that_takes_least_for_each_claim_comes_first() -> None:
    many = plan(page("many", *(exact(claim) for claim in ("C08", "C16", "C35")), parallel_over=()))
    few = plan(page("few", exact("C09"), parallel_over=()))
    assert runs_of(ordered(few, many, seconds={"many": 2.0}), "page") == ["many", "few"]
    assert runs_of(ordered(few, many, seconds={"many": 4.0}), "page") == ["few", "many"]


def test_a_timed_page_keeps_the_order_of_its_plan() -> None:
    assert ordered(TIMED) == list(TIMED.planned)


def test_seed_0_of_every_page_comes_before_seed_1_of_any_and_of_equals_the_cheaper() -> None:
    found = ordered(LEARNS, OTHER, seconds={"learns": 3.0})
    assert runs_of(found, "seed") == ["0", "1"]
    assert runs_of(found, "page") == ["other", "learns", "other", "learns"]


def test_seeds_that_train_together_stay_together() -> None:
    joined = plan(page("joined", compares("C38"), seeds=6, together=3))
    alone = plan(page("alone", compares("C39"), seeds=6))
    blocks = by_need([joined, alone], decided={}, costs=Costs({}, device=DEVICE[1]), jobs=2)
    seeds = [[trial.seed for trial in block.trials] for block in blocks if block.plan is joined]
    assert seeds == [[0, 1, 2]] * 4 + [[3, 4, 5]] * 4
    (last_of_0,) = [
        i for i, block in enumerate(blocks) if block.plan is joined and block.trials[0].seed == 0
    ][3:]
    first_of_1 = [block.trials[0].seed for block in blocks].index(1)
    assert last_of_0 < first_of_1


def test_decided_claims_give_way_and_what_serves_none_comes_last() -> None:
    figures = plan(page("figures"))
    found = ordered(figures, LEARNS, TIMED, OTHER, timed=[True], learns=[True])
    assert runs_of(found, "page") == ["other", "timed", "learns", "figures"]


def test_points_of_a_decided_claim_give_way_to_others_of_their_page() -> None:
    small = replace(compares("C38"), rule=replace(compares("C38").rule, where={"size": 1}))
    large = replace(compares("C44"), rule=replace(compares("C44").rule, where={"size": 2}))
    found = ordered(plan(page("p", small, large)), p=[True, False])
    assert [trial["size"] for trial in found] == [2] * 4 + [1] * 4


def test_a_trial_that_failed_comes_last() -> None:
    first = LEARNS.planned[0]
    assert ordered(plan(LEARNS.experiment, failed=[first]), OTHER)[-1] == first


def test_a_page_with_a_claim_of_another_factor_serves_it_with_the_points_that_have_it() -> None:
    wide = replace(compares("C44"), rule=replace(compares("C44").rule, per=("width",)))
    assert runs_of(ordered(plan(page("p", wide)), LEARNS), "page") == ["learns", "p"]


def test_a_worker_keeps_its_groups_and_an_idle_one_takes_over_what_waits() -> None:
    everything = plan(page("p", compares("C38"), sizes=(1, 2, 3), seeds=1))
    blocks = by_need([everything], decided={}, costs=Costs({}, device=DEVICE[1]), jobs=2)
    queue = Queue(blocks, Costs({}, device=DEVICE[1]), None, {})

    def taken(worker: str) -> str:
        block = queue.take(worker)
        return block.trials[0]["model"] if block else ""

    first, second = taken("one"), taken("two")
    assert {first, second} == {"A", "B"}
    assert [taken("one"), taken("one")] == [first, first]
    assert taken("one") == ""  # the other's group is running
    assert taken("two") == second
    queue = Queue(
        blocks[:1] + blocks[-1:], Costs({}, device=DEVICE[1]), None, {("p", "A"): "gone", ("p", "B"): "gone"}
    )
    assert taken("one")  # a group of a worker that is busy with nothing


def test_many_workers_take_the_trainings_of_a_group_apart_and_what_one_lost_waits_for_all() -> None:
    costs = Costs({}, device=DEVICE[1])
    everything = plan(page("p", compares("C38"), sizes=(1, 2), seeds=4, together=2))
    blocks = by_need([everything], decided={}, costs=costs, jobs=4, apart=True)
    assert len({block.group for block in blocks}) == 4  # two models, two trainings of each
    queue = Queue(blocks, costs, None, {})
    taken = [queue.take(worker) for worker in ("one", "two", "three", "four", "five")]
    assert [block is not None for block in taken] == [True, True, True, True, False]
    assert taken[0] is not None
    queue.put_back(taken[0], "one")
    queue.leave("one")
    assert queue.take("five") == taken[0]
    assert {block.group for block in as_asked([TIMED], apart=True)} == {("timed", 0), ("timed", 1)}


def test_without_a_limit_groups_run_as_a_whole_in_the_order_asked() -> None:
    blocks = as_asked([LEARNS, TIMED])
    assert [(block.plan.experiment.name, len(block.trials)) for block in blocks] == [
        ("timed", 8), ("learns", 4), ("learns", 4)
    ]  # fmt: skip


class Session:
    """A command's trials, again and again on one store, on a machine that only pretends to run them."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, seconds: Mapping[str, float]) -> None:
        self.root, self.machine = root, Machine(Clock(), seconds)
        monkeypatch.setattr("seqlab.running.worker.Worker", self.machine.worker)
        monkeypatch.setattr("seqlab.running.worker.wait_for_any", self.machine.wait_for_any)

    def run(self, *plans: Plan, seconds: float, jobs: int = 2) -> tuple[list[Trial], float]:
        """The trials that were begun, and the seconds that passed."""
        begun, start = len(self.machine.log), self.machine.clock.now
        with Store(self.root / "seqlab.db") as store:
            execute(
                [self._due(one, store) for one in plans], store, device=DEVICE, memory_limit=1 << 40,
                settings=Settings(), checkpoints=self.root / "kept", provenance=dict, jobs=jobs,
                limit=Limit(seconds, self.machine.clock),
            )  # fmt: skip
        return [trial for _, trial in self.machine.log[begun:]], self.machine.clock.now - start

    def _due(self, one: Plan, store: Store) -> Plan:
        records = store.records(one.experiment.name)
        due = due_trials(one.planned, records, fingerprint="code", device=DEVICE[1], mlx=DEVICE[2])
        return replace(one, due=tuple(due))

    def stored(self) -> list[tuple[str, str, int]]:
        with Store(self.root / "seqlab.db") as store:
            return store.rows("SELECT experiment, factors, seed FROM run")


def test_it_stops_in_time_and_goes_on_until_nothing_is_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(tmp_path, monkeypatch, {"learns": 5.0, "timed": 2.0})
    passed = []
    for _ in range(6):
        _, seconds = session.run(LEARNS, TIMED, seconds=20.0)
        passed.append(seconds)
    assert max(passed) <= 20.0 * 1.05
    assert passed[0] > 14.0  # it is not idle either: less than a trial and a margin is left
    assert passed[-1] == 0.0
    stored = session.stored()
    assert len(stored) == len(set(stored)) == 16
    assert [page for page, *_ in stored[:8]] == ["timed"] * 8
    assert session.machine.most_at_once == {"timed": 1, "learns": 2}


def test_where_no_trial_fits_the_cheapest_runs_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(tmp_path, monkeypatch, {"learns": 50.0, "timed": 20.0})
    counts = [len(session.run(LEARNS, TIMED, seconds=0.1)[0]) for _ in range(17)]
    assert counts == [1] * 16 + [0]
    assert len(set(session.stored())) == 16


def test_a_trial_that_takes_much_longer_than_predicted_is_ended_and_due_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = Session(tmp_path, monkeypatch, {"timed": 1.0, "learns": 1_000.0})
    begun, seconds = session.run(TIMED, LEARNS, seconds=60.0)
    assert 60.0 < seconds <= 60.0 * 1.05 + 1.0  # there is a look every second
    assert {trial.experiment for trial in begun[8:]} == {"learns"}
    assert {page for page, *_ in session.stored()} == {"timed"}
    assert "Ended 2 trials that took longer than predicted" in capsys.readouterr().err
    begun, seconds = session.run(TIMED, LEARNS, seconds=60.0)
    assert seconds >= 1_000.0  # now it is the shortest there is
    assert "learns" in {page for page, *_ in session.stored()}


def test_a_page_that_proves_expensive_gives_way_to_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is known of either. It has fewer trials, so it comes first, until it is seen to be slow."""
    slow = plan(page("slow", compares("C04", "step_time"), parallel_over=()))
    many = plan(page("many", compares("C17", "step_time"), sizes=range(8), parallel_over=()))
    session = Session(tmp_path, monkeypatch, {"slow": 25.0, "many": 0.5})
    begun, _ = session.run(slow, many, seconds=1_000.0)
    assert runs_of(begun, "page") == ["slow", "many", "slow"]
    assert len(begun) == len({id(trial) for trial in begun}) == 8 + 32


def test_the_seeds_of_a_training_run_in_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(tmp_path, monkeypatch, {"joined": 1.0})
    session.run(plan(page("joined", compares("C38"), seeds=6, together=3)), seconds=1_000.0)
    processes: dict[object, set[int]] = {}
    for process, trial in session.machine.processes:
        processes.setdefault((trial["model"], trial["size"], trial.seed // 3), set()).add(process)
    assert len(processes) == 8
    assert all(len(found) == 1 for found in processes.values())


def test_blocks_hold_each_due_trial_once() -> None:
    plans = [
        LEARNS,
        OTHER,
        TIMED,
        LAW,
        plan(page("more", exact("C08"), compares("C38"), seeds=7, together=5)),
    ]
    due = sorted(id(due.trial) for one in plans for due in one.due)

    def held(blocks: Sequence[Block]) -> list[int]:
        return sorted(id(trial) for block in blocks for trial in block.trials)

    assert held(by_need(plans, decided={}, costs=Costs({}, device=DEVICE[1]), jobs=2)) == due
    assert held(as_asked(plans)) == due

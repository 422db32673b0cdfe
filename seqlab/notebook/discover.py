"""Which experiments are there? The pages of the `experiments` folder, read and checked.

A page's name is its file's name, its title and prose are its docstring. A page that cannot be read
fails alone: it is returned as broken with one line of reason, and the others go on.
"""

import importlib.util
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from inspect import cleandoc
from pathlib import Path
from types import ModuleType
from typing import cast

from seqlab.errors import SeqlabError, UsageError, described, unknown
from seqlab.notebook import allowed
from seqlab.notebook.bounded import bounded
from seqlab.notebook.claims import Rule, Slope
from seqlab.notebook.decidable import check_decidable
from seqlab.notebook.experiment import Experiment, Point
from seqlab.notebook.figures import ArtifactFigure, Curve, Figure, Heatmap, Interval, Table, Tradeoff
from seqlab.notebook.metrics import Measurement, metric_named
from seqlab.notebook.uncached import UncachedLoader, use_for


@dataclass(frozen=True)
class Pages:
    """The experiments by name, and for each page that cannot be used the reason."""

    experiments: Mapping[str, Experiment]
    broken: Mapping[str, str]
    folder: Path

    def path(self, name: str) -> Path:
        """The page's file."""
        return self.folder / f"{name}.py"

    def named(self, name: str) -> Experiment:
        """One experiment; `UsageError` suggests the nearest name, or says why the page is broken."""
        if name in self.broken:
            raise UsageError(f"the page {name!r} cannot be used: {self.broken[name]}")
        if name not in self.experiments:
            raise UsageError(unknown("experiment", name, self.experiments))
        return self.experiments[name]


def discover(folder: Path, claims: Iterable[str]) -> Pages:
    """Read every page of the folder. `claims` are the ids that the ledger knows."""
    if not folder.is_dir():
        raise UsageError(
            f"expected a folder of experiments at {folder}, found none. Run from the project's root, "
            "or name the root with --root."
        )
    experiments: dict[str, Experiment] = {}
    broken: dict[str, str] = {}
    seen: dict[str, str] = {}
    known = frozenset(claims)
    for path in sorted(folder.glob("*.py")):
        name = path.stem
        if name.startswith(("_", ".")):  # editors and macOS leave `.#page.py` and `._page.py`
            continue
        twin = seen.setdefault(name.casefold(), name)
        if twin != name:  # on macOS both would be one file, and a session has one name
            broken[name] = f"the name is taken by {twin}.py, which differs only in case. Rename one."
            continue
        try:
            experiment = load(path)
            check(experiment, known)
            _check_measured(path)
            experiments[name] = experiment
        except SeqlabError as error:
            broken[name] = str(error)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a page is the user's code: the others go on
            broken[name] = f"{described(error)} ({_place(error)})"
    by_chapter = sorted(experiments.items(), key=lambda page: (page[1].chapter, page[0]))
    return Pages(dict(by_chapter), broken, folder)


def _place(error: BaseException) -> str:
    """Where an error was raised: `page.py, line 7`."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}, line {error.lineno}"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}, line {last.lineno}"


def load(path: Path) -> Experiment:
    """Import one page from its file and fill in name, title and prose."""
    module = _module(path)
    experiment = getattr(module, "experiment", None)
    if not isinstance(experiment, Experiment):
        raise UsageError(f"{path.name} must bind `experiment = Experiment(...)`, found {experiment!r}.")
    title, _, prose = cleandoc(module.__doc__ or "").partition("\n")
    if not title:
        raise UsageError(f"{path.name} needs a docstring, found none. Its first line is the chapter's title.")
    return replace(experiment, name=path.stem, title=title.strip(), prose=prose.strip())


def part_of(path: Path) -> Callable[..., Iterable[Measurement]]:
    """The function `part` of a page, which runs in each of several processes (`seqlab.training.launched`)."""
    part = getattr(_module(path), "part", None)
    if not callable(part):
        raise UsageError(f"expected a page with a function `part`, found none in {path.name}.")
    return cast(Callable[..., Iterable[Measurement]], part)


def _module(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"expected a file {path.name}, found something else. Remove it.")
    name = f"experiments.{path.stem}"
    use_for(path.absolute().parent.parent)
    spec = importlib.util.spec_from_file_location(name, path, loader=UncachedLoader(name, str(path)))
    if spec is None or spec.loader is None:
        raise UsageError(f"cannot read {path} as a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with bounded(path.name):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def check(experiment: Experiment, claims: frozenset[str]) -> None:
    """Every name that the page uses must exist and every rule be decidable, before anything trains.

    And a trial must be made in the same way at every budget that gives verdicts.
    """
    if names := experiment.departures():
        raise UsageError(
            f"the budgets quick and full may not set {', '.join(names)}: how a trial is made is the page's "
            "protocol; budgets differ in points and seeds (only smoke has settings of its own)."
        )
    for budget in experiment.budgets if experiment.protocol else ():
        for name in budget.settings:
            if name not in experiment.protocol:
                raise UsageError(unknown("setting of the protocol", name, experiment.protocol))
    for budget in experiment.budgets:
        points = [*budget.points, Point(experiment.settings(budget), None)]
        named: list[tuple[str, object]] = [item for point in points for item in point.factors.items()]
        for name, level in named:
            if expected := allowed.level(level):
                raise UsageError(f"{name} must be {expected}, found {allowed.shown(level)}.")
    factors = {name for budget in experiment.budgets for name in experiment.factor_levels(budget)}
    for factor in factors:
        if expected := allowed.factor(factor):
            raise UsageError(f"expected {expected}, found {allowed.shown(factor)}. Rename it.")
    for claim in experiment.claims:
        if claim.id not in claims:
            raise UsageError(f"{unknown('claim', claim.id, claims)} Add a new one to report/claims.toml.")
        _check_rule(claim.rule, factors)
        _check_text(f"what {claim.id} states", claim.statement)
    check_decidable(experiment)
    for figure in experiment.figures:
        _check_figure(figure, factors)


def _check_measured(path: Path) -> None:
    """Every metric that the page names where it yields must exist; what is computed, only a run tells."""
    for name in dict.fromkeys(re.findall(r'\bMeasurement\(\s*"([^"\\]+)"', path.read_text(encoding="utf-8"))):
        metric_named(name)


def _check_factors(names: Iterable[str], factors: set[str]) -> None:
    for name in names:
        if name not in factors:
            raise UsageError(unknown("factor", name, factors))


def _check_rule(rule: Rule, factors: set[str]) -> None:
    metric_named(rule.metric)
    _check_factors([*rule.per, *rule.where], factors)
    if isinstance(rule, Slope):
        _check_factors([rule.x], factors | {"step"})
    _check_factors([name for side in rule.sides for name in side], factors)


def _check_text(what: str, text: object) -> None:
    if expected := allowed.text(text):
        raise UsageError(f"{what} must be {expected}, found {allowed.shown(text)}.")


def _check_figure(figure: Figure, factors: set[str]) -> None:
    if not isinstance(figure, Figure):
        raise UsageError(f"expected figures, found {allowed.shown(figure)}. See seqlab/notebook/figures.py.")
    _check_text("a caption", figure.caption)
    _check_factors(figure.where, factors)
    match figure:
        case Curve():
            metrics, used = [figure.y], [figure.hue, figure.columns, figure.x if figure.x != "step" else ""]
        case Interval():
            metrics, used = [figure.x], [figure.y, figure.hue, figure.columns]
        case Tradeoff():
            metrics, used = [figure.x, figure.y, *(figure.roof or ())], [figure.hue, figure.along]
        case Heatmap():
            metrics, used = [figure.value], [figure.y, figure.columns, figure.x if figure.x != "step" else ""]
        case Table():
            metrics = [name.partition("@")[0] for name in figure.metrics]
            used = [*figure.rows, figure.columns]
        case ArtifactFigure():
            metrics, used = [], list(figure.by)
        case _:
            raise UsageError(
                f"unknown kind of figure: {type(figure).__name__}. See seqlab/notebook/figures.py."
            )
    for metric in metrics:
        metric_named(metric)
    _check_factors([name for name in used if name], factors)

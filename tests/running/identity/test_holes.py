"""Is a page due after each kind of edit that may change its result, and only then?"""

import mlx.core as mx
import pytest

from tests.running.identity.lab import Lab
from tests.running.identity.pages import PAGES

# What is edited, how, and which pages are due then: those named, or all.
EVERY = ("plain",)
CHANGED = [
    ("experiments/_shared.py", "0.5", "0.7", ["shared"]),
    ("experiments/_beside.py", "0.5", "0.7", ["beside"]),
    ("more/_elsewhere.py", "0.5", "0.7", ["elsewhere"]),
    ("experiments/_behind.py", "LIFT = 0.5", "LIFT = 0.7", ["door", "starred"]),
    ("experiments/_door.py", "import LIFT", "import LOW as LIFT", ["door"]),
    ("experiments/_starred.py", "import LIFT", "import LOW as LIFT", ["starred"]),
    ("experiments/_attributes.py", "import pi", "import e as pi", ["attribute"]),
    ("experiments/_patch.py", "0.5", "0.7", ["patched"]),
    ("experiments/patched.py", "import experiments._patch\n", "", ["patched"]),
    ("experiments/_loaded.py", "0.5", "0.7", ["loaded"]),
    ("experiments/_computed.py", "0.5", "0.7", ["computed"]),
    ("experiments/_dunder.py", "0.5", "0.7", ["dunder"]),
    ("experiments/_executed.py", "0.5", "0.7", ["executed"]),
    ("experiments/lift.txt", "0.5", "0.7", ["data"]),
    ("data/lift.safetensors", "", "", ["weights"]),
    ("data/table.csv", "2", "3", ["table"]),
    ("experiments/folder/b.txt", "", "", ["listed"]),
    ("experiments/optional.txt", "", "0.7", ["optional"]),
    ("experiments/rates/tuned.csv", "", "settings,rate,score\n", ["tuned"]),
    ("seqlab/measure/__init__.py", "0.5", "0.7", ["lazy", "package", "relative"]),
    ("seqlab/measure/behind.py", "0.5", "0.7", ["relative"]),
    ("seqlab/measure/late.py", "0.5", "0.7", ["lazy"]),
    ("seqlab/notebook/metrics.py", "value: float", "value: float = 0.0", EVERY),
    ("seqlab/notebook/experiment.py", "return values[name]", "return 2 * values[name]", EVERY),
    ("seqlab/machine/seeding.py", "random.seed(seed)\n    np", "random.seed(seed + 1)\n    np", EVERY),
    ("seqlab/running/yielded.py", "seed_all(trial.seed)", "seed_all(trial.seed + 1)", EVERY),
    ("seqlab/machine/settings.py", "CPU_CACHE_BYTES = 1 << 30", "CPU_CACHE_BYTES = 1 << 29", EVERY),
    ("experiments/docstring.py", "0.5", "0.7", ["docstring"]),
    ("experiments/own_docstring.py", "0.5", "0.7", ["own_docstring"]),
    ("experiments/_texts.py", "0.5", "0.7", ["their_docstring"]),
    ("experiments/read_docstring.py", "0.5", "0.7", ["read_docstring"]),
    ("experiments/commented.py", "# 0.5", "# 0.70", ["commented"]),
    ("experiments/built.py", "build(0.5)", "build(0.7)", ["built"]),
    ("experiments/chosen.py", "0.5", "0.7", ["chosen"]),
    ("experiments/walrus.py", "0.5", "0.7", ["walrus"]),
    ("experiments/itself.py", "chapter=7", "chapter=8", ["itself"]),
    ("experiments/apart.py", 'parallel_over=("model",)', "parallel_over=()", ["apart"]),
    ("experiments/for_types.py", "CHECKING = True", "CHECKING = False", ["for_types"]),
    ("experiments/for_types.py", "0.5", "0.7", ["for_types"]),
    ("experiments/plain.py", "run=run,", 'run=run, parallel_over=("model",),', ["plain"]),
    ("experiments/plain.py", "run=run,", "run=run, precise=True,", ["plain"]),
    ("experiments/plain.py", "run=run,", 'run=run, exclusive={"model": "LSTM"},', ["plain"]),
]  # fmt: skip
TYPES = "\nfrom typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from seqlab.models import gru\n\n"
RENAMED = TYPES.replace("import TYPE_CHECKING", "import TYPE_CHECKING as _NOW").replace(
    "TYPE_CHECKING:", "_NOW:"
)
SAME = [
    ("experiments/shared.py", "\n\ndef run", "\n# a comment\n\n\ndef run"),
    ("experiments/shared.py", '"""Is this page due?"""', '"""Another title.\n\nAnd prose.\n"""'),
    ("experiments/shared.py", "import LIFT", "import LIFT\nimport json"),
    ("experiments/shared.py", "import LIFT", "import LIFT\nfrom seqlab.models import gru, lstm"),
    ("experiments/shared.py", "import LIFT", "import LIFT\nfrom experiments._behind import LOW"),
    ("experiments/shared.py", "Budget, Experiment, grid", "grid, Experiment, Budget"),
    ("experiments/shared.py", "import Budget", "import Trial, Budget"),
    ("experiments/shared.py", "run=run, ", "run=run, precise=False, chapter=9, parallel_over=(), "),
    ("experiments/shared.py", "    yield Measurement(", '    """Yield."""\n    yield Measurement(\n        '),
    ("experiments/shared.py", "\ndef run", TYPES + "\ndef run"),
    ("experiments/shared.py", "\ndef run", RENAMED + "\ndef run"),
    ("experiments/_shared.py", "LIFT", '"""Shared."""\n\nimport json\n\nLIFT'),
    ("experiments/_texts.py", '0.5"""', '0.5"""  # as text'),
    ("experiments/_computed.py", "0.5", "0.5  # as it was"),
    ("more/_elsewhere.py", "0.5", "0.50"),
    ("seqlab/machine/seeding.py", "Seed Python's", "Seed Python's own"),
    ("experiments/_behind.py", "LIFT = 0.5", "from math import inf\n\nLIFT = 5e-1"),
    ("seqlab/measure/relative.py", "def lift():", 'import json\n\n\ndef lift():\n    """Lift."""'),
    ("seqlab/measure/__init__.py", "Measures", "Several measures"),
    ("seqlab/machine/device.py", "import blas, kernels", "import kernels, blas"),
    ("seqlab/machine/seeding.py", "import random\n", "import json\nimport random\n"),
    ("seqlab/notebook/__init__.py", '"Trial",', '"Trial", "Verdict",'),
    ("seqlab/notebook/claims.py", "class Verdict", "LEAST = 3\n\n\nclass Verdict"),
    ("seqlab/__init__.py", "0.1.0", "0.2.0"),
    ("seqlab/store/merge.py", "import os", "import os\n\nPAGES = 3"),
    ("experiments/_unused.py", "", "LIFT = 1"),
]  # fmt: skip


@pytest.mark.slow
def test_nothing_is_due_after_running(lab: Lab) -> None:
    assert lab.changes() == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "old", "new", "due"), CHANGED, ids=[f"{one[0]}: {one[2]!r}"[:60] for one in CHANGED]
)
def test_what_may_change_a_result_makes_its_pages_due(
    lab: Lab, name: str, old: str, new: str, due: list[str]
) -> None:
    if name.endswith("safetensors"):
        mx.save_safetensors(str(lab.root / name), {"lift": mx.array(0.7)})
        assert list(lab.changes()) == due
        mx.save_safetensors(str(lab.root / name), {"lift": mx.array(0.5)})
        return
    with lab.edited(name, old, new):
        found = lab.changes()
    assert list(found) == (sorted(PAGES) if due is EVERY else due)
    assert all(name.replace("/b.txt", "") in reason for reason in found.values())


@pytest.mark.slow
@pytest.mark.parametrize(("name", "old", "new"), SAME, ids=[f"{one[0]}: {one[2]!r}"[:60] for one in SAME])
def test_what_changes_no_result_makes_nothing_due(lab: Lab, name: str, old: str, new: str) -> None:
    with lab.edited(name, old, new):
        assert lab.changes() == {}


@pytest.mark.slow
def test_what_the_imports_do_not_tell_is_said_once(lab: Lab) -> None:
    said = [line for line in lab.printed.splitlines() if "its trials also used" in line]
    named = {line.partition(":")[0] for line in said}
    assert named == {"computed", "data", "elsewhere", "executed", "listed", "optional", "table", "weights"}
    assert any("experiments/lift.txt" in line for line in said)
    assert "its trials also used" not in lab.run("data", force=True)
    assert "also used experiments/lift.txt" in lab.command("run", "data", "--dry-run")


@pytest.mark.slow
def test_the_reason_is_said_and_running_again_gives_the_new_value(lab: Lab) -> None:
    with lab.edited("experiments/_shared.py", "0.5", "0.7"):
        assert "experiments/_shared.py changed since its run of" in lab.command("run", "shared", "--dry-run")
        lab.run("shared")
        assert lab.values()["shared"] == [0.7]
        assert "Nothing is due" in lab.command("run", "shared", "--dry-run")
    assert "Nothing is due" in lab.command("run", "shared", "--dry-run")  # the first run is current again


@pytest.mark.slow
def test_every_global_generator_is_seeded(lab: Lab) -> None:
    before = lab.values()
    lab.run("seeded", "numpy_seeded", force=True)
    assert lab.values() == before


@pytest.mark.slow
def test_one_pages_modules_are_not_charged_to_the_next(lab: Lab) -> None:
    from seqlab.store.database import Store

    with Store(lab.root / "results/seqlab.db") as store:
        used = {name for one in store.used("plain").values() for name in one}
    assert "experiments/plain.py" in used
    assert not [name for name in used if name.startswith("experiments/") and name != "experiments/plain.py"]
    assert not {name for name in used if name.startswith(("seqlab/models", "seqlab/training", "data"))}

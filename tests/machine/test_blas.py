"""The fast BLAS: products are correct, `load` names the library, and no failure stops it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seqlab.machine import blas

ROOT = Path(__file__).parents[2]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux needs another BLAS")

PRODUCT = """
import sys
from seqlab.machine import blas
found = blas.load()
assert blas.load() is found
assert "mlx.core" not in sys.modules
import mlx.core as mx, numpy as np
x = np.random.default_rng(0).standard_normal((2, 512, 512)).astype(np.float32)
with mx.stream(mx.cpu):
    y = np.array(mx.array(x[0]) @ mx.array(x[1]))
exact = x[0].astype(np.float64) @ x[1]
error = np.abs(y - exact).max() / np.abs(exact).max()
print(found.name, found.threads, found.note, error < 1e-4, "lief" in sys.modules, sep="|")
"""


EVERY_KIND = """
from seqlab.machine import blas
blas.load()
import mlx.core as mx, numpy as np
rng = np.random.default_rng(0)

def array(*shape):
    return rng.standard_normal(shape).astype(np.float32)

def plain(*shape):
    whole = array(*shape)
    return whole, mx.array(whole)

def transposed(*shape):
    whole = array(*shape[:-2], shape[-1], shape[-2])
    return whole.swapaxes(-1, -2), mx.array(whole).swapaxes(-1, -2)

def cut(*shape):
    whole = array(*shape[:-2], 2 * shape[-2], shape[-1] + 3)
    return whole[..., ::2, 3:], mx.array(whole)[..., ::2, 3:]

SMALL = [(1, 1, 1), (1, 64, 256), (64, 1, 7), (3, 5, 2), (17, 31, 13), (33, 129, 65), (32, 64, 256)]
LARGE = [(512, 64, 256), (512, 512, 512), (601, 515, 523)]
KINDS = [(left, right) for left in (plain, transposed, cut) for right in (plain, transposed, cut)]
cases = [(size, batch, kinds) for size in SMALL for batch in ((), (3,)) for kinds in KINDS]
FEW = [(plain, plain), (plain, transposed), (transposed, plain)]
cases += [(size, (), kinds) for size in LARGE for kinds in FEW]
used, wrong = set(), []
for (rows, inner, columns), batch, (left, right) in cases:
    a, x = left(*batch, rows, inner)
    b, y = right(*batch, inner, columns)
    c, z = plain(*batch, rows, columns)
    a, b = a.astype(np.float64), b.astype(np.float64)
    exact = a @ b
    # Single precision, relative to the sum of absolute values, since terms may cancel.
    tolerance = 2e-6 * (np.abs(a) @ np.abs(b) + np.abs(c))
    for threads in (1, blas.cores()):
        used.add(blas.set_threads(threads))
        with mx.stream(mx.cpu):
            found = [np.array(x @ y), np.array(mx.addmm(z, x, y)) - c]
        if not all((np.abs(one - exact) <= tolerance).all() for one in found):
            wrong.append((threads, rows, inner, columns, batch, left.__name__, right.__name__))
print(sorted(used), len(cases), wrong, sep="|")
"""


def run(code: str, **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.strip().split("|")


@pytest.mark.parametrize("choice", ["", "default"])
def test_products_are_correct_and_the_library_is_named(choice: str) -> None:
    name, _, note, right, _ = run(PRODUCT, SEQLAB_BLAS=choice)
    assert name
    assert right == "True"
    if choice and sys.platform == "linux":
        assert name.startswith("reference")
        assert choice in note


@pytest.mark.parametrize("choice", ["", "default"])
def test_products_of_every_kind_equal_numpys_in_double_precision(choice: str) -> None:
    """Odd, thin, single-row and large; plain, transposed, sliced; batched; with one thread and with all."""
    # NumPy has its own BLAS, which uses one thread.
    used, tried, wrong = run(EVERY_KIND, SEQLAB_BLAS=choice, OPENBLAS_NUM_THREADS="1")
    assert wrong == "[]"
    assert int(tried) == 7 * 2 * 9 + 9
    if sys.platform == "linux":
        assert used == str([1] if choice else sorted({1, blas.cores()}))


@LINUX
def test_threads_are_read_and_set_if_the_library_can() -> None:
    calls = "blas.load().threads, blas.set_threads(2), blas.threads()"
    code = f"from seqlab.machine import blas\nprint({calls}, sep='|')"
    assert run(code, OPENBLAS_NUM_THREADS="1") == ["1", "2", "2"]
    assert run(code, SEQLAB_BLAS="default") == ["1", "1", "1"]


@LINUX
def test_the_copy_is_made_once_and_repaired(tmp_path: Path) -> None:
    environment = {"XDG_CACHE_HOME": str(tmp_path), "SEQLAB_BLAS": "scipy"}
    name, threads, note, right, cold = run(PRODUCT, **environment)
    assert name.startswith("OpenBLAS")
    assert int(threads) >= 1
    assert (note, right, cold) == ("", "True", "True")
    assert run(PRODUCT, **environment)[-2:] == ["True", "False"]  # warm: LIEF is not imported

    (copy,) = (tmp_path / "seqlab").iterdir()  # nothing half-written beside it
    copy.write_bytes(b"damaged")
    assert run(PRODUCT, **environment)[0] == name
    assert copy.stat().st_size > 1_000_000


@LINUX
def test_a_cache_folder_that_is_not_writable_is_not_needed(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert run(PRODUCT, XDG_CACHE_HOME=str(file), SEQLAB_BLAS="scipy")[0].startswith("OpenBLAS")


@LINUX
def test_without_the_wheel_the_default_is_used_with_a_note() -> None:
    code = "import sys; sys.modules['scipy_openblas32'] = None" + PRODUCT
    name, _, note, right, _ = run(code, SEQLAB_BLAS="scipy")
    assert name.startswith("reference")
    assert note.startswith("scipy: ")
    assert right == "True"


@LINUX
def test_loading_after_mlx_has_no_effect() -> None:
    code = "import mlx.core\nfrom seqlab.machine import blas\nb = blas.load()\nprint(b.name, b.note, sep='|')"
    name, note = run(code)
    assert "already imported" in name
    assert "before" in note

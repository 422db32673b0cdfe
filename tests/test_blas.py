"""The fast BLAS: products stay right, the answer says which one it is, and nothing can make it fail."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux needs another BLAS")

PRODUCT = """
import sys
from seqlab import blas
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
def test_products_are_right_and_the_library_is_named(choice: str) -> None:
    name, _, note, right, _ = run(PRODUCT, SEQLAB_BLAS=choice)
    assert name
    assert right == "True"
    if choice and sys.platform == "linux":
        assert name.startswith("reference")
        assert choice in note


@LINUX
def test_the_copy_is_made_once_and_mended(tmp_path: Path) -> None:
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
def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert run(PRODUCT, XDG_CACHE_HOME=str(file), SEQLAB_BLAS="scipy")[0].startswith("OpenBLAS")


@LINUX
def test_without_the_wheel_it_falls_through_and_says_why() -> None:
    code = "import sys; sys.modules['scipy_openblas32'] = None" + PRODUCT
    name, _, note, right, _ = run(code, SEQLAB_BLAS="scipy")
    assert name.startswith("reference")
    assert note.startswith("scipy: ")
    assert right == "True"


@LINUX
def test_after_mlx_it_is_too_late() -> None:
    code = "import mlx.core\nfrom seqlab import blas\nb = blas.load()\nprint(b.name, b.note, sep='|')"
    name, note = run(code)
    assert "already imported" in name
    assert "before" in note

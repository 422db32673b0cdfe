"""Does the rehearsed Metal refuse what Metal refuses, and nothing else?"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.rehearsal import rehearsed

REFUSED = {
    "mx.array([1.0]).astype(mx.float64)": "float64 is not supported on the GPU (mlx/array.cpp",
    "mx.array([1.0], dtype=mx.float64) + 1": "float64 is not supported on the GPU (mlx/array.cpp",
    "mx.zeros(3, dtype=mx.float64)": "float64 is not supported on the GPU (mlx/array.cpp",
    "mx.linalg.qr(mx.eye(2))": "[linalg::qr] This op is not yet supported on the GPU (mlx/linalg.cpp",
    "mx.linalg.inv(mx.eye(2))": "[linalg::inv] This op is not yet supported",
    "mx.zeros(3, dtype=mx.int64).at[mx.array([1])].add(1)": "[Scatter::eval_gpu] Does not support",
    "mx.zeros(3, dtype=mx.int64).__setitem__(mx.array([1]), 1)": "[Scatter::eval_gpu] Does not support",
    "mx.compile(lambda x: x * float(x.sum()))(mx.ones(3))": "Attempting to eval an array during",
    "mx.compile(lambda x: mx.eval(x))(mx.ones(3))": "Attempting to eval an array during",
    "mx.broadcast_to(mx.array(1.0), (1 << 16, 1 << 16))": "[metal::malloc] Attempting to allocate",
}
ALLOWED = (
    "mx.ones((2, 2)) @ mx.ones((2, 2))",
    "mx.array([1.0]).astype(mx.bfloat16)",
    "mx.linalg.qr(mx.eye(2), stream=mx.cpu)",
    "mx.array([1.0], dtype=mx.float64)",  # made, but nothing is computed with it
    "mx.zeros(3).at[mx.array([1])].add(1)",
    "mx.zeros(3, dtype=mx.complex64).at[mx.array([1])].add(1)",
    "mx.compile(lambda x: x * x.sum())(mx.ones(3))",
    "float(mx.ones(3).sum())",
    "mx.grad(lambda x: x.sum())(mx.ones(3))",
)
TRIED = """
import mlx.core as mx

assert mx.default_device() == mx.Device(mx.gpu)
for code in {codes!r}:
    try:
        eval(code)
    except Exception as error:
        print(type(error).__name__, error)
    else:
        print("done")
with mx.stream(mx.cpu):
    mx.eval(mx.linalg.inv(mx.eye(2)), mx.array([1.0]).astype(mx.float64))
mx.set_default_device(mx.cpu)
mx.eval(mx.array([1.0]).astype(mx.float64))
print("done")
"""


def test_what_metal_refuses_is_refused_and_nothing_else() -> None:
    code = TRIED.format(codes=[*REFUSED, *ALLOWED])
    done = subprocess.run(
        [sys.executable, "-c", code], env=rehearsed(), capture_output=True, text=True, timeout=120, check=True
    )
    *lines, last = done.stdout.splitlines()
    assert last == "done"
    told = dict(zip([*REFUSED, *ALLOWED], lines, strict=True))
    for tried, words in REFUSED.items():
        assert told[tried].startswith("RefusedError "), tried
        assert words in told[tried], tried
    assert [told[tried] for tried in ALLOWED] == ["done"] * len(ALLOWED)


@pytest.mark.parametrize("command", [("doctor",), ("list",)])
def test_commands_see_the_gpu(command: tuple[str, ...], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "seqlab", *command, "--results", str(tmp_path)]
        if command == ("list",)
        else [sys.executable, "-m", "seqlab", *command],
        env=rehearsed(), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    if command == ("doctor",):
        assert "Apple M1" in done.stdout

"""A calibration with a different value in every field."""

from seqlab.calibration.record import Calibration, Machine, Timing
from seqlab.machine.kernels import Kernels
from seqlab.machine.settings import Settings

MACHINE = Machine("cpu", "cpu (made)", "0.0", "OpenBLAS", cores=2, threads=2, tf32="")
CALIBRATION = Calibration(
    machine=MACHINE,
    settings=Settings(2, 4 << 30, 900, None, Kernels(split=4, chunk=2.0, tanh="native")),
    timings=(
        Timing("split", "8", 0.020, 0.019, 0.021, chosen=False),
        Timing("split", "4", 0.015, 0.014, 0.016, chosen=True),
    ),
    flops_per_second=2e11,
    bytes_per_second=3e10,
    seconds=9.5,
    others=0.05,
    date="2026-01-02T03:04:05+00:00",
)

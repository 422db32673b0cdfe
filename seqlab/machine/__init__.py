"""The machine that a run uses: its BLAS, device, settings and kernel variants."""

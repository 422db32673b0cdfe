"""A project that uses every feature the report may use, as the document part would weave it."""

# ruff: noqa: E501 (a table row is a line)
import shutil
from pathlib import Path

from seqlab.document.blocks import passages

REPORT = Path(__file__).parents[2] / "report"

SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="480" height="240" viewBox="0 0 480 240">
<rect width="480" height="240" fill="white"/>
<path d="M40 10 V210 H470" stroke="#444" fill="none"/>
<path d="{path}" stroke="{colour}" stroke-width="3" fill="none"/>
</svg>
"""

FRONT = """---
title: "Sequences, measured: *what holds* & where <it> stops"
subtitle: "Six claims, five seeds, one machine"
date: 2025-02-03
missing-glyphs: "28450 128512"
abstract: |
  Two claims of three held on this machine. The verdict of each is on the front page, with its
  effect, its interval and its scope.
---

# Verdicts {#sec-verdicts}

Every claim is judged by a rule that was fixed beforehand (see @sec-rules and @sec-provenance). The
gated recurrence [@hochreiter1997, p. 3] came before attention; @vaswani2017 removed the recurrence.

| Claim | Verdict | Effect | 95 % interval | n | Scope | Page |
|:------|:--------|-------:|:-------------:|--:|:------|:-----|
| C01 Recurrent networks take L sequential steps | [supported]{.verdict .supported} | 1.00 | exact | 1 | CPU, L 16–1,024 | [rnn](#sec-rnn) |
| C03 Gradients vanish with distance | [with conditions]{.verdict .with-conditions} | −0.31 | −0.36 to −0.26 | 5 | CPU, width 64 | [rnn](#sec-rnn) |
| C38 Patches beat pixels | [not supported]{.verdict .not-supported} | 0.012 | −0.004 to 0.028 | 5 | CPU, MNIST-5k | [rnn](#sec-rnn) |
| C40 Attention composes best | [no relevant difference]{.verdict .no-relevant-difference} | 0.001 | −0.004 to 0.006 | 10 | CPU, chorales | [rnn](#sec-rnn) |
| C41 Attention forecasts best | [inconclusive]{.verdict .inconclusive} | 0.003 | −0.02 to 0.03 | 5 | CPU, traffic | [rnn](#sec-rnn) |
| C44 Hybrids win | [not tested]{.verdict .not-tested} | | | 0 | | |

: Every claim tested so far, with its verdict. {#tbl-verdicts}

{{< include _chapter.qmd >}}

# Provenance {#sec-provenance .appendix}

Rendered from stored numbers.

## Machine {#sec-machine}

| Part | Value |
|------|-------|
| Device | cpu |
| `mlx` | 0.32 |

: The machine. {#tbl-machine tbl-colwidths="[30,70]"}

::: {.content-visible when-format="html"}

# References {.unnumbered}

::: {#refs}
:::

:::
"""

CHAPTER = """# Recurrent networks {#sec-rnn}

A recurrent network reads one symbol at a time.^[So does a reader, more or less.] @fig-curve shows the
path length; @fig-pair has two views, of which @fig-left is the plainer (so figures 1 and [-@fig-pair]).
Inline mathematics such as $h_t = f(h_{t-1})$ is told by its source, `code` stays code, and odd
characters such as \\#, \\$, \\@, \\*, <script>alert("x")</script>, B<D> and "quotes" are only text.
<!-- A comment is not. -->

![Path length against length: a line a model, n = 5.](figures/curve.svg){#fig-curve fig-alt="Path length rises \\"linearly\\" to 1,024."}

::: {.callout-tip title="Rerun this page"}
`nox -s rnn -- --seeds 5`
:::

::: {.callout-note collapse="true" title="How fair was it, <b>?"}
Both sides had the same steps. @eq-cell defines the cell, and @tbl-long lists all values.
:::

::: {.callout-warning icon=false}
## No icon here

One trial failed.
:::

::: {.callout-important}
Absent evidence never supports.
:::

## Rules {#sec-rules}

$$
h_t = \\tanh(W h_{t-1} + U x_t + b)
$$ {#eq-cell alt="The new state is the hyperbolic tangent of a linear map of the old state and the input."}

::: {#fig-pair layout-ncol=2}

![On the left.](figures/left.svg){#fig-left fig-alt="A falling line."}

![On the right.](figures/curve.svg){#fig-right fig-alt="A rising line."}

The same data from two sides.
:::

::: {.content-visible when-format="html"}
Only HTML readers see this.
:::

::: {.content-hidden when-format="html"}
Only PDF readers see this.
:::

```{.python}
# {{< include _nothing.qmd >}} stays as it is within code
total = sum(x for x in $$ values $$)
```

### All values

"""


def _long_table() -> str:
    rows = [
        f"| LSTM | {length} | {seed} | 0.{length % 97:02d}{seed} [0.10, 0.20] | {length * 1024:,} | a longer remark {seed} | ok |"
        for length in range(16, 31)
        for seed in range(4)
    ]
    head = "| Model | Length | Seed | Loss, nat | Parameters | Remark | Status |"
    rule = "|:--|--:|--:|--:|--:|:----------|:--|"
    return "\n".join([head, rule, *rows, "", ": Every run, one a row. {#tbl-long}", ""])


VERBATIM = (
    """To be, or not\n\n\n   to be {{< include x >}}\n```{python}\n1/0\n```\n````\n:::\n漢 😀 ♞ <b> $x$ #no"""
)
TEXTS = "\n" + passages(
    [("LSTM", VERBATIM), ("", "\n".join(f"row{line}: " + "MKTAYIAKQR" * 9 for line in range(150)))],
    caption="What it wrote.", label="fig-wrote-1-passage",
) + "\n"  # fmt: skip


BIBLIOGRAPHY = """@article{hochreiter1997, title={Long Short-Term Memory}, journal={Neural Computation},
 author={Hochreiter, Sepp and Schmidhuber, J{\\"u}rgen}, year={1997}, volume={9}, pages={1735--1780}}
@inproceedings{vaswani2017, title={Attention Is All You Need}, year={2017}, booktitle={NeurIPS},
 author={Vaswani, Ashish and Shazeer, Noam and Parmar, Niki}}
"""


def write_project(folder: Path, text: str = FRONT) -> Path:
    """A project folder as the document part weaves it, with the repository's own theme."""
    (folder / "figures").mkdir(parents=True)
    shutil.copy(REPORT / "_quarto.yml", folder)
    shutil.copytree(REPORT / "theme", folder / "theme")
    (folder / "report.qmd").write_text(text, encoding="utf-8")
    (folder / "_chapter.qmd").write_text(CHAPTER + _long_table() + TEXTS, encoding="utf-8")
    (folder / "references.bib").write_text(BIBLIOGRAPHY, encoding="utf-8")
    curve = SVG.format(path="M40 200 L200 150 L470 30", colour="#0072B2")
    (folder / "figures" / "curve.svg").write_text(curve)
    (folder / "figures" / "left.svg").write_text(SVG.format(path="M40 30 L470 200", colour="#D55E00"))
    return folder

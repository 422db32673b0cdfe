"""Which faults are injected? What a trial does wrong, and what is wrong in the text of its page.

Each says by which words the report must name it: some of the letters that a reader sees. Of the harmless ones
nothing need be named, and the page's claim may hold.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class InTrial:
    """Statements that a trial runs. `once`: in one trial alone, since it costs its whole time."""

    code: str
    named: str
    once: bool = False
    harmless: bool = False


@dataclass(frozen=True)
class InPage:
    """A text of the page that is replaced by another. `shown`: its trials run, and its verdict may hold."""

    old: str
    new: str
    named: str
    shown: bool = False


RAISED = (
    InTrial("raise ValueError('on purpose')", "on purpose"),
    InTrial("raise KeyError('a key')", "KeyError: 'a key'"),
    InTrial("raise AssertionError", "AssertionError"),
    InTrial("raise type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})()", "Odd"),
    InTrial("raise type('Odd', (Exception,), {'__str__': lambda self: 3})()", "Odd"),
    InTrial("raise type('Odd', (Exception,), {'__repr__': lambda self: 1 / 0})('odd')", "Odd"),
    InTrial("raise BaseException('at the base')", "at the base"),
    InTrial("raise BaseExceptionGroup('many', [ValueError(1), KeyboardInterrupt()])", "many"),
    InTrial("raise SystemExit('left')", "SystemExit: left"),
    InTrial("raise SystemExit(0)", "SystemExit: 0"),
    InTrial("raise KeyboardInterrupt", "KeyboardInterrupt"),
    InTrial("raise GeneratorExit", "GeneratorExit"),
    InTrial("next(iter(()))", "StopIteration"),
    InTrial(r"raise ValueError('\ud800 \x1b[31m \0 😀 漢字 \u202e')", "漢字"),
    InTrial("raise ValueError('x' * 5_000_000)", "ValueError: xxxxx"),
    InTrial(
        "raise ValueError('`' * 70 + '$\\\\frac{ #panic() <b> ::: {{< include x >}} @fig-x')", "#panic()"
    ),
    InTrial("raise ValueError('line\\n' * 5_000)", "ValueError: line"),
    InTrial("(again := lambda: again())()", "RecursionError"),
    InTrial("import nothing_of_this_name", "nothing_of_this_name"),
    InTrial("1 / 0", "ZeroDivisionError"),
    InTrial("raise MemoryError", "MemoryError"),
    InTrial("raise TimeoutError('its own')", "its own"),
    InTrial("import concurrent.futures as f; raise f.CancelledError('its own')", "CancelledError"),
    InTrial("import pebble; raise pebble.ProcessExpired('its own')", "ProcessExpired"),
    InTrial("from seqlab.errors import PageChangedError as P; raise P('its own')", "its own"),
    InTrial("from seqlab.errors import DivergedError as D; raise D('its own')", "its own"),
)
ENDED = (
    InTrial("import os; os._exit(0)", "ended its own process"),
    InTrial("import os; os._exit(3)", "exit status 3"),
    InTrial("import os; os.abort()", "SIGABRT"),
    InTrial("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    InTrial("import os; os.kill(os.getpid(), 9)", "memory"),
    InTrial("import os; os.kill(os.getpid(), 15)", "SIGTERM"),
    InTrial("import signal; signal.alarm(1); time.sleep(9)", "SIGALRM"),
    InTrial("import os; os.closerange(3, 500)", "its process", once=True),
)
HANGS = (
    InTrial("time.sleep(3600)", "took longer", once=True),
    InTrial("while True: pass", "took longer", once=True),
    InTrial("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", "took longer", once=True),
    InTrial(
        "import signal\n        signal.signal(15, signal.SIG_IGN); time.sleep(3600)", "took longer", once=True
    ),
    InTrial(
        "import threading; lock = threading.Lock(); lock.acquire(); lock.acquire()", "took longer", once=True
    ),
    InTrial(
        "import threading\n        threading.Thread(target=time.sleep, args=(3600,)).start()",
        "",
        harmless=True,
    ),
)
VALUES = (
    InTrial("yield Measurement('accuracy', float('nan'), 'test')", "diverged"),
    InTrial("yield Measurement('accuracy', float('-inf'), 'test')", "diverged"),
    InTrial("yield Measurement('accuracy', 'much', 'test')", "'much'"),
    InTrial("yield Measurement('accuracy', None, 'test')", "None"),
    InTrial("yield Measurement('accuracy', 1j, 'test')", "1j"),
    InTrial("yield Measurement('accuracy', 10 ** 400, 'test')", "a finite number"),
    InTrial("import numpy as np; yield Measurement('accuracy', np.ones(2), 'test')", "array("),
    InTrial("import mlx.core as mx; yield Measurement('accuracy', mx.ones(2), 'test')", "found array("),
    InTrial("yield Measurement('accuracy', 0.5, 7)", "split should be"),
    InTrial("yield Measurement('accuracy', 0.5, 'a\\x00b')", "split should be"),
    InTrial("yield Measurement('accuracy', 0.5, 'test', 1.5)", "1.5"),
    InTrial("yield Measurement('accuracy', 0.5, 'test', 2**70)", "step should be"),
    InTrial("yield Measurement('accuracy', 0.5, 'test', 'first')", "'first'"),
    InTrial("yield Measurement('no_such_metric', 0.5)", "no_such_metric"),
    InTrial("yield 3", "something else"),
    InTrial("yield None", "something else"),
    InTrial("yield Measurement", "something else"),
    InTrial(
        "for step in range(20_000): yield Measurement('loss', 1.0, 'train', step)",
        "",
        once=True,
        harmless=True,
    ),
)
MEMORY = (
    InTrial("bytearray(1 << 46)", "MemoryError"),
    InTrial("import mlx.core as mx; mx.eval(mx.zeros((1 << 44,)))", "memory"),
    InTrial(
        "import numpy as np; kept = np.ones(1 << 27); time.sleep(30)", "held more than the limit", once=True
    ),
)
PRINTED = (
    InTrial(r"print('\ud800')", "UnicodeEncodeError"),
    InTrial("print('😀 漢字 ' * 10_000)", "", once=True, harmless=True),
    InTrial("import sys; sys.stdout.close(); print('x')", "ValueError"),
    InTrial("import os; os.close(1); os.close(2)", "Bad file descriptor", once=True),
    InTrial("import sys; sys.stdout = sys.stderr = None; print('x')", "", harmless=True),
)
ARTIFACTS = (
    InTrial("for _ in 'ab': yield Artifact.text('twice', 'x')", "twice"),
    InTrial("yield Artifact.text('a name with spaces', 'x')", "a name with spaces"),
    InTrial("yield Artifact.text('number', 3)", "AttributeError"),
    InTrial("yield Artifact('page', 'text/html', b'<script>')", "media should be"),
    InTrial("yield Artifact('text', 'text/plain', 'not bytes')", "data should be"),
    InTrial("yield Artifact.images('none', [])", "none"),
    InTrial("yield Artifact.text('long', 'x' * 3_000_000)", "", once=True, harmless=True),
)
SURROUNDINGS = (
    InTrial("import json; json.dumps = None", "", once=True),
    InTrial("import shutil, tempfile, glob\n"
            "        [shutil.rmtree(one) for one in glob.glob(tempfile.gettempdir() + '/seqlab-running-*')]",
            "is lost", once=True),
    InTrial("import os, tempfile; os.chdir(tempfile.mkdtemp()); os.rmdir(os.getcwd())", "", harmless=True),
    InTrial("import warnings; warnings.simplefilter('error')", "", harmless=True),
    InTrial("import numpy as np; np.seterr(all='raise')", "", harmless=True),
    InTrial("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))", "", once=True),
    InTrial("import os; os.environ.clear()", "", harmless=True),
    InTrial("import locale, os; os.environ['LC_ALL'] = 'C'; locale.setlocale(locale.LC_ALL, 'C')", "",
            harmless=True),
    InTrial("import sys; sys.setrecursionlimit(200)", "", once=True, harmless=True),
)  # fmt: skip
PROSE = tuple(
    InPage("A made score, as faulty", text.replace("\\", "\\\\"), "", shown=True)
    for text in (
        "```\nA fence without an end",
        "See @mx.compile and [@a; @b].",
        "$$\\frac{1}$$ and $\\frac{$",
        "{{< include x >}}",
        "---\ninclude-in-header: /etc/passwd\n---",
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        "::: {.callout-note}\nwithout an end",
        "A note[^1] that is nowhere.",
        "| a | b |\n|--",
        "# A heading\n\n## Another",
        "`#panic()`{=typst}",
        "```{=html5}\n<script>\n```",
        "<div>",
        "<!-- a comment without an end",
        "![A](missing.png)",
        "See @fig-none, @tbl-none and @sec-none.",
        "\\begin{align} x",
        "😀 漢字 עברית \u202e e\u0301\u0301\u0301",
        "[a link](http://[)",
        "* a\n          * b\n\n\n    code",
        "$" * 50,
        "[" * 200,
        "*" * 201,
        "\\",
        "- " * 150 + "deep",
    )
)
FIRST = "figures=("
FIGURES = (
    InPage('x="accuracy", y="model"', 'x="loss", y="model"', "Nothing was measured", shown=True),
    InPage('metrics=("accuracy",)', 'metrics=("loss", "accuracy@train")', "", shown=True),
    InPage('x="accuracy", y="model"', 'x="accuracy", y="nothing"', "unknown factor 'nothing'"),
    InPage('x="accuracy", y="model"', 'x="accuraccy", y="model"', "unknown metric 'accuraccy'"),
    InPage('split="test", caption="The same', 'split="valid", caption="The same', "", shown=True),
    InPage("Accuracy of both.", "See @fig-none and @nobody2020.", "@fig-none", shown=True),
    InPage(FIRST, FIRST + "3, ", "unknown kind of figure"),
    InPage(FIRST, FIRST + 'TextSamples(artifact="none", caption="None."), ', "", shown=True),
    InPage(FIRST, FIRST + 'ImageGrid(artifact="none", by=("model",), caption="None."), ', "", shown=True),
    InPage(FIRST, FIRST + 'Tradeoff(x="loss", y="accuracy", hue="model", caption="None."), ', "", shown=True),
    InPage(FIRST, FIRST + 'Curve(x="step", y="loss", hue="model", caption="None."), ', "", shown=True),
    InPage('caption="Accuracy of both."', "caption=None", "caption"),
)  # fmt: skip
PAGES = (
    InPage("def run(trial):", "def run(trial):\n    return\n", "no run measured it"),
    InPage("def run(trial):", "def run(trial:", "SyntaxError"),
    InPage("import time\n", "import time, nothing_of_this_name\n", "nothing_of_this_name"),
    InPage("import time\n", "import time; raise ValueError('while read')\n", "while read"),
    InPage("import time\n", "import time; import os; os._exit(0)\n", "ends the process"),
    InPage("import time\n", "import time; raise SystemExit\n", "SystemExit"),
    InPage("import time\n", "import time\nx = '\0'\n", "null bytes"),
    InPage("import time\n", "import time; raise BaseException('at the base')\n", "at the base"),
    InPage("import time\n", "import time; raise GeneratorExit\n", "GeneratorExit"),
    InPage("import time\n", "import time; E = type('E', (Exception,), {'__str__': None}); raise E\n", "E: "),
    InPage("import time\n", "import time; raise ExceptionGroup('many', [ValueError(1)])\n", "many"),
    InPage("run=run,", "run=3,", ""),
    InPage("run=run,", "run=lambda: (),", ""),
    InPage("run=run,", "run=None,", ""),
    InPage("experiment = ", "other = ", "must bind"),
    InPage('"C41"', '"C999"', "C999"),
    InPage("seeds=5", "seeds=0", "seeds must be 1"),
    InPage('("Transformer", "LSTM")', '("Transformer", None)', "None"),
    InPage("model=(", "n=(1, 2), model=(", "'n'"),
    InPage("above=0.1", "above=2.0", "C41"),
    InPage('metric="accuracy"', 'metric="acc"', "'acc'"),
    InPage('Budget("quick"', 'Budget("huge"', "huge"),
    InPage('"pause": 0.0', '"pause": float("nan")', "pause"),
)

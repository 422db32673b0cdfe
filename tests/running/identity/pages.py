"""One-value pages, each with another way to depend on something."""

from tests.running.identity.lab import DECLARATION, page

LIFT = "LIFT = 0.5\n"
PAGES = {
    "shared": page("LIFT", "from experiments._shared import LIFT\n"),
    "beside": page(
        "LIFT",
        "import sys\nfrom pathlib import Path\n\nsys.path.insert(0, str(Path(__file__).parent))\n"
        "from _beside import LIFT\n",
    ),
    "elsewhere": page(
        "LIFT",
        "import sys\nfrom pathlib import Path\n\n"
        "sys.path.insert(0, str(Path(__file__).parents[1] / 'more'))\n"
        "from _elsewhere import LIFT\n",
    ),
    "door": page("LIFT", "from experiments._door import LIFT\n"),
    "attribute": page("_attributes.pi", "from experiments import _attributes\n"),
    "starred": page("LIFT", "from experiments._starred import *\n"),
    "patched": page("1.0", "import experiments._patch\n")
    .replace("1.0", "_Value.lift")
    .replace(
        "import experiments._patch",
        "from experiments._value import Value as _Value\nimport experiments._patch",
    ),
    "loaded": page("import_module('experiments._loaded').LIFT", "from importlib import import_module\n"),
    "computed": page(
        "import_module('experiments._' + 'computed').LIFT", "from importlib import import_module\n"
    ),
    "dunder": page("__import__('experiments._dunder', fromlist=['LIFT']).LIFT"),
    "executed": page("vars()['LIFT']", "from pathlib import Path\n").replace(
        "    yield", "    exec((Path(__file__).parent / '_executed.py').read_text())\n    yield"
    ),
    "data": page("float((Path(__file__).parent / 'lift.txt').read_text())", "from pathlib import Path\n"),
    "weights": page(
        "mx.load(str(Path(__file__).parents[1] / 'data/lift.safetensors'))['lift'].item()",
        "from pathlib import Path\n\nimport mlx.core as mx\n",
    ),
    "table": page("float(sum(map(float, open('data/table.csv'))))"),
    "listed": page(
        "float(len(list((Path(__file__).parent / 'folder').glob('*.txt'))))", "from pathlib import Path\n"
    ),
    "optional": page(
        "lift()",
        "from pathlib import Path\n\n\ndef lift():\n    try:\n"
        "        return float((Path(__file__).parent / 'optional.txt').read_text())\n"
        "    except FileNotFoundError:\n        return 0.25\n",
    ),
    "tuned": page(
        "0.25 + len(TriedRates.beside(__file__).rows)", "from seqlab.training.tried import TriedRates\n"
    ),
    "package": page("LIFT", "from seqlab.measure import LIFT\n"),
    "relative": page("lift()", "from seqlab.measure.relative import lift\n"),
    "lazy": page("lift()", "from seqlab.measure.lazy import lift\n"),
    "seeded": page("random.random()", "import random\n"),
    "numpy_seeded": page("np.random.uniform()", "import numpy as np\n"),
    "factors": page("float(len(trial['model']))"),
    "docstring": page("float(run.__doc__)").replace("(trial):\n", '(trial):\n    """0.5"""\n'),
    "own_docstring": page("float(__doc__.split()[-1])").replace("page due?", "page due?\n\n0.5"),
    "their_docstring": page("float(_texts.__doc__)", "from experiments import _texts\n"),
    "read_docstring": page("float(inspect.getdoc(run))", "import inspect\n").replace(
        "(trial):\n", '(trial):\n    """0.5"""\n'
    ),
    "commented": page("float(len(inspect.getsource(run)))", "import inspect\n").replace(
        "(trial):\n", "(trial):\n    # 0.5\n"
    ),
    "built": page(
        "1.0",
        "",
        "def build(lift):\n    def run(trial):\n        yield Measurement('loss', lift)\n\n"
        '    return Experiment(run=run, budgets=(Budget("smoke", grid(model="LSTM")),))\n\n\n'
        "experiment = build(0.5)",
    ),
    "chosen": page("LIFT", LIFT, f"{DECLARATION} if LIFT < 1 else None"),
    "for_types": page("LIFT", "TYPE_CHECKING = True\nLIFT = 0.1\nif TYPE_CHECKING:\n    LIFT = 0.5\n"),
    "walrus": page("LIFT", "", DECLARATION.replace('"LSTM")', '"LSTM"), timeout=100 * (LIFT := 0.5)')),
    "itself": page("experiment.chapter", "", DECLARATION.replace("run=run", "run=run, chapter=7")),
    "apart": page("1.0", "", DECLARATION.replace("run=run", 'run=run, parallel_over=("model",)')),
    "plain": page("1.0"),
}
FILES = {
    "experiments/_shared.py": LIFT,
    "experiments/_beside.py": LIFT,
    "more/_elsewhere.py": LIFT,
    "experiments/_door.py": "from experiments._behind import LIFT\n",
    "experiments/_behind.py": "LIFT = 0.5\nLOW = 0.1\n",
    "experiments/_attributes.py": "from math import pi\n",
    "experiments/_starred.py": "from experiments._behind import LIFT\n",
    "experiments/_value.py": "class Value:\n    lift = 0.1\n",
    "experiments/_patch.py": "from experiments._value import Value\n\nValue.lift = 0.5\n",
    "experiments/_loaded.py": LIFT,
    "experiments/_computed.py": LIFT,
    "experiments/_dunder.py": LIFT,
    "experiments/_executed.py": LIFT,
    "experiments/_texts.py": '"""0.5"""\n',
    "experiments/lift.txt": "0.5",
    "experiments/folder/a.txt": "",
    "data/table.csv": "1\n2\n",
    "seqlab/measure/__init__.py": '"""Measures."""\n\nLIFT = 0.5\n',
    "seqlab/measure/relative.py": "from .behind import LIFT\n\n\ndef lift():\n    return LIFT\n",
    "seqlab/measure/behind.py": LIFT,
    "seqlab/measure/lazy.py": "def lift():\n    from seqlab.measure import late\n\n    return late.LIFT\n",
    "seqlab/measure/late.py": LIFT,
}

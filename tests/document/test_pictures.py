"""Do the pictures of the front page say what they compare: in which domains, by which networks?"""

from pathlib import Path

from seqlab.analysis.combined import combine
from seqlab.analysis.findings import PageFindings
from seqlab.analysis.verdicts import judge
from seqlab.document.outline import Domain, Outline
from seqlab.document.pictures import pictures
from seqlab.notebook.claims import Difference
from tests.analysis.planted import FAIR, Done, evidence, planted_page, trials

RULE = Difference(
    metric="accuracy", split="test", left={"model": "Transformer"}, right={"model": "LSTM"}, above=0.05
)


def test_the_forest_counts_domains_and_names_the_sizes_of_its_networks(tmp_path: Path) -> None:
    done = [
        Done({"model": model}, seed, FAIR | {"parameters": size + seed, "accuracy@test": score + seed / 1000})
        for seed in range(5)
        for model, score, size in (("Transformer", 0.9, 26_408), ("LSTM", 0.4, 26_500))
    ]
    page, found = planted_page(RULE, points=done), evidence(done)
    verdicts = judge(page, found, trials(done))
    outline = Outline((), domains=(Domain("Images", "planted", "C00"), Domain("None", "no", "C99")))
    drawn = pictures([PageFindings(page, found, verdicts)], {"C00": combine(verdicts)}, outline, tmp_path)
    assert (drawn.ahead, drawn.behind, drawn.between) == (1, 0, 0)
    assert drawn.sizes == "26,000"
    assert drawn.forest
    assert drawn.forest.alt.startswith("Images: Transformer: accuracy 50 percentage points higher than LSTM")
    empty = pictures([], {}, outline, tmp_path)
    assert (empty.forest, empty.sizes) == (None, "")

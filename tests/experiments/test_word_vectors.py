"""Are vectors scored against the chance level, and the nearest neighbours of every word shown?"""

import mlx.core as mx

from experiments import word_vectors as page
from seqlab.notebook import Artifact, Measurement, Trial
from seqlab.notebook.artifacts import text_of


def test_words_are_shown_with_their_nearest_neighbours() -> None:
    settings = {"batch": 8, "steps": 3, "rate": 0.01}
    found = list(page.run(Trial("word_vectors", {"width": 16}, 0, "smoke", settings)))
    (neighbours,) = [text_of(one) for one in found if isinstance(one, Artifact)]
    lines = neighbours.splitlines()
    assert [line.split(": ")[0] for line in lines] == list(page.WORDS)
    assert all(line.count(",") == page.NEAREST - 1 for line in lines)
    numbers = [one for one in found if isinstance(one, Measurement)]
    assert {one.split for one in numbers if one.metric == "accuracy"} == {"valid", "test"}


def test_untrained_vectors_are_at_the_chance_level() -> None:
    recipe = page.Recipe(width=8, batch=4, steps=1)
    model, _ = recipe.start(0)
    model.own = mx.zeros_like(model.own)
    assert recipe.accuracy(model, "test").value == 0.5

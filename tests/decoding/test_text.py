"""Is a text continued by what the model generates?"""

import mlx.core as mx

from seqlab.decoding.generate import generate
from seqlab.decoding.text import continued
from seqlab.models.backbones import Size, TokenHead, build
from seqlab.tasks import characters


def test_the_prompt_is_followed_by_the_characters_that_the_model_generates() -> None:
    text = characters.load()
    model = build("LSTM", Size(8), TokenHead(text.vocabulary), seed=0)
    prompt = mx.array(text.encode("PROSPERO.")[None])
    expected = "".join(text.alphabet[token.item()] for token in generate(model, prompt, tokens=6))
    assert continued(model, text, "PROSPERO.", tokens=6) == "PROSPERO." + expected

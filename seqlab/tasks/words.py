"""Words and their neighbours: which words stand near one another in a text, and how often?

    text        "When shall we three meet again"
    word        three
    neighbours  shall, we, meet, again        those at most `window` words away, of the words that are known

Rare words are left out before neighbours are sought. The most frequent are neighbours of every word and tell
little of any, so each is counted with a weight of min(1, sqrt(t / f)), f being its share of the text: what
word2vec's leaving some of them out (Mikolov et al., 2013, section 2.3) comes to on average.
"""

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int32

from seqlab.errors import UsageError

POWER = 0.75  # of the counts that words of anywhere are drawn by (Mikolov et al., 2013, section 2.2)
KEPT_SHARE = 1e-3  # t: theirs, 1e-5, is for a billion words and would leave next to nothing of a few plays


def split(text: str) -> list[str]:
    """The words in lower case, a short form such as "o'er" or "king's" being one."""
    return re.findall(r"[a-z]+(?:'[a-z]+)*", text.lower())


@dataclass(frozen=True)
class Words:
    """Words that a text has often enough, the most frequent first, and how often it has each."""

    words: tuple[str, ...]
    counts: tuple[int, ...]

    def encode(self, text: str) -> Int32[np.ndarray, "N"]:
        """The text's words as ids, those that are not known left out."""
        ids = {word: i for i, word in enumerate(self.words)}
        return np.array([ids[word] for word in split(text) if word in ids], np.int32)

    def neighbours(self, text: str, *, window: int) -> Int32[np.ndarray, "P 2"]:
        """Every word of the text with every word that follows within the window, and the other way round."""
        ids = self.encode(text)
        steps = range(1, min(window, len(ids) - 1) + 1)
        ahead = [np.stack([ids[:-step], ids[step:]], axis=1) for step in steps]
        if not ahead:
            raise UsageError(f"expected a text of two known words or more, found {len(ids)}.")
        forward = np.concatenate(ahead)
        return np.concatenate([forward, forward[:, ::-1]])

    def shares(self, text: str, *, window: int) -> Float32[np.ndarray, "V V"]:
        """For each word, the weighted share that each word has of its neighbours; each row's sum is 1.

        A word without neighbours has a row of zeros.
        """
        size = len(self.words)
        pairs = self.neighbours(text, window=window).astype(np.int64)
        counts = np.bincount(pairs[:, 0] * size + pairs[:, 1], minlength=size * size).reshape(size, size)
        of = np.array(self.counts) / sum(self.counts)
        weighted = counts * np.minimum(1, np.sqrt(KEPT_SHARE / of))
        total = weighted.sum(axis=1, keepdims=True)
        shares: np.ndarray = weighted / np.where(total > 0, total, 1)
        return shares.astype(np.float32)

    def anywhere(self) -> Float32[np.ndarray, "V"]:
        """How probable each word is where words of anywhere are drawn."""
        flattened = np.array(self.counts, np.float32) ** POWER
        shares: np.ndarray = flattened / flattened.sum()
        return shares


def known(text: str, *, least: int) -> Words:
    """The words that the text has `least` times or more."""
    found = [(word, count) for word, count in Counter(split(text)).most_common() if count >= least]
    if not found:
        raise UsageError(f"expected a word that comes {least} times, found none. Lower least.")
    words, counts = zip(*found, strict=True)
    return Words(words, counts)

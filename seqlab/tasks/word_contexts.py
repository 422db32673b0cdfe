"""Which words stand near one another in a text, and how often?

    text      "When shall we three meet again"
    word      three
    contexts  shall, we, meet, again        the words of the vocabulary that are at most `window` away

Rare words are removed before contexts are formed. The most frequent words are contexts of every word and
distinguish few, so each is counted with a weight of min(1, sqrt(t / f)), where f is its share of the text:
the expectation of word2vec's subsampling (Mikolov et al., 2013, section 2.3).
"""

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int32

from seqlab.errors import UsageError

NOISE_POWER = 0.75  # of the counts, for the noise distribution (Mikolov et al., 2013, section 2.2)
SUBSAMPLING = 1e-3  # t: their 1e-5 is for a billion words and would leave next to nothing of a few plays


def tokenize(text: str) -> list[str]:
    """The words in lower case; a short form such as "o'er" or "king's" is one word."""
    return re.findall(r"[a-z]+(?:'[a-z]+)*", text.lower())


@dataclass(frozen=True)
class Vocabulary:
    """The words of a text, the most frequent first, and how often the text has each."""

    words: tuple[str, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, text: str, *, min_count: int) -> "Vocabulary":
        """The words that the text has `min_count` times or more."""
        found = [(word, n) for word, n in Counter(tokenize(text)).most_common() if n >= min_count]
        if not found:
            raise UsageError(
                f"expected a word that the text has {min_count} times, found none. Lower min_count."
            )
        words, counts = zip(*found, strict=True)
        return cls(words, counts)

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, text: str) -> Int32[np.ndarray, "N"]:
        """The text's words as ids, without those outside the vocabulary."""
        ids = {word: i for i, word in enumerate(self.words)}
        return np.array([ids[word] for word in tokenize(text) if word in ids], np.int32)

    def context_pairs(self, text: str, *, window: int) -> Int32[np.ndarray, "P 2"]:
        """Every word of the text with every word that follows within the window, then in reverse order."""
        ids = self.encode(text)
        offsets = range(1, min(window, len(ids) - 1) + 1)
        ahead = [np.stack([ids[:-offset], ids[offset:]], axis=1) for offset in offsets]
        if not ahead:
            raise UsageError(f"expected a text of two words of the vocabulary or more, found {len(ids)}.")
        forward = np.concatenate(ahead)
        return np.concatenate([forward, forward[:, ::-1]])

    def context_distributions(self, text: str, *, window: int) -> Float32[np.ndarray, "V V"]:
        """For each word, the weighted share of each word among its contexts; each row's sum is 1.

        A word without contexts has a row of zeros.
        """
        size = len(self)
        pairs = self.context_pairs(text, window=window).astype(np.int64)
        counts = np.bincount(pairs[:, 0] * size + pairs[:, 1], minlength=size * size).reshape(size, size)
        frequency = np.array(self.counts) / sum(self.counts)
        weighted = counts * np.minimum(1, np.sqrt(SUBSAMPLING / frequency))
        total = weighted.sum(axis=1, keepdims=True)
        shares: np.ndarray = weighted / np.where(total > 0, total, 1)
        return shares.astype(np.float32)

    def noise_distribution(self) -> Float32[np.ndarray, "V"]:
        """The probability of each word as a negative sample."""
        flattened = np.array(self.counts, np.float32) ** NOISE_POWER
        shares: np.ndarray = flattened / flattened.sum()
        return shares

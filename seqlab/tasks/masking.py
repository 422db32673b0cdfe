"""Text with masked characters, to be predicted from both sides: as BERT is trained, and as T5 is.

    text              "When shall we three meet again"
    single, inputs    "Wh_n sha_l we th_ee me_t again"      scored where a mask stands
    spans, source     "When s<0>we thre<1>t again"
    spans, target     "<0>hall <1>e mee<end>"                scored at characters

Single characters are those of a masked language model (Devlin et al., 2019). Here all of them are replaced by
the mask; the original leaves a tenth of them as they are and replaces another tenth at random. Spans are the
denoising objective of T5 (Raffel et al., 2020): a sentinel replaces each span, and the target gives the
missing characters after each sentinel. Both mask 15 % of the text, the share of BERT and T5, in spans of
three on average, T5's choice. The number of masked characters is the same in every text, so that a batch has
one shape.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int32, Int64

from seqlab.errors import UsageError

MASKED_SHARE = 0.15
MEAN_SPAN = 3  # characters


@dataclass(frozen=True)
class Masking:
    """Texts of `length` ids below `vocabulary`; ids from there on are masks.

    `mask` replaces a single character. `sentinel + k` replaces span k, and `end` ends a target and, put
    before it, begins it.
    """

    length: int
    vocabulary: int

    def __post_init__(self) -> None:
        if self.length < 2 * MEAN_SPAN:
            raise UsageError(f"expected texts of {2 * MEAN_SPAN} characters or more, found {self.length}.")

    @property
    def masked(self) -> int:
        """Masked characters of a text."""
        return max(1, round(MASKED_SHARE * self.length))

    @property
    def spans(self) -> int:
        """Spans of a text, where spans are masked."""
        return max(1, round(self.masked / MEAN_SPAN))

    @property
    def mask(self) -> int:
        """The id that replaces a single character."""
        return self.vocabulary

    @property
    def end(self) -> int:
        """The id that ends a target, and that the decoder reads first."""
        return self.vocabulary

    @property
    def sentinel(self) -> int:
        """The id of the first span."""
        return self.vocabulary + 1

    @property
    def span_vocabulary(self) -> int:
        """How many ids sources and targets have."""
        return self.sentinel + self.spans

    def single(
        self, rng: np.random.Generator, text: Int32[np.ndarray, "B L"]
    ) -> tuple[Int32[np.ndarray, "B L"], Int32[np.ndarray, "B H"]]:
        """The texts with single characters masked, and the positions of the masks, in order."""
        self._check(text)
        positions = np.sort(np.argsort(rng.random(text.shape), axis=1)[:, : self.masked], axis=1)
        inputs = text.copy()
        np.put_along_axis(inputs, positions, np.int32(self.mask), axis=1)
        return inputs, positions.astype(np.int32)

    def corrupt(
        self, rng: np.random.Generator, text: Int32[np.ndarray, "B L"]
    ) -> tuple[
        Int32[np.ndarray, "B S"],
        Int32[np.ndarray, "B T"],
        Bool[np.ndarray, "B T"],
        Int32[np.ndarray, "B H"],
    ]:
        """Sources, targets, where a target holds a character, and where in the text those characters stood.

        No span touches another, and none lies at either end of a text.
        """
        self._check(text)
        batch, (masked, spans) = len(text), (self.masked, self.spans)
        lengths = np.empty((batch, 2 * spans + 1), np.int64)
        lengths[:, ::2] = _parts(rng, batch, self.length - masked, spans + 1)
        lengths[:, 1::2] = _parts(rng, batch, masked, spans)
        ends = np.cumsum(lengths, axis=1)
        # The number of stretches that end before a character; every second stretch is masked.
        stretch = (np.arange(self.length)[:, None] >= ends[:, None]).sum(axis=-1)
        covered, span = stretch % 2 == 1, stretch // 2
        first = np.diff(stretch, axis=1, prepend=0) > 0
        source = np.where(covered, self.sentinel + span, text)[~covered | first]
        target = np.full((batch, masked + spans + 1), self.end, np.int32)
        scored = np.zeros(target.shape, bool)
        # Before a masked character stand those masked before it, and the sentinels up to its own.
        at = np.arange(masked) + 1 + span[covered].reshape(batch, masked)
        np.put_along_axis(target, at, text[covered].reshape(batch, masked), axis=1)
        np.put_along_axis(scored, at, True, axis=1)
        sentinels = np.cumsum(lengths[:, 1::2], axis=1) - lengths[:, 1::2] + np.arange(spans)
        np.put_along_axis(target, sentinels, self.sentinel + np.arange(spans, dtype=np.int32)[None], axis=1)
        positions = np.nonzero(covered)[1].reshape(batch, masked).astype(np.int32)
        return source.reshape(batch, -1).astype(np.int32), target, scored, positions

    def decoder_inputs(self, target: Int32[np.ndarray, "B T"]) -> Int32[np.ndarray, "B T"]:
        """The tokens that a decoder reads to predict a target: `end`, then all of the target but its last."""
        return np.concatenate([np.full((len(target), 1), self.end, np.int32), target[:, :-1]], axis=1)

    def _check(self, text: np.ndarray) -> None:
        if text.shape[1] != self.length:
            raise UsageError(f"expected texts of {self.length} characters, found {text.shape[1]}.")


def _parts(rng: np.random.Generator, batch: int, total: int, parts: int) -> Int64[np.ndarray, "B P"]:
    """Ways to write `total` as a sum of so many numbers of 1 or more, each as likely as any other."""
    cuts = np.sort(np.argsort(rng.random((batch, total - 1)), axis=1)[:, : parts - 1] + 1, axis=1)
    return np.diff(cuts, axis=1, prepend=0, append=total)

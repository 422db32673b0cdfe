"""How many operations must follow one another in a network that is too large to trace?

The count of `seqlab.measure.depth` grows evenly with the number of layers and with the length of the
sequence: each further layer, each further token, and both together add what they add to a small network. So
four counts of small networks give that of any other, by bilinear extrapolation.
"""

from collections.abc import Callable

Count = Callable[[int, int], int]  # of sequential operations, from layers and tokens

LAYERS = (2, 3)  # of the small networks: the first layer alone may lack what joins two
LENGTHS = (16, 32)


def depth_at(count: Count, *, layers: int, length: int) -> float:
    """Sequential operations of a network of so many layers, over so many tokens."""
    (first, last), (few, many) = LAYERS, LENGTHS
    at_few, at_many = (count(first, tokens) for tokens in (few, many))
    more_at_few, more_at_many = (
        count(last, tokens) - start for tokens, start in ((few, at_few), (many, at_many))
    )
    along = (length - few) / (many - few)
    start = at_few + along * (at_many - at_few)
    a_layer = more_at_few + along * (more_at_many - more_at_few)
    return start + (layers - first) * a_layer


def pipelined_depth(count: Count, *, layers: int, length: int) -> float:
    """The same of a recurrent network whose layers overlap, each one token behind the one below.

    Each further layer then adds the operations of one token.
    """
    one = depth_at(count, layers=1, length=length)
    return one + (layers - 1) * (depth_at(count, layers=1, length=length + 1) - one)

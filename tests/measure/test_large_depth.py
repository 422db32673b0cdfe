"""Do counts of small networks give those of large ones?"""

from seqlab.measure.large_depth import LAYERS, LENGTHS, depth_at, pipelined_depth


def count(layers: int, length: int) -> int:
    return 7 + 5 * layers + 3 * length + 2 * layers * length


def test_a_count_that_grows_evenly_is_found_from_four_small_ones() -> None:
    asked = []

    def recorded(layers: int, length: int) -> int:
        asked.append((layers, length))
        return count(layers, length)

    for layers, length in ((1, 16), (2, 24), (3, 32), (96, 2_048)):
        assert depth_at(recorded, layers=layers, length=length) == count(layers, length)
    assert {layers for layers, _ in asked} == set(LAYERS)
    assert {length for _, length in asked} == set(LENGTHS)


def test_a_pipelined_layer_adds_one_token() -> None:
    token = count(1, 2) - count(1, 1)
    assert pipelined_depth(count, layers=1, length=100) == count(1, 100)
    assert pipelined_depth(count, layers=9, length=100) == count(1, 100) + 8 * token

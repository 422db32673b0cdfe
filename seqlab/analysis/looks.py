"""After how many seeds may one look, and how much error may each look spend?

Whoever adds seeds until a verdict comes is wrong in 21 to 61 % of cases if every look may spend 5 %. So looks
are declared: 5, 10, 20, 40, … seeds, each twice the one before. A cell with another number of seeds is judged
by the seeds up to its last look, in their order; the others wait for the next look. Together the looks spend
5 %, whatever their dependence: 1.5 % at 5 seeds, 1.8 % at 10, 0.85 % at 20, and half as much at each further
one, which adds up to 5 %. The look at ten seeds has the largest share, since `full` budgets end there.

What lost, by simulation (`nox -s simulate`): an anytime-valid interval (a mixture of t statistics) may look
after every seed, but with ten seeds finds only two thirds of the effects that lie 1.5 standard deviations
beyond the threshold; equal shares (Pocock) find them in 87 %, this one in 90 %.
"""

FIRST = 5
SPENT = {5: 0.015, 10: 0.018, 20: 0.0085}  # two-sided; from 20 seeds on, each look spends half the one before


def last_look(seeds: int) -> int:
    """The largest declared look that this many seeds allow; fewer than five are all looked at."""
    look = FIRST
    while 2 * look <= seeds:
        look *= 2
    return min(look, seeds)


def next_look(seeds: int) -> int:
    """The smallest declared look beyond this many seeds."""
    look = FIRST
    while look <= seeds:
        look *= 2
    return look


def spent(look: int) -> float:
    """The error, both sides together, that a look after this many seeds may spend."""
    if look < 2 * FIRST:
        return SPENT[FIRST]
    known = SPENT.get(look)
    return spent(look // 2) / 2 if known is None else known

"""Of many traces the failed, the slow and a few usual ones are read."""

from bot.domain.traces import TraceHead, capped, pick


def heads(*durations: float, failed: bool = False, name: str = "t") -> list[TraceHead]:
    return [TraceHead(f"{name}{n}", d, failed) for n, d in enumerate(durations)]


def test_failed_ones_come_first_then_slow_ones_then_those_nearest_to_the_usual() -> None:
    found = pick([*heads(10, 11, 12, 13, 900, 14, 40), *heads(5, 3000, 20, failed=True, name="f")], failed=2, slow=2, usual=2)
    assert found.failed == ("f1", "f0")
    assert found.slow == ("t4", "t6")
    assert found.usual == ("t3", "t2")
    assert found.all == ("f1", "f0", "t4", "t6", "t3", "t2")


def test_where_all_are_alike_none_is_slow_and_where_there_are_none_none_is_read() -> None:
    assert pick(heads(10, 10, 10), failed=3, slow=3, usual=1).all == ("t0",)
    assert pick([], failed=3, slow=3, usual=3).all == ()
    assert pick(heads(1, 2, 3, failed=True), failed=3, slow=1, usual=1).all == ("t2", "t0", "t1")


def test_attributes_are_so_many_and_so_long() -> None:
    many = capped({f"k{n}": "x" * 1000 for n in range(99)})
    assert (len(many), len(many["k0"])) == (30, 300)

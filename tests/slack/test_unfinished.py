"""What of an unfinished text may be shown already."""

import pytest

from bot.slack.sanitise import sanitise
from bot.slack.unfinished import LONGEST_HELD, showable

HOSTS = ["github.com"]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("", ""),
        ("Pay", ""),
        ("Payments fail", "Payments "),
        ("Payments fail ", "Payments fail "),
        ("ask <!chan", "ask "),
        ("ask <!channel> now", "ask <!channel> "),
        ("ask @chan", "ask "),
        ("see [the", "see "),
        ("see [the diff](https://github", "see "),
        ("see [the diff](https://github.com/x) and", "see [the diff](https://github.com/x) "),
        ("as [E4] says", "as [E4] "),
        ("set `retries = 10", "set "),
        ("set `retries = 10` in ", "set `retries = 10` in "),
        ("one ` is loose\nand goes on ", "one "),
        ("one ` is loose\n\nand goes on ", "one ` is loose\n\nand goes on "),
        ("text\n```\nx = `", "text\n```\n"),
        ("text\n```\nx = 1\n``", "text\n```\nx = 1\n"),
        ("text\n```\nx = 1\n```\nafter it ", "text\n```\nx = 1\n```\nafter it "),
        ("1 < 2 holds ", "1 < 2 holds "),
    ],
)
def test_only_what_is_decided_is_shown(said: str, shown: str) -> None:
    assert said[: showable(said)] == shown


def test_a_mark_that_nobody_closes_does_not_stop_the_text() -> None:
    said = "so [" + "word " * LONGEST_HELD
    assert showable(said) == len(said)


@pytest.mark.parametrize(
    "whole",
    [
        "The cause is **payments v43** [E4]: `retries = 10`.\n\n- one\n- two [diff](https://github.com/a/b)\n",
        "Tell <!channel> and @here, see <https://evil.example/x> or [this](https://evil.example/y).\n",
        "```sql\nselect * from t where a = '<!here>'\n```\nThen https://evil.example/z and www.evil.example/q end.\n",
        "a ` b https://evil.example/ ` c\n\nnext [x]: https://evil.example/d and ![p](https://evil.example/p.png) end\n",
    ],
)
def test_what_stands_there_only_ever_grows_and_ends_as_the_whole(whole: str) -> None:
    stood = ""
    for end in range(len(whole) + 1):
        said = whole[:end]
        now = sanitise(said[: showable(said)], HOSTS)
        assert now.startswith(stood), (stood, now)
        stood = now
    assert sanitise(whole, HOSTS).startswith(stood)
    assert len(stood) > len(sanitise(whole, HOSTS)) / 2

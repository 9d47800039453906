"""Text from outside is shown as it is and can do nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.slack.text import (
    JOINER,
    allowed,
    clock,
    code_block,
    count,
    cut,
    cut_mrkdwn,
    escape,
    link,
    plain,
    span,
    trusted_link,
    who,
)

HOSTS = ("github.com", "runbooks.example.com")


def test_angle_brackets_and_ampersands_are_escaped_and_lines_are_joined() -> None:
    assert escape("a <b> &\n  c") == "a &lt;b&gt; &amp; c"


@pytest.mark.parametrize("end", ["\n```\n3. then", "\n```", ""])
def test_a_fenced_block_in_a_line_is_inline_code_even_if_it_was_cut_off(end: str) -> None:
    shown = escape(f"2. Query:\n\n```promql\nsum(rate(errors[5m]))\n  > 0.1{end}")
    assert shown.startswith("2. Query: `sum(rate(errors[5m])) &gt; 0.1`")
    assert "```" not in shown


def test_a_broadcast_is_broken_apart_and_still_reads_the_same() -> None:
    shown = escape("hi @here and @Channel")
    assert "@here" not in shown
    assert shown.replace(JOINER, "") == "hi @here and @Channel"


def test_a_name_that_only_begins_like_a_broadcast_stays() -> None:
    assert escape("see @hereford") == "see @hereford"


def test_direction_and_control_characters_are_gone() -> None:
    assert plain("a\u202eb\x1b[1m\u200bc") == "ab[1mc"


def test_a_long_text_is_cut_with_an_ellipsis() -> None:
    assert plain("x" * 400, 10) == "x" * 9 + "…"


@pytest.mark.parametrize("at", range(1, 60))
def test_mrkdwn_is_never_cut_through_an_entity_or_a_sequence(at: int) -> None:
    text = "ab &amp; <https://github.com/x|label> &lt;tail&gt; " + "x" * 40
    shown = cut_mrkdwn(text, at)
    assert len(shown) <= at
    bare = shown.replace("<https://github.com/x|label>", "").replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
    assert not set("<>&") & set(bare)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "https://github.com.evil.example/",
        "https://github.com@evil.example/",
        "https://github.com\\@evil.example/",
        "https://evilgithub.com/",
        "javascript:alert(1)",
        "//github.com/x",
        "https://github.com/a b",
        "https://github.com/a|<!channel>",
        "ftp://github.com/x",
        "https://",
        "https://[github.com/",
        "https://github.com:notaport/",
        "",
    ],
)
def test_a_link_to_a_strange_place_is_its_label_alone(url: str) -> None:
    assert link(url, "the commit", HOSTS) == "the commit"


def test_a_link_to_an_allowed_host_or_its_subdomain_is_a_link() -> None:
    assert link("https://github.com/a?b=1&c=2", "a|b", HOSTS) == "<https://github.com/a?b=1&amp;c=2|a¦b>"
    assert allowed("https://api.github.com/x", HOSTS)
    assert not allowed("https://github.com/x", ())


def test_a_permalink_of_slack_is_a_link_whatever_its_host() -> None:
    assert trusted_link("http://127.0.0.1:8333/x", "INC-42") == "<http://127.0.0.1:8333/x|INC-42>"
    assert trusted_link("javascript:x", "INC-42") == "INC-42"


def test_user_ids_become_mentions_and_other_names_do_not() -> None:
    assert who("U0ONCALL") == "<@U0ONCALL>"
    assert who("alerts cleared") == "alerts cleared"
    assert who("<!here>") == "&lt;!here&gt;"


def test_a_code_block_keeps_the_last_lines_and_cannot_be_left() -> None:
    block = code_block(["first", "```", "<!channel>", "last"], 2800)
    assert block == "```\nfirst\nˋˋˋ\n&lt;!channel&gt;\nlast\n```"
    long = code_block([f"line {n}" for n in range(1000)], 200)
    assert len(long) <= 200
    assert "line 999" in long


def test_times_are_in_the_readers_zone_with_the_date_when_far() -> None:
    at = datetime(2026, 3, 2, 14, 2, tzinfo=UTC)
    assert clock(at) == f"<!date^{int(at.timestamp())}^{{time}}|14:02 UTC>"
    assert "{date_short_pretty} {time}|2026-03-02 14:02 UTC" in clock(at, at + timedelta(days=2))


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(-5, "under 1 min"), (59, "under 1 min"), (720, "12 min"), (7500, "2 h 5 min"), (7200, "2 h"), (273_600, "3 d 4 h")],
)
def test_lengths_of_time_read_as_people_say_them(seconds: int, told: str) -> None:
    assert span(timedelta(seconds=seconds)) == told


def test_nouns_agree_with_their_numbers() -> None:
    assert (count(1, "alert"), count(2, "alert"), count(3, "entry", "entries")) == ("1 alert", "2 alerts", "3 entries")


def test_words_to_be_typed_are_shown_whole_or_not_at_all() -> None:
    assert cut("To find out, run `deployctl status 1` on the host.", 30) == "To find out, run…"
    assert cut("To find out, run `deployctl status 1` on the host.", 45) == "To find out, run `deployctl status 1` on the…"

"""Shares of marks, on data small enough to count by hand."""

import numpy as np
import pytest

from bot.knowledge.marks import MarkIndex, letter_marks, pair_marks, pairs_in_order, word_marks


def test_neighbours_count_in_their_order_only() -> None:
    pairs = MarkIndex([pair_marks(["disk", "is", "full"]), pair_marks(["full", "disk"]), pair_marks(["other"])])
    found = pairs.asked(pair_marks(["disk", "is", "full"]))
    assert found[0] == pytest.approx(1.0)
    assert list(found[1:]) == [0.0, 0.0]


def test_a_run_is_broken_by_what_is_missing_and_counts_where_it_is_longest() -> None:
    asked = ["the", "disk", "of", "the", "node", "is", "full", "of", "old", "logs"]
    pages = ["disk of the node", "the disk of old logs", "is full of old logs", "full disk"]
    index = MarkIndex([pair_marks(page.split()) for page in pages])
    assert list(index.in_a_row(pairs_in_order(asked))) == [3, 2, 4, 0]
    assert list(index.in_a_row([])) == [0, 0, 0, 0]
    assert list(index.in_a_row(pairs_in_order(["old", "logs", "disk", "old", "logs"]))) == [0, 1, 1, 0]


def test_a_rare_mark_counts_more_than_a_common_one() -> None:
    index = MarkIndex([word_marks(["common", "rare"]), word_marks(["common"]), word_marks(["common"])])
    found = index.asked(word_marks(["common", "rare"]))
    assert found[0] == pytest.approx(1.0)
    assert 0 < found[1] == found[2] < 0.5


def test_what_nobody_has_lowers_the_share() -> None:
    index = MarkIndex([word_marks(["known"]), word_marks(["other"])])
    assert index.asked(word_marks(["known", "unheard"]))[0] < index.asked(word_marks(["known"]))[0] == pytest.approx(1.0)


def test_a_title_that_is_asked_for_whole_tells_more_than_one_in_part() -> None:
    titles = MarkIndex([word_marks(["disk", "full"]), word_marks(["disk", "full", "after", "upgrade"]), word_marks(["else"])])
    whole, part, none = titles.told(word_marks(["the", "disk", "full", "today"]))
    assert 1 > whole > part > none == 0


def test_letters_see_through_spaces_and_endings() -> None:
    letters = MarkIndex([letter_marks("PodCrashLooping"), letter_marks("CertificateExpired")])
    loop, certificate = letters.alike(letter_marks("pod is in a crash loop"))
    assert loop > 0.2 > certificate
    assert letters.alike(letter_marks("Pod crash looping"))[0] == pytest.approx(1.0)


def test_nothing_is_like_nothing() -> None:
    assert list(MarkIndex([]).asked(word_marks(["a"]))) == []
    empty = MarkIndex([word_marks([]), word_marks(["a"])])
    for compare in (empty.asked, empty.told, empty.alike):
        assert np.array_equal(compare(word_marks([])), np.zeros(2))
    assert empty.alike(word_marks(["a"]))[0] == 0.0
    assert list(MarkIndex([word_marks([])]).asked(word_marks(["a"]))) == [0.0]

"""Patterns mean what they mean in Python, and always end."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.incidents.noise.pattern import BadPattern, Pattern

_ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "[a-c]", "\\d", "\\w", "\\."])
_PATTERNS = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}"])).map(lambda two: f"({two[0]}){two[1]}"),
    ),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(pattern=_PATTERNS, text=st.text("abc1.", max_size=6))
def test_a_pattern_matches_exactly_what_python_says(pattern: str, text: str) -> None:
    assert Pattern(pattern).matches(text) == (re.fullmatch(pattern, text) is not None)


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|aa)*b", "a?" * 50 + "a" * 50 + "b", "(.*a){10}b", "((a*)*)*b"])
def test_what_would_take_python_for_ever_ends_at_once(pattern: str) -> None:
    began = time.thread_time()
    assert not Pattern(pattern).matches("a" * 1000)
    assert time.thread_time() - began < 1


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(", "too early"),
        ("a)", "nothing opens"),
        ("*a", "repeats nothing"),
        ("a**", "repeats a repetition"),
        ("(?=a)", "only (?: )"),
        ("(a)\\1", "\\1 is not known"),
        ("[z-a]", "not a range"),
        ("a" * 301, "at most 300"),
        ("((a{50}){50}){50}", "too large"),
        ("(((){999}){999}){999}", "too large"),
        ("(" * 25 + ")" * 25, "20 deep"),
        ("a{3,1}", "downwards"),
    ],
)
def test_what_is_no_pattern_is_refused_with_a_reason(pattern: str, why: str) -> None:
    with pytest.raises(BadPattern, match=re.escape(why)):
        Pattern(pattern)

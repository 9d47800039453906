"""Regular expressions that always end in time proportional to the text, whoever wrote them.

Python's `re` tries alternatives one after the other and may take for ever on `(a+)+`. Here all alternatives are followed at
once (Thompson 1968, "Regular expression search algorithm"; as RE2 does), and each set of alternatives is remembered. Known:
literals, `.`, `[a-z]`, `[^...]`, `\\d \\w \\s` and their opposites, `( )`, `(?: )`, `|`, `* + ?`, `{n}`, `{n,m}`, `^` and `$`
at the ends. As in Alertmanager a pattern has to match the whole text.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

LONGEST = 300  # characters of a pattern
MOST_STEPS = 2000  # states that a pattern may come to
MOST_KEPT = 2000  # remembered moves of one pattern
_CLASSES = {name: re.compile(f"\\{name}") for name in "dDwWsS"}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}
_COUNT = re.compile(r"\{(\d{1,3})(?:(,)(\d{1,3})?)?\}")
Test = Callable[[str], bool]


class BadPattern(ValueError):
    """A pattern cannot be read; the message says where and why."""


class Pattern:
    """One compiled pattern. Raises BadPattern."""

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise BadPattern(f"a pattern has at most {LONGEST} characters, this one has {len(text)}")
        self._spent = 0
        self._tests: list[Test | None] = []  # per state: what moves it on to the next; None: it only branches
        self._branches: list[tuple[int, ...]] = []
        self._end = self._state(None)
        self._start = self._closure({_Parser(text, self).whole()})
        self._moves: dict[tuple[frozenset[int], str], frozenset[int]] = {}

    def matches(self, text: str) -> bool:
        """The whole text matches."""
        here = self._start
        for character in text:
            there = self._moves.get((here, character))
            if there is None:
                there = self._closure(self._step(here, character))
                if len(self._moves) >= MOST_KEPT:
                    self._moves.clear()
                self._moves[here, character] = there
            if not there:
                return False
            here = there
        return self._end in here

    def _step(self, here: Iterable[int], character: str) -> set[int]:
        return {n for s in here if (test := self._tests[s]) and test(character) for n in self._branches[s]}

    def _closure(self, states: set[int]) -> frozenset[int]:
        todo, found = list(states), set(states)
        while todo:
            state = todo.pop()
            if self._tests[state] is None:
                fresh = [n for n in self._branches[state] if n not in found]
                found.update(fresh)
                todo += fresh
        return frozenset(found)

    def spend(self) -> None:
        """One more part is built, which may be an empty one. Raises BadPattern for too many."""
        self._spent += 1
        if self._spent > MOST_STEPS:
            raise BadPattern(f"the pattern is too large: more than {MOST_STEPS} steps")

    def _state(self, test: Test | None, *following: int) -> int:
        self.spend()
        self._tests.append(test)
        self._branches.append(following)
        return len(self._tests) - 1

    # How the parser builds: every part is told what follows it, and says where it begins.

    def single(self, test: Test, following: int) -> int:
        """One character that passes the test."""
        return self._state(test, following)

    def either(self, *ways: int) -> int:
        """Any of these ways."""
        return self._state(None, *ways)

    def loop(self, build: Callable[[int], int], following: int) -> int:
        """A part as often as wanted, or not at all."""
        here = self._state(None)
        self._branches[here] = (build(here), following)
        return here

    @property
    def end(self) -> int:
        """Where a match ends."""
        return self._end


Build = Callable[[int], int]  # what follows -> where the part begins


class _Parser:
    """Reads a pattern from left to right; each part becomes a function that builds it in front of what follows."""

    def __init__(self, text: str, made: Pattern) -> None:
        self._text, self._at, self._made, self._depth = text, 0, made, 0

    def whole(self) -> int:
        if self._peek() == "^":
            self._at += 1
        build = self._alternatives()
        if self._at < len(self._text):
            raise BadPattern(f"nothing opens the ) at character {self._at + 1}")
        return build(self._made.end)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        character = self._peek()
        if not character:
            raise BadPattern("the pattern ends too early")
        self._at += 1
        return character

    def _alternatives(self) -> Build:
        ways = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            ways.append(self._sequence())
        if len(ways) == 1:
            return ways[0]
        return lambda following: self._made.either(*(way(following) for way in ways))

    def _sequence(self) -> Build:
        parts: list[Build] = []
        while (character := self._peek()) and character not in "|)":
            if character == "$" and self._at == len(self._text) - 1:
                self._at += 1
                break
            parts.append(self._repeated(self._atom()))

        def build(following: int) -> int:
            self._made.spend()
            for part in reversed(parts):
                following = part(following)
            return following

        return build

    def _repeated(self, atom: Build) -> Build:
        sign = self._peek()
        made = self._made
        if sign and sign in "*+?":
            self._at += 1
            self._no_second()
            if sign == "*":
                return lambda following: made.loop(atom, following)
            if sign == "+":
                return lambda following: atom(made.loop(atom, following))
            return lambda following: made.either(atom(following), following)
        counted = _COUNT.match(self._text, self._at) if sign == "{" else None
        if counted is None:
            return atom
        self._at = counted.end()
        self._no_second()
        least = int(counted[1])
        most = least if counted[2] is None else int(counted[3]) if counted[3] else None
        if most is not None and most < least:
            raise BadPattern(f"{counted[0]} counts downwards")

        def build(following: int) -> int:
            here = made.loop(atom, following) if most is None else following
            for _ in range((most or least) - least):
                here = made.either(atom(here), following)
            for _ in range(least):
                here = atom(here)
            return here

        return build

    def _no_second(self) -> None:
        if self._peek() and self._peek() in "*+?":
            raise BadPattern(f"{self._peek()} at character {self._at + 1} repeats a repetition")

    def _atom(self) -> Build:
        character = self._next()
        if character == "(":
            return self._group()
        if character in "*+?":
            raise BadPattern(f"{character} at character {self._at} repeats nothing")
        if character in "^$":
            raise BadPattern(f"{character} stands only at an end of the pattern")
        test = self._set() if character == "[" else self._test(character)
        return lambda following: self._made.single(test, following)

    def _group(self) -> Build:
        if self._peek() == "?":
            if self._text[self._at : self._at + 2] != "?:":
                raise BadPattern("of the groups that begin with (? only (?: ) is known")
            self._at += 2
        self._depth += 1
        if self._depth > 20:
            raise BadPattern("groups are nested more than 20 deep")
        inner = self._alternatives()
        if self._next() != ")":
            raise BadPattern("a ( is never closed")
        self._depth -= 1
        return inner

    def _test(self, character: str) -> Test:
        if character == ".":
            return lambda c: c != "\n"
        if character == "\\":
            return self._escape()
        return lambda c: c == character

    def _escape(self) -> Test:
        character = self._next()
        if character in _CLASSES:
            known = _CLASSES[character]
            return lambda c: known.match(c) is not None
        if character.isalnum() and character not in _ESCAPES:
            raise BadPattern(f"\\{character} is not known")
        literal = _ESCAPES.get(character, character)
        return lambda c: c == literal

    def _set(self) -> Test:
        opposite = self._peek() == "^"
        self._at += opposite
        tests: list[Test] = []
        while (character := self._next()) != "]" or not tests:
            if character == "\\":
                tests.append(self._escape())
            elif self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", ""):
                self._at += 1
                last = self._next()
                if last == "\\" or last < character:
                    raise BadPattern(f"{character}-{last} is not a range")
                tests.append(lambda c, a=character, z=last: a <= c <= z)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            else:
                tests.append(lambda c, only=character: c == only)  # type: ignore[misc]  # as above
        return lambda c: any(test(c) for test in tests) != opposite


@lru_cache(maxsize=512)
def compiled(text: str) -> Pattern:
    """The pattern, remembered. Raises BadPattern."""
    return Pattern(text)

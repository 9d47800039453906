"""A YAML file that people edit: validated with line numbers, reloaded on change, the last good version stays in force."""

import difflib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Generic, TypeGuard, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from bot.errors import BadSettings, Fault

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
Step = str | int
log = logging.getLogger(__name__)

LARGEST = 1_000_000  # bytes; a file that people review is never this long
LOOK_EVERY = 1.0  # seconds between two looks at the file's time


class BadRules(BadSettings):
    """A rule file is wrong; `faults` says every line that is."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


class Lines:
    """Where each value of a YAML document stands: 1-based line numbers by path."""

    def __init__(self, file: str, node: yaml.Node | None) -> None:
        self.file = file
        self.twice: list[Fault] = []
        self._lines: dict[tuple[Step, ...], int] = {}
        if node is not None:
            self._walk(node, (), node.start_mark.line + 1)

    def of(self, *path: Step) -> int:
        """The line of this path, or of its nearest parent that the file has."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def fault(self, message: str, *path: Step) -> Fault:
        """A fault that stands at this path."""
        return Fault(self.file, self.of(*path), message)

    def _walk(self, node: yaml.Node, path: tuple[Step, ...], line: int) -> None:
        self._lines[path] = line
        if isinstance(node, yaml.SequenceNode):
            for number, item in enumerate(node.value):
                self._walk(item, (*path, number), item.start_mark.line + 1)
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                here = (*path, str(key.value))
                if here in self._lines:
                    self.twice.append(Fault(self.file, key.start_mark.line + 1, f"{key.value} is given twice; keep one"))
                self._walk(value, here, key.start_mark.line + 1)


def read_rules(text: str, file: str, model: type[M]) -> tuple[M, Lines]:
    """The file's text as a validated model, with the lines for further checks.

    Raises BadRules with every fault that was found.
    """
    if len(text) > LARGEST:
        raise BadRules([Fault(file, 1, f"is longer than {LARGEST:,} characters; split it")])
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        lines = Lines(file, node)
        data = {} if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadRules([Fault(file, mark.line + 1 if mark else 1, f"is not YAML: {error.problem or error.context}")]) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise BadRules([Fault(file, 1, f"is not YAML: {str(error)[:200]}")]) from error
    finally:
        loader.dispose()
    faults = list(lines.twice)
    try:
        value = model.model_validate(data)
    except ValidationError as error:
        faults += [lines.fault(message, *path) for path, message in _complaints(error, model)]
        raise BadRules(_ordered(faults)) from error
    if faults:
        raise BadRules(_ordered(faults))
    return value, lines


def _ordered(faults: Sequence[Fault]) -> list[Fault]:
    return sorted(faults, key=lambda fault: (fault.line, fault.message))


def _complaints(error: ValidationError, model: type[BaseModel]) -> Iterator[tuple[tuple[Step, ...], str]]:
    for item in error.errors(include_url=False, include_context=False):
        path = tuple(item["loc"])
        where = _spelled(path)
        if item["type"] == "extra_forbidden":
            known = _keys(model, path[:-1])
            close = difflib.get_close_matches(str(path[-1]), known, 1)
            hint = f"did you mean {close[0]}?" if close else f"known keys: {', '.join(known)}"
            yield path, f"{where} is not a known key; {hint}"
        elif item["type"] == "missing":
            yield path, f"{where} is missing"
        else:
            message = item["msg"].removeprefix("Value error, ")
            yield path, f"{where}: {message[:1].lower()}{message[1:]} (got {str(item['input'])[:60]!r})"


def _spelled(path: Sequence[Step]) -> str:
    words = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return words.removeprefix(".") or "the file"


def _keys(model: type[BaseModel], path: Sequence[Step]) -> list[str]:
    """The keys that the model knows at a path."""
    here = model
    for step in path:
        if isinstance(step, str) and step in here.model_fields:
            annotation = here.model_fields[step].annotation
            here = next((a for a in (annotation, *get_args(annotation)) if _is_model(a)), here)
    return sorted(here.model_fields)


def _is_model(value: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(value, type) and issubclass(value, BaseModel)


class RuleFile(Generic[T]):
    """The last good version of one rule file.

    `read(text, file name)` builds the value or raises BadRules. At start a bad file is refused; afterwards a bad edit is
    reported once and the last good version stays in force. `absent` makes the value of a file that was never there; without it a
    missing file is refused at start. `beside` names further files that `read` looks into: a change of one is a change too.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[str, str], T],
        *,
        absent: Callable[[], T] | None = None,
        beside: Callable[[], Sequence[Path]] = tuple,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self.faults: tuple[Fault, ...] = ()
        self._read = read
        self._absent = absent  # None once the file was there: a deleted one leaves the last good version in force
        self._beside = beside
        self._ticks = ticks
        self._lock = Lock()
        self._seen = self._stamps()
        self._looked = ticks()
        self._value = self._load()

    @property
    def current(self) -> T:
        """The last good version; the file's time is looked at once a second at most."""
        now = self._ticks()
        if now - self._looked >= LOOK_EVERY and self._lock.acquire(blocking=False):
            try:
                self._looked = now
                self._look()
            finally:
                self._lock.release()
        return self._value

    def _look(self) -> None:
        stamps = self._stamps()
        if stamps == self._seen:
            return
        self._seen = stamps
        try:
            self._value = self._load()
        except BadRules as error:
            self.faults = error.faults
            log.error("%s has faults; the last good version stays in force:\n%s", self.path.name, error)
            return
        if self.faults:
            log.info("%s is good again.", self.path.name)
        self.faults = ()

    def _load(self) -> T:
        name = self.path.name
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            if self._absent is not None:
                return self._absent()
            raise BadRules([Fault(name, 1, f"there is no file {self.path}; create it or name another folder")]) from error
        except (OSError, UnicodeDecodeError) as error:
            raise BadRules([Fault(name, 1, f"cannot be read: {error}")]) from error
        value = self._read(text, name)
        self._absent = None
        return value

    def _stamps(self) -> tuple[tuple[str, int, int, int], ...]:
        return tuple(_stamp(file) for file in (self.path, *self._beside()))


def _stamp(file: Path) -> tuple[str, int, int, int]:
    try:
        stat = file.stat()
    except OSError:
        return str(file), 0, 0, 0
    return str(file), stat.st_mtime_ns, stat.st_size, stat.st_ino

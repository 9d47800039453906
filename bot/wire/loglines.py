"""Log lines as any source returns them: JSON, logfmt or text; stack traces in one piece; lines that stand for others.

Sources hand over what they read line by line; what a line says, how loud it is and to which trace it belongs is found here for
all of them.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain.telemetry import LogLine

LONGEST = 4000  # characters of one line that are kept
MOST_FIELDS = 20  # of one line, besides its text
LONGEST_FIELD = 1000
MOST_FRAMES = 200  # lines of one stack trace
TOGETHER = timedelta(seconds=2)  # lines of one stack trace are not further apart
# Words that lines hold which tell of trouble; they are asked for on their own where there are too many lines.
TELLING_WORDS = ("error", "warn", "fatal", "panic", "critical", "exception", "fail", "timeout", "timed out", "refused", "denied")

_MESSAGE = ("message", "msg", "event", "log", "body", "text", "@message", "short_message")
_ERROR = ("error", "err", "error.message", "exception", "exception.message", "cause")
_STACK = (
    "error.stack_trace",
    "stack_trace",
    "stacktrace",
    "stack",
    "exc_info",
    "exception.stacktrace",
    "error.stack",
    "traceback",
)
_LEVEL = ("level", "severity", "log.level", "lvl", "levelname", "loglevel", "severityText", "severity_text", "detected_level")
_TRACE = ("trace_id", "traceId", "trace.id", "traceID", "traceid", "dd.trace_id", "otelTraceID")
_STATUS = ("status", "status_code", "statusCode", "http.status_code", "http.response.status_code", "res.statusCode", "res.status")
_FAILED = re.compile(r"5\d\d|429")  # of a server that fails or has had enough
_READ = frozenset((*_MESSAGE, *_STACK, *_LEVEL, *_TRACE, "time", "timestamp", "@timestamp", "ts", "date"))
_SAME_LEVEL = {
    "WARNING": "WARN", "ERR": "ERROR", "CRIT": "CRITICAL", "INFORMATION": "INFO", "INFORMATIONAL": "INFO", "TRACE": "DEBUG",
    "EMERG": "FATAL", "EMERGENCY": "FATAL", "SEVERE": "ERROR", "EROR": "ERROR",
    "10": "DEBUG", "20": "DEBUG", "30": "INFO", "40": "WARN", "50": "ERROR", "60": "FATAL",  # pino and bunyan
}  # fmt: skip
_LEVEL_WORDS = ("debug", "info", "warn", "error", "fatal", "critical", "panic", "severe")
_LEVEL_IN_TEXT = re.compile(r"\b(?:level=)?(debug|info|warn(?:ing)?|error|fatal|critical|panic|severe)\b", re.IGNORECASE)
_KLOG = re.compile(r"([IWEF])\d{4} \d\d:\d\d:\d\d")
_OF_KLOG = {"I": "INFO", "W": "WARN", "E": "ERROR", "F": "FATAL"}
_PAIR = re.compile(r'(?:^|(?<=\s))([A-Za-z_@][\w.@-]*)=("(?:[^"\\]|\\.)*"|[^\s"]*)')
_FRAME = re.compile(r"\s+\S|Caused by: |\.\.\. \d+ (?:more|common frames)|goroutine \d+ \[|\t")
_RAISED = re.compile(r"(?:[A-Za-z_$][\w$]*\.)*[A-Z][\w$]*(?:Error|Exception|Exit|Interrupt|Throwable)\b(?::|$)")
_TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True, slots=True)
class RawLine:
    """A line as a source keeps it: text, or an object of fields; `stream` is the process or file that wrote it."""

    at: datetime
    service: str
    text: str
    stream: str = ""
    level: str = ""
    trace_id: str = ""
    fields: Mapping[str, object] | None = None
    stands_for: float = 1.0


def read_lines(raw: Iterable[RawLine]) -> tuple[LogLine, ...]:
    """What the lines say, oldest first; the lines of a stack trace are one line."""
    streams: dict[tuple[str, str], list[LogLine]] = {}
    for line in sorted(raw, key=lambda line: line.at):
        streams.setdefault((line.service, line.stream), []).append(read_line(line))
    found = [line for lines in streams.values() for line in _stacked(lines)]
    return tuple(sorted(found, key=lambda line: line.at))


def read_line(raw: RawLine) -> LogLine:
    """What one line says: the message and the error that it names, its level in our words, its trace."""
    fields = _unwrapped(raw.fields if raw.fields is not None else fields_of(raw.text))
    text = _said(fields) or raw.text
    level = raw.level or first_of(fields, _LEVEL) or _level_in(raw.text or text)
    trace = (raw.trace_id or first_of(fields, _TRACE))[:64]
    return LogLine(raw.at, raw.service, known_level(level), text[:LONGEST], trace, _others(fields), raw.stands_for)


def known_level(level: str) -> str:
    """A level in our words: DEBUG, INFO, WARN, ERROR, CRITICAL, FATAL; others in upper case as they are."""
    upper = level.strip().upper()
    return _SAME_LEVEL.get(upper, upper)[:12]


def fields_of(text: str) -> Mapping[str, object]:
    """The fields of a line that is a JSON object or logfmt; none otherwise."""
    if text.startswith("{"):
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            return {}
        return said if isinstance(said, dict) else {}
    if "msg=" not in text and "message=" not in text:
        return {}
    pairs = {key: _unquoted(value) for key, value in _PAIR.findall(text[: 2 * LONGEST])}
    return pairs if len(pairs) > 1 and ("msg" in pairs or "message" in pairs) else {}


def _stacked(lines: Sequence[LogLine]) -> list[LogLine]:
    """The lines of one stream, those of a stack trace joined with the line that began it."""
    found: list[LogLine] = []
    parts: list[str] = []
    for line in lines:
        if found and len(parts) < MOST_FRAMES and _continues(line, found[-1], parts):
            parts.append(line.text)
            continue
        _close(found, parts)
        found.append(line)
        parts = [line.text]
    _close(found, parts)
    return found


def _close(found: list[LogLine], parts: Sequence[str]) -> None:
    """The last line of those found gets what belongs to it; of a long trace the middle is left out."""
    if len(parts) > 1:
        text = "\n".join(parts)
        found[-1] = replace(found[-1], text=text if len(text) <= LONGEST else f"{text[:1000]}\n…\n{text[3 - LONGEST + 1000 :]}")


def _continues(line: LogLine, head: LogLine, parts: Sequence[str]) -> bool:
    if line.at - head.at > TOGETHER:
        return False
    if _FRAME.match(line.text):
        return True
    raised = bool(_RAISED.match(line.text))
    if raised and parts[-1][:1].isspace():  # what Python writes below the frames
        return True
    if not (raised or line.text.startswith(_TRACEBACK)):
        return False
    return len(parts) == 1 and head.level in ("ERROR", "CRITICAL", "FATAL") and not _RAISED.match(head.text)


def _said(fields: Mapping[str, object]) -> str:
    """The message, the error beside it, the status of a failure and the stack trace, as people would read them."""
    message, error, stack = first_of(fields, _MESSAGE), _error(fields), first_of(fields, _STACK)
    told = f"{message}: {error}" if message and error and error not in message else message or error
    status = first_of(fields, _STATUS)
    if told and _FAILED.fullmatch(status) and status not in told:
        told = f"{told} status={status}"  # a request is logged with the same words whatever became of it
    return f"{told}\n{stack}" if told and stack and stack not in told else told or stack


def _others(fields: Mapping[str, object]) -> dict[str, str]:
    """What a line says besides its text, as far as it is short: texts and numbers, those of an object within by dotted names."""
    found: dict[str, str] = {}
    within = ((f"{name}.{key}", v) for name, value in fields.items() if isinstance(value, dict) for key, v in value.items())
    for name, value in (*fields.items(), *within):
        if len(found) < MOST_FIELDS and name not in _READ and isinstance(value, str | int | float) and value != "":
            found[str(name)[:80]] = str(value)[:LONGEST_FIELD]
    return found


def _unwrapped(fields: Mapping[str, object]) -> Mapping[str, object]:
    """The fields of a message that is structured itself, as container runtimes wrap it, with those around it; one level."""
    inner = fields_of(first_of(fields, _MESSAGE))
    return {**{k: v for k, v in fields.items() if k not in _MESSAGE}, **inner} if inner else fields


def _error(fields: Mapping[str, object]) -> str:
    error = fields.get("error", fields.get("exception"))
    if isinstance(error, Mapping):
        kind, text = str(error.get("type") or error.get("name") or ""), str(error.get("message") or "")
        return f"{kind}: {text}" if kind and text else kind or text
    kind, text = first_of(fields, ("error.type", "exception.type")), first_of(fields, _ERROR)
    return f"{kind}: {text}" if kind and text and kind not in text else text or kind


def first_of(fields: Mapping[str, object], names: Iterable[str]) -> str:
    """The first of these fields that holds a text or a number; a dot in a name also means an object in an object."""
    for name in names if fields else ():
        value = fields[name] if name in fields else _at(fields, name) if "." in name else None
        if isinstance(value, str) and value.strip():
            return value.strip("\r\n")
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return ""


def _at(fields: Mapping[str, object], name: str) -> object:
    outer, _, inner = name.partition(".")
    within = fields.get(outer) if inner else None
    if not isinstance(within, Mapping):
        return None
    return within[inner] if inner in within else _at(within, inner)


def _level_in(text: str) -> str:
    if found := _KLOG.match(text):
        return _OF_KLOG[found[1]]
    start = text[:200]
    low = start.lower()
    if not any(word in low for word in _LEVEL_WORDS):  # ten times faster than the pattern, and most lines name none
        return ""
    named = _LEVEL_IN_TEXT.search(start)
    return named[1] if named else ""


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), value[1:-1]) if value[:1] == '"' else value

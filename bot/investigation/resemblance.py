"""Where telemetry repeats a change word for word: a quoted name, a new value, a line in a stack trace, a metric's step."""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta

from bot.domain.evidence import EvidenceKind, Fact
from bot.investigation.diff import Edit, Hunk, code, is_pin, number
from bot.investigation.exhibits import Exhibits
from bot.investigation.overlap import COMMON, spelled, tokens
from bot.investigation.picture import Picture
from bot.investigation.shipments import Shipment
from bot.investigation.symptoms import TELEMETRY_KINDS as TELEMETRY
from bot.investigation.symptoms import Sign
from bot.investigation.wording import clock, plain
from bot.signals.direction import bag, label_suffix, words
from bot.signals.figures import figure, name_of
from bot.signals.onset import Deviation

_TEXT = re.compile(r"[\"'`]([^\"'`\s]{5,80})[\"'`]")
_BARE = re.compile(r"^-?\s*[\w.-]+:\s+([^\s\"'{\[]{5,80})$")
_NAMES = re.compile(
    r"(?=.*[A-Za-z]{2})(?=.*[A-Za-z0-9][._/:@-][A-Za-z0-9]|/[A-Za-z]{4}|[A-Z]{2,}_)(?!https?://[^/]*/?$)[\w./:@{}-]+"
)
_SENTENCE = re.compile(r"\"[^\"\n]{16,300}\"|'[^'\n]{16,300}'|`[^`\n]{16,300}`")
PHRASE = 4  # words of a sentence that nobody writes twice by chance
_QUOTED = re.compile(r"[\"'`“‘]([A-Za-z_][\w.-]{2,60})[\"'`”’]")
_TRACE = re.compile(r"(?i)traceback|goroutine \d+|\bat [\w.$]+\([\w.]+:\d+\)|[\w/]+\.\w{1,4}(?::|\", line )\d+")
_FUNCTION = re.compile(
    r"(?:\bfunc(?:tion)?\b\s*(?:\([^)]*\)\s*)?|\bdef\s+|\bfn\s+|\bfun\s+"
    r"|(?:public|private|protected|static)\s[\w<>\[\], ]*?)([A-Za-z_]\w*)\s*\("
)
_SAID_UNITS = bag(
    "ms s seconds minutes mb mib gb bytes kb workers threads connections conns attempts retries entries items lines"
)
_UNITS = {"ms": 1e-3, "millis": 1e-3, "milliseconds": 1e-3, "s": 1.0, "sec": 1.0, "secs": 1.0, "seconds": 1.0}
_BOUNDS = bag("timeout timeouts deadline ttl cache expiry expires max limit interval period every retry backoff")
_TAKES = bag("latency duration elapsed")
QUOTES = "\"'`"
LATE = timedelta(minutes=1)  # a deployment may be reported this long after it began to serve
RARE = 0.6  # a word of few changes
ABOUT = 1.5  # quantiles of a histogram are this coarse, either way


def verbatim(shipment: Shipment, picture: Picture, exhibits: Exhibits, facts: list[Fact]) -> float:
    """Points if an error quotes a name that this change brought or took away."""
    old = {q for h in shipment.text.hunks for line in h.removed for q in _quotable(line)}
    new = {q for h in shipment.text.hunks for line in h.added for q in _quotable(line)}
    for sign in picture.signs:
        said = {q for q in _QUOTED.findall(sign.raw) if sign.what in TELEMETRY}
        for name in sorted(said & (old ^ new)):
            return _verbatim(name, name in new, sign, exhibits, facts)
    come = _literals(t for h in shipment.text.hunks for t in h.added)
    gone = _literals(t for h in shipment.text.hunks for t in h.removed)
    for name in sorted(come ^ gone, key=lambda n: (-len(n), n)):
        naming = [s for s in picture.signs if s.what in TELEMETRY and name in s.raw]
        if not naming or name in picture.affected:
            continue
        whole = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-])")
        naming = [s for s in naming if whole.search(s.raw)]
        if naming and not any(whole.search(g.text) for g in picture.growths if g.before and name in g.text):
            return _verbatim(name, name in come, naming[0], exhibits, facts)
    unsaid = {p for h in shipment.text.hunks for t in h.removed for p in _phrases(t)}
    said_now = {p for h in shipment.text.hunks for t in h.added for p in _phrases(t)}
    for phrase in sorted(said_now - unsaid, key=lambda p: (-len(p), p)):
        for sign in picture.signs:
            if sign.what in TELEMETRY and phrase[0] in sign.raw and _says(sign.raw, phrase):
                return _verbatim(" ".join(phrase), True, sign, exhibits, facts)
    return 0.0


def _phrases(line: str) -> set[tuple[str, ...]]:
    """The sentences and statements that a line writes out, as words; what is filled in later is left out."""
    found = (re.split(r"[^A-Za-z_.]*(?:[%$:?]\w*|\{[^}]*\})?[^A-Za-z_.]+", m) for m in _SENTENCE.findall(code(line)))
    return {kept for words_ in found if len(kept := tuple(w for w in words_ if len(w) > 1)) >= PHRASE}


def _says(text: str, phrase: tuple[str, ...]) -> bool:
    """The words of a phrase follow each other in a text, with little in between."""
    return bool(re.search(r"\W+(?:\S{1,40}\W+){0,3}?".join(map(re.escape, phrase)), text, re.IGNORECASE))


def _verbatim(name: str, come: bool, sign: Sign, exhibits: Exhibits, facts: list[Fact]) -> float:
    text = f"{'brought' if come else 'took away'} {plain(name, 60)}, which the errors name"
    facts.append(Fact(text, 2.0, (sign.cite(exhibits),), "verbatim"))
    return 2.0


def _literals(lines: Iterable[str]) -> set[str]:
    """The texts and bare values in some lines that name one thing: an address, a path, a tag, a table, an event."""
    found: set[str] = set()
    for line in lines:
        found.update(m for m in _TEXT.findall(code(line)) if _NAMES.fullmatch(m))
        if (bare := _BARE.match(code(line))) and _NAMES.fullmatch(bare[1]):
            found.add(bare[1])
    return found


def names_edit(shipment: Shipment, picture: Picture, rare: Mapping[str, float], exhibits: Exhibits, facts: list[Fact]) -> float:
    """Points if new errors name the very thing whose value or version an edit changed, and few other changes speak of it."""
    services = {w.rstrip("s") for s in picture.affected for w in words(s)}
    said = [s for s in picture.signs if s.what in (EvidenceKind.LOG, EvidenceKind.TRACE) and s.weight > 0.5]
    for edit in shipment.text.edits:
        named = {t for t in tokens(edit.key) if rare.get(t, 0.0) >= RARE and t not in services}
        for sign in said:
            if hit := sorted(named & tokens(sign.raw), key=lambda t: (-len(t), t)):
                text = f"{edit.text} · the errors name {spelled(hit[0], sign.raw)}"
                facts.append(Fact(text, 1.0, (cite_diff(shipment, edit.text, exhibits), sign.cite(exhibits)), "names_edit"))
                return 1.0
    return 0.0


def value_said(shipment: Shipment, picture: Picture, exhibits: Exhibits, facts: list[Fact]) -> float:
    """Points if new errors say the new value of an edit with its unit: "took longer than 90 ms", "wait for 1 workers"."""
    for edit in shipment.text.edits:
        said = _spoken(edit)
        for sign in picture.signs if said else ():
            if sign.what in (EvidenceKind.LOG, EvidenceKind.TRACE, EvidenceKind.EVENT) and said and said.search(sign.raw):
                text = f"{edit.text} · the errors say {plain(edit.new.strip(QUOTES), 40)}"
                facts.append(Fact(text, 2.0, (cite_diff(shipment, edit.text, exhibits), sign.cite(exhibits)), "value_said"))
                return 2.0
    return 0.0


def _spoken(edit: Edit) -> re.Pattern[str] | None:
    """How errors would say the new number of an edit: with its unit, or beside a word of its name ("limit of 50")."""
    new, named = edit.new.strip(QUOTES), words(edit.key)
    if number(new) is None or is_pin(edit) or not named:
        return None
    figures = rf"(?<![\w.-]){re.escape(new)}"
    ways = [rf"{figures} ?{named[-1]}\b"] if named[-1] in _SAID_UNITS else []
    telling = [re.escape(w.rstrip("s")) for w in named if len(w) > 3 and w not in COMMON]
    if telling and re.search(r"[1-9]\d|\d[A-Za-z]", new):  # a single digit says little
        ways.append(rf"(?:{'|'.join(telling)})\w*[^\w\n]{{1,3}}(?:\w+[^\w\n]{{1,3}}){{0,2}}{figures}(?![\w.]*\d)")
    return re.compile("|".join(ways), re.IGNORECASE) if ways else None


def in_stack_trace(shipment: Shipment, picture: Picture, exhibits: Exhibits, facts: list[Fact]) -> float:
    """Points if a stack trace goes through a file of the change: more through its function, most if it shows a line of it."""
    best: tuple[float, str, Sign] | None = None
    for sign in picture.signs:
        if sign.what in TELEMETRY and _TRACE.search(sign.raw):
            points, text = _traced(shipment, sign.raw)
            if points > (best[0] if best else 0.0):
                best = (points, text, sign)
    if best is None:
        return 0.0
    facts.append(Fact(best[1], best[0], (best[2].cite(exhibits),), "stack_trace"))
    return best[0]


def _traced(shipment: Shipment, raw: str) -> tuple[float, str]:
    written = {code(t) for h in shipment.text.hunks for t in h.added if len(code(t)) >= 12}
    if line := next((w for w in sorted(written, key=len, reverse=True) if w in raw), ""):
        return 5.0, f"the stack trace shows a line of this change: {plain(line, 60)}"
    for path in shipment.text.files:
        named = re.search(rf"(?<![\w.]){re.escape(path)}\b", raw)
        parts = path.split("/")
        frame = named or re.search(rf"(?<![\w.-]){re.escape(parts[-1])}(?:\", line |:)\d+", raw)
        if not frame:
            continue
        around = raw[max(0, frame.start() - 120) : frame.end() + 120]
        inside = next((f for h in shipment.text.hunks if h.path == path for f in _functions(h) if _mentions(around, f)), "")
        if inside:
            return 4.0, f"the stack trace goes through {inside} in {path}, which this change edits"
        if named or any(_mentions(around, p) for p in parts[:-1] if len(p) > 3):
            return 2.0, f"{path} is in the stack trace"
    return 0.0, ""


def _mentions(text: str, name: str) -> bool:
    return bool(re.search(rf"(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])", text))


def _functions(hunk: Hunk) -> list[str]:
    """The functions and methods that a hunk changes: those its header names, and those that it opens itself."""
    lines = [hunk.header, *(t for _, t in hunk.lines)]
    return [m for t in lines for m in _FUNCTION.findall(t) if len(m) > 2]


def stepped(shipment: Shipment, picture: Picture, exhibits: Exhibits, facts: list[Fact]) -> float:
    """Points if a metric stepped from the old value of an edit to the new one, after it shipped."""
    for edit in shipment.text.edits:
        old, new = number(edit.old), number(edit.new)
        for step in picture.steps:
            if old is None or new is None or (step.old, step.new) != (old, new) or old == new:
                continue
            if shipment.at and step.at < shipment.at - LATE:
                continue
            text = f"{step.metric} stepped from {step.old:g} to {step.new:g} at {clock(step.at)}"
            metric = exhibits.cite(EvidenceKind.METRIC, f"{step.service}: {text}", "metrics", at=step.at, service=step.service)
            facts.append(Fact(f"{edit.text} · {text}", 3.0, (cite_diff(shipment, edit.text, exhibits), metric), "stepped"))
            return 3.0
    return 0.0


def lengthened(shipment: Shipment, picture: Picture, exhibits: Exhibits, facts: list[Fact]) -> float:
    """Points if what the service does takes about as much longer, since it shipped, as an edit added to a configured duration."""
    own = set(shipment.services)
    for edit in shipment.text.edits:
        added = _added_seconds(edit)
        for d in picture.deviations if added > 0 else ():
            grew = _grew_seconds(d)
            if grew is None or not added / ABOUT <= grew <= added * ABOUT or d.labels.get("target", d.service) not in own:
                continue
            if shipment.at and d.onset < shipment.at - LATE:
                continue
            text = f"{name_of(d.metric)}{label_suffix(d.labels)} grew by {figure(d.peak - d.baseline, d.metric)}"
            since = f"{d.service}: {text} since {clock(d.onset, d.step)}"
            metric = exhibits.cite(EvidenceKind.METRIC, since, "metrics", at=d.onset, service=d.service)
            cites = (cite_diff(shipment, edit.text, exhibits), metric)
            facts.append(Fact(f"{text}, about what {edit.text} adds", 2.0, cites, "lengthened"))
            return 2.0
    return 0.0


def _added_seconds(edit: Edit) -> float:
    """How much longer an edited duration is, in seconds; 0 for what is no duration, or only bounds one."""
    old, new, key = number(edit.old), number(edit.new), words(edit.key)
    if old is None or new is None or set(key) & _BOUNDS:
        return 0.0
    if re.search(r"(?i)[\d\s](?:ms|us|s|m|min)[\"'`]?$|time\.\w+$", edit.new):
        return new - old
    return (new - old) * _UNITS.get(key[-1] if key else "", 0.0)


def _grew_seconds(d: Deviation) -> float | None:
    """By how many seconds a latency rose; None for other metrics, and where the name tells no unit."""
    parts = words(d.metric)
    unit = next((_UNITS[w] for w in parts if w in _UNITS), None)
    return (d.peak - d.baseline) * unit if unit and d.rising and set(parts) & _TAKES else None


def _quotable(line: str) -> set[str]:
    return set(re.findall(r"[A-Za-z_][\w.-]{2,}", code(line)))


def cite_diff(shipment: Shipment, text: str, exhibits: Exhibits) -> str:
    commit = shipment.commit
    where = f"{commit.short} " if commit else ""
    link = shipment.change.url if shipment.change else ""
    service = shipment.services[0] if shipment.services else ""
    source = f"commit {commit.short}" if commit else "change"
    return exhibits.cite(EvidenceKind.DIFF, f"{where}{text}", source, at=shipment.at, service=service, link=link)

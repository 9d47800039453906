"""Advice on the noisiest rules: a longer `for:`, a milder severity, a runbook, as a patch, with a test that promtool runs.

A firing begins once `for:` is over; so one that lasted d would have stayed silent with a `for:` that is longer by d.
Test format: https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/.
"""

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import yaml

from bot.domain.noise import CRITICAL
from bot.domain.vocabulary import severity_of
from bot.errors import BadSettings
from bot.evals.backtest.figures import SHORT, RuleFigures
from bot.evals.backtest.history import Firing
from bot.evals.backtest.rulefile import Rule, edited, read_text

ENOUGH = 5  # firings, before anything is said of a rule
MOSTLY = 0.5  # the share of short firings from which a longer `for:` helps
NEARLY_ALL = 0.9  # ... and from which a critical alert is none
LONGEST = timedelta(minutes=15)  # no `for:` is proposed beyond
STAND_IN = "tocsin_stand_in"
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_PART = re.compile(r"(\d+)(ms|[smhdwy])")
_SIMPLE = re.compile(
    r"^(?P<metric>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>[^{}]*)\})?\s*(?P<sign>==|!=|>=|<=|>|<)\s*(?P<value>-?\d+(?:\.\d+)?)$"
)
_LABEL = re.compile(r'^\s*([a-zA-Z_]\w*)\s*=\s*"([^"\\]*)"\s*$')


@dataclass(frozen=True, slots=True)
class Advice:
    """One change of one rule, and why. `key` is "for", "labels.severity" or "annotations.runbook_url"."""

    rule: Rule
    key: str
    value: str
    reason: str
    silenced_s: float = 0.0  # for `for`: a firing that lasted this long would have stayed silent


def advise(rules: Iterable[Rule], worst: Sequence[RuleFigures], found: Sequence[Firing], runbooks: str = "") -> list[Advice]:
    """What would make the worst rules quieter; a rule that is in no file, or fired too seldom to judge, gets none."""
    names = {one.name for one in worst}
    advice: list[Advice] = []
    for rule in rules:
        if rule.name in names:
            mine = [firing.lasted for firing in found if rule.says(firing.labels)]
            advice += _on(rule, sorted(mine), runbooks) if len(mine) >= ENOUGH else ()
    return advice


def _on(rule: Rule, lasted: Sequence[timedelta], runbooks: str) -> Iterator[Advice]:
    short = [one for one in lasted if one <= SHORT]
    share = len(short) / len(lasted)
    critical = severity_of(rule.fixed.get("severity", "")) in CRITICAL
    if critical and share >= NEARLY_ALL and len(lasted) >= 2 * ENOUGH:
        reason = f"{100 * share:.0f} % of {len(lasted)} firings were over within {_minutes(SHORT)}, before anybody acted"
        yield Advice(rule, "labels.severity", "warning", reason)
    if not critical and share >= MOSTLY:
        now, span = seconds_of(rule.wait), short[min(len(short) - 1, int(0.9 * len(short)))].total_seconds()
        wait = min(LONGEST.total_seconds(), 60 * math.ceil((now + span + 1) / 60))
        if wait > now:
            silent = sum(s.total_seconds() < wait - now for s in lasted)
            reason = f"{silent} of {len(lasted)} firings were over within {(wait - now) / 60:.3g} min more"
            yield Advice(rule, "for", f"{wait / 60:.0f}m", reason, silenced_s=min(span, wait - now - 1))
    if runbooks and "runbook_url" not in rule.annotations:
        url = f"{runbooks.rstrip('/')}/{quote(rule.name.lower(), safe='')}"
        yield Advice(rule, "annotations.runbook_url", url, f"it fired {len(lasted)} times and says nobody what to do")


def _minutes(span: timedelta) -> str:
    return f"{span / timedelta(minutes=1):.0f} min"


def seconds_of(told: str) -> float:
    """A duration of Prometheus, such as "1h30m", in seconds; 0 for "". Raises BadSettings."""
    parts = _PART.findall(told)
    if "".join(f"{n}{unit}" for n, unit in parts) != told.strip() and told.strip() != "0":
        raise BadSettings(f"{told[:20]!r} is no duration of Prometheus, such as 5m.")
    return sum(int(n) * _UNITS[unit] for n, unit in parts)


def patched(file: Path, advice: Iterable[Advice]) -> str:
    """The text of a rule file with the advice on its rules."""
    return edited(read_text(file), [(one.rule, one.key, one.value) for one in advice if one.rule.file == file])


def diff(file: Path, after: str) -> str:
    """A patch of one file, for `patch -p0` in the current folder."""
    here = Path.cwd()
    name = str(file.resolve().relative_to(here) if file.resolve().is_relative_to(here) else file)
    lines = difflib.unified_diff(_lines(read_text(file)), _lines(after), name, name)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(text: str) -> list[str]:
    return [line for line in re.split(r"(?<=\n)", text) if line]  # splitlines would cut at form feeds and the like too


def names_of(files: Iterable[Path]) -> dict[Path, str]:
    """A name for each file in one folder, where files of several folders may be called the same."""
    names: dict[Path, str] = {}
    for file in files:
        name, number = file.name, 2
        if name in names.values():
            name = f"{file.resolve().parent.name}-{file.name}"
        while name in names.values():
            name, number = f"{number}-{file.name}", number + 1
        names[file] = name
    return names


def promtool_test(file: Path, name: str, advice: Iterable[Advice]) -> tuple[str, str]:
    """A promtool test of the patched file `name`, and the rules that stand in for those whose expression is no plain comparison.

    The test says of each rule with a new `for:` that what used to be over within it stays silent, and what lasts still fires.
    """
    tests: list[dict[str, object]] = []
    stand_ins: list[dict[str, object]] = []
    for number, one in enumerate(advice):
        if one.rule.file != file or one.key != "for":
            continue
        series, labels = plain_series(one.rule.expr), one.rule.fixed
        if series is None:
            labels = {**labels, STAND_IN: str(number)}
            stand_in = f'{STAND_IN}{{rule="{number}"}}'
            stand_ins.append({"alert": one.rule.name, "expr": f"{stand_in} == 1", "for": one.value, "labels": labels})
            series = (stand_in, "1", "0")
        tests += _tests(one, labels, *series)
    stem = Path(name).stem
    whole = {"rule_files": [name, *([f"{stem}.stand-in.yml"] if stand_ins else [])], "evaluation_interval": "1m"}
    text = yaml.safe_dump({**whole, "tests": tests}, sort_keys=False, allow_unicode=True)
    groups = {"groups": [{"name": "stand-ins", "rules": stand_ins}]}
    return text, yaml.safe_dump(groups, sort_keys=False, allow_unicode=True) if stand_ins else ""


def _tests(advice: Advice, labels: Mapping[str, str], series: str, true: str, false: str) -> Iterator[dict[str, object]]:
    wait = round(seconds_of(advice.value) / 60)
    alert = {"alertname": advice.rule.name, "alertstate": "firing", **labels}
    fires = "count(ALERTS{" + ",".join(f'{k}="{_quoted(v)}"' for k, v in alert.items()) + "})"
    before = round(seconds_of(advice.rule.wait) / 60)
    brief = min(wait - 1, before + math.ceil(advice.silenced_s / 60))
    yield {
        "name": f"{advice.rule.name}: over after {brief} min, nobody is woken",
        "interval": "1m",
        "input_series": [{"series": series, "values": f"{true}x{max(0, brief - 1)} {false}x{wait + 5}"}],
        "promql_expr_test": [{"expr": fires, "eval_time": f"{minute}m", "exp_samples": []} for minute in (brief, wait, wait + 3)],
    }
    yield {
        "name": f"{advice.rule.name}: it lasts, so it fires",
        "interval": "1m",
        "input_series": [{"series": series, "values": f"{true}x{wait + 5}"}],
        "promql_expr_test": [{"expr": fires, "eval_time": f"{wait + 1}m", "exp_samples": [{"labels": "{}", "value": 1}]}],
    }


def plain_series(expr: str) -> tuple[str, str, str] | None:
    """For `metric{label="value"} > 5`: the series, a value that makes it true, one that makes it false; None for all else."""
    found = _SIMPLE.match(" ".join(expr.split()))
    if found is None:
        return None
    pairs = [_LABEL.match(part) for part in (found["labels"] or "").split(",") if part.strip()]
    if any(pair is None for pair in pairs):
        return None
    value = float(found["value"])
    more, less, same = f"{value + 1:g}", f"{value - 1:g}", f"{value:g}"
    true, false = {
        ">": (more, same), ">=": (same, less), "<": (less, same), "<=": (same, more), "==": (same, more), "!=": (more, same),
    }[found["sign"]]  # fmt: skip
    return f"{found['metric']}{{{found['labels'] or ''}}}", true, false


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')

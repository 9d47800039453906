"""Advice on the noisiest rules: a longer `for:`, a milder severity, a runbook, as a patch, with a test that promtool runs.

A firing begins once `for:` is over; so one that lasted d would have stayed silent with a `for:` that is longer by d.
Test format: https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/.
"""

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import yaml

from bot.domain.noise import CRITICAL
from bot.domain.vocabulary import severity_of
from bot.errors import BadSettings
from bot.evals.backtest.figures import SHORT, RuleFigures
from bot.evals.backtest.history import Firing
from bot.evals.backtest.rulefile import Rule, edited

ENOUGH = 5  # firings, before anything is said of a rule
MOSTLY = 0.5  # the share of short firings from which a longer `for:` helps
NEARLY_ALL = 0.9  # ... and from which a critical alert is none
LONGEST = timedelta(minutes=15)  # no `for:` is proposed beyond
STAND_IN = "tocsin_stand_in"
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_PART = re.compile(r"(\d+)(ms|[smhdwy])")
_SIMPLE = re.compile(
    r"^(?P<metric>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>[^{}]*)\})?\s*(?P<sign>==|!=|>=|<=|>|<)\s*(?:bool\s+)?(?P<value>-?\d+(?:\.\d+)?)$"
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
    figures = {one.name: one for one in worst if one.firings >= ENOUGH}
    advice: list[Advice] = []
    for rule in rules:
        if rule.name not in figures:
            continue
        lasted = sorted(f.lasted for f in found if f.name == rule.name and f.lasted <= SHORT)
        advice += _on(rule, figures[rule.name], lasted, runbooks)
    return advice


def _on(rule: Rule, figures: RuleFigures, short: Sequence[timedelta], runbooks: str) -> Iterator[Advice]:
    critical = severity_of(rule.labels.get("severity", "")) in CRITICAL
    if (
        critical
        and figures.short >= NEARLY_ALL
        and figures.firings >= 2 * ENOUGH
        and not rule.labels["severity"].startswith("{{")
    ):
        reason = (
            f"{100 * figures.short:.0f} % of {figures.firings} firings were over within {_minutes(SHORT)}, before anybody acted"
        )
        yield Advice(rule, "labels.severity", "warning", reason)
    if not critical and short and figures.short >= MOSTLY:
        now, span = seconds_of(rule.wait), short[min(len(short) - 1, int(0.9 * len(short)))].total_seconds()
        wait = min(LONGEST.total_seconds(), 60 * math.ceil((now + span + 1) / 60))
        if wait > now:
            silent = sum(s.total_seconds() < wait - now for s in short)
            reason = f"{silent} of {figures.firings} firings were over within {(wait - now) / 60:.0f} min more"
            yield Advice(rule, "for", f"{wait / 60:.0f}m", reason, silenced_s=min(span, wait - now - 1))
    if runbooks and "runbook_url" not in rule.annotations:
        url = f"{runbooks.rstrip('/')}/{rule.name.lower()}"
        yield Advice(rule, "annotations.runbook_url", url, f"it fired {figures.firings} times and says nobody what to do")


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
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    mine = [one for one in advice if one.rule.file == file]
    for one in sorted(mine, key=lambda a: (-a.rule.start, -_line_of(a))):
        edited(lines, one.rule, one.key, one.value)
    return "".join(lines)


def _line_of(advice: Advice) -> int:
    """Where the rule is changed; what comes further down is changed first, since lines move."""
    rule, part = advice.rule, advice.key.partition(".")[0]
    return rule.inside.get(advice.key, rule.keys.get(part, rule.keys["expr"] if part == "for" else (rule.end, rule.end)))[0]


def diff(file: Path, after: str) -> str:
    """A patch of one file, for `patch -p0`."""
    before = file.read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(difflib.unified_diff(before, after.splitlines(keepends=True), str(file), str(file)))


def test_of(file: Path, advice: Iterable[Advice]) -> tuple[str, str]:
    """A promtool test of the patched file, and the rules that stand in for those whose expression is no plain comparison.

    The test says of each rule with a new `for:` that what used to be over within it stays silent, and what lasts still fires.
    """
    tests: list[dict[str, object]] = []
    stand_ins: list[dict[str, object]] = []
    for one in advice:
        if one.rule.file != file or one.key != "for":
            continue
        series = plain_series(one.rule.expr)
        if series is None:
            labels = {k: v for k, v in one.rule.labels.items() if "{{" not in v}
            stand_in = f'{STAND_IN}{{rule="{_quoted(one.rule.name)}"}}'
            stand_ins.append({"alert": one.rule.name, "expr": f"{stand_in} == 1", "for": one.value, "labels": labels})
            series = (stand_in, "1", "0")
        tests += _tests(one, *series)
    whole = {"rule_files": [file.name, *([f"{file.stem}.stand-in.yml"] if stand_ins else [])], "evaluation_interval": "1m"}
    text = yaml.safe_dump({**whole, "tests": tests}, sort_keys=False, allow_unicode=True)
    groups = {"groups": [{"name": "stand-ins", "rules": stand_ins}]}
    return text, yaml.safe_dump(groups, sort_keys=False, allow_unicode=True) if stand_ins else ""


def _tests(advice: Advice, series: str, true: str, false: str) -> Iterator[dict[str, object]]:
    wait = round(seconds_of(advice.value) / 60)
    fires = f'count(ALERTS{{alertname="{_quoted(advice.rule.name)}",alertstate="firing"}})'
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

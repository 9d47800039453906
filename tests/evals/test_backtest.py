"""A past becomes firings, rule files are edited without losing anything, and promtool agrees with the advice."""

import argparse
import csv
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from bot.cli import main
from bot.commands.backtest import LONGEST, _check, _harmless
from bot.commands.replaying import QUIET, WHOLE
from bot.domain.alert import Severity
from bot.domain.noise import Decision, Kind, Outcome
from bot.errors import BadSettings
from bot.evals.backtest.advice import advise, diff, names_of, patched, plain_series, promtool_test, seconds_of
from bot.evals.backtest.deliveries import deliveries
from bot.evals.backtest.figures import RuleFigures, outlook, sentences
from bot.evals.backtest.history import Firing, firings
from bot.evals.backtest.reading import read_deployments
from bot.evals.backtest.rulefile import edited, read_rules
from bot.evals.noise import Fate, Seen
from bot.settings import load
from tests.evals.past_prometheus import RULES, past_prometheus

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
UNTIL = NOON + timedelta(days=1)


def stamps(*minutes: float) -> list[float]:
    return [NOON.timestamp() + 60 * m for m in minutes]


def fired(name: str, minutes: float, times: int = 1, **labels: str) -> list[Firing]:
    span = timedelta(minutes=minutes)
    said = {"alertname": name, **labels}
    return [Firing(said, at, at + span) for at in (NOON + timedelta(hours=n) for n in range(times))]


def figures(name: str) -> RuleFigures:
    return RuleFigures(name, "warning", 0, 0, 0, 0, 0, 0, 0)


class TestHistory:
    def test_samples_at_one_pace_are_one_firing_and_a_gap_begins_another(self) -> None:
        labels = {"__name__": "ALERTS", "alertstate": "firing", "alertname": "Down", "job": "x"}
        one, two = firings([(labels, stamps(0, 1, 2, 10, 11))], UNTIL)
        assert one == Firing({"alertname": "Down", "job": "x"}, NOON, NOON + timedelta(minutes=3))
        assert (two.start, two.lasted) == (NOON + timedelta(minutes=10), timedelta(minutes=2))

    def test_a_sample_that_was_missed_once_ends_nothing(self) -> None:
        assert len(firings([({"alertname": "Down"}, stamps(0, 1, 3, 4))], UNTIL)) == 1

    def test_pieces_of_one_series_of_two_days_are_one_firing(self) -> None:
        pieces = [({"alertname": "Down"}, stamps(0, 1)), ({"alertname": "Down"}, stamps(1, 2))]
        assert [f.lasted for f in firings(pieces, UNTIL)] == [timedelta(minutes=3)]

    def test_a_group_evaluated_each_five_minutes_has_its_own_pace(self) -> None:
        assert [f.lasted for f in firings([({"alertname": "Slow"}, stamps(0, 5, 10))], UNTIL)] == [timedelta(minutes=15)]

    def test_what_still_fires_is_open_and_is_never_told_as_resolved(self) -> None:
        found = firings([({"alertname": "Down"}, stamps(0, 1))], NOON + timedelta(seconds=90))
        assert found[0].open
        assert [b'"status": "firing"' in one.body for one in deliveries(found, [], "")] == [True]

    def test_deployments_stand_between_the_alerts_by_their_time(self) -> None:
        found = fired("Down", 5)
        sent = deliveries(found, [(NOON + timedelta(minutes=1), "", "v43")], "shop")
        assert [one.connector for one in sent] == ["alertmanager", "change", "alertmanager"]
        assert b'"service": "shop"' in sent[1].body


class TestFigures:
    def test_holds_are_followed_by_a_critical_alert_of_the_same_service_by_whatever_name(self) -> None:
        found = [*fired("Slow", 2, service="pay"), *fired("Down", 9, service="pay-api", severity="critical")]
        hold = Decision(
            "1", NOON - timedelta(minutes=5), "f", "Slow", "pay", "production", "t", Severity.SEV3, Kind.TRANSIENTS, True, "why",
            outcome=Outcome.CLEARED,
        )  # fmt: skip
        seen = Seen({"0": Fate(NOON, "a"), "1": Fate(NOON, "b")}, {"b": NOON}, 1, 2)
        told = outlook(found, seen, [hold], [], (NOON, UNTIL), lambda name: name.removesuffix("-api"))
        assert (told.cards, told.held, told.cleared, told.followed, told.held_criticals) == (1, 1, 1, 1, 0)
        assert outlook(found, seen, [hold], [], (NOON, UNTIL)).followed == 0  # nobody says that the two are one service
        said = list(sentences(told))
        assert said[0].startswith("2 firings of 2 rules in 1 days -> 1 cards")
        assert "1 were followed by a critical alert" in said[1]


BLOCK = """# top
groups:
- name: g
  rules:
  - alert: Slow   # trailing
    expr: |-
      rate(x[5m])
        > 3
    for: 0s  # zero
    labels: {severity: critical, "team": a}  # both
    annotations:
      # why
      summary: "x # no comment"

  # about the next one
  - record: job:x
    expr: sum(x)
"""
FLOW = "groups: [{name: g, rules: [{alert: Slow, expr: x > 1, labels: {severity: critical,},}, {record: a, expr: b}]}]\n"
BARE = "groups:\n  - name: g\n    rules:\n      - alert: Slow\n        expr: up == 0"
EMPTY = BARE.replace("expr:", "for:\n        labels:\n        annotations: {}\n        expr:")
LITERAL = BARE.replace("up == 0", "|\n          up\n          # a comment of PromQL\n          == 0\n\n  # of nobody\n")
CHANGES = {"for": "4m", "labels.severity": "warning", "annotations.runbook_url": "https://wiki.example/a?b=c, d"}


class TestRuleFiles:
    @pytest.mark.parametrize("text", [BLOCK, FLOW, BARE, EMPTY, LITERAL, BLOCK.replace("\n", "\r\n")])
    def test_every_layout_takes_every_change_and_keeps_the_rest(self, tmp_path: Path, text: str) -> None:
        file = tmp_path / "a.yml"
        file.write_bytes(text.encode())
        (rule,) = read_rules([file, tmp_path / "." / "a.yml"])
        before, after = yaml.safe_load(text), edited(text, [(rule, key, value) for key, value in CHANGES.items()])
        now = yaml.safe_load(after)
        wanted = before["groups"][0]["rules"][0]
        wanted["for"] = "4m"
        wanted["labels"] = {**(wanted.get("labels") or {}), "severity": "warning"}
        wanted["annotations"] = {**(wanted.get("annotations") or {}), "runbook_url": CHANGES["annotations.runbook_url"]}
        assert now == before
        assert [c for c in text.splitlines() if "#" in c and ":" not in c] == [
            c for c in after.splitlines() if "#" in c and ":" not in c
        ]
        assert after.count("\r") == (after.count("\n") if "\r" in text else 0)

    def test_a_comment_behind_a_value_stays_as_it_is(self, tmp_path: Path) -> None:
        file = tmp_path / "a.yml"
        file.write_text(BLOCK)
        after = edited(BLOCK, [(read_rules([file])[0], "for", "4m")])
        assert after == BLOCK.replace("for: 0s  # zero", "for: 4m  # zero")

    @pytest.mark.parametrize(
        ("content", "why"),
        [(b"groups: [", "is no YAML"), (b"a: 1", "no list `groups`"), (b"\xff\xfe", "not UTF-8"), (None, "No such file")],
    )
    def test_what_is_no_rule_file_is_named(self, tmp_path: Path, content: bytes | None, why: str) -> None:
        file = tmp_path / "rules.yml"
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(BadSettings, match=f"--rules .*rules.yml .*{why}"):
            read_rules([file])

    def test_files_of_one_name_get_names_of_their_own(self, tmp_path: Path) -> None:
        files = [tmp_path / "a" / "x.yml", tmp_path / "b" / "x.yml", tmp_path / "b" / "b" / "x.yml"]
        assert list(names_of(files).values()) == ["x.yml", "b-x.yml", "2-x.yml"]


class TestAdvice:
    def rules(self, tmp_path: Path, text: str = RULES) -> Path:
        file = tmp_path / "shop.rules.yml"
        file.write_text(text)
        return file

    def test_short_firings_ask_for_a_longer_wait_and_rare_ones_for_nothing(self, tmp_path: Path) -> None:
        found = [
            *fired("NodeLoadHigh", 2, 20, severity="warning"),
            *fired("QueueSlow", 2, 4, severity="warning", service="queue"),
        ]
        advice = advise(read_rules([self.rules(tmp_path)]), [figures("NodeLoadHigh"), figures("QueueSlow")], found)
        assert [(a.rule.name, a.key, a.value) for a in advice] == [("NodeLoadHigh", "for", "4m")]
        assert advice[0].reason == "20 of 20 firings were over within 3 min more"

    def test_a_critical_alert_that_always_clears_at_once_is_a_warning_and_its_wait_stays(self, tmp_path: Path) -> None:
        found = fired("PaymentErrors", 2, 20, severity="critical", service="payments")
        advice = advise(read_rules([self.rules(tmp_path)]), [figures("PaymentErrors")], found, "https://wiki.example")
        assert [(a.key, a.value) for a in advice] == [("labels.severity", "warning")]

    def test_two_rules_of_one_name_are_judged_each_by_its_own_labels(self, tmp_path: Path) -> None:
        one = "      - {alert: Slow, expr: x > %d, labels: {severity: %s}}\n"
        text = "groups:\n  - name: g\n    rules:\n" + one % (1, "warning") + one % (9, "critical")
        found = [*fired("Slow", 2, 20, severity="warning"), *fired("Slow", 90, 20, severity="critical")]
        advice = advise(read_rules([self.rules(tmp_path, text)]), [figures("Slow")], found)
        assert [(a.key, a.rule.labels["severity"]) for a in advice] == [("for", "warning")]

    def test_a_label_with_a_template_is_no_severity_that_is_known(self, tmp_path: Path) -> None:
        text = FLOW.replace("critical", '"{{ if gt $value 3.0 }}critical{{ end }}"')
        found = fired("Slow", 2, 20, severity="critical")
        assert [a.key for a in advise(read_rules([self.rules(tmp_path, text)]), [figures("Slow")], found)] == ["for"]

    def test_a_runbook_is_proposed_only_where_none_is(self, tmp_path: Path) -> None:
        found = [
            *fired("PaymentErrors", 45, 9, severity="critical", service="payments"),
            *fired("NodeLoadHigh", 45, 9, severity="warning"),
        ]
        worst = [figures("PaymentErrors"), figures("NodeLoadHigh")]
        (one,) = advise(read_rules([self.rules(tmp_path)]), worst, found, "https://wiki.example/r/")
        assert (one.rule.name, one.value) == ("NodeLoadHigh", "https://wiki.example/r/nodeloadhigh")

    def test_the_patch_is_one_that_patch_takes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        file = self.rules(tmp_path, RULES.rstrip("\n"))
        found = fired("QueueSlow", 2, 20, severity="warning", service="queue")
        advice = advise(read_rules([file]), [figures("QueueSlow")], found, "https://wiki.example")
        after = patched(file, advice)
        assert file.read_text() != after
        tool = shutil.which("patch")
        assert tool is not None, "patch(1) is a part of every development machine"
        subprocess.run([tool, "-p0"], input=diff(file, after).encode(), check=True, capture_output=True)
        assert file.read_text() == after

    @pytest.mark.parametrize(
        ("told", "seconds"), [("", 0), ("0", 0), ("0s", 0), ("1h30m", 5400), ("500ms", 0.5), ("1d", 86400), (" 5m ", 300)]
    )
    def test_durations_are_read_as_prometheus_reads_them(self, told: str, seconds: float) -> None:
        assert seconds_of(told) == seconds

    def test_what_is_no_duration_is_refused(self) -> None:
        with pytest.raises(BadSettings, match="'5 minutes' is no duration"):
            seconds_of("5 minutes")

    @pytest.mark.parametrize(
        ("expr", "series"),
        [
            ('node_load1{job="node"} > 12', ('node_load1{job="node"}', "13", "12")),
            ("up == 0", ("up{}", "0", "1")),
            ("a <= 1.5", ("a{}", "1.5", "2.5")),
            ("a != 3", ("a{}", "4", "3")),
            ('a{job=~"x"} > 1', None),
            ("a > bool 1", None),
            ("rate(a[5m]) > 1", None),
            ("absent(up)", None),
        ],
    )
    def test_only_a_plain_comparison_is_tried_as_it_is(self, expr: str, series: tuple[str, str, str] | None) -> None:
        assert plain_series(expr) == series

    @pytest.mark.slow
    def test_promtool_agrees_with_all_that_is_hard(self, tmp_path: Path) -> None:
        """Two rules of one name, an expression that fires without any series, flow style, a group with its own interval."""
        tool = shutil.which("promtool")
        if tool is None:
            pytest.skip("promtool is not installed (a part of the package prometheus of Debian and Ubuntu)")
        text = """groups:
  - name: flow
    rules: [{alert: Slow, expr: x > 1, labels: {severity: warning}}, {alert: Slow, expr: x > 9, labels: {severity: info}}]
  - name: seldom
    interval: 2m
    rules:
      - alert: Gone
        expr: absent(up{job="a"})
        labels: {severity: warning, who: '{{ $labels.job }}'}
"""
        file = self.rules(tmp_path, text)
        found = [f for s in ("warning", "info") for f in fired("Slow", 2, 9, severity=s)] + fired(
            "Gone", 3, 9, severity="warning", who="a"
        )
        advice = advise(read_rules([file]), [figures("Slow"), figures("Gone")], found, "https://wiki.example")
        assert [a.key for a in advice].count("for") == 3
        (tmp_path / "new.yml").write_text(patched(file, advice))
        test, stand_ins = promtool_test(file, "new.yml", advice)
        (tmp_path / "new.test.yml").write_text(test)
        (tmp_path / "new.stand-in.yml").write_text(stand_ins)
        for argv in (["check", "rules", "new.yml"], ["test", "rules", "new.test.yml"]):
            told = subprocess.run([tool, *argv], cwd=tmp_path, capture_output=True, text=True, check=False)
            assert told.returncode == 0, told.stdout + told.stderr


def test_tags_are_deployments_of_the_service_in_front_of_the_version(tmp_path: Path) -> None:
    def git(*argv: str) -> None:
        subprocess.run(
            ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", *argv], check=True, capture_output=True
        )

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "x")
    for tag in ("payments-v43", "cart/1.2.3", "web@v2", "v7", "nightly", "order-db-v1"):
        git("tag", tag)
    long_ago = datetime(2000, 1, 1, tzinfo=UTC)
    found = {(service, version) for _, service, version in read_deployments(tmp_path, long_ago)}
    assert found == {("payments", "v43"), ("cart", "1.2.3"), ("web", "v2"), ("", "v7"), ("order-db", "v1")}
    assert read_deployments(tmp_path, datetime.now(UTC) + timedelta(days=1)) == []
    with pytest.raises(BadSettings, match=r"--git .*not a git repository"):
        read_deployments(Path("/"), long_ago)


@pytest.mark.parametrize(
    ("name", "safe"), [("=1+1", "'=1+1"), ("@x", "'@x"), ("-x", "'-x"), ("+x", "'+x"), ("a=b", "a=b"), (5, 5)]
)
def test_no_alert_name_becomes_a_formula_in_a_spreadsheet(name: object, safe: object) -> None:
    assert _harmless(name) == safe


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"prometheus": "nonsense"}, "--prometheus 'nonsense' is no address; a good value: http"),
        ({"days": 0.0}, "--days 0: has to be more than 0"),
        ({"days": 1e9}, "--days 1e.09: has to be .* at most 3650"),
        ({"days": float("nan")}, "--days nan"),
        ({"git": Path("/nope")}, "--git /nope is no folder"),
        ({"services": Path("/nope")}, "--services /nope does not exist"),
        ({"csv": Path("/nope/x.csv")}, "--csv /nope/x.csv cannot be written"),
        ({"chart": Path("x.gif")}, "--chart x.gif: the name has to end with one of .png"),
        ({"rules": [Path("x.yml")], "advice": Path()}, "--advice . holds the rule files themselves"),
        ({"token_file": Path("/nope")}, "--token-file /nope cannot be read"),
    ],
)
def test_what_is_wrong_is_named_before_anything_is_asked(wrong: dict[str, object], said: str) -> None:
    right = {"prometheus": "http://x", "days": 90.0, "git": None, "services": None, "csv": None, "chart": None, "rules": None}
    with pytest.raises(BadSettings, match=said):
        _check(argparse.Namespace(**{**right, "advice": Path("advice"), "token_file": None, **wrong}))


def test_a_replay_forgets_no_decision_of_the_longest_past(tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text(QUIET + WHOLE)
    assert load({"SLACK_BOT_TOKEN": "x"}, tmp_path).retention.alert_days >= LONGEST


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_real_past_is_replayed_and_the_advice_passes_promtool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.rules.yml").write_text(RULES)
    days = 6
    with past_prometheus(tmp_path, datetime.now(UTC).replace(microsecond=0), days) as url:
        argv = ["backtest", "--prometheus", url, "--days", str(days), "--csv", "out.csv", "--chart", "out.png"]
        status = main([*argv, "--rules", "shop.rules.yml", "--runbook-base", "https://wiki.example"])
    said = capsys.readouterr().out
    assert status == 0, said
    assert "FAILS" not in said
    assert "promtool test rules shop.rules.test.yml: passes" in said
    assert "0 of them held" in said
    rows = {row["name"]: row for row in csv.DictReader((tmp_path / "out.csv").open())}
    assert int(rows["PaymentErrors"]["cards"]) == int(rows["PaymentErrors"]["firings"])
    assert int(rows["NodeLoadHigh"]["held"]) > 0.4 * int(rows["NodeLoadHigh"]["firings"])
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "shop.rules.yml").read_text() == RULES

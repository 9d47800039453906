"""tocsin backtest: what would have happened to the alerts that a Prometheus remembers, and what its noisiest rules need."""

import argparse
import csv
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from bot.commands import Commands, runs
from bot.commands.evaluate import progress
from bot.errors import BadSettings

if TYPE_CHECKING:
    from bot.evals.backtest.figures import Outlook
    from bot.evals.backtest.history import Firing

HOUR = timedelta(hours=1)
CHARTS = (".png", ".svg", ".pdf")


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("backtest", help="replay the alerts that a Prometheus remembers; needs no set-up")
    parser.add_argument("--prometheus", required=True, metavar="URL", help="such as http://127.0.0.1:9090")
    parser.add_argument("--token-file", type=Path, help="a file with a bearer token for it")
    parser.add_argument("--days", type=float, default=90, help="how far back (default 90)")
    parser.add_argument("--git", type=Path, metavar="REPO", help="its tags are deployments: payments-v43, payments/v43, v43")
    parser.add_argument("--services", type=Path, help="a catalogue; default: services.yaml of this folder, if there is one")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="the rules, one row each")
    parser.add_argument("--chart", type=Path, metavar="FILE", help=f"a picture ({', '.join(CHARTS)})")
    parser.add_argument("--rules", type=Path, nargs="+", metavar="FILE", help="rule files of this Prometheus, to be advised on")
    parser.add_argument(
        "--advice", type=Path, metavar="FOLDER", default=Path("advice"), help="where the advice goes (default ./advice)"
    )
    parser.add_argument("--runbook-base", default="", metavar="URL", help="propose runbook_url annotations below this address")
    parser.set_defaults(run=runs(_backtest))


async def _backtest(args: argparse.Namespace) -> int:
    from bot.commands.replaying import assembled  # slow: the whole bot
    from bot.evals.backtest.deliveries import deliveries
    from bot.evals.backtest.figures import outlook, sentences
    from bot.evals.backtest.history import firings
    from bot.evals.backtest.reading import read_alerts, read_deployments
    from bot.evals.backtest.rulefile import read_rules

    _check(args)
    rules = read_rules(args.rules or ())
    token = args.token_file.read_text(encoding="utf-8").strip() if args.token_file else ""
    end = datetime.now(UTC).replace(microsecond=0)
    start = end - timedelta(days=args.days)
    found = firings(await read_alerts(args.prometheus, token, start, end, progress), end)
    if not found:
        print(f"Nothing fired in these {args.days:g} days: {args.prometheus} has no series ALERTS.")
        return 0
    deployed = read_deployments(args.git, start) if args.git else []
    stream = deliveries(found, deployed, args.git.resolve().name if args.git else "")
    progress(f"{len(found)} firings, {len(deployed)} deployments; replaying")
    with _catalogue(args.services, args.config) as services, assembled(services, stream[0].at, seldom=HOUR) as replay:
        seen = await replay.run(stream)
        decided = await replay.decided()
    told = outlook(found, seen, decided, deployed, (start, end))
    print("\n".join(sentences(told)))
    if args.csv:
        _write_csv(told, args.csv)
    if args.chart:
        from bot.evals.backtest.chart import draw

        draw(told, args.chart)
        print(f"picture: {args.chart}")
    return _advise(rules, told, found, args) if rules else 0


def _check(args: argparse.Namespace) -> None:
    if args.chart and args.chart.suffix not in CHARTS:
        raise BadSettings(f"--chart {args.chart}: the name has to end with one of {', '.join(CHARTS)}.")
    if args.days <= 0:
        raise BadSettings("--days has to be more than 0.")


def _catalogue(given: Path | None, folder: Path) -> AbstractContextManager[Path]:
    """The catalogue to replay with; an empty one where there is none."""
    usual = folder / "services.yaml"
    if given is not None and not given.exists():
        raise BadSettings(f"--services {given} does not exist.")
    if given is not None or usual.exists():
        return nullcontext(given or usual)
    return _Empty()


class _Empty:
    """A catalogue without services, for as long as it is needed."""

    def __enter__(self) -> Path:
        with NamedTemporaryFile("w", suffix=".yaml", delete=False) as file:
            file.write("services: []\n")
        self._file = Path(file.name)
        return self._file

    def __exit__(self, *_: object) -> None:
        self._file.unlink(missing_ok=True)


def _write_csv(told: "Outlook", file: Path) -> None:
    rows = [asdict(rule) for rule in told.rules]
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows({k: _harmless(v) for k, v in row.items()} for row in rows)
    print(f"rules: {file}")


def _harmless(value: object) -> object:
    """A name that a spreadsheet would take for a formula is text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@" else value


def _advise(rules: "Iterable[object]", told: "Outlook", found: "Sequence[Firing]", args: argparse.Namespace) -> int:
    from bot.evals.backtest import advice as advising
    from bot.evals.backtest.rulefile import Rule

    advice = advising.advise([r for r in rules if isinstance(r, Rule)], told.rules[:20], found, args.runbook_base)
    if not advice:
        print("advice: none of the noisiest rules is in these files, or none needs a change")
        return 0
    args.advice.mkdir(parents=True, exist_ok=True)
    patch = ""
    print("advice:")
    for one in advice:
        print(f"  {one.rule.name}: {one.key}: {one.value}  ({one.reason})")
    for file in dict.fromkeys(one.rule.file for one in advice):
        after = advising.patched(file, advice)
        patch += advising.diff(file, after)
        (args.advice / file.name).write_text(after, encoding="utf-8")
        test, stand_ins = advising.test_of(file, advice)
        (args.advice / f"{file.stem}.test.yml").write_text(test, encoding="utf-8")
        if stand_ins:
            (args.advice / f"{file.stem}.stand-in.yml").write_text(stand_ins, encoding="utf-8")
    (args.advice / "advice.patch").write_text(patch, encoding="utf-8")
    print(f"patch: {args.advice / 'advice.patch'}")
    return _promtool(args.advice, sorted({one.rule.file for one in advice}))


def _promtool(folder: Path, files: Sequence[Path]) -> int:
    """promtool checks the patched files and runs their tests; 1 if it finds fault with them."""
    tool = shutil.which("promtool")
    if tool is None:
        print("promtool is not installed (it comes with Prometheus), so the patch was not tried.")
        return 0
    worst = 0
    for file in files:
        for argv in ([tool, "check", "rules", file.name], [tool, "test", "rules", f"{file.stem}.test.yml"]):
            told = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
            said = "passes" if told.returncode == 0 else "FAILS\n" + (told.stdout + told.stderr).strip()[:2000]
            print(f"promtool {' '.join(argv[1:])}: {said}")
            worst = max(worst, min(told.returncode, 1))
    return worst

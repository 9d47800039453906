"""tocsin backtest: what would have happened to the alerts that a Prometheus remembers, and what its noisiest rules need."""

import argparse
import csv
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from bot.commands import Commands, runs
from bot.commands.figures import progress
from bot.errors import BadSettings

if TYPE_CHECKING:
    from bot.evals.backtest.figures import Outlook
    from bot.evals.backtest.history import Firing
    from bot.evals.backtest.rulefile import Rule

HOUR = timedelta(hours=1)
LONGEST = 3650  # days
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
    from bot.topology.catalogue import read_catalogue

    token = _check(args)
    rules = read_rules(args.rules or ())
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
        catalogue = read_catalogue(services.read_text(encoding="utf-8"), str(services))
    told = outlook(found, seen, decided, deployed, (start, end), lambda name: catalogue.get(name).name)
    print("\n".join(sentences(told)))
    if args.csv:
        _write_csv(told, args.csv)
    if args.chart:
        from bot.evals.backtest.chart import draw

        draw(told, args.chart)
        print(f"picture: {args.chart}")
    return _advise(rules, told, found, args) if rules else 0


def _check(args: argparse.Namespace) -> str:
    """Everything that can be wrong is found before an hour of reading; gives the bearer token."""
    if not args.prometheus.startswith(("http://", "https://")):
        raise BadSettings(f"--prometheus {args.prometheus[:80]!r} is no address; a good value: http://127.0.0.1:9090")
    if args.chart and args.chart.suffix not in CHARTS:
        raise BadSettings(f"--chart {args.chart}: the name has to end with one of {', '.join(CHARTS)}.")
    if not 0 < args.days <= LONGEST:
        raise BadSettings(f"--days {args.days:g}: has to be more than 0 and at most {LONGEST}; a good value: 90")
    if args.git and not args.git.is_dir():
        raise BadSettings(f"--git {args.git} is no folder; name a clone whose tags are deployments, such as payments-v43.")
    if args.services and not args.services.is_file():
        raise BadSettings(f"--services {args.services} does not exist; leave it out to replay without a catalogue.")
    for option, file in (("--csv", args.csv), ("--chart", args.chart)):
        if file and (file.is_dir() or not file.absolute().parent.is_dir()):
            raise BadSettings(f"{option} {file} cannot be written: it has to be a file in a folder that exists.")
    if args.rules and args.advice.resolve() in {file.resolve().parent for file in args.rules}:
        raise BadSettings(
            f"--advice {args.advice} holds the rule files themselves; name another folder, they are not written over."
        )
    if args.advice.exists() and not args.advice.is_dir():
        raise BadSettings(f"--advice {args.advice} is no folder; name one, it is made if need be.")
    try:
        return args.token_file.read_text(encoding="utf-8").strip() if args.token_file else ""
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"--token-file {args.token_file} cannot be read ({type(error).__name__}).") from None


def _catalogue(given: Path | None, folder: Path) -> AbstractContextManager[Path]:
    """The catalogue to replay with; an empty one where there is none."""
    usual = folder / "services.yaml"
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


def _advise(rules: "Sequence[Rule]", told: "Outlook", found: "Sequence[Firing]", args: argparse.Namespace) -> int:
    from bot.evals.backtest import advice as advising

    advice = advising.advise(rules, told.rules[:20], found, args.runbook_base)
    if not advice:
        print("advice: none of the noisiest rules is in these files, or none needs a change")
        return 0
    args.advice.mkdir(parents=True, exist_ok=True)
    patch = ""
    print("advice:")
    for one in advice:
        by_hand = "; by hand, since the file has YAML aliases" if one.rule.shared else ""
        print(f"  {one.rule.file}: {one.rule.name}: {one.key}: {one.value}  ({one.reason}{by_hand})")
    mine = [one for one in advice if not one.rule.shared]
    names = advising.names_of(dict.fromkeys(one.rule.file for one in mine))
    for file, name in names.items():
        after = advising.patched(file, mine)
        patch += advising.diff(file, after)
        test, stand_ins = advising.promtool_test(file, name, mine)
        stem = Path(name).stem
        for written, text in ((name, after), (f"{stem}.test.yml", test), (f"{stem}.stand-in.yml", stand_ins)):
            if text:
                (args.advice / written).write_bytes(text.encode())
    (args.advice / "advice.patch").write_bytes(patch.encode())
    print(f"patch: {args.advice / 'advice.patch'} (patch -p0 < {args.advice / 'advice.patch'})")
    return _promtool(args.advice, sorted(names.values()))


def _promtool(folder: Path, names: Sequence[str]) -> int:
    """promtool checks the patched files and runs their tests; 1 if it finds fault with them."""
    tool = shutil.which("promtool")
    if tool is None:
        print("promtool is not installed (it comes with Prometheus), so the patch was not tried.")
        return 0
    worst = 0
    for name in names:
        for argv in ([tool, "check", "rules", name], [tool, "test", "rules", f"{Path(name).stem}.test.yml"]):
            told = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
            found = dict.fromkeys(line.strip() for line in f"{told.stdout}\n{told.stderr}".splitlines() if line.strip())
            said = "passes" if told.returncode == 0 else "FAILS\n  " + "\n  ".join(found)[:2000]
            print(f"promtool {' '.join(argv[1:])}: {said}")
            worst = max(worst, min(told.returncode, 1))
    return worst

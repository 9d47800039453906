"""tocsin noise: what was held and why, silences, what is armed, and what was learned. Works beside a running bot."""

import argparse
import getpass
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.commands import Commands
from bot.errors import NotFound
from bot.redact import clean

if TYPE_CHECKING:
    from datetime import datetime

    from bot.ports import Transaction
    from bot.wiring import Stores

UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    parser = commands.add_parser("noise", help="what was held and why; silences; arm and disarm; reset what was learned")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("status", help="what was held, and what would have been, per team and kind").set_defaults(run=_status)
    listing = verbs.add_parser("list", help="each alert that was held or would have been, with its reason")
    listing.add_argument("--since", default="24h", metavar="SPAN", help="30m, 24h, 7d (default: 24h)")
    listing.add_argument("--search", default="", help="only those whose name, service, team, kind or reason says this")
    listing.set_defaults(run=_list)
    explain = verbs.add_parser("explain", help="the past of one problem, what was decided of it, and why")
    explain.add_argument("fingerprint", help="16 hex digits, or the name of its alert")
    explain.set_defaults(run=_explain)
    for word, about in (("arm", "have holds of a kind act for a team"), ("disarm", "have them only tell what they would do")):
        arm = verbs.add_parser(word, help=about)
        arm.add_argument("kind", help="transients, flapping, upstream, storms, alone or notices")
        arm.add_argument("--team", required=True, help="a service's owner in services.yaml, `unowned`, or `all`")
        arm.set_defaults(run=_arm, armed=word == "arm")
    silence = verbs.add_parser("silence", help="keep alerts that match from people for a while")
    silence.add_argument("matchers", nargs="+", metavar="MATCHER", help="service=payments, alertname=~'Disk.*', pod!=web-1")
    silence.add_argument("--for", dest="lasts", default="1h", metavar="SPAN", help="30m, 2h, 7d (default: 1h)")
    silence.add_argument("--reason", default="")
    silence.add_argument("--critical", action="store_true", help="critical alerts too; without it they still come through")
    silence.add_argument("--maintenance", action="store_true", help="call it a maintenance window")
    silence.set_defaults(run=_silence)
    verbs.add_parser("silences", help="the silences in force").set_defaults(run=_silences)
    unsilence = verbs.add_parser("unsilence", help="end a silence now")
    unsilence.add_argument("id", metavar="SIL-n")
    unsilence.set_defaults(run=_unsilence)
    reset = verbs.add_parser("reset", help="forget what was learned, of one problem or of all; nothing that is held is let go")
    reset.add_argument("fingerprint", nargs="?", default="")
    reset.set_defaults(run=_reset)


def read_span(text: str) -> timedelta:
    """Reads "30m", "24h" or "7d". Raises NotFound."""
    if not (text[:-1].isdigit() and len(text) < 6 and text[-1:] in UNITS):
        raise NotFound(f"{text[:20]!r} is not a span of time; good ones are 30m, 24h and 7d.")
    return timedelta(**{UNITS[text[-1]]: int(text[:-1])})


def _read(args: argparse.Namespace, tell: "Callable[[Transaction, Stores, datetime], list[str]]") -> int:
    from bot.wiring import ask, utc_now  # slow: only commands that need the bot pay for it

    for line in ask(args.config, lambda stores, tx: tell(tx, stores, utc_now())):
        print(clean(line))
    return 0


def _write(args: argparse.Namespace, deed: "Callable[[Transaction, Stores, datetime], str]") -> int:
    from bot.wiring import Stores, beside, utc_now  # slow, as above

    print(clean(beside(args.config, lambda db: db.write_now(lambda tx: deed(tx, Stores(), utc_now())))))
    return 0


def _who() -> str:
    return f"{getpass.getuser()} (terminal)"[:64]


def _status(args: argparse.Namespace) -> int:
    from bot.flows.quiet.quieting import status  # slow, as above

    return _read(args, status)


def _list(args: argparse.Namespace) -> int:
    from bot.flows.quiet.quieting import listing  # slow, as above

    since = read_span(args.since)
    return _read(args, lambda tx, stores, now: listing(tx, stores, now - since, args.search))


def _explain(args: argparse.Namespace) -> int:
    from bot.flows.quiet.quieting import explain  # slow, as above
    from bot.settings import load_settings

    limits = load_settings(args.config).quiet
    return _read(args, lambda tx, stores, now: explain(tx, stores, args.fingerprint, now, limits))


def _silences(args: argparse.Namespace) -> int:
    from bot.flows.quiet.quieting import silences  # slow, as above

    return _read(args, silences)


def _arm(args: argparse.Namespace) -> int:
    from bot.flows.quiet.quieting import arm  # slow, as above

    return _write(args, lambda tx, stores, now: arm(tx, stores, args.kind, args.team, _who(), now, armed=args.armed))


def _silence(args: argparse.Namespace) -> int:
    from bot.domain.noise import Kind  # slow, as above
    from bot.flows.quiet.quieting import one_line, silence

    kind = Kind.MAINTENANCE if args.maintenance else Kind.SILENCE
    lasts = read_span(args.lasts)

    def go(tx: "Transaction", stores: "Stores", now: "datetime") -> str:
        made = silence(
            tx, stores, args.matchers, lasts, _who(), now, reason=args.reason, critical=args.critical, kind=kind
        )  # fmt: skip
        return one_line(made, now)

    return _write(args, go)


def _unsilence(args: argparse.Namespace) -> int:
    from bot.durable.work import DurableWork  # slow, as above
    from bot.flows.quiet.quieting import unsilence

    def go(tx: "Transaction", stores: "Stores", now: "datetime") -> str:
        return f"{unsilence(tx, stores, DurableWork(), args.id, _who(), now).id} has ended."

    return _write(args, go)


def _reset(args: argparse.Namespace) -> int:
    from bot.flows.quiet.quieting import reset  # slow, as above

    def go(tx: "Transaction", stores: "Stores", now: "datetime") -> str:
        count = reset(tx, stores, args.fingerprint, _who(), now)
        return f"Forgot what was learned of {count} problem{'' if count == 1 else 's'}."

    return _write(args, go)

"""tocsin automation explain: which typed steps fit an incident, which degree holds for each, and what is missing."""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.commands import Commands, runs
from bot.commands.examination import Finding
from bot.redact import clean

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.actions.policy import Policies
    from bot.domain.automation import Offer
    from bot.domain.document import Document
    from bot.domain.service import Catalogue
    from bot.knowledge.library import Library
    from bot.ports import Clock, Transaction
    from bot.storage.actions import SqlActionStore
    from bot.storage.diagnoses import SqlDiagnosisStore
    from bot.storage.incidents import SqlIncidentStore
    from bot.storage.locks import SqlLockStore
    from bot.storage.switches import SqlSwitchStore


NAMED = 5  # alerts of a step


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("automation", help="typed steps of runbooks, and how far the bot may go with them")
    verbs = parser.add_subparsers(dest="verb", required=True)
    explain = verbs.add_parser("explain", help="for each step: does it fit, which degree holds, which condition is missing")
    explain.add_argument("--incident", default="", metavar="INC-n", help="the incident; without one only the steps are listed")
    explain.add_argument(
        "--step", default="", metavar="PAGE#NAME", help="one step, such as runbooks/payments/errors.md#roll-back"
    )
    explain.set_defaults(run=runs(_explain))


@dataclass(frozen=True)
class _Beside:
    """`bot.flows.automating.weighing.Records`, beside a running bot."""

    clock: "Clock"
    policies: "Callable[[], Policies]"
    catalogue: "Callable[[], Catalogue]"
    library: "Library"
    incidents: "SqlIncidentStore"
    diagnoses: "SqlDiagnosisStore"
    actions: "SqlActionStore"
    locks: "SqlLockStore"
    switches: "SqlSwitchStore"


async def _explain(args: argparse.Namespace) -> int:
    from bot.errors import BadSettings, NotFound  # slow: only commands that need the bot pay for it
    from bot.settings import load_settings
    from bot.wiring import Stores, library_beside, rules, utc_now

    settings = load_settings(args.config)
    catalogue, _, policies = rules(settings)
    with library_beside(settings) as (library, _, db):
        await library.read()
        stores = Stores()
        of = _Beside(
            utc_now, lambda: policies.current, lambda: catalogue.current, library,
            stores.incidents, stores.diagnoses, stores.actions, stores.locks, stores.switches,
        )  # fmt: skip
        lines = list(listed(library.documents, policies.current, args.step))
        if args.incident and db is None:
            raise BadSettings("There is no database yet, so there are no incidents: start the bot once.")
        if args.incident and db is not None:
            lines += db.read_now(lambda tx: list(_told(tx, args.incident, args.step, of)))
    if args.step and not lines:
        raise NotFound(f"No trusted runbook has the step {args.step[:200]!r}; without --step all are listed.")
    print("\n".join(clean(line) for line in lines) or "No trusted runbook has a typed step; see docs/automation.md.")
    return 0


def listed(documents: "Iterable[Document]", policies: "Policies", step: str = "") -> Iterator[str]:
    """Each step of each page, or why the page's count for nothing."""
    from bot.actions.automation import read_page, trusted  # slow, as above

    for page in documents:
        if not page.actions or (step and not step.startswith(f"{page.path}#")):
            continue
        if why := trusted(page, policies.file.automation):
            yield f"{page.path}: its actions count for nothing: {why}"
            continue
        read = read_page(page)
        yield from (f"its actions count for nothing: {fault}" for fault in read.faults)
        for one in read.steps:
            if step in ("", one.label):
                yield f"{one.label}: {one.kind.value} of {one.service} to {one.target}, when {_names(one.when.alerts)}"


def _names(alerts: Sequence[str]) -> str:
    more = f" and {len(alerts) - NAMED} more" if len(alerts) > NAMED else ""
    return ", ".join(alerts[:NAMED]) + more


def _told(tx: "Transaction", key: str, step: str, of: _Beside) -> Iterator[str]:
    from bot.actions.automation import fit, page_tier  # slow, as above
    from bot.errors import NotFound
    from bot.flows.automating.weighing import offers, pages

    incident = of.incidents.get(tx, key.upper())
    if incident is None:
        raise NotFound(f"There is no {key[:20]}; `tocsin incidents` lists those there are.")
    diagnosis = of.diagnoses.latest(tx, incident.id)
    if diagnosis is None:
        yield f"{incident.key} has no diagnosis yet: nothing fits."
        return
    there = {o.step.id: o for o in offers(tx, incident, diagnosis, of)}
    for page, one in pages(of):
        if step not in ("", one.label):
            continue
        fits = fit(one, page_tier(page, incident, diagnosis), incident, diagnosis, of.catalogue())
        if fits.why_not:
            yield f"{incident.key}, {one.label}: does not fit, {fits.why_not}"
        elif one.id not in there:
            yield f"{incident.key}, {one.label}: fits {fits.service}, and something is planned, under way or done for it already"
        else:
            yield from weighed(incident.key, there[one.id])


def weighed(key: str, offer: "Offer") -> Iterator[str]:
    """One step that fits, line by line: the degree that holds and each condition that is missing for a higher one."""
    ruled = offer.ruled
    by = f' (entry "{ruled.rule}" of automation.degrees)' if ruled.rule else " (no entry of automation.degrees speaks about it)"
    yield f"{key}, {offer.step.label}: {offer.deed}, page found: {offer.tier}"
    yield f"   wanted: {ruled.wanted.value}{by}; holds: {ruled.degree.value}"
    yield from (f"   not {m.degree.value}: {m.condition.value}: {m.why}" for m in ruled.missing)


def findings(documents: "Iterable[Document]", policies: "Policies") -> Iterator[Finding]:
    """For `tocsin doctor`: actions that count for nothing, names of policies.yaml that no page has, else how many steps."""
    from bot.actions.automation import read_page, trusted  # slow, as above

    rules = policies.file.automation
    labels: set[str] = set()
    bad = False
    for page in documents:
        why = trusted(page, rules) if page.actions else ""
        read = read_page(page) if page.actions and not why else None
        faults = [f"{page.path}: {why}"] if why else [str(f) for f in read.faults] if read else []
        bad = bad or bool(faults)
        yield from (Finding("runbooks", False, f"actions that count for nothing: {fault}") for fault in faults)
        labels |= {step.label for step in read.steps} if read else set()
    named = dict.fromkeys(step for entry in rules.degrees for step in entry.steps if step != "*")
    for step in named:
        if step not in labels:
            bad = True
            yield Finding("automation", False, f"policies.yaml names the step {step}, which no trusted runbook has")
    if labels and not bad:
        yield Finding("automation", True, f"{len(labels)} typed {'step' if len(labels) == 1 else 'steps'} in trusted runbooks")

"""Whether the bot may act by itself, and what it did: for the switch's answer, for home pages and for the daily digest."""

from datetime import datetime

from bot.domain.automation import Degree
from bot.flows.automating.weighing import DAY, OFF, SWITCH, pages, ran_alone
from bot.flows.desk import Desk
from bot.ports import Transaction

NAMED = 5  # automatic actions that a digest names
SHOWN = 10  # entries of policies.yaml


def state(tx: Transaction, desk: Desk) -> str:
    """Whether it is on, what ran by itself today, and which steps may do more than be suggested."""
    off = desk.switches.get(tx, SWITCH) == OFF
    alone = sum(1 for a in desk.actions.stepped(tx, desk.clock() - DAY) if ran_alone(a))
    lines = [f"Automation: {'off; /incident automation on lets it act again' if off else 'on'}. {alone} in the last 24 hours."]
    higher = [d for d in desk.policies().file.automation.degrees if d.degree is not Degree.SUGGEST]
    lines += [f"{d.degree.value}: {', '.join(d.steps[:3])} ({d.name})" for d in higher[:SHOWN]]
    typed = sum(1 for _ in pages(desk))
    lines.append(f"{typed} typed {'step' if typed == 1 else 'steps'} in trusted runbooks; the rest is suggested only.")
    return "\n".join(lines)


def on_home(tx: Transaction, desk: Desk) -> str:
    """One line for people's home pages, "" where nothing is automated and nobody switched anything."""
    off = desk.switches.get(tx, SWITCH) == OFF
    higher = [d for d in desk.policies().file.automation.degrees if d.degree is not Degree.SUGGEST]
    if off:
        return "Automation is off: nothing is planned or started by itself. `/incident automation on` lets it act again."
    if not higher:
        return ""
    alone = sum(1 for a in desk.actions.stepped(tx, desk.clock() - DAY) if ran_alone(a))
    return f"Automation is on: {alone} by itself in the last 24 hours. `/incident automation off` stops it."


def digest_lines(tx: Transaction, desk: Desk, since: datetime) -> tuple[str, ...]:
    """What ran by itself since a time, and that the switch is off; nothing where neither is so."""
    alone = [a for a in desk.actions.stepped(tx, since) if ran_alone(a)]
    lines = []
    if alone:
        named = [f"{a.kind.value} of {a.service} to {a.target} ({a.status.value})" for a in alone[:NAMED]]
        more = f" and {len(alone) - NAMED} more" if len(alone) > NAMED else ""
        lines.append(f"{len(alone)} {'action' if len(alone) == 1 else 'actions'} by itself: {'; '.join(named)}{more}")
    if desk.switches.get(tx, SWITCH) == OFF:
        lines.append("automation is switched off")
    return tuple(lines)

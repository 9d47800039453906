"""Alerts that no service was found for, each with a menu of services; then what people said, each with its way back."""

from bot.domain.attribution import ServiceMapping, Unmatched
from bot.domain.request import Deed
from bot.domain.view import UnmatchedView
from bot.slack.blocks.kit import Block, Json, Message, button, context, header, message, section
from bot.slack.blocks.modal import select
from bot.slack.text import bold, clock, code, count, escape, who
from bot.slack.vocabulary import MAPPED_BLOCK

ROWS = 8
MAPPINGS = 8
OFFERED = 30  # services in one menu; with more the app is asked while a person types
LABELS_SHOWN = 6


def render_unmatched(view: UnmatchedView) -> Message:
    """The most frequent first."""
    body: list[Block] = [header("Alerts without a service")]
    if not view.rows:
        body.append(section("Every alert that came in lately has a service of services.yaml."))
    if view.rows and not view.services:
        body.append(section("services.yaml describes no service yet, so there is none to choose."))
    body += [_row(row, view) for row in view.rows[:ROWS]]
    if len(view.rows) > ROWS:
        body.append(context(f"… and {count(len(view.rows) - ROWS, 'more label', 'more labels')}: `tocsin incidents unmatched`"))
    if view.mappings:
        body.append(section(bold("What people said")))
        body += [_mapping(mapping, view) for mapping in view.mappings[:MAPPINGS]]
    foot = [context(f"Of the newest 20,000 alert events · {clock(view.as_of)}")]
    return message(f"Alerts without a service: {count(len(view.rows), 'label')}", body, foot)


def _row(row: Unmatched, view: UnmatchedView) -> Block:
    names = ", ".join(escape(name, 60) for name in row.names[:3])
    more = f" and {len(row.names) - 3} more" if len(row.names) > 3 else ""
    others = [f"{escape(k, 40)}={escape(v, 60)}" for k, v in sorted(row.labels.items()) if k != row.label]
    made = section(
        f"{code(f'{row.label}={row.value}'[:120])} · {count(row.events, 'event')}, the last {clock(row.last_at, view.as_of)}",
        f"{names}{more}",
        ", ".join(others[:LABELS_SHOWN]),
    )
    block = f"{MAPPED_BLOCK}{row.label}={row.value}"
    if view.services and len(block) <= 255:
        made |= {"block_id": block, "accessory": _menu(view.services)}
    return made


def _menu(services: tuple[str, ...]) -> dict[str, Json]:
    menu = select(Deed.SERVICE_MAP.value, [(s, s) for s in services[:OFFERED]], prompt="This is …")
    if len(services) > OFFERED:
        menu = {k: v for k, v in menu.items() if k != "options"} | {"type": "external_select", "min_query_length": 1}
    return menu


def _mapping(mapping: ServiceMapping, view: UnmatchedView) -> Block:
    told = code(f"{mapping.label}={mapping.value}"[:120])
    made = section(f"{told} is {escape(mapping.service, 80)} ({who(mapping.by)}, {clock(mapping.at, view.as_of)})")
    return made | {"accessory": button(Deed.SERVICE_UNMAP, f"{mapping.label}={mapping.value}")}

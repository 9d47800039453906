"""Somebody asked who calls whom: the edges of the graph, each with what passes along it and who says so."""

from collections.abc import Sequence

from bot.domain.incident import Incident
from bot.domain.topology import EdgeOrigin
from bot.flows.desk import Desk
from bot.investigation.answers import Answer, quote
from bot.topology.merging import merged
from bot.topology.telling import provenance, traffic

MOST_SERVICES = 3
MOST_EDGES = 12  # that are named of each direction
NEEDED = "Needed: `depends_on` in services.yaml, or what sees calls, such as service-graph metrics or spans (docs/topology.md)."


async def calls_asked(text: str, services: Sequence[str], incident: Incident | None, desk: Desk) -> Answer:
    """Who calls these services and whom they call, or an honest no and what would be needed.

    A service that is named but not in the catalogue is found if it was seen; without any name it is those of the incident.
    """
    known = await desk.db.read(desk.topology.known)
    edges = desk.live.edges(known, desk.clock()) if desk.live else merged(desk.catalogue(), known, desk.clock())
    wanted = tuple(services) or _seen(text, edges) or (incident.services if incident else ())
    if not wanted:
        return Answer("I do not know of which service. Name one, such as “who calls checkout”.")
    evidence: list[tuple[str, str, str]] = []
    lines: list[str] = []
    for name in wanted[:MOST_SERVICES]:
        callers = [e for e in edges if e.callee == name]
        callees = [e for e in edges if e.caller == name]
        shown = quote(name, 80)
        if not callers and not callees:
            lines.append(f"I do not know who calls {shown} or whom it calls: no such edge is declared or was seen. {NEEDED}")
            continue
        lines += _told(f"Calls {shown}", [(e.caller, e) for e in callers], evidence, desk)
        lines += _told(f"{shown} calls", [(e.callee, e) for e in callees], evidence, desk)
    return Answer("\n".join(lines), tuple(evidence))


def _seen(text: str, edges: Sequence[EdgeOrigin]) -> tuple[str, ...]:
    """The services that the text names and that somebody saw."""
    words = {w.strip(".,;:!?\"'()`*").lower() for w in text.split()}
    return tuple(dict.fromkeys(n for e in edges for n in (e.caller, e.callee) if n.lower() in words))


def _told(head: str, found: Sequence[tuple[str, EdgeOrigin]], evidence: list[tuple[str, str, str]], desk: Desk) -> list[str]:
    """One direction, the busiest first; each line cites who says so."""
    lines = [f"**{head}:**{'' if found else ' nobody that is known'}"]
    for name, edge in sorted(found, key=lambda pair: (-pair[1].calls, pair[0]))[:MOST_EDGES]:
        evidence.append((f"E{len(evidence) + 1}", f"{_edge(edge)}: {provenance(edge, desk.clock())}", ""))
        outside, passes = " (outside)" if edge.external else "", traffic(edge)
        lines.append(f"- {quote(name, 80)}{outside}{', ' if passes else ''}{passes} [{evidence[-1][0]}]")
    return [*lines, *([f"- and {len(found) - MOST_EDGES} more"] if len(found) > MOST_EDGES else [])]


def _edge(edge: EdgeOrigin) -> str:
    return f"{quote(edge.caller, 80)} → {quote(edge.callee, 80)}"

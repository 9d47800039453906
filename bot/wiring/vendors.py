"""What the configured connectors can do."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel

from bot.domain.service import Catalogue
from bot.door.doors import configured, doors, own_settings
from bot.errors import BadSettings
from bot.executor.deployers import made
from bot.flows.desk import Drafting
from bot.intake.web import Door
from bot.ports import (
    Catalogued,
    ChangeSource,
    Connector,
    Deployer,
    EdgeSource,
    EvidenceSource,
    Pager,
    QueryProbe,
    Responder,
    Reviews,
    Schedules,
    SilenceSource,
    Tracker,
    Watcher,
)
from bot.settings import Settings
from connectors import slack

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Vendors:
    """What the configured connectors can do; `doors` are those that receive webhooks."""

    doors: Mapping[str, Door]
    evidence: tuple[EvidenceSource, ...]
    changes: tuple[ChangeSource, ...]
    deployers: Mapping[str, Deployer]
    readers: Mapping[str, Connector]  # all that can read a delivery, whichever way it came
    pagers: Mapping[str, Pager]
    schedules: Mapping[str, Schedules]
    responders: Mapping[str, Responder]
    silences: Mapping[str, SilenceSource]
    trackers: Mapping[str, Tracker]
    watchers: Mapping[str, Watcher]
    probes: tuple[QueryProbe, ...] = ()
    edges: tuple[EdgeSource, ...] = ()
    reviews: Mapping[str, Reviews] = field(default_factory=dict)


def vendors(settings: Settings) -> Vendors:
    """Every connector with its own settings. Raises BadSettings naming the connector, the value and what would do."""
    known, own = configured(settings.connectors)
    evidence = [c.evidence(own[n]) for n, c in known.items() if c.evidence and n in settings.connectors]
    changes = [c.changes(own[n]) for n, c in known.items() if c.changes and n in settings.connectors]
    edges = tuple(_made({n: c.edges for n, c in known.items()}, own, settings).values())
    trackers = _made({n: c.tracker for n, c in known.items()}, own, settings)
    _keeps_tickets(settings.tickets.tracker, trackers, known)
    return Vendors(
        doors=doors(known, own),
        evidence=(*(e for e in evidence if e is not None), *(e for e in edges if isinstance(e, EvidenceSource))),
        changes=tuple(c for c in changes if c is not None),
        deployers=_deployers(settings, known),
        readers={n: c for n, c in known.items() if c.webhook},
        pagers=_made({n: c.pager for n, c in known.items()}, own, settings),
        schedules=_made({n: c.schedules for n, c in known.items()}, own, settings),
        responders=_made({n: c.responder for n, c in known.items()}, own, settings),
        silences=_made({n: c.silences for n, c in known.items()}, own, settings),
        trackers=trackers,
        watchers=_made({n: c.watcher for n, c in known.items()}, own, settings),
        probes=tuple(_made({n: c.probe for n, c in known.items()}, own, settings).values()),
        edges=edges,
        reviews=_made({n: c.reviews for n, c in known.items()}, own, settings),
    )


def described(sources: Iterable[EvidenceSource], catalogue: Callable[[], Catalogue]) -> tuple[EvidenceSource, ...]:
    """The sources, told how services.yaml describes services where that matters to them."""
    return tuple(s.catalogued(lambda name: catalogue().get(name)) if isinstance(s, Catalogued) else s for s in sources)


def _made(
    factories: Mapping[str, Callable[[BaseModel], Made | None] | None], own: Mapping[str, BaseModel], settings: Settings
) -> dict[str, Made]:
    """What the configured connectors make of their settings, by the connector's name."""
    made = {n: make(own[n]) for n, make in factories.items() if make and n in settings.connectors}
    return {n: one for n, one in made.items() if one is not None}


def _keeps_tickets(name: str, trackers: Mapping[str, Tracker], known: Mapping[str, Connector]) -> None:
    """Raises BadSettings where tickets are wanted and would never be opened."""
    if not name or name in trackers:
        return
    kinds = [n for n, c in known.items() if c.tracker]
    if name not in kinds:
        raise BadSettings(f"[tickets] tracker is {name!r}; it has to be one of {', '.join(kinds)}.")
    raise BadSettings(f"[tickets] tracker is {name!r}, but [connectors.{name}] cannot open tickets yet. {known[name].help}.")


def drafting(settings: Settings) -> Drafting:
    """Where approved drafts of runbooks go. Raises BadSettings where they could not get there."""
    own = settings.knowledge
    folder = settings.path(own.runbooks[0]) if own.runbooks else None
    if not own.drafts:
        return Drafting(folder)
    known, configs = configured(settings.connectors)
    kinds = [n for n, c in known.items() if c.proposals]
    if own.drafts not in kinds:
        raise BadSettings(f"[knowledge] drafts is {own.drafts!r}; it has to be one of {', '.join(kinds)}.")
    if not own.drafts_repository:
        raise BadSettings('[knowledge] drafts needs the repository that runbooks lie in: drafts_repository = "acme/runbooks".')
    make = known[own.drafts].proposals
    forge = make(configs[own.drafts]) if make else None
    if forge is None:
        raise BadSettings(f"[knowledge] drafts: [connectors.{own.drafts}] needs a token that may write.")
    return Drafting(folder, forge, own.drafts_repository, own.drafts_path, own.drafts_branch)


def heard_channels(settings: Settings) -> tuple[str, ...]:
    """The channels in which the settings say to listen to what other apps post."""
    own = own_settings(slack.CONNECTOR, settings.connectors.get(slack.NAME, {}))
    return own.channels if isinstance(own, slack.SlackAlerts) else ()


def _deployers(settings: Settings, known: Mapping[str, Connector]) -> dict[str, Deployer]:
    """Those of this process: none where an executor apart from it has them. Raises BadSettings where both would."""
    if settings.executor.mode == "embedded":
        return made(settings.deployers, known)
    if settings.deployers:
        named = ", ".join(f"[deployers.{name}]" for name in settings.deployers)
        raise BadSettings(
            f'[executor] mode is "apart", so the bot must hold no deploy credential, but it has {named}, in its tocsin.toml or '
            f"as TOCSIN_DEPLOYERS_… in its environment. Move them to the executor's own folder and environment; docs/executor.md."
        )
    return {}

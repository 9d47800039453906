"""The sources of documents that the settings name, made by the connector of their kind."""

from collections.abc import Mapping
from datetime import timedelta

from bot.domain.document import DocumentKind
from bot.errors import BadSettings
from bot.knowledge.copying import Origin
from bot.knowledge.links import Links
from bot.ports import Room
from bot.settings import Settings, SourceSettings
from connectors import CONNECTORS

_ALIASES: Mapping[str, tuple[str, Mapping[str, object]]] = {"github-wiki": ("github", {"wiki": True})}


def origins(settings: Settings) -> tuple[Origin, ...]:
    """Every source. Raises BadSettings naming the source, the value and what would do."""
    return tuple(_origin(name, source, settings) for name, source in settings.knowledge.sources.items())


def links(settings: Settings) -> Links:
    """The pages that may be copied because an alert links to them. Raises BadSettings."""
    return Links(settings.knowledge.link_hosts, timedelta(hours=settings.knowledge.link_hours))


def _origin(name: str, source: SourceSettings, settings: Settings) -> Origin:
    able = {c.name: c.documents for c in CONNECTORS if c.documents}
    kind, more = _ALIASES.get(source.kind, (source.kind, {}))
    make = able.get(kind)
    if make is None:
        kinds = ", ".join(sorted((*able, *_ALIASES)))
        raise BadSettings(f"[knowledge.sources.{name}] kind is {source.kind!r}; it has to be one of {kinds}.")
    for who in (*source.channels, *source.groups):
        if not who.strip("#@ "):
            raise BadSettings(f'[knowledge.sources.{name}] channels and groups name them: channels = ["#payments"].')
    return Origin(
        name=name,
        source=make({**source.own, **more}, Room(name, settings.folder, settings.data / "sources" / name)),
        kind=source.kind,
        holds=DocumentKind(source.holds),
        channels=tuple(c.strip() for c in source.channels),
        groups=tuple(g.strip() for g in source.groups),
        owner=source.owner,
        every=timedelta(minutes=source.every_minutes),
    )

"""Numbers of services as evidence, read-only: golden signals by conventions and by services.yaml, and what a selector finds."""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial

import httpx

from bot.domain.service import Service
from bot.domain.telemetry import Readings, Series, SourceStatus, Window
from bot.errors import BotError, NotAllowed, Unavailable
from bot.ports import EvidenceSource
from connectors.prometheus import golden
from connectors.prometheus.api import PrometheusApi, quoted, series_of, step_seconds
from connectors.prometheus.asking import NAME, Asking, Finder, Rows, bare, failed, some_at_once, spellings
from connectors.prometheus.places import spelt
from connectors.prometheus.settings import PrometheusSettings

MOST_QUESTIONS = 120  # of one reading: golden signals of all its services
_NOISE = r".+_(bucket|created)|(go|python|scrape|promhttp)_.+|up"  # never evidence


class Prometheus:
    """Golden signals and other series per service over a window, at most 720 points each; counters become rates per second."""

    name = NAME
    numbers = True

    def __init__(
        self,
        settings: PrometheusSettings,
        transport: httpx.AsyncBaseTransport | None = None,
        service: Callable[[str], Service] = Service,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._service = service
        self._ticks = ticks
        self._api = PrometheusApi(settings, transport)
        self._finder = Finder(self._api, settings, ticks)

    def catalogued(self, service: Callable[[str], Service]) -> EvidenceSource:
        """The same source, told how services are described."""
        return Prometheus(self._settings, self._transport, service, self._ticks)

    async def read(self, services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        """One answer per question, each about one or more services; a failure is an answer with its reason."""
        if not services:
            return ()
        own = self._settings
        window = Window(max(window.start, window.end - timedelta(hours=own.max_hours)), window.end)
        said = {name: self._service(name) for name in services}
        known = await self._finder.there(said, window)
        unknown = self._unknown(known.failure, said, window) if known.failure else ()
        if isinstance(known.failure, Unavailable | NotAllowed):
            return unknown
        step = max(step_seconds(window), own.scrape_seconds if own.golden else 0)
        matchers = {name: bare(one.metrics.selector) for name, one in said.items() if one.metrics.selector}
        rates = f"{math.ceil(max(4 * own.scrape_seconds, step))}s"
        meant = spellings(said)
        questions = golden.plan(known.found, tuple(meant), own.labels, rates, matchers)[:MOST_QUESTIONS]
        asking = Asking(self._api, window, step, own.max_series)
        asked = [asking.ask(q.query, _of(q, meant)) for q in questions]
        asked += [asking.ask(q, _as(name, metric)) for name, one in said.items() for metric, q in one.metrics.golden]
        for name, one in said.items():
            covered = golden.covered(questions, name)
            for selector in self._selectors(name, one, known.found):
                query = _apart(selector, covered) if own.golden else selector
                asked.append(asking.ask(query, partial(series_of, service=name)))
        none = () if asked else (self._nothing(said, window),)
        return (*unknown, *await some_at_once(asked), *none)

    def _selectors(self, name: str, said: Service, found: golden.There) -> list[str]:
        """Where all else of a service is; also the label by which its signals were found, if no selector is set."""
        own = self._settings
        if said.metrics.selector:
            return [said.metrics.selector]
        selectors = [own.selector.format(service=quoted(name))] if own.selector else []
        if own.selector == PrometheusSettings.model_fields["selector"].default:
            carry = golden.plainly(found, name)
            label = next((label for label in own.labels if label in carry), "service")
            selectors.append(f'{{{spelt(label)}="{quoted(name)}"}}')
        return list(dict.fromkeys(selectors))

    def _unknown(self, failure: BotError, said: Iterable[str], window: Window) -> tuple[Readings, ...]:
        query = golden.selectors(tuple(said), self._settings.labels)[0]
        return (failed(query, window, failure, "it is not known which metrics there are: "),)

    def _nothing(self, said: Iterable[str], window: Window) -> Readings:
        query = golden.selectors(tuple(said), self._settings.labels)[0]
        reason = f"no metric that is known by convention; looked in the labels {', '.join(self._settings.labels)}"
        return Readings(NAME, query, window, SourceStatus.NO_DATA, reason)


def _of(question: golden.Question, meant: Mapping[str, str]) -> Callable[[Rows], list[Series]]:
    """The series of a golden signal, one per service, or per service and whom it called."""
    place, metric = question.place, question.signal.metric

    def made(rows: Rows) -> list[Series]:
        found = []
        for labels, points in rows:
            name = place.service(labels)
            kept = {"target": labels[place.peer]} if labels.get(place.peer) else {}
            if name in meant and points:
                alias = {} if meant[name] == name else {"alias": name}
                found.append(Series(meant[name], metric, tuple(points), kept | alias))
        return found

    return made


def _as(service: str, metric: str) -> Callable[[Rows], list[Series]]:
    """What a query of services.yaml answers is this metric of this service, whatever its labels are."""

    def made(rows: Rows) -> list[Series]:
        kept = [({k: v for k, v in labels.items() if k not in ("service", "__name__")}, points) for labels, points in rows]
        return [Series(service, metric, tuple(points), labels) for labels, points in kept if points]

    return made


def _apart(selector: str, names: Sequence[str]) -> str:
    """The selector without what is never evidence, and without the metrics that are asked for by themselves."""
    plain = selector.strip()
    if not (plain.startswith("{") and plain.endswith("}")):
        return selector
    return f'{{{bare(plain)},__name__!~"{"|".join((_NOISE, *names))}"}}'

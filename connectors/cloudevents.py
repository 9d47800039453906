"""CloudEvents 1.0: alerts and changes by any sender, one at a time (structured or binary) or in batches; CDEvents among them.

Formats: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md (the three modes),
.../http-webhook.md (the validation by OPTIONS), https://cdevents.dev/docs/. The secret is shown as bearer token or as `token`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal
from urllib.parse import unquote

from pydantic import BaseModel, Field

from bot.domain.alert import Alert, unreadable
from bot.domain.change import Change, ChangeKind, ChangeStatus
from bot.domain.payload import Node, read_json
from bot.domain.signature import shows
from bot.domain.vocabulary import SEVERITY_LABELS, environment_of, first, line, link, service_of, severity_of
from bot.errors import BadPayload, BadSignature
from bot.ports import Connector, Delivery, Event, Ignored, Parsed, Reply, Webhook, WebhookSettings

NAME = "cloudevents"
Kind = Literal["alert", "change", "ignore"]
TYPES: Mapping[str, Kind] = {  # the first pattern that fits a type decides
    "dev.cdevents.incident.*": "alert",
    "dev.cdevents.service.*": "change",
    "dev.cdevents.*": "ignore",
    "*alert*": "alert",
    "*alarm*": "alert",
    "*incident*": "alert",
    "*problem*": "alert",
    "*deploy*": "change",
    "*rollout*": "change",
    "*rollback*": "change",
    "*release*": "change",
}
BEGUN = frozenset({"detected", "raised", "fired", "firing", "triggered", "opened", "created", "reported", "started", "active"})
OVER = frozenset({"resolved", "cleared", "closed", "recovered", "ok", "normal"})
FAILED = frozenset({"failed", "failure", "error", "errored", "removed"})
RUNNING = frozenset({"started", "running", "queued", "pending", "created", "in_progress"})


class CloudEventsSettings(WebhookSettings):
    """`types` are patterns of event types and what they are, tried before the usual ones; `origins` may ask to deliver."""

    types: Mapping[str, Kind] = Field(default_factory=dict)
    origins: tuple[str, ...] = ("*",)


@dataclass(frozen=True, slots=True)
class CloudEventsWebhook:
    """Events in, alerts and changes out, as their types say."""

    types: Mapping[str, Kind] = field(default_factory=lambda: dict(TYPES))
    origins: tuple[str, ...] = ("*",)

    async def greet(self, method: str, delivery: Delivery, secrets: Sequence[str]) -> Reply | None:  # noqa: ARG002  a handshake proves nothing
        """A sender that asks first whether it may deliver is told so; its deliveries have to prove themselves all the same."""
        origin = delivery.headers.get("webhook-request-origin", "")
        if method != "OPTIONS" or not (origin.isascii() and origin.isprintable() and origin):
            return None
        if not any(fnmatchcase(origin.lower(), allowed) for allowed in self.origins):
            return None
        return Reply(200, headers={"allow": "POST", "webhook-allowed-origin": origin[:300], "webhook-allowed-rate": "*"})

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless the request shows one of the secrets; `access_token` is the specification's `token`."""
        query = {"token": delivery.query.get("access_token", ""), **delivery.query}
        if not shows(secrets, delivery.headers, query):
            raise BadSignature("The bearer token is missing or wrong; it has to be TOCSIN_CLOUDEVENTS_SECRET.")

    def delivery_id(self, delivery: Delivery) -> str:
        """Source and id, which make an event; a batch has none."""
        try:
            (event,) = _envelopes(delivery)
        except (BadPayload, ValueError):
            return ""
        return f"{event['source'].text()} {event['id'].text()}"[:100] if event["id"].text() else ""

    def parse(self, delivery: Delivery) -> Parsed:
        """Each event; of a batch those that cannot be read are unreadable alerts beside the others."""
        batch = _mode(delivery) == "batch"
        return tuple(self._events(delivery, batch))

    def _events(self, delivery: Delivery, batch: bool) -> Iterator[Event]:
        for event in _envelopes(delivery):
            try:
                yield self._event(event.object(), delivery)
            except BadPayload as error:
                if not batch:
                    raise
                yield unreadable(NAME, error.path, str(error), delivery.received_at)

    def _event(self, event: Node, delivery: Delivery) -> Event:
        kind = event["type"].needed()[:200]
        what = next((what for pattern, what in self.types.items() if fnmatchcase(kind.lower(), pattern.lower())), "ignore")
        if what == "ignore":
            return Ignored(kind[:100])
        return _alert(event, kind, delivery) if what == "alert" else _change(event, kind, delivery)


def _mode(delivery: Delivery) -> str:
    """How events are packed, as the content type says; a sender that forgot it is taken at its first character."""
    content = delivery.headers.get("content-type", "").lower()
    if content.startswith("application/cloudevents-batch"):
        return "batch"
    if content.startswith("application/cloudevents"):
        return "structured"
    if "ce-type" in delivery.headers:
        return "binary"
    return "batch" if delivery.body.lstrip()[:1] == b"[" else "structured"


def _envelopes(delivery: Delivery) -> list[Node]:
    """The events with their attributes and `data`. Raises BadPayload."""
    mode = _mode(delivery)
    body = read_json(delivery.body)
    if mode == "batch":
        if not (found := list(body.items())):
            raise BadPayload("this is a batch without events", path=body.path)
        return found
    if mode == "structured":
        return [body.object()]
    attributes: dict[str, object] = {
        k[3:]: unquote(v, errors="replace") for k, v in delivery.headers.items() if k.startswith("ce-")
    }
    return [Node({**attributes, "data": body.object().value})]


def _alert(event: Node, kind: str, delivery: Delivery) -> Alert:
    data = _data(event)
    labels = data["labels"].texts()
    subject, source = event["subject"].text()[:300], event["source"].text()[:300]
    said = {**labels, **{key: data[key].text() for key in ("service", "environment", *SEVERITY_LABELS) if data[key].text()}}
    service, found = service_of(said)
    words = _words(kind)
    status = (data["status"].text() or data["state"].text()).lower()
    over = status in OVER or data["resolved"].value is True or words[-1] in OVER
    name = first(
        {key: data[key].text() for key in ("name", "alertname", "title", "rule")}, ("name", "alertname", "title", "rule")
    )[1]
    at = event["time"].time() or delivery.received_at
    return Alert(
        connector=NAME,
        name=line(name) or ".".join(word for word in words if word not in OVER | BEGUN) or kind,
        service=service[:100],
        environment=environment_of(said)[:100],
        severity=severity_of(first(said, SEVERITY_LABELS)[1]),
        resolved=over,
        started_at=data["started_at"].time() or at,
        ended_at=at if over else None,
        summary=line(data["summary"].text() or data["message"].text() or data["description"].text()),
        description=data["description"].text().strip(),
        labels={**labels, **{key: value for key, value in (("source", source), ("subject", subject)) if value}},
        group={"source": source} if source else {},
        service_from=found,
        runbook_url=link(data["runbook_url"].text()),
        link=link(data["url"].text() or data["link"].text()),
        ref=data["id"].text()[:100],
    )


def _change(event: Node, kind: str, delivery: Delivery) -> Change:
    data, words = _data(event), _words(kind)
    said = {key: data[key].text() for key in ("service", "environment") if data[key].text()}
    status = (data["status"].text() or data["state"].text() or data["outcome"].text()).lower()
    service = service_of(said)[0] if said.get("service") else event["subject"].text().rpartition("/")[2]
    version = data["version"].text() or _version(data["artifact"].text())
    own = data["id"].text() or f"{event['source'].text()}:{event['id'].needed()}"
    return Change(
        id=f"{NAME}:{own[:200]}",
        connector=NAME,
        kind=ChangeKind.RELEASE if any("release" in word for word in words) else ChangeKind.DEPLOY,
        status=_status(status, words),
        at=event["time"].time() or delivery.received_at,
        title=line(data["title"].text() or data["description"].text()) or line(f"{words[-1]} {service} {version}"),
        services=(service[:100],) if service else (),
        environment=said.get("environment", "")[:100],
        version=version[:100],
        commit=data["commit"].text()[:64],
        repository=data["repository"].text()[:140],
        author=data["author"].text()[:100],
        url=link(data["url"].text() or data["link"].text()),
    )


def _words(kind: str) -> list[str]:
    """The parts of a type without the version that CDEvents put behind it."""
    return [word for word in kind.lower().split(".") if not word.isdigit()] or [kind]


def _status(status: str, words: Sequence[str]) -> ChangeStatus:
    told = {status, *words}
    if told & FAILED:
        return ChangeStatus.FAILED
    return ChangeStatus.RUNNING if told & RUNNING else ChangeStatus.SUCCEEDED


def _version(artifact: str) -> str:
    """Of a package URL (pkg:oci/shop@sha256:…?tag=v43) or an image (shop:v43)."""
    if "tag=" in artifact:
        return artifact.partition("tag=")[2].partition("&")[0]
    return artifact.rpartition("@")[2] if "@" in artifact else artifact.rpartition(":")[2] if ":" in artifact else ""


def _data(event: Node) -> Node:
    """The payload; that of a CDEvent in plain words."""
    data = event["data"]
    if isinstance(data.value, str) and data.value[:1] == "{":
        try:
            data = Node(json.loads(data.value), data.path)
        except (ValueError, RecursionError):
            raise BadPayload("this is a text that is no JSON", path=data.path) from None
    data = data.object()
    subject = data["subject"]
    if not (data["context"] and isinstance(subject.value, dict)):
        return data
    content = subject["content"]
    service = subject["id"] if subject["type"].text("service") == "service" else content["service"]["id"]
    incident = subject["id"].text() if subject["type"].text() == "incident" else ""
    plain: dict[str, object] = {
        **content.texts(),
        "id": incident,
        "labels": {"incident": incident} if incident else {},
        "service": service.text().rpartition("/")[2],
        "environment": content["environment"]["id"].text().rpartition("/")[2],
        "artifact": content["artifactId"].text(),
    }
    return Node(plain, data.path)


def _webhook(settings: BaseModel) -> Webhook:
    if not isinstance(settings, CloudEventsSettings):
        raise TypeError(f"The webhook of CloudEvents needs CloudEventsSettings, not {type(settings).__name__}.")
    return CloudEventsWebhook({**settings.types, **{k: v for k, v in TYPES.items() if k not in settings.types}}, settings.origins)


CONNECTOR = Connector(
    name=NAME,
    title="CloudEvents",
    settings=CloudEventsSettings,
    help="TOCSIN_CLOUDEVENTS_SECRET is the bearer token, or ?token=… in the address",
    webhook=CloudEventsWebhook(),
    configured=_webhook,
)

"""Sentry: issues, issue alerts and metric alerts by the webhooks of an integration, and by the older WebHooks plugin.

Format: https://docs.sentry.io/organization/integrations/integration-platform/webhooks/. Signed with HMAC-SHA256 over the raw
body by the integration's client secret; every request has an id.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import BaseModel

from bot.domain.alert import Alert
from bot.domain.payload import Node, read_json
from bot.domain.signature import digest, hmac_hex, proves, shows
from bot.domain.vocabulary import line, link, severity_of
from bot.errors import BadSignature
from bot.ports import Connector, Delivery, Ignored, Parsed, Webhook, WebhookSettings

NAME = "sentry"
ISSUE_FIRING = frozenset({"created", "unresolved"})
ISSUE_OVER = frozenset({"resolved", "archived", "ignored"})
METRIC_FIRING = frozenset({"critical", "warning"})
_PROJECT = re.compile(r"/projects/[^/]+/([^/]+)/")  # of an event's address in the API, where the project is named


class SentrySettings(WebhookSettings):
    """`environments` are those that Sentry knows: an issue is resolved in all of them, and does not say which they are."""

    environments: tuple[str, ...] = ("production", "staging")


@dataclass(frozen=True, slots=True)
class SentryWebhook:
    """What an integration or the plugin sends in, alerts out; everything else is ignored with its reason."""

    environments: tuple[str, ...]

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless the body is signed; the plugin cannot sign and shows the secret in its address."""
        given = delivery.headers.get("sentry-hook-signature", "")
        if not given and not delivery.headers.get("sentry-hook-resource") and shows(secrets, delivery.headers, delivery.query):
            return
        if not proves(secrets, given, lambda secret: hmac_hex(secret, delivery.body)):
            raise BadSignature("Sentry-Hook-Signature is missing or wrong; the secret is the integration's client secret.")

    def delivery_id(self, delivery: Delivery) -> str:
        """The signed body's own, since the id in the header is not signed; the plugin, which signs nothing, has the header's."""
        signed = delivery.headers.get("sentry-hook-signature")
        return digest(delivery.body) if signed else delivery.headers.get("request-id", "")[:100]

    def parse(self, delivery: Delivery) -> Parsed:
        """The alerts of one event; a resolved issue is over in every environment."""
        payload = read_json(delivery.body).object()
        resource = delivery.headers.get("sentry-hook-resource", "")
        if not resource:
            return (_plugin(payload, delivery.received_at),)
        read = _RESOURCES.get(resource)
        if read is None:
            return (Ignored(f"{resource[:40]}: {payload['action'].text('?')[:40]}"),)
        event = read(payload, delivery.received_at)
        if isinstance(event, Alert) and event.resolved and resource == "issue":
            return tuple(replace(event, environment=environment) for environment in dict.fromkeys(("", *self.environments)))
        return (event,)


def _issue(payload: Node, received_at: datetime) -> Alert | Ignored:
    action, issue = payload["action"].needed(), payload["data"]["issue"].object()
    if action not in ISSUE_FIRING | ISSUE_OVER:
        return Ignored(f"issue: {action[:40]}")
    project = issue["project"]["slug"].text() or issue["project"]["name"].text()
    over = action in ISSUE_OVER
    return replace(
        _alert(issue["id"].needed(), issue, project, issue["firstSeen"].time() or received_at),
        resolved=over,
        ended_at=received_at if over else None,
        link=next((u for k in ("web_url", "permalink") if (u := link(issue[k].text()))), ""),
    )


def _event_alert(payload: Node, received_at: datetime) -> Alert:
    event = payload["data"]["event"].object()
    named = _PROJECT.search(event["url"].text())
    project = named[1] if named else event["project"].text()
    alert = _alert(event["issue_id"].needed(), event, project, event["datetime"].time() or received_at)
    rule = payload["data"]["triggered_rule"].text()
    return replace(
        alert,
        environment=_environment(event),
        description="\n".join(part for part in (alert.description, f"rule: {line(rule)}" if rule else "") if part),
        link=link(event["web_url"].text()),
    )


def _plugin(payload: Node, received_at: datetime) -> Alert:
    """The WebHooks plugin, which tells of issues that fire and of none that are over."""
    event = payload["event"].object()
    project = payload["project_slug"].text() or payload["project"].text()
    message = line(payload["message"].text())
    alert = _alert(
        payload["id"].needed(), event if event["title"] else payload, project, event["timestamp"].time() or received_at
    )
    return replace(
        alert,
        environment=_environment(event),
        severity=severity_of(payload["level"].text("error")),
        summary=message or alert.summary,
        description=_culprit(payload),
        link=link(payload["url"].text()),
    )


def _alert(issue: str, told: Node, project: str, began: datetime) -> Alert:
    """What all reports of one issue share. Its title is that of its latest event, so its kind of error names it if it has one."""
    title = line(told["title"].text()) or line(told["message"].text())
    kind = line(told["metadata"]["type"].text())
    return Alert(
        connector=NAME,
        name=kind or title or f"issue {issue}",
        service=project[:100] or "unknown",
        service_from="Sentry's project" if project else "no project is named",
        environment="",
        severity=severity_of(told["level"].text("error")),
        resolved=False,
        started_at=began,
        summary=title or kind,
        description=_culprit(told),
        labels={"issue": issue[:100], "project": project[:100]},
        group={"issue": issue[:100]},
        ref=issue[:100],
    )


def _metric_alert(payload: Node, received_at: datetime) -> Alert | Ignored:
    action, data = payload["action"].needed(), payload["data"].object()
    if action not in METRIC_FIRING and action != "resolved":
        return Ignored(f"metric_alert: {action[:40]}")
    told = data["metric_alert"].object()
    rule = told["alert_rule"].object()
    name = line(rule["name"].needed())
    projects = [p.text() for p in told["projects"].optional_items()] or [p.text() for p in rule["projects"].optional_items()]
    over = action == "resolved"
    return Alert(
        connector=NAME,
        name=name,
        service=(projects[0] if projects else "")[:100] or "unknown",
        service_from="Sentry's project",
        environment=rule["environment"].text()[:100],
        severity=severity_of(action) if not over else severity_of("warning"),
        resolved=over,
        started_at=told["date_started"].time() or received_at,
        ended_at=(told["date_closed"].time() or received_at) if over else None,
        summary=line(data["description_title"].text()) or name,
        description=data["description_text"].text().strip(),
        labels={"rule": rule["id"].text(), "projects": ",".join(projects)[:300]},
        group={"rule": rule["id"].text()},
        link=link(data["web_url"].text()),
        ref=told["identifier"].text()[:100],
    )


def _culprit(told: Node) -> str:
    return f"in {line(told['culprit'].text())}" if told["culprit"].text().strip() else ""


def _environment(event: Node) -> str:
    """Its own field, or the pair of that name among the tags."""
    pairs = (tag.value for tag in event["tags"].optional_items())
    tags = [Node(pair[1]).text() for pair in pairs if isinstance(pair, list) and pair[:1] == ["environment"] and pair[1:]]
    return (event["environment"].text() or next(iter(tags), ""))[:100]


_RESOURCES: Mapping[str, Callable[[Node, datetime], Alert | Ignored]] = {
    "issue": _issue,
    "event_alert": _event_alert,
    "metric_alert": _metric_alert,
}


def _webhook(settings: BaseModel) -> Webhook:
    if not isinstance(settings, SentrySettings):
        raise TypeError(f"Sentry's webhook needs SentrySettings, not {type(settings).__name__}.")
    return SentryWebhook(settings.environments)


CONNECTOR = Connector(
    name=NAME,
    title="Sentry",
    settings=SentrySettings,
    help="TOCSIN_SENTRY_SECRET is the client secret of an internal integration: Settings › Developer Settings",
    webhook=SentryWebhook(SentrySettings().environments),
    configured=_webhook,
)

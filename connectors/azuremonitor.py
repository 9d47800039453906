"""Azure Monitor: alerts of an action group's webhook in the common alert schema.

Format: https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-common-schema. Azure signs nothing: the secret is `token` in
the webhook's address.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from urllib.parse import quote

from bot.domain.alert import Alert
from bot.domain.payload import Node, read_json
from bot.domain.signature import shows
from bot.domain.vocabulary import environment_of, line, link, service_of, severity_of
from bot.errors import BadPayload, BadSignature
from bot.ports import Connector, Delivery, Parsed, WebhookSettings

NAME = "azuremonitor"
SCHEMA = "azureMonitorCommonAlertSchema"
# Azure's Sev0 is its worst; its words for them: https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-overview
SEVERITIES = {"sev0": "critical", "sev1": "error", "sev2": "warning", "sev3": "informational", "sev4": "debug"}
HEALTH_OVER = frozenset({"resolved", "complete", "canceled", "rca"})  # stages of a Service Health event


class AzureMonitorWebhook:
    """One alert in, one alert out."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless the request shows one of the secrets."""
        if not shows(secrets, delivery.headers, delivery.query):
            raise BadSignature("The secret is missing or wrong; it is `token` in the address of the action group's webhook.")

    def delivery_id(self, delivery: Delivery) -> str:  # noqa: ARG002  Azure has none
        """Azure has no ids for deliveries."""
        return ""

    def parse(self, delivery: Delivery) -> Parsed:
        """The alert."""
        payload = read_json(delivery.body).object()
        if payload["schemaId"].text() != SCHEMA:
            reason = f"{SCHEMA} is documented; switch on the common alert schema in the action group"
            raise BadPayload(reason, path=payload["schemaId"].path)
        return (_alert(payload["data"], delivery.received_at),)


def _alert(data: Node, received_at: datetime) -> Alert:
    essentials, context = data["essentials"].object(), data["alertContext"]
    condition = essentials["monitorCondition"].needed().lower()
    if condition not in ("fired", "resolved"):
        raise BadPayload(f"{condition[:40]!r} is neither Fired nor Resolved", path=essentials["monitorCondition"].path)
    over = condition == "resolved" or context["properties"]["stage"].text().lower() in HEALTH_OVER
    target = next((t.text().lower() for t in essentials["alertTargetIDs"].optional_items() if t.text()), "")
    custom = data["customProperties"].texts()
    item = next((i.text() for i in essentials["configurationItems"].optional_items() if i.text()), "")
    service, found = _service(
        custom, context["properties"]["service"].text() if _tracking(context) else item or target.rpartition("/")[2]
    )
    alert_id = essentials["alertId"].text()
    fired = essentials["firedDateTime"].time() or received_at
    word = essentials["severity"].text().lower()
    return Alert(
        connector=NAME,
        name=line(essentials["alertRule"].needed()),
        service=service[:100],
        environment=environment_of(custom),
        severity=severity_of(SEVERITIES.get(word, word)),
        resolved=over,
        started_at=fired,
        ended_at=(essentials["resolvedDateTime"].time() or received_at) if over else None,
        summary=line(essentials["description"].text()) or line(context["properties"]["title"].text()),
        description="\n".join(_measured(context)),
        labels={**custom, **_dimensions(context), **_place(target), **_tracking(context)},
        group=_place(target) or _tracking(context),
        service_from=found,
        link=link(essentials["investigationLink"].text()) or _portal(alert_id),
        ref=alert_id[:300],
    )


def _service(custom: Mapping[str, str], resource: str) -> tuple[str, str]:
    service, found = service_of(custom)
    return (resource, "Azure's name of the resource") if service == "unknown" and resource else (service, found)


def _place(target: str) -> dict[str, str]:
    """Of /subscriptions/S/resourcegroups/G/providers/P/TYPE/NAME, lower case throughout: Azure writes both."""
    parts = target.strip("/").split("/")
    pairs = dict(zip(parts[::2], parts[1::2], strict=False))
    place = {
        "subscription": pairs.get("subscriptions", ""),
        "resource_group": pairs.get("resourcegroups", ""),
        "resource": parts[-1],
    }
    return {key: value[:200] for key, value in place.items() if value}


def _dimensions(context: Node) -> dict[str, str]:
    """What splits a rule into alerts; what was measured is no label."""
    return {
        dimension["name"].text()[:100]: dimension["value"].text()[:300]
        for one in context["condition"]["allOf"].optional_items()
        for dimension in one["dimensions"].optional_items()
        if dimension["name"].text() and dimension["value"].text()
    }


def _tracking(context: Node) -> dict[str, str]:
    tracking = context["properties"]["trackingId"].text()
    return {"tracking": tracking[:100]} if tracking else {}


def _measured(context: Node) -> Iterator[str]:
    for one in context["condition"]["allOf"].optional_items():
        what = one["metricName"].text() or line(one["searchQuery"].text())
        yield line(f"{what} {one['operator'].text()} {one['threshold'].text()}: {one['metricValue'].text('no value')}")
    if communication := line(context["properties"]["communication"].text()):
        yield communication


def _portal(alert_id: str) -> str:
    page = "https://portal.azure.com/#blade/Microsoft_Azure_Monitoring/AlertDetailsTemplateBlade/alertId/"
    return page + quote(alert_id, safe="")[:1000] if alert_id.startswith("/subscriptions/") else ""


CONNECTOR = Connector(
    name=NAME,
    title="Azure Monitor",
    settings=WebhookSettings,
    help="TOCSIN_AZUREMONITOR_SECRET is ?token=… in the address of the action group's webhook",
    webhook=AzureMonitorWebhook(),
)

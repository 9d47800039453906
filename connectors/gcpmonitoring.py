"""Google Cloud Monitoring: incidents of alerting policies by the webhook channel, version 1.2.

Format: https://cloud.google.com/monitoring/support/notification-options#schema-webhooks. The proof is the password of the
channel's basic authentication, or the token in its address.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.domain.alert import Alert
from bot.domain.payload import Node, read_json
from bot.domain.signature import shows
from bot.domain.vocabulary import SEVERITY_LABELS, environment_of, first, line, link, service_of, severity_of
from bot.errors import BadPayload, BadSignature
from bot.ports import Connector, Delivery, Ignored, Parsed, WebhookSettings

NAME = "gcpmonitoring"
# The labels of Google's monitored resources that name what a team would call a service, the most telling first.
RESOURCES = (
    "service_name", "container_name", "function_name", "module_id", "top_level_controller_name", "backend_target_name",
    "database_id", "subscription_id", "topic_id", "job_name", "queue_id", "cluster_name", "bucket_name", "host",
)  # fmt: skip


class GcpMonitoringWebhook:
    """One incident in, one alert out."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless the request shows one of the secrets."""
        if not shows(secrets, delivery.headers, delivery.query):
            raise BadSignature("The secret is missing or wrong; it is the channel's password, or `token` in its address.")

    def delivery_id(self, delivery: Delivery) -> str:  # noqa: ARG002  Google has none
        """Google has no ids for deliveries."""
        return ""

    def parse(self, delivery: Delivery) -> Parsed:
        """The incident's alert; a test of the channel is ignored."""
        payload = read_json(delivery.body).object()
        incident = payload["incident"].object()
        if payload["version"].text() == "test":
            return (Ignored("a test of the notification channel"),)
        return (_alert(incident, delivery.received_at),)


def _alert(incident: Node, received_at: datetime) -> Alert:
    """Of an incident's metadata only the place and severity are read: it may be another when the incident closes."""
    state = incident["state"].needed().lower()
    if state not in ("open", "closed"):
        raise BadPayload(f"{state[:40]!r} is neither open nor closed", path=incident["state"].path)
    condition = incident["condition_name"].text() or incident["condition"]["displayName"].text()
    policy = incident["policy_name"].text()
    name = condition if not policy or policy.startswith("projects/") else policy
    resource, project = incident["resource"]["labels"].texts(), incident["scoping_project_id"].text()
    said = (
        incident["metadata"]["system_labels"].texts()
        | incident["metadata"]["user_labels"].texts()
        | incident["policy_user_labels"].texts()
    )
    service, found = _service(said, resource)
    over = state == "closed"
    documentation = incident["documentation"]
    return Alert(
        connector=NAME,
        name=line(name) or incident["policy_name"].needed(),
        service=service[:100],
        environment=environment_of(said),
        severity=severity_of(_severity(incident, said)),
        resolved=over,
        started_at=incident["started_at"].time() or received_at,
        ended_at=(incident["ended_at"].time() or received_at) if over else None,
        summary=line(incident["summary"].text()) or line(documentation["subject"].text()),
        description=documentation["content"].text().strip(),
        labels=_filled(
            {
                **incident["metric"]["labels"].texts(),
                **incident["policy_user_labels"].texts(),
                **resource,
                "resource_type": incident["resource"]["type"].text(),
                "metric": incident["metric"]["type"].text(),
                "condition": condition[:300],
                "project": project,
            }
        ),
        group=_filled({"project": project, "policy": policy[:300], "condition": condition[:300]}),
        service_from=found,
        runbook_url=next((u for item in documentation["links"].optional_items() if (u := link(item["url"].text()))), ""),
        link=link(incident["url"].text()),
        ref=incident["incident_id"].text()[:100],
    )


def _severity(incident: Node, said: Mapping[str, str]) -> str:
    """The policy's own severity, unless it has none; else a label."""
    own = incident["severity"].text()
    return first(said, SEVERITY_LABELS)[1] if own.lower() in ("", "no severity") else own


def _service(said: Mapping[str, str], resource: Mapping[str, str]) -> tuple[str, str]:
    service, found = service_of(said)
    if service != "unknown":
        return service, found
    telling = {key: value for key, value in resource.items() if value != "default"}  # App Engine's first service is called so
    key, value = first(telling, RESOURCES)
    return (value, f"resource label {key}") if value else (service, found)


def _filled(labels: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in labels.items() if value}


CONNECTOR = Connector(
    name=NAME,
    title="Google Cloud Monitoring",
    settings=WebhookSettings,
    help="TOCSIN_GCPMONITORING_SECRET is the password of the webhook channel's basic authentication, or ?token=… in its address",
    webhook=GcpMonitoringWebhook(),
)

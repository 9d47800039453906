"""Jenkins: builds and deploys, by the Notification plugin or the same JSON from a pipeline.

Format: https://plugins.jenkins.io/notification/. Proved with a bearer token, or with the token in the URL, since the plugin
cannot send headers.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.domain.change import Change, ChangeKind, ChangeStatus
from bot.domain.payload import Node, read_json
from bot.domain.signature import shows
from bot.domain.vocabulary import first, line, link, repository_of
from bot.errors import BadSignature
from bot.ports import Connector, Delivery, Ignored, Parsed, WebhookSettings
from connectors.jenkins.deployer import jenkins_deployer

NAME = "jenkins"
PHASES = {"QUEUED": ChangeStatus.PENDING, "STARTED": ChangeStatus.RUNNING}
ENDED = frozenset({"COMPLETED", "FINALIZED"})
CHECKED = {"SUCCESS": True, "UNSTABLE": False, "FAILURE": False}
ENVIRONMENT = ("environment", "env", "deploy_env", "target_env", "stage")
SERVICE = ("service", "app", "application", "component")
VERSION = ("version", "tag", "image_tag", "release")


class JenkinsWebhook:
    """One phase of a build in, a build out, or a deploy if a parameter names the environment."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless the bearer token, or the one in the URL, is one of the secrets."""
        if not shows(secrets, delivery.headers, delivery.query):
            raise BadSignature("The token is missing or wrong; add ?token=... to the notification's URL, or a bearer token.")

    def delivery_id(self, delivery: Delivery) -> str:  # noqa: ARG002  the plugin has none
        """The plugin has no ids for deliveries."""
        return ""

    def parse(self, delivery: Delivery) -> Parsed:
        """The build of one notification."""
        job = read_json(delivery.body).object()
        name, build = job["name"].needed()[:140], job["build"].object()
        phase, result = build["phase"].needed().upper(), build["status"].text().upper()
        if phase not in PHASES and phase not in ENDED:
            return (Ignored(f"{name}: phase {phase[:40]}"),)
        if result == "NOT_BUILT":
            return (Ignored(f"{name}: not built"),)
        ended = {"SUCCESS": ChangeStatus.SUCCEEDED, "UNSTABLE": ChangeStatus.SUCCEEDED}.get(result, ChangeStatus.FAILED)
        status = PHASES.get(phase) or (ended if result else ChangeStatus.RUNNING)
        return (_change(name, build, status, result, delivery.received_at),)


def _change(name: str, build: Node, status: ChangeStatus, result: str, received_at: datetime) -> Change:
    number, given = build["number"].needed()[:20], {k.lower(): v for k, v in build["parameters"].texts().items()}
    environment, scm = first(given, ENVIRONMENT)[1], build["scm"]
    deploys = bool(environment)
    sha = scm["commit"].text()[:64]
    return Change(
        id=f"{NAME}:{(link(build['full_url'].text()) or name)[:200]}:{number}",
        connector=NAME,
        kind=ChangeKind.DEPLOY if deploys else ChangeKind.BUILD,
        status=status,
        at=_at(build, received_at),
        title=line(f"{name} #{number} {result.lower()}".strip()),
        services=_services(given, name if deploys and not scm["url"].text() else ""),
        environment=environment[:100],
        version=(first(given, VERSION)[1] or (sha[:7] if deploys else ""))[:100],
        commit=sha,
        repository=repository_of(scm["url"].text())[:140],
        author=next((a for a in (c.text() for c in scm["culprits"].optional_items()) if a), "")[:100],
        url=link(build["full_url"].text()),
        files=tuple(f.text()[:300] for f in scm["changes"].optional_items() if f.text())[:300],
        checks={line(name, 60): CHECKED[result]} if not deploys and result in CHECKED else {},
    )


def _services(given: Mapping[str, str], otherwise: str) -> tuple[str, ...]:
    name = first(given, SERVICE)[1] or otherwise
    return (name[:100],) if name else ()


def _at(build: Node, received_at: datetime) -> datetime:
    """When it ended, else when it began; the plugin counts milliseconds since 1970."""
    began, took = build["timestamp"].value, build["duration"].value
    if not isinstance(began, int) or isinstance(began, bool):
        return received_at
    lasted = took if isinstance(took, int) and not isinstance(took, bool) else 0
    return Node((began + lasted) / 1000, build["timestamp"].path).time() or received_at


CONNECTOR = Connector(
    name=NAME,
    title="Jenkins",
    settings=WebhookSettings,
    help="TOCSIN_JENKINS_SECRET is the token in the URL of the notification endpoint (?token=...), or a bearer token",
    webhook=JenkinsWebhook(),
    deployer=jenkins_deployer,
)

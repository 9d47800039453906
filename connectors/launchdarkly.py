"""LaunchDarkly: feature flags that were turned, by webhook.

Format: https://launchdarkly.com/docs/api/audit-log (a webhook sends an entry of the audit log).
Signed with HMAC-SHA256 over the body.
"""

import re
from collections.abc import Sequence
from datetime import datetime

from bot.domain.change import Change, ChangeKind, ChangeStatus
from bot.domain.payload import Node, read_json
from bot.domain.signature import digest, hmac_hex, proves
from bot.domain.vocabulary import line, link
from bot.errors import BadPayload, BadSignature
from bot.ports import Connector, Delivery, Ignored, Parsed, WebhookSettings

NAME = "launchdarkly"
KINDS = {"flag": ChangeKind.FLAG, "segment": ChangeKind.FLAG, "environment": ChangeKind.CONFIG}
SITE = "https://app.launchdarkly.com"
_RESOURCE = re.compile(r"proj/([^:;/]+)(?:;[^:]*)?(?::env/([^:;/]+)(?:;[^:]*)?)?(?::(flag|segment)/([^:;/]+))?")
_TAG = "service:"


class LaunchDarklyWebhook:
    """One entry of the audit log in, a change of a flag out."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless the body is signed with one of the secrets."""
        given = delivery.headers.get("x-ld-signature", "")
        if not proves(secrets, given, lambda secret: hmac_hex(secret, delivery.body)):
            raise BadSignature("X-LD-Signature is missing or wrong; the webhook's secret must be Tocsin's.")

    def delivery_id(self, delivery: Delivery) -> str:
        """The signed body's own: an entry carries its id, so that the same one is sent again or was overheard."""
        return digest(delivery.body)

    def parse(self, delivery: Delivery) -> Parsed:
        """The change of one entry."""
        entry = read_json(delivery.body).object()
        kind, id = entry["kind"].needed(), entry["_id"].needed()[:60]
        if kind not in KINDS:
            return (Ignored(kind[:60]),)
        project, environment, name = _where(entry)
        member = entry["member"]
        title = line(" ".join(x for x in (entry["titleVerb"].text(), entry["name"].text() or name) if x))
        change = Change(
            id=f"{NAME}:{id}",
            connector=NAME,
            kind=KINDS[kind],
            status=ChangeStatus.SUCCEEDED,
            at=_at(entry["date"]) or delivery.received_at,
            title=title or line(f"{kind} {name}"),
            services=_services(entry, project),
            environment=environment[:100],
            version=_version(entry, name, environment)[:100],
            author=(member["email"].text() or entry["app"]["name"].text() or entry["token"]["name"].text())[:100],
            url=link(entry["_links"]["site"]["href"].text()) or _site(entry["_links"]["site"]["href"].text()),
        )
        return (change,)


def _where(entry: Node) -> tuple[str, str, str]:
    """Project, environment and flag of the first resource that was touched; what it does not name is empty."""
    resources = [*(a["resource"] for a in entry["accesses"].optional_items()), *entry["target"]["resources"].optional_items()]
    found = [match for r in resources if (match := _RESOURCE.match(r.text()))]
    best = max(found, key=lambda match: sum(map(bool, match.groups())), default=None)
    if best is None:
        raise BadPayload("a resource like proj/web:env/production:flag/new-checkout is documented", path="$.accesses")
    environment = best[2] or ""
    return best[1], "" if environment == "*" else environment, best[4] or ""


def _services(entry: Node, project: str) -> tuple[str, ...]:
    """The flag's tags service:<name>, else its project, unless that is the one that everybody has."""
    tags = [t.text() for t in entry["currentVersion"]["tags"].optional_items()]
    named = tuple(dict.fromkeys(t.removeprefix(_TAG).strip()[:100] for t in tags if t.startswith(_TAG) and t != _TAG))
    return named[:10] or ((project[:100],) if project != "default" else ())


def _version(entry: Node, name: str, environment: str) -> str:
    """The flag and whether it is on now, where the entry says so."""
    on = entry["currentVersion"]["environments"][environment]["on"].value
    return f"{name}={'on' if on else 'off'}" if isinstance(on, bool) else name


def _at(date: Node) -> datetime | None:
    value = date.value
    return Node(value / 1000, date.path).time() if isinstance(value, int) and not isinstance(value, bool) else date.time()


def _site(path: str) -> str:
    return SITE + path if path.startswith("/") else ""


CONNECTOR = Connector(
    name=NAME,
    title="LaunchDarkly",
    settings=WebhookSettings,
    help="TOCSIN_LAUNCHDARKLY_SECRET is the webhook's secret: Integrations › Webhooks › Sign this webhook",
    webhook=LaunchDarklyWebhook(),
)

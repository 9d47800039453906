"""What Tocsin does at PagerDuty: it pages (Events API v2), asks who is on call, acknowledges and resolves (REST API v2).

Formats: https://developer.pagerduty.com/docs/send-alert-event and .../api-reference (on-calls, incidents).
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from bot.domain.alert import Alert, Severity
from bot.domain.handling import Deed
from bot.errors import NotFound
from bot.ports import OnCall, Page
from bot.wire.rest import Rest

TITLE = "PagerDuty"
SEVERITIES = {Severity.SEV1: "critical", Severity.SEV2: "error", Severity.SEV3: "warning", Severity.SEV4: "info"}
ACTIONS = {Deed.ACKNOWLEDGED: "acknowledge", Deed.RESOLVED: "resolve"}
STATES = {Deed.ACKNOWLEDGED: "acknowledged", Deed.RESOLVED: "resolved"}
LONGEST_SUMMARY = 1024
TIMEOUT = 5.0
_ID = re.compile(r"P[A-Z0-9]{5,}\Z")


class PagerDutyEvents:
    """ports.Pager: `keys` are routing keys by the name that routing.yaml calls them; "" is the usual one."""

    def __init__(self, url: str, keys: Mapping[str, str]) -> None:
        self._api = Rest(TITLE, url, {}, timeout=TIMEOUT)
        self._keys = keys

    async def page(self, page: Page) -> None:
        """Trigger; PagerDuty folds the same key into the incident that is open."""
        payload = {
            "summary": page.title[:LONGEST_SUMMARY],
            "source": "tocsin",
            "severity": SEVERITIES[page.severity],
            "component": page.service,
            "custom_details": {"text": page.text},
        }
        links = [{"href": page.link, "text": "The card in Slack"}] if page.link else []
        await self._send(page.target, {"event_action": "trigger", "dedup_key": page.key, "payload": payload, "links": links})

    async def carry(self, key: str, deed: Deed, by: str) -> None:  # noqa: ARG002  the Events API takes no name
        """Acknowledge or resolve the page with this key."""
        if deed in ACTIONS:
            await self._send(key.rpartition(":")[2], {"event_action": ACTIONS[deed], "dedup_key": key})

    async def _send(self, target: str, event: Mapping[str, object]) -> None:
        if target not in self._keys:
            known = ", ".join(sorted(k for k in self._keys if k)) or "none"
            raise NotFound(
                f"PagerDuty has no routing key named {target!r} in [connectors.pagerduty.routing_keys]; known: {known}."
            )
        await self._api.send("POST", "/v2/enqueue", {"routing_key": self._keys[target], "client": "Tocsin", **event})


class PagerDutyRest:
    """ports.Schedules, and ports.Responder where `person` (an e-mail address of a PagerDuty user) is given."""

    deeds = frozenset(STATES)

    def __init__(self, url: str, token: str, person: str = "") -> None:
        accept = "application/vnd.pagerduty+json;version=2"
        self._api = Rest(TITLE, url, {"authorization": f"Token token={token}", "accept": accept}, timeout=TIMEOUT)
        self._person = person

    async def on_call(self, schedule: str) -> tuple[OnCall, ...]:
        """Who is on call on a schedule, by its id or name, the lowest escalation level first."""
        id = schedule if _ID.match(schedule) else await self._schedule(schedule)
        answer = await self._api.get("/oncalls", **{"schedule_ids[]": id, "include[]": "users", "earliest": "true"})
        found: dict[str, tuple[int, OnCall]] = {}
        for entry in answer["oncalls"].optional_items():
            user = entry["user"]
            level = int(entry["escalation_level"].text("1")) if entry["escalation_level"].text("1").isdecimal() else 1
            person = OnCall(user["name"].text() or user["summary"].text(), user["email"].text(), _time(entry["end"].text()))
            if person.name and (user["id"].text() not in found or level < found[user["id"].text()][0]):
                found[user["id"].text()] = (level, person)
        return tuple(person for _, person in sorted(found.values(), key=lambda one: one[0]))

    async def _schedule(self, name: str) -> str:
        answer = await self._api.get("/schedules", query=name)
        for schedule in answer["schedules"].optional_items():
            if schedule["name"].text().lower() == name.lower() or schedule["summary"].text().lower() == name.lower():
                return schedule["id"].needed()
        raise NotFound(f"PagerDuty has no schedule {name!r}; routing.yaml takes its id or its whole name.")

    async def carry(self, alert: Alert, deed: Deed, by: str, note: str, until: datetime | None = None) -> str:  # noqa: ARG002  no silences here
        """Bring the incident to this state; it being there already is no error."""
        incident = {"type": "incident_reference", "status": STATES[deed]}
        if deed is Deed.RESOLVED:
            incident["resolution"] = f"{by}: {note}"[:1000]
        path = f"/incidents/{quote(alert.ref, safe='')}"
        await self._api.send("PUT", path, {"incident": incident}, headers={"from": self._person})
        return ""


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    except ValueError:
        return None

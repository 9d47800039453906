"""What Tocsin does at Opsgenie: it pages, asks who is on call, acknowledges, closes and snoozes.

Formats: https://docs.opsgenie.com/docs/alert-api and .../who-is-on-call-api. Requests are taken with 202 and carried out later;
an alert that is not there is no error of the request.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from bot.domain.alert import Alert, Severity
from bot.domain.handling import Deed
from bot.errors import NotFound
from bot.ports import OnCall, Page
from bot.wire.rest import Rest
from connectors.opsgenie.webhook import BY_TOCSIN

TITLE = "Opsgenie"
TIMEOUT = 5.0
LONGEST_MESSAGE = 130
PRIORITIES = {Severity.SEV1: "P1", Severity.SEV2: "P2", Severity.SEV3: "P3", Severity.SEV4: "P4"}
VERBS = {Deed.ACKNOWLEDGED: "acknowledge", Deed.UNACKNOWLEDGED: "unacknowledge", Deed.RESOLVED: "close", Deed.SILENCED: "snooze"}


class Opsgenie:
    """ports.Pager and ports.Schedules."""

    def __init__(self, url: str, key: str, team: str = "") -> None:
        self._api = Rest(TITLE, url, {"authorization": f"GenieKey {key}"}, timeout=TIMEOUT)
        self._team = team

    @property
    def responder(self) -> "OpsgenieResponder":
        """What people did here, done to Opsgenie's own alerts."""
        return OpsgenieResponder(self._api)

    async def on_call(self, schedule: str) -> tuple[OnCall, ...]:
        """Who is on call on a schedule, by its name."""
        path = f"/v2/schedules/{quote(schedule, safe='')}/on-calls"
        answer = await self._api.get(path, scheduleIdentifierType="name", flat="true")
        names = [one.text() for one in answer["data"]["onCallRecipients"].optional_items()]
        return tuple(OnCall(name, name if "@" in name else "") for name in names if name)

    async def page(self, page: Page) -> None:
        """Create an alert; Opsgenie counts the same alias up while it is open."""
        team = page.target or self._team
        body: dict[str, object] = {
            "message": page.title[:LONGEST_MESSAGE],
            "alias": page.key,
            "description": "\n".join(part for part in (page.text, page.link) if part)[:15_000],
            "entity": page.service[:512],
            "priority": PRIORITIES[page.severity],
            "source": BY_TOCSIN,
        }
        if team:
            body["responders"] = [{"type": "team", "name": team}]
        await self._api.send("POST", "/v2/alerts", body)

    async def carry(self, key: str, deed: Deed, by: str) -> None:
        """Acknowledge or close the page with this key; one that is gone is no error."""
        if deed in (Deed.ACKNOWLEDGED, Deed.RESOLVED):
            try:
                await self._api.send("POST", _path(key, deed), _body(by, ""), params={"identifierType": "alias"})
            except NotFound:
                return


class OpsgenieResponder:
    """ports.Responder."""

    deeds = frozenset(VERBS)

    def __init__(self, api: Rest) -> None:
        self._api = api

    async def carry(self, alert: Alert, deed: Deed, by: str, note: str, until: datetime | None = None) -> str:
        """Do it to the alert with this id; it being done already is no error."""
        body = _body(by, note)
        if deed is Deed.SILENCED:
            if until is None:
                return ""
            body = {**body, "endTime": until.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")}
        await self._api.send("POST", _path(alert.ref, deed), body, params={"identifierType": "id"})
        return ""


def _path(identifier: str, deed: Deed) -> str:
    return f"/v2/alerts/{quote(identifier, safe='')}/{VERBS[deed]}"


def _body(by: str, note: str) -> Mapping[str, object]:
    return {"source": BY_TOCSIN, "user": by[:100], "note": note[:1000]}

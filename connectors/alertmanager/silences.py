"""Alertmanager's silences, both ways: pressed here they are made there, and those made there are seen.

Format: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml. A silence of ours is found again by its author
and its matchers, so nothing has to be remembered: making it twice is making it once.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from bot.domain.alert import Alert
from bot.domain.handling import Deed
from bot.domain.payload import Node
from bot.errors import NotFound
from bot.ports import Silenced
from bot.wire.rest import Rest

AUTHOR = "Tocsin"
TIMEOUT = 5.0
LEARNS = timedelta(minutes=5)  # it keeps alerts in memory; Prometheus sends those that fire again within a minute


class Silences:
    """ports.Responder and ports.SilenceSource on the API version 2."""

    deeds = frozenset({Deed.SILENCED, Deed.UNSILENCED})

    def __init__(self, url: str, token: str = "", *, learns: timedelta = LEARNS) -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._learns = learns
        self._api = Rest("Alertmanager", url, headers, timeout=TIMEOUT)

    async def carry(self, alert: Alert, deed: Deed, by: str, note: str, until: datetime | None = None) -> str:
        """Make the silence for these labels, prolong ours, or end ours; its id."""
        if not alert.labels:
            raise NotFound(f"No labels are kept of {alert.name}, so nothing can be silenced in Alertmanager.")
        mine = [s for s in await self._all() if _ours(s) and _matchers(s) == dict(alert.labels)]
        if deed is Deed.UNSILENCED:
            for silence in mine:
                await self._api.send("DELETE", f"/api/v2/silence/{quote(silence['id'].needed(), safe='')}")
            return mine[0]["id"].needed() if mine else ""
        if until is None:
            return ""
        if mine and mine[0]["endsAt"].time() == until:
            return mine[0]["id"].needed()
        body = _silence(alert.labels, by, note, until)
        if mine:
            body |= {"id": mine[0]["id"].needed(), "startsAt": mine[0]["startsAt"].needed()}
        answer = await self._api.send("POST", "/api/v2/silences", body)
        return answer["silenceID"].text()

    async def silenced(self) -> tuple[Silenced, ...]:
        """The alerts that Alertmanager holds back because of silences that other people made."""
        silences = {s["id"].text(): s for s in await self._all() if not _ours(s)}
        if not silences:
            return ()
        answer = await self._api.get("/api/v2/alerts", active="false", inhibited="false", unprocessed="false", silenced="true")
        return tuple(_told(answer.items(), silences))

    async def firing(self) -> frozenset[str] | None:
        """The fingerprints of all alerts that fire, silenced or not; None shortly after Alertmanager's start."""
        since = (await self._api.get("/api/v2/status"))["uptime"].time()
        if since is None or datetime.now(UTC) - since < self._learns:
            return None
        alerts = await self._api.get("/api/v2/alerts")
        return frozenset(alert["fingerprint"].text() for alert in alerts.items())

    async def _all(self) -> list[Node]:
        answer = await self._api.get("/api/v2/silences")
        return [s for s in answer.items() if s["status"]["state"].text() in ("active", "pending")]


def _told(alerts: Iterable[Node], silences: Mapping[str, Node]) -> Iterable[Silenced]:
    for alert in alerts:
        by = [silences[id.text()] for id in alert["status"]["silencedBy"].optional_items() if id.text() in silences]
        ends = [(end, s) for s in by if (end := s["endsAt"].time()) is not None]
        if ends:
            end, longest = max(ends, key=lambda pair: pair[0])
            who, why = longest["createdBy"].text()[:100], longest["comment"].text()[:300]
            yield Silenced(alert["fingerprint"].text(), end, who, why)


def _ours(silence: Node) -> bool:
    return silence["createdBy"].text().startswith(AUTHOR)


def _matchers(silence: Node) -> dict[str, str] | None:
    """The labels of a silence that asks for equality only, as ours do; None for any other."""
    found = {}
    for matcher in silence["matchers"].optional_items():
        if matcher["isRegex"].value is True or matcher["isEqual"].value is False:
            return None
        found[matcher["name"].text()] = matcher["value"].text()
    return found


def _silence(labels: Mapping[str, str], by: str, note: str, until: datetime) -> dict[str, object]:
    return {
        "matchers": [{"name": n, "value": v, "isRegex": False, "isEqual": True} for n, v in sorted(labels.items())],
        "startsAt": "1970-01-01T00:00:00Z",  # Alertmanager makes it its own now: two clocks may differ
        "endsAt": until.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "createdBy": f"{AUTHOR} for {by}"[:200] if by else AUTHOR,
        "comment": note[:500] or "silenced in Slack",
    }

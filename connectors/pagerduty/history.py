"""Resolved incidents of PagerDuty with their notes, for the import.

https://developer.pagerduty.com/api-reference/9d0b4b12e36f9-list-incidents and .../a1ac30885eb7a-list-notes-for-an-incident
"""

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

from bot.domain.past import PastIncident
from bot.domain.payload import Node
from bot.domain.vocabulary import line, link
from bot.wire.rest import Rest, patient

PAGE = 100
SPAN = timedelta(days=30)  # asked for at once: PagerDuty answers for six months at most, and for 10,000 incidents
MOST_NOTES = 30


class PagerDutyHistory:
    """ports.IncidentHistory on the REST API v2."""

    def __init__(self, url: str, token: str, service: str, clock: Callable[[], datetime]) -> None:
        headers = {"authorization": f"Token token={token}", "accept": "application/vnd.pagerduty+json;version=2"}
        self._api = Rest("PagerDuty", url, headers)
        self._service = service
        self._clock = clock

    async def incidents(self, since: datetime) -> AsyncIterator[PastIncident]:
        """Those that began since a time, the oldest first; of one service (its id) where one was named."""
        now = self._clock()
        while since < now:
            until = min(since + SPAN, now)
            async for one in self._between(since, until):
                yield one
            since = until

    async def _between(self, since: datetime, until: datetime) -> AsyncIterator[PastIncident]:
        offset, more = 0, True
        while more:
            asked = {
                "since": since.isoformat(),
                "until": until.isoformat(),
                "statuses[]": "resolved",
                "sort_by": "created_at:asc",
                "limit": str(PAGE),
                "offset": str(offset),
                **({"service_ids[]": self._service} if self._service else {}),
            }
            page = await patient(self._api, "/incidents", asked)
            found = list(page["incidents"].optional_items())
            for one in found:
                yield await self._whole(one)
            offset += len(found)
            more = bool(found) and page["more"].value is True

    async def _whole(self, one: Node) -> PastIncident:
        id = one["id"].needed()[:40]
        said = await patient(self._api, f"/incidents/{id}/notes")
        notes = [n["content"].text() for n in list(said["notes"].optional_items())[:MOST_NOTES]]
        reason = one["resolve_reason"]["type"].text()
        return PastIncident(
            ref=id,
            title=line(one["title"].text() or one["summary"].text() or id, 300),
            origin="pagerduty",
            started=one["created_at"].time(),
            resolved=one["resolved_at"].time() or one["last_status_change_at"].time(),
            severity=line(one["priority"]["summary"].text() or one["urgency"].text(), 40),
            services=tuple(s for s in (one["service"]["summary"].text(),) if s),
            alerts=tuple(a for a in (one["incident_key"].text()[:200],) if a and " " not in a and not a.isalnum()),
            fix=line(notes[-1], 1_000) if notes and not reason else "",
            link=link(one["html_url"].text()),
            text="\n\n".join([one["description"].text(), *notes]),
        )

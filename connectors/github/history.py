"""Closed issues of a repository that carry a label, as past incidents.

https://docs.github.com/en/rest/issues/issues#list-repository-issues
"""

from collections.abc import AsyncIterator
from datetime import datetime

from bot.domain.past import PastIncident
from bot.domain.vocabulary import line, link
from bot.wire.rest import Rest, patient

PAGE = 100
MOST_PAGES = 200
LABEL = "incident"


class GitHubHistory:
    """ports.IncidentHistory on GitHub's REST API; `query` is the label, or "owner/name label"."""

    def __init__(self, url: str, token: str, repository: str, query: str) -> None:
        named, _, label = query.partition(" ") if "/" in query.partition(" ")[0] else ("", "", query)
        self._repository, self._label = named or repository, label.strip() or LABEL
        headers = {
            "authorization": f"Bearer {token}",
            "accept": "application/vnd.github+json",
            "x-github-api-version": "2022-11-28",
        }
        self._api = Rest("GitHub", url, headers)

    async def incidents(self, since: datetime) -> AsyncIterator[PastIncident]:
        """Those that were opened since a time, the oldest first."""
        for page in range(1, MOST_PAGES + 1):
            asked = {
                "labels": self._label,
                "state": "closed",
                "sort": "created",
                "direction": "asc",
                "since": since.isoformat(),  # GitHub's is of the last change, which comes after the beginning
                "per_page": str(PAGE),
                "page": str(page),
            }
            found = list((await patient(self._api, f"/repos/{self._repository}/issues", asked)).items())
            for one in found:
                began = one["created_at"].time()
                if one["pull_request"] or began is None or began < since:
                    continue
                labels = [n["name"].text() for n in one["labels"].optional_items()]
                yield PastIncident(
                    ref=f"{self._repository}#{one['number'].value}",
                    title=line(one["title"].needed(), 300),
                    origin="github",
                    started=began,
                    resolved=one["closed_at"].time(),
                    severity=next((n for n in labels if n.lower().startswith(("sev", "p0", "p1", "p2", "p3", "priority"))), "")[
                        :40
                    ],
                    services=tuple(
                        n.partition(":")[2].strip() for n in labels if n.lower().startswith(("service:", "component:"))
                    ),
                    link=link(one["html_url"].text()),
                    text=one["body"].text(),
                )
            if len(found) < PAGE:
                return

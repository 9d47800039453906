"""Queries of runbooks tried on a Prometheus, read-only: is it PromQL, are its metrics there, does it have data now.

Format: https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries, .../#querying-label-values, .../#rules
"""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import httpx

from bot.domain.care import Health
from bot.domain.payload import Node, read_json
from bot.errors import BadPayload, Unavailable

SECONDS = 5.0  # for one query
OF_LATE = timedelta(days=7)  # a metric without a sample for so long is gone
MOST_BYTES = 20_000_000
MOST_NAMES = 40  # of one query
_ANSWERS_WITHOUT = re.compile(r"\b(?:absent|absent_over_time|or|vector)\b")  # these have data although the metric is gone


class PrometheusProbe:
    """ports.QueryProbe on one Prometheus, or what speaks its API."""

    def __init__(
        self,
        url: str,
        token: str = "",
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        tenant: str = "",
        auth: tuple[str, str] | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        if tenant:
            self._headers["X-Scope-OrgID"] = tenant
        self._auth = auth
        self._transport = transport

    async def health(self, query: str, metrics: Collection[str]) -> tuple[Health, str]:
        """How the query fares now, and why for people. Raises Unavailable where Prometheus cannot be asked."""
        status, answer = await self._ask("POST", "/api/v1/query", {"query": query, "timeout": f"{SECONDS:g}s"})
        if status in (400, 422):
            return Health.BROKEN, _line(answer["error"].text()) or f"Prometheus answers {status}"
        if status != 200:
            raise Unavailable(f"Prometheus answered {status} to a query.")
        rows = answer["data"]["result"].value
        if not isinstance(rows, list):
            raise Unavailable("Prometheus answered a query with no result: something else lives at that address.")
        empty = not rows
        if empty or _ANSWERS_WITHOUT.search(query):
            gone = await self._gone(metrics)
            if gone:
                return Health.NO_METRIC, f"{', '.join(gone)} had no sample in {OF_LATE.days} days"
        return (Health.NO_DATA, "no series fits at the moment") if empty else (Health.FINE, "")

    async def alerts(self) -> frozenset[str] | None:
        """The names of the alerts that its rules can fire; None where it does not tell of rules."""
        status, answer = await self._ask("GET", "/api/v1/rules", {"type": "alert"})
        if status != 200:
            return None
        groups = answer["data"]["groups"].optional_items()
        return frozenset(name for group in groups for rule in group["rules"].optional_items() if (name := rule["name"].text()))

    async def _gone(self, metrics: Collection[str]) -> Sequence[str]:
        """Those of these metrics that had no sample of late."""
        wanted = list(metrics)[:MOST_NAMES]
        if not wanted:
            return []
        matching = '{__name__=~"' + "|".join(wanted) + '"}'
        since = (datetime.now(UTC) - OF_LATE).timestamp()
        status, answer = await self._ask("GET", "/api/v1/label/__name__/values", {"match[]": matching, "start": f"{since:.0f}"})
        if status != 200 or not isinstance(answer["data"].value, list):
            return []  # whoever does not tell which names there are is believed to have them
        there = {name.text() for name in answer["data"].optional_items()}
        return [name for name in wanted if name not in there]

    async def _ask(self, method: str, path: str, values: Mapping[str, str]) -> tuple[int, Node]:
        """The status and the JSON of one answer. Raises Unavailable."""
        sent = {"data": values} if method == "POST" else {"params": values}
        try:
            async with (
                httpx.AsyncClient(
                    headers=self._headers, auth=self._auth, timeout=2 * SECONDS, transport=self._transport, trust_env=False
                ) as client,
                client.stream(method, self._url + path, **sent) as answer,  # type: ignore[arg-type]  # two of its keywords, whose types differ
            ):
                body = await _body(answer)
                return answer.status_code, read_json(body) if body.strip().startswith(b"{") else Node({})
        except httpx.TimeoutException:
            raise Unavailable(f"Prometheus did not answer within {2 * SECONDS:g} s.") from None
        except httpx.HTTPError as error:
            raise Unavailable(f"Prometheus cannot be reached ({type(error).__name__}).") from None
        except BadPayload:
            raise Unavailable("Prometheus answered with what is no JSON.") from None


async def _body(answer: httpx.Response) -> bytes:
    parts, size = [], 0
    async for part in answer.aiter_bytes():
        size += len(part)
        if size > MOST_BYTES:
            raise Unavailable(f"the answer of Prometheus is larger than {MOST_BYTES} bytes.")
        parts.append(part)
    return b"".join(parts)


def _line(text: str) -> str:
    return " ".join(text.removeprefix('invalid parameter "query": ').split())[:200]

"""ServiceNow: its incidents as tickets, both ways.

REST: the Table API, https://www.servicenow.com/docs/csh?topicname=c_TableAPI.html. ServiceNow sends nothing by itself: a business
rule, which docs/connectors/servicenow.md gives, posts JSON with a bearer token. `correlation_id` is the idempotency key.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import BaseModel, SecretStr

from bot.domain.alert import Severity
from bot.domain.payload import Node, read_json
from bot.domain.signature import bears
from bot.domain.ticket import Ticket, TicketStatus
from bot.domain.vocabulary import line, link
from bot.errors import BadPayload, BadSignature, NotFound
from bot.ports import Connector, Delivery, Parsed, TicketDraft, Tracker, WebhookSettings
from bot.wire.rest import Rest

NAME = "servicenow"
TABLE = "/api/now/table/incident"
FIELDS = "sys_id,number,short_description,description,state,opened_at,sys_updated_on,cmdb_ci,business_service,caller_id"
# https://www.servicenow.com/docs/csh?topicname=r_IncidentManagementStateModel.html: 3 is on hold, 8 cancelled
STATES = {"1": TicketStatus.OPEN, "2": TicketStatus.IN_PROGRESS, "3": TicketStatus.IN_PROGRESS}
MOVES = {TicketStatus.OPEN: "1", TicketStatus.IN_PROGRESS: "2", TicketStatus.DONE: "6"}
URGENCY = {Severity.SEV1: "1", Severity.SEV2: "1", Severity.SEV3: "2", Severity.SEV4: "3"}
_NUMBER = re.compile(r"[A-Z]{2,10}\d{3,12}")


class ServiceNowSettings(WebhookSettings):
    """Where tickets are opened: the instance's address, and a user for the Table API."""

    url: str = ""
    user: str = ""
    password: SecretStr | None = None
    close_code: str = "Solution provided"


class ServiceNowWebhook:
    """What the business rule posts: one incident record as text."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless the bearer token is one of the secrets."""
        if not bears(secrets, delivery.headers):
            raise BadSignature("The bearer token is missing or wrong; the business rule has to send Tocsin's secret.")

    def delivery_id(self, delivery: Delivery) -> str:  # noqa: ARG002  a business rule has none
        """There are no ids for deliveries."""
        return ""

    def parse(self, delivery: Delivery) -> Parsed:
        """The news of one ticket."""
        payload = read_json(delivery.body).object()
        return (ticket_of(payload, payload["sys_updated_on"].time() or delivery.received_at, payload["instance"].text()),)


def ticket_of(record: Node, at: datetime, base: str) -> Ticket:
    """One record of the table `incident`. Raises BadPayload."""
    number = record["number"].needed()
    if not _NUMBER.fullmatch(number):
        raise BadPayload(f"{number[:40]!r} is no number like INC0010023", path=record["number"].path)
    services = (_shown(record["business_service"]), _shown(record["cmdb_ci"]))
    return Ticket(
        connector=NAME,
        ref=number,
        title=line(record["short_description"].text()) or number,
        status=STATES.get(record["state"].text("1"), TicketStatus.DONE),
        at=at,
        opened_at=record["opened_at"].time(),
        services=tuple(s for s in services if s),
        text=record["description"].text()[:4000],
        author=_shown(record["caller_id"]),
        url=link(f"{base.rstrip('/')}/nav_to.do?uri=incident.do?sysparm_query=number={number}"),
        comment=record["comment"].text()[:4000],
        commented_by=record["commented_by"].text()[:100],
        comment_ref=record["comment_ref"].text()[:64],
    )


def _shown(field: Node) -> str:
    """A reference as people read it: the API gives an object or a text, the business rule a text."""
    return (field["display_value"].text() or field.text())[:100]


class ServiceNow:
    """ports.Tracker on the Table API."""

    def __init__(self, settings: ServiceNowSettings) -> None:
        password = settings.password.get_secret_value() if settings.password else ""
        self._own = settings
        self._api = Rest("ServiceNow", settings.url, {}, auth=(settings.user, password))

    async def open(self, draft: TicketDraft) -> Ticket:
        """Open it once per key, which is the record's correlation id."""
        there = await self._one(f"correlation_id={_plain(draft.key)}")
        if there is None:
            record = {
                "short_description": line(draft.title, 160),
                "description": draft.text + (f"\n\n{draft.link}" if draft.link else ""),
                "correlation_id": _plain(draft.key),
                "correlation_display": "Tocsin",
                "urgency": URGENCY[draft.severity],
                "impact": URGENCY[draft.severity],
            }
            made = await self._api.send("POST", TABLE, record, params={"sysparm_display_value": "false"})
            there = made["result"].object()
        return self._ticket(there)

    async def get(self, ref: str) -> Ticket | None:
        """One record by its number, or None."""
        found = await self._one(f"number={_number(ref)}")
        return None if found is None else self._ticket(found)

    async def comment(self, ref: str, text: str, key: str) -> None:
        """Add a work note once per key, which its last line carries."""
        id, mark = await self._id(ref), f"(tocsin {_plain(key)})"
        query = f"element_id={id}^element=work_notes^valueLIKE{mark}"
        said = await self._api.get("/api/now/table/sys_journal_field", sysparm_query=query, sysparm_limit="1")
        if not list(said["result"].optional_items()):
            await self._api.send("PATCH", f"{TABLE}/{id}", {"work_notes": f"{text}\n\n{mark}"})

    async def move(self, ref: str, status: TicketStatus) -> None:
        """Bring it to this state."""
        now = await self.get(ref)
        if now is None or now.status is status:
            return
        fields = {"state": MOVES[status]}
        if status is TicketStatus.DONE:
            fields |= {"close_code": self._own.close_code, "close_notes": "Resolved in Tocsin."}
        await self._api.send("PATCH", f"{TABLE}/{await self._id(ref)}", fields)

    async def _one(self, query: str) -> Node | None:
        found = await self._api.get(TABLE, sysparm_query=query, sysparm_limit="1", sysparm_fields=FIELDS)
        return next(found["result"].items(), None)

    async def _id(self, ref: str) -> str:
        found = await self._one(f"number={_number(ref)}")
        if found is None:
            raise NotFound(f"ServiceNow has no incident {ref}.")
        id = found["sys_id"].needed()
        if not re.fullmatch(r"[0-9a-f]{32}", id):
            raise BadPayload("this is no sys_id", path=found["sys_id"].path)
        return id

    def _ticket(self, record: Node) -> Ticket:
        return ticket_of(record, record["sys_updated_on"].time() or datetime.now(UTC), self._own.url)


def _plain(key: str) -> str:
    """A key that holds nothing of the query language's own signs."""
    return re.sub(r"[^A-Za-z0-9:._-]", "-", key)[:100]


def _number(ref: str) -> str:
    if not _NUMBER.fullmatch(ref):
        raise NotFound(f"{ref[:40]!r} is no number of ServiceNow, such as INC0010023.")
    return ref


def _tracker(settings: BaseModel) -> Tracker | None:
    if not isinstance(settings, ServiceNowSettings) or not (settings.url and settings.user and settings.password):
        return None
    return ServiceNow(settings)


CONNECTOR = Connector(
    name=NAME,
    title="ServiceNow",
    settings=ServiceNowSettings,
    help="TOCSIN_SERVICENOW_SECRET is the bearer token of the business rule; url, user and password let Tocsin open tickets",
    webhook=ServiceNowWebhook(),
    tracker=_tracker,
)

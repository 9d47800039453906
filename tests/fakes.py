"""Fakes that can be read: assert on what happened (`channel.posts == [...]`), not on who was called."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.alert import Alert, Severity
from bot.domain.change import Change, ChangeKind, ChangeStatus
from bot.domain.conversation import Abilities, Reply, Role
from bot.domain.conversation import Said as Uttered
from bot.domain.incident import Incident, Member, Status
from bot.domain.request import Person
from bot.domain.view import AnswerView, HomeView, Place, Said, Shown
from bot.errors import NotFound, Unavailable
from bot.ports import Handler, Listener, ModelRequest, Scalar, Start, Transaction, UserGroup

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class FakeClock:
    """A Clock that stands still: `clock()` tells the time, `clock.advance(seconds=90)` moves it."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> datetime:
        """Move on by `timedelta(**span)`."""
        self.now += timedelta(**span)
        return self.now

    def set(self, now: datetime) -> None:
        """It is this late now."""
        self.now = now


@dataclass
class Post:
    """A message as it stands now; `views` are all it ever showed, the latest last."""

    place: Place
    key: str
    views: list[Shown]

    @property
    def view(self) -> Shown:
        """What it shows now."""
        return self.views[-1]


@dataclass
class FakeTelling:
    """A ports.Telling in memory: what was heard, in order."""

    channel: "FakeChannel"
    place: Place
    person: Person
    key: str
    heard: list[tuple[str, str]] = field(default_factory=list)  # ("step", title) | ("done", title) | ("words", more)

    async def step(self, title: str, *, done: bool) -> None:
        """A look has begun, or is done."""
        self.heard.append(("done" if done else "step", title))

    async def words(self, more: str) -> None:
        """More of the answer's text."""
        self.heard.append(("words", more))

    async def end(self, view: AnswerView) -> Place:
        """The answer is a message now."""
        self.place = await self.channel.post(self.place, view, key=self.key)
        return self.place


@dataclass
class FakeChannel:
    """A ports.Channel in memory. Messages get the ts "1.000001", "2.000001" ...

    `down = True` makes every call raise Unavailable; `fail_next = 2` only the next two; `retry_after` goes with them.
    `lose_answers = 1`: the next post arrives, but its answer is lost (Unavailable), as with a broken connection.
    """

    posts: list[Post] = field(default_factory=list)
    edits: list[tuple[Place, Shown]] = field(default_factory=list)
    whispers: list[tuple[Place, str, Shown]] = field(default_factory=list)
    channels: dict[str, str] = field(default_factory=dict)
    timezones: dict[str, str] = field(default_factory=dict)
    emails: dict[str, str] = field(default_factory=dict)
    memberships: dict[str, tuple[str, ...]] = field(default_factory=dict)
    messages: dict[tuple[str, str], Said] = field(default_factory=dict)
    homes: dict[str, list[HomeView]] = field(default_factory=dict)
    files: list[tuple[str, bytes, str, str, Place | None]] = field(default_factory=list)
    down: bool = False
    fail_next: int = 0
    lose_answers: int = 0
    retry_after: float | None = None

    async def post(self, place: Place, view: Shown, *, key: str) -> Place:
        """Keep a new message."""
        self._answer()
        place = replace(place, ts=f"{len(self.posts) + 1}.000001")
        self.posts.append(Post(place, key, [view]))
        if self.lose_answers:
            self.lose_answers -= 1
            raise Unavailable("The connection broke before the chat answered.")
        return place

    async def edit(self, place: Place, view: Shown) -> None:
        """Show something else in the same message."""
        self._answer()
        self.message(place).views.append(view)
        self.edits.append((place, view))

    async def whisper(self, place: Place, user: str, view: Shown) -> None:
        """Keep what one person was shown."""
        self._answer()
        self.whispers.append((place, user, view))

    async def tell(self, place: Place, person: Person, *, key: str) -> "FakeTelling":
        """Begin an answer; it is a post once it has words, and shows its view in the end."""
        self._answer()
        return FakeTelling(self, Place(place.channel, "", place.thread), person, key)

    async def find(self, channel: str, key: str, thread: str = "") -> Place | None:
        """The message that carries the key."""
        self._answer()
        return next((p.place for p in self.posts if p.key == key and p.place.channel == channel), None)

    async def permalink(self, place: Place) -> str:
        """A link in no real workspace."""
        self._answer()
        return f"https://chat.example/{place.channel}/{place.ts}"

    async def upload(self, name: str, content: bytes, *, title: str, alt: str = "", place: Place | None = None) -> str:
        """Keep a file; ids are F1, F2 ..."""
        self._answer()
        self.files.append((name, content, title, alt, place))
        return f"F{len(self.files)}"

    async def read(self, place: Place) -> Said | None:
        """`messages[channel, ts]` if set."""
        self._answer()
        return self.messages.get((place.channel, place.ts))

    async def publish(self, user: str, view: HomeView) -> None:
        """Keep what a person's home page shows, the latest last."""
        self._answer()
        self.homes.setdefault(user, []).append(view)

    async def timezone(self, user: str) -> str:
        """`timezones[user]`, else UTC."""
        self._answer()
        return self.timezones.get(user, "UTC")

    async def user_by_email(self, email: str) -> str:
        """`emails[email]` if set."""
        self._answer()
        return self.emails.get(email, "")

    async def groups(self, user: str) -> frozenset[str]:
        """`memberships[user]`, else none."""
        return frozenset() if self.down else frozenset(self.memberships.get(user, ()))

    async def group(self, name: str) -> UserGroup | None:
        """The people of `memberships` who are in it."""
        people = () if self.down else tuple(user for user, names in self.memberships.items() if name in names)
        return UserGroup("", name, people) if people else None

    async def channel_id(self, name: str) -> str:
        """`channels[name]` if set, else "#name" becomes "C-NAME"; "#missing" is not there."""
        self._answer()
        if name == "#missing":
            raise NotFound("There is no channel #missing.")
        return self.channels.get(name, f"C-{name[1:].upper()}" if name.startswith("#") else name)

    def message(self, place: Place) -> Post:
        """The message at a place."""
        return next(p for p in self.posts if (p.place.channel, p.place.ts) == (place.channel, place.ts))

    def _answer(self) -> None:
        if self.down or self.fail_next:
            self.fail_next = max(0, self.fail_next - 1)
            raise Unavailable("The chat does not answer.", retry_after=self.retry_after)


@dataclass
class FakeModel:
    """A ports.Model that says what it is told to: `replies` in turn, the last one again and again.

    A reply may be a Reply, a dict (the filled form), a text (streamed word by word), or a function of the request that gives
    one of them. `asked` are the requests that it got; `looked` what its tools answered, by `uses` of (tool, arguments).
    """

    replies: list[Any]
    can: Abilities = field(default_factory=Abilities)
    name: str = "fake:small"
    uses: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    asked: list[ModelRequest] = field(default_factory=list)
    looked: list[str] = field(default_factory=list)

    async def abilities(self) -> Abilities:
        """As given."""
        return self.can

    async def ask(self, request: ModelRequest, listener: Listener | None = None) -> Reply:
        """The next reply; its cost and tokens are small and known."""
        self.asked.append(request)
        for name, arguments in self.uses if request.tools else []:
            tool = next(t for t in request.tools if t.name == name)
            self.looked.append(await tool.run(arguments))
        said = self.replies[min(len(self.asked), len(self.replies)) - 1]
        said = said(request) if callable(said) else said
        if isinstance(said, Reply):
            return replace(said, model=self.name)
        text = said if isinstance(said, str) else ""
        for word in text.split(" ") if listener else []:
            await listener.words(word + " ")  # type: ignore[union-attr]  # only with a listener
        return Reply(
            text=text,
            parsed=None if isinstance(said, str) else said,
            model=self.name,
            model_answered="fake-1",
            messages=(Uttered(Role.SYSTEM, request.prompt.text), Uttered(Role.USER, request.text)),
            calls=1,
            tokens_in=100,
            tokens_out=20,
            cost=0.01,
            price_table="fake",
            latency_ms=5.0,
        )


@dataclass(frozen=True)
class Started:
    """One piece of work that was started."""

    queue: str
    name: str
    id: str
    args: dict[str, Scalar]
    partition: str | None
    not_before: datetime | None


@dataclass
class InMemoryWork:
    """A ports.Work that only remembers: `started` is all that was, in order; `run_all` runs what has not run yet.

    It knows nothing of transactions: what a rolled-back one started stays started.
    """

    started: list[Started] = field(default_factory=list)
    done: set[str] = field(default_factory=set)

    def start(
        self,
        tx: Transaction,
        queue: str,
        name: str,
        id: str,
        args: Mapping[str, Scalar],
        *,
        partition: str | None = None,
        not_before: datetime | None = None,
    ) -> bool:
        """Remember it once per id."""
        if any(s.id == id for s in self.started):
            return False
        self.started.append(Started(queue, name, id, dict(args), partition, not_before))
        return True

    def start_all(self, tx: Transaction, starts: Sequence[Start]) -> list[bool]:
        """One after the other."""
        return [self.start(tx, s.queue, s.name, s.id, s.args, partition=s.partition, not_before=s.not_before) for s in starts]

    def named(self, name: str) -> list[Started]:
        """All that was started under a name."""
        return [s for s in self.started if s.name == name]

    async def run_all(self, handlers: Mapping[str, Handler], *, now: datetime | None = None) -> list[str]:
        """Run what is due (all, without `now`), and what that starts, in order; the ids that ran. Errors rise."""
        ran: list[str] = []
        while due := [s for s in self.started if s.id not in self.done and _due(s, now)]:
            for item in due:
                self.done.add(item.id)
                await handlers[item.name](item.args)
                ran.append(item.id)
        return ran


def _due(item: Started, now: datetime | None) -> bool:
    return now is None or item.not_before is None or item.not_before <= now


class PlainDatabase:
    """A ports.Database without a database, for stories whose stores are in memory; `tx` is a fresh object each time."""

    async def write(self, work: Any) -> Any:
        """Call it."""
        return work(object())

    async def keep(self, work: Any) -> Any:
        """Call it."""
        return work(object())

    async def read(self, work: Any) -> Any:
        """Call it."""
        return work(object())


def an_alert(**fields: Any) -> Alert:
    """A firing alert of payments in production; give what matters to the test."""
    return replace(
        Alert(
            connector="alertmanager",
            name="HighErrorRate",
            service="payments",
            environment="production",
            severity=Severity.SEV2,
            resolved=False,
            started_at=NOON,
            summary="payments answers with errors",
            labels={"alertname": "HighErrorRate", "service": "payments", "pod": "payments-1"},
        ),
        **fields,
    )


def a_change(**fields: Any) -> Change:
    """A deploy of payments that succeeded ten minutes before noon; give what matters to the test."""
    return replace(
        Change(
            id="github:deployment:43",
            connector="github",
            kind=ChangeKind.DEPLOY,
            status=ChangeStatus.SUCCEEDED,
            at=NOON - timedelta(minutes=10),
            title="Deploy payments v43",
            services=("payments",),
            environment="production",
            version="v43",
            commit="3f2c1a9" + "0" * 33,
            repository="demo/shop",
            author="olivia",
        ),
        **fields,
    )


def an_incident(**fields: Any) -> Incident:
    """An open incident of payments with one member; give what matters to the test."""
    return replace(
        Incident(
            id="0193-incident",
            number=42,
            title="payments answers with errors",
            service="payments",
            environment="production",
            severity=Severity.SEV2,
            status=Status.OPEN,
            opened_at=NOON,
            updated_at=NOON,
            members=(a_member(),),
        ),
        **fields,
    )


def a_member(**fields: Any) -> Member:
    """The first problem of an incident; give what matters to the test."""
    return replace(
        Member(
            fingerprint="f" * 16,
            name="HighErrorRate",
            service="payments",
            reason="it opened the incident",
            joined_at=NOON,
            severity=Severity.SEV2,
            firing=1,
            events=1,
            summary="payments answers with errors",
        ),
        **fields,
    )

"""A deployer that is elsewhere: every order and every question is an errand for an executor, which holds the credentials."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from bot.domain.change import Version
from bot.domain.errand import ErrandKind, ErrandState
from bot.domain.service import Catalogue
from bot.errors import Unavailable
from bot.executor.dispatch import Dispatch
from bot.executor.letters import Answer, Question, read_answer
from bot.ports import Deployer, Order, Run, RunState

T = TypeVar("T")
REMEMBERED = 500  # orders of which a person can be told how to ask


class RemoteDeployer:
    """ports.Deployer, Rehearsal, CommitChecks and VersionCommits by errands.

    Raises what the deployer raised; Unavailable without an answer.
    """

    def __init__(self, name: str, dispatch: Dispatch, new_id: Callable[[], str]) -> None:
        self._name, self._dispatch, self._new_id = name, dispatch, new_id
        self._cancels = True
        self._how: OrderedDict[str, str] = OrderedDict()

    @property
    def idempotent(self) -> bool:
        """A start is an errand that is there once ever, so it may be asked for again; what the vendor is, its executor knows."""
        return True

    @property
    def cancels(self) -> bool:
        """As its executor last said; asking one that cannot is refused there."""
        return self._cancels

    async def current(self, service: str, environment: str) -> Version:
        """What runs now."""
        answer = await self._ask(ErrandKind.CURRENT, service=service, environment=environment)
        return _told(answer.version)

    async def versions(self, service: str, environment: str) -> tuple[Version, ...]:
        """What ran before, newest first."""
        return (await self._ask(ErrandKind.VERSIONS, service=service, environment=environment)).versions

    async def start(self, order: Order) -> Run:
        """Post the warrant of the action with this key, and wait for what comes of it."""
        answer = await self._dispatch.start(order)
        self._learn(answer, order)
        return _told(answer.run)

    async def status(self, order: Order) -> Run:
        """What became of it. What waits for an executor is known here; of what was begun the vendor is asked."""
        errand = await self._dispatch.started(order)
        if errand is None:
            return await self._status(order)
        if errand.untouched:
            return Run("", RunState.RUNNING, order.version, output=("It waits for the executor.",))
        answer = read_answer(errand.answer) if errand.answered else Answer()
        self._learn(answer, order)
        failure = answer.failure
        if failure is not None and failure.name != Unavailable.__name__:
            return Run("", RunState.FAILED, order.version, output=(f"Nothing was started: {failure.for_people}",))
        if answer.run is not None and answer.run.state is RunState.CANCELLED and not answer.run.id:
            return answer.run  # it was taken back before it was begun
        run = await self._status(order)
        starting = run.state is RunState.UNKNOWN and errand.state is ErrandState.BEGUN
        return Run("", RunState.RUNNING, order.version) if starting else run

    async def cancel(self, order: Order) -> Run:
        """Ask that it stops; what no executor has begun is taken back here."""
        errand = await self._dispatch.stopped(order)
        if errand is not None and errand.answered:
            answer = read_answer(errand.answer)
            if answer.run is not None and answer.run.state is RunState.CANCELLED and not answer.run.id:
                return answer.run
        return _told((await self._ask(ErrandKind.CANCEL, order=order)).run)

    async def check(self) -> tuple[str, ...]:
        """What it lacks, as its executor finds out."""
        return (await self._ask(ErrandKind.CHECK)).lines

    async def rehearse(self, order: Order) -> tuple[str, ...]:
        """What its tool says it would change; empty where it cannot say."""
        return (await self._ask(ErrandKind.REHEARSE, order=order)).lines

    async def checks(self, service: str, commit: str) -> Mapping[str, bool]:
        """The checks of a commit; empty where it cannot say."""
        return (await self._ask(ErrandKind.CHECKS, service=service, commit=commit)).checks

    async def commit_of(self, service: str, version: str) -> str:
        """The commit of a version; "" where it cannot say."""
        answer = await self._ask(ErrandKind.COMMIT_OF, service=service, version=version)
        return answer.version.commit if answer.version is not None else ""

    def how_to_ask(self, order: Order) -> str:
        """As its executor said with the last answer about this order."""
        return self._how.get(order.key) or f"look for {order.key} in the executor's log, or at the deployer {self._name} itself"

    async def _status(self, order: Order) -> Run:
        return _told((await self._ask(ErrandKind.STATUS, order=order)).run)

    async def _ask(
        self,
        kind: ErrandKind,
        *,
        service: str = "",
        environment: str = "",
        commit: str = "",
        order: Order | None = None,
        version: str = "",
    ) -> Answer:
        asked = Question(kind, self._name, service, environment, commit, order, version)
        answer = await self._dispatch.ask(self._new_id(), asked)
        self._learn(answer, order)
        return answer

    def _learn(self, answer: Answer, order: Order | None) -> None:
        if answer.cancels is not None:
            self._cancels = answer.cancels
        if order is not None and answer.how_to_ask:
            self._how[order.key] = answer.how_to_ask
            while len(self._how) > REMEMBERED:
                self._how.popitem(last=False)


class RemoteDeployers(Mapping[str, Deployer]):
    """A deployer for every name that services.yaml gives to a service just now; which of them there are, executors know."""

    def __init__(self, catalogue: Callable[[], Catalogue], dispatch: Dispatch, new_id: Callable[[], str]) -> None:
        self._catalogue, self._new_id = catalogue, new_id
        self.dispatch = dispatch
        self._made: dict[str, RemoteDeployer] = {}

    def __getitem__(self, name: str) -> Deployer:
        if name not in self._names():
            raise KeyError(name)
        return self._made.setdefault(name, RemoteDeployer(name, self.dispatch, self._new_id))

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def _names(self) -> dict[str, None]:
        return dict.fromkeys(s.deployer for s in self._catalogue().services.values() if s.deployer)


def _told(value: T | None) -> T:
    if value is None:
        raise Unavailable("The executor answered without what was asked for; are both of the same version?")
    return value

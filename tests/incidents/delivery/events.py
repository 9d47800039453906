"""Short ways to say what happened."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from bot.domain.action import Action, ActionKind, ActionStatus
from bot.domain.change import Change
from bot.domain.delivery import Blame, Deployment
from bot.domain.watch import Bake, BakeVerdict
from bot.incidents.delivery.deployments import deployments
from tests.fakes import NOON, a_change

HOUR = timedelta(hours=1)
COMMITS: Mapping[str, str] = {f"v{n}": f"{n:x}" * 40 for n in range(1, 10)}


def shipped(version: str, hours: float, service: str = "payments", by: str = "github", **fields: object) -> Change:
    """A version of a service that reached production so many hours after noon."""
    told = {
        "version": version,
        "commit": COMMITS.get(version, ""),
        "services": (service,),
        "at": NOON + hours * HOUR,
        "connector": by,
    }
    return a_change(**{"id": f"{by}:{service}:{version}:{hours}", **told, **fields})


def made_of(*changes: Change) -> tuple[Deployment, ...]:
    return deployments(changes, (), "production")


def kinds(every: tuple[Deployment, ...]) -> list[tuple[str, str]]:
    return [(d.version, d.kind.value) for d in every]


def rolled(target: str, hours: float, **fields: object) -> Action:
    """A rollback of payments that succeeded, asked ten minutes before."""
    made = Action(
        id=f"a{hours}",
        kind=ActionKind.ROLLBACK,
        service="payments",
        environment="production",
        target=target,
        status=ActionStatus.SUCCEEDED,
        requested_by="U1",
        created_at=NOON + hours * HOUR - timedelta(minutes=10),
        updated_at=NOON + hours * HOUR,
    )
    return replace(made, **fields)  # type: ignore[arg-type]  # fields of an Action


def blame(change: Change, opened: float, resolved: float | None, *, confirmed: bool = True, **fields: object) -> Blame:
    """An incident of so many hours after noon, of which this change was the cause."""
    made = Blame(
        f"i{opened}",
        NOON + opened * HOUR,
        None if resolved is None else NOON + resolved * HOUR,
        change.id,
        change.services[0],
        change.version,
        change.commit,
        confirmed,
    )
    return replace(made, **fields)  # type: ignore[arg-type]  # fields of a Blame


def suspect(change: Change, verdict: BakeVerdict = BakeVerdict.SUSPECT) -> Bake:
    """The watch over a deployment that ended so."""
    return Bake("b", change.services[0], "production", (change.id,), "what", change.at, change.at, verdict)

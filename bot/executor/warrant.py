"""A warrant: what people approved, as an executor is shown it. Pure: it is made of an action, and judged by itself alone."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.actions.planning.matter import matter_hash, plan_matter
from bot.domain.action import Action, ActionKind, ActionStatus, Plan
from bot.errors import IllegalMove
from bot.ports import Order

LONGEST = timedelta(minutes=30)  # a warrant that claims to be good for longer is none
SKEW = timedelta(seconds=60)  # clocks of two machines may differ by so much
BOT = "tocsin"
_NAMED = 7  # of the plan's matter: kind, service, environment, current version and commit, target version and commit


@dataclass(frozen=True, slots=True)
class Warrant:
    """What may be started once, until `expires_at`. `matter` is what `plan_hash`, which people approved, is the hash of."""

    action: str
    deployer: str
    kind: ActionKind
    service: str
    environment: str
    target: str
    target_commit: str
    current: str
    current_commit: str
    matter: tuple[str | tuple[str, ...], ...]
    plan_hash: str
    requested_by: str
    approved_by: tuple[str, ...]
    approvals_needed: int
    stand_in: str  # the rule or step that approved in place of people; "" where people did
    issued_at: datetime
    expires_at: datetime

    @property
    def order(self) -> Order:
        """What the deployer is asked to do; the action's id is the idempotency key."""
        return Order(self.service, self.environment, self.target, self.action, self.target_commit)

    @property
    def wish(self) -> Action:
        """The action as far as the warrant tells it, for the rules that ask for one."""
        plan = Plan(self.current, self.current_commit, self.target, self.target_commit, hash=self.plan_hash)
        return Action(
            self.action,
            self.kind,
            self.service,
            self.environment,
            self.target,
            ActionStatus.EXECUTING,
            self.requested_by,
            self.issued_at,
            self.issued_at,
            plan,
            deployer=self.deployer,
        )


def warrant_of(action: Action, now: datetime, lasts: timedelta) -> Warrant:
    """The warrant of an action that is about to start. Raises IllegalMove if it is not, or has no plan that was approved."""
    plan = action.plan
    if action.status is not ActionStatus.EXECUTING or plan is None:
        raise IllegalMove(f"This {action.kind.value} of {action.service} is {action.status.value}; there is nothing to start.")
    matter = tuple(tuple(part) if isinstance(part, list) else part for part in plan_matter(action, plan))
    return Warrant(
        action=action.id,
        deployer=action.deployer,
        kind=action.kind,
        service=action.service,
        environment=action.environment,
        target=action.target,
        target_commit=plan.target_commit,
        current=plan.current_version,
        current_commit=plan.current_commit,
        matter=matter,
        plan_hash=plan.hash,
        requested_by=action.requested_by,
        approved_by=action.approvers,
        approvals_needed=action.approvals_needed,
        stand_in=action.stand_in.by if action.stand_in is not None else "",
        issued_at=now,
        expires_at=now + lasts,
    )


def fault_of(warrant: Warrant, now: datetime, least: int) -> str:
    """Why nothing may be started for this warrant, a sentence for people; "" where it holds. `least` people have to approve."""
    if warrant.expires_at - warrant.issued_at > LONGEST or warrant.issued_at > now + SKEW:
        return "Its warrant claims a time that cannot be; do the clocks of the bot and the executor agree?"
    if now >= warrant.expires_at:
        return f"Its warrant ran out at {warrant.expires_at:%H:%M:%S} UTC, before it was begun."
    named = (
        warrant.kind.value,
        warrant.service,
        warrant.environment,
        warrant.current,
        warrant.current_commit,
        warrant.target,
        warrant.target_commit,
    )
    if matter_hash(warrant.matter) != warrant.plan_hash or warrant.matter[:_NAMED] != named:
        return "What it would do is not what the approved plan says."
    people = {who for who in warrant.approved_by if who and who != BOT}
    if len(people) < least:
        alone = f" {warrant.stand_in!r} stood in for them; least_approvals = 0 lets that start, too." if warrant.stand_in else ""
        return f"{len(people)} people approved it; this executor's least_approvals wants {least}.{alone}"
    if not warrant.stand_in and len(people) < warrant.approvals_needed:
        return f"{len(people)} people approved it, and its rule wants {warrant.approvals_needed}."
    return ""

"""Changing production: what is asked for, its plan, who approved it, and the moves that are legal."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from bot.domain.change import Commit
from bot.domain.verification import Verification
from bot.errors import IllegalMove


class ActionKind(StrEnum):
    """What is done to a service."""

    DEPLOY = "deploy"
    ROLLBACK = "rollback"


class Risk(StrEnum):
    """How dangerous a plan is, with reasons beside it."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Claim(StrEnum):
    """What whoever asks claims, with a reason, so that a guard lets it pass."""

    NONE = ""
    FIX = "fix"  # it mends the open incident
    OVERRIDE = "override"  # of a lock, a freeze or an open incident, by whoever may
    BREAK_GLASS = "break-glass"  # past every guard; the owner is paged and the digest tells


class Authority(StrEnum):
    """What stands behind an approval, and so what `Decision.by` names."""

    PERSON = "person"  # by Slack user id
    RULE = "rule"  # a rule of policies.yaml that says so itself, by its name: the way back is taken
    STEP = "step"  # a typed step of a runbook that people made automatic, as in `Action.step`


class ActionStatus(StrEnum):
    """Where an action is in its life."""

    PROPOSED = "proposed"  # the bot's or a person's idea; nothing asked yet
    PLANNED = "planned"  # a dry run stops here: nobody has been asked to approve
    AWAITING = "awaiting approval"
    APPROVED = "approved"
    EXECUTING = "executing"
    VERIFYING = "verifying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ROLLED_BACK = "rolled back"  # it did no good, and what ran before runs again
    UNCERTAIN = "uncertain"  # nobody knows whether it ran: a person must look
    EXPIRED = "expired"
    REFUSED = "refused"  # rejected by a person, or by policy


_S = ActionStatus
LEGAL: dict[ActionStatus, frozenset[ActionStatus]] = {
    _S.PROPOSED: frozenset({_S.PLANNED, _S.AWAITING, _S.APPROVED, _S.REFUSED, _S.EXPIRED}),
    _S.PLANNED: frozenset({_S.AWAITING, _S.REFUSED, _S.EXPIRED}),
    _S.AWAITING: frozenset({_S.APPROVED, _S.REFUSED, _S.EXPIRED}),
    _S.APPROVED: frozenset({_S.EXECUTING, _S.REFUSED, _S.EXPIRED}),
    _S.EXECUTING: frozenset({_S.VERIFYING, _S.FAILED, _S.UNCERTAIN}),
    _S.VERIFYING: frozenset({_S.SUCCEEDED, _S.FAILED, _S.UNCERTAIN}),
    _S.UNCERTAIN: frozenset({_S.VERIFYING, _S.SUCCEEDED, _S.FAILED}),
    _S.SUCCEEDED: frozenset({_S.ROLLED_BACK}),
    _S.FAILED: frozenset({_S.ROLLED_BACK}),
    _S.ROLLED_BACK: frozenset(),
    _S.EXPIRED: frozenset(),
    _S.REFUSED: frozenset(),
}
ENDED = frozenset({_S.SUCCEEDED, _S.FAILED, _S.ROLLED_BACK, _S.EXPIRED, _S.REFUSED})  # nothing more is done for it
UNDECIDED = frozenset({_S.PROPOSED, _S.PLANNED, _S.AWAITING})  # these expire
BUSY = frozenset({_S.APPROVED, _S.EXECUTING, _S.VERIFYING, _S.UNCERTAIN})  # one of these per service and environment


@dataclass(frozen=True, slots=True)
class CommitCheck:
    """A check of the commit that a plan brings; `passed` is None where it has not ended, never ran, or nobody could be asked."""

    name: str
    passed: bool | None = None
    required: bool = False  # by the rule of policies.yaml


@dataclass(frozen=True, slots=True)
class Plan:
    """What an action would do, from what was asked of the world just now; all texts are for people, redacted and cut.

    `hash` binds an approval to exactly this plan; `commits` are those between the two versions, newest first. `unasked` are
    those who could not be asked, each with why.
    """

    current_version: str
    current_commit: str
    target_version: str
    target_commit: str
    commits: tuple[Commit, ...] = ()
    files: tuple[str, ...] = ()
    risk: Risk = Risk.MEDIUM
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    made_at: datetime | None = None
    hash: str = ""
    migrations: tuple[str, ...] = ()  # those of the files
    checks: tuple[CommitCheck, ...] = ()
    barriers: tuple[str, ...] = ()  # what stands in its way now, and who may override it: a dry run tells what would refuse it
    nearby: tuple[str, ...] = ()  # open incidents of the service and its neighbours
    running: tuple[str, ...] = ()  # deployments there that began and have not ended
    unasked: tuple[str, ...] = ()
    rehearsal: tuple[str, ...] = ()  # what the deployer's own dry run said
    impact: str = ""  # whom it may reach: "12 services within two hops, 3 of tier 1"
    named: tuple[str, ...] = ()  # the Slack user ids in the texts

    @property
    def authors(self) -> tuple[tuple[str, int], ...]:
        """Who wrote the commits, each with how many, the most first."""
        return tuple(Counter(c.author for c in self.commits if c.author).most_common())


@dataclass(frozen=True, slots=True)
class Decision:
    """What one person said to an action, once; or a rule or a step that stands in for people, see `authority`."""

    by: str
    approved: bool
    at: datetime
    note: str = ""
    authority: Authority = Authority.PERSON


@dataclass(frozen=True, slots=True)
class Ties:
    """What an action hangs together with; the same words are fields of `Action`."""

    undoes: str = ""
    batch: str = ""
    after: str = ""
    step: str = ""
    on_behalf_of: str = ""


ALONE = Ties()


@dataclass(frozen=True, slots=True)
class Stage:
    """An action came to this status at this time."""

    status: ActionStatus
    at: datetime


class Stopping(StrEnum):
    """How it stands with the wish that an action stops."""

    ASKED = "asked"  # the deployer has not been heard yet
    UNDER_WAY = "under way"  # the deployer knows of it, and the run has not ended yet
    STOPPED = "stopped"
    TOO_LATE = "too late"  # the run had ended by itself
    FAILED = "failed"  # `Cancel.answer` says why; it may be asked again


@dataclass(frozen=True, slots=True)
class Cancel:
    """Somebody wants an action stopped."""

    by: str
    at: datetime
    state: Stopping = Stopping.ASKED
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """One deploy or rollback from idea to end. `id` is also the idempotency key handed to the vendor."""

    id: str
    kind: ActionKind
    service: str
    environment: str
    target: str  # the version to be running afterwards
    status: ActionStatus
    requested_by: str  # Slack user id, or "tocsin" until somebody presses Propose
    created_at: datetime
    updated_at: datetime
    plan: Plan | None = None
    reason: str = ""
    incident_id: str = ""
    deployer: str = ""
    policy: str = ""  # the rule that decides
    approvals_needed: int = 1
    decisions: tuple[Decision, ...] = ()
    expires_at: datetime | None = None
    run: str = ""  # the vendor's id of the run
    link: str = ""  # where people see that run
    undoes: str = ""  # the action that this one takes back, by its id
    batch: str = ""  # several actions asked for together, by the id of the whole
    after: str = ""  # the action of its batch that must have succeeded before this one starts, by its id
    step: str = ""  # the typed step of a runbook that it comes from, "runbooks/payments/errors.md#rollback"
    outcome: str = ""  # one sentence for people
    output: tuple[str, ...] = ()  # last lines the deployer said, redacted
    claim: Claim = Claim.NONE  # by `requested_by`
    claim_reason: str = ""
    stages: tuple[Stage, ...] = ()  # every status that it moved to, and when; before 6/6 nobody wrote them down
    cancel: Cancel | None = None  # somebody wants it stopped
    verification: Verification | None = None  # what is known of its effect
    on_behalf_of: str = ""  # whoever asked for what this one takes back: their own lock is no hindrance
    version: int = 0

    @property
    def ended(self) -> bool:
        """Nothing more will happen to it."""
        return self.status in ENDED

    @property
    def dry(self) -> bool:
        """A dry run that nobody took further: a plan, and no more."""
        taken = self.since(ActionStatus.AWAITING) is not None
        return self.status is ActionStatus.PLANNED or (self.since(ActionStatus.PLANNED) is not None and not taken)

    @property
    def approvals(self) -> int:
        """How many different people approved; a rule or a step that stands in for people counts as one."""
        return len({(d.authority, d.by) for d in self.decisions if d.approved})

    @property
    def approvers(self) -> tuple[str, ...]:
        """The people who approved, each once, by Slack user id."""
        return tuple(dict.fromkeys(d.by for d in self.decisions if d.approved and d.authority is Authority.PERSON))

    @property
    def stand_in(self) -> Decision | None:
        """The approval of a rule or a step in place of people, or None."""
        return next((d for d in self.decisions if d.approved and d.authority is not Authority.PERSON), None)

    def move(self, to: ActionStatus, now: datetime, outcome: str = "") -> "Action":
        """The action in its next status; an illegal move is refused by name."""
        if to not in LEGAL[self.status]:
            raise IllegalMove(f"This {self.kind.value} of {self.service} is {self.status.value}; it cannot become {to.value}.")
        stages = (*self.stages, Stage(to, now))
        return replace(self, status=to, updated_at=now, outcome=outcome or self.outcome, stages=stages)

    def since(self, status: ActionStatus) -> datetime | None:
        """When it last came to this status; None if it never did, or nobody wrote it down."""
        return next((stage.at for stage in reversed(self.stages) if stage.status is status), None)


def tied(action: Action, ties: Ties) -> Action:
    """The action with its ties to others."""
    return replace(action, undoes=ties.undoes, batch=ties.batch, after=ties.after, step=ties.step, on_behalf_of=ties.on_behalf_of)


def way_back(action: Action) -> str:
    """The version that ran before an action which ran and did no good; "" where there is nothing to take back."""
    tried = action.status is ActionStatus.FAILED and action.run
    return action.plan.current_version if tried and action.plan else ""


def expired(action: Action, now: datetime) -> bool:
    """Nobody decided in time."""
    return action.status in UNDECIDED and action.expires_at is not None and now >= action.expires_at

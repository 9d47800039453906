"""Views as the stories make them, one for every kind of message: the shop whose payments retry too often."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.domain.action import (
    Action,
    ActionKind,
    ActionStatus,
    Authority,
    Cancel,
    CommitCheck,
    Decision,
    Plan,
    Risk,
    Stage,
    Stopping,
)
from bot.domain.action import (
    Claim as ActionClaim,
)
from bot.domain.alert import Severity
from bot.domain.attribution import ServiceMapping, Unmatched
from bot.domain.automation import Condition, Degree, Missing, Offer, Ruled, TypedStep, When
from bot.domain.care import Draft, DraftState
from bot.domain.change import Change, ChangeKind, ChangeStatus, Commit
from bot.domain.chart import Drawn
from bot.domain.deployments import HistoryView, Past, Running, StatusView
from bot.domain.document import Document, DocumentKind, Found, Tier
from bot.domain.evidence import (
    Candidate,
    Claim,
    Confidence,
    Diagnosis,
    Evidence,
    EvidenceKind,
    Fact,
    PastLink,
    Remedy,
    RunbookLink,
    Stance,
    Thought,
    Verdict,
)
from bot.domain.incident import Entry, EntryKind, Incident, Member, Status
from bot.domain.verification import Judgement, Level, Measured, Verification
from bot.domain.view import (
    ActionView,
    AnswerView,
    BatchView,
    CareRow,
    CareView,
    CatchupView,
    ConfirmView,
    DigestView,
    DraftView,
    EvidenceView,
    FiguresView,
    HomeView,
    IncidentView,
    ListView,
    NoteView,
    Offered,
    Place,
    PointerView,
    RunbookView,
    Shown,
    ThoughtView,
    TimelineView,
    UnmatchedView,
)

HOSTS = ("runbooks.example.com", "github.com")
OPENED = datetime(2026, 3, 2, 14, 9, tzinfo=UTC)
NOW = OPENED + timedelta(minutes=12)
SHA = "3f2c1a9d4b5e6f708192a3b4c5d6e7f801234567"
RULES = "rules only (no model configured)"


def _member(service: str, events: int) -> Member:
    return Member(f"fp-{service}", "HighErrorRate", service, "calls payments", OPENED, Severity.SEV2, firing=2, events=events)


INCIDENT = Incident(
    id="0195a1b2-0000-7000-8000-00000000002a",
    number=42,
    title="High error rate on checkout",
    service="payments",
    environment="production",
    severity=Severity.SEV2,
    status=Status.OPEN,
    opened_at=OPENED,
    updated_at=NOW,
    members=(_member("checkout", 20), _member("storefront", 14), _member("payments", 9)),
    channel="C0PAYMENTS",
    on_call=("U0ONCALL",),
)
GUILTY = Candidate(
    change_id="deploy:payments:43",
    service="payments",
    title="raise retries",
    version="v43",
    commit=SHA,
    author="dana",
    shipped_at=OPENED - timedelta(minutes=7),
    score=8.5,
    facts=(
        Fact("new log line “retry budget”", 1.5, ("E6",), "log"),
        Fact("retries 2 → 10", 3.0, ("E4",), "retry"),
        Fact("calls to the provider × 4.8 since 14:04", 2.5, ("E5",), "metric"),
        Fact("two hops from the first alert", 0.5, ("E7",), "distance"),
        Fact("the same file was changed last week", -0.5, ("E4",), "habit"),
    ),
)
INNOCENT = (
    Candidate("d1", "checkout", "new button", version="v18", ruled_out="shipped after the onset"),
    Candidate("d2", "docs", "docs change", ruled_out="documentation only"),
    Candidate("d3", "storefront", "storefront flag", ruled_out="no path to payments"),
    Candidate("d4", "inventory", "log format", version="v7", ruled_out="no path to payments"),
)
EVIDENCE = (
    Evidence("E1", EvidenceKind.ALERT, "HighErrorRate on checkout: 18 %", "alertmanager", OPENED, "checkout"),
    Evidence(
        "E4",
        EvidenceKind.DIFF,
        "settings.json: retries 2 → 10",
        "git demo/shop",
        service="payments",
        link=f"https://github.com/demo/shop/commit/{SHA}",
    ),
    Evidence(
        "E5",
        EvidenceKind.METRIC,
        "calls to acmepay 4.8 times the usual",
        "prometheus",
        OPENED - timedelta(minutes=5),
        "payments",
        query='sum(rate(http_client_requests_total{service="payments"}[1m]))',
    ),
    Evidence("E6", EvidenceKind.LOG, "retry budget exhausted <https://evil.example|here>", "loki", OPENED, "payments"),
)
CONVICTED = Diagnosis(
    verdict=Verdict.CONVICTED,
    confidence=Confidence.STRONG,
    summary="payments v43 raised the retries and overloads the provider [E4] [E5]",
    at=NOW,
    symptom="Checkout, storefront and payments answer with errors (18 % of requests, was 0.2 %) [E1]",
    onset=OPENED - timedelta(minutes=5),
    cause=GUILTY,
    suspects=(GUILTY,),
    ruled_out=INNOCENT,
    first_service="payments",
    blast_radius=("checkout", "storefront"),
    remedy=Remedy.ROLLBACK,
    next_step="roll back payments to v42",
    missing=("traces for payments",),
    runbooks=(
        RunbookLink(
            "Payments retry storm",
            "Step 2",
            "runbooks/payments/retry-storm.md",
            "https://runbooks.example.com/payments/retry-storm",
            "same alert name",
            "E8",
            "runbook:payments/retry-storm.md",
        ),
    ),
    past=(
        PastLink(
            id="INC-17",
            title="Retries overloaded the provider",
            cause="retries",
            fix="rolling back payments to v41",
            why="HighErrorRate fired then too and payments was hit then too",
            confirmed=True,
            evidence="E9",
            likeness="same as",
            at=OPENED - timedelta(days=22),
            took="42 min",
        ),
    ),
    evidence=EVIDENCE,
)
UNSURE = replace(
    CONVICTED,
    verdict=Verdict.UNDETERMINED,
    confidence=Confidence.WEAK,
    cause=None,
    suspects=(GUILTY, replace(GUILTY, change_id="x", service="checkout", version="v17", title="cache size")),
    next_step="look at the traces of payments",
    past=(),
)
OUTSIDE = replace(
    UNSURE,
    verdict=Verdict.OPERATIONAL,
    confidence=Confidence.LIKELY,
    operational_cause=Fact("AcmePay answers 503 to 40 % of calls", 4.0, ("E5",), "provider"),
    remedy=Remedy.ESCALATE_PROVIDER,
    next_step="open a ticket with AcmePay",
)
ACTION = Action(
    id="0195a1b2-0000-7000-8000-0000000000a1",
    kind=ActionKind.ROLLBACK,
    service="payments",
    environment="production",
    target="v42",
    status=ActionStatus.AWAITING,
    requested_by="U0ONCALL",
    created_at=NOW,
    updated_at=NOW,
    plan=Plan(
        current_version="v43",
        current_commit=SHA,
        target_version="v42",
        target_commit="a" * 40,
        commits=(Commit(SHA, "dana", OPENED, "raise retries\n\nThe provider was slow.", ("settings.json",)),),
        files=("services/payments/settings.json",),
        risk=Risk.LOW,
        reasons=("one commit", "no migration among the files"),
        warnings=("v42 is 9 days old",),
        made_at=NOW,
        hash="b" * 64,
    ),
    reason="payments v43 raised the retries",
    incident_id=INCIDENT.id,
    deployer="shop",
    policy="production needs one approver",
    approvals_needed=1,
    expires_at=NOW + timedelta(minutes=30),
)
DRY = Action(
    id="0195a1b2-0000-7000-8000-0000000000a4",
    kind=ActionKind.DEPLOY,
    service="checkout",
    environment="production",
    target="v45",
    status=ActionStatus.PLANNED,
    requested_by="U0ONCALL",
    created_at=NOW,
    updated_at=NOW,
    plan=Plan(
        current_version="v44",
        current_commit="c" * 40,
        target_version="v45",
        target_commit=SHA,
        commits=tuple(
            Commit(f"{n:07x}{SHA[7:]}", "ines-d" if n % 3 else "noor", OPENED, f"step {n} of the new basket") for n in range(1, 9)
        ),
        files=("services/checkout/basket.py", "services/checkout/migrations/0012_basket.sql"),
        risk=Risk.HIGH,
        reasons=(
            "a database migration lies between the versions (services/checkout/migrations/0012_basket.sql)",
            "failed checks: integration",
            "v45 has not run here yet",
            "not everything could be asked (the deployer's own dry run)",
        ),
        warnings=(
            "checkout is locked by U0NIGHT: moving the ledger; let through: overridden by U0ONCALL: Olivia knows",
            "The freeze weekend begins in 40 min, at 15:00 UTC: nobody is here.",
        ),
        made_at=NOW,
        hash="d" * 64,
        migrations=("services/checkout/migrations/0012_basket.sql",),
        checks=(
            CommitCheck("integration", False, required=True),
            CommitCheck("build / image", None, required=True),
            CommitCheck("lint", True),
            CommitCheck("unit", True),
        ),
        barriers=(
            "Required checks are not green on 3f2c1a9: integration failed, build / image is not known to have passed; "
            "approvers may override it",
        ),
        nearby=("INC-41 (SEV2) is open on payments, which checkout calls: Payments retry storm",),
        running=("deploy of payments v46, which checkout calls, began 12 min ago by dana (github) and has not ended",),
        unasked=("the deployer's own dry run: no answer within 30 s",),
        rehearsal=(*(f"~ line {n} of the diff" for n in range(1, 30)), "Plan: 1 to add, 2 to change, 0 to destroy."),
        impact="12 services within two hops, 3 of tier 1 (storefront, cart and search)",
        named=("U0NIGHT", "U0ONCALL"),
    ),
    reason="/deploy by a person",
    deployer="shop",
    policy="production needs one approver",
    approvals_needed=2,
    expires_at=NOW + timedelta(minutes=30),
)
ACKED = replace(INCIDENT, status=Status.ACKNOWLEDGED, acknowledged_by="U0ONCALL")
LATER = NOW + timedelta(minutes=2)
DONE = replace(
    ACTION,
    status=ActionStatus.SUCCEEDED,
    decisions=(Decision("U0APPROVER", True, LATER, "go"),),
    run="run-7",
    outcome="payments runs v42; errors are back to 0.2 %",
    output=("switching payments to v42", "token=[redacted]", "healthy after 3 s"),
)
RUNNING = replace(ACTION, id="0195a1b2-0000-7000-8000-0000000000a2", service="checkout", status=ActionStatus.EXECUTING)
LOST = replace(
    ACTION,
    status=ActionStatus.UNCERTAIN,
    decisions=(Decision("U0APPROVER", True, LATER),),
    outcome="Nobody knows whether payments v42 was deployed: the deployer never heard of it. It is not tried again.",
)
WORSE = replace(
    DONE,
    status=ActionStatus.FAILED,
    outcome="It made things worse: v42 runs, and since then fires what did not before: HighErrorRatio on checkout. "
    "The way back: /deploy payments v43 production",
)
RESOLVED = replace(
    INCIDENT,
    status=Status.RESOLVED,
    acknowledged_by="U0ONCALL",
    resolved_at=OPENED + timedelta(minutes=18),
    resolved_by="verified after the rollback",
)
CONFIRMED = replace(RESOLVED, confirmed_cause="retries 2 → 10 in payments v43", confirmed_by="U0ONCALL")
ENTRIES = (
    Entry(INCIDENT.id, OPENED, EntryKind.ALERT, "HighErrorRate on checkout", "alertmanager"),
    Entry(INCIDENT.id, OPENED + timedelta(seconds=2), EntryKind.DIAGNOSIS, "likely cause: payments v43"),
    Entry(INCIDENT.id, NOW, EntryKind.STATUS, "acknowledged", "U0ONCALL"),
)
CHANGE = Change(
    "deploy:payments:43",
    "github",
    ChangeKind.DEPLOY,
    ChangeStatus.SUCCEEDED,
    OPENED - timedelta(minutes=7),
    "raise retries",
    ("payments",),
    "production",
    "v43",
    SHA,
    "demo/shop",
    "dana",
)
CARD = IncidentView(INCIDENT, CONVICTED, None, "v42", NOW, notices=(RULES,))
RUNBOOK = Document(
    "payments/retry-storm",
    DocumentKind.RUNBOOK,
    "Payments retry storm",
    "…",
    "runbooks/payments/retry-storm.md",
    "https://runbooks.example.com/payments/retry-storm",
)
FOUND = Found(RUNBOOK, "Step 2", "step-2", "Lower the retries, or roll the change back.", Tier.SEARCH, 0.81)

STEP = TypedStep(
    document="runbook:runbooks/payments/errors.md",
    path="runbooks/payments/errors.md",
    title="Payments answers with errors <!channel> *now*",
    link="https://runbooks.example.com/payments/errors",
    name="roll-back",
    kind=ActionKind.ROLLBACK,
    service="the convicted service",
    target="previous",
    environment="",
    when=When(("HighErrorRate",)),
    line=6,
    stamp="0123456789",
)
NOT_YET = (
    Missing(Condition.CONFIRMED, Degree.AUTOMATIC, "confirmed by 1 of 3 incidents on payments"),
    Missing(Condition.TIER_1, Degree.AUTOMATIC, "2 of tier 1 would feel it: more than 0"),
)
NO_PRESS = Missing(Condition.ONE_PRESS, Degree.ONE_CLICK, 'rule "production" has neither one_click nor self_approval')
SUGGESTED = Offer(STEP, "payments", "production", "same alert name", Ruled(Degree.SUGGEST, Degree.SUGGEST))
FALLEN = replace(SUGGESTED, ruled=Ruled(Degree.AUTOMATIC, Degree.SUGGEST, (*NOT_YET, NO_PRESS), "by itself"))
ONE_CLICK = replace(SUGGESTED, ruled=Ruled(Degree.AUTOMATIC, Degree.ONE_CLICK, NOT_YET, "by itself"), plan="a-1", target="v42")
BY_ITSELF = replace(SUGGESTED, ruled=Ruled(Degree.AUTOMATIC, Degree.AUTOMATIC, (), "by itself"))

VIEWS: Mapping[str, Shown] = {
    "card": CARD,
    "card_steps": replace(CARD, steps=(FALLEN, BY_ITSELF, SUGGESTED)),
    "card_one_click": replace(CARD, steps=(ONE_CLICK,)),
    "card_storm": replace(
        CARD,
        incident=replace(
            INCIDENT, title="Storm: 31 problems on 31 services in staging (5 critical)", storm=True, environment="staging"
        ),
    ),
    "card_by_hand": replace(CARD, incident=replace(INCIDENT, title="Customers cannot pay", opened_by="U0OUTSIDER")),
    "card_looking": IncidentView(INCIDENT, None, None, "", OPENED + timedelta(seconds=2), looking=True),
    "card_unsure": replace(CARD, diagnosis=UNSURE, may_propose=""),
    "card_operational": replace(CARD, diagnosis=OUTSIDE),
    "card_acting": replace(CARD, incident=ACKED, action=ACTION),
    "card_resolved": replace(CARD, incident=RESOLVED, action=DONE, may_propose="", as_of=NOW + timedelta(minutes=9)),
    "card_confirmed": replace(CARD, incident=CONFIRMED, action=DONE, may_propose=""),
    "pointer": PointerView(
        INCIDENT,
        "checkout is affected",
        Place("C0PAYMENTS", "1767362940.000100"),
        "https://example.slack.com/archives/C0PAYMENTS/p1767362940000100",
    ),
    "action": ActionView(ACTION, INCIDENT, NOW),
    "plan_dry": ActionView(DRY, None, NOW),
    "plan_dry_expired": ActionView(DRY, None, NOW + timedelta(hours=1)),
    "action_uncertain": ActionView(LOST, INCIDENT, LATER),
    "action_worse": ActionView(WORSE, INCIDENT, LATER),
    "action_done": ActionView(DONE, INCIDENT, LATER),
    "action_expired": ActionView(ACTION, None, NOW + timedelta(hours=1)),
    "answer": AnswerView(
        "Two changes: **payments v43** [E4], see [the commit](https://github.com/demo/shop/commit/3f2c1a9).",
        "rules (no model configured)",
        "0195a1b2-0000-7000-8000-0000000000f1",
        (("E4", "settings.json: retries 2 → 10", f"https://github.com/demo/shop/commit/{SHA}"),),
    ),
    "answer_judged": AnswerView(
        "**Payments retry storm** › Step 2 [E1]",
        "rules",
        "0195a1b2-0000-7000-8000-0000000000f2",
        (("E1", "runbook Payments retry storm › Step 2 (linked by people)", ""),),
        (
            Offered("runbook:payments/retry-storm.md", "Payments retry storm", "linked by people"),
            Offered("incident:INC-17", "Retries overloaded the provider", "possible match"),
        ),
    ),
    "runbooks_judged": RunbookView("payments retries", (FOUND,), "", "0195a1b2-0000-7000-8000-0000000000f3"),
    "card_doubtful_past": replace(
        CARD,
        diagnosis=replace(
            CONVICTED,
            past=(
                PastLink(
                    id="pagerduty:PT4KHLK",
                    title="Card provider slow <!channel>",
                    cause="",
                    fix="we paged the provider",
                    why="checkout, next to payments, was hit then and both speak of timeouts",
                    confirmed=False,
                    likeness="possibly like",
                    at=OPENED - timedelta(days=400),
                    origin="pagerduty",
                ),
            ),
        ),
    ),
    "list": ListView("Open incidents", (INCIDENT, RESOLVED), "Nothing is open.", NOW),
    "list_empty": ListView("Open incidents", (), "Nothing is open.", NOW),
    "timeline": TimelineView(INCIDENT, ENTRIES),
    "catchup": CatchupView(replace(CARD, action=ACTION), ENTRIES, (CHANGE,)),
    "runbooks": RunbookView("payments retries", (FOUND,), "found by words only: the vectors are not ready yet"),
    "runbooks_steps": RunbookView(
        "payments retries",
        (replace(FOUND, steps=("Lower the retries", "`kubectl rollout undo deployment/payments`", "Tell <!here> *everybody*.")),),
    ),
    "runbooks_none": RunbookView("the printer is on fire", ()),
    "confirm": ConfirmView(RESOLVED, CONVICTED),
    "confirm_unknown": ConfirmView(RESOLVED, None),
    "confirm_done": ConfirmView(CONFIRMED, CONVICTED),
    "digest": DigestView("Yesterday in #payments", ("3 incidents, 2 resolved by themselves",), (INCIDENT,), NOW),
    "figures": FiguresView(
        "Delivery and on-call, 28 days",
        (
            ("Delivery", ("Deployment frequency: 3.0 a week (12 in 28 days)", "Failed: 25 % (3 of 12): <!here>")),
            ("On call", ("rota:backend: 2.5 pages a shift (a week), 10 in all, 3 by night",)),
        ),
        ("Not in it: 3 changes of configuration", "What each figure means: docs/delivery.md"),
        (Drawn("F1", "Deployments a week", "Deployments by week. week of 9 Nov: 14, 3 failed"),),
        NOW,
    ),
    "note": NoteView("Only people of team-payments may approve this.", ("U0STRANGER",)),
    "evidence": EvidenceView(INCIDENT, CONVICTED),
}
THOUGHT = Thought(
    about=CONVICTED.finding,
    at=NOW,
    model="openai:gpt-x",
    stance=Stance.AGREES,
    choice=GUILTY.change_id,
    named="payments v43 (3f2c1a9)",
    reason="More retries multiply the calls to a provider that already fails.",
    ranking=(GUILTY.change_id,),
    claims=(
        Claim("Retries were raised from 2 to 10 <!channel>", ("E4",)),
        Claim("The calls to acmepay came 4.8 times as often [E5]", ("E5",)),
    ),
    dropped=1,
    evidence=(EVIDENCE[1], EVIDENCE[2]),
    interaction_id="0195a1b2-0000-7000-8000-0000000000f2",
    tokens_in=2310,
    tokens_out=204,
    cost=0.0123,
)
VIEWS = {
    **VIEWS,
    "thought": ThoughtView("INC-42", THOUGHT),
    "thought_overturns": ThoughtView("INC-42", replace(THOUGHT, stance=Stance.OVERTURNS, named="operational", cost_known=False)),
    "thought_failed": ThoughtView("INC-42", replace(THOUGHT, failure="the model openai:gpt-x took too long")),
}
VIEWS = {
    **VIEWS,
    "unmatched": UnmatchedView(
        (
            Unmatched("service", "billing", ("HighErrorRate", "Latency"), 1204, OPENED, {"app": "billing", "team": "pay"}),
            Unmatched(
                "namespace", "infra", ("DiskFull",), 1, OPENED, {"namespace": "infra", "node": "<n1>"}, "no label names one"
            ),
        ),
        (ServiceMapping("job", "node", "payments", "U0ANNA", OPENED),),
        ("cart", "payments"),
        NOW,
    ),
    "unmatched_none": UnmatchedView((), (), ("cart",), NOW),
}
ON = "Automation is on: 1 by itself in the last 24 hours. `/incident automation off` stops it."
HOME = HomeView((ACKED,), (ACKED, INCIDENT), (ACTION,), (RUNNING,), NOW, automation=ON)
DRAFT = Draft(
    "d-1",
    INCIDENT.id,
    "HighErrorRate on payments",
    "payments/high-error-rate.md",
    '---\ntitle: "HighErrorRate on payments"\nreviewed:\ndraft: true\n---\n\n# HighErrorRate on payments\n\n## First checks\n\n'
    "- errors rose <!channel> *18 %*\n\n```promql\nrate(errors_total[5m]) > 1\n```\n",
    DraftState.DRAFT,
    NOW,
    "U0ONCALL",
    "openai:gpt-x",
)
VIEWS = {
    **VIEWS,
    "care": CareView(
        "Runbooks that need their owner",
        (
            CareRow(
                "Payments *errors*",
                "team-payments",
                ("its query rate(errors_total[5m]) fails: errors_total had no sample in 7 days", "never reviewed"),
                "https://runbooks.example.com/errors",
                "runbooks/payments/errors.md",
            ),
            CareRow("Cart <@U1> is slow", "", ("never reviewed",), "", "runbooks/cart/slow.md"),
        ),
        17,
        "40 runbooks; 12 queries and 3 links tried.",
        "No runbook is stale.",
    ),
    "care_none": CareView("Alerts without a runbook", (), 0, "", "Every alert of the last 30 days has a runbook."),
    "draft": DraftView(DRAFT, "INC-42", "the folder runbooks"),
    "draft_kept": DraftView(
        replace(DRAFT, state=DraftState.KEPT, decided_by="U0BOSS", where="runbooks/payments/high-error-rate.md"), "INC-42", "x"
    ),
    "draft_proposed": DraftView(
        replace(
            DRAFT,
            state=DraftState.KEPT,
            decided_by="U0BOSS",
            where="pull request for a.md",
            url="https://github.com/acme/runbooks/pull/7",
        ),
        "INC-42",
        "x",
    ),
    "draft_refused": DraftView(replace(DRAFT, engine="rules", note="It could not be kept: GitHub refuses us."), "INC-42", "x"),
    "confirm_draft": ConfirmView(
        replace(INCIDENT, status=Status.RESOLVED, resolved_at=NOW, confirmed_cause="retries were raised", confirmed_by="U1"),
        None,
        may_draft=True,
    ),
}

GOING = replace(
    DONE,
    status=ActionStatus.EXECUTING,
    outcome="",
    link="https://github.com/demo/shop/actions/runs/7",
    stages=(
        Stage(ActionStatus.AWAITING, NOW),
        Stage(ActionStatus.APPROVED, LATER),
        Stage(ActionStatus.EXECUTING, LATER + timedelta(seconds=1)),
    ),
)
CANCELLED = replace(
    GOING,
    status=ActionStatus.FAILED,
    link="https://ci.internal/runs/7",
    cancel=Cancel("U0ONCALL", LATER + timedelta(minutes=3), Stopping.STOPPED),
    stages=(*GOING.stages, Stage(ActionStatus.FAILED, LATER + timedelta(minutes=4))),
    outcome="It was cancelled by U0ONCALL; what had been done by then is not undone.",
)
HELPED = Verification(
    Judgement.BETTER,
    Judgement.BETTER,
    (
        Measured(
            "payments",
            "http_error_ratio",
            "http_error_ratio",
            Level(0.041, 0.004, 12),
            Level(0.002, 0.001, 6),
            Judgement.BETTER,
            cited=True,
        ),
        Measured(
            "payments",
            "http_request_latency_p95_ms",
            "http_request_latency_p95_ms",
            Level(810, 40, 12),
            Level(240, 12, 6),
            Judgement.BETTER,
        ),
        Measured(
            "checkout",
            "db_pool_pending",
            "db_pool_pending (pool=<main> & spare)",
            Level(40, 3, 12),
            Level(41, 3, 6),
            Judgement.NO_CHANGE,
            cited=True,
        ),
    ),
    alerts=3,
    at=LATER,
)
HARMED = replace(
    HELPED,
    judgement=Judgement.WORSE,
    metrics=Judgement.WORSE,
    measured=tuple(
        replace(m, before=m.after or m.before, after=m.before, judgement=Judgement.WORSE) for m in HELPED.measured[:2]
    ),
    alerts=0,
    doubt="a source of metrics did not answer",
)
VIEWS = {
    **VIEWS,
    "action_helped": ActionView(replace(DONE, verification=HELPED), INCIDENT, LATER),
    "action_watched": ActionView(
        replace(DONE, status=ActionStatus.VERIFYING, outcome="", verification=replace(HELPED, firing=2)), INCIDENT, LATER
    ),
    "action_harmed": ActionView(replace(WORSE, verification=HARMED), None, LATER),
    "action_taken_back": ActionView(
        replace(
            DONE,
            requested_by="tocsin",
            incident_id="",
            undoes="0195a1b2-0000-7000-8000-0000000000a1",
            claim=ActionClaim.FIX,
            claim_reason="the deploy to v43 made things worse: v42 ran before",
            decisions=(Decision("production deploys", True, LATER, authority=Authority.RULE),),
            verification=Verification(Judgement.BETTER, alerts=1, doubt="no source of metrics is set up"),
        ),
        None,
        LATER,
    ),
    "action_running": ActionView(GOING, INCIDENT, LATER, cancels=True, minutes=2),
    "action_stopping": ActionView(
        replace(GOING, cancel=Cancel("U0ONCALL", LATER, Stopping.FAILED, "Its token may not.")), None, LATER, cancels=True
    ),
    "action_cancelled": ActionView(CANCELLED, INCIDENT, LATER),
    "action_groups": ActionView(ACTION, INCIDENT, NOW, approvers=("U0APPROVER",), groups=("oncall", "S0NIGHT")),
}
RAN = (
    Running("payments", "production", "v43", SHA, OPENED),
    Running("payments", "staging", "v44"),
    Running("checkout", "production", trouble="its deployer did not answer within 5 s"),
)
PASTS = (
    Past(NOW, action=CANCELLED),
    Past(NOW, action=replace(DONE, stages=GOING.stages), link="https://example.slack.com/archives/C0PAYMENTS/p1767362940000100"),
    Past(CHANGE.at, change=replace(CHANGE, url="https://github.com/demo/shop/actions/runs/6", title="raise <!channel>")),
)
VIEWS = {
    **VIEWS,
    "status": StatusView(
        "",
        RAN,
        ("payments (production): locked by U0ONCALL until 2026-03-02 16:00 UTC: moving the ledger",),
        ((GOING, "https://example.slack.com/archives/C0PAYMENTS/p1767362940000100"),),
        (INCIDENT,),
        NOW,
        ("U0ONCALL",),
        4,
    ),
    "status_quiet": StatusView("payments", RAN[:1], (), (), (), NOW),
    "history": HistoryView("Deployments of payments production, 7 days", PASTS, 11, 40, NOW, "older", "newer", True),
    "history_none": HistoryView("Deployments of all services, 1 day", (), 1, 0, NOW),
}
FIRST, SECOND, THIRD = (
    Action(
        id=f"0195a1b2-0000-7000-8000-0000000000b{n}",
        kind=ActionKind.ROLLBACK,
        service=name,
        environment="production",
        target="v42",
        status=ActionStatus.AWAITING,
        requested_by="U0ONCALL",
        created_at=NOW,
        updated_at=NOW,
        plan=Plan("v43", "3f2c1a9", "v42", "1b2c3d4", risk=Risk.LOW, warnings=("v42 is 9 days old",)),
        reason="/rollback of 3 services by a person",
        policy="production needs one approver",
        batch="0195a1b2-0000-7000-8000-0000000000b0",
    )
    for n, name in enumerate(("gateway", "checkout", "payments"), start=1)
)
YES = (Decision("U0APPROVER", True, LATER),)
STOPPED = (
    replace(
        FIRST,
        status=ActionStatus.SUCCEEDED,
        decisions=YES,
        outcome="Verified: v42 runs and nothing got worse.",
        verification=Verification(Judgement.BETTER, alerts=1),
    ),
    replace(
        SECOND, status=ActionStatus.FAILED, decisions=YES, run="run-8", outcome="The deployer says that it failed: disk <full>"
    ),
    replace(
        THIRD,
        status=ActionStatus.REFUSED,
        decisions=YES,
        outcome="Nothing was started: checkout, which is of the same batch, is failed.",
    ),
)
VIEWS = {
    **VIEWS,
    "batch": BatchView(
        FIRST.batch,
        (replace(FIRST, plan=ACTION.plan), SECOND),
        None,
        NOW,
        note="checkout and payments call each other and go in the order named",
        approvers=("U0APPROVER", "U0CHIEF"),
    ),
    "batch_running": BatchView(
        FIRST.batch,
        (
            replace(FIRST, status=ActionStatus.EXECUTING, decisions=YES, run="run-7"),
            replace(SECOND, status=ActionStatus.APPROVED, decisions=YES),
        ),
        None,
        LATER,
        cancels=True,
    ),
    "batch_stopped": BatchView(
        FIRST.batch,
        STOPPED,
        None,
        LATER,
        standing="Done: gateway to v42. checkout failed. Not begun: payments. The way back: /deploy gateway v43 production",
    ),
}

"""The flows under their names: what durable work starts, what the clock starts, what Slack's requests lead to."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from datetime import time, timedelta

from bot.domain.watch import WatchMode
from bot.durable.queues import DEFAULTS, Queue
from bot.durable.work import DurableWork
from bot.flows import (
    anchoring,
    announce,
    attribution,
    command,
    feedback,
    homepage,
    housekeeping,
    investigation,
    listening,
    manual,
    pin,
    report,
    selfreport,
    settling,
    tending,
    thinking,
    ticketing,
    tickets,
)
from bot.flows.acting import batches, cancelling, executing, forming, ordering, pressing, taking_back, telling, verifying
from bot.flows.alerts import on_tidied, release, tidy
from bot.flows.asking import question, suggestions
from bot.flows.automating.starting import automate
from bot.flows.automating.telling import tell_automatic, tell_switched
from bot.flows.changes import on_changes
from bot.flows.charting.incident import draw_incident
from bot.flows.delivering.reporting import delivery_report
from bot.flows.desk import Desk
from bot.flows.grouping import regrouping
from bot.flows.learning.nightly import learn_weights
from bot.flows.locking.breaking import glass_broken
from bot.flows.locking.locks import end_lock
from bot.flows.mapping.reviewing import comment_impact, on_proposed
from bot.flows.mapping.sweeping import refresh_topology
from bot.flows.reaching import carrying, escalation, handling, paging
from bot.flows.reaching.handling import not_ours, on_handlings
from bot.flows.runbooks import care, drafting, linking, past, sourcing, suggesting
from bot.flows.tickets import on_tickets
from bot.flows.watching.baking import bake_look
from bot.flows.watching.rounds import watch_round
from bot.flows.watching.running_out import forecast_round
from bot.intake.inbox import Told
from bot.intake.schedule import Daily, Every, Job
from bot.ports import Handler, Scalar
from bot.settings import Settings
from bot.slack.front import Stories as SlackStories
from bot.storage import journal as journal_store
from bot.storage.alerts import SqlAlertStore
from bot.storage.errands import SqlErrandStore
from bot.storage.noise import SqlNoiseStore
from bot.storage.topology import SqlTopologyStore
from bot.storage.watches import SqlWatchStore

LEARNS_AT = time(4, 30)  # of the night
KEPT = 4  # times as long as an edge takes to fade, it is known when it was last seen


def stories(channels: Collection[str] = ()) -> SlackStories:
    """The flows that Slack's requests lead to; `channels` are those in which the settings say to listen to other apps."""
    return SlackStories(
        on_command=command.on_command,
        on_question=question.on_question,
        on_approval=pressing.on_press,
        on_feedback=feedback.on_press,
        on_card=tending.on_press,
        home=homepage.home,
        suggestions=suggestions.suggestions,
        services=ordering.services,
        order_form=forming.order_form,
        versions_like=forming.versions_like,
        check_order=forming.check_order,
        on_order=ordering.on_order,
        on_opening=manual.open_by_hand,
        on_mapping=attribution.on_press,
        on_overheard=lambda delivery, id, channel, desk: listening.overheard(delivery, id, channel, channels, desk),
        regroup_form=regrouping.regroup_form,
        on_regroup=regrouping.on_regroup,
        on_pin=pin.on_pin,
        on_suggestion=suggesting.on_suggestion,
        on_draft=drafting.on_draft,
        offered=suggesting.offered,
    )


def told() -> Told:
    """The flows that the inbox leads to."""
    return Told(on_tidied, on_changes, on_handlings, on_tickets, not_ours, tidy, on_proposed)


def jobs(settings: Settings) -> list[Job]:
    """What the clock starts."""
    return [
        Job("digest", Daily(time.fromisoformat(settings.digest_at), settings.zone), queue="slack"),
        Job("remind", Every(timedelta(minutes=15)), {"hours": settings.incidents.remind_hours}, queue="slack"),
        Job("check_runbooks", Daily(time.fromisoformat(settings.knowledge.check_at), settings.zone)),
        Job("runbook_care", Daily(time.fromisoformat(settings.digest_at), settings.zone), queue="slack"),
        Job("delivery_report", Daily(time.fromisoformat(settings.digest_at), settings.zone)),
        Job("check_chains", Daily(time.fromisoformat(settings.digest_at), settings.zone)),
        Job("learn_weights", Daily(LEARNS_AT, settings.zone)),
        Job("sync_knowledge", Every(timedelta(minutes=10))),
        Job("sweep", Every(timedelta(minutes=5))),
        Job("refresh_topology", Every(timedelta(minutes=5))),
        *_watching(settings),
        Job("sync_sources", Every(timedelta(minutes=1 if settings.knowledge.sources else 60))),
        *_polls(settings),
    ]


def _watching(settings: Settings) -> list[Job]:
    """What the bot looks at by itself."""
    if settings.watch.mode is WatchMode.OFF:
        return []
    return [Job("watch_round", Every(settings.watching.every)), Job("forecast_round", Every(timedelta(hours=1)))]


def _polls(settings: Settings) -> list[Job]:
    """Vendors that do not tell of silences by themselves are asked, where an address is configured."""
    asked = settings.connectors.get("alertmanager", {}).get("url")
    return [Job("see_silences", Every(timedelta(minutes=1)), queue="reach")] if asked else []


def queues(settings: Settings) -> Mapping[str, Queue]:
    """The queues' rules; a question to a model, which may be asked twice, ends by the model's own limit first."""
    patient = replace(DEFAULTS["model"], timeout=max(DEFAULTS["model"].timeout, 2 * settings.model_timeout_seconds + 60))
    return {**DEFAULTS, "model": patient}


def _for(flow: Callable[[Mapping[str, Scalar], Desk], Awaitable[None]], desk: Desk) -> Handler:
    return lambda args: flow(args, desk)


def handlers(desk: Desk, work: DurableWork, settings: Settings) -> Mapping[str, Handler]:
    """The flows that durable work starts, by name."""
    keep = settings.retention
    forget: Mapping[housekeeping.Forget, timedelta] = {
        SqlAlertStore().forget: timedelta(days=keep.alert_days),
        journal_store.prune: timedelta(days=keep.journal_days),
        SqlNoiseStore().forget: timedelta(days=keep.alert_days),
        work.purge: timedelta(days=1),
        SqlErrandStore().forget: timedelta(days=keep.alert_days),
        SqlErrandStore().forget_questions: timedelta(days=1),
        SqlWatchStore().forget: timedelta(days=keep.alert_days),
        SqlTopologyStore().forget: KEPT * timedelta(days=settings.topology.fade_days),
        SqlTopologyStore().forget_minutes: timedelta(hours=settings.topology.minutes_hours),
    }
    return {
        "refresh": _for(announce.refresh, desk),
        "first_card": _for(announce.first_card, desk),
        "investigate": _for(investigation.investigate, desk),
        "draw": _for(draw_incident, desk),
        "think": _for(thinking.think, desk),
        "keep_ticket": _for(ticketing.keep_ticket, desk),
        "reports_quiet": _for(tickets.reports_quiet, desk),
        "answer": _for(question.answer, desk),
        "keep_past": _for(past.keep_past, desk),
        "settle": _for(settling.settle, desk),
        "release": _for(release, desk),
        "execute": _for(executing.execute, desk),
        "verify_action": _for(verifying.verify, desk),
        "batch_turn": _for(batches.batch_turn, desk),
        "take_back": _for(taking_back.take_back, desk),
        "cancel_run": _for(cancelling.cancel_run, desk),
        "expire_action": _for(telling.expire, desk),
        "call_for_help": _for(telling.call_for_help, desk),
        "end_lock": _for(end_lock, desk),
        "glass_broken": _for(glass_broken, desk),
        "automate": _for(automate, desk),
        "tell_automatic": _for(tell_automatic, desk),
        "tell_switched": _for(tell_switched, desk),
        "opened_by_hand": _for(manual.opened_by_hand, desk),
        "pin": _for(pin.pin, desk),
        "refresh_home": _for(homepage.refresh_home, desk),
        "digest": _for(report.digest, desk),
        "remind": _for(report.remind, desk),
        "delivery_report": _for(delivery_report, desk),
        "check_chains": _for(anchoring.check_chains, desk),
        "escalate": _for(escalation.escalate, desk),
        "second_outlet": _for(escalation.second_outlet, desk),
        "reach": _for(paging.reach, desk),
        "morning": _for(paging.morning, desk),
        "carry_alert": _for(carrying.carry_alert, desk),
        "carry_page": _for(carrying.carry_page, desk),
        "see_silences": _for(handling.see_silences, desk),
        "part_report": _for(selfreport.part_report, desk),
        "fetch_page": _for(linking.fetch_page, desk),
        "check_runbooks": _for(care.check_runbooks, desk),
        "runbook_care": _for(care.monthly, desk),
        "draft_runbook": _for(drafting.draft_runbook, desk),
        "keep_draft": _for(drafting.keep_draft, desk),
        "refresh_topology": _for(refresh_topology, desk),
        "comment_impact": _for(comment_impact, desk),
        "learn_weights": _for(learn_weights, desk),
        "watch_round": _for(watch_round, desk),
        "forecast_round": _for(forecast_round, desk),
        "bake_look": _for(bake_look, desk),
        "sync_sources": _for(sourcing.sync_sources, desk),
        "sync_source": _for(sourcing.sync_source, desk),
        "sync_knowledge": _for(housekeeping.sync_knowledge, desk),
        "sweep": lambda args: housekeeping.sweep(args, desk, forget, timedelta(days=keep.raw_days)),
    }

"""Views become Block Kit: pure, one file per kind of message, golden files in tests/slack/golden."""

from collections.abc import Collection
from typing import assert_never

from bot.domain.deployments import HistoryView, StatusView
from bot.domain.view import (
    ActionView,
    AnswerView,
    BatchView,
    CareView,
    CatchupView,
    ChartsView,
    ConfirmView,
    DigestView,
    DraftView,
    EvidenceView,
    FiguresView,
    IncidentView,
    ListView,
    NoteView,
    PointerView,
    RunbookView,
    Shown,
    ThoughtView,
    TimelineView,
    UnmatchedView,
)
from bot.slack.blocks.action import render_action
from bot.slack.blocks.answer import render_answer
from bot.slack.blocks.batch import render_batch
from bot.slack.blocks.card import render_card
from bot.slack.blocks.care import render_care, render_draft
from bot.slack.blocks.charts import render_charts
from bot.slack.blocks.deployments import render_history, render_status
from bot.slack.blocks.evidence import render_evidence
from bot.slack.blocks.figures import render_figures
from bot.slack.blocks.home import render_home
from bot.slack.blocks.kit import Block, Message
from bot.slack.blocks.lists import render_catchup, render_digest, render_list, render_timeline
from bot.slack.blocks.notes import render_confirm, render_note, render_pointer, render_runbooks
from bot.slack.blocks.thought import render_thought
from bot.slack.blocks.unmatched import render_unmatched

__all__ = ["Block", "Message", "render", "render_home"]


def render(view: Shown, hosts: Collection[str] = ()) -> Message:  # noqa: C901  (one case per view, nothing else)
    """Every view has a message that Slack accepts; links lead to `hosts` (and their subdomains) only."""
    match view:
        case IncidentView():
            return render_card(view, hosts)
        case PointerView():
            return render_pointer(view)
        case ActionView():
            return render_action(view, hosts)
        case BatchView():
            return render_batch(view)
        case AnswerView():
            return render_answer(view, hosts)
        case ListView():
            return render_list(view)
        case TimelineView():
            return render_timeline(view)
        case CatchupView():
            return render_catchup(view)
        case RunbookView():
            return render_runbooks(view, hosts)
        case ConfirmView():
            return render_confirm(view)
        case DigestView():
            return render_digest(view)
        case NoteView():
            return render_note(view)
        case EvidenceView():
            return render_evidence(view, hosts)
        case ChartsView():
            return render_charts(view)
        case FiguresView():
            return render_figures(view)
        case ThoughtView():
            return render_thought(view, hosts)
        case UnmatchedView():
            return render_unmatched(view)
        case CareView():
            return render_care(view, hosts)
        case DraftView():
            return render_draft(view, hosts)
        case StatusView():
            return render_status(view)
        case HistoryView():
            return render_history(view, hosts)
        case _:
            assert_never(view)

"""People are shown as people where a sentence of ours names them, and nobody is where somebody else wrote it."""

import pytest

from bot.domain.incident import Entry, EntryKind
from bot.domain.view import NoteView, TimelineView
from bot.slack.blocks.lists import render_timeline
from bot.slack.blocks.notes import render_note
from bot.slack.text import named
from tests.fakes import NOON, an_incident


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("on call: U0AMIR77, WAREHOUSE (rota shop)", "on call: <@U0AMIR77>, WAREHOUSE (rota shop)"),
        ("not acknowledged for 5 min: U0AMIR77 is called", "not acknowledged for 5 min: <@U0AMIR77> is called"),
        ("rota:shop was called in the thread (U0AMIR77)", "rota:shop was called in the thread (<@U0AMIR77>)"),
        ("somebody said U0AMIR77 is to blame", "somebody said U0AMIR77 is to blame"),
    ],
)
def test_the_timeline_names_whom_it_was_given_by_us_alone(text: str, shown: str) -> None:
    ours = Entry("i1", NOON, EntryKind.NOTE, text)
    theirs = Entry("i1", NOON, EntryKind.ALERT, text, "alertmanager")
    assert shown in str(render_timeline(TimelineView(an_incident(), (ours,))))
    assert text in str(render_timeline(TimelineView(an_incident(), (theirs,))))


def test_only_whole_ids_that_are_named_become_mentions() -> None:
    assert (
        named("U0AMIR77 U0AMIR777 xU0AMIR77 &lt;@U0AMIR77&gt;", ["U0AMIR77"])
        == "<@U0AMIR77> U0AMIR777 xU0AMIR77 &lt;@U0AMIR77&gt;"
    )
    assert named("channel", ["channel", "!here"]) == "channel"
    assert "<@U0AMIR77>" in str(render_note(NoteView("on call: U0AMIR77", named=("U0AMIR77",))))

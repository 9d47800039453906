"""Silences by matchers and the state of noise, typed in Slack."""

import pytest

from bot.actions.policy import read_policies
from bot.domain.request import CommandRequest, Person
from bot.domain.view import NoteView
from bot.errors import NotAllowed
from bot.flows.command import on_command
from bot.flows.desk import Desk
from bot.storage.database import SqlDatabase
from tests.desk import a_desk
from tests.fakes import FakeClock

POLICIES = "groups: {leads: [U0ANN]}\nrules: []\n"


async def typed(desk: Desk, command: str, *words: str, by: str = "U0ANN") -> str:
    """What the person was answered."""
    shown = await on_command(CommandRequest(Person(by), "C1", command, words, " ".join(words), "t", "t"), desk)
    assert isinstance(shown, NoteView)
    return shown.text


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock) -> Desk:
    return a_desk(database, clock, policies=read_policies(POLICIES))


@pytest.mark.parametrize("command", ["incident", "tocsin"])
async def test_a_silence_by_matchers_is_made_listed_and_ended(desk: Desk, command: str) -> None:
    made = await typed(desk, command, "silence", "service=blog", "pod=~web-.*", "2h", "moving", "disks")
    assert made.startswith(
        'SIL-1 silence service="blog", pod=~"web-.*" for 2 h more, by U0ANN: moving disks (critical alerts still'
    )
    assert "SIL-1" in await typed(desk, "incident", "silences")
    assert await typed(desk, "incident", "unsilence", "SIL-1") == "SIL-1 has ended."
    assert await typed(desk, "incident", "silences") == "Nothing is silenced by matchers."


async def test_known_people_arm_and_anybody_disarms(desk: Desk) -> None:
    assert (
        await typed(desk, "tocsin", "noise", "arm", "transients", "for", "team-web") == "transients act for team-web from now on."
    )
    with pytest.raises(NotAllowed):
        await typed(desk, "tocsin", "noise", "arm", "storms", "for", "all", by="U0EVE")
    assert "only tell" in await typed(desk, "tocsin", "noise", "disarm", "transients", "for", "team-web", by="U0EVE")


async def test_the_state_is_told_and_an_unknown_verb_shows_how(desk: Desk) -> None:
    assert "held now: 0" in await typed(desk, "tocsin", "noise")
    assert "Nothing was held" in await typed(desk, "tocsin", "noise", "list")
    assert (await typed(desk, "tocsin", "noise", "explain")).startswith("Usage: /tocsin noise status")
    assert (await typed(desk, "tocsin", "noise", "dance")).startswith("Usage: /tocsin noise status")

"""A capable model over real HTTP in a running bot: it looks, answers, is checked, counted, switched off and on again."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.demo.standin.notes import notes
from bot.demo.standin.refusals import Offers
from bot.demo.standin.scripted import Asked, Call, Scripted
from bot.demo.standin.server import standin
from tests.e2e.house import ON_CALL, PAYMENTS, House, a_house, deployment
from tests.investigation.model.room import able

pytestmark = pytest.mark.slow
NAME = "stand-in"


@dataclass
class Expert:
    """Looks at what was shipped of payments, then cites what it found, with one claim that nothing supports."""

    found: list[str] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Scripted:
        if not any(tool.get("name") == "answer" for tool in asked.tools):
            return Scripted(f"The deployment of v43 is in the record [{notes(asked).evidence[0].label}]. It rained 40 mm.")
        if not asked.looked:
            return Scripted(calls=(Call("service_changes", {"service": "payments"}),))
        (told,) = [m for m in asked.messages if m.get("role") == "tool"]
        looked = json.loads(str(told["content"]))
        self.found.append(looked["status"])
        made: Mapping[str, object] = {
            "ranking": ["S1"],
            "choice": "S1",
            "reason": "Its deployment came before the errors.",
            "claims": [
                {"text": "payments shipped v43", "evidence": [looked["evidence"][0]["id"]]},
                {"text": "The error ratio is 99.7 %", "evidence": [looked["evidence"][0]["id"]]},
            ],
        }
        return Scripted(calls=(Call("answer", made),))


@dataclass
class Scene:
    """The house, and what its model does and was asked."""

    house: House
    expert: Expert
    asked: list[Asked]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    expert = Expert()
    async with standin(able(expert), Offers(models=(NAME,))) as server:
        top = f'model = "openai-compatible:{NAME}"\nmodel_url = "{server.url}"\nmodel_small = false\n'
        async with a_house(tmp_path, top=top) as house:
            yield Scene(house, expert, server.asked)


async def test_a_model_that_looks_says_one_checked_thing_and_people_have_the_switch(scene: Scene) -> None:
    house = scene.house
    await house.github("deployment_status", deployment("payments", "v43", datetime.now(UTC) - timedelta(minutes=5)))
    await house.alert()
    card = await house.card(f"{NAME} ")
    thought = await house.in_thread(card, "1 claim without support dropped")
    assert "payments shipped v43" in thought.text
    assert "99.7" not in thought.text
    assert "price not known" in thought.text
    assert scene.expert.found == ["OK"]
    thread = [m for m in await house.read(card.channel, card.ts) if "By the model" in m.text]
    assert len(thread) == 1

    await house.command(ON_CALL, "/tocsin", "budget INC-1")
    assert "2 of 40 calls, the price of 2 of them is not known" in await house.whisper(ON_CALL, "INC-1:")

    await house.say(ON_CALL, card.channel, "@tocsin what changed in payments?", card.ts)
    answer = await house.in_thread(card, "is in the record")
    assert "rained" not in answer.text
    assert NAME in answer.text

    await house.command(ON_CALL, "/tocsin", "model off")
    await house.whisper(ON_CALL, "Nothing is sent to it from now on")
    before = len(scene.asked)
    await house.alert("checkout", name="SlowAnswers")
    await house.say(ON_CALL, PAYMENTS, "@tocsin what changed in payments today?", card.ts)
    await house.in_thread(card, "rules: the model is switched off")
    assert len(scene.asked) == before

    status, listed = await house.cli("journal", "list", "--engine", "model")
    assert status == 0
    (first,) = [line.split()[0] for line in listed.splitlines() if "diagnosis" in line]
    status, shown = await house.cli("journal", "show", first, "--json")
    entry = json.loads(shown)["interaction"]
    assert (entry["calls"], entry["claims"], entry["dropped"]) == (2, 2, 1)
    assert entry["why_dropped"] == ["says 99.7, which does not stand there"]
    assert [use["name"] for use in entry["tool_uses"]] == ["service_changes"]
    assert entry["prompt"] == "diagnosis-agent"
    assert (await house.cli("journal", "verify"))[0] == 0
    assert await house.refusals() == []

"""What a model can do is found out once, by its server or by LangChain's tables."""

from datetime import timedelta

from bot.demo.standin.refusals import Offers
from bot.demo.standin.scripted import Asked, Scripted, in_turn
from bot.demo.standin.server import standin
from bot.domain.conversation import Abilities
from bot.investigation.model.late import How, LateModel
from tests.investigation.model.room import FORM, GOOD, a_model, able, asking


async def test_a_large_model_is_asked_twice_and_never_again() -> None:
    async with standin(able(in_turn(Scripted("Yes."))), Offers(context=32_000)) as server:
        model = a_model(server.url, small=False)
        assert await model.abilities() == Abilities(tools=True, json_schema=True, context=32_000, small=False)
        assert await model.abilities() == await model.abilities()
        assert len(server.asked) == 2


async def test_a_small_model_is_asked_once_and_not_for_tools() -> None:
    async with standin(able(in_turn(Scripted("Yes.")))) as server:
        assert await a_model(server.url).abilities() == Abilities(tools=False, json_schema=True, context=8192, small=True)
        assert len(server.asked) == 1


async def test_a_server_that_accepts_a_form_and_ignores_it_is_found_out() -> None:
    """It answers as if nothing had been asked of its form: the form is then asked for in words."""
    async with standin(in_turn(Scripted("Green."), Scripted('{"cause": "C1", "confidence": 80}'))) as server:
        reply = await a_model(server.url).ask(asking(form=FORM))
    assert (reply.parsed, reply.parameters["mode"]) == (GOOD, "text")
    assert server.asked[-1].form is None
    assert '"confidence"' in server.asked[-1].text


async def test_a_server_too_busy_to_say_what_it_can_do_is_asked_in_words() -> None:
    def busy(asked: Asked) -> Scripted:
        return Scripted("Green.", before=5.0) if asked.form is not None else Scripted('{"cause": "C1", "confidence": 80}')

    async with standin(busy) as server:
        reply = await a_model(server.url).ask(asking(form=FORM, deadline=2.0))
    assert (reply.parsed, reply.parameters["mode"]) == (GOOD, "text")


async def test_settings_have_the_last_word() -> None:
    async with standin(able(in_turn(Scripted("Yes.")))) as server:
        how = How("openai-compatible:stand-in", server.url, small=False, context=4096, timeout=timedelta(seconds=5))
        abilities = await LateModel(how).abilities()
    assert (abilities.small, abilities.context) == (False, 4096)


async def test_what_a_vendors_model_can_do_is_known_without_asking() -> None:
    async with standin(in_turn(Scripted("Yes."))) as server:
        openai = await a_model(server.url, "openai:gpt-4o", key="k").abilities()
        anthropic = await a_model(server.url, "anthropic:claude-sonnet-4-5", key="k").abilities()
        assert server.asked == []
    assert openai == Abilities(tools=True, json_schema=True, context=128_000, small=False)
    assert anthropic == Abilities(tools=True, json_schema=True, context=200_000, small=False)

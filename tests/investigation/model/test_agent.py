"""A capable model looks with tools before it answers."""

import json
from collections.abc import Mapping

from bot.demo.standin.refusals import Offers
from bot.demo.standin.scripted import Call, Scripted, in_turn
from bot.demo.standin.server import standin
from bot.domain.conversation import Failure, Role
from bot.errors import Unavailable
from bot.ports import Tool
from tests.investigation.model.room import FORM, GOOD, Ear, a_model, able, asking

PARAMETERS = {
    "type": "object",
    "properties": {"service": {"type": "string"}, "minutes": {"type": "integer"}},
    "required": ["service"],
}


class Looks:
    """A tool that keeps what it was asked, and answers or breaks as told."""

    def __init__(self, answer: str | Exception = "3 errors, reported by jane.doe@example.com") -> None:
        self.asked: list[Mapping[str, object]] = []
        self.answer = answer

    async def run(self, arguments: Mapping[str, object]) -> str:
        self.asked.append(arguments)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    @property
    def tool(self) -> Tool:
        return Tool("log_lines", "Log lines of a service.", PARAMETERS, self.run)


def look(**arguments: object) -> Scripted:
    return Scripted(calls=(Call("log_lines", arguments),))


async def test_it_looks_and_then_answers() -> None:
    looks, ear = Looks(), Ear()
    replies = in_turn(
        Scripted("Let me see.", calls=(Call("log_lines", {"service": "cart"}),)), Scripted("Cart broke; [EMAIL_1] saw it.")
    )
    async with standin(able(replies)) as server:
        reply = await a_model(server.url, small=False).ask(asking(tools=(looks.tool,)), ear)
    assert looks.asked == [{"service": "cart"}]
    assert reply.text == "".join(ear.heard) == "Cart broke; jane.doe@example.com saw it."
    assert ear.steps == [("log lines: cart", False), ("log lines: cart", True)]
    assert [(u.name, u.ok, json.loads(u.arguments)) for u in reply.tool_uses] == [("log_lines", True, {"service": "cart"})]
    assert [m.role for m in reply.messages] == [Role.SYSTEM, Role.USER, Role.ASSISTANT, Role.TOOL, Role.ASSISTANT]
    assert "jane.doe" not in json.dumps([a.body for a in server.asked])
    assert reply.calls == 2
    assert reply.parameters["tools"] == "log_lines"


async def test_a_tool_that_fails_is_a_sentence_for_the_model() -> None:
    async def outcome(problem: Exception, **arguments: object) -> tuple[str, Looks, bool]:
        looks = Looks(problem)
        async with standin(able(in_turn(look(**arguments), Scripted("I could not see.")))) as server:
            reply = await a_model(server.url, small=False).ask(asking(tools=(looks.tool,)))
        assert reply.text == "I could not see."
        return server.asked[-1].text, looks, reply.tool_uses[0].ok

    said, _, ok = await outcome(Unavailable("Loki did not answer within 5 s."), service="cart")
    assert "FAILED: Loki did not answer within 5 s." in said
    assert not ok
    said, _, _ = await outcome(KeyError("secret internals"), service="cart")
    assert "this look broke (KeyError)" in said
    assert "internals" not in said
    said, looks, _ = await outcome(ValueError(), minutes=5)
    assert "'service' is a required property" in said
    assert looks.asked == []


async def test_an_unknown_tool_is_answered_with_those_there_are() -> None:
    looks = Looks()
    async with standin(able(in_turn(Scripted(calls=(Call("rm_rf", {"path": "/"}),)), Scripted("Sorry.")))) as server:
        reply = await a_model(server.url, small=False).ask(asking(tools=(looks.tool,)))
    assert reply.text == "Sorry."
    assert (looks.asked, reply.tool_uses) == ([], ())
    assert "log_lines" in server.asked[-1].text


async def test_the_answer_of_an_agent_keeps_to_a_form_and_is_repaired_once() -> None:
    def check(found: Mapping[str, object]) -> str:
        return "" if found == GOOD else "C9 is none of the candidates."

    replies = in_turn(
        look(service="cart"),
        Scripted(calls=(Call("answer", {"cause": "C9", "confidence": 1}),)),
        Scripted(calls=(Call("answer", GOOD),)),
    )
    async with standin(able(replies)) as server:
        reply = await a_model(server.url, small=False).ask(asking(form=FORM, check=check, tools=(Looks().tool,)))
    assert (reply.parsed, reply.failure, reply.repairs, reply.calls) == (GOOD, None, 1, 3)
    assert "C9 is none of the candidates." in server.asked[-1].text


async def test_an_agent_that_never_answers_is_over_its_budget() -> None:
    looks = Looks()
    async with standin(able(in_turn(look(service="cart")))) as server:
        reply = await a_model(server.url, small=False).ask(asking(tools=(looks.tool,), most_calls=3))
    assert (reply.failure, reply.calls) == (Failure.OVER_BUDGET, 3)
    assert len(looks.asked) <= 3
    assert "You may not look any more" in server.asked[-1].text


async def test_the_vendor_fails_in_the_middle_of_the_looks() -> None:
    async with standin(able(in_turn(look(service="cart"), Scripted(status=500)))) as server:
        reply = await a_model(server.url, small=False).ask(asking(tools=(Looks().tool,)))
    assert (reply.failure, reply.calls, len(reply.tool_uses)) == (Failure.BROKEN, 4, 1)


async def test_switched_off_in_the_middle_of_the_looks_nothing_more_is_sent() -> None:
    looks = Looks()

    async def stopped() -> bool:
        return bool(looks.asked)

    async with standin(able(in_turn(look(service="cart"), Scripted("Too late.")))) as server:
        model = a_model(server.url, small=False)
        await model.abilities()
        probed = len(server.asked)
        reply = await model.ask(asking(tools=(looks.tool,), stopped=stopped))
        assert len(server.asked) == probed + 1
    assert (reply.failure, reply.why, reply.calls) == (Failure.SWITCHED_OFF, "the model is switched off", 1)


async def test_an_agent_that_rambles_is_cut() -> None:
    async with standin(able(in_turn(look(service="cart"), Scripted("again and ", endless=True)))) as server:
        reply = await a_model(server.url, small=False).ask(asking(tools=(Looks().tool,), most_tokens_out=50_000))
    assert reply.failure is Failure.TRUNCATED


async def test_a_model_that_cannot_call_tools_is_asked_without_them() -> None:
    async with standin(able(in_turn(Scripted("Plainly."))), Offers(tools=False)) as server:
        reply = await a_model(server.url, small=False).ask(asking(tools=(Looks().tool,)))
    assert (reply.text, server.asked[-1].tools) == ("Plainly.", ())

"""One question to a model, from veil to verdict: what came of it is a Reply, whatever happened."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langsmith import tracing_context

from bot.domain.conversation import Abilities, Failure, Reply, ToolUse
from bot.domain.payload import scrubbed
from bot.investigation.model import forms
from bot.investigation.model.faults import Fault
from bot.investigation.model.loops import usable
from bot.investigation.model.meter import Cut, Meter
from bot.investigation.model.patience import Patience
from bot.investigation.model.prices import price_table
from bot.investigation.model.speech import spoken
from bot.investigation.model.vendors import Chat
from bot.ports import Listener, ModelRequest
from bot.redact import Veil, redact

_CHARACTERS = 8  # per token: an answer that is longer than asked by so much runs on
_HOLD = 160  # characters kept back while a tool call may still follow
_REFUSALS = frozenset({"content_filter", "refusal", "safety"})
_LENGTHS = frozenset({"length", "max_tokens", "model_context_window_exceeded"})


@dataclass(slots=True)
class Conversation:
    """What one question has at hand. `form` has passed the veil."""

    chat: Chat
    able: Abilities
    request: ModelRequest
    listener: Listener | None
    veil: Veil
    meter: Meter
    patience: Patience
    form: dict[str, Any] | None
    tool_uses: list[ToolUse] = field(default_factory=list)
    repairs: int = 0
    mode: str = "words"

    def opening(self) -> list[BaseMessage]:
        """The system message and the question, as they may leave."""
        return [SystemMessage(self.veil.hide(self.request.prompt.text)), HumanMessage(self.veil.hide(self.request.text))]

    def fault_in(self, found: dict[str, Any] | None) -> str:
        """What is wrong with an object whose personal data has been put back; "" if nothing is."""
        assert self.request.form is not None  # noqa: S101  only asked where there is a form
        sentence = forms.wrong(found, self.request.form)
        if not sentence and found is not None and self.request.check is not None:
            sentence = self.request.check(found)
        return sentence

    def repair(self, sentence: str) -> HumanMessage:
        """The one more try that a model gets."""
        self.repairs += 1
        return HumanMessage(self.veil.hide(f"{sentence} Give the whole corrected answer, in the same form and nothing else."))


async def converse(
    chat: Chat, request: ModelRequest, able: Abilities, listener: Listener | None, pause: Callable[[float], Awaitable[None]]
) -> Reply:
    """Ask, and say what came of it. Nothing is traced to LangSmith, whatever the environment says."""
    began, veil = time.monotonic(), Veil()
    seconds = request.deadline.total_seconds()
    until = asyncio.get_running_loop().time() + seconds
    agent = bool(request.tools) and able.tools
    meter = Meter(
        chat,
        veil,
        listener,
        most=_CHARACTERS * request.most_tokens_out + 400,
        hold=_HOLD if agent else 0,
        aloud=request.form is None,
        until=until,
    )
    patience = Patience(chat, meter, pause, until, request)
    form = None if request.form is None else forms.hidden(request.form, veil)
    talk = Conversation(chat, able, request, listener, veil, meter, patience, form)
    try:
        with tracing_context(enabled=False):
            async with asyncio.timeout(seconds):
                if agent:
                    from bot.investigation.model.agent import (
                        investigate,
                    )  # lazy: langgraph takes 0.3 s, and few questions need it

                    reply = await investigate(talk)
                else:
                    reply = await one_question(talk)
    except TimeoutError:
        reply = Reply(text=_partial(talk), failure=Failure.SLOW, why=f"No whole answer within {seconds:.0f} s.")
    except Fault as fault:
        reply = Reply(text=_partial(talk), failure=fault.failure, why=fault.why)
    return _measured(reply, talk, began)


async def one_question(talk: Conversation) -> Reply:
    """An answer without tools: free words, or an object of the form with one repair. Raises Fault."""
    messages = talk.opening()
    if talk.form is None:
        return await _words(talk, messages)
    client = talk.chat.limited(talk.request.most_tokens_out)
    if talk.able.json_schema and not talk.chat.no_schema:
        try:
            return await _form(talk, talk.chat.shaped(client, talk.form), messages, "json_schema")
        except Fault as fault:
            if fault.status not in (400, 422, 501) or talk.chat.named.vendor.large:
                raise
    messages[-1] = HumanMessage(f"{messages[-1].text}\n\n{forms.instruction(talk.form)}")
    reply = await _form(talk, client, messages, "text")
    if reply.failure is None:  # after a refused schema: this server cannot hold a model to such a form
        talk.chat.no_schema = True
    return reply


async def _words(talk: Conversation, messages: Sequence[BaseMessage]) -> Reply:
    client = talk.chat.limited(talk.request.most_tokens_out)
    try:
        answer = await talk.patience.ask(partial(client.ainvoke, list(messages), config={"callbacks": [talk.meter]}))
    except Cut as cut:
        return after_cut(talk, cut)
    return told(talk, answer)


def after_cut(talk: Conversation, cut: Cut) -> Reply:
    """The sane beginning of an answer that ran on, if it is worth reading; else a failure."""
    text = talk.veil.reveal(usable(spoken(talk.meter.text[: cut.at])))
    if text:
        return Reply(text=text)
    return Reply(failure=Failure.TRUNCATED, why="It repeated itself or ran on without an end, and was cut.")


def told(talk: Conversation, answer: AIMessage) -> Reply:
    """An answer in free words. Raises Fault where there is none."""
    reason = ended(answer)
    text = talk.veil.reveal(spoken(answer.text)).strip()
    if reason in _LENGTHS:
        return Reply(text=text, failure=Failure.TRUNCATED, why="The answer reached its greatest length.")
    if not reason:
        return Reply(text=text, failure=Failure.TRUNCATED, why=f"{talk.chat.named.host} broke off before the end.")
    if not text:
        raise Fault(Failure.BROKEN, f"{talk.chat.named.host} answered with nothing.")
    return Reply(text=text)


async def _form(talk: Conversation, client: Any, messages: Sequence[BaseMessage], mode: str) -> Reply:
    talk.mode = mode
    history, sentence = list(messages), ""
    for _ in range(2):
        try:
            answer = await talk.patience.ask(partial(client.ainvoke, history, config={"callbacks": [talk.meter]}))
        except Cut:
            return Reply(failure=Failure.TRUNCATED, why="It repeated itself or ran on without an end, and was cut.")
        reason = ended(answer)
        raw = answer.tool_calls[0]["args"] if answer.tool_calls else forms.read(answer.text)
        found = None if raw is None else forms.revealed(raw, talk.veil)
        text = talk.veil.reveal(spoken(answer.text)).strip()
        if not (sentence := talk.fault_in(found)):
            return Reply(text=text, parsed=found)
        if reason in _LENGTHS or not reason:
            return Reply(text=text, failure=Failure.TRUNCATED, why="The answer reached its greatest length or broke off.")
        if talk.repairs or talk.meter.calls >= talk.request.most_calls:
            break
        history += [AIMessage(answer.text or str(raw)), talk.repair(sentence)]
    return Reply(text=text, failure=Failure.WRONG_SHAPE, why=sentence[:300])


def ended(answer: AIMessage) -> str:
    """Why the model stopped, in lower case; "" where its stream broke off. Raises Fault where it declined to answer."""
    meta = answer.response_metadata
    reason = str(meta.get("finish_reason") or meta.get("stop_reason") or meta.get("done_reason") or meta.get("status") or "")
    refusal = answer.additional_kwargs.get("refusal")
    if refusal or reason.lower() in _REFUSALS:
        raise Fault(Failure.REFUSED, redact(str(refusal or "Its vendor's content filter ended the answer.")[:240]))
    return reason.lower()


def _partial(talk: Conversation) -> str:
    return talk.veil.reveal(spoken(talk.meter.text)).strip()


def _measured(reply: Reply, talk: Conversation, began: float) -> Reply:
    meter, request = talk.meter, talk.request
    meter.settle()
    parameters = {
        "max_tokens": str(request.most_tokens_out),
        "mode": talk.mode,
        "temperature": str(getattr(talk.chat.client, "temperature", None)),
        "tools": ", ".join(tool.name for tool in request.tools) if talk.mode == "agent" else "",
        "tokens": "estimated" if meter.estimated else "",
    }
    return Reply(
        text=scrubbed(reply.text),
        parsed=forms.storable(reply.parsed),
        failure=reply.failure,
        why=scrubbed(reply.why),
        model_answered=meter.model_answered,
        messages=meter.transcript(),
        tool_uses=tuple(replace(use, arguments=scrubbed(use.arguments)) for use in talk.tool_uses),
        parameters={name: value for name, value in parameters.items() if value not in ("", "None")},
        repairs=talk.repairs,
        calls=meter.calls,
        tokens_in=meter.tokens_in,
        tokens_out=meter.tokens_out,
        tokens_cached=meter.tokens_cached,
        tokens_reasoning=meter.tokens_reasoning,
        cost=meter.cost,
        cost_known=meter.cost_known,
        price_table=price_table(),
        latency_ms=1000 * (time.monotonic() - began),
        first_token_ms=meter.first_token_ms,
        redactions=talk.veil.counts,
    )

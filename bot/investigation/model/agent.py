"""A capable model looks around with read-only tools before it answers."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from jsonschema import Draft202012Validator
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, ModelCallLimitMiddleware, ToolCallLimitMiddleware
from langchain.agents.middleware.model_call_limit import ModelCallLimitExceededError
from langchain.agents.middleware.types import ModelRequest as AgentRequest
from langchain.agents.middleware.types import ModelResponse
from langchain.agents.structured_output import StructuredOutputError, ToolStrategy
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from langgraph.errors import GraphRecursionError

from bot.domain.conversation import Failure, Reply, ToolUse
from bot.errors import BotError
from bot.investigation.model import forms
from bot.investigation.model.conversation import Conversation, after_cut, ended, told
from bot.investigation.model.faults import Fault
from bot.investigation.model.meter import Cut
from bot.investigation.model.vendors import FORM
from bot.ports import Tool

_LOOKS = 3  # per call that a model may make
_RESULT_CAP = 12_000  # characters of one look
_LAST_WORD = "You may not look any more. Give your answer now, from what you have seen."


class _Patient(AgentMiddleware[Any, Any, Any]):
    """Every call of the agent goes through the conversation's patience; the last one is told that it is the last."""

    def __init__(self, talk: Conversation) -> None:
        super().__init__()
        self._talk = talk

    async def awrap_model_call(
        self, request: AgentRequest[Any], handler: Callable[[AgentRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        if self._talk.meter.calls + 1 >= self._talk.request.most_calls:
            request = request.override(messages=[*request.messages, HumanMessage(_LAST_WORD)])
        return await self._talk.patience.ask(lambda: handler(request))


async def investigate(talk: Conversation) -> Reply:
    """The answer after looks; an object of the form gets one repair. Raises Fault."""
    talk.mode = "agent"
    system, question = talk.opening()
    agent = create_agent(
        talk.chat.limited(talk.request.most_tokens_out),
        [_tool(tool, talk) for tool in talk.request.tools],
        system_prompt=system.text,
        middleware=[
            _Patient(talk),
            ModelCallLimitMiddleware(run_limit=talk.request.most_calls, exit_behavior="error"),
            ToolCallLimitMiddleware(run_limit=_LOOKS * talk.request.most_calls, exit_behavior="continue"),
        ],
        response_format=None if talk.form is None else _asked_for(talk.form),
    )
    history: list[BaseMessage] = [question]
    sentence = ""
    for _ in range(2):
        try:
            state = await _run(agent, history, talk)
        except Cut as cut:
            return after_cut(talk, cut) if talk.form is None else _ran_on()
        answer = next(m for m in reversed(state["messages"]) if isinstance(m, AIMessage))
        if talk.form is None:
            return told(talk, answer)
        found = forms.revealed(state.get("structured_response"), talk.veil)
        if not (sentence := talk.fault_in(found)):
            return Reply(text=talk.veil.reveal(answer.text).strip(), parsed=found)
        if ended(answer) in ("", "length", "max_tokens"):
            return Reply(failure=Failure.TRUNCATED, why="The answer reached its greatest length or broke off.")
        if talk.repairs or talk.meter.calls >= talk.request.most_calls:
            break
        history = [*state["messages"], talk.repair(sentence)]
    return Reply(text=talk.veil.reveal(answer.text), failure=Failure.WRONG_SHAPE, why=sentence[:300])


def _ran_on() -> Reply:
    return Reply(failure=Failure.TRUNCATED, why="It repeated itself or ran on without an end, and was cut.")


async def _run(agent: Any, history: Sequence[BaseMessage], talk: Conversation) -> dict[str, Any]:
    config = {"callbacks": [talk.meter], "recursion_limit": 12 * talk.request.most_calls + 20}
    try:
        state: dict[str, Any] = await agent.ainvoke({"messages": list(history)}, config=config)
    except (ModelCallLimitExceededError, GraphRecursionError):
        raise Fault(Failure.OVER_BUDGET, f"It used its {talk.request.most_calls} calls without an answer.") from None
    except StructuredOutputError as error:  # no JSON where the vendor had promised some
        return {"messages": [*history, error.ai_message], "structured_response": forms.read(error.ai_message.text)}
    return state


def _asked_for(form: dict[str, Any]) -> ToolStrategy[Any]:
    """The form as a tool: servers seldom hold a model to a schema while it may call tools, and OpenAI then wants strict ones."""
    return ToolStrategy({"title": FORM, "description": "Give the answer.", **form})


def _tool(tool: Tool, talk: Conversation) -> BaseTool:
    schema = forms.hidden(tool.parameters, talk.veil)

    async def look(**arguments: Any) -> str:
        began = time.monotonic()
        given = forms.revealed(arguments, talk.veil)
        title = _title(tool, given)
        if talk.listener is not None:
            await talk.listener.step(title, done=False)
        ok, text = await _looked(tool, given)
        text = text if len(text) <= _RESULT_CAP else f"{text[:_RESULT_CAP]}\n[{len(text) - _RESULT_CAP} more characters left out]"
        asked = talk.veil.hide(json.dumps(given, ensure_ascii=False))[:2000]
        talk.tool_uses.append(ToolUse(tool.name, asked, ok, 1000 * (time.monotonic() - began), len(text)))
        if talk.listener is not None:
            await talk.listener.step(title, done=True)
        if not ok:
            raise ToolException(talk.veil.hide(text))
        return talk.veil.hide(text)

    return StructuredTool(
        name=tool.name,
        description=talk.veil.hide(tool.description),
        args_schema={"title": tool.name, **schema},
        coroutine=look,
        handle_tool_error=True,
    )


async def _looked(tool: Tool, given: dict[str, Any]) -> tuple[bool, str]:
    """What a look found, or the sentence that says why it found nothing: one of the three edges that catch everything."""
    problem = next(iter(Draft202012Validator(tool.parameters).iter_errors(given)), None)
    if problem is not None:
        return (
            False,
            f"FAILED: {problem.json_path}: {problem.message[:300]}. The parameters: {json.dumps(tool.parameters)[:1000]}",
        )
    try:
        return True, await tool.run(given)
    except asyncio.CancelledError:
        raise
    except BotError as error:
        return False, f"FAILED: {error.for_people}"
    except Exception as error:  # noqa: BLE001  the tool call is an edge: a bug in a tool must not end the conversation
        return False, f"FAILED: this look broke ({type(error).__name__}). Go on without it."


def _title(tool: Tool, given: dict[str, Any]) -> str:
    words = [str(value) for value in given.values() if isinstance(value, str | int | float) and str(value).strip()]
    what = tool.name.replace("_", " ")
    return f"{what}: {', '.join(words)}"[:120] if words else what

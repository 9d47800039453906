"""What a model can do: from LangChain's tables where they know it, else asked of its server once."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import httpx
from langchain_core.messages import HumanMessage
from langsmith import tracing_context

from bot.domain.conversation import Abilities
from bot.investigation.model import forms
from bot.investigation.model.faults import Fault
from bot.investigation.model.meter import Cut, Meter
from bot.investigation.model.vendors import Chat, Json, bounded, listed
from bot.redact import Veil

_CONTEXT = 8192  # tokens, where nobody says
_RAMBLES = 4000  # characters of an answer to such a question
_SCHEMA: Json = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["vermilion"]}},
    "required": ["colour"],
    "additionalProperties": False,
}
_TOOL: Json = {
    "type": "function",
    "function": {
        "name": "colour_of",
        "description": "Looks up the colour of a thing.",
        "parameters": {"type": "object", "properties": {"thing": {"type": "string"}}, "required": ["thing"]},
    },
}


async def find_out(chat: Chat, patience: timedelta, small: bool | None) -> Abilities | None:
    """What it can do; None while it does not answer at all, so that it is asked again later. Sends nothing of ours.

    A small model is not asked whether it can call tools: it will not be given any, and each question may take it long.
    """
    small = chat.named.looks_small if small is None else small
    profile = chat.profile
    if chat.named.vendor.large:
        return Abilities(
            tools=bool(profile.get("tool_calling", True)),
            json_schema=bool(profile.get("structured_output", True)),
            context=_number([profile.get("max_input_tokens")]) or 128_000,
            small=small,
        )
    try:
        with tracing_context(enabled=False):
            async with asyncio.timeout(patience.total_seconds()):
                if chat.named.kind == "ollama":
                    return await _of_ollama(chat, small)
                context = await asyncio.to_thread(_context_listed, chat)
                tools = not small and await _calls_tools(chat)
                return Abilities(tools, await _keeps_to_schema(chat), context, small)
    except Fault as fault:
        # It answers, if only to refuse: that is what it can do. A server that is down or busy is asked again.
        return Abilities(small=small) if fault.status in (400, 404, 422, 501) else None
    except TimeoutError:
        return None


async def _calls_tools(chat: Chat) -> bool:
    client = chat.limited(100).bind_tools([_TOOL])
    answer = await _asked(chat, client, "Which colour does the thing called 'post box' have? Look it up with the tool.")
    return answer is not None and any(call["name"] == "colour_of" for call in answer.tool_calls)


async def _keeps_to_schema(chat: Chat) -> bool:
    """The answer to a question that nobody would answer so, unless a server holds it to the form."""
    answer = await _asked(chat, chat.shaped(chat.limited(30), _SCHEMA), "What is the colour of grass? Answer with one word.")
    return answer is not None and forms.wrong(forms.read(answer.text), _SCHEMA) == ""


async def _asked(chat: Chat, client: Any, question: str) -> Any:
    """Its answer, or None where the server refuses such a question or rambles. Raises Fault where it does not answer."""
    meter = Meter(chat, Veil(), None, most=_RAMBLES, hold=0, aloud=False)
    try:
        return await client.ainvoke([HumanMessage(question)], config={"callbacks": [meter]})
    except Cut:
        return None
    except chat.errors as error:
        fault = chat.fault(error)
    if fault.status in (400, 404, 422, 500, 501):
        return None
    raise fault


def _context_listed(chat: Chat) -> int:
    """The context by /v1/models, which llama.cpp, vLLM and others each say in their own field."""
    for entry in listed(chat.named, chat.key):
        if entry.get("id") == chat.model:
            meta = entry.get("meta")
            own = meta.get("n_ctx") if isinstance(meta, dict) else None
            return (
                _number([own, entry.get("max_model_len"), entry.get("context_length"), entry.get("context_window")]) or _CONTEXT
            )
    return _CONTEXT


async def _of_ollama(chat: Chat, small: bool) -> Abilities:
    """What /api/show says: capabilities and the model's context. Ollama holds any model to a form."""
    headers = {"Authorization": f"Bearer {chat.key}"} if chat.key else {}
    try:
        async with httpx.AsyncClient(timeout=10.0, event_hooks={"response": [bounded]}) as client:
            answer = await client.post(f"{chat.named.url}/api/show", json={"model": chat.model}, headers=headers)
            answer.raise_for_status()
            shown = answer.json()
            info = shown.get("model_info") or {}
            context = _number(value for name, value in info.items() if name.endswith(".context_length"))
            return Abilities(
                "tools" in (shown.get("capabilities") or ()), json_schema=True, context=context or _CONTEXT, small=small
            )
    except chat.errors as error:
        raise chat.fault(error) from None


def _number(found: Iterable[object]) -> int:
    return next((n for n in found if isinstance(n, int) and not isinstance(n, bool) and n > 0), 0)

"""What a model was asked and answered, as the journal keeps it."""

import json
from dataclasses import replace

from bot.domain.conversation import Prompt, Reply
from bot.domain.interaction import Interaction


def recorded(interaction: Interaction, reply: Reply, prompt: Prompt) -> Interaction:
    """The interaction with everything that the reply tells of the model; a failure is its `error`."""
    error = f"{reply.failure.value}: {reply.why}".removesuffix(": ") if reply.failure else ""
    return replace(
        interaction,
        engine="model",
        prompt=prompt.id,
        prompt_version=prompt.version,
        prompt_sha256=prompt.sha256,
        model=reply.model,
        model_answered=reply.model_answered,
        parameters=reply.parameters,
        messages=reply.messages,
        parsed=json.dumps(reply.parsed, ensure_ascii=False) if reply.parsed is not None else "",
        parse_ok=reply.failure is None,
        repairs=reply.repairs,
        tool_uses=reply.tool_uses,
        calls=reply.calls,
        tokens_in=reply.tokens_in,
        tokens_out=reply.tokens_out,
        tokens_cached=reply.tokens_cached,
        tokens_reasoning=reply.tokens_reasoning,
        cost=reply.cost,
        cost_known=reply.cost_known,
        price_table=reply.price_table,
        latency_ms=reply.latency_ms,
        first_token_ms=reply.first_token_ms,
        fallback_from=reply.fallback_from,
        redactions=reply.redactions,
        error=error or interaction.error,
    )

"""The question about a diagnosis that fits what a model can do: one labelled choice, or a ranking with looks."""

from bot.domain.conversation import Abilities
from bot.domain.evidence import Diagnosis
from bot.investigation import prompts
from bot.investigation.dossier import AGENT_SUSPECTS, SMALL_SUSPECTS, bare_dossier, dossier, labelled, measurements
from bot.investigation.thought import Asked, form, wrong
from bot.ports import ModelRequest

ANSWER_TOKENS, AGENT_TOKENS = 1000, 3000


def is_small(abilities: Abilities) -> bool:
    """Code gathers everything and the model answers one structured question."""
    return abilities.small or not abilities.tools


def second_question(asked: Asked) -> tuple[Asked, ModelRequest]:
    """The same of the measurements alone, without tools: what a contradiction has to stand before it overturns a conviction."""
    labels = tuple(asked.suspects)
    request = ModelRequest(
        prompt=prompts.load("diagnosis"),
        text=bare_dossier(asked.diagnosis, asked.suspects),
        form=form(labels, small=True),
        check=lambda parsed: wrong(parsed, labels),
        most_tokens_out=ANSWER_TOKENS,
    )
    return Asked(asked.diagnosis, asked.suspects, measurements(asked.diagnosis), small=False), request


def question(seen: Diagnosis, *, small: bool) -> tuple[Asked, ModelRequest]:
    """What is asked of this diagnosis, and how; the caller sets tools, limits and deadline."""
    suspects = labelled(seen, SMALL_SUSPECTS if small else AGENT_SUSPECTS)
    labels = tuple(suspects)
    request = ModelRequest(
        prompt=prompts.load("diagnosis" if small else "diagnosis-agent"),
        text=dossier(seen, suspects, small=small),
        form=form(labels, small=small),
        check=lambda parsed: wrong(parsed, labels),
        most_tokens_out=ANSWER_TOKENS if small else AGENT_TOKENS,
    )
    return Asked(seen, suspects, seen.evidence, small), request

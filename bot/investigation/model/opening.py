"""A model is opened by its name; nothing of its vendor's package is loaded before the first question."""

from bot.investigation.model.breaker import Breaker
from bot.investigation.model.fallback import Substituted
from bot.investigation.model.late import How, LateModel
from bot.ports import Model


def open_model(how: How, fallback: How | None = None) -> Model:
    """The model, with a second one behind it if given. Raises BadSettings for a name, an address or a package that is missing."""
    first = Breaker(LateModel(how))
    return first if fallback is None else Substituted(first, Breaker(LateModel(fallback)))

"""Names as people type them: what is meant, or what is closest to it."""

from collections.abc import Iterable
from difflib import get_close_matches

from bot.domain.service import Catalogue, Service
from bot.errors import NotFound

SHOWN = 15


def meant(name: str, known: Iterable[str], most: int = SHOWN) -> str:
    """The known names that are close to a name: "did you mean checkout?"; all of them, where none is."""
    every = tuple(dict.fromkeys(known))
    if close := near(name, every):
        return f"did you mean {' or '.join(close)}?"
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return f"known are: {', '.join(every[:most]) or 'none'}{more}."


def near(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """Up to three known names that are close to one that is not known, the closest first; capitals do not count."""
    by_lower = {k.lower(): k for k in known}
    return tuple(by_lower[k] for k in get_close_matches(name.strip().lower(), by_lower, n=3, cutoff=0.5))


def named_service(name: str, catalogue: Catalogue) -> Service:
    """The service of this name or alias. Raises NotFound naming the closest ones."""
    service = catalogue.resolve(name)
    if service is None:
        every = sorted({*catalogue.services, *(a for s in catalogue.services.values() for a in s.aliases)})
        raise NotFound(f"There is no service {name[:80]!r}; {meant(name, every)}")
    return service


def named_environment(name: str, service: Service) -> str:
    """The environment of this service with this name. Raises NotFound naming the closest ones."""
    if name not in service.environments:
        raise NotFound(f"{service.name} has no environment {name[:80]!r}; {meant(name, service.environments)}")
    return name

"""Which services were touched by the same recent change: trouble of both may well be one."""

from collections.abc import Iterable, Mapping

from bot.domain.change import Change
from bot.incidents.weights import CROWDED


def touching(changes: Iterable[Change]) -> Mapping[str, tuple[str, ...]]:
    """For each service, in words, the changes that touched it and at least one other; what touched many says little.

    Deployments of one commit to several services are one change.
    """
    services: dict[tuple[str, str], set[str]] = {}
    words: dict[tuple[str, str], str] = {}
    for change in changes:
        key = (change.repository, change.commit) if change.commit else ("", change.id)
        services.setdefault(key, set()).update(change.services)
        words.setdefault(key, _said(change))
    found: dict[str, list[str]] = {}
    for key, names in sorted(services.items()):
        for name in sorted(names) if 2 <= len(names) <= CROWDED else ():
            found.setdefault(name, []).append(words[key])
    return {name: tuple(said) for name, said in found.items()}


def _said(change: Change) -> str:
    commit = f" ({change.commit[:7]})" if change.commit else f" ({change.id[-40:]})"
    return f"{change.title[:80]}{commit}".strip()

"""Which version it is about: the one that runs, and the one that shall run."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bot.actions.naming import meant, named_environment, named_service
from bot.domain.action import Action, ActionKind, ActionStatus
from bot.domain.change import Change, Version
from bot.domain.service import Catalogue, Service
from bot.errors import IllegalMove, NotFound

ANY_TARGET = ""  # the action does not say which version; the plan does
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+/-]{0,127}")
NONE_TAKEN: Mapping[str, datetime] = {}


def known_service(name: str, catalogue: Catalogue) -> Service:
    """The service of this name or alias that we can deploy. Raises NotFound naming the closest ones."""
    service = named_service(name, catalogue)
    if service.external:
        raise NotFound(f"{service.name} is not ours; there is nothing of it that can be deployed or rolled back.")
    if not service.deployer:
        raise NotFound(f"{service.name} has no deployer; name one for it in services.yaml (`deployer:`).")
    return service


def checked_wish(service: Service, target: str, environment: str) -> None:
    """Raises NotFound where the service has no such environment, or where this can be no version of anything."""
    named_environment(environment, service)
    if target and not VERSION.fullmatch(target):
        raise NotFound(f"{target[:80]!r} cannot be a version: letters, digits and . _ + / - only.")


def taken_out(actions: Iterable[Action]) -> Mapping[str, datetime]:
    """The versions that our rollbacks took out and nothing of ours brought again, each with when.

    `actions` are those of one service and environment, oldest first.
    """
    found: dict[str, datetime] = {}
    for action in actions:
        ran = action.since(ActionStatus.VERIFYING)
        if ran is None or action.plan is None:
            continue
        found.pop(action.target, None)
        if action.kind is ActionKind.ROLLBACK:
            found[action.plan.current_version] = ran
    return found


def without_taken_out(history: Sequence[Version], taken: Mapping[str, datetime]) -> tuple[Version, ...]:
    """The versions that ran, where those that were rolled back count as unhealthy, unless somebody brought them again since.

    Most vendors tell their runs, newest first: after a rollback the version that was taken out stands before the one that runs.
    """
    return tuple(replace(v, healthy=False) if _was_taken(v, taken) else v for v in history)


def _was_taken(version: Version, taken: Mapping[str, datetime]) -> bool:
    at = taken.get(version.version)
    return at is not None and (version.deployed_at is None or version.deployed_at <= at)


def choose_target(
    action: Action,
    current: Version,
    history: Sequence[Version],
    changes: Sequence[Change],
    taken: Mapping[str, datetime] = NONE_TAKEN,
) -> Version:
    """The version to be running afterwards; `taken` are those that were rolled back.

    Raises NotFound or IllegalMove with a sentence for people.
    """
    if action.target == ANY_TARGET:
        target = _before(current, without_taken_out(history, taken))
        if target is None:
            raise NotFound(
                f"No version of {action.service} in {action.environment} before {current.version} is known to have been healthy; "
                f"name one: /rollback {action.service} <version>."
            )
        return target
    if action.target == current.version:
        raise IllegalMove(f"{action.service} {current.version} runs in {action.environment} already; there is nothing to do.")
    target = next((v for v in history if v.version == action.target), None)
    if action.kind is ActionKind.ROLLBACK and target is None:
        ran = meant(action.target, (v.version for v in history), most=8)
        raise NotFound(
            f"{action.service} {action.target} never ran in {action.environment}; {ran.replace('known are', 'those that did')}"
        )
    if action.kind is ActionKind.ROLLBACK and target is not None and _was_taken(target, taken) and not action.undoes:
        raise IllegalMove(
            f"{action.service} {action.target} was rolled back in {action.environment} at {taken[action.target]:%Y-%m-%d %H:%M} "
            f"UTC, so bringing it again is a deploy: /deploy {action.service} {action.target} {action.environment}"
        )
    if action.kind is ActionKind.ROLLBACK and target is not None and target.healthy is False:
        raise IllegalMove(
            f"{action.service} {action.target} was never seen healthy in {action.environment}; name another version."
        )
    return target or _announced(action, changes)


def before_guilty(guilty: str, history: Sequence[Version]) -> str:
    """The newest healthy version before the guilty one, or "" if nobody knows one; `history` is newest first."""
    if all(v.version != guilty for v in history):
        return ""
    found = _before(Version(guilty), history)
    return found.version if found else ""


def _before(current: Version, history: Sequence[Version]) -> Version | None:
    """The newest healthy version before the current one; where nobody tells health, the newest not known to be bad."""
    at = next((n for n, v in enumerate(history) if v.version == current.version), -1)
    earlier = [v for v in history[at + 1 :] if v.version != current.version and v.healthy is not False]
    return next((v for v in earlier if v.healthy), earlier[0] if earlier else None)


def _announced(action: Action, changes: Sequence[Change]) -> Version:
    """A version that never ran here, with the commit that some change event told of it."""
    told = [c for c in changes if action.service in c.services and c.version == action.target and c.commit]
    return Version(action.target, commit=told[-1].commit if told else "")

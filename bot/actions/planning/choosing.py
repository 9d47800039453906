"""Which version it is about: the one that runs, and the one that shall run."""

import re
from collections.abc import Sequence

from bot.actions.naming import meant, named_environment, named_service
from bot.domain.action import Action, ActionKind
from bot.domain.change import Change, Version
from bot.domain.service import Catalogue, Service
from bot.errors import IllegalMove, NotFound

ANY_TARGET = ""  # the action does not say which version; the plan does
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+/-]{0,127}")


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


def choose_target(action: Action, current: Version, history: Sequence[Version], changes: Sequence[Change]) -> Version:
    """The version to be running afterwards. Raises NotFound or IllegalMove with a sentence for people."""
    if action.target == ANY_TARGET:
        target = _before(current, history)
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

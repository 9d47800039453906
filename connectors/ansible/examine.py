"""What a machine lacks to play a playbook, found out without reaching any host."""

import os
import shutil
from collections.abc import Iterator

from bot.errors import BadSettings, Unavailable
from bot.wire.programs import run
from connectors.ansible.settings import PLACEHOLDER, AnsibleSettings

NEEDED = "import ansible, ansible_runner"
OPEN_TO_OTHERS = 0o077


async def amiss(settings: AnsibleSettings, environment: dict[str, str]) -> tuple[str, ...]:
    """What is missing, a sentence each; `environment` is what playbooks get."""
    missing = (*_files(settings), *await _programs(settings, environment))
    if missing or PLACEHOLDER.search("".join((settings.playbook, *settings.inventory))):
        return missing
    return await _syntax(settings, environment)


def _files(settings: AnsibleSettings) -> Iterator[str]:
    if not settings.project.is_dir():
        yield f"project: there is no folder {settings.project}."
    for what, name in (("playbook", settings.playbook), *(("inventory", place) for place in settings.inventory)):
        if not PLACEHOLDER.search(name) and not settings.at(name).exists():
            yield f"{what}: there is no {settings.at(name)}."
    if settings.vault_password_file:
        place = settings.at(settings.vault_password_file)
        if not os.access(place, os.R_OK):
            yield f"vault_password_file: {place} cannot be read."
        elif place.stat().st_mode & OPEN_TO_OTHERS:
            yield f"vault_password_file: {place} can be read by others; chmod 600 it."
    existing = next(place for place in (settings.state.absolute(), *settings.state.absolute().parents) if place.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        yield f"state: {existing} cannot be written."


async def _programs(settings: AnsibleSettings, environment: dict[str, str]) -> tuple[str, ...]:
    try:
        ended = await run((settings.interpreter, "-c", NEEDED), settings.ask_seconds, environment, "")
    except (BadSettings, Unavailable) as error:
        return (str(error),)
    if ended.code:
        wanted = "pip install 'tocsin[ansible]', or name another in `python`"
        return (f"{settings.interpreter} has no ansible-core with ansible-runner; {wanted}.",)
    if not shutil.which("ansible-playbook", path=environment["PATH"]):
        return ("ansible-playbook is not on the PATH that playbooks get; set PATH in the deployer's `environment`.",)
    return ()


async def _syntax(settings: AnsibleSettings, environment: dict[str, str]) -> tuple[str, ...]:
    program = shutil.which("ansible-playbook", path=environment["PATH"]) or "ansible-playbook"
    vault = ("--vault-password-file", str(settings.at(settings.vault_password_file))) if settings.vault_password_file else ()
    places = tuple(word for place in settings.inventory for word in ("-i", str(settings.at(place))))
    words = (program, "--syntax-check", *vault, *places, settings.playbook)
    ended = await run(words, settings.ask_seconds, environment, str(settings.project))
    return (f"playbook: {settings.playbook} is not understood: {' '.join(ended.lines)[:300]}",) if ended.code else ()

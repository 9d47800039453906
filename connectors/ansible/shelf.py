"""Which versions there are: lines of a program or a file, or the tags of a repository.

A line is "VERSION [COMMIT] [TIME]", the newest last: a log to which each deploy appends a line answers both questions.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from bot.domain.change import Version
from bot.errors import Unavailable
from bot.wire.programs import run
from connectors.ansible.settings import AnsibleSettings, Source, filled

MOST, MOST_BYTES = 500, 1_000_000
TAGS = "--format=%(refname:short) %(if)%(*objectname)%(then)%(*objectname)%(else)%(objectname)%(end)"


async def versions_of(source: Source, settings: AnsibleSettings, values: Mapping[str, str]) -> tuple[Version, ...]:
    """The versions that a source knows, newest first. Raises Unavailable where it cannot be asked or says nothing."""
    values = {**values, "project": str(settings.project.absolute())}
    if source.file:
        said, whence = _file(settings, filled(source.file, values))
    elif source.git:
        repository = str(settings.at(filled(source.repository, values)))
        tags = f"refs/tags/{filled(source.git, values)}"
        said = await _printed(settings, ("git", "-C", repository, "for-each-ref", "--sort=creatordate", TAGS, tags))
        whence = f"the tags of {repository}"
    else:
        words = tuple(filled(word, values) for word in source.command)
        said, whence = await _printed(settings, words), f"what {words[0]} printed"
    found = tuple(_version(line) for line in reversed(said.splitlines()) if line.strip())
    if not found:
        raise Unavailable(f"There is no version in {whence}.")
    return found[:MOST]


def _file(settings: AnsibleSettings, name: str) -> tuple[str, str]:
    place = settings.at(name)
    try:
        with place.open("rb") as file:
            return file.read(MOST_BYTES).decode(errors="replace"), str(place)
    except OSError as error:
        raise Unavailable(f"{place} says which version runs, and cannot be read: {error.strerror}.") from error


async def _printed(settings: AnsibleSettings, words: tuple[str, ...]) -> str:
    ended = await run(words, settings.ask_seconds, settings.environment, str(settings.project))
    if ended.code:
        raise Unavailable(f"{words[0]} ended with code {ended.code}: {ended.lines[-1] if ended.lines else 'it said nothing'}")
    return ended.stdout.decode(errors="replace")


def _version(line: str) -> Version:
    name, *more = line.split()[:3]
    commit = next((word for word in more if word.isalnum() and len(word) >= 7), "")
    at = next((found for word in more if (found := _time(word))), None)
    return Version(name[:128], commit=commit[:128], deployed_at=at)


def _time(word: str) -> datetime | None:
    if "-" not in word:
        return None
    try:
        at = datetime.fromisoformat(word)
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)

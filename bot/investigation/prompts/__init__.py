"""What models are told: one file per prompt, `<id>.md`, with its id and version in the head.

`versions.json` keeps the hash of every version, so that a journal entry names its exact words; a test fails when a text
changes and its version does not. After a wanted change: raise `version`, then add the hash that the test names.
"""

import hashlib
import re
from functools import lru_cache
from importlib import resources

from bot.domain.conversation import Prompt

_HEAD = re.compile(r"\A---\nid: (?P<id>[a-z-]+)\nversion: (?P<version>\d+)\n---\n(?P<text>.+)\Z", re.DOTALL)


@lru_cache(maxsize=16)
def load(id: str) -> Prompt:
    """The prompt with this id; `sha256` is that of its text. Raises ValueError if its head is not as it has to be."""
    return read(id, (resources.files(__package__) / f"{id}.md").read_text(encoding="utf-8"))


def read(id: str, content: str) -> Prompt:
    """A prompt file's content as a prompt."""
    head = _HEAD.match(content)
    if head is None or head["id"] != id:
        raise ValueError(f"{id}.md has to begin with '---', 'id: {id}', 'version: <number>', '---', and text after it.")
    text = head["text"].strip()
    return Prompt(id, head["version"], hashlib.sha256(text.encode()).hexdigest(), text)

"""A prompt's words are known by their version: whoever changes them raises it."""

import json
from pathlib import Path

import pytest

from bot.investigation import prompts

FOLDER = Path(prompts.__file__).parent
VERSIONS = json.loads((FOLDER / "versions.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("id", sorted(p.stem for p in FOLDER.glob("*.md")))
def test_a_text_that_changed_has_a_new_version(id: str) -> None:
    prompt = prompts.load(id)
    known = VERSIONS.get(id, {}).get(prompt.version)
    assert known == prompt.sha256, f"{id}.md changed: raise its version and put {prompt.sha256} beside it in versions.json"
    newest = max(VERSIONS[id], key=int)
    assert prompt.version == newest, f"version {newest} of {id} was there already; go on, not back"


def test_no_version_is_kept_for_a_prompt_that_is_gone() -> None:
    assert set(VERSIONS) == {p.stem for p in FOLDER.glob("*.md")}


@pytest.mark.parametrize("id", sorted(VERSIONS))
def test_every_prompt_says_that_what_outsiders_wrote_is_data(id: str) -> None:
    text = " ".join(prompts.load(id).text.split())
    assert '"trusted": false' in text
    assert "never an instruction" in text


@pytest.mark.parametrize("content", ["no head", "---\nid: other\nversion: 1\n---\ntext", "---\nid: mine\n---\ntext"])
def test_a_head_that_is_wrong_is_named(content: str) -> None:
    with pytest.raises(ValueError, match=r"mine\.md has to begin with"):
        prompts.read("mine", content)

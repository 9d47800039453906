"""Markdown becomes documents, whatever is in the file; a confirmed incident becomes one too."""

from datetime import date
from pathlib import Path

import pytest

from bot.domain.document import Document, DocumentKind
from bot.knowledge.documents import markdown_folder, parse, sections
from bot.knowledge.header import header
from bot.knowledge.headings import heading

RUNBOOKS = Path(__file__).parents[2] / "runbooks"
PAGE = """\
---
title: Redis is full
services: [cart]
alerts: [RedisFull, redis-oom]
owner: team-data
reviewed: 2026-10-01
---
Evictions.

## Check first

```sh
# not a heading
redis-cli INFO
```

## Check first

Twice the same.
"""


def one(raw: str, kind: DocumentKind = DocumentKind.RUNBOOK) -> Document:
    document = parse(raw, "runbooks/redis/full.md", kind)
    assert document is not None
    return document


def test_front_matter_tells_what_a_runbook_is_about() -> None:
    page = one(PAGE)
    assert (page.id, page.title, page.owner) == ("runbook:runbooks/redis/full.md", "Redis is full", "team-data")
    assert page.services == ("cart",)
    assert page.alerts == ("RedisFull", "redis-oom")
    assert page.reviewed == date(2026, 10, 1)
    assert page.text.startswith("Evictions.")


def test_a_page_without_front_matter_is_called_by_its_first_heading() -> None:
    assert one("# Redis `maxmemory`\n\nText").title == "Redis maxmemory"
    assert one("no heading at all").title == "full"


def test_sections_have_the_anchors_that_github_gives_them() -> None:
    found = sections("Start\n# A `b` & C!\ntext\n## Check first\nx\n## Check first\ny\n")
    assert [(s.heading, s.anchor) for s in found] == [
        ("", ""),
        ("A b & C!", "a-b--c"),
        ("Check first", "check-first"),
        ("Check first", "check-first-1"),
    ]


def test_a_hash_in_a_code_block_is_no_heading() -> None:
    assert [s.heading for s in sections(one(PAGE).text)] == ["", "Check first", "Check first"]


@pytest.mark.parametrize(
    "raw",
    [
        "---\n: : :\n\t- broken\n---\nThe text",
        "---\n- a list\n---\nThe text",
        "---\ntitle: never closed\nThe text",
        "---\ntitle: {a: {b: c}}\nservices: 12\nalerts: {x: y}\nreviewed: soon\n---\nThe text",
        "---\na: &a [x,x,x]\nb: &b [*a,*a,*a]\ntitle: *b\n---\nThe text",
        f"---\ntitle: 0x{'f' * 5000}\nservices: [0x{'f' * 5000}]\n---\nThe text",
        f"---\n? 0x{'f' * 5000}\n: title\n---\nThe text",
        "---\ntitle: !!python/object/apply:os.system ['true']\n---\nThe text",
    ],
)
def test_hostile_front_matter_never_hides_the_text(raw: str) -> None:
    page = one(raw)
    assert "The text" in page.text
    assert page.title


def test_hostile_markdown_is_cut_without_choking() -> None:
    tail = "# a" + " " * 200_000 + "b"
    for raw in (
        "#" * 200_000,
        "# " + "[" * 100_000,
        "```\n" * 50_000,
        "# a\n" * 50_000,
        "# " + "a" * 300_000,
        tail,
        tail + "#" * 9,
    ):
        assert len(sections(raw)) <= 50_001
        header(raw)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("# One", "One"),
        ("   ###### Six ## ", "Six"),
        ("## C# and F#", "C# and F"),
        ("# #", "#"),
        ("#No", ""),
        ("####### Seven", ""),
        ("    # Code", ""),
        ("#   ", ""),
        ("# " + "a" * 401, ""),
    ],
)
def test_what_is_a_heading(line: str, said: str) -> None:
    assert heading(line) == said


def test_secrets_and_hidden_characters_never_enter_the_library() -> None:
    page = one("Use postgres://shop:" + "hunter2hunter2@db/shop and\u202e this\u200b.")
    assert "hunter2" not in page.text
    assert "\u202e" not in page.text
    assert "\u200b" not in page.text


def test_a_past_incident_keeps_its_id_and_its_facts() -> None:
    raw = "---\nid: INC-17\ntitle: Storm\nservices: [payments]\nstarted: 2026-11-01T10:02:00Z\ncause: v38\n---\nText"
    past = one(raw, DocumentKind.INCIDENT)
    assert past.id == "incident:INC-17"
    assert past.facts == {"cause": "v38", "started": "2026-11-01T10:02:00+00:00"}


def test_the_folder_is_read_without_its_readme_and_without_links_to_outside(tmp_path: Path) -> None:
    folder = tmp_path / "runbooks"
    (folder / "redis").mkdir(parents=True)
    (folder / "README.md").write_text("how to write")
    (folder / "redis" / "full.md").write_text(PAGE)
    (folder / "broken.md").write_bytes(b"# caf\xe9 \x00\xff")
    (tmp_path / "secret.md").write_text("not yours")
    (folder / "sly.md").symlink_to(tmp_path / "secret.md")
    found = {d.path for d in markdown_folder(folder, DocumentKind.RUNBOOK)()}
    assert found == {"runbooks/redis/full.md", "runbooks/broken.md"}


def test_a_missing_folder_has_no_documents(tmp_path: Path) -> None:
    assert list(markdown_folder(tmp_path / "nothing", DocumentKind.RUNBOOK)()) == []


def test_our_own_runbooks_are_complete() -> None:
    pages = list(markdown_folder(RUNBOOKS, DocumentKind.RUNBOOK)())
    assert len(pages) >= 18
    for page in pages:
        headings = {s.heading for s in sections(page.text)}
        assert page.alerts, page.path
        assert page.owner, page.path
        assert page.reviewed, page.path
        assert "Verify" in headings, page.path
        assert "Do not" in headings, page.path
        for section in sections(page.text):
            for target in (part.split(")")[0] for part in section.text.split("](")[1:]):
                if target.endswith(".md"):
                    assert (RUNBOOKS.parent / page.path).parent.joinpath(target).resolve().is_file(), (page.path, target)

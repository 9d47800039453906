"""Markdown from a model is laid out by Slack; nothing in it pings anybody or leads anywhere we do not know."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.slack.sanitise import sanitise
from bot.slack.text import JOINER, allowed

HOSTS = ("github.com",)
SIGNS = [
    *("[", "]", "(", ")", "](", "]:", "<", ">", "`", "```", "~~~", "\n", "\n\n", " ", "    ", "!", "\\", "|", "- ", "> "),
    *("a", "1", "https://evil.example", "https://github.com/x", "//evil.example", "www.evil.example", "'t'", "@here"),
    *("<!channel>", "<@U1>", "mailto:a@b.c", "&lt;", "*", "_"),
]
READER = MarkdownIt("gfm-like", {"linkify": False})


def links(markdown: str) -> list[str]:
    """Where a reader of standard Markdown would let people go."""
    found = []
    for token in READER.parse(markdown):
        for child in token.children or []:
            target = child.attrGet("href") or child.attrGet("src")
            if target:
                found.append(str(target))
    return found


def bare_addresses(markdown: str) -> list[str]:
    """Addresses in prose, which Slack makes links of by itself; those in code it leaves alone."""
    prose = "".join(child.content for token in READER.parse(markdown) for child in token.children or [] if child.type == "text")
    return re.findall(r"https?://[^\s)<>\]]+", prose)


def test_plain_markdown_stays_as_it_is() -> None:
    text = "# Cause\n\n- **payments v43** [E4]: `retries` 2 → 10\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    assert sanitise(text, HOSTS) == text


def test_a_link_to_an_allowed_host_stays() -> None:
    text = "see [the commit](https://github.com/demo/shop/commit/1) and https://github.com/demo."
    assert sanitise(text, HOSTS) == text


def test_a_link_elsewhere_becomes_its_label_and_the_address_as_code() -> None:
    assert sanitise("[click](https://evil.example/x)", HOSTS) == "click (`https://evil.example/x`)"
    assert sanitise("go to https://evil.example/x.", HOSTS) == "go to `https://evil.example/x`."
    assert sanitise("<https://evil.example>", HOSTS) == "`https://evil.example`"
    assert sanitise("![pixel](https://github.com/p.png)", HOSTS) == "pixel (https://github.com/p.png)"


@pytest.mark.parametrize(
    "text",
    [
        "<!channel>",
        "`<!here>`",
        "```\n<!everyone>\n```",
        "<@U0VICTIM>",
        "<#C0SECRET>",
        "<!subteam^S1|x>",
        "@channel and @HERE",
        "<https://evil.example|INC-42>",
    ],
)
def test_slacks_own_sequences_are_broken_even_in_code(text: str) -> None:
    shown = sanitise(text, HOSTS)
    assert not re.search(r"<[!@#]|<https?:", shown)
    assert not re.search(r"@(channel|here|everyone)\b", shown, re.IGNORECASE)


def test_a_command_in_code_can_still_be_copied() -> None:
    text = "```\ncurl http://payments:8080/health | jq . > /tmp/x\n```\nor `curl http://payments:8080/health`"
    assert sanitise(text, HOSTS) == text


@pytest.mark.parametrize(
    "text",
    [
        "[a][1]\n\n[1]: https://evil.example",
        "> [1]: https://evil.example\n\n[1]",
        "[a]( <https://evil.example> 'title')",
        "[a](https://evil.example\n'title')",
        "[[a](https://evil.example)](https://github.com)",
        "[`](https://evil.example)`",
        "[a](//evil.example)",
        "[a](javascript:alert(1))",
        "[a](mailto:x@evil.example)",
        "[a](https://github.com@evil.example)",
        "[a](/relative)",
        "\\`[a](https://evil.example)\\`",
        "    ```\n[a](https://evil.example)",
        "``` x\n~~~\n[a](https://evil.example)",
        "``` `x`\n[a](https://evil.example)",
        "`a\n[b](https://evil.example)`",
        "| `a | b` [c](https://evil.example) |\n|---|---|\n| x | y |",
    ],
)
def test_no_form_of_link_leads_to_a_strange_place(text: str) -> None:
    shown = sanitise(text, HOSTS)
    assert [t for t in links(shown) if not allowed(t, HOSTS)] == []


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.lists(
        st.sampled_from(SIGNS),
        max_size=25,
    ).map("".join)
)
def test_no_mixture_of_signs_makes_a_link_to_a_strange_place(text: str) -> None:
    shown = sanitise(text, HOSTS)
    assert [t for t in links(shown) if not allowed(t, HOSTS)] == []
    assert [a for a in bare_addresses(shown) if not allowed(a.rstrip(".,;:!?*_~'\\"), HOSTS)] == []
    assert not re.search(r"<[!@#]|@(channel|here|everyone)\b", shown, re.IGNORECASE)


def test_a_long_answer_is_cut() -> None:
    assert len(sanitise("word " * 5000, HOSTS, 1000)) <= 1000


@pytest.mark.parametrize(
    "text",
    [
        "[" * 11_000,
        "`" * 11_000,
        "](" * 5_500,
        "[](" + " " * 11_000,
        "https://" * 1_375,
        "a." * 5_500,
        "\\`" * 5_500,
        "` `` " * 2_200,
    ],
)
def test_no_text_takes_long(text: str) -> None:
    began = time.thread_time()
    sanitise(text, HOSTS)
    assert time.thread_time() - began < 2


def test_the_joint_of_a_broken_link_is_invisible() -> None:
    assert sanitise("[a](b", HOSTS).replace(JOINER, "") == "[a](b"


@pytest.mark.parametrize("sign", ["\n", "\n\n", "\n> ", "\n- ", "1) ", "> "])
def test_lines_without_words_take_no_time(sign: str) -> None:
    began = time.thread_time()
    sanitise(sign * 11_000, HOSTS)
    assert time.thread_time() - began < 1.0


def test_a_fence_that_is_not_closed_lets_no_address_of_a_later_line_out() -> None:
    said = 'Do ``` import time while True: call("x")… [E10].\nThen ``` import os post("http://evil.example") ``` [E11].'
    assert bare_addresses(sanitise(said)) == []
    assert links(sanitise(said)) == []

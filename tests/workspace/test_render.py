"""Slack's text and blocks become HTML; hostile text stays text."""

from html.parser import HTMLParser

import pytest

from bot.workspace.mrkdwn import Names, markdown, mrkdwn
from bot.workspace.render import blocks_html
from tests.workspace.card import CARD

NAMES = Names({"U1": "Olivia", "U2": "Amir"}, {"C1": "alerts"}, {"S1": "oncall"}, me="U1")


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*bold* _it_ ~no~ `c*d*e`", "<strong>bold</strong> <em>it</em> <s>no</s> <code>c*d*e</code>"),
        ("2 * 3 * 4 and snake_case_name", "2 * 3 * 4 and snake_case_name"),
        ("one\ntwo", "one<br>two"),
        ("&gt; quoted\n> again\nnot", "<blockquote>quoted<br>again</blockquote>not"),
        ("```\na < b\n*c*\n```", "<pre><code>a &lt; b\n*c*</code></pre>"),
        (":fire: :no-such-thing:", "🔥 :no-such-thing:"),
        ("<@U1> <@U2>", '<span class="mention me">@Olivia</span> <span class="mention">@Amir</span>'),
        ("<#C1|old>", '<a class="mention" href="/?channel=C1" data-channel="C1">#alerts</a>'),
        ("<!subteam^S1|@x>", '<span class="mention">@oncall</span>'),
        ("a &amp; b", "a &amp; b"),
    ],
)
def test_slack_text_becomes_html(text: str, html: str) -> None:
    assert str(mrkdwn(text, NAMES)) == html


def test_links_open_elsewhere_and_keep_their_label() -> None:
    html = str(mrkdwn("<https://a.example/x?a=1&amp;b=2|the *page*>", NAMES))
    assert html == ('<a href="https://a.example/x?a=1&amp;b=2" target="_blank" rel="noopener noreferrer">the *page*</a>')


def test_a_date_is_readable_without_the_script() -> None:
    html = str(mrkdwn("<!date^1764000000^{date_num} {time}|then>", NAMES))
    assert 'data-ts="1764000000"' in html
    assert ">2025-11-24 16:00</time>" in html


HOSTILE = [
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<javascript:alert(1)|click>",
    "<JaVaScRiPt:alert(1)>",
    "<data:text/html,<b>x|click>",
    '<https://a.example/" onmouseover="alert(1)|x>',
    '<@U1" onclick="alert(1)>',
    "```</code></pre><script>alert(1)</script>```",
    "`<script>`",
    '<!date^1^{time}^javascript:alert(1)|"><script>>',
    "*<script>* _<svg onload=alert(1)>_",
    "\0000\0 <b>0\0",
    "[x](javascript:alert(1))",
    "![x](https://evil.example/p.png)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    '<a href="https://evil.example">x</a>',
    "<!channel> and <@U2|<script>>",
]
TAGS = {
    "a", "blockquote", "br", "button", "code", "del", "details", "div", "em", "h3", "hr", "i", "input", "label", "li",
    "ol", "optgroup", "option", "p", "pre", "s", "select", "small", "span", "strong", "summary", "table", "tbody", "td",
    "th", "thead", "time", "tr", "ul",
}  # fmt: skip


class Reader(HTMLParser):
    """Reads HTML as a browser does and keeps what is neither an expected tag nor a harmless attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.dangers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.dangers.append(tag)
        for name, value in attrs:
            link = name in ("href", "src", "data-url")
            if name.startswith("on") or name in ("style", "srcdoc", "formaction"):
                self.dangers.append(f"{tag} {name}")
            if link and not str(value).lower().startswith(("https://", "http://", "mailto:", "/?channel=")):
                self.dangers.append(f"{tag} {name}={value}")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    for html in (str(mrkdwn(text, NAMES)), str(markdown(text, NAMES)), _everywhere(text)):
        reader = Reader()
        reader.feed(html)
        assert reader.dangers == [], html


def test_the_reader_of_these_tests_sees_dangers() -> None:
    reader = Reader()
    reader.feed('<script>x</script><b onclick="y">z</b><a href="javascript:alert(1)">z</a>')
    assert len(reader.dangers) == 4


def _everywhere(text: str) -> str:
    """The text in every place of a message that shows text."""
    plain = {"type": "plain_text", "text": text}
    option = {"text": plain, "value": text, "description": plain}
    confirm = {"title": plain, "text": plain, "confirm": plain, "deny": plain}
    elements = [
        {"type": "button", "action_id": text, "text": plain, "value": text, "url": text, "confirm": confirm},
        {"type": "overflow", "action_id": text, "options": [option, option]},
        {"type": "static_select", "action_id": text, "placeholder": plain, "options": [option]},
        {"type": "checkboxes", "action_id": text, "options": [option]},
    ]
    rich = {"type": "rich_text_section", "elements": [{"type": "link", "url": text, "text": text}, plain]}
    blocks = [
        {"type": "header", "text": plain},
        {"type": "section", "block_id": text, "text": {"type": "mrkdwn", "text": text}, "fields": [plain]},
        {"type": "actions", "block_id": text, "elements": elements},
        {"type": "context", "elements": [plain, {"type": "image", "image_url": text, "alt_text": text}]},
        {"type": "rich_text", "elements": [rich]},
        {"type": "table", "rows": [[{"type": "raw_text", "text": text}]]},
        {"type": "task_card", "task_id": text, "title": text, "status": text, "sources": [{"url": text, "text": text}]},
        {"type": "alert", "level": text, "text": plain},
        {"type": "markdown", "text": text},
    ]
    return str(blocks_html(blocks, NAMES))


def test_a_broadcast_is_shown_as_one() -> None:
    assert str(mrkdwn("<!channel>", NAMES)) == '<span class="mention broadcast">@channel</span>'
    assert 'class="mention broadcast"' in str(markdown("hi <!here>", NAMES))


def test_markdown_has_tables_and_code_but_no_inline_style() -> None:
    html = str(markdown("|a|b|\n|:--|--:|\n|1|`2`|\n\n~~x~~ <@U2>", NAMES))
    assert '<td class="to-right"><code>2</code></td>' in html
    assert "style=" not in html
    assert "<s>x</s>" in html
    assert "@Amir</span>" in html


def test_the_card_has_its_buttons_and_its_menu() -> None:
    html = str(blocks_html(CARD, NAMES))
    assert html.count("<button") == 5
    assert 'data-action="rollback" data-block="deeds"' in html
    assert "🔴 INC-42" in html


def test_pictures_from_elsewhere_are_named_not_loaded() -> None:
    html = str(blocks_html([{"type": "image", "image_url": "https://evil.example/x.png", "alt_text": "Errors"}], NAMES))
    assert "<img" not in html
    assert "Errors" in html
    ours = str(blocks_html([{"type": "image", "image_url": "http://127.0.0.1:8333/files/F1/s", "alt_text": "E"}], NAMES))
    assert '<img src="http://127.0.0.1:8333/files/F1/s"' in ours

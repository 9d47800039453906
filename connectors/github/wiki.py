"""The wiki of a repository was edited. Format: https://docs.github.com/en/webhooks/webhook-events-and-payloads#gollum"""

from collections.abc import Iterator
from datetime import datetime

from bot.domain.change import Change, ChangeKind, ChangeStatus
from bot.domain.payload import Node
from bot.domain.vocabulary import line, link


def pages(payload: Node, received_at: datetime) -> Iterator[Change]:
    """Each page as a commit of the wiki, which is a repository of its own, "acme/shop.wiki"."""
    repository = f"{payload['repository']['full_name'].needed()[:140]}.wiki"
    for page in payload["pages"].items():
        sha, name = page["sha"].needed()[:64], page["page_name"].needed()[:200]
        yield Change(
            id=f"github:commit:{repository}:{sha}:{name}",
            connector="github",
            kind=ChangeKind.COMMIT,
            status=ChangeStatus.SUCCEEDED,
            at=received_at,
            title=line(f"wiki page {page['action'].text('edited')}: {page['title'].text() or name}"),
            commit=sha,
            repository=repository,
            author=payload["sender"]["login"].text()[:100],
            url=link(page["html_url"].text()),
            files=(f"{name}.md",),
        )

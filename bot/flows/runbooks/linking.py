"""An alert links to a page: it is copied from where the settings allow it, and the alert's incidents are looked at again."""

import hashlib
from collections.abc import Iterable, Mapping

from bot.domain.alert import Alert
from bot.flows.desk import Desk
from bot.flows.investigation import look_all
from bot.flows.runbooks.keeping_up import note_news
from bot.ports import Scalar, Transaction

MOST = 20  # pages that one batch of alerts has fetched
MOST_INCIDENTS = 50  # that are looked at again


def linked(tx: Transaction, alerts: Iterable[Alert], desk: Desk) -> None:
    """The pages that firing alerts link to are fetched soon, each once in a while; nothing waits for them."""
    links = desk.sources.links
    if not links:
        return
    urls = dict.fromkeys(a.runbook_url for a in alerts if a.runbook_url and not a.resolved)
    pages = dict.fromkeys(plain for url in urls if (plain := links.plain(url)))
    slot = int(desk.clock().timestamp() // links.keep.total_seconds())
    for page in list(pages)[:MOST]:
        which = hashlib.sha256(page.encode()).hexdigest()[:32]
        desk.work.start(tx, "housekeeping", "fetch_page", f"page:{which}:{slot}", {"url": page}, partition=f"page:{which}")


async def fetch_page(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The page is copied; if it is news, live incidents whose alerts link to it are looked at again."""
    url = str(args["url"])
    if not await desk.sources.copy_page(url):
        return
    await desk.db.write(lambda tx: note_news(tx, desk))
    await desk.library.sync()
    await desk.db.write(lambda tx: _look_again(tx, url, desk))


def _look_again(tx: Transaction, url: str, desk: Desk) -> None:
    links = desk.sources.links
    concerned = [
        incident
        for incident in desk.incidents.live(tx)[-MOST_INCIDENTS:]
        if any(a.runbook_url and links.plain(a.runbook_url) == url for a in desk.alerts.events(tx, incident.id))
    ]
    look_all(tx, concerned, desk)

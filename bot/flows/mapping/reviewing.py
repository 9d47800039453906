"""Somebody proposes commits -> what they would reach and could break is told there, in one comment that is kept current."""

import logging
import re
from collections.abc import Mapping, Sequence

from bot.domain.change import Commit
from bot.domain.document import Audience
from bot.errors import NotAllowed, NotFound
from bot.flows.desk import Desk
from bot.flows.mapping.impacting import Impact, impact_of, lines, past_causes
from bot.ports import Proposed, Scalar, Transaction
from bot.redact import clean, redact

log = logging.getLogger(__name__)
TOPIC = "impact"
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#|~!])")


def on_proposed(tx: Transaction, proposed: Sequence[Proposed], desk: Desk) -> None:
    """Each proposal is looked at once per state of its commits; of one repository's proposals one at a time."""
    for one in proposed:
        if one.connector in desk.reviews:
            where = f"{one.connector}:{one.repository}#{one.number}"
            args: dict[str, Scalar] = {
                "connector": one.connector, "repository": one.repository, "number": one.number,
                "base": one.base, "head": one.head,
            }  # fmt: skip
            desk.work.start(tx, "housekeeping", "comment_impact", f"{TOPIC}:{where}:{one.head}", args, partition=where)


async def comment_impact(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The comment of a proposal says its impact. What only some may see is not named there. Raises Unavailable."""
    repository, base, head = str(args["repository"]), str(args["base"]), str(args["head"])
    reviews = desk.reviews.get(str(args["connector"]))
    commits = await _between(repository, base, head, desk)
    if reviews is None or not commits:
        return
    past = await desk.db.read(lambda tx: past_causes(tx, desk.incidents, desk.diagnoses))
    anybody = Audience()
    documents = [d for d in desk.library.documents if d.visible_to(anybody)]
    impact = impact_of(repository, f"{base[:7]}..{head[:7]}", commits, desk.catalogue(), documents, past)
    try:
        await reviews.remark(repository, int(str(args["number"])), text(impact), TOPIC)
    except (NotAllowed, NotFound) as error:  # asking again helps nobody
        log.warning("the impact of %s#%s cannot be told there: %s", repository, args["number"], error)


async def _between(repository: str, base: str, head: str, desk: Desk) -> tuple[Commit, ...]:
    for source in desk.change_sources:
        if commits := await source.between(repository, base, head):
            return commits
    log.warning("nobody has the commits %s..%s of %s, so that their impact is not told", base[:7], head[:7], repository)
    return ()


def text(impact: Impact) -> str:
    """The impact in Markdown, in which nothing from outside is markup or calls anybody."""
    head, *rest = lines(impact, _plain)
    return "\n".join([f"**Impact**: {head}", "", *(f"- {one}" for one in rest)])


def _plain(told: str) -> str:
    escaped = _MARKDOWN.sub(r"\\\1", " ".join(clean(redact(told)).split()))
    safe = escaped.replace("&", "&amp;").replace("<", "&lt;").replace("@", "@\u200b")
    return safe.replace("://", ":\u200b//").replace("www.", "www\u200b.")

"""The form for a deploy or rollback. Pure: what it offers in, a modal out.

The ids of the blocks for environment and version name what they belong to. Slack keeps what a person entered as long as a block
keeps its id, so those start anew when the service or environment changes, and an answer tells which list it was chosen from.
"""

from collections.abc import Sequence

from bot.domain.action import ActionKind, Claim
from bot.domain.deployments import Offer, OrderForm
from bot.slack.blocks import Block
from bot.slack.blocks.modal import OPTIONS, asked, modal, option, search, select, tick, words
from bot.slack.forms import service_menu
from bot.slack.vocabulary import (
    CLAIM_BLOCK,
    DRY_BLOCK,
    ENVIRONMENT_BLOCK,
    FORM_ENVIRONMENT,
    FORM_SERVICE,
    FORM_VERSION,
    INPUT_ACTION,
    MODAL_DEPLOY,
    MODAL_ROLLBACK,
    PREVIOUS,
    REASON_BLOCK,
    SERVICE_BLOCK,
    TYPED_BLOCK,
    VERSION_BLOCK,
)

LONGEST_VERSION = 128
CALLBACKS = {ActionKind.DEPLOY: MODAL_DEPLOY, ActionKind.ROLLBACK: MODAL_ROLLBACK}
NO_CLAIM = "(none)"
CLAIMS = {
    Claim.NONE: "No, the usual rules hold",
    Claim.FIX: "It mends the open incident",
    Claim.OVERRIDE: "Override a lock, a freeze or an incident",
    Claim.BREAK_GLASS: "Break the glass: past every guard, the owner is paged",
}
PREVIOUS_TEXT = "the newest healthy one before"


def order_modal(form: OrderForm, channel: str) -> Block:
    """The form as far as it can be offered; choosing a service or an environment has it made again."""
    service = asked(
        SERVICE_BLOCK, "Service", service_menu(FORM_SERVICE, form.services, form.service), dispatch=bool(form.services)
    )
    places = [(e, e) for e in form.environments[:OPTIONS]]
    chosen = form.environment if form.environment in form.environments else ""
    where = select(FORM_ENVIRONMENT, places, chosen=chosen)
    environment = asked(about(ENVIRONMENT_BLOCK, form.service), "Environment", where, dispatch=bool(form.service))
    hint = "Shown to whoever approves; needed to get past a guard."
    reason = asked(REASON_BLOCK, "Why?", words(INPUT_ACTION, multiline=True), hint=hint, optional=True)
    claims = [(c.value or NO_CLAIM, CLAIMS[c]) for c in form.claims]
    claim = [asked(CLAIM_BLOCK, "Past a guard?", select(INPUT_ACTION, claims, chosen=NO_CLAIM), optional=True)] if claims else []
    box = tick(INPUT_ACTION, "dry", "Plan only: nobody is asked to approve it")
    dry = asked(DRY_BLOCK, "Dry run", box, optional=True)
    blocks = [service, environment, *_versions(form), reason, *claim, dry]
    carried = {"channel": channel, "kind": form.kind.value}
    return modal(CALLBACKS[form.kind], form.kind.value.capitalize(), "Make the plan", carried, blocks)


def _versions(form: OrderForm) -> list[Block]:
    """A choice among the versions that exist, where somebody can tell them, else a field."""
    now = f"{form.current} runs now. " if form.current else ""
    back = form.kind is ActionKind.ROLLBACK
    label = "Back to version" if back else "Version"
    offers = [o for o in form.versions if not (back and o.version == form.current)]
    block = about(VERSION_BLOCK, form.service, form.environment)
    if not offers:
        hint = now + ("Leave it empty for the newest healthy version before the current one." if back else "")
        return [asked(block, label, words(INPUT_ACTION, most=LONGEST_VERSION), hint=hint.strip(), optional=back)]
    action = FORM_VERSION + form.kind.value
    if len(offers) + back > OPTIONS:
        hint = now + ("Leave it empty for the newest healthy version before the current one." if back else "")
        return [asked(block, label, search(action, "Type a part of it"), hint=hint.strip(), optional=back)]
    choices = [(o.version, described(o, form.current)) for o in offers]
    if back:
        return [asked(block, label, select(action, [(PREVIOUS, PREVIOUS_TEXT), *choices], chosen=PREVIOUS), hint=now.strip())]
    typed = words(INPUT_ACTION, most=LONGEST_VERSION)
    other = asked(about(TYPED_BLOCK, form.service, form.environment), "… or type another", typed, optional=True)
    return [asked(block, label, select(action, choices), hint=now.strip(), optional=True), other]


def described(offer: Offer, current: str = "") -> str:
    """A version with what a person should know before choosing it."""
    known = "runs now" if offer.version == current else "" if offer.ran else "not here yet"
    health = "⚠️ not healthy" if offer.healthy is False else "healthy" if offer.healthy and known != "runs now" else ""
    at = f"{offer.at:%d %b %H:%M} UTC" if offer.at else ""
    return " · ".join(part for part in (offer.version[:40], known, health, at) if part)


def version_options(offers: Sequence[Offer], typed: str, kind: ActionKind) -> list[Block]:
    """What a menu offers while a person types: the versions that fit; of a deploy also what was typed, as it is."""
    word = typed.strip()[:LONGEST_VERSION]
    own = kind is ActionKind.DEPLOY and word and all(o.version != word for o in offers)
    first = [option(word, f"{word[:50]} (as typed)")] if own else []
    return [*first, *(option(o.version, described(o)) for o in offers)][:OPTIONS]


def about(block: str, *names: str) -> str:
    """The id of a block that belongs to a service, or to a service in an environment."""
    return ":".join((block, *names))[:255]


def belongs_to(block_id: str) -> tuple[str, str]:
    """The service and the environment that a block for versions was made for; "" for each that was not chosen yet."""
    service, _, environment = block_id.partition(":")[2].rpartition(":")
    return service, environment

"""The words on buttons and menus, and the names of our modals: fixed, so that old messages keep working."""

from collections.abc import Mapping

from bot.domain.request import Deed, More

LABELS: Mapping[Deed, str] = {
    Deed.ROLLBACK_PROPOSE: "Roll back…",
    Deed.INCIDENT_ACK: "Acknowledge",
    Deed.INCIDENT_SILENCE: "Silence 1 h",
    Deed.INCIDENT_RESOLVE: "Resolve…",
    Deed.INCIDENT_MORE: "More",
    Deed.ACTION_APPROVE: "Approve",
    Deed.ACTION_REJECT: "Reject",
    Deed.CAUSE_CONFIRM: "Yes, that was it",
    Deed.CAUSE_OTHER: "Something else…",
    Deed.ANSWER_USEFUL: "Useful",
    Deed.ANSWER_NOT_USEFUL: "Not useful",
}
MENU: Mapping[More, str] = {
    More.TIMELINE: "Timeline",
    More.CATCHUP: "Catch me up",
    More.RESOLVE: "Resolve…",
    More.SILENCE: "Silence 1 h",
    More.EXPLAIN: "Explain the cause",
}
COMMANDS = ("incident", "deploy", "rollback", "runbook", "tocsin")
METADATA_EVENT = "tocsin"
MODAL_CAUSE = "tocsin_cause_other"
MODAL_RESOLVE = "tocsin_incident_resolve"
INPUT_BLOCK = "words"
INPUT_ACTION = "text"

"""The words on buttons and menus, and the names of our modals: fixed, so that old messages keep working."""

from collections.abc import Mapping

from bot.domain.request import Deed, More

LABELS: Mapping[Deed, str] = {
    Deed.ROLLBACK_PROPOSE: "Roll back…",
    Deed.INCIDENT_ACK: "Acknowledge",
    Deed.INCIDENT_SILENCE: "Silence…",
    Deed.INCIDENT_RESOLVE: "Resolve…",
    Deed.INCIDENT_MORE: "More",
    Deed.ACTION_APPROVE: "Approve",
    Deed.ACTION_REJECT: "Reject",
    Deed.ACTION_ASK: "Ask for approval",
    Deed.ACTION_RAN: "It ran",
    Deed.ACTION_DID_NOT_RUN: "It did not run",
    Deed.ACTION_BACK: "Take it back…",
    Deed.ACTION_CANCEL: "Cancel…",
    Deed.BATCH_APPROVE: "Approve all",
    Deed.BATCH_REJECT: "Reject all",
    Deed.BATCH_STOP: "Stop the rest…",
    Deed.HISTORY_OLDER: "Older",
    Deed.HISTORY_NEWER: "Newer",
    Deed.STEP_PROPOSE: "Prepare this step…",
    Deed.STEP_RUN: "Start this step…",
    Deed.CAUSE_CONFIRM: "Yes, that was it",
    Deed.CAUSE_OTHER: "Something else…",
    Deed.ANSWER_USEFUL: "Useful",
    Deed.ANSWER_NOT_USEFUL: "Not useful",
    Deed.SERVICE_MAP: "This is …",
    Deed.SERVICE_UNMAP: "Undo",
    Deed.SUGGESTION_JUDGE: "Was it useful?",
    Deed.SUGGESTION_LINK: "Link a runbook…",
    Deed.DRAFT_RUNBOOK: "Draft a runbook",
    Deed.DRAFT_APPROVE: "Approve",
    Deed.DRAFT_DISCARD: "Discard",
}
MENU: Mapping[More, str] = {
    More.TIMELINE: "Timeline",
    More.CATCHUP: "Catch me up",
    More.RESOLVE: "Resolve…",
    More.SILENCE: "Silence…",
    More.EXPLAIN: "Explain the cause",
    More.REGROUP: "Merge, split…",
    More.UNDO: "Undo the merge",
}
COMMANDS = ("incident", "deploy", "rollback", "runbook", "tocsin")
METADATA_EVENT = "tocsin"
MODAL_CAUSE = "tocsin_cause_other"
MODAL_RESOLVE = "tocsin_incident_resolve"
MODAL_SILENCE = "tocsin_incident_silence"
MODAL_DEPLOY = "tocsin_deploy"
MODAL_ROLLBACK = "tocsin_rollback"
MODAL_OPEN = "tocsin_open"
MODAL_REGROUP = "tocsin_regroup"
MODAL_LINK = "tocsin_link"
SHORTCUT_OPEN = "tocsin_open_incident"
SHORTCUT_PIN = "tocsin_pin_message"
SHORTCUTS: Mapping[str, str] = {
    SHORTCUT_OPEN: "Open an incident",
    SHORTCUT_PIN: "Pin to the timeline",
}
INPUT_BLOCK = "words"
CAUSE_BLOCK = "cause"
SPAN_BLOCK = "span"
SERVICE_BLOCK = "service"
ENVIRONMENT_BLOCK = "environment"
VERSION_BLOCK = "version"
TYPED_BLOCK = "typed"  # a version that is on no list
REASON_BLOCK = "reason"
CLAIM_BLOCK = "claim"
DRY_BLOCK = "dry"
SEVERITY_BLOCK = "severity"
TITLE_BLOCK = "title"
DEED_BLOCK = "deed"
OTHER_BLOCK = "other"
PROBLEM_BLOCK = "problem"
FORM_SERVICE = "form_service"  # the service of a deploy or rollback: choosing one fills the other fields
FORM_ENVIRONMENT = "form_environment"  # ... and so does its environment
FORM_VERSION = "form_version_"  # then deploy or rollback: its versions, asked for while a person types
OPEN_SERVICE = "open_service"
LINK_DOCUMENT = "link_document"
DOCUMENT_BLOCK = "document"
JUDGED_BLOCK = "judged:"  # then its place in the message, and what it stands under
MAPPED_BLOCK = "unmatched:"  # then label=value
PREVIOUS = "(previous)"  # no version can be called so
INPUT_ACTION = "text"

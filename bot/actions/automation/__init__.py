"""Typed steps of runbooks and how far the bot may go with them; pure, each answer with its reasons.

pages     the front matter of a trusted page becomes typed steps, or faults with their lines
fitting   does a step fit an incident: typed conditions on the diagnosis of the rules, and how the page was found
ruling    suggest, one click or automatic: every condition that does not hold costs a degree and says why
"""

from bot.actions.automation.fitting import Fit, fit, page_tier
from bot.actions.automation.pages import Read, read_page, trusted
from bot.actions.automation.ruling import Facts, Limits, limits_of, rule_degree, wanted_by

__all__ = [
    "Facts",
    "Fit",
    "Limits",
    "Read",
    "fit",
    "limits_of",
    "page_tier",
    "read_page",
    "rule_degree",
    "trusted",
    "wanted_by",
]

"""policies.yaml: who may ask for what, who may approve it, when, and what stands in the way.

file        what people write, validated
reading     its text as rules, or as faults with their lines
windows     spans of the week and of the calendar
rules       people and rules, each answer with its reason
warrants    what may approve in place of people: a rule that takes the way back, an automatic step
checks      which CI checks a commit must have passed
deciding    the one decision: rules, locks, freezes and open incidents together
explaining  the same, told line by line
"""

from bot.actions.policy.checks import required_checks
from bot.actions.policy.deciding import Barrier, Moment, World, ahead, barriers, decide, stand_in
from bot.actions.policy.explaining import explained
from bot.actions.policy.file import ANYONE, Automation, BreakGlass, DegreeRule, Freeze, IncidentGuard, PolicyFile, Rule, WayBack
from bot.actions.policy.reading import policies_file, read_policies
from bot.actions.policy.rules import BOT, Policies, Ruling
from bot.actions.policy.warrants import opposite, taking_back, warranted

__all__ = [
    "ANYONE",
    "BOT",
    "Automation",
    "Barrier",
    "BreakGlass",
    "DegreeRule",
    "Freeze",
    "IncidentGuard",
    "Moment",
    "Policies",
    "PolicyFile",
    "Rule",
    "Ruling",
    "WayBack",
    "World",
    "ahead",
    "barriers",
    "decide",
    "explained",
    "opposite",
    "policies_file",
    "read_policies",
    "required_checks",
    "stand_in",
    "taking_back",
    "warranted",
]

"""What may approve an action in place of people: a rule that takes the way back, a step that people made automatic.

Both are exceptions to "the bot never approves", so each is narrow: the bot itself asked, and what it names must say so now.
"""

from collections.abc import Collection

from bot.actions.policy.file import Rule, WayBack
from bot.actions.policy.rules import BOT, Policies, Ruling, such
from bot.domain.action import Action, ActionKind, Authority, Claim
from bot.domain.service import Service


def opposite(kind: ActionKind) -> ActionKind:
    """What takes such an action back."""
    return ActionKind.DEPLOY if kind is ActionKind.ROLLBACK else ActionKind.ROLLBACK


def taking_back(action: Action, service: Service, policies: Policies) -> Rule | None:
    """The rule by which an action that made things worse is taken back without asking; None where it is only offered.

    What is itself a way back is never taken back by itself: nothing may swing to and fro.
    """
    rule = policies.rule_for(action.kind, service, action.environment)
    return rule if rule is not None and rule.way_back is WayBack.TAKE and not action.undoes else None


def warranted(
    authority: Authority, by: str, action: Action, service: Service, policies: Policies, automatic: Collection[str] = ()
) -> Ruling:
    """Whether this rule or step may approve the action in place of people, by the rules of now.

    `automatic` are the steps that may act alone at the moment.
    """
    if action.requested_by != BOT:
        return Ruling(False, by, f"{_named(authority, by)} approves only what the bot itself asked for")
    if authority is Authority.RULE:
        undone = policies.rule_for(opposite(action.kind), service, action.environment)
        says = undone is not None and undone.name == by and undone.way_back is WayBack.TAKE
        if says and action.undoes and action.claim is Claim.FIX:
            return Ruling(True, by, f'rule "{by}" takes the way back when things got worse')
        return Ruling(False, by, f'Rule "{by}" of policies.yaml takes no way back of {such(action)} now')
    if authority is Authority.STEP and by and by == action.step and by in automatic:
        return Ruling(True, by, f"{by} is automatic")
    return Ruling(False, by, f"{_named(authority, by)} may not approve {such(action)} alone now")


def _named(authority: Authority, by: str) -> str:
    return f'The {authority.value} "{by}"'

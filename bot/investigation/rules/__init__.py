"""What a diff can break: rules that read one change and say which trouble it could cause.

Every rule is about software in general, has a name and a class tag, and can be switched off by its tag.
"""

from bot.investigation.rules import calls, contracts, knobs, safeguards
from bot.investigation.rules.rule import ChangeFact, Rule, Text, read

RULES: tuple[Rule, ...] = (*knobs.RULES, *safeguards.RULES, *calls.RULES, *contracts.RULES)

__all__ = ["RULES", "ChangeFact", "Rule", "Text", "read"]

"""The executor apart from the bot: who holds the deploy credentials reads nothing that strangers wrote.

keys      the bot signs, an executor can only check
warrant   what people approved, as an executor is shown it
letters   what an errand says, what is answered, as JSON
remote    the bot's side: a Deployer whose every question and order is an errand
mailboxes the executor's side of the database; https.py the same through the bot's door
running   the executor: takes, checks, asks, starts, answers
fences    what this executor does not do, whoever signs it
deployers the vendors' deployers by their settings
"""

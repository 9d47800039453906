"""How delivery and on-call went, in figures: gathered from what the bot keeps, posted on Mondays, told when somebody asks.

gathering   what happened, read from the stores
committing  when the commits of deployments were made, asked of the repositories
reporting   the figures for people: the weekly message, a command
"""

"""A town of small services, each with a fault of its own and a text that somebody planted in what the bot reads of it.

plots.py has the plots as data, town.py the files and the repository that describe them, telling.py the webhooks and the logs.
"""

"""The door in a process of its own: what comes in is checked and kept while the bot thinks, and also while it is stuck.

orders.py    what the bot tells its door at the start
doors.py     connectors with their settings
server.py    the port, and the web server behind it
lane.py      the short way of a plain webhook through it
keeper.py    the bot's side: starts the process, hears of what came in, starts it again
__main__.py  the process
spans.py     another process, at the port for spans
"""

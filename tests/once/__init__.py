"""At most once, tried on the whole bot: real processes, real databases, a vendor of its own process, kill -9 at every step.

steps     a process announces each step that it takes, and ends at the one it was told
nursery   one process that has imported the bot and forks as many as are wanted
vendor    vendors over their wire formats, counting runs, with whatever can go wrong
plan      what befalls one trial, out of a seed
house     what many trials share: nursery, vendor, workspace, databases
installation  the files of a bot and of an executor
replica   one process of a trial, life after life
doorway   the address at which executors reach a bot
books     what the database holds
counting  what does not fit between the vendor's count, the bot's words and the audit
trial     one trial: people ask, approve and stop, processes die, and in the end everything is counted
series    many trials, some at once, and what was seen
"""

"""The life of an action, from a wish to its end; every step is compare-and-set, in the audit and on one message.

ordering    /deploy, /rollback and their forms
pressing    the buttons
proposing   a wish becomes an action with its plan
deciding    people say yes or no
executing   it is started once and followed
cancelling  somebody wants it stopped
verifying   did it help?
uncertain   a person says what became of it
steps       one step is kept with the work that it causes
telling     audit, timeline, message; who is called by name
"""

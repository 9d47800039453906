"""The life of an action, from a wish to its end; every step is compare-and-set, in the audit and on one message.

ordering    /deploy, /rollback and their forms
pressing    the buttons
gathering   what a plan is made from, also without a desk
proposing   a wish becomes an action with its plan
deciding    people say yes or no
executing   it is started once and followed
cancelling  somebody wants it stopped
verifying   did it help?
measuring   the metrics before and after it
taking_back what made things worse is taken back
uncertain   a person says what became of it
steps       one step is kept with the work that it causes
sequencing  several services at once become a batch
batches     a batch goes on, part after part
calling     people are addressed by name
telling     audit, timeline, message; who is called by name
"""

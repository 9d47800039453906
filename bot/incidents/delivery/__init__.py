"""How delivery goes, in figures: pure arithmetic over what happened. docs/delivery.md says what each figure means.

deployments  reports of vendors become deployments: new versions, ways back, the same again
failures     which deployments failed, and why
figures      DORA's figures, by service
pages        who was paged how often, by night, and what came of it
words        the figures for people
"""

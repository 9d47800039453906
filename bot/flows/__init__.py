"""The stories: one function each, reads like the product sheet. `desk` is everything that they may reach for.

What came in is here at the top (alerts, changes, investigation, thinking, showing, announce ...); the rest by what it is about:

acting      the life of a deploy or rollback; locking what keeps one from happening; automating what the bot may do by itself
asking      questions and their answers
runbooks    runbooks and past incidents, brought in, offered and looked after
reaching    people are reached, and what they did elsewhere is followed
quiet       noise
grouping    incidents merged and split by people
watching    metrics and deployments watched by the bot itself; charting draws; mapping knows who calls whom
learning    weights from confirmed causes; delivering DORA's figures
"""

"""The model room: the one place that speaks to language models, and the only exit of text towards them.

names     which vendor and model a setting means, and what has to be installed for it
opening   settings -> a Model; light, so that nothing heavy loads while no model is configured
late      the Model that loads its vendor's package at the first question
vendors   one chat client per vendor, and how each keeps to a length and a form
probe     what a model can do, found out once
conversation  one question from veil to verdict: repairs, deadline, budget
agent     the same with tools
meter     the callback that counts tokens, money and time, and passes words on
speech    the words that people may hear; `loops` notices a model that repeats itself
forms     JSON out of an answer, and what is wrong with it
faults    a vendor's fault as one of our failures; `patience` tries again where that can help
breaker   a model that hangs is left alone for a while
fallback  a second model that is asked when the first fails
"""

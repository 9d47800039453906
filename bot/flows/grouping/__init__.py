"""People know better which problems are one incident: merged, split, taken back.

regroup     what it does
regrouping  by command or form
together    what one change shipped at once goes back at once
"""

"""The parts of a plan.

matter      what an approval is bound to, and its hash
"""

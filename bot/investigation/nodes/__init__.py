"""Which service did it, from metrics and a call graph alone: what a service's own callees do not explain is its own.

measures (what a metric measures) -> rises (how far above the usual, moment by moment) -> ranking (whose own it is).
"""

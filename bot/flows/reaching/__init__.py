"""A person is reached, and what people did elsewhere is followed.

oncall      whose turn it is
escalation  one after the other, until somebody takes it
paging      by card, channel or pager, once each
handling    handled in a vendor's own tool; carrying tells the other vendors
unheard     cleared while its vendor was told to be silent
"""

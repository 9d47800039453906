"""Runbooks and past incidents: brought in, offered, judged by people, looked after, drafted.

sourcing     sources are brought up to date; linking copies pages that alerts link to; keeping_up follows other replicas
knowing      what the library says to somebody
suggesting   people judge what they were shown
past         incidents that are over become knowledge; recurring says what comes back
care, needs  which runbooks need somebody
drafting     a runbook from what people did
"""

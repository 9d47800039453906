"""The graph of services kept true: who called whom is asked for, kept with its source, and learned by every replica.

sweeping  every source of edges is asked, on a schedule
following each replica's catalogue follows what was kept
minutes   what the OTLP receiver counted is kept
"""

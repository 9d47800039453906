"""The sample estate: a shop of real processes with its git history, load, prober and stories. Knows nothing of the bot."""

"""Numbers and logs: when a metric began to deviate, where it stepped, which log lines are new."""

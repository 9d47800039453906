"""From signals to incidents: dedup, correlation, severity, routing, timeline."""

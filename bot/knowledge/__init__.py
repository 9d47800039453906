"""What is already known: runbooks and past incidents, indexed, and found again by link, by name, by words and by meaning."""

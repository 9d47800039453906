"""Work that survives a crash: one table in our own database, a worker that claims and ends its rows."""

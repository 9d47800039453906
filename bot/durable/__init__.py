"""Work that survives a crash: one table in the application's own database, a worker that claims and ends its rows."""

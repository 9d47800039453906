"""Services and who depends on whom: the files that people review, and what a change can reach."""

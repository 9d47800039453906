"""How good the bot is, in numbers: datasets in, one JSON object out. Whatever is measured is handed in by the caller."""

"""Looks into an incident: gathers evidence, ranks the changes, says what it is and what it rests on."""

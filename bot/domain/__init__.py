"""Pure values and rules: stdlib only, no I/O, no clock, no framework."""

"""Changing production, carefully: who may, what it would do, who approved, once, and whether it helped."""

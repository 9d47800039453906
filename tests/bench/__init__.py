"""Timings of the product as a user runs it; `make bench`. Nothing here is a test."""

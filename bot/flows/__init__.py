"""The stories: one function each, reads like the product sheet."""

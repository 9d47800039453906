"""Secrets and deceiving characters leave any text; personal data leaves it on the way to a language model."""

from bot.redact.characters import clean
from bot.redact.secrets import SECRET, redact
from bot.redact.veil import Veil

__all__ = ["SECRET", "Veil", "clean", "redact"]

"""An embedder that tests can read: the same words give the same direction; it remembers what it was asked."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.knowledge.query import words


@dataclass
class FakeEmbedder:
    """Hashes each word to one of `dimensions` axes; `meanings` maps words to the word that they mean."""

    name: str = "fake"
    digest: str = "0" * 64
    dimensions: int = 64
    at_once: int = 1
    meanings: dict[str, str] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One unit vector per text."""
        self.texts += texts
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> list[float]:
        vector = [0.0] * self.dimensions
        for word in words(text):
            meant = self.meanings.get(word, word)
            vector[int(hashlib.sha256(meant.encode()).hexdigest(), 16) % self.dimensions] += 1.0
        length = math.sqrt(sum(x * x for x in vector))
        return [x / length for x in vector] if length else [1.0] + [0.0] * (self.dimensions - 1)

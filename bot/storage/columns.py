"""Texts from outside in columns: what SQLite would keep and PostgreSQL would refuse is made fit for both."""

import hashlib
from typing import cast

from sqlalchemy import Dialect, String, Text, TypeDecorator


def _plain(value: str) -> str:
    """Without what PostgreSQL refuses in a text: NUL, and halves of surrogate pairs."""
    if value.isascii() and "\x00" not in value:
        return value
    return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


class Prose(TypeDecorator[str]):
    """A text of any length that both databases keep."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002  SQLAlchemy passes it
        return None if value is None else _plain(value)


class Short(TypeDecorator[str]):
    """A text for looking at and filtering by; one that is longer than its column is cut."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002  SQLAlchemy passes it
        return None if value is None else _plain(value)[: cast(String, self.impl).length]


class Key(TypeDecorator[str]):
    """A text that names a row; a longer one ends in its digest, so that different ones stay different."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002  SQLAlchemy passes it
        if value is None:
            return None
        plain, most = _plain(value), cast(String, self.impl).length or 255
        if len(plain) <= most:
            return plain
        return f"{plain[: most - 33]}~{hashlib.sha256(plain.encode()).hexdigest()[:32]}"

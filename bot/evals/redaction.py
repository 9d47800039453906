"""How well secrets and personal data are found: `tocsin eval redaction`, over what the product itself runs."""

import base64
import binascii
import re
from collections import Counter
from pathlib import Path

from bot.errors import BadSettings
from bot.evals.rows import Row, read_rows
from bot.redact import redact
from bot.redact.personal import find

# Kinds of the data set that the product hides. Places, companies, professions, dates and nationalities are no personal data
# for a diagnosis, and are not looked for.
HIDDEN_KINDS = (
    "PERSON", "STREET_ADDRESS", "CREDIT_CARD", "PHONE_NUMBER", "EMAIL_ADDRESS", "IBAN_CODE", "US_SSN", "IP_ADDRESS",
    "US_DRIVER_LICENSE", "ZIP_CODE",
)  # fmt: skip
_WORD_PIECES = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")


def run_redaction(secrets_path: Path | None, pii_path: Path | None) -> dict[str, object]:
    """The figures of the sets that are given; shares in [0, 1]. Raises BadSettings for unusable files.

    Secrets: a row (`text` or `text_b64`, `label` positive... or negative...) counts as found if redaction changed its text.
    `secrets_precision` and `secrets_recall` take the labels as they are. Some sets are cut out of source code: they hold
    rows that are labelled both ways, and positives that are words alone ("Authorization"). The figures `..._usable` leave
    both out; how many these are is in `secrets_unusable`.

    Personal data: a span (`entity_type`, `start_position`, `end_position` of `full_text`) counts as found if at least one of
    its characters was hidden. `pii_recall` is over the kinds that the product hides (HIDDEN_KINDS), `pii_recall_by_kind`
    over all kinds. `pii_precision` is the share of hidden places that touch a labelled span of any kind. `pii_covered` is
    the share of the characters of those spans that was hidden.
    """
    result: dict[str, object] = {}
    if secrets_path is not None:
        result |= _secrets(secrets_path)
    if pii_path is not None:
        result |= _personal(pii_path)
    if not result:
        raise BadSettings("There is nothing to measure: give --secrets, --pii or both.")
    return result


def _secrets(path: Path) -> dict[str, object]:
    cases = [(_text(row, path, line), str(row.get("label", "")).startswith("positive")) for line, row in read_rows(path)]
    labels: dict[str, set[bool]] = {}
    for text, positive in cases:
        labels.setdefault(text, set()).add(positive)
    usable = [(text, positive) for text, positive in cases if len(labels[text]) == 1 and (not positive or _holds_a_value(text))]
    figures = _figures(cases)
    return {
        "secrets_n": len(cases),
        "secrets_precision": figures["precision"],
        "secrets_recall": figures["recall"],
        "secrets_unusable": len(cases) - len(usable),
        "secrets_precision_usable": _figures(usable)["precision"],
        "secrets_recall_usable": _figures(usable)["recall"],
    }


def _figures(cases: list[tuple[str, bool]]) -> dict[str, float]:
    count = Counter((positive, redact(text) != text) for text, positive in cases)
    right, wrong, missed = count[True, True], count[False, True], count[True, False]
    return {"precision": _share(right, right + wrong), "recall": _share(right, right + missed)}


def _holds_a_value(text: str) -> bool:
    """Whether anything but words stands there: a digit, or letters whose capitals change too often for words."""
    pieces = _WORD_PIECES.findall(text)
    return any(ch.isdigit() for ch in text) or (bool(pieces) and sum(map(len, pieces)) / len(pieces) < 3)


def _personal(path: Path) -> dict[str, object]:
    found: Counter[str] = Counter()
    known: Counter[str] = Counter()
    texts = places = right = characters = covered = 0
    for line, row in read_rows(path):
        texts += 1
        text, spans = _spans(row, path, line)
        hidden = [(finding.start, finding.end) for finding in find(text)]
        for kind, start, end in spans:
            known[kind] += 1
            touching = sum(max(0, min(end, b) - max(start, a)) for a, b in hidden)
            found[kind] += touching > 0
            if kind in HIDDEN_KINDS:
                characters, covered = characters + end - start, covered + touching
        places += len(hidden)
        right += sum(any(a < end and start < b for _, start, end in spans) for a, b in hidden)
    return {
        "pii_n": texts,
        "pii_precision": _share(right, places),
        "pii_recall": _share(sum(found[kind] for kind in HIDDEN_KINDS), sum(known[kind] for kind in HIDDEN_KINDS)),
        "pii_covered": _share(covered, characters),
        "pii_recall_by_kind": {kind: _share(found[kind], known[kind]) for kind in sorted(known)},
    }


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def _text(row: Row, path: Path, line: int) -> str:
    plain, encoded = row.get("text"), row.get("text_b64")
    if isinstance(plain, str):
        return plain
    if not isinstance(encoded, str):
        raise BadSettings(f"{path}:{line}: expected a string `text` or `text_b64`.")
    try:
        return base64.b64decode(encoded, validate=True).decode("utf-8", "replace")
    except binascii.Error as error:
        raise BadSettings(f"{path}:{line}: `text_b64` is no base64: {error}.") from error


def _spans(row: Row, path: Path, line: int) -> tuple[str, list[tuple[str, int, int]]]:
    text, spans = row.get("full_text"), row.get("spans")
    if not isinstance(text, str) or not isinstance(spans, list):
        raise BadSettings(f"{path}:{line}: expected a string `full_text` and a list `spans`.")
    try:
        return text, [(str(s["entity_type"]), int(s["start_position"]), int(s["end_position"])) for s in spans]
    except (KeyError, TypeError, ValueError) as error:
        raise BadSettings(
            f"{path}:{line}: each span has an entity_type and numbers start_position, end_position ({error})."
        ) from error

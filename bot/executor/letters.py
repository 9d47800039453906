"""What an errand says and what is answered, as JSON; errors travel as what they are, with the sentence for people."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.change import Version
from bot.domain.errand import START, Errand, ErrandKind
from bot.errors import BadSettings, BadSignature, BotError, IllegalMove, NotAllowed, NotFound, NotStarted, Unavailable
from bot.executor.keys import Signer, Verifier
from bot.executor.warrant import Warrant
from bot.ports import Order, Run
from bot.redact import clean, redact
from bot.storage.codec import dump, load

MOST = 256 * 1024  # characters of a body or an answer
WORDS = 600  # characters of a sentence
_KINDS: Mapping[str, type[BotError]] = {
    kind.__name__: kind for kind in (BadSettings, BadSignature, IllegalMove, NotAllowed, NotFound, NotStarted, Unavailable)
}


@dataclass(frozen=True, slots=True)
class Question:
    """What a deployer is asked; which fields are filled depends on the kind."""

    kind: ErrandKind
    deployer: str
    service: str = ""
    environment: str = ""
    commit: str = ""
    order: Order | None = None
    version: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """What an errand says, under the bot's signature; which fields are filled depends on its kind."""

    id: str
    kind: ErrandKind
    deployer: str
    issued_at: datetime
    expires_at: datetime
    service: str = ""
    environment: str = ""
    commit: str = ""
    order: Order | None = None
    warrant: Warrant | None = None
    version: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of ours as it travels: its name, what is logged, what people see."""

    name: str
    text: str
    for_people: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an errand: a failure, or what its kind asks for; and what else is known of the deployer and the order."""

    failure: Failure | None = None
    run: Run | None = None
    version: Version | None = None
    versions: tuple[Version, ...] = ()
    lines: tuple[str, ...] = ()
    checks: Mapping[str, bool] = field(default_factory=dict)
    cancels: bool | None = None
    how_to_ask: str = ""


def sealed(letter: Letter, signer: Signer) -> Errand:
    """The errand that carries a letter."""
    body = dump(letter)
    return Errand(
        letter.id,
        letter.kind,
        letter.deployer,
        body,
        signer.sign(body),
        created_at=letter.issued_at,
        expires_at=letter.expires_at,
    )


def opened(errand: Errand, verifier: Verifier) -> Letter:
    """The letter of an errand. Raises BadSignature where the bot did not sign it, or signed it for another errand."""
    if len(errand.body) > MOST:
        raise BadSignature("The errand is too large to be one of the bot's.")
    verifier.verify(errand.body, errand.signature)
    try:
        letter = load(Letter, errand.body)
    except ValueError as error:
        raise BadSignature(f"The bot signed what this executor cannot read ({error}); are both of the same version?") from None
    if (letter.id, letter.kind, letter.deployer) != (errand.id, errand.kind, errand.deployer):
        raise BadSignature("The errand carries the letter of another one.")
    is_start = letter.kind is ErrandKind.START
    if is_start != (letter.warrant is not None) or is_start != letter.id.startswith(START):
        raise BadSignature("Only a start carries a warrant, and every start does.")
    if letter.warrant is not None and (letter.id, letter.deployer) != (START + letter.warrant.action, letter.warrant.deployer):
        raise BadSignature("The warrant is that of another action.")
    return letter


def failure_of(error: BotError) -> Failure:
    """An error, fit to travel: nothing secret in it, and not longer than a sentence."""
    name = type(error).__name__ if type(error).__name__ in _KINDS else ("Unavailable" if error.retry else "IllegalMove")
    after = error.retry_after if isinstance(error, Unavailable | NotStarted) else None
    return Failure(name, _told(str(error)), _told(error.for_people), after)


def error_of(failure: Failure) -> BotError:
    """The error again, on the other side."""
    kind = _KINDS.get(failure.name, Unavailable)
    text, people = _told(failure.text), _told(failure.for_people)
    if kind is Unavailable or kind is NotStarted:
        return kind(text, for_people=people, retry_after=failure.retry_after)
    return kind(text, for_people=people)


def told(answer: Answer) -> str:
    """An answer as it travels."""
    return dump(answer)


def read_answer(text: str) -> Answer:
    """An answer that came. Raises Unavailable for what is none: nobody knows then what was done."""
    try:
        return load(Answer, text)
    except ValueError as error:
        raise Unavailable(
            f"The executor answered in a way that cannot be read ({error}); are both of the same version?"
        ) from None


def _told(text: str) -> str:
    return redact(clean(text))[:WORDS]

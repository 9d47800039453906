"""Every error of ours says what, which and what next, and knows the sentence a Slack user may see."""

from dataclasses import dataclass


class BotError(Exception):
    """Something went wrong in a way that a person can act upon.

    `str(error)` is for logs and terminals; `for_people` is the sentence that Slack users see, free of internals.
    `retry` tells the durable work whether trying again can help.
    """

    retry = False

    def __init__(self, message: str, *, for_people: str | None = None) -> None:
        super().__init__(message)
        self.for_people = for_people or message


class BadSettings(BotError):
    """A setting, a rule file or the catalogue is wrong; the message names it and shows a good value."""


class BadPayload(BotError):
    """A payload is not what its vendor documents; `path` says where, such as `$.alerts[0].labels`."""

    def __init__(self, message: str, *, path: str = "$") -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


class BadSignature(BotError):
    """A webhook did not prove who sent it."""


class Unavailable(BotError):
    """Something outside did not answer; trying again can help."""

    retry = True

    def __init__(self, message: str, *, for_people: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, for_people=for_people)
        self.retry_after = retry_after


class NotStarted(BotError):
    """What should be done was certainly not begun: it was never sent, or it was turned away until later."""

    def __init__(self, message: str, *, for_people: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, for_people=for_people)
        self.retry_after = retry_after


class NotAllowed(BotError):
    """A person may not do this; the message names the rule and who may."""


class IllegalMove(BotError):
    """A thing is not in a state that allows this: resolving a closed incident, approving an expired action."""


class Outrun(IllegalMove):
    """Somebody else changed the thing between our reading and our writing; doing it again can help."""

    retry = True


class TakenOver(BotError):
    """Another replica has taken over this piece of work, because this one was not heard of; what it writes now is refused."""


class NotFound(BotError):
    """There is no such thing; the message says how to list those there are."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One problem in a file that people edit: 1-based line, what is wrong, what would be right."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"

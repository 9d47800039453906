"""How the parts of this process fare: whoever works with something outside says when it fails and when it works again."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Vitals:
    """What fails now, by the part's name for people, with the reason. In memory; `bot.intake.selfcheck` makes news of it."""

    failing: dict[str, str] = field(default_factory=dict)
    working: set[str] = field(default_factory=set)  # what was seen to work, so that an earlier failure can be taken back

    def failed(self, part: str, why: str) -> None:
        """It does not work at the moment."""
        self.working.discard(part)
        self.failing[part] = why[:300]

    def well(self, part: str) -> None:
        """It works."""
        self.failing.pop(part, None)
        self.working.add(part)

"""Which ideas of the bot's own act for which teams: switches that people turn, all off at first."""

from collections.abc import Mapping

from bot.domain.noise import Kind

SWITCH = "noise:"
EVERYBODY = "*"


def switch_name(kind: Kind, team: str) -> str:
    """The switch that arms a kind for a team."""
    return f"{SWITCH}{kind.value}:{team}"[:64]


class Armed:
    """Which kinds act for which teams; the word for a team goes before the word for everybody."""

    def __init__(self, switches: Mapping[str, str], *, always: bool = False) -> None:
        self._switches, self._always = switches, always

    def __call__(self, kind: Kind, team: str) -> bool:
        """This kind acts for this team."""
        own = self._switches.get(switch_name(kind, team)) or self._switches.get(switch_name(kind, EVERYBODY))
        return self._always or own == "armed"

"""How the workspace says no."""

from collections.abc import Sequence


class SlackError(Exception):
    """A Web API call is refused with one of Slack's own error words."""

    def __init__(self, code: str, messages: Sequence[str] = (), status: int = 200) -> None:
        super().__init__(code if not messages else f"{code}: {'; '.join(messages)}")
        self.code = code
        self.messages = tuple(messages)
        self.status = status


class PersonaError(Exception):
    """A persona asked for something that cannot be done; the sentence says what and what instead."""

    def __init__(self, says: str, status: int = 400) -> None:
        super().__init__(says)
        self.status = status


class PortBusy(RuntimeError):
    """Another program has the port."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            f"Port {port} on {host} is already in use by another program. "
            f"Stop that program, or choose another port with --port, for example --port {port + 1}."
        )

"""An executor's mailbox behind the bot's door: it calls the bot, with a key of its own, and nothing can call it."""

import ipaddress
from urllib.parse import urlsplit

import httpx

from bot.domain.errand import Errand
from bot.domain.payload import Node
from bot.errors import BadPayload, BadSettings, BotError, NotAllowed, NotFound, Unavailable
from bot.storage.codec import dump, load
from bot.wire.rest import Rest

PATH = "/executor"
TIMEOUT = 20.0  # seconds; a request for an errand waits five at the bot


def checked_url(url: str) -> str:
    """The bot's address. Raises BadSettings for one to which the key would go in the clear."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise BadSettings(f"[executor] url {url[:200]!r} is no address of a bot; a good one: https://tocsin.example.com")
    if parts.scheme == "http" and not _near(parts.hostname):
        raise BadSettings(f"[executor] url {url[:200]!r} has to be https: the key and every order would go in the clear.")
    return url


class HttpsMailbox:
    """ports.errands.Mailbox by HTTPS, for the executor of this name. Raises Unavailable for everything that can pass."""

    def __init__(
        self, url: str, key: str, name: str, deployers: tuple[str, ...], transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        headers = {"authorization": f"Bearer {key}"}
        self._api = Rest("The bot", checked_url(url), headers, timeout=TIMEOUT, quotes=True, transport=transport)
        self._name, self._deployers = name, deployers

    async def reach(self) -> None:
        """The bot's door opens for the key."""
        await self._send("reach", {"executor": self._name})

    async def hello(self) -> None:
        """Tell that this executor is there."""
        await self._send("hello", {"executor": self._name, "deployers": self._deployers})

    async def take(self, wait: float) -> Errand | None:
        """The next errand."""
        return _errand(await self._send("next", {"executor": self._name, "wait": wait, "deployers": self._deployers}))

    async def begin(self, errand: Errand) -> Errand | None:
        """It is begun, if it is still ours and in time."""
        return _errand(await self._about("begun", errand))

    async def keep(self, errand: Errand) -> Errand | None:
        """Another lease."""
        return _errand(await self._about("kept", errand))

    async def answer(self, errand: Errand, answer: str) -> bool:
        """What came of it."""
        return (await self._about("answered", errand, answer))["done"].value is True

    async def _about(self, what: str, errand: Errand, answer: str = "") -> Node:
        asked = {"executor": self._name, "id": errand.id, "version": errand.version}
        return await self._send(what, {**asked, "answer": answer} if answer else asked)

    async def _send(self, what: str, body: object) -> Node:
        try:
            return await self._api.send("POST", f"{PATH}/{what}", content=dump(body).encode())
        except NotAllowed:
            raise Unavailable("The bot refuses this executor: its [executor] key is not the bot's.") from None
        except NotFound:
            raise Unavailable('The bot takes no executor: set [executor] mode = "apart" and a key on its side.') from None
        except BadPayload as error:
            raise Unavailable(f"The bot did not understand the executor: {error}") from None
        except Unavailable:
            raise
        except BotError as error:
            raise Unavailable(str(error)) from None


def _errand(said: Node) -> Errand | None:
    found = said["errand"]
    if found.value is None:
        return None
    try:
        return load(Errand, dump(found.value))
    except ValueError as error:
        raise Unavailable(f"The bot sent what is no errand ({error}); are both of the same version?") from None


def _near(host: str) -> bool:
    """The packets never leave this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

"""To which hosts links in messages may lead: those that the settings list, and the web pages of the deployers' runs."""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from bot.settings import Settings

PUBLIC = {"github": "github.com", "gitlab": "gitlab.com"}  # where a kind of deployer is without an address of its own


def link_hosts(settings: Settings) -> tuple[str, ...]:
    """An executor apart has deployers that are not known here: the hosts of their pages are listed by hand."""
    named = [host for values in settings.deployers.values() for host in _hosts(values)]
    return tuple(dict.fromkeys((*settings.slack.link_hosts, *named)))


def _hosts(values: Mapping[str, object]) -> Iterator[str]:
    found = [value for value in values.values() if isinstance(value, str) and value.startswith("https://")]
    for address in found:
        try:
            host = urlsplit(address).hostname or ""
        except ValueError:  # whoever reads the deployer's settings says what is wrong with it
            continue
        yield from (h for h in (host, host.removeprefix("api.")) if h)
    public = PUBLIC.get(str(values.get("kind") or ""))
    if public and not found:
        yield public

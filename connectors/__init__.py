"""Every vendor that Tocsin knows, one file each; explicit and sorted. To add a vendor, see README.md beside this file."""

from bot.ports import Connector
from connectors import alertmanager, change, command, generic, git, github, loki, prometheus

CONNECTORS: tuple[Connector, ...] = (
    alertmanager.CONNECTOR,
    change.CONNECTOR,
    command.CONNECTOR,
    generic.CONNECTOR,
    git.CONNECTOR,
    github.CONNECTOR,
    loki.CONNECTOR,
    prometheus.CONNECTOR,
)

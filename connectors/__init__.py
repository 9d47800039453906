"""Every vendor that Tocsin knows, one file each; explicit and sorted. Add a vendor: see README.md beside this file."""

from bot.ports import Connector
from connectors import alertmanager, command, github

CONNECTORS: tuple[Connector, ...] = (
    alertmanager.CONNECTOR,
    command.CONNECTOR,
    github.CONNECTOR,
)

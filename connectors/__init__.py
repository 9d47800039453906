"""Every vendor that Tocsin knows, one file each; explicit and sorted. To add a vendor, see README.md beside this file."""

from bot.ports import Connector
from connectors import (
    alertmanager,
    change,
    command,
    email,
    generic,
    git,
    github,
    jira,
    loki,
    opsgenie,
    pagerduty,
    prometheus,
    servicenow,
)

CONNECTORS: tuple[Connector, ...] = (
    alertmanager.CONNECTOR,
    change.CONNECTOR,
    command.CONNECTOR,
    email.CONNECTOR,
    generic.CONNECTOR,
    git.CONNECTOR,
    github.CONNECTOR,
    jira.CONNECTOR,
    loki.CONNECTOR,
    opsgenie.CONNECTOR,
    pagerduty.CONNECTOR,
    prometheus.CONNECTOR,
    servicenow.CONNECTOR,
)

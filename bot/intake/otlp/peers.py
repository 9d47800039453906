"""Whom a caller's span says it called, by OpenTelemetry's conventions, the older names beside the newer ones.

Source: https://opentelemetry.io/docs/specs/semconv/: attributes of peers, databases, messaging, servers and URLs.
"""

import ipaddress
from collections.abc import Mapping

SERVICE = ("peer.service", "service.peer.name")
DATABASE = ("db.system.name", "db.system")
NAMESPACE = ("db.namespace", "db.name")
MESSAGING = ("messaging.system",)
DESTINATION = ("messaging.destination.name", "messaging.destination")
ADDRESS = ("server.address", "net.peer.name", "http.host")
WANTED = frozenset((*SERVICE, *DATABASE, *NAMESPACE, *MESSAGING, *DESTINATION, *ADDRESS))


def peer_of(attributes: Mapping[str, str]) -> tuple[str, bool]:
    """The callee's name and whether it is outside the reach of spans; "" where the span says nothing that names anybody.

    A database is told apart by its host or, failing that, its name; an address that is a mere number names nobody.
    """

    def first(names: tuple[str, ...]) -> str:
        return next((attributes[name] for name in names if attributes.get(name)), "")

    if service := first(SERVICE):
        return service, False
    host = _host(first(ADDRESS))
    if system := first(DATABASE):
        return _joined(system, host or first(NAMESPACE)), True
    if system := first(MESSAGING):
        return _joined(system, host or first(DESTINATION)), True
    return host, True


def _joined(system: str, which: str) -> str:
    return f"{system}/{which}" if which else system


def _host(address: str) -> str:
    host, colon, port = address.rpartition(":")
    bare = (host if colon and port.isdecimal() else address).strip("[]").lower()
    try:
        ipaddress.ip_address(bare)
    except ValueError:
        return "" if bare == "localhost" else bare
    return ""

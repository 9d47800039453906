"""routing.yaml: where an incident lives, who is on call, who is reached when nobody takes it, and when nobody is disturbed.

file    what people write, validated
hours   spans of the day and days of the week
rota    whose turn it is, by the calendar
routes  the decisions, each with its reason
"""

from bot.incidents.routing.file import RoutingFile, SecondOutlet, Step, Target
from bot.incidents.routing.rota import Rota, Turn
from bot.incidents.routing.routes import Quiet, Route, Routing, read_routing, routing_file

__all__ = [
    "Quiet",
    "Rota",
    "Route",
    "Routing",
    "RoutingFile",
    "SecondOutlet",
    "Step",
    "Target",
    "Turn",
    "read_routing",
    "routing_file",
]

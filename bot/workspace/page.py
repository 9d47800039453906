"""The page."""

from starlette.routing import BaseRoute

from bot.workspace.site import Site


def routes(site: Site) -> list[BaseRoute]:
    return []

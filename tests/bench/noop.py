"""A web server that reads each request and does nothing: what the framework itself costs."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def nothing(request: Request) -> Response:
    """202, and the body is forgotten."""
    await request.body()
    return Response(status_code=202)


app = Starlette(routes=[Route("/", nothing, methods=["POST"])])

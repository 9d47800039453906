"""The estate's one web address: panel, control API, Prometheus and Loki."""

import hmac
import html
import json
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from bot.demo.deploys import CannotDeploy, Run
from bot.demo.director import Director, truth
from bot.demo.faults import FAULTS, KINDS
from bot.demo.grounds import Grounds
from bot.demo.shop import PROVIDER, SERVICES
from bot.demo.stories import STORIES, Story, break_it, seeded
from bot.demo.wire import Wire

PANEL = Path(__file__).parent / "panel.html"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1")
_FRAMES = "frame-ancestors http://127.0.0.1:* http://localhost:*"
_POLICY = f"default-src 'none'; script-src 'nonce-{{nonce}}'; style-src 'nonce-{{nonce}}'; connect-src 'self'; {_FRAMES}"


def doors(grounds: Grounds, director: Director) -> web.Application:
    """Everything that the estate answers over HTTP."""
    app = web.Application(middlewares=[_loopback_names_only], client_max_size=64 * 1024)
    app.add_routes(Wire(grounds.telemetry).routes())
    app.add_routes(_Control(grounds, director).routes())
    app.add_routes(_Panel(grounds, director).routes())
    return app


@web.middleware
async def _loopback_names_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A page elsewhere that has its name resolved to loopback gets nothing."""
    if urlsplit(f"//{request.host}").hostname not in _LOOPBACK:
        raise web.HTTPMisdirectedRequest(text="this address is for loopback names only\n")
    return await handler(request)


def state(grounds: Grounds, director: Director) -> dict[str, Any]:
    """What the panel shows and what players look at: plain JSON, nothing secret."""
    telemetry = grounds.telemetry
    return {
        "services": [_service(grounds, service) for service in SERVICES],
        "provider": {"name": PROVIDER, "mode": grounds.provider_mode},
        "load": {"browse": grounds.load.level.browse, "orders": grounds.load.level.orders},
        "customers_served": _share(list(grounds.load.results)[-60:]),
        "alerts_firing": len(grounds.prober.firing),
        "alert_events": grounds.alertmanager.events,
        "webhooks": {
            "alertmanager": dict(grounds.to_alertmanager_door.statuses),
            "github": dict(grounds.to_github_door.statuses),
            "refused": [*grounds.to_alertmanager_door.refused, *grounds.to_github_door.refused],
        },
        "vendor_runs": grounds.deploys.vendor_runs,
        "series": len(telemetry.series),
        "story": truth(director.performance) if director.performance else None,
    }


class _Control:
    """The deployment system's API, guarded by a bearer token; `deployctl` is its client."""

    def __init__(self, grounds: Grounds, director: Director) -> None:
        self._grounds = grounds
        self._director = director

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/control/deploy", self._guarded(self.deploy)),
            web.get("/control/status", self._guarded(self.status)),
            web.get("/runs/{run}", self.run),
            web.get("/control/current", self._guarded(self.current)),
            web.get("/control/versions", self._guarded(self.versions)),
            web.post("/control/story", self._guarded(self.story)),
            web.post("/control/reset", self._guarded(self.reset)),
            web.get("/control/state", self._guarded(self.state)),
        ]

    async def deploy(self, request: web.Request) -> web.Response:
        body = await request.json()
        try:
            run = self._grounds.deploys.request(
                str(body["service"]),
                str(body["version"]),
                str(body["environment"]),
                str(body["idempotency_key"]),
            )
        except CannotDeploy as error:
            return web.json_response({"error": str(error)}, status=422)
        return web.json_response(_run(run, request))

    async def status(self, request: web.Request) -> web.Response:
        run = self._grounds.deploys.find(request.query.get("run", ""), request.query.get("idempotency_key", ""))
        return web.json_response(_run(run, request) if run else {"run": None, "status": "unknown"})

    async def run(self, request: web.Request) -> web.Response:
        """One deployment, for whoever follows the link on its message; nothing of it is secret."""
        run = self._grounds.deploys.find(request.match_info["run"])
        if run is None:
            raise web.HTTPNotFound(text="there is no such run\n")
        ended = f"{run.ended:%H:%M:%S} UTC" if run.ended else "not yet"
        lines = [
            f"{run.id}: {run.release.service} {run.release.version} to {run.environment}",
            f"status: {run.status} {run.error}".rstrip(),
            f"by:     {run.creator.name}",
            f"began:  {run.began:%H:%M:%S} UTC",
            f"ended:  {ended}",
        ]
        return web.Response(text="\n".join(lines) + "\n")

    async def current(self, request: web.Request) -> web.Response:
        release = self._grounds.deploys.current(request.query.get("service", ""))
        if release is None or request.query.get("environment") != self._grounds.config.environment:
            return web.json_response({"error": "nothing of this service runs in this environment"}, status=404)
        return web.json_response({"version": release.version, "commit": release.commit.sha})

    async def versions(self, request: web.Request) -> web.Response:
        return web.json_response(self._grounds.deploys.history(request.query.get("service", "")))

    async def story(self, request: web.Request) -> web.Response:
        return web.json_response(await _begin(self._director, await request.json()))

    async def reset(self, _request: web.Request) -> web.Response:
        await self._director.reset()
        return web.json_response({"ok": True})

    async def state(self, _request: web.Request) -> web.Response:
        return web.json_response(state(self._grounds, self._director))

    def _guarded(self, handler: Handler) -> Handler:
        expected = f"Bearer {self._grounds.config.deploy_token}".encode()

        async def guarded(request: web.Request) -> web.StreamResponse:
            given = request.headers.get("Authorization", "").encode("utf-8", "replace")
            if not hmac.compare_digest(given, expected):
                return web.json_response({"error": "the deploy token is missing or wrong"}, status=401)
            try:
                return await handler(request)
            except (KeyError, ValueError) as error:
                return web.json_response({"error": f"the request is not understood: {error}"}, status=400)

        return guarded


class _Panel:
    """The page with the shop's state and the buttons that break it."""

    def __init__(self, grounds: Grounds, director: Director) -> None:
        self._grounds = grounds
        self._director = director
        self._token = secrets.token_urlsafe(16)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self.page),
            web.get("/panel/state", self.state),
            web.post("/panel/play", self.play),
            web.post("/panel/reset", self.reset),
            web.post("/panel/pull", self.pull),
        ]

    async def page(self, _request: web.Request) -> web.Response:
        nonce = secrets.token_urlsafe(12)
        shown = {
            "token": self._token,
            "kinds": KINDS,
            "services": SERVICES,
            "faults": [f"{kind}/{service}" for kind, service in FAULTS],
            "stories": {name: story.title for name, story in STORIES.items()},
            "levers": {name: lever.title for name, lever in self._grounds.levers.items()},
        }
        text = PANEL.read_text(encoding="utf-8").replace("{{nonce}}", nonce)
        text = text.replace("{{shown}}", html.escape(json.dumps(shown)))
        headers = {"Content-Security-Policy": _POLICY.format(nonce=nonce), "Cache-Control": "no-store"}
        return web.Response(text=text, content_type="text/html", headers=headers)

    async def state(self, _request: web.Request) -> web.Response:
        shown = state(self._grounds, self._director)
        if shown["story"]:
            shown["story"] = {"title": shown["story"]["title"], "finished": shown["story"]["finished"]}
        return web.json_response(shown, headers={"Cache-Control": "no-store"})

    async def play(self, request: web.Request) -> web.Response:
        self._check(request)
        try:
            return web.json_response(await _begin(self._director, await request.json()))
        except (KeyError, ValueError) as error:
            return web.json_response({"error": f"no such story or fault: {error}"}, status=400)

    async def reset(self, request: web.Request) -> web.Response:
        self._check(request)
        await self._director.reset()
        return web.json_response({"ok": True})

    async def pull(self, request: web.Request) -> web.Response:
        self._check(request)
        asked = (await request.json()).get("lever")
        lever = self._grounds.levers.get(asked)
        if lever is None:
            return web.json_response({"error": f"there is no lever {asked!r}"}, status=400)
        try:
            return web.json_response({"said": await lever.pull()})
        except aiohttp.ClientError as error:
            return web.json_response({"error": f"it does not answer: {error}"}, status=502)

    def _check(self, request: web.Request) -> None:
        """Only our own page may press the buttons."""
        origin = urlsplit(request.headers.get("Origin", ""))
        token = request.headers.get("X-Panel-Token", "").encode("utf-8", "replace")
        if origin.netloc != request.host or not hmac.compare_digest(token, self._token.encode()):
            raise web.HTTPForbidden(text="this button works on the panel's own page only\n")


async def _begin(director: Director, asked: dict[str, Any]) -> dict[str, Any]:
    story = _story(asked)
    await director.start(story)
    return {"story": story.name, "title": story.title}


def _story(asked: dict[str, Any]) -> Story:
    if "seed" in asked:
        return seeded(int(asked["seed"]))
    if "story" in asked:
        return STORIES[asked["story"]]
    return break_it(asked["kind"], asked["service"])


def _run(run: Run, request: web.Request) -> dict[str, Any]:
    shown = {
        "run": run.id,
        "status": run.status,
        "service": run.release.service,
        "version": run.release.version,
        "link": f"{request.url.origin()}/runs/{run.id}",
    }
    return {**shown, "error": run.error} if run.error else shown


def _service(grounds: Grounds, service: str) -> dict[str, Any]:
    release, telemetry = grounds.deploys.current(service), grounds.telemetry
    return {
        "name": service,
        "version": release.version if release else None,
        "commit": release.commit.sha if release else None,
        "requests_per_second": telemetry.value("http_requests_per_second", service),
        "error_ratio": telemetry.value("http_request_error_ratio", service),
        "latency_p95_seconds": telemetry.value("http_request_latency_p95_seconds", service),
    }


def _share(results: list[bool]) -> float | None:
    return sum(results) / len(results) if results else None

"""The door for an executor of its own: it asks for errands and answers them, with a key. Nobody else learns that it is there."""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.domain.errand import Errand
from bot.errors import Unavailable
from bot.executor.https import PATH
from bot.executor.mailboxes import DatabaseMailbox
from bot.ports import Clock, Database, ErrandStore
from bot.storage.codec import dump, load

MOST_BYTES = 512 * 1024
LONGEST_WAIT = 5.0  # seconds that a request for an errand is held; the door in front gives up after ten
MOST_DEPLOYERS = 200


@dataclass(frozen=True, slots=True)
class _Asked:
    """What an executor says; which fields count depends on the path."""

    executor: str
    id: str = ""
    version: int = 0
    wait: float = 0.0
    answer: str = ""
    deployers: tuple[str, ...] = ()


def errand_routes(db: Database, store: ErrandStore, clock: Clock, key: str) -> list[Route]:
    """POST /executor/reach, hello, next, begun, kept and answered, for whoever has the key."""
    door = _Door(db, store, clock, key)
    deeds = {
        "reach": door.reach,
        "hello": door.hello,
        "next": door.next,
        "begun": door.begun,
        "kept": door.kept,
        "answered": door.answered,
    }
    return [Route(f"{PATH}/{name}", door.guarded(deed), methods=["POST"]) for name, deed in deeds.items()]


Deed = Callable[[_Asked], Awaitable[object]]


class _Door:
    def __init__(self, db: Database, store: ErrandStore, clock: Clock, key: str) -> None:
        self._db, self._store, self._clock = db, store, clock
        self._proof = f"Bearer {key}".encode()

    def guarded(self, deed: Deed) -> Callable[[Request], Awaitable[Response]]:
        """The deed, for those who prove who they are, and say it in few words."""

        async def answer(request: Request) -> Response:
            if not hmac.compare_digest(request.headers.get("authorization", "").encode("latin-1"), self._proof):
                return JSONResponse({"error": "The key is not that of an executor."}, 401)
            body = await _body(request)
            if body is None:
                return JSONResponse({"error": f"The body is larger than {MOST_BYTES} bytes."}, 413)
            try:
                asked = load(_Asked, body)
            except ValueError as error:
                return JSONResponse({"error": str(error)[:300]}, 400)
            if not 0 < len(asked.executor) <= 200 or len(asked.id) > 200 or len(asked.deployers) > MOST_DEPLOYERS:
                return JSONResponse({"error": "A name is too long, or there are too many of them."}, 400)
            try:
                return Response(dump(await deed(asked)), media_type="application/json")
            except Unavailable as error:
                return JSONResponse({"error": str(error)[:300]}, 503)

        return answer

    async def reach(self, asked: _Asked) -> object:
        """The key is right, and the errands can be read."""
        await self._box(asked).reach()
        return {}

    async def hello(self, asked: _Asked) -> object:
        """It is there."""
        await self._box(asked).hello()
        return {}

    async def next(self, asked: _Asked) -> object:
        """The next errand, or none after a while."""
        wait = min(max(asked.wait, 0.0), LONGEST_WAIT)
        return {"errand": await self._box(asked).take(wait)}

    async def begun(self, asked: _Asked) -> object:
        """The errand, now begun; null: hands off."""
        errand = await self._errand(asked)
        return {"errand": await self._box(asked).begin(errand) if errand else None}

    async def kept(self, asked: _Asked) -> object:
        """The errand with a longer lease; null: it is not theirs any more."""
        errand = await self._errand(asked)
        return {"errand": await self._box(asked).keep(errand) if errand else None}

    async def answered(self, asked: _Asked) -> object:
        """Whether the answer counts."""
        errand = await self._errand(asked)
        return {"done": await self._box(asked).answer(errand, asked.answer) if errand and asked.answer else False}

    def _box(self, asked: _Asked) -> DatabaseMailbox:
        return DatabaseMailbox(self._db, self._store, self._clock, asked.executor, tuple(name[:200] for name in asked.deployers))

    async def _errand(self, asked: _Asked) -> Errand | None:
        """The errand as the executor knows it: of the version it names, so that all compare-and-set is the mailbox's."""
        there = await self._db.read(lambda tx: self._store.get(tx, asked.id))
        return replace(there, version=asked.version) if there is not None else None


async def _body(request: Request) -> bytes | None:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MOST_BYTES:
            return None
        chunks.append(chunk)
    return b"".join(chunks)

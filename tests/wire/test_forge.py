"""A code forge is asked no more than it bears, and what it does not say is nothing, not an error."""

from collections.abc import Callable

import httpx
import pytest

from bot.wire.forge import MOST_BYTES, MOST_DIFF, Forge, known, patch

Answer = Callable[[httpx.Request], httpx.Response]


class Clock:
    """Monotonic seconds that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def a_forge(answer: Answer, clock: Clock | None = None) -> tuple[Forge, list[httpx.Request]]:
    seen: list[httpx.Request] = []

    def serve(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answer(request)

    headers = {"authorization": "Bearer hush"}
    return Forge(
        "Forge", "https://forge.example/api/", headers, transport=httpx.MockTransport(serve), clock=clock or Clock()
    ), seen


async def test_an_answer_is_used_again_and_later_only_confirmed() -> None:
    clock = Clock()

    def answer(request: httpx.Request) -> httpx.Response:
        known = request.headers.get("if-none-match") == '"v1"'
        return httpx.Response(304) if known else httpx.Response(200, json={"sha": "abc"}, headers={"etag": '"v1"'})

    forge, seen = a_forge(answer, clock)
    for wait in (0, 10, 400, 10):
        clock.now += wait
        found = await forge.get("/x")
        assert found is not None
        assert found["sha"].text() == "abc"
    assert [r.headers.get("if-none-match") for r in seen] == [None, '"v1"']
    assert str(seen[0].url) == "https://forge.example/api/x"


@pytest.mark.parametrize(
    ("status", "headers", "pause"),
    [
        (429, {"retry-after": "30"}, 30),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795349000", "date": "Sun, 22 Nov 2026 12:00:00 GMT"}, 200),
        (429, {"retry-after": "99999999"}, 3600),
        (429, {}, 60),
    ],
)
async def test_it_is_left_alone_for_as_long_as_it_asks(status: int, headers: dict[str, str], pause: float) -> None:
    clock = Clock()
    answers = [httpx.Response(status, headers=headers), httpx.Response(200, json={})]
    forge, seen = a_forge(lambda _: answers.pop(0), clock)
    assert await forge.get("/x") is None
    clock.now += pause - 1
    assert await forge.get("/y") is None
    assert len(seen) == 1
    clock.now += 2
    assert await forge.get("/y") is not None


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404),
        httpx.Response(500),
        httpx.Response(401, json={"message": "Bad credentials"}),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, content=b"[" * 100_000),
        httpx.Response(302, headers={"location": "http://169.254.169.254/"}),
        httpx.Response(200, content=b'"' + b"x" * MOST_BYTES + b'"'),
    ],
    ids=lambda r: f"{r.status_code}-{len(r.content)}",
)
async def test_what_it_does_not_say_is_nothing(answer: httpx.Response) -> None:
    forge, seen = a_forge(lambda _: answer)
    assert await forge.get("/x") is None
    assert len(seen) == 1


async def test_being_away_is_logged_once_and_so_is_being_back(caplog: pytest.LogCaptureFixture) -> None:
    away = True

    def answer(request: httpx.Request) -> httpx.Response:
        if away:
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(200, json={})

    forge, _ = a_forge(answer)
    for path in ("/a", "/b", "/c"):
        await forge.get(path)
    away = False
    for path in ("/a", "/b", "/c"):
        assert await forge.get(path) is not None
    assert [r.getMessage() for r in caplog.records] == ["Forge cannot be reached: ConnectError.", "Forge answers again"]
    assert "hush" not in caplog.text


@pytest.mark.parametrize("repository", ["shop", "../etc", "a/../b", "a/b?x=1", "a/b c", "/a/b", "a//b", "a/b/", "é/b", "a/b\n"])
def test_only_names_of_repositories_stand_in_a_url(repository: str) -> None:
    assert known("acme/shop", "3f2c1a9")
    assert known("acme/team/sub/shop.git", "3f2c1a9", "a" * 40)
    assert not known(repository, "3f2c1a9")
    assert not known("acme/shop", "main")


def test_a_patch_is_one_unified_diff_that_says_where_it_was_cut() -> None:
    names, diff, cut = patch([("a.py", "b.py", "@@ -1 +1 @@\n-x\n+y"), ("c.py", "c.py", "@@ -0,0 +1 @@\n+z\n")])
    assert names == ("b.py", "c.py")
    assert diff.startswith("diff --git a/a.py b/b.py\n--- a/a.py\n+++ b/b.py\n@@ -1 +1 @@\n-x\n+y\ndiff --git a/c.py")
    assert not cut
    assert patch([("logo.png", "logo.png", "")]) == (("logo.png",), "", True)
    assert patch([("a", "a", "+x\n" * MOST_DIFF)])[1:] == (patch([("a", "a", "+x\n" * MOST_DIFF)])[1][:MOST_DIFF], True)

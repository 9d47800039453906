"""One thread that writes; what is urgent goes before what is not, each kind in order."""

import itertools
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
LAST = 2  # after everything


class Lane(Executor):
    """An executor with one thread. `submit` puts work in the ordinary line, `urgently` before all of that."""

    def __init__(self, name: str) -> None:
        self._line: queue.PriorityQueue[tuple[int, int, Callable[[], None] | None]] = queue.PriorityQueue()
        self._numbers = itertools.count()
        self._open = True
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run it in its turn."""
        return self._put(1, fn, *args, **kwargs)

    def urgently(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run it before everything that is not urgent."""
        return self._put(0, fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002  nothing is ever left undone
        """Take nothing more; what was taken is still done."""
        with self._lock:
            if self._open:
                self._open = False
                self._line.put((LAST, next(self._numbers), None))
        if wait:
            self._thread.join()

    def _put(self, rank: int, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        with self._lock:
            if not self._open:
                raise RuntimeError("The database is closing; nothing more is written.")
            self._line.put((rank, next(self._numbers), lambda: _settle(future, fn, *args, **kwargs)))
        return future

    def _run(self) -> None:
        while (work := self._line.get()[2]) is not None:
            work()


def _settle(future: Future[Any], fn: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(fn(*args, **kwargs))
    except BaseException as error:  # noqa: BLE001  whoever waits for it gets it
        future.set_exception(error)

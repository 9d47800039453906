"""The shop's processes: instances behind fixed addresses, and the switch from one version to the next.

The estate owns every listening socket and lends it to the process that serves it, so a new version takes over an
address without a proxy and without a refused connection. A child ends when its standard input closes, which the
kernel does for us even if this process is killed.
"""

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

PROVIDER = "acmepay"
PROVIDER_FOLDER = Path(__file__).parent / "provider"
SOURCE = Path(__file__).parent / "shop_source"
START_TIMEOUT_SECONDS = 20.0
DRAIN_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class ServiceShape:
    """How a service runs: how many instances, and whom it calls."""

    name: str
    instances: int
    calls: tuple[str, ...]


SHOP = (
    ServiceShape("storefront", 2, ("checkout", "inventory")),
    ServiceShape("checkout", 2, ("payments", "inventory")),
    ServiceShape("payments", 2, (PROVIDER,)),
    ServiceShape("inventory", 1, ("store",)),
    ServiceShape("store", 1, ()),
)
SERVICES = tuple(shape.name for shape in SHOP)

LogSink = Callable[[dict[str, Any]], None]


class DidNotStart(Exception):
    """A new process did not become healthy; what ran before still runs."""

    def __init__(self, instance: str, reason: str) -> None:
        super().__init__(f"{instance} did not become healthy: {reason}")


class Running:
    """One process that serves, or is about to serve, an instance's address."""

    def __init__(self, instance: str, version: str, process: asyncio.subprocess.Process, admin: str) -> None:
        self.instance = instance
        self.version = version
        self.process = process
        self.admin = admin
        self.reader: asyncio.Task[None] | None = None

    async def stop(self) -> None:
        """End the process: closing its input is enough, killing is for the case that it hangs."""
        if self.process.stdin:
            self.process.stdin.close()
        try:
            async with asyncio.timeout(2):
                await self.process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
        if self.reader:
            self.reader.cancel()


class Instance:
    """A fixed address of a service, and the process that serves it now."""

    def __init__(self, service: str, name: str) -> None:
        self.service = service
        self.name = name
        self.socket = _listening()
        self.address = "{}:{}".format(*self.socket.getsockname())
        self.running: Running | None = None


class Shop:
    """All instances of all services, and of the provider."""

    def __init__(self, session: aiohttp.ClientSession, on_log: LogSink, errors: Path) -> None:
        self._session = session
        self._errors = errors
        self._on_log = on_log
        self._started: set[Running] = set()
        self._draining: set[asyncio.Task[None]] = set()
        self.instances = [
            Instance(shape.name, f"{shape.name}-{number}")
            for shape in (*SHOP, ServiceShape(PROVIDER, 1, ()))
            for number in range(1, shape.instances + 1)
        ]

    def of(self, service: str) -> list[Instance]:
        """The instances of one service."""
        return [instance for instance in self.instances if instance.service == service]

    async def start_provider(self) -> None:
        """Run the outside provider, which is no part of the shop's repository."""
        await self.switch(PROVIDER, "live", PROVIDER_FOLDER, "acmepay", {"PYTHONPATH": str(SOURCE)})

    async def switch(
        self,
        service: str,
        version: str,
        folder: Path,
        module: str | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        """Every instance of the service is served by this version; the old processes finish what they had begun.

        Raises DidNotStart, and leaves the old version serving, when a new process is not healthy in time.
        """
        module = module or f"services.{service}.app"
        instances = self.of(service)
        started = await asyncio.gather(
            *(self._start(instance, version, folder, module, extra or {}) for instance in instances),
            return_exceptions=True,
        )
        new = [running for running in started if isinstance(running, Running)]
        failed = [error for error in started if isinstance(error, BaseException)]
        if failed:
            await asyncio.gather(*(self._end(running) for running in new))
            raise failed[0]
        old = [instance.running for instance in instances if instance.running]
        for instance, running in zip(instances, new, strict=True):
            await self._ask(running, "serve")
            instance.running = running
        for running in old:
            task = asyncio.create_task(self._drain(running))
            self._draining.add(task)
            task.add_done_callback(self._draining.discard)

    async def stop(self) -> None:
        """Every process has ended."""
        for task in self._draining:
            task.cancel()
        await asyncio.gather(*(self._end(running) for running in list(self._started)))
        for instance in self.instances:
            instance.running = None
            instance.socket.close()

    async def _start(self, instance: Instance, version: str, folder: Path, module: str, extra: Mapping[str, str]) -> Running:
        admin = _listening()
        environment = {
            "PATH": os.defpath,
            "SHOP_INSTANCE": instance.name,
            "SHOP_VERSION": version,
            "SHOP_LISTEN_FD": str(instance.socket.fileno()),
            "SHOP_ADMIN_FD": str(admin.fileno()),
            "SHOP_PEERS": json.dumps(self._peers()),
            **extra,
        }
        # -S: the services need only the standard library, and start twice as fast without the site's packages.
        with self._errors_of(instance.name).open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-S", "-s", "-m", module),
                cwd=folder,
                env=environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                pass_fds=(instance.socket.fileno(), admin.fileno()),
                start_new_session=True,
                limit=2**20,
            )
        running = Running(instance.name, version, process, "http://{}:{}".format(*admin.getsockname()))
        admin.close()
        self._started.add(running)
        running.reader = asyncio.create_task(self._read_log(process))
        try:
            await self._healthy(running)
        except DidNotStart:
            await self._end(running)
            raise
        return running

    async def _healthy(self, running: Running) -> None:
        waited = 0.0
        while waited < START_TIMEOUT_SECONDS:
            if running.process.returncode is not None:
                error = self._errors_of(running.instance).read_text(errors="replace")
                raise DidNotStart(running.instance, error.strip()[-300:])
            try:
                await self._ask(running, "healthz", seconds=1.0)
                return
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(0.1)
                waited += 0.1
        raise DidNotStart(running.instance, f"no answer within {START_TIMEOUT_SECONDS:.0f} s")

    async def _ask(self, running: Running, what: str, seconds: float = 5.0) -> None:
        timeout = aiohttp.ClientTimeout(total=seconds)
        async with self._session.get(f"{running.admin}/{what}", timeout=timeout) as answer:
            answer.raise_for_status()
            await answer.read()

    async def _drain(self, running: Running) -> None:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            await self._ask(running, "drain", seconds=DRAIN_SECONDS)
        await self._end(running)

    async def _end(self, running: Running) -> None:
        self._started.discard(running)
        await running.stop()

    async def _read_log(self, process: asyncio.subprocess.Process) -> None:
        while process.stdout and (line := await process.stdout.readline()):
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            self._on_log(entry)

    def _errors_of(self, instance: str) -> Path:
        return self._errors / f"{instance}.stderr"

    def _peers(self) -> dict[str, list[str]]:
        names = {instance.service for instance in self.instances}
        return {name: [instance.address for instance in self.of(name)] for name in names}


def _listening() -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    listener.setblocking(False)
    return listener

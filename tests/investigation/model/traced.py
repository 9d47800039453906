"""Run by a test in its own process: asks a stand-in with tools, and prints what a collector of traces got meanwhile."""

import asyncio
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bot.demo.standin.scripted import Call, Scripted, in_turn
from bot.demo.standin.server import standin
from tests.investigation.model.room import a_model, able, asking
from tests.investigation.model.test_agent import Looks

got: list[str] = []


class _Collector(BaseHTTPRequestHandler):
    def _count(self) -> None:
        got.append(self.path)
        self.send_response(202)
        self.end_headers()

    do_GET = do_POST = do_PATCH = _count

    def log_message(self, *_: object) -> None:
        pass


async def main() -> None:
    """The answer's word and how many requests the collector got."""
    collector = ThreadingHTTPServer(("127.0.0.1", 0), _Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    os.environ["LANGSMITH_ENDPOINT"] = f"http://127.0.0.1:{collector.server_port}"
    brain = in_turn(Scripted(calls=(Call("log_lines", {"service": "cart"}),)), Scripted("answered"))
    async with standin(able(brain)) as server:
        reply = await a_model(server.url, small=False).ask(asking(tools=(Looks().tool,)))
    await asyncio.sleep(1.0)  # LangSmith's client sends from a thread of its own
    print(json.dumps([reply.text, len(got)]))


if __name__ == "__main__":
    asyncio.run(main())

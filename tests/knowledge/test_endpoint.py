"""An OpenAI-compatible endpoint as the embedding model: its wire format, and everything it may do wrong."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bot.domain.document import DocumentKind, Inquiry
from bot.errors import BadSettings, Unavailable
from bot.knowledge import endpoint as rules
from bot.knowledge.chroma import ChromaFolder
from bot.knowledge.embedder import open_embedder
from bot.knowledge.endpoint import Endpoint, EndpointModel
from bot.knowledge.index import VectorIndex
from bot.knowledge.library import Library
from bot.ports import Embedder
from tests.knowledge.embedding import FakeEmbedder
from tests.knowledge.test_library import pages

Answer = tuple[int, dict[str, str], bytes]


class Vendor:
    """Speaks the wire format; `next` are answers given before the good ones."""

    def __init__(self) -> None:
        self.asked: list[dict[str, object]] = []
        self.keys: list[str | None] = []
        self.next: list[Callable[[dict[str, object]], Answer]] = []
        self.down = False
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the library's name for it
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                vendor.asked.append(body)
                vendor.keys.append(self.headers["authorization"])
                status, headers, answer = vendor.answer(body)
                self.send_response(status)
                for key, value in {**headers, "content-length": str(len(answer))}.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def answer(self, body: dict[str, object]) -> Answer:
        if self.down:
            return refuse(500)(body)
        return self.next.pop(0)(body) if self.next else vectors(body)


def vectors(body: dict[str, object]) -> Answer:
    texts = body["input"]
    assert isinstance(texts, list)
    rows = [{"object": "embedding", "index": n, "embedding": v} for n, v in enumerate(FakeEmbedder().embed(texts))]
    return 200, {}, json.dumps({"object": "list", "data": rows[::-1], "model": body["model"]}).encode()  # in any order


def refuse(status: int, **headers: str) -> Callable[[dict[str, object]], Answer]:
    return lambda _body: (status, {k.replace("_", "-"): v for k, v in headers.items()}, b'{"error": {"message": "s3cret"}}')


def says(text: str) -> Callable[[dict[str, object]], Answer]:
    return lambda _body: (200, {}, text.encode())


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    found = Vendor()
    thread = threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


def a_model(vendor: Vendor, pauses: list[float] | None = None) -> EndpointModel:
    made = EndpointModel("nomic", Endpoint(vendor.url, "k3y"), pause=(pauses if pauses is not None else []).append)
    vendor.asked.clear()
    return made


def test_texts_are_sent_in_batches_and_vectors_come_back_in_order(vendor: Vendor) -> None:
    model = a_model(vendor)
    texts = [f"text number {chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(150)]
    found = model.embed(texts)
    assert [len(a["input"]) for a in vendor.asked if isinstance(a["input"], list)] == [64, 64, 22]
    assert found == [pytest.approx(v) for v in FakeEmbedder().embed(texts)]
    assert vendor.keys[-1] == "Bearer k3y"
    assert (model.name, model.dimensions) == ("openai-compatible:nomic", 64)
    assert "k3y" not in repr(Endpoint(vendor.url, "k3y"))


def test_secrets_and_personal_data_stay_here(vendor: Vendor) -> None:
    a_model(vendor).embed(["mail jane.doe@corp.example", "postgres://shop:" + "hunter2hunter2@db/shop"])
    sent = json.dumps(vendor.asked)
    assert "jane.doe" not in sent
    assert "hunter2" not in sent


def test_a_vendor_that_is_busy_is_asked_again_when_it_says(vendor: Vendor) -> None:
    pauses: list[float] = []
    model = a_model(vendor, pauses)
    vendor.next = [refuse(429, retry_after="7"), refuse(500), refuse(429, retry_after="9999")]
    assert len(model.embed(["one", "two"])) == 2
    assert pauses == [7.0, 4.0, 30.0]


def test_a_vendor_that_stays_away_is_given_up_on_without_its_words(vendor: Vendor) -> None:
    model = a_model(vendor)
    vendor.down = True
    with pytest.raises(Unavailable, match="answered 500 for the model 'nomic'") as given_up:
        model.embed(["one", "two"])
    assert "s3cret" not in str(given_up.value)
    assert len(vendor.asked) == 4


def test_a_question_is_not_asked_twice_and_the_next_ones_do_not_wait(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    model = a_model(vendor)
    vendor.down = True
    for _ in range(3):
        with pytest.raises(Unavailable):
            model.embed(["why?"])
    assert len(vendor.asked) == 1
    vendor.down = False
    monkeypatch.setattr(model, "_silent_until", 0.0)  # the time is over
    assert len(model.embed(["why?"])) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("[]", "no list of embeddings"),
        ("{", "no list of embeddings"),
        ('{"data": [{"index": 0}, {"index": 1}]}', "no list of embeddings"),
        ('{"data": [{"index": 0, "embedding": [1, "NaN"]}, {"index": 1, "embedding": [1, 2]}]}', "2 numbers where 64"),
        (json.dumps({"data": [{"index": 0, "embedding": [1.0] * 64}]}), "1 vectors came for 2 texts"),
        (json.dumps({"data": [{"index": 0, "embedding": [1.0] * 64}] * 2}), "2 vectors came for 2 texts"),
        (json.dumps({"data": [{"index": n, "embedding": [1.0] * 63} for n in (0, 1)]}), "63 numbers where 64"),
        (json.dumps({"data": [{"index": n, "embedding": [0.0] * 64} for n in (0, 1)]}), "no direction"),
        (json.dumps({"data": [{"index": n, "embedding": [float("nan")] * 64} for n in (0, 1)]}), "no direction"),
    ],
)
def test_an_answer_that_cannot_be_used_is_refused_with_the_reason(vendor: Vendor, answer: str, reason: str) -> None:
    model = a_model(vendor)
    vendor.next = [says(answer)] * 4
    with pytest.raises(Unavailable, match=f"cannot be used: .*{reason}"):
        model.embed(["one", "two"])


def test_an_endless_answer_is_cut(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    model = a_model(vendor)
    monkeypatch.setattr(rules, "LARGEST_ANSWER", 100)
    with pytest.raises(Unavailable, match="longer than anybody needs"):
        model.embed(["one"])


@pytest.mark.parametrize("url", ["", "127.0.0.1:8080", "ftp://host/v1", "http://user:pw@host/v1"])
def test_without_a_good_address_there_is_no_such_model(url: str) -> None:
    with pytest.raises(BadSettings, match=r"knowledge\.embedder_url") as refused:
        open_embedder("openai-compatible:nomic", endpoint=Endpoint(url))
    assert "pw" not in str(refused.value)


@pytest.mark.parametrize(("status", "advice"), [(401, "knowledge.embedder_key"), (404, "knowledge.embedder_url")])
def test_a_refusal_says_which_setting_to_look_at(vendor: Vendor, status: int, advice: str) -> None:
    vendor.next = [refuse(status)]
    with pytest.raises(Unavailable, match=advice):
        a_model(vendor)


async def test_search_goes_by_words_while_the_endpoint_is_down_and_by_meaning_once_it_is_back(
    vendor: Vendor, tmp_path: Path
) -> None:
    made: list[EndpointModel] = []

    def opened() -> Embedder:
        made.append(EndpointModel("nomic", Endpoint(vendor.url), pause=lambda _: None))
        return made[-1]

    vendor.down = True
    shelf = Library([pages], VectorIndex(ChromaFolder(tmp_path), opened))
    await shelf.sync()
    assert shelf.trouble == "The embedding endpoint does not answer; search goes by words only"
    vendor.down = False
    await shelf.sync()
    assert shelf.meaning, shelf.state
    vendor.down = True
    findings = await shelf.find(Inquiry(text="kafka consumer lag"), DocumentKind.RUNBOOK)
    assert findings.note == "searched by words only: The embedding endpoint does not answer; search goes by words only"
    assert findings.found[0].document.title == "Kafka consumer lag"
    vendor.down = False
    made[0]._silent_until = 0.0  # the time is over
    assert (await shelf.find(Inquiry(text="kafka consumer lag"), DocumentKind.RUNBOOK)).note == ""

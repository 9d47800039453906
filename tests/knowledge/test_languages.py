"""Chinese, Japanese and Korean pages, alerts and questions are found by words; by meaning where the model reads them."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bot.domain.document import Document, DocumentKind, Inquiry, Tier
from bot.knowledge.chroma import ChromaFolder
from bot.knowledge.index import VectorIndex
from bot.knowledge.languages import _TRANSLATIONS, reads_cjk
from bot.knowledge.library import Library
from bot.knowledge.query import mostly_cjk
from tests.knowledge.embedding import FakeEmbedder

PAGES = {
    "mysql": (
        "MySQL 主从延迟",
        "## 现象\n\n从库复制延迟过高，读到旧数据。\n\n## 处理\n\n1. 查看 Seconds_Behind_Master。\n2. 停掉慢查询。",
    ),
    "disk": ("磁盘空间不足", "## 现象\n\n服务器磁盘使用率超过阈值，写入失败。\n\n## 处理\n\n- 清理旧日志。\n- 扩容数据盘。"),
    "redis": ("Redis 内存告警", "缓存内存使用过高，键被淘汰。先看大键，再调整 maxmemory。"),
    "pay": ("支付网关超时", "调用第三方支付渠道超时，订单状态不一致。切换备用渠道，并对账。"),
    "kafka": ("Kafka 消费堆积", "消费者组积压消息，处理速度跟不上。增加分区或消费者。"),
    "cert": ("証明書の有効期限切れ", "TLS証明書の有効期限が切れると接続が失敗します。更新コマンドを実行してください。"),
    "mail": ("メール配信の遅延", "送信キューが滞留しています。SMTPサーバーのログを確認します。"),
    "login": ("로그인 실패 급증", "사용자가 로그인하지 못합니다. 인증 서버의 상태를 확인하고 세션 저장소를 재시작합니다."),
    "batch": ("배치 작업 지연", "야간 배치 작업이 예정된 시간에 끝나지 않습니다. 잠긴 테이블을 찾으세요."),
    "dns": ("DNS failures", "Names do not resolve. Look at the resolver."),
}
ASKED = [
    (Inquiry("", "从库的复制延迟太高了怎么办"), "mysql"),
    (Inquiry("", "磁盘快满了，清理哪些日志"), "disk"),
    (Inquiry("缓存内存过高", "redis 实例 10.0.0.7 内存使用率 95%"), "redis"),
    (Inquiry("PaymentTimeout", "第三方支付渠道超时 3000ms，订单 ord-8812 失败", labels={"order": "ord-8812"}), "pay"),
    (Inquiry("", "kafka 消费者组积压 120000 条消息"), "kafka"),
    (Inquiry("", "证书过期 TLS証明書の更新"), "cert"),
    (Inquiry("", "送信キューにメールが滞留している"), "mail"),
    (Inquiry("", "사용자들이 로그인을 못 하고 있어요"), "login"),
    (Inquiry("", "야간 배치가 끝나지 않아요"), "batch"),
]


def pages() -> list[Document]:
    kind = DocumentKind.RUNBOOK
    return [Document(id=id, kind=kind, title=t, text=x, path=f"runbooks/{id}.md") for id, (t, x) in PAGES.items()]


async def library(folder: Path, embedder: FakeEmbedder | None) -> Library:
    index = VectorIndex(ChromaFolder(folder), lambda: embedder) if embedder else None
    made = Library([pages], index)
    await made.sync()
    return made


class Reader(FakeEmbedder):
    """A model that reads the sentences that it is asked to prove itself with."""

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        known = {theirs: ours for theirs, ours in _TRANSLATIONS}
        return super().embed([known.get(text, text) for text in texts])


@pytest.mark.parametrize(("inquiry", "page"), ASKED)
async def test_the_page_is_first_by_words(tmp_path: Path, inquiry: Inquiry, page: str) -> None:
    found = (await library(tmp_path, None)).search(inquiry, DocumentKind.RUNBOOK)
    assert found.found[0].document.id == page


async def test_what_no_page_is_about_is_not_pushed_in_any_language(tmp_path: Path) -> None:
    shelf = await library(tmp_path, None)
    for text in ("停车场的门打不开", "会議室の予約ができない", "주차장 문이 열리지 않음"):
        assert not shelf.search(Inquiry("Odd", text), DocumentKind.RUNBOOK).shown, text


async def test_vectors_of_a_model_that_does_not_read_it_are_left_out_and_it_says_so(tmp_path: Path) -> None:
    shelf = await library(tmp_path, FakeEmbedder())
    found = shelf.search(ASKED[0][0], DocumentKind.RUNBOOK)
    assert found.found[0].document.id == "mysql"
    assert "does not read this language" in found.note
    assert "does not read" not in shelf.search(Inquiry("", "names do not resolve, DNS"), DocumentKind.RUNBOOK).note
    shelf.close()


async def test_a_model_that_reads_it_is_used_in_full(tmp_path: Path) -> None:
    shelf = await library(tmp_path, Reader())
    found = shelf.search(ASKED[0][0], DocumentKind.RUNBOOK)
    assert "words only" not in found.note
    assert Tier.WORDS not in {f.tier for f in found.found}
    shelf.close()


def test_a_model_proves_by_translations_what_it_reads() -> None:
    assert reads_cjk(Reader())
    assert not reads_cjk(FakeEmbedder())


@pytest.mark.slow
def test_the_default_model_does_not_read_chinese() -> None:
    from bot.knowledge.embedder import DEFAULT, open_embedder  # loads the model

    model = open_embedder(DEFAULT)
    assert model is not None
    assert not reads_cjk(model)


def test_a_text_is_of_the_script_that_most_of_its_letters_have() -> None:
    assert mostly_cjk("从库复制延迟")
    assert mostly_cjk("Redis 内存使用率过高，需要扩容")
    assert not mostly_cjk("replication of the database 延迟")
    assert not mostly_cjk("12 %")

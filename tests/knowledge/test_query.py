"""What varies from alert to alert goes, what tells of the problem stays."""

import pytest

from bot.domain.document import Inquiry
from bot.knowledge.query import MOST_LABELS, label_names, normal, shape, spellings, words


def test_names_are_split_in_every_spelling() -> None:
    assert words("KubePodCrashLooping") == ["kube", "pod", "crash", "looping"]
    assert words("kube_pod-crash.looping") == ["kube", "pod", "crash", "looping"]
    assert words("HTTPServerError") == ["http", "server", "error"]
    assert normal("High Error-Ratio") == normal("high_error_ratio") == normal("HighErrorRatio")


def test_one_and_many_are_the_same_word_and_are_shown_as_written() -> None:
    assert words("queries of replicas, classes, crashes") == words("query replica class crash")
    assert words("status analysis access bus") == ["status", "analysis", "access", "bus"]
    assert spellings("Queries fail") == {"query": "queries", "fail": "fail"}


@pytest.mark.parametrize(
    "noise",
    [
        "payments-api-7d9f8b6c5d-x2k4q",
        "10.0.3.17:8080",
        "3f2c1a9be771",
        "4bf92f35-77b3-4da6-a3ce-929d0e0e4736",
        "https://grafana.example/d/abc",
        "97.5%",
        "2026-11-01T10:02:00Z",
    ],
)
def test_what_is_particular_to_one_occurrence_is_dropped(noise: str) -> None:
    shaped = shape(Inquiry(text=f"Redis replication broken {noise} for 15m", labels={"pod": "payments-api-7d9f8b6c5d-x2k4q"}))
    assert {"redis", "replication", "broken"} <= set(shaped.text)
    assert noise not in shaped.sentence
    assert not any(ch.isdigit() for ch in shaped.sentence)


def test_label_values_are_dropped_and_the_words_around_them_stay() -> None:
    shaped = shape(Inquiry("KafkaLag", "Consumer group orders-v2 of shop lags", labels={"group": "orders-v2", "ns": "shop"}))
    assert shaped.text == ("consumer", "group", "lag")
    assert shaped.name == ("kafka", "lag")


def test_chinese_japanese_and_korean_text_is_searched_by_pairs_of_characters() -> None:
    assert words("数据库连接太多") == ["数据", "据库", "库连", "连接", "接太", "太多"]
    assert "接続" in words("データベース接続エラー")
    assert "결제" in words("결제 실패")


def test_a_long_hostile_text_is_shaped_quickly() -> None:
    for text in ("a-" * 500_000, "1." * 500_000, "http://" * 100_000, "A" * 1_000_000):
        assert len(shape(Inquiry(text=text)).sentence) <= 1_000


def test_words_of_labels_are_kept_apart_without_numbers_and_without_what_is_said_already() -> None:
    labels = {"severity": "critical", "job": "mysqld-exporter", "instance": "10.2.7.19:9093", "disk": "sda1"}
    shaped = shape(Inquiry("DiskFull", "mysqld-exporter reports sda1", labels=labels))
    assert set(shaped.labels) == {"job", "mysqld", "exporter", "instance", "sda1"}
    assert "mysqld" not in shaped.text


def test_labels_without_end_are_cut() -> None:
    shaped = shape(Inquiry("A", "", labels={f"key{chr(97 + n % 26)}{chr(97 + n // 26)}": "x" * 10_000 for n in range(500)}))
    assert len(shaped.labels) <= 2 * MOST_LABELS
    assert label_names({"type": "Kube-Proxy", "severity": "critical", "long": "x" * 500}) == {"kubeproxy"}

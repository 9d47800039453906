"""Link before name before likeness before "none"; and the section that fits."""

import math
import time

import pytest

from bot.domain.document import Document, DocumentKind, Inquiry, Tier
from bot.knowledge.confidence import judge
from bot.knowledge.search import Corpus

FILLER = [
    ("Disk filling", "No space left on device. Truncate logs, grow the volume.", ("DiskFilling",), ()),
    ("Certificate expiry", "TLS certificate expires, renew it with the issuer.", ("CertExpiry",), ()),
    ("Kafka consumer lag", "Offsets fall behind, the consumer group is slow.", ("KafkaLag",), ()),
    ("Node not ready", "Kubelet stopped, drain the node.", ("NodeNotReady",), ()),
    ("DNS failures", "Names do not resolve, look at CoreDNS.", ("DnsFailing",), ()),
    ("Redis evictions", "Maxmemory reached, keys are evicted.", ("RedisMemory",), ()),
]
ERRORS = ("High error ratio", "HTTP 5xx answers.\n\n## Check first\n\nLogs.\n\n## Verify\n\nNo errors.", ("HighErrorRatio",), ())
PAYMENTS = ("Payments fail", "Provider errors, retries of charges.", ("HighErrorRatio",), ("payments",))


def corpus(*pages: tuple[str, str, tuple[str, ...], tuple[str, ...]], kind: DocumentKind = DocumentKind.RUNBOOK) -> Corpus:
    return Corpus(
        kind,
        [
            Document(
                id=title,
                kind=kind,
                title=title,
                text=text,
                path=f"runbooks/{title.lower().replace(' ', '-')}.md",
                alerts=alerts,
                services=services,
            )
            for title, text, alerts, services in (*pages, *FILLER)
        ],
    )


def best(corpus: Corpus, inquiry: Inquiry) -> list[tuple[str, Tier]]:
    return [(corpus.documents[r.number].id, r.tier) for r in corpus.rank(inquiry)]


def test_a_link_wins_over_a_name() -> None:
    pages = corpus(ERRORS, PAYMENTS)
    for url in (
        "https://wiki.example/runbooks/kafka-consumer-lag",
        "https://github.com/shop/ops/blob/main/runbooks/kafka-consumer-lag.md#check",
        "https://runbooks.example/KafkaLag/",
    ):
        found = best(pages, Inquiry("HighErrorRatio", "errors", runbook_url=url))
        assert found[0] == ("Kafka consumer lag", Tier.LINKED), url
        assert found[1][1] is Tier.NAMED


def test_a_link_to_nowhere_links_nothing() -> None:
    found = best(corpus(ERRORS), Inquiry("Odd", "certificate expires", runbook_url="https://wiki.example/README"))
    assert Tier.LINKED not in {tier for _, tier in found}


def test_the_alert_name_finds_its_page_in_any_spelling() -> None:
    for name in ("HighErrorRatio", "high_error_ratio", "High error ratio"):
        assert best(corpus(ERRORS), Inquiry(name, ""))[0] == ("High error ratio", Tier.NAMED)


def test_a_question_that_holds_an_alert_name_finds_the_page_that_has_it() -> None:
    pages = corpus(ERRORS, PAYMENTS)
    assert best(pages, Inquiry(text="what do I do about HighErrorRatio?"))[0][1] is Tier.NAMED
    assert best(pages, Inquiry(text="KafkaLag"))[0] == ("Kafka consumer lag", Tier.NAMED)
    assert all(tier is not Tier.NAMED for _, tier in best(pages, Inquiry(text="HighErrorRatios and lag of Kafka")))


def test_of_two_pages_with_the_same_alert_the_one_about_the_service_is_first() -> None:
    pages = corpus(ERRORS, PAYMENTS)
    inquiry = Inquiry("HighErrorRatio", "errors", services=("checkout", "payments"))
    assert [name for name, _ in best(pages, inquiry)[:2]] == ["Payments fail", "High error ratio"]


def test_a_page_about_another_service_is_not_meant_by_the_name() -> None:
    found = best(corpus(ERRORS, PAYMENTS), Inquiry("HighErrorRatio", "errors", services=("search",)))
    assert found[0] == ("High error ratio", Tier.NAMED)
    assert ("Payments fail", Tier.NAMED) not in found


def test_without_vectors_what_reads_alike_is_found_by_words() -> None:
    found = best(corpus(ERRORS), Inquiry(text="kafka consumer group lag, offsets behind"))
    assert found[0] == ("Kafka consumer lag", Tier.WORDS)


def test_what_nobody_wrote_about_is_never_pushed() -> None:
    found = best(corpus(ERRORS), Inquiry("PrinterOnFire", "The printer on the third floor burns paper"))
    assert {tier for _, tier in found} <= {Tier.POSSIBLE}


def test_a_chinese_question_finds_the_chinese_page() -> None:
    page = ("数据库连接数过多", "连接池已满，请检查空闲连接。", (), ())
    assert best(corpus(ERRORS, page), Inquiry(text="数据库连接太多怎么办"))[0][0] == "数据库连接数过多"


def test_a_page_found_by_name_opens_where_one_begins() -> None:
    pages = corpus(ERRORS)
    inquiry = Inquiry("HighErrorRatio", "no errors")
    found = pages.found(pages.rank(inquiry)[0], inquiry)
    assert (found.section, found.anchor, found.passage) == ("Check first", "check-first", "Logs.")


@pytest.mark.parametrize(
    "top", ["Owner: team-x\n**Alerts:** DiskFull", "| Owner | team-x |\n|---|---|\n| Service | disk |", "告警：DiskFull"]
)
def test_what_a_page_says_of_itself_is_not_quoted_as_the_answer(top: str) -> None:
    pages = corpus(("Disk full", f"# Disk full of the team\n\n{top}\n\n## Clean up\n\n- rotate logs", ("DiskFull",), ()))
    for inquiry in (Inquiry("DiskFull"), Inquiry(text="disk full of the team")):
        found = pages.found(pages.rank(inquiry)[0], inquiry)
        assert (found.section, found.steps) == ("Clean up", ("rotate logs",))
    alone = corpus(("Disk full", f"# Disk full of the team\n\n{top}", ("DiskFull",), ()))
    assert alone.found(alone.rank(Inquiry("DiskFull"))[0], Inquiry("DiskFull")).passage == top


def test_a_linked_anchor_opens_that_section() -> None:
    pages = corpus(ERRORS)
    inquiry = Inquiry(runbook_url="https://wiki.example/high-error-ratio#verify")
    assert pages.found(pages.rank(inquiry)[0], inquiry).anchor == "verify"


def test_past_incidents_of_the_same_services_are_more_alike() -> None:
    storm = ("Storm", "Charges failed with errors after a deploy.", (), ("payments", "checkout"))
    other = ("Other", "Charges failed with errors after a deploy.", (), ("search",))
    past = corpus(other, storm, kind=DocumentKind.INCIDENT)
    inquiry = Inquiry("HighErrorRatio", "charges failed with errors", services=("checkout", "payments"))
    ranked = past.rank(inquiry)
    assert past.documents[ranked[0].number].id == "Storm"
    assert ranked[0].sure > next(r.sure for r in ranked if past.documents[r.number].id == "Other")


def test_an_empty_corpus_and_an_empty_inquiry_find_nothing() -> None:
    assert Corpus(DocumentKind.RUNBOOK, []).rank(Inquiry("X", "y")) == []
    assert best(corpus(ERRORS), Inquiry()) == []


@pytest.mark.slow
def test_searching_a_thousand_pages_by_words_takes_milliseconds() -> None:
    pages = corpus(*((f"Page {chr(97 + i % 26) * (i % 9 + 2)} {i}", f"{ERRORS[1]} word{i} " * 20, (), ()) for i in range(1_200)))
    inquiry = Inquiry("HighErrorRatio", "HTTP 5xx answers, look at logs of the provider")
    pages.rank(inquiry, most=20)
    start = time.process_time()
    for _ in range(20):
        pages.rank(inquiry, most=20)
    assert (time.process_time() - start) / 20 < 0.02


def test_a_section_is_quoted_with_the_steps_that_fit() -> None:
    filler = "\n\n".join(f"Paragraph {n} about something else entirely, to fill the page." for n in range(12))
    page = ("Broker lags", f"{filler}\n\n1. Restart the lagging broker.\n2. Buy cake.", ("BrokerLag",), ())
    pages = corpus(page)
    inquiry = Inquiry("BrokerLag", "broker lags, restart it")
    found = pages.found(pages.rank(inquiry)[0], inquiry)
    assert found.steps == ("Restart the lagging broker.", "Buy cake.")
    assert found.steps_beyond(found.passage) == found.steps
    assert found.steps_beyond(page[1]) == ()


def test_an_alert_labelled_with_the_name_of_a_folder_means_the_pages_in_it() -> None:
    pages = [
        Document(id=f, kind=DocumentKind.RUNBOOK, title="Restarts", text="Restarts.", path=f"{f}/a.md") for f in ("web", "db")
    ]
    ranked = Corpus(DocumentKind.RUNBOOK, pages).rank(Inquiry("", "restarts", labels={"type": "DB"}))
    assert ranked[0].number == 1
    assert Corpus(DocumentKind.RUNBOOK, pages).rank(Inquiry("", "restarts", labels={"type": "Web"}))[0].number == 0


def test_a_page_is_named_by_any_one_of_its_names() -> None:
    pages = corpus(
        ("Tailer of logs for metrics of the fleet", "How it is set up.", ("Mtail",), ()),
        ("Watcher of logs and of metrics", "How it is set up.", (), ()),
    )
    assert best(pages, Inquiry(text="mtail has errors with its watcher"))[0][0] == "Tailer of logs for metrics of the fleet"


def test_neighbouring_words_tell_pages_of_the_same_words_apart() -> None:
    pages = [
        Document(id=n, kind=DocumentKind.RUNBOOK, title=f"Page {n}", text=text)
        for n, text in (
            ("a", "the queue is full of disk errors and slow writes"),
            ("b", "slow disk writes, errors; the queue is full"),
        )
    ]
    assert Corpus(DocumentKind.RUNBOOK, pages).rank(Inquiry("", "errors because of slow disk writes"))[0].number == 1
    assert Corpus(DocumentKind.RUNBOOK, pages).rank(Inquiry("", "full of disk errors"))[0].number == 0


def test_a_page_that_says_it_in_one_place_is_surer_than_one_with_the_same_words_all_over() -> None:
    together = ("One", "Intro.\n\n## Slow\n\nThe broker writes slowly to a full disk.\n\n## Other\n\nNothing here.", (), ())
    scattered = ("Two", "The broker.\n\n## Slow\n\nwrites slowly\n\n## Other\n\nNothing but a full disk here.", (), ())
    pages = corpus(together, scattered)
    sure = {pages.documents[r.number].id: r.sure for r in pages.rank(Inquiry(text="broker. writes. slowly. disk. full"))}
    assert sure["One"] > sure["Two"]


def test_what_many_pages_say_makes_none_of_them_sure() -> None:
    asked = Inquiry(text="Usage of the processor is too high on this node")
    page = ("Busy node", "Usage of the processor is too high on a node.", (), ())
    twins = [
        (f"Machine {n}", f"Usage of a processor is high. Kind {n} of nodes, too.", (), ()) for n in "abcdefghijklmnopqrstuvwxyz"
    ]

    def sure(pages: Corpus) -> float:
        return next(r.sure for r in pages.rank(asked) if pages.documents[r.number].id == "Busy node")

    rare, common = corpus(page, *FILLER * 4), corpus(page, *twins)
    beyond = [pages.explain("Busy node", asked).odds["beyond"] for pages in (rare, common)]
    assert beyond[0] > beyond[1]
    assert sure(rare) > sure(common)


def test_a_page_that_says_it_in_the_same_words_in_a_row_is_surer() -> None:
    row = ("One", "When the write queue of a broker is growing, look here.", (), ())
    mixed = ("Two", "A queue is growing of late. Look at what the broker has yet to write.", (), ())
    pages, asked = corpus(row, mixed), Inquiry(text="The write queue of a broker is growing")
    one, two = (pages.explain(name, asked).odds for name in ("One", "Two"))
    assert one["run"] > two["run"] > 0
    assert one["beyond"] == pytest.approx(two["beyond"], abs=0.01)


def test_a_page_alone_in_its_corpus_is_shown_for_what_it_says() -> None:
    page = Document(id="a", kind=DocumentKind.RUNBOOK, title="Broker queue", text="The write queue of the broker is growing.")
    ranked = Corpus(DocumentKind.RUNBOOK, [page]).rank(Inquiry(text="The write queue of the broker is growing"))
    assert [r.tier for r in ranked] == [Tier.WORDS]


def test_a_label_that_a_page_tells_of_makes_it_surer() -> None:
    pages = corpus(ERRORS)
    plain, labelled = (
        pages.rank(Inquiry(text="errors", labels=labels))[0].sure for labels in ({"job": "billing"}, {"provider": "answers"})
    )
    assert labelled > plain


def test_a_sure_neighbour_has_a_say_in_whether_anything_is_shown() -> None:
    judge_of = judge(DocumentKind.RUNBOOK, by_meaning=True)
    assert not judge_of.shows([])
    assert not judge_of.shows([-2.0, -2.0, -2.0, 5.0])  # the fourth is on no card
    assert judge_of.shows([-2.0, 1.5, -2.0])
    assert not judge(DocumentKind.INCIDENT, by_meaning=True).shows([-2.0, 5.0])


def test_the_parts_that_are_told_add_up_to_score_and_sureness() -> None:
    pages, inquiry = corpus(ERRORS), Inquiry(text="errors and 5xx answers", labels={"job": "logs"})
    first = pages.rank(inquiry)[0]
    why = pages.explain(pages.documents[first.number].id, inquiry)
    assert abs(sum(why.score.values()) - first.score) < 0.01
    odds = sum(why.odds.values())
    assert abs(1 / (1 + math.exp(-odds)) - first.sure) < 0.01
    assert why.score["words"] > 0 > why.odds["start"]

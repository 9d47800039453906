"""Personal data is found by rules; what a diagnosis needs stays readable; hostile text takes linear time."""

import time
from itertools import pairwise

import pytest

from bot.redact import Veil
from bot.redact.personal import find

FOUND = [
    ("EMAIL", "mail <jane.doe+x@example.co.uk> now", "jane.doe+x@example.co.uk"),
    ("PHONE", "call +49 (0)30 1234567 please", "+49 (0)30 1234567"),
    ("PHONE", "their number: (212) 555-0142", "(212) 555-0142"),
    ("PHONE", "Mobile: 0681 842 79 5", "0681 842 79 5"),
    ("CARD", "card 4111 1111 1111 1111 declined", "4111 1111 1111 1111"),
    ("IBAN", "to DE89 3704 0044 0532 0130 00", "DE89 3704 0044 0532 0130 00"),
    ("SSN", "SSN 123-45-6789.", "123-45-6789"),
    ("LICENCE", "driver's license number is F162823540116", "F162823540116"),
    ("LICENCE", "license plate: B-AB 1234", "B-AB 1234"),
    ("BIRTH", "date of birth: 1984-03-12", "1984-03-12"),
    ("IP", "client 93.184.216.34 sent 400 requests", "93.184.216.34"),
    ("IP", "client 2606:2800:220:1:248:1893:25c8:1946", "2606:2800:220:1:248:1893:25c8:1946"),
    ("USER", "<@U02ABCDEF> merged it", "<@U02ABCDEF>"),
    ("ADDRESS", "Jacob lives on 90 Whitchurch Road street", "90 Whitchurch Road"),
    ("ADDRESS", "sent to Rua Diadema 1903.", "Rua Diadema 1903"),
    ("ADDRESS", "wohnt Hauptstraße 12", "Hauptstraße 12"),
    ("PERSON", "Author: Kamila Červinková <kc@example.org>", "Kamila Červinková"),
    ("PERSON", "Signed-off-by: Ngozi Obi <n@example.org>", "Ngozi Obi"),
    ("PERSON", "raise retries to 8, reviewed by Tomomi Nishiyama", "Tomomi Nishiyama"),
    ("PERSON", "Olivia raised the pool size", "Olivia"),
    ("PERSON", "paged Dr. Okonkwo twice", "Okonkwo"),
    ("PERSON", "Hi Ngozi, the cart is slow", "Ngozi"),
]
READABLE = [
    "payments-7d9f8b6c5d-x2k4q on 10.0.3.17:8080, peer 192.168.4.2, loopback 127.0.0.1, link fe80::1",
    "commit 3f2c1a9be7710c838347ae178b4a3f2c1a9be771 by ci at 1742277258543",
    "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7 req 8601b555-6a83-4c12-8269-97c8e32cdb22",
    "image registry/shop@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "git clone git@github.com:shop/payments.git",
    "Apache Kafka, Jenkins, Grafana, Victoria Metrics, Cassandra, Julia and Patroni are up",
    "Default Session, Failure Reason, Apache Iceberg, Status: High Latency, Error Budget Burn",
    "p99 1234 ms at 12:30:05, 2026-11-22T04:15:04Z, version 1.42.3, 503 Service Unavailable 12 times",
    "Owner: Payments; Contact: Platform Team; Name: PAYMENTS_URL",
    "dns 8.8.8.8 timed out",
    "reached via Promscale had 97 errors",
    "rabbit@rabbitmq-0.rabbitmq.svc.cluster.local is down",
    "card 4111 1111 1111 1112 and 1234567890123456 are no numbers of cards",
]
HOSTILE = {
    "capitals": "Aa " * 27_000,
    "first names": "Anna " * 16_000,
    "greetings": "hi " * 27_000,
    "digits": "1" * 80_000,
    "digits and spaces": "1 " * 40_000,
    "digits and hyphens": "1-" * 40_000,
    "local parts": "a@" * 40_000,
    "domains": "a@b." * 20_000,
    "colons": ":" * 80_000,
    "streets": "Via " * 20_000,
    "numbers and names": "1234 Abc " * 9_000,
    "openings of accounts": "GB12" * 20_000,
    "lines of names": "Anna Smith\n" * 7_000,
    "particles": "Aa van der " * 7_000,
    "tokens": "[EMAIL_1]" * 9_000,
    "phones": "call me at (1) " * 5_000,
}


@pytest.mark.parametrize(("kind", "text", "value"), FOUND, ids=[value for _, _, value in FOUND])
def test_personal_data_is_found_with_its_kind(kind: str, text: str, value: str) -> None:
    assert (kind, value) in [(finding.kind, text[finding.start : finding.end]) for finding in find(text)]


@pytest.mark.parametrize("text", READABLE)
def test_what_a_diagnosis_needs_stays_readable(text: str) -> None:
    assert Veil().hide(text) == text


def test_findings_are_in_order_and_do_not_overlap() -> None:
    found = find("Author: Jane Doe <jane@example.org>, Jane Doe, +1 212 555 0142, 4111111111111111")
    assert [f.kind for f in found] == ["PERSON", "EMAIL", "PERSON", "PHONE", "CARD"]
    assert all(before.end <= after.start for before, after in pairwise(found))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_takes_linear_time(text: str) -> None:
    def seconds(piece: str) -> float:
        start = time.process_time()
        Veil().hide(piece)
        return time.process_time() - start

    part, whole = seconds(text[:10_000]), seconds(text)
    assert whole < 8 * 6 * max(part, 0.002), f"{part:.3f} s for an eighth, {whole:.3f} s for all"

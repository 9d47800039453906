"""Signatures equal those of Amazon's published test suite for Signature Version 4."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from bot.wire.sigv4 import sign

NOW = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
URL = "https://example.amazonaws.com/"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
TOKEN = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/"
    "qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xV"
    "qr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
)
LETTERS = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def signed(method: str, url: str, headers: dict[str, str] | None = None, body: bytes = b"", token: str = "") -> dict[str, str]:
    secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"  # the test suite's, published by Amazon
    return sign(method, url, headers or {}, body, "us-east-1", "service", "AKIDEXAMPLE", secret, token, NOW)


@pytest.mark.parametrize(
    ("method", "url", "headers", "body", "names", "signature"),
    [
        ("GET", URL, {}, b"", "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", URL, {}, b"", "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "GET", f"{URL}?Param2=value2&Param1=value1", {}, b"", "host;x-amz-date",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "GET", f"{URL}?Param1=value2&Param1=value1", {}, b"", "host;x-amz-date",
            "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694",
        ),
        (
            "GET", f"{URL}?{LETTERS}={LETTERS}", {}, b"", "host;x-amz-date",
            "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
        ),
        (
            "GET", f"{URL}?ሴ=bar", {}, b"", "host;x-amz-date",
            "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
        ),
        (
            "GET", f"{URL}ሴ", {}, b"", "host;x-amz-date",
            "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
        ),
        (
            "GET", URL, {"My-Header1": " value1", "My-Header2": '"a   b   c"'}, b"", "host;my-header1;my-header2;x-amz-date",
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
        (
            "POST", URL, FORM, b"Param1=value1", "content-type;host;x-amz-date",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
    ],
)  # fmt: skip
def test_a_request_is_signed_as_amazons_test_suite_says(
    method: str, url: str, headers: dict[str, str], body: bytes, names: str, signature: str
) -> None:
    found = signed(method, url, headers, body)
    assert found["x-amz-date"] == "20150830T123600Z"
    assert found["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={names}, Signature={signature}"
    )


def test_the_token_of_a_session_is_sent_and_signed() -> None:
    found = signed("POST", URL, token=TOKEN)
    assert found["x-amz-security-token"] == TOKEN
    assert "SignedHeaders=host;x-amz-date;x-amz-security-token" in found["authorization"]
    assert found["authorization"].endswith("=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead")


def test_the_time_is_signed_in_utc_wherever_it_was_read() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=9)))
    found = sign("GET", URL, {}, b"", "us-east-1", "service", "a", "b", "", there)
    assert found["x-amz-date"] == "20150830T123600Z"


def test_old_proof_is_replaced_not_signed() -> None:
    again = signed("GET", URL, signed("GET", URL))
    assert again == signed("GET", URL)

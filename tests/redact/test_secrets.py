"""Secrets leave the text, everything else stays, and hostile text costs no more than its length."""

import time

import pytest

from bot.redact import SECRET, clean, redact, secrets

# Put together from pieces, so that no scanner takes this file for a leak.
RANDOM = "gX69YO4CvBsVjzAwYxdGyDd30t5z9ez31gKATtj4"
SECRETS = {
    "an AWS key id": "AKIA" + "Q3EGRN7XYZJ2MB4T",
    "an AWS secret by its name": "aws_secret_access_key = " + RANDOM,
    "a Google API key": "AIza" + "SyNHxIf32IQ1a1yjl3ZJIqKZqzLAK1XhDk-",
    "a GitHub token": "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a",
    "a fine-grained GitHub token": "github_pat_" + "11ABCDEFG0abcdefghijkl_" + "Zy9" * 19,
    "a GitLab token": "glpat-" + "x9Kq2LmZp4RtVw7YbNc3",
    "a Slack bot token": "xoxb-" + "781236542736-2364535789652-GkwFDQoHqzXDVsC6GzqYUypD",
    "a Slack app token": "xapp-1-" + "A052FGTS2DL-5171572773297-" + "610b6a11f4b7eb81" * 4,
    "a Slack webhook": "https://hooks.slack.com/services/" + "T024TTTTT/BBB72BBL/AZAAA9u0pA4ad666eMgbi555",
    "a Stripe key": "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "an Anthropic key": "sk-ant-" + "api03-" + "aB3xYz-9_Qk" * 8 + "7Lm2pAA",
    "a JWT": "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "a bearer header": "Authorization: Bearer " + "_FXNljbSRYMWx3TWrd7lgKhLtVZX6iskC8Wcbb4b",
    "a basic header": "-H 'Authorization: Basic " + "YXBpOmtleS1hN2MzNDJ3MzNhNWQx'",
    "a key header": 'curl -H "X-Api-Key: ' + '3a16750d-d363-41a4-8ebd-035408f7730f"',
    "a password in a URL": "postgresql://shop:" + "s3cr3tpw@db.internal:5432/shop",
    "a password in a redis URL": "redis://:" + "hunter2hunter2@cache:6379/0",
    "a connection string": "Server=db;User Id=sa;Password=" + "Str0ng!pass;",
    "an Azure account key": "AccountName=shop;AccountKey=" + "q1W2e3R4t5Y6u7I8o9P0aSdFgHjKlZxCvBnM==",
    "a password in JSON": '{"user": "shop", "password": "' + 'pRf7vG2h1L8nQkW9"}',
    "a YAML secret": "client_secret: " + "bP88Q~rcBcYjzzOhg1Hnn76Wm3jGgakZiZ.8vMgR",
    "curl's -u": "curl -u developer:" + "yqDVtkqPECriaLRi https://infinispan:11222/",
    "a session cookie": "Cookie: theme=dark; session=" + "eJwlzjkOwjAQAMC_uKbwrr2b3Xwm8h6G0",
    "a cookie that is set": "set-cookie: sid=" + "s%3AabcQ123DEF456ghi789JkL; Path=/; HttpOnly",
    "a signed Azure address": "https://shop.blob.core.windows.net/b/x?se=2026-12-01&sig=" + "AbCdEf1234567890AbCdEf%3D",
    "a signed Amazon address": "https://b.s3.amazonaws.com/x?X-Amz-Signature=" + "fe5f80f77d5fa3beca038a248ff027d0445342fe",
    "mysql's -p": "mysql -h db -uroot " + "-pS3cretS3cret shop",
    "sshpass": "sshpass -p " + "hunterhunter ssh deploy@bastion",
    "docker login": "docker login -u ci -p " + "dckrpassw0rd registry:5000",
    "an option with a longer name": "wget --http-password=" + "s3cretS3cret https://x",
    "a Telegram bot": "https://api.telegram.org/bot110201543:" + "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1/getMe",
    "a Digest answer": 'Authorization: Digest username="jo", uri="/x", response="' + '6629fae49393a05397450978507c4ef1"',
    "letters only, in JSON": '{"password": "' + 'correcthorsebattery", "user": "shop"}',
    "letters only, in YAML": "db:\n  password: " + "correcthorsebattery\n",
    "letters only, in a command": "PGPASSWORD=" + "correcthorsebattery psql -h db",
    "a key behind its vendor's name": "DATADOG_API_KEY: " + "3b5d5c3712955042212316173ccf37be",
    "a vendor's UUID": "heroku_auth: " + "12345678-abcd-4bcd-8bcd-1234567890ab",
    "a random value of an odd key": "mimi=" + RANDOM,
    "a Twilio key": "twilio " + "SK" + "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "a Dynatrace token": "dt0c01."
    + "ST2EY72KQINMH574WMNVI7YN."
    + "G3DFPBEJYMODIDAEX454M7YWBUVEFOWKPRVMWFASS64NFH52PX6BNDVFFM572RZM",
    "a Grafana key": "eyJrIjoi" + "T0tTcG1pUlY2RnVKZTFVaDFsNFZXdE9ZWmNrMkZYbk" * 2,
    "a private key": "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEvQIBADANBgkq\n" * 8 + "-----END RSA PRIVATE KEY-----",
    "a private key cut off": "-----BEGIN OPENSSH PRIVATE KEY-----\n" + "b3BlbnNzaC1rZXktdjEA\n" * 3,
}
INNOCENT = [
    "Set-Cookie: theme=dark-and-quiet; lang=en-US; Path=/; Max-Age=31536000",
    "the cookie banner shows=twice",
    "/search?sig=short",
    "Half or more of the Alertmanager instances are crashlooping.",
    "commit 3f2c1a9be7710c838347ae178b4a3f2c1a9be771 by olivia: raise retries to 8",
    "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7",
    "token_cache_seconds: 300",
    "password combination was wrong 14 times",
    "curl -u username:token https://api.example.com",
    'curl -H "Authorization: Bearer $API_KEY" https://api',
    "GITHUB_TOKEN=${{ secrets.GITHUB_TOKEN }}",
    "xoxb-xxxxxxxxx-xxxxxxxxxx-xxxxxxxxxxxx",
    "access_token_url='https://github.com/login/oauth/access_token'",
    "secretName: payments-tls",
    'sum(rate(http_requests_total{service="payments", status=~"5.."}[5m])) > 0.05',
    "TokenBucketExhausted: tokens=0 limit=100",
    "payments-7d9f8b6c5d-x2k4q on 10.0.3.17:8080",
    "secret: null",
    "password: required",
    "Bad password: authentication failed for user shop",
    "The auth-token cluster, peaking at 76%; a session-token exposure.",
    "Image pull secrets:  prometheus-k8s-dockercfg-6wl6b",
    "mysql -h db -P 3306 --ssl-mode=REQUIRED shop",
    "ckan-pycsw load -p /etc/pycsw.cfg -u http://ckan:5000",
    "image: registry/shop@sha256:" + "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "etag: " + '"' + "Q2hhcmdlZDQ5ZjBhN2M2YjRiM2E5ZjBhN2M2YjRi" + '"',
    "heroku_request_id=8601b555-6a83-4c12-8269-97c8e32cdb22",
    "sentry release: 3f2c1a9be7710c838347ae178b4a3f2c1a9be7713f2c1a9be7710c838347ae17",
    "datadog-agent: commit 3f2c1a9be7710c838347ae178b4a3f2c1a9be771",
    "org.springframework.beans.factory.support.DefaultListableBeanFactory2Configuration",
    "io.kubernetes.ServingCellPriorityParametersDescriptionV1Beta1Controller",
    "resourceVersion=928374650192837465 uid=8601b555-6a83-4c12-8269-97c8e32cdb22",
    "OP_SERVICE_ACCOUNT_TOKEN=ops_eyJzaWduSW5BZGRyZXNzIjoiaHR0cHM6...",
]


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS.keys())
def test_a_secret_is_replaced_wherever_it_stands(text: str) -> None:
    shown = redact(f"before {text} after")
    assert SECRET in shown
    assert "before " in shown
    for piece in text.replace("'", " ").replace('"', " ").replace("\n", " ").split():
        # no long random-looking run of the original survives
        assert not (len(piece) > 19 and piece.isalnum() and piece in shown), shown


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_only_the_secret_goes_and_its_surroundings_stay_readable() -> None:
    assert redact("postgresql://shop:" + "s3cr3tpw@db:5432/shop") == f"postgresql://shop:{SECRET}@db:5432/shop"
    assert redact('{"user": "shop", "password": "pRf7vG2h1L8n", "n": 1}') == (
        f'{{"user": "shop", "password": "{SECRET}", "n": 1}}'
    )


def test_that_dull_words_are_remembered_never_lets_a_secret_through(monkeypatch: pytest.MonkeyPatch) -> None:
    around = ("load test alert r1-17 on svc4", "10.0.3.4:9100 uid=r1-18", "the checkout is slow", "résumé at 12:30")
    texts = [f"{one} {text} {other}" for text in (*SECRETS.values(), *INNOCENT) for one in around for other in around]
    for text in around:
        redact(text)
    quick = [redact(text) for text in texts]
    monkeypatch.setattr(secrets, "_is_dull", lambda _: False)
    assert quick == [redact(text) for text in texts]
    assert not any(text.encode() in secrets._dull for text in SECRETS.values())


def test_numbers_are_alike_but_hints_with_numbers_are_not_missed() -> None:
    for n in range(3):
        assert redact(f"node-{n}.example is 4b{n}d") == f"node-{n}.example is 4b{n}d"
    known = "4b1d" + "x9Kq2LmZp4RtVw7YbNc3x9Kq2LmZp4RtVw7YbN"
    assert redact(f"node-7.example says {known}") == f"node-7.example says {SECRET}"


def test_redacting_twice_changes_nothing_more() -> None:
    once = redact("\n".join(SECRETS.values()))
    assert redact(once) == once


HOSTILE = {
    "cookies": "cookie: " + "a=" * 500_000,
    "many cookies": "cookie: a=b" * 90_000,
    "one letter": "a" * 1_000_000,
    "one space": " " * 1_000_000,
    "digits": "1" * 1_000_000,
    "hex": "0123456789abcdef" * 62_500,
    "the word token": "token" * 200_000,
    "password and spaces": "password" + " " * 1_000_000,
    "openings of a JWT": "eyJ" * 330_000,
    "long JWT parts": ("eyJ" + "a" * 5_000 + ".") * 200,
    "openings of URLs": "://a:" * 200_000,
    "openings of keys": "-----BEGIN PRIVATE KEY-----" * 37_000,
    "openings of headers": "bearer " * 140_000,
    "openings of prefixes": "sk_live_xoxb-1-ghp_" * 52_000,
    "words that end badly": ("password=" + "aa-" * 300 + "! ") * 1_000,
    "assignments": 'password="' + "a." * 500_000,
    "commands": "mysql -u root " * 72_000,
    "logins": "docker " * 70_000 + "login " * 80_000,
    "vendors": "datadog_heroku-okta " * 50_000,
    "one vendor and spaces": ("sumo" + " " * 40) * 23_000,
    "random runs": ("aB3" * 40 + " ") * 8_200,
    "options": "--a-b-password " * 66_000,
    "digests": "digest response=" * 62_000,
}


def _seconds(piece: str) -> float:
    start = time.process_time()
    redact(piece)
    return time.process_time() - start


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_takes_linear_time(text: str) -> None:
    part, whole = _seconds(text[:20_000]), _seconds(text[:160_000])
    assert whole < 8 * 6 * max(part, 0.004), f"{part:.3f} s for an eighth, {whole:.3f} s for all"


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_megabyte_of_hostile_text_takes_seconds(text: str) -> None:
    assert _seconds(text) < 8


def test_control_bidi_and_zero_width_characters_are_gone() -> None:
    assert clean("roll\u202eback\u2066 pay\u200bments\x00\x1b[31m\n\tok\U000e0041") == "rollback payments[31m\n\tok"


def test_ordinary_text_of_any_language_is_left_alone() -> None:
    text = "Zahlungen schlagen fehl – 支付失败, 決済エラー\n\té 😀"
    assert clean(text) == text

"""Keys without a shape of their own: known by the vendor's name in front of them and by their documented length."""

import re
from itertools import compress

from bot.redact.randomness import entropy

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

# Vendor's name as it stands in names of variables, and what its keys look like (letters of both cases).
_VENDORS: tuple[tuple[str, str], ...] = (
    ("adafruit", r"[0-9a-z_-]{32}"),
    ("adobe", r"[0-9a-f]{32}"),
    ("airtable", r"[0-9a-z]{17}"),
    ("algolia", r"[0-9a-z]{32}"),
    ("alibaba", r"[0-9a-z]{30}"),
    ("asana", r"[0-9a-z]{32}"),
    ("artifactory", r"[0-9a-z]{64}|[0-9a-z]{73}"),
    ("atlassian", r"[0-9a-z]{20}[0-9a-f]{4}"),
    ("beamer", r"b_[0-9a-z=_-]{44}"),
    ("bitbucket", r"[0-9a-z]{32}|[0-9a-z=_-]{64}"),
    ("bittrex", r"[0-9a-z]{32}"),
    ("cloudflare", r"[0-9a-z_-]{40}|[0-9a-f]{37}"),
    ("codecov", r"[0-9a-z]{32}"),
    ("co_api_key", r"[0-9a-z]{40}"),
    ("cohere", r"[0-9a-z]{40}"),
    ("coinbase", r"[0-9a-z_-]{64}"),
    ("confluence", r"[0-9a-z]{20}[0-9a-f]{4}"),
    ("confluent", r"[0-9a-z]{16}|[0-9a-z]{64}"),
    ("contentful", r"[0-9a-z=_-]{43}"),
    ("datadog", r"[0-9a-z]{40}|[0-9a-f]{32}"),
    ("discord", r"[0-9a-f]{64}|[0-9a-z=_-]{32}"),
    ("dnkey", r"dnkey-[0-9a-z=_-]{26}-[0-9a-z=_-]{52}"),
    ("droneci", r"[0-9a-z]{32}"),
    ("dropbox", r"[0-9a-z]{15}|[0-9a-z]{11}A{10}[0-9a-z=_-]{43}|sl\.[0-9a-z=_-]{135}"),
    ("etsy", r"[0-9a-z]{24}"),
    ("facebook", r"[0-9a-f]{32}"),
    ("fastly", r"[0-9a-z=_-]{32}"),
    ("finicity", r"[0-9a-f]{32}|[0-9a-z]{20}"),
    ("finnhub", r"[0-9a-z]{20}"),
    ("flickr", r"[0-9a-z]{32}"),
    ("freshbooks", r"[0-9a-z]{64}"),
    ("gitter", r"[0-9a-z_-]{40}"),
    ("gocardless", r"live_[0-9a-z=_-]{40}"),
    ("heroku", _UUID),
    ("hubspot", _UUID),
    ("intercom", r"[0-9a-z=_-]{60}"),
    ("jfrog", r"[0-9a-z]{64}|[0-9a-z]{73}"),
    ("jira", r"[0-9a-z]{20}[0-9a-f]{4}"),
    ("kraken", r"[0-9a-z/=_+-]{80,90}"),
    ("kucoin", r"[0-9a-f]{24}|" + _UUID),
    ("launchdarkly", r"[0-9a-z=_-]{40}|(?:sdk|api|mob)-" + _UUID),
    ("linkedin", r"[0-9a-z]{14}|[0-9a-z]{16}"),
    ("lob", r"(?:live|test)_(?:pub_)?[0-9a-f]{31,35}"),
    ("mailchimp", r"[0-9a-f]{32}-us\d\d?"),
    ("mailgun", r"(?:pub)?key-[0-9a-f]{32}|[0-9a-h]{32}-[0-9a-h]{8}-[0-9a-h]{8}"),
    ("mapbox", r"[ps]k\.[0-9a-z]{60}\.[0-9a-z_-]{22}"),
    ("mattermost", r"[0-9a-z]{26}"),
    ("meraki", r"[0-9a-f]{40}"),
    ("messagebird", r"[0-9a-z]{25}|" + _UUID),
    ("netlify", r"[0-9a-z=_-]{40,46}"),
    ("newrelic", r"[0-9a-z]{64}"),
    ("nytimes", r"[0-9a-z=_-]{32}"),
    ("okta", r"00[0-9a-z_=-]{40}"),
    ("plaid", r"[0-9a-z]{24}|[0-9a-z]{30}"),
    ("privateai", r"[0-9a-z]{32}"),
    ("rapidapi", r"[0-9a-z_-]{50}"),
    ("sendbird", r"[0-9a-f]{40}|" + _UUID),
    ("sentry", r"[0-9a-f]{64}"),
    ("snyk", _UUID),
    ("sonar", r"[0-9a-z=_-]{40}"),
    ("sourcegraph", r"[0-9a-f]{40}"),
    ("squarespace", _UUID),
    ("sumo", r"su[0-9a-z]{12}|[0-9a-z]{64}"),
    ("travis", r"[0-9a-z]{22}"),
    ("trello", r"[0-9a-f]{32}|[0-9a-f]{64}"),
    ("twitch", r"[0-9a-z]{30}"),
    ("twitter", r"[0-9a-z]{25}|[0-9a-z]{45}|[0-9a-z]{50}|\d{15,25}-[0-9a-z]{20,40}|A{22}[0-9a-z%]{80,100}"),
    ("yandex", r"YC[0-9a-z_-]{38}"),
    ("zendesk", r"[0-9a-z]{40}"),
)
# Names that tell of what is not secret, although it looks the same: heroku_request_id, sentry release, travis build
_HARMLESS = re.compile(
    r"request|trace|span|commit|sha|digest|checksum|hash|build|release|version|revision|job|run|issue|channel|team|event|image|tag|"
    r"branch|(?:^|[_. -])ids?\b",
    re.IGNORECASE,
)
_NAMED = (
    r"(?P<head>{before}{vendor}(?P<rest>[\w .-]{{0,30}})[\"'`)\]]{{0,3}}[ \t]{{0,8}}"
    r"(?:=>|::?=|::=|\?=|=|:|,|\|\|)[ \t=\"'`]{{0,5}})"
    r"(?P<value>{value})(?![\w=/+-])"
)


def _pattern(vendor: str, value: str) -> re.Pattern[str]:
    # new_relic, new-relic and newrelic are one
    spelt = {
        "newrelic": "new[_-]?relic",
        "messagebird": "message[_-]?bird",
        "privateai": "private[_-]?ai",
        "linkedin": "linked[_-]?in",
    }
    before = "(?<![A-Za-z])" if len(vendor) <= 6 else ""  # "lob" is no part of "global"
    return re.compile(_NAMED.format(before=before, vendor=spelt.get(vendor, vendor), value=f"(?:{value})"), re.IGNORECASE)


HINTS = tuple(vendor.replace("_", "") for vendor, _ in _VENDORS)
_PATTERNS = tuple(_pattern(vendor, value) for vendor, value in _VENDORS)


def vendors_keys(text: str, replacement: str) -> str:
    """The text with the keys that stand behind their vendor's name replaced."""
    squeezed = squeeze(text.lower())
    for pattern in compress(_PATTERNS, map(squeezed.__contains__, HINTS)):
        text = pattern.sub(lambda match: _replaced(match, replacement), text)
    return text


def squeeze(low: str) -> str:
    """A text in lower case as the hints are spelt."""
    return low.replace("-", "").replace("_", "")


def _replaced(match: re.Match[str], replacement: str) -> str:
    value = match["value"]
    harmless = _HARMLESS.search(match["rest"]) or entropy(value) < 3.0 or not any(ch.isdigit() for ch in value)
    return match.group() if harmless else match["head"] + replacement

"""What varies in a log line is masked: numbers, times, addresses, paths, ids and the values of key=value pairs.

`signature` is the line with a mark where something varied: AMOUNT for numbers and times, NAME for what names a thing. Words that
tell of trouble stay whatever they are part of. The rules are about shapes that all software writes, not about one system's lines.
"""

import re

AMOUNT, NAME = "\0", "\1"
LONGEST = 2000  # characters; the rest of a line is not looked at

# A word that tells of trouble, the name of an error, or a constant: never a variable, however much it varies.
TELLING = re.compile(
    r"(?i:fail|error|exception|(?<!de)fault|fatal|panic|timeout|timed.?out|refus|denied|abort|crash|unavail|unreach|invalid|expir"
    r"|exhaust|reset|corrupt|overflow|degrad|unhealth|reject|missing|(?<![a-z])(?:oom|kill|lost))"
    r"|^[A-Z]+(?:_[A-Z]+)+$|^E[A-Z]{4,}$|^SIG[A-Z]+$"
    r"|(?:^|[=:\"'])(?:5\d\d|429)[,;.)\]}\"']*$"  # all other numbers are masked by then
)
# "status=503", "HTTP/1.1\" 500", "answered 429": that a server failed or had enough is no variable, as other statuses are.
_STATUS = re.compile(
    r"""(?<![a-z])(?:(?:status(?:[ _]?code)?|code|http(?:/\d(?:\.\d)?)?)["']?[\s=:]{1,3}["']?(?=\d{3}(?![\w%]|\.\d|\s?ms\b))
    |(?:answer(?:s|ed)|return(?:s|ed)|respon(?:ds|ded|se))[ :=]{1,2}(?:with\ )?
    (?=\d{3}(?:\s*(?:[,;:.)"'\]]|$)|\ (?:from|for|to|on|at)\b)))(?:5\d\d|429)""",
    re.VERBOSE | re.IGNORECASE,
)
_KEPT = {ord("0") + n: 0xE000 + n for n in range(10)}
_BACK = {kept: digit for digit, kept in _KEPT.items()}
_FOREIGN = dict.fromkeys(_BACK)  # those of a line itself are left out

# What a stack trace ends with in Python, and what stands above the frames of the first cause in Java.
_CAUSE = re.compile(r"^(?:Caused by: .*|[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt)\b.*)$", re.MULTILINE)
_MARKS = re.compile("[\0\1]")
# Addresses of the web and of people, paths of three systems, names with a port.
_PLACE = re.compile(
    r"""
    \b[a-zA-Z][\w+.-]*://[^\s"'<>)\]]+
  | (?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+
  | (?<![\w*.])(?:[A-Za-z]:|\.{1,2})?[\\/](?=[\w.~*_-])[^\s"',;()\[\]{}=?]*(?:\?[^\s"'()]*)?
  | (?<![\w.~/-])[\w.~-]+(?:/[\w.~*-]+){2,}/?
    """,
    re.VERBOSE | re.ASCII,
)
# Names with a port, hardware addresses, dates with the name of a month.
_WITH_COLONS = re.compile(
    r"""
    (?<![\w.-])[A-Za-z][\w-]*(?:\.[\w-]+)+:\d+\b
  | (?<![\w:])(?:[0-9A-Fa-f]{2}:){3,}[0-9A-Fa-f]{2}(?![\w:])
  | (?<!\w)(?=[JFMASONDTW])(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?\ )?
    (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\ +\d{1,2}
    (?:,?\ +(?:\d\d:\d\d(?::\d\d)?(?:\.\d+)?|\d{4}|[A-Z]{3,4}(?=\ \d{4})))+
    """,
    re.VERBOSE,
)
_OF_A_NAME = r"[\w$%\#~@-]"
_AMOUNT = re.compile(
    r"(?<![\w$%\#~@.-])[-+]?\d+(?:,\d{3})*(?:[.,]\d+)?(?:\ ?(?:ms|us|ns|µs|sec|[KMGTP]i?B|B)|[smhd%kKMGT])?"
    rf"(?!{_OF_A_NAME}|\.\w)",
    re.ASCII,
)
_CODE = r"[A-Z]{1,8}[-_]?\d{3,6}(?![\w.-])"  # ORA-00600, E11000: says which error it was
_NAMED = re.compile(
    rf"(?<!{_OF_A_NAME})(?<!{_OF_A_NAME}\.)(?:"
    rf"(?!{_CODE})(?=(?:{_OF_A_NAME}|\.(?!\.))*\d){_OF_A_NAME}+(?:\.{_OF_A_NAME}+)*|[0-9a-f]{{8,}}(?!{_OF_A_NAME}))",
    re.ASCII,
)
_VALUE = re.compile(r"""(?<=\w=)(?:"[^"]*"|'[^']*'|[A-Za-z][^\s,;"'()\[\]{}=]*(?:\{[^{}]*\})?)""")
_RUN = re.compile(r"[\0\1](?:[\s,:;/|.+&-]*[\0\1])+")


def gist(text: str) -> str:
    """The first line of a text, and the line of a stack trace that names the first cause."""
    first, _, rest = text.strip().partition("\n")
    causes = _CAUSE.findall(rest[-LONGEST:]) if rest else ()
    return f"{first[:LONGEST]} {causes[-1].strip()[:LONGEST]}" if causes else first[:LONGEST]


def signature(text: str) -> str:
    """The gist of a text with marks for what varies and single blanks; a list of things that vary is one mark."""
    line = _MARKS.sub("", gist(text)).translate(_FOREIGN)
    if "5" in line or "429" in line:
        line = _STATUS.sub(_kept, line)
    if "/" in line or "\\" in line or "@" in line:
        line = _PLACE.sub(NAME, line)
    if ":" in line:
        line = _WITH_COLONS.sub(NAME, line)
    if line.count("=") > 1:
        line = _VALUE.sub(_value, line)
    line = _NAMED.sub(NAME, _AMOUNT.sub(AMOUNT, line))
    return " ".join(one_mark(line).split()).translate(_BACK)


def _kept(status: re.Match[str]) -> str:
    """The last three digits as characters that no mask knows."""
    return status[0][:-3] + status[0][-3:].translate(_KEPT)


def one_mark(text: str) -> str:
    """Marks with nothing but punctuation between them are one: addresses with a port, lists however long they are."""
    return _RUN.sub(_joined, text)


def _joined(run: re.Match[str]) -> str:
    return NAME if NAME in run[0] else AMOUNT


def _value(value: re.Match[str]) -> str:
    """A value among several names a thing, unless it tells of trouble."""
    return value[0] if TELLING.search(value[0]) else NAME

"""Names of people in a text, by what stands around them, by common first names and by how surnames end.

Names that are also products, languages or words of operations (Jenkins, Julia, Victoria, Cassandra, Mark, Will) are left out:
a diagnosis needs them, and a name that only a dictionary could know stays readable.
"""

import re
from collections.abc import Iterator

_FIRST_NAMES = frozenset(
    """
    Adam Agnes Ahmed Alan Albert Alberto Alejandro Alessandro Alex Alexander Alexandra Alexei Ali Alice Alicia Alina Alison
    Amanda Amelia Amir Amit Amy Ana Anastasia Anders Andre Andrea Andreas Andrei Andres Andrew Angela Anita Anna Anne Annika
    Anthony Antoine Anton Antonio Arjun Arthur Astrid Axel Barbara Beatrice Ben Benjamin Bernd Birgit Björn Brenda Brian
    Bruno Camille Carl Carla Carlos Carmen Carol Caroline Catherine Cecilia Charlotte Chiara Chloe Chris Christian Christina
    Christine Christoph Christopher Claire Clara Claudia Cristina Cynthia Dan Daniel Daniela Daniele Danielle David Deborah
    Denise Dennis Diana Diego Dieter Dimitri Dmitri Dominik Donald Donna Doris Dorothy Edith Eduardo Edward Ekaterina Elena
    Elisabeth Elizabeth Ellen Emilia Emily Emma Enrico Eric Erik Erika Esther Ethan Eugene Eva Evelyn Fatima Federico Felix
    Fernanda Fernando Filip Florian Francesca Francesco Francisco Franz Frederick Frederik Friedrich Gabriel Gabriela Gary
    Georg George Gerald Gerhard Gianni Giorgio Giovanni Giulia Giuseppe Gloria Gordon Gregory Greta Guillaume Gustav Hannah
    Hannes Hans Harald Harold Hassan Heather Heidi Heike Heinrich Heinz Helen Helena Henrik Henry Hiroshi Ian Ibrahim Igor
    Ingrid Irena Irene Irina Isabel Isabella Ivan Jacob Jacqueline Jakob James Jan Jana Jane Janet Janice Javier Jean
    Jeffrey Jennifer Jens Jeremy Jessica Joan Joanna Joao Joe Joel Johan Johannes John Jonas Jonathan Jorge Jose Joseph
    Joshua Joyce Juan Judith Judy Julian Julie Justin Jürgen Karen Karin Karl Katarina Katharina Katherine Kathleen Kathryn
    Katja Katrin Keith Kelly Kenji Kenneth Kevin Kim Klaus Kristen Kristina Lara Larry Lars Laura Lauren Laurent Lea Lena
    Leon Leonardo Leonie Linda Lisa Lorenzo Louis Louise Luca Lucas Lucia Luis Luisa Lukas Magdalena Manfred Manuel Marco
    Marcos Marek Margaret Maria Marie Marina Mario Marion Marta Martha Martin Martina Mary Mathias Matteo Matthew Matthias
    Maximilian Megan Mehmet Melanie Melissa Michael Michal Michel Michelle Miguel Mihai Mikhail Mohamed Mohammed Monica
    Monika Muhammad Nadia Nancy Natalia Natalie Natasha Nathan Nathaniel Nicholas Nicolas Nicole Niklas Nikolai Nina Noah
    Nora Norman Olaf Oleg Olga Oliver Olivia Olivier Omar Pablo Pamela Paola Paolo Patricia Patrick Patrik Paul Paula Pavel
    Pedro Peter Petra Philip Philipp Philippe Pierre Piotr Priya Rachel Rafael Raj Rajesh Ralf Ralph Raymond Rebecca Renate
    Ricardo Richard Rita Robert Roberto Roger Roland Roman Ronald Rosa Roxana Rudolf Russell Ruth Ryan Sabine Samantha
    Samuel Sandra Sanjay Sara Sarah Scott Sean Sebastian Sergei Sergey Sergio Sharon Sheila Shirley Silke Silvia Simon
    Simone Sofia Sonja Sophia Sophie Stefan Stefanie Stefano Stephanie Stephen Steve Steven Sunil Susan Susanne Sven
    Svetlana Sylvia Takashi Tamara Tanja Tatiana Teresa Theresa Thomas Tim Timothy Tobias Tom Tomas Tomasz Tony Torsten
    Ulrich Ulrike Ursula Uwe Valentina Valerie Vera Veronica Vincent Vladimir Walter Wei Werner William Wolfgang
    Yasmin Yuki Yusuf Yvonne Zoe Zsofia
    """.split()  # noqa: SIM905 - hundreds of quotes would hide the words
)
_NOT_NAMES = frozenset(
    """
    The This That These Those There Then They Their What When Where Which Who Why How If In On At By For From To And Or Not
    No Yes It Its Is Are Was Were Be Been Has Have Had Do Does Did Can Could Will Would Should May Might Must I You He She
    We My Your His Her Our All Any Some Each Every Please Monday Tuesday Wednesday Thursday Friday Saturday Sunday January
    February March April June July August September October November December Jan Feb Mar Apr Jun Jul Aug Sep Oct Nov Dec
    UTC Error Warning Failed Failure Alert Critical Service Server Database Deployment Pod Node Cluster Kubernetes Patroni
    MongoDB Docker Prometheus Grafana Alertmanager GitHub GitLab Slack Jira Linux Windows Redis Kafka Postgres Java Python
    Http Https Api Request Response Session Reason Season Json Bson Iceberg Gemini Debian Nova Comparison Person Lesson Team
    Support Everyone Everybody Guys Folks Sir Madam Again Release Version Build Default Unknown Internal Ubuntu Mozilla
    Chrome Firefox Jackson Gson Hello Thanks Dear Regards Street Road Avenue Name Names Address Phone Email User
    """.split()  # noqa: SIM905 - hundreds of quotes would hide the words
)
_UP = "[^\\W\\d_a-zß-öø-ÿ]"  # a letter that is no small one of Latin-1
_WORD = rf"{_UP}[^\W\d_]{{1,20}}(?:['’-][^\W\d_]{{1,20}})?"
_INITIAL = rf"{_UP}\.?"
_SPACE = "[ \u00a0]"
_OF = "(?:van|von|de|der|da|di|dos|al|el|bin|la|le|du|af|zu)"
_NAME = rf"{_WORD}(?:{_SPACE}(?:{_OF}{_SPACE}){{0,2}}(?:{_WORD}|{_INITIAL}(?!\w))){{0,3}}"
_FULL = rf"{_WORD}(?:{_SPACE}{_INITIAL}(?!\w))?(?:{_SPACE}{_OF}){{0,2}}{_SPACE}{_WORD}"

_SURNAME = re.compile(
    r"(?:.{2}(?:sson|dsen|nsen|rsen|tsen|dóttir|poulos|opoulou|escu|enko|shvili|yan|wicz|czyk|owski|ewski|insky|ovsky|evsky|inski|berger|bauer|"
    r"meyer|maier|hofer|huber|mann|stein|ström|strom|qvist|quist|gaard|gren|lund|holm|ović|ević|čić|šić|ović|nić|rić|ková|ová|cová|"
    r"ova|eva|kov|nov|rov|lov|yev|aev|dev|hev|kin|iev|ez|ández|ínez|elli|etti|otti|ucci|acci|oni|ini|ardi|aldi|nen|lainen|oğlu|"
    r"kowski|cki|szky|nyi|kovács|moto|mura|yama|kawa|gawa|hara|naka|tani|saki|zaki|shita|shima|sawa|uchi|guchi)|"
    r"Smith|Jones|Miller|Johnson|Williams|Brown|Davis|Wilson|Taylor|Clark|Lewis|Walker|Nguyen|Müller|Schmidt|Schneider|Fischer|Weber|"
    r"O['’][A-Z]\w+|M(?:a)?c[A-Z]\w+)$"
)

# What is said right before a name, and what right after
_LEAD = (
    r"\b[Mm]y name(?: is|'s)|\b(?:first|last|full|middle|maiden)[ _]?name(?: is|:|=)|\b[Nn]ames?: ?",
    r"\b(?:was called|is called|named)|\b[Rr]egards,|\b[Cc]heers,",
    r"\b(?:[Rr]eported|[Aa]uthored|[Cc]ommitted|[Rr]eviewed|[Aa]pproved|[Ww]ritten|[Ss]igned[ -]off|[Dd]irected) ?[Bb]y:?",
    r"\b(?:[Mm]erged|[Oo]pened|[Pp]ushed|[Dd]eployed|[Aa]cknowledged) by|\b[Aa]ssigned to:?",
    r"\b(?:[Ss]igned-off|[Cc]o-authored|[Rr]eviewed)-by:|\b(?:[Aa]uthor|[Cc]ommitter|[Aa]ssignee|[Rr]eporter|[Oo]wner):",
    r"\b(?:[Cc]ontact|[Oo]n-?call|[Cc]ustomer|[Ee]mployee|[Pp]atient|[Aa]ttn\.?):",
    r"\b(?:[Bb]illing|[Ss]hipping|[Mm]ailing|[Hh]ome) address:",
    r"\b(?:[Ss]ays|[Ss]aid|replied|I'm|I am|[Tt]his is|[Aa]sk|[Pp]ing|[Cc][Cc]:?)",
    r"\b(?:[Hh]i|[Hh]ello|[Hh]ey|[Dd]ear|[Tt]hanks,?|[Tt]hank you,?)",
    r"\b(?:father|mother|brother|sister|wife|husband|son|daughter|boss|colleague|friend|partner)(?:'s name is|,| is|)",
    r"\b(?:Mr|Mrs|Ms|Miss|Dr|Prof|Sir|Herr|Frau|Monsieur|Madame)\b\.?",
)
_BEFORE = re.compile(rf"(?:{'|'.join(_LEAD)})\s{{1,6}}(?P<name>{_NAME})(?!\w)")
_WEAK = re.compile(  # said of services too: a single word after it must be known as a name
    r"(?:names?: ?|ask|ping|cc:?|this is|i'm|i am|contact:|owner:|named|is called|was called|hi|hello|hey|thanks,?|"
    r"thank you,?|to:?)\s+$",
    re.IGNORECASE,
)
_GREETED = re.compile(rf"\b(?:[Hh]i|[Hh]ello|[Hh]ey|[Dd]ear|[Tt]hanks|[Tt]hank you),? (?P<name>{_NAME})(?=[,!.\n]|$)")
_MAILED = re.compile(rf"(?P<name>{_NAME}){_SPACE}{{1,2}}[<(](?=[\w.%+-]{{1,64}}@)")
_SIGNED = re.compile(  # a line of its own, above an address
    rf"^[> ?]{{0,8}}(?P<name>{_FULL})\n(?=(?:[^\n]{{1,60}}\n){{0,2}}[> ?]{{0,8}}\d{{1,5}}[ ]{_UP})", re.MULTILINE
)
_DEEDS = (
    r"said|says|lives|lived|wrote|writes|replied|asked|asks|told|reported|deployed|merged|pushed|approved|acknowledged|reverted|"
    r"committed|rolled back|points out|is (?:a|an) \d|was born|paged|is on call"
)
_AFTER = re.compile(rf"(?<!\w)(?P<name>{_NAME})(?=,? (?:{_DEEDS})\b)")
_PAIR = re.compile(rf"(?<![\w@#/.-])(?P<name>{_FULL})(?![\w@])")
_ALONE = re.compile(rf"(?<![\w@#/.=-])(?P<name>{_WORD})(?![\w@/=-]|\.\w)")


def people(text: str) -> Iterator[tuple[int, int]]:
    """Where names of people stand: start and end, overlaps possible."""
    for pattern in (_BEFORE, _GREETED, _MAILED, _SIGNED, _AFTER):
        for match in pattern.finditer(text):
            start, end = _trimmed(text, *match.span("name"))
            name = text[start:end]
            if name.isupper():
                continue
            weak = pattern is _AFTER or (pattern is _BEFORE and _WEAK.search(text[match.start() : match.start("name")]))
            if name and (not weak or " " in name or _known(name)):
                yield start, end
    for match in _PAIR.finditer(text):
        start, end = _trimmed(text, *match.span("name"))
        words = text[start:end].split()
        if len(words) > 1 and (words[0] in _FIRST_NAMES or _surname(words[-1])) and not words[-1].isupper():
            yield start, end
    for match in _ALONE.finditer(text):
        if match["name"] in _FIRST_NAMES:
            yield match.span("name")


def _known(word: str) -> bool:
    return word in _FIRST_NAMES or _surname(word)


def _surname(word: str) -> bool:
    return len(word) >= 5 and word not in _NOT_NAMES and _SURNAME.search(word) is not None


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Without words at either end that are no names: "Hi Team" names nobody."""
    words = list(re.finditer(r"\S+", text[start:end]))
    while words and words[0].group() in _NOT_NAMES:
        words = words[1:]
    while words and words[-1].group() in _NOT_NAMES:
        words = words[:-1]
    return (start + words[0].start(), start + words[-1].end()) if words else (start, start)

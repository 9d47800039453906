"""What is kept is read back by many threads at once."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
MANY_THREADS = """
import sys, threading
from bot.domain.alert import Alert
from bot.domain.evidence import Diagnosis
from bot.domain.incident import Incident
from bot.domain.noise import Decision, NoiseState
from bot.storage.codec import dump, load
from tests.fakes import an_incident

sys.setswitchinterval(1e-6)
text, kinds, gate, read = dump(an_incident()), [Incident, Diagnosis, NoiseState, Decision, Alert], threading.Barrier(12), []

def go(first):
    gate.wait()
    for kind in (*kinds[first:], *kinds[:first]):
        try:
            load(kind, text)
        except ValueError:  # an incident is none of the others
            pass
    read.append(load(Incident, text))

threads = [threading.Thread(target=go, args=(n % len(kinds),)) for n in range(12)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert read == [an_incident()] * 12
"""


def test_many_threads_read_values_of_a_kind_for_the_first_time() -> None:
    """In a process of its own: what goes wrong there is a segmentation fault."""
    told = subprocess.run(
        [sys.executable, "-c", MANY_THREADS], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    )
    assert (told.returncode, told.stderr) == (0, "")

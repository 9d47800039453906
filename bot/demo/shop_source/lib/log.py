"""One JSON object per line on standard output; a message that repeats too fast is thinned out."""

import json
import sys
import time
import traceback

PER_SECOND = 4


class Log:
    """The structured log of one process."""

    def __init__(self, service: str, instance: str) -> None:
        self._service = service
        self.instance = instance
        self._spent: dict[str, tuple[int, int]] = {}

    def info(self, message: str, *values: object, **fields: object) -> None:
        self._write("info", message, values, fields)

    def warning(self, message: str, *values: object, **fields: object) -> None:
        self._write("warning", message, values, fields)

    def error(self, message: str, *values: object, **fields: object) -> None:
        self._write("error", message, values, fields)

    def exception(self, message: str, *values: object, **fields: object) -> None:
        self._write("error", message, values, fields, traceback.format_exc().strip())

    def _write(
        self, level: str, message: str, values: tuple[object, ...], fields: dict[str, object], trace: str = ""
    ) -> None:
        second = int(time.time())
        last, count = self._spent.get(message, (0, 0))
        count = count + 1 if last == second else 1
        self._spent[message] = (second, count)
        if count > PER_SECOND:
            return
        text = message % values if values else message
        text += "".join(f" {key}={value}" for key, value in fields.items())
        line = {"time": time.time(), "level": level, "service": self._service, "instance": self.instance}
        sys.stdout.write(json.dumps({**line, "message": text + ("\n" + trace if trace else "")}) + "\n")
        sys.stdout.flush()

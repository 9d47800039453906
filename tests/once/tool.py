"""A deployer's program that speaks to the vendor of a trial. Standard library only, few imports: it is started often.

usage: tool.py PORT TRIAL current SERVICE | versions SERVICE | start SERVICE VERSION KEY | status KEY | cancel KEY
"""

import socket
import sys


def main() -> int:
    """The vendor's JSON on stdout; 1 if there is none."""
    port, trial, *words = sys.argv[1:]
    method = "POST" if words[0] in ("start", "cancel") else "GET"
    with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as vendor:
        vendor.sendall(f"{method} /t/{trial}/{'/'.join(words)} HTTP/1.1\r\nhost: vendor\r\n\r\n".encode())
        said = b""
        while chunk := vendor.recv(65536):
            said += chunk
    head, _, body = said.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        print(f"the vendor answered {head[:20]!r}", file=sys.stderr)
        return 1
    sys.stdout.write(body.decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())

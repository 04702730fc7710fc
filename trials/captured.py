"""Runs `stillwatch` with all that its connections send and get kept beside, as it is before TLS: `python captured.py PREFIX WORDS...` writes PREFIX.sent and PREFIX.got."""

from __future__ import annotations

import sys
from pathlib import Path

from stillwatch.doors.cli import main
from stillwatch.peers.connection import Connection


def capture(prefix: Path) -> None:
    """Keep what `Connection` sends and gets."""
    plain = Connection._send
    Path(f"{prefix}.sent").touch()

    def kept(self: Connection, method: str, target: str, body: bytes, *kind: str) -> tuple[int, dict[str, str], bytes]:
        with Path(f"{prefix}.sent").open("ab") as sent:
            sent.write(f"{method} {target}\n".encode() + body + b"\n")
        if b'"say":"bring"' in body[:4096]:
            Path(f"{prefix}.brought").touch()
        status, headers, answer = plain(self, method, target, body, *kind)
        with Path(f"{prefix}.got").open("ab") as got:
            got.write(f"{status}\n".encode() + answer + b"\n")
        return status, headers, answer

    Connection._send = kept  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    capture(Path(sys.argv[1]))
    main(sys.argv[2:])

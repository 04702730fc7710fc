"""ClickHouse's own engine (chdb) behind as much of its HTTP interface as a reader of logs uses: no server of it installs from a registry.

Queries, errors, types and the Arrow stream are ClickHouse's; the HTTP around them is written here after its manual: database and query as parameters,
user and key as headers, status and `Code: N. DB::Exception: ...` for errors, GET only for reading.
"""

from __future__ import annotations

import re
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

from chdb.session import Session
from chdb.state.sqlitelike import ChdbError

PASSWORD = "quite-secret"
TABLE = "call_id String, ts DateTime64(6, 'UTC'), account LowCardinality(String), model String, input_tokens Nullable(UInt32), prompt String"
ROWS = (
    "SELECT concat('c', toString(number)), toDateTime64('2026-01-01 00:00:00', 6, 'UTC') + toIntervalSecond(number),"
    " if(number = 7, '', concat('a', toString(number % 9))), 'm', if(number % 2, number, NULL), repeat('x', 500)"
)


class Handler(BaseHTTPRequestHandler):
    """One query a request."""

    session: Session

    def do_GET(self) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        if (self.headers.get("X-ClickHouse-User"), self.headers.get("X-ClickHouse-Key")) != ("reader", PASSWORD):
            self._say(403, b"Code: 516. DB::Exception: reader: Authentication failed: password is incorrect. (AUTHENTICATION_FAILED)")
            return
        query, _, form = asked["query"].rpartition(" FORMAT ")
        try:
            self.session.query(f"USE {asked.get('database', 'default')}")
            answer = self.session.query(query, form).bytes()
        except ChdbError as error:
            code = re.search(r"Code: (\d+)", str(error))
            self._say(404 if code and code[1] == "60" else 500, str(error).encode())
            return
        if "broken off" in query:
            answer = answer[: len(answer) // 2]
        self._say(200, answer)

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


if __name__ == "__main__":
    Handler.session = Session(sys.argv[2])
    Handler.session.query("CREATE DATABASE gateway ENGINE = Atomic")
    for name, count in (("calls", 1000), ("many", 200_000)):
        Handler.session.query(f"CREATE TABLE gateway.{name} ({TABLE}) ENGINE = MergeTree ORDER BY ts")
        Handler.session.query(f"INSERT INTO gateway.{name} {ROWS} FROM numbers({count})")
    HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()

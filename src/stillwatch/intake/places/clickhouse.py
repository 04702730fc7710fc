"""ClickHouse, over its HTTP interface: what a query gives comes as one Arrow stream, without a driver."""

from __future__ import annotations

import http.client
import os
import re
import ssl
from collections.abc import Iterator
from urllib.parse import urlencode

import pyarrow as pa

from stillwatch.errors import UserError
from stillwatch.intake import queries
from stillwatch.intake.places.declare import Place
from stillwatch.intake.queries import Asked
from stillwatch.intake.stream import Source
from stillwatch.intake.tables import Rows

PATIENCE = 300
"Seconds to wait for the server's next bytes: a query may think before it answers."

_TELLS = {36, 46, 47, 60, 62, 81, 115, 164, 179, 181, 192, 194, 195, 206, 207, 215, 352, 386, 497}
"Codes of errors about names, syntax and rights. What others say may quote a value."

_DENIED = {192, 194, 195, 497, 516}


def find(name: str) -> list[Source | Rows]:
    """The answer to a query. Raises UserError."""
    what = queries.asked(name)
    if not what.url.hostname:
        raise UserError("names no server", name, "write clickhouse://USER@HOST:PORT/DATABASE#QUERY.sql")
    return [queries.rows(what, lambda sql: _run(what, sql))]


def _run(what: Asked, sql: str) -> Iterator[pa.RecordBatch]:
    connection = _connected(what)
    try:
        # Asked by GET, the server itself allows nothing but reading.
        query = {"query": f"{sql} FORMAT ArrowStream"} | ({"database": what.database} if what.database else {})
        connection.request("GET", f"/?{urlencode(query)}", headers=_who(what))
        answer = connection.getresponse()
        if answer.status != 200:
            raise _told(what, answer.status, answer.read(4096).decode("utf-8", "replace"))
        yield from _streamed(what, answer)
    except (OSError, http.client.HTTPException) as error:
        raise UserError(
            f"the server cannot be reached, or breaks off ({type(error).__name__})", what.name, "check host, port and network, and try again"
        ) from error
    finally:
        connection.close()


def _streamed(what: Asked, answer: http.client.HTTPResponse) -> Iterator[pa.RecordBatch]:
    """The batches of an answer. What ends early is an error: half an answer is no log."""
    try:
        with pa.ipc.open_stream(answer) as reader:
            yield from queries.batches(reader)
    except (pa.ArrowException, OSError, http.client.HTTPException) as error:
        raise UserError("the server gave up in the middle of its answer", what.name, "see the server's log for the query") from error


def _connected(what: Asked) -> http.client.HTTPConnection:
    assert what.url.hostname is not None  # asked when the log was named
    if what.url.scheme == "clickhouses":
        return http.client.HTTPSConnection(what.url.hostname, what.url.port or 8443, timeout=PATIENCE, context=ssl.create_default_context())
    return http.client.HTTPConnection(what.url.hostname, what.url.port or 8123, timeout=PATIENCE)


def _who(what: Asked) -> dict[str, str]:
    user, password = what.url.username or os.environ.get("CLICKHOUSE_USER"), os.environ.get("CLICKHOUSE_PASSWORD")
    return ({"X-ClickHouse-User": user} if user else {}) | ({"X-ClickHouse-Key": password} if password else {})


def _told(what: Asked, status: int, words: str) -> UserError:
    found = re.search(r"Code: (\d+)", words)
    code = int(found[1]) if found else 0
    if code in _DENIED or status in (401, 403):
        return UserError("the server refuses this user", what.name, "name the user in the URL, and the password in CLICKHOUSE_PASSWORD")
    said = re.sub(r"^.*?Exception:\s*", "", queries.first_line(words, 400), count=1)
    named = re.findall(r"\(([A-Z_]{4,})\)", words)
    reason = said if code in _TELLS else f"code {code}{f', {named[-1]}' if named else ''}"
    return UserError(f"the server refuses the query ({queries.first_line(reason)})", what.name, "mend the query, or the name of the table")


PLACE = Place(
    name="ClickHouse",
    page="`clickhouse://USER@HOST:PORT/DATABASE#QUERY.sql`, or `#TABLE` (`clickhouses://` over TLS; ports 8123 and 8443 when not said). The password is in "
    "`CLICKHOUSE_PASSWORD`. The answer streams over HTTP as Arrow; needs no package. Asked so that the server allows only reading.",
    schemes=("clickhouse", "clickhouses"),
    example="clickhouse://reader@HOST/gateway#calls.sql",
    find=find,
)

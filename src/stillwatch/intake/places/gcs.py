"""Google Cloud Storage."""

from __future__ import annotations

import os
import re
from datetime import timedelta

from pyarrow import fs

from stillwatch.errors import UserError
from stillwatch.intake import objects
from stillwatch.intake.objects import Store
from stillwatch.intake.places.declare import Place
from stillwatch.intake.stream import Source
from stillwatch.intake.tables import Rows

RETRY = timedelta(seconds=10)
"How long a request is tried again: a place that does not answer is told, not waited for."

_MEANT = (
    (
        r"credentials|UNAUTHENTICATED|PERMISSION_DENIED|status code: 40[13]|metadata\.google\.internal|oauth2",
        "no permission to read here",
        "check the credentials (gcloud auth application-default login, or GOOGLE_APPLICATION_CREDENTIALS) and that they may list and get",
    ),
    (r"NOT_FOUND|status code: 404", "no such bucket or object", "check the names"),
    (
        r"UNAVAILABLE|DEADLINE|INTERNAL|connect|resolve|status code: 5\d\d|retry",
        "the store cannot be reached, or gives up",
        "check the network and the endpoint (STORAGE_EMULATOR_HOST), and try again",
    ),
)


def find(name: str) -> list[Source | Rows]:
    """What a Cloud Storage URL names. Raises UserError."""
    bucket, _, key = re.sub(r"^(gs|gcs)://", "", name, flags=re.IGNORECASE).partition("/")
    if not bucket or re.search(r"[*?\[]", bucket):
        raise UserError("names no bucket", name, "write gs://BUCKET/PREFIX")
    emulated = os.environ.get("STORAGE_EMULATOR_HOST") or ""
    if emulated:
        scheme, _, host = emulated.partition("://") if "://" in emulated else ("http", "", emulated)
        system = fs.GcsFileSystem(anonymous=True, scheme=scheme, endpoint_override=host.rstrip("/"), retry_time_limit=RETRY)
    else:
        system = fs.GcsFileSystem(retry_time_limit=RETRY)
    return objects.find(Store(name, f"gs://{bucket}/", bucket, system, explain, None), key)


def explain(words: str) -> tuple[str, str] | None:
    """What an error of the Cloud Storage client means and what to try; None for words that are not its own."""
    if "google::cloud::Status" not in words:
        return None
    for pattern, what, attempt in _MEANT:
        if re.search(pattern, words, re.IGNORECASE):
            return what, attempt
    kind = re.search(r"Status\((\w+)", words)
    return f"cannot be read (Cloud Storage: {kind[1] if kind else 'unknown'})", "check the name, the network and the permissions"


PLACE = Place(
    name="Google Cloud Storage",
    page="`gs://BUCKET/NAME`, a prefix (read as a folder) or a glob. Credentials are the application default: `gcloud auth application-default login`, "
    "`GOOGLE_APPLICATION_CREDENTIALS`, or the machine's account; `STORAGE_EMULATOR_HOST` names another endpoint, asked without credentials. Objects are read by "
    "ranges and never kept on disk. Delta and Iceberg tables are not read from here.",
    schemes=("gs", "gcs"),
    example="gs://BUCKET/vertex/",
    find=find,
)

"""Amazon S3, and what speaks like it (MinIO, R2, Ceph) at the endpoint that the environment names."""

from __future__ import annotations

import os
import re

from pyarrow import fs

from stillwatch.errors import UserError
from stillwatch.intake import objects
from stillwatch.intake.objects import Store
from stillwatch.intake.places.declare import Place
from stillwatch.intake.stream import Source
from stillwatch.intake.tables import Rows

ATTEMPTS, CONNECT, REQUEST = 3, 5, 30
"Tries of a request, seconds to a connection and seconds to an answer: a place that does not answer is told, not waited for."

_MEANT = (
    (r"NO_SUCH_BUCKET|NoSuchBucket", "no such bucket", "check its name, and which account or endpoint is asked"),
    (r"EXPIRED|RequestTimeTooSkewed|REQUEST_TIME_TOO_SKEWED", "the credentials have expired", "renew them, and check this machine's clock"),
    (
        r"ACCESS_DENIED|AccessDenied|HTTP status 40[13]|INVALID_ACCESS_KEY_ID|InvalidAccessKeyId|SIGNATURE|INVALID_CLIENT_TOKEN|INVALID_SECURITY|UNRECOGNIZED_CLIENT",
        "no permission to read here",
        "check the credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID, or the machine's role) and that they may list and get",
    ),
    (
        r"NETWORK_CONNECTION|REQUEST_TIMEOUT|SLOW_DOWN|SERVICE_UNAVAILABLE|INTERNAL_FAILURE|HTTP status 5\d\d|curlCode",
        "the store cannot be reached, or gives up",
        "check the network, the region (AWS_REGION) and the endpoint (AWS_ENDPOINT_URL), and try again",
    ),
    (r"HTTP status 30[17]|PermanentRedirect", "the bucket lies in another region", "name it in AWS_REGION"),
)


def find(name: str) -> list[Source | Rows]:
    """What an S3 URL names. Raises UserError."""
    bucket, _, key = re.sub(r"^s3a?://", "", name, flags=re.IGNORECASE).partition("/")
    if not bucket or re.search(r"[*?\[]", bucket):
        raise UserError("names no bucket", name, "write s3://BUCKET/PREFIX")
    return objects.find(_store(bucket, name), key)


def _store(bucket: str, name: str) -> Store:
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
    if not endpoint and not region:
        region = _region(bucket, name)
    region = region or "us-east-1"
    scheme, _, host = endpoint.partition("://") if "://" in endpoint else ("https", "", endpoint)
    system = fs.S3FileSystem(
        region=region, scheme=scheme, endpoint_override=host.rstrip("/") or None, connect_timeout=CONNECT, request_timeout=REQUEST,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
    )  # fmt: skip
    return Store(name, f"s3://{bucket}/", bucket, system, explain, {"region": region} | ({"endpoint": endpoint} if endpoint else {}))


def _region(bucket: str, name: str) -> str:
    """The bucket's own region, which S3 tells anybody. Raises UserError when there is no such bucket or no S3."""
    try:
        return str(fs.resolve_s3_region(bucket))
    except OSError as error:
        if "not found" in str(error):
            raise UserError("no such bucket", name, "check its name, and which account or endpoint is asked") from error
        what, attempt = explain(str(error)) or ("the bucket's region cannot be found", "name it in AWS_REGION")
        raise UserError(what, name, attempt) from error


def explain(words: str) -> tuple[str, str] | None:
    """What an error of the AWS SDK means and what to try; None for words that are not its own."""
    if "AWS Error" not in words and "curlCode" not in words:
        return None
    for pattern, what, attempt in _MEANT:
        if re.search(pattern, words):
            return what, attempt
    kind = re.search(r"AWS Error (\w+)", words)
    return f"cannot be read (AWS: {kind[1] if kind else 'unknown'})", "check the name, the network and the permissions"


PLACE = Place(
    name="Amazon S3",
    page="`s3://BUCKET/KEY`, a prefix (read as a folder) or a glob. Credentials and region come from where the AWS tools have them: the environment, "
    "`AWS_PROFILE`, the machine's role; `AWS_ENDPOINT_URL` names another store that speaks like S3. Objects are read by ranges and never kept on disk; of Parquet "
    "only the columns that are wanted are fetched. Delta and Iceberg tables are read as such.",
    schemes=("s3", "s3a"),
    example="s3://BUCKET/gateway/2026-*/",
    find=find,
)

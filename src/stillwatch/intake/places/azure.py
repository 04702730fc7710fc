"""Azure Blob Storage and Data Lake Storage."""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import urlsplit

from pyarrow import fs

from stillwatch.errors import UserError
from stillwatch.intake import objects
from stillwatch.intake.objects import Store
from stillwatch.intake.places.declare import Place
from stillwatch.intake.stream import Source
from stillwatch.intake.tables import Rows

_MEANT = (
    (r"ContainerNotFound|FilesystemNotFound", "no such container", "check its name, and which account is asked"),
    (
        r"\b40[13]\b|Authentication|Authorization|DefaultAzureCredential",
        "no permission to read here",
        "check the credentials (AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN, AZURE_STORAGE_CONNECTION_STRING, or az login) and that they may list and read",
    ),
    (
        r"connection|connect to|resolve|timed? ?out|\b50\d\b|ServerBusy",
        "the store cannot be reached, or gives up",
        "check the network and the account's name, and try again",
    ),
)


def find(name: str) -> list[Source | Rows]:
    """What an Azure URL names: `az://container/...`, or `abfss://container@account.dfs.core.windows.net/...`. Raises UserError."""
    parts = urlsplit(name.replace("?", "%3F").replace("#", "%23"))
    key = parts.path.removeprefix("/").replace("%3F", "?").replace("%23", "#")
    container, at, host = parts.netloc.partition("@")
    account = host.partition(".")[0] if at else ""
    if not container or re.search(r"[*?\[%]", container):
        raise UserError("names no container", name, "write az://CONTAINER/PREFIX")
    root = name[: len(name) - len(key)].rstrip("/") + "/"
    return objects.find(Store(name, root, container, _system(account, name), explain, None, "container"), key)


def _system(account: str, name: str) -> fs.FileSystem:
    """The account, from the URL or the environment, with the credentials that the environment has; without any, those of this machine or of `az login`."""
    held = dict(each.partition("=")[::2] for each in os.environ.get("AZURE_STORAGE_CONNECTION_STRING", "").split(";") if each)
    account = account or held.get("AccountName") or os.environ.get("AZURE_STORAGE_ACCOUNT") or os.environ.get("AZURE_STORAGE_ACCOUNT_NAME") or ""
    if not account:
        raise UserError("names no storage account", name, "set AZURE_STORAGE_ACCOUNT, or write abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX")
    if held.get("AccountName", account) != account:
        held = {}
    key = held.get("AccountKey") or os.environ.get("AZURE_STORAGE_KEY") or os.environ.get("AZURE_STORAGE_ACCOUNT_KEY")
    token = held.get("SharedAccessSignature") or os.environ.get("AZURE_STORAGE_SAS_TOKEN")
    how: dict[str, Any] = {"account_key": key} if key else {"sas_token": token.removeprefix("?")} if token else {}
    if "BlobEndpoint" in held:
        endpoint = urlsplit(held["BlobEndpoint"])
        how |= {f"{kind}_storage_{part}": value for kind in ("blob", "dfs") for part, value in (("authority", endpoint.netloc), ("scheme", endpoint.scheme))}
    try:
        return fs.AzureFileSystem(account, **how)
    except (ValueError, OSError) as error:
        raise UserError("the storage account's credentials cannot be used", name, "check AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN") from error


def explain(words: str) -> tuple[str, str] | None:
    """What an error of the Azure SDK means and what to try; None for words that are not its own."""
    if "Azure" not in words:
        return None
    for pattern, what, attempt in _MEANT:
        if re.search(pattern, words, re.IGNORECASE):
            return what, attempt
    kind = re.search(r"Azure Error: \[(\w+)\]", words)
    return f"cannot be read (Azure: {kind[1] if kind else 'unknown'})", "check the name, the network and the permissions"


PLACE = Place(
    name="Azure Blob and Data Lake Storage",
    page="`az://CONTAINER/NAME` with the account in `AZURE_STORAGE_ACCOUNT`, or `abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/NAME`; a prefix (read as a folder) or "
    "a glob. Credentials come from `AZURE_STORAGE_KEY`, `AZURE_STORAGE_SAS_TOKEN` or `AZURE_STORAGE_CONNECTION_STRING` (whose `BlobEndpoint` is used), else from "
    "`az login` or the machine's identity. Objects are read by ranges and never kept on disk. Delta and Iceberg tables are not read from here.",
    schemes=("az", "abfs", "abfss"),
    example="az://CONTAINER/insights-logs/",
    find=find,
)

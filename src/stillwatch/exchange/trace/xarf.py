"""An inquiry as an abuse desk takes it: a report of XARF v4 (xarf.org, 4.2.0), type connection/scraping, with the signed inquiry as its evidence."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

from stillwatch.exchange.trace.inquiry import Inquiry


def report(inquiry: Inquiry, envelope: bytes, *, report_id: str, now: datetime, org: str, contact: str, source: str) -> dict[str, Any]:
    """The report. `org`, `contact`: who reports, with an address for answers; `source`: what the recipient knows the reported account by (its own id at the reporter, or an address).

    `total_requests` is the number of ids that the inquiry names. No address of a client and no content is in it.
    """
    who = {"org": org, "contact": contact, "domain": contact.rpartition("@")[2]}
    stamp = now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {
        "xarf_version": "4.2.0", "report_id": report_id, "timestamp": stamp, "reporter": who, "sender": who, "source_identifier": source,
        "category": "connection", "type": "scraping", "evidence_source": "automated_scan", "protocol": "tcp", "scraping_pattern": "api_harvesting", "target_content": "api_data",
        "first_seen": _moment(inquiry.begin), "last_seen": _moment(inquiry.end), "total_requests": len(inquiry.calls),
        "description": "Calls through one account of yours look like systematic extraction of a model's answers. Their request ids are in the evidence, blinded: "
        "`stillwatch trace` finds them in your log and says what your own evidence is. Please answer without naming a customer.",
        "evidence": [
            {
                "content_type": "application/vnd.dsse.envelope.v1+json",
                "description": "signed inquiry",
                "payload": base64.b64encode(envelope).decode(),
                "hash": f"sha256:{hashlib.sha256(envelope).hexdigest()}",
                "size": len(envelope),
            }
        ],
        "tags": ["stillwatch:inquiry", *(f"atlas:{each.lower().replace('.', '_')}" for each in inquiry.atlas)],
    }  # fmt: skip


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

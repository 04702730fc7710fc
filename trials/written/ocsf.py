"""OCSF events of class API Activity with the profile `ai_operation`, as a security lake would map a provider's log.

Attributes after the schema, version 1.9. It knows the caller, its network and its client well, and of the call model, tokens, texts and status; it has no words
for a request's parameters, system prompt and reasoning, and nothing is put into `unmapped`. Times are milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from written import bodies
from written.declare import Call, Writer


def write(calls: Sequence[Call]) -> bytes:
    """One event a line."""
    return b"".join(orjson.dumps(_event(call)) + b"\n" for call in calls)


def _event(call: Call) -> dict[str, Any]:
    user = {
        "uid": call["end_user"],
        "email_addr": call["email_domain"] and f"someone@{call['email_domain']}",
        "credential_uid": call["key"],
        "account": {"uid": call["account"], "type": "Other"},
        "org": {"uid": call["org"]} if call["org"] else None,
    }
    context = {
        "uid": call["session"],
        "ai_role_id": 2,
        "prompt_text": call["prompt"],
        "response_text": call["response"],
        "prompt_tokens": None if bodies.failed(call) else call["input_tokens"],
        "completion_tokens": bodies.whole(call),
    }
    return {
        "class_uid": 6003,
        "class_name": "API Activity",
        "category_uid": 6,
        "activity_id": 1,
        "type_uid": 600301,
        "severity_id": 1,
        "status_id": 2 if bodies.failed(call) else 1,
        "time": call["ts"] // 1000,
        "metadata": {"version": "1.9.0", "uid": call["call_id"], "profiles": ["ai_operation"], "product": {"vendor_name": "provider"}},
        "actor": {"user": bodies.known(user)},
        "api": {"operation": call["endpoint"], "response": {"code": call["status"]}},
        "http_request": {"user_agent": call["user_agent"], "url": {"path": call["endpoint"]}},
        "http_response": {"code": call["status"]},
        "src_endpoint": bodies.known(
            {
                "ip": call["ip"],
                "autonomous_system": {"number": call["asn"]} if call["asn"] else None,
                "location": {"country": call["country"]} if call["country"] else None,
            }
        ),
        "ja4_fingerprint_list": [{"type_id": 1, "type": "JA4", "value": call["tls"]}] if call["tls"] else [],
        "ai_model": {"ai_provider": "provider", "name": call["model"], "version": "1"},
        "message_context": bodies.known(context),
    }


WRITERS = (
    Writer(
        name="ocsf",
        format="OCSF AI operations",
        suffix=".json",
        write=write,
        carries=(
            "call_id", "account", "model", "org", "key", "end_user", "session", "ip", "asn", "country", "user_agent", "tls", "email_domain", "endpoint",
            "prompt", "response", "status",
        ),
        own={
            "ts": lambda call: call["ts"] // 1000 * 1000,
            "input_tokens": lambda call: None if bodies.failed(call) else call["input_tokens"],
            "output_tokens": bodies.whole,
        },
    ),
)  # fmt: skip

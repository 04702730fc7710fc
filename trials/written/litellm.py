"""LiteLLM's standard logging payload, as the proxy's callbacks write it with message logging and `request_correlation_in_logs` switched on.

Fields after `StandardLoggingPayload` and its parts. The proxy knows users, teams and organisations of its own and the client's address and name; it
knows nothing of how an account pays, when it signed up, or of the client's headers.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from written import bodies
from written.declare import Call, Writer

_BLOCKS = "thinking_blocks"
_ERRORS = {429: "RateLimitError", 500: "InternalServerError", 529: "InternalServerError"}


def write(calls: Sequence[Call]) -> bytes:
    """One payload a line."""
    return b"".join(orjson.dumps(_payload(call)) + b"\n" for call in calls)


def _payload(call: Call) -> dict[str, object]:
    newer, failed = bodies.responses(call), bodies.failed(call)
    request = bodies.responses_request(call) if newer else bodies.chat_request(call, _BLOCKS)
    answer: dict[str, object] = {} if failed else bodies.responses_response(call) if newer else bodies.chat_response(call, _BLOCKS)
    return {
        "id": call["call_id"],
        "litellm_call_id": f"u-{call['call_id']}",
        "trace_id": f"t-{call['call_id']}",
        "session_id": call["session"] or "",
        "call_type": "aresponses" if newer else "acompletion",
        "cache_hit": False,
        "stream": call["stream"],
        "status": "failure" if failed else "success",
        "saved_cache_cost": 0.0,
        "startTime": call["ts"] / 1e6,
        "endTime": call["ts"] / 1e6 + 1,
        "model": call["model"],
        "model_group": call["model"],
        "custom_llm_provider": "openai",
        "metadata": _metadata(call),
        "response_cost": 0.0 if failed else call["cost"],
        "response_cost_failure_debug_info": None,
        "prompt_tokens": 0 if failed else call["input_tokens"],
        "completion_tokens": 0 if failed else bodies.whole(call),
        "total_tokens": 0 if failed else call["input_tokens"] + bodies.whole(call),
        "end_user": call["end_user"] or "",
        "requester_ip_address": call["ip"],
        "user_agent": call["user_agent"],
        "messages": request.pop("input") if newer else request.pop("messages"),
        "response": answer,
        "model_parameters": {name: each for name, each in request.items() if name != "model"},
        "hidden_params": {"model_id": None, "api_base": None},
        "error_information": {"error_code": str(call["status"]) if failed else "", "error_class": _ERRORS[call["status"]] if failed else ""},
        "error_str": "The request was not served." if failed else None,
    }


def _metadata(call: Call) -> dict[str, object]:
    return {
        "user_api_key_hash": call["key"],
        "user_api_key_alias": None,
        "user_api_key_team_id": None,
        "user_api_key_org_id": call["org"],
        "user_api_key_user_id": call["account"],
        "user_api_key_user_email": call["email_domain"] and f"someone@{call['email_domain']}",
        "user_api_key_request_route": call["endpoint"],
        "requester_ip_address": call["ip"],
        "user_agent": call["user_agent"],
        "usage_object": None if bodies.failed(call) else bodies.chat_usage(call),
    }


WRITERS = (
    Writer(
        name="litellm",
        format="LiteLLM standard logging payload",
        suffix=".jsonl",
        write=write,
        carries=(
            "call_id", "ts", "account", "model", "org", "key", "end_user", "session", "ip", "user_agent", "email_domain", "endpoint", "max_tokens",
            "temperature", "n", "logprobs", "top_logprobs", "reasoning_effort", "stream", "tool_names", "system", "prompt", "response", "status",
            "reasoning_out", "reasoning_in",
        ),
        own={
            "path": lambda call: "gateway",
            "upstream_id": lambda call: None if bodies.failed(call) else call["call_id"],
            "cost": lambda call: None if bodies.failed(call) else call["cost"],
            "finish": lambda call: _ERRORS[call["status"]] if bodies.failed(call) else bodies.RESPONSES_ENDS[call["finish"]] if bodies.responses(call) else call["finish"],
            "turns": lambda call: call["turns"] if bodies.responses(call) else bodies.with_system(call),
            "images": bodies.pictures,
            "tools": bodies.offered,
            "logit_bias": lambda call: bool(call["logit_bias"]),
            "input_tokens": lambda call: None if bodies.failed(call) else call["input_tokens"],
            "output_tokens": bodies.whole,
            "reasoning_tokens": lambda call: None if bodies.failed(call) else call["reasoning_tokens"],
            "cached_tokens": lambda call: None if bodies.failed(call) else call["cached_tokens"],
        },
    ),
)  # fmt: skip

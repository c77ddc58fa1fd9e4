"""What the API refuses. Every check raises RefusedError.

The API checks in two steps. The shape of a request (fields, types, ranges) is checked when it
comes in: one bad shape refuses a whole batch. Whether the request makes sense to its model is
checked when it is answered: in a batch, that request alone comes back errored.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from stand_in.refusals import RefusedError

CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
COUNTED_FIELDS = frozenset(
    """
    cache_control messages model output_config speed system thinking tool_choice tools
    """.split()
)
MESSAGE_FIELDS = COUNTED_FIELDS | frozenset(
    """
    container diagnostics inference_geo max_tokens metadata service_tier stop_sequences stream
    user_profile_id
    """.split()
)
THINKING_FIELDS = {
    "enabled": {"type", "budget_tokens", "display"},
    "adaptive": {"type", "display"},
    "disabled": {"type"},
    "between_tools": {"type"},
}
EFFORTS = ("low", "medium", "high", "xhigh", "max")
UNSUPPORTED_IN_SCHEMAS = frozenset(
    """
    exclusiveMaximum exclusiveMinimum maximum maxItems maxLength maxProperties minimum minLength
    minProperties multipleOf patternProperties prefixItems uniqueItems
    """.split()
)


@dataclass(frozen=True)
class Model:
    """What a model accepts."""

    thinking: frozenset[str]
    has_effort: bool = True
    max_tokens: int = 128_000


BUDGETED = Model(frozenset({"enabled", "disabled"}), has_effort=False, max_tokens=64_000)
BOTH = Model(frozenset({"enabled", "adaptive", "disabled"}))
ADAPTIVE = Model(frozenset({"adaptive", "disabled", "between_tools"}))
MODELS = {
    "claude-haiku-5-5": ADAPTIVE,
    "claude-sonnet-5-5": ADAPTIVE,
    "claude-opus-5-5": ADAPTIVE,
    "claude-fable-5-2": ADAPTIVE,
    "claude-mythos-5-2": ADAPTIVE,
    "claude-fable-5-1": ADAPTIVE,
    "claude-mythos-5-1": ADAPTIVE,
    "claude-sonnet-5": ADAPTIVE,
    "claude-fable-5": ADAPTIVE,
    "claude-mythos-5": ADAPTIVE,
    "claude-opus-5": ADAPTIVE,
    "claude-opus-4-8": ADAPTIVE,
    "claude-opus-4-7": ADAPTIVE,
    "claude-opus-4-6": BOTH,
    "claude-sonnet-4-6": BOTH,
    "claude-haiku-4-5-20251001": BUDGETED,
    "claude-opus-4-5-20251101": BUDGETED,
    "claude-sonnet-4-5-20250929": BUDGETED,
}
ALIASES = {
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
    "claude-opus-4-5": "claude-opus-4-5-20251101",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
}


def refuse(path: str, message: str) -> None:
    """Raise the 400 that names the place in the body."""
    raise RefusedError(400, f"{path}: {message}")


def within(path: str, name: object) -> str:
    """The path of something inside ``path``, as the API writes it."""
    return f"{path}.{name}" if path else str(name)


def is_integer(value: object) -> bool:
    """Whether it is a JSON number without a fraction; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def check_fields(
    value: object, path: str, allowed: Collection[str], required: Collection[str] = ()
) -> None:
    """An object with the required fields and none that is unknown."""
    if not isinstance(value, dict):
        refuse(path or "body", "Input should be an object")
    for name in required:
        if name not in value:
            refuse(within(path, name), "Field required")
    for name in value:
        if name not in allowed:
            refuse(within(path, name), "Extra inputs are not permitted")


# Shapes ----------------------------------------------------------------------------------------


def check_batch(body: object, max_requests: int) -> None:
    """The shape of a batch, of its custom ids and of every request in it."""
    check_fields(body, "", {"requests"}, {"requests"})
    requests = body["requests"]
    if not isinstance(requests, list):
        refuse("requests", "Input should be a valid array")
    if not 1 <= len(requests) <= max_requests:
        refuse("requests", f"Input should have 1 to {max_requests} items, not {len(requests)}")
    seen = set()
    for number, request in enumerate(requests):
        path = f"requests.{number}"
        check_fields(request, path, {"custom_id", "params"}, ("custom_id", "params"))
        check_custom_id(request["custom_id"], f"{path}.custom_id", seen)
        check_params(request["params"], f"{path}.params")
        if request["params"].get("stream"):
            refuse(f"{path}.params.stream", "Streaming is not supported in batches")


def check_custom_id(custom_id: object, path: str, seen: set[str]) -> None:
    """A custom id has its form, and only one request of the batch has it."""
    if not isinstance(custom_id, str) or not CUSTOM_ID.fullmatch(custom_id):
        refuse(path, "String should match pattern '^[a-zA-Z0-9_-]{1,64}$'")
    if custom_id in seen:
        refuse(path, f"custom_id must be unique in the batch, '{custom_id}' is not")
    seen.add(custom_id)


def check_params(params: object, path: str = "") -> None:
    """The shape of a request for a message."""
    check_fields(params, path, MESSAGE_FIELDS, ("model", "max_tokens", "messages"))
    if not is_integer(params["max_tokens"]) or params["max_tokens"] < 1:
        refuse(within(path, "max_tokens"), "Input should be an integer greater than 0")
    check_counted_params(params, path)


def check_counted_params(params: object, path: str = "") -> None:
    """The shape of what is counted: the model and what it reads."""
    if not isinstance(params["model"], str) or not params["model"]:
        refuse(within(path, "model"), "String should have at least 1 character")
    check_messages(params["messages"], within(path, "messages"))
    if "system" in params:
        check_content(params["system"], within(path, "system"))
    if "thinking" in params:
        check_thinking(params["thinking"], within(path, "thinking"))
    if "output_config" in params:
        check_output_config(params["output_config"], within(path, "output_config"))


def check_messages(messages: object, path: str) -> None:
    """A list of turns, each with a role and content."""
    if not isinstance(messages, list) or not messages:
        refuse(path, "at least one message is required")
    for number, message in enumerate(messages):
        turn = f"{path}.{number}"
        check_fields(message, turn, {"role", "content"}, ("role", "content"))
        if message["role"] not in ("user", "assistant", "system"):
            refuse(f"{turn}.role", "Input should be 'user', 'assistant' or 'system'")
        check_content(message["content"], f"{turn}.content")


def check_content(content: object, path: str) -> None:
    """A text that is not empty, or blocks."""
    if not isinstance(content, (str, list)):
        refuse(path, "Input should be a string or an array of blocks")
    if not content:
        refuse(path, "content must not be empty")
    for number, block in enumerate(content if isinstance(content, list) else ()):
        if not isinstance(block, dict) or "type" not in block:
            refuse(f"{path}.{number}.type", "Field required")
        if block["type"] == "text":
            check_fields(
                block,
                f"{path}.{number}.text",
                {"type", "text", "cache_control", "citations"},
                ("text",),
            )
            if not isinstance(block["text"], str) or not block["text"]:
                refuse(f"{path}.{number}.text", "text content blocks must be non-empty")


def check_thinking(thinking: object, path: str) -> None:
    """A kind of thinking with its own fields."""
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind not in THINKING_FIELDS:
        refuse(path, f"Input tag '{kind}' is not one of {', '.join(THINKING_FIELDS)}")
    required = ("budget_tokens",) if kind == "enabled" else ()
    check_fields(thinking, f"{path}.{kind}", THINKING_FIELDS[kind], required)
    budget = thinking.get("budget_tokens", 1024)
    if not is_integer(budget) or budget < 1024:
        refuse(f"{path}.{kind}.budget_tokens", "Input should be greater than or equal to 1024")
    if thinking.get("display") not in (None, "summarized", "omitted"):
        refuse(f"{path}.{kind}.display", "Input should be 'summarized' or 'omitted'")


def check_output_config(config: object, path: str) -> None:
    """An effort, and a format with a schema."""
    check_fields(config, path, {"effort", "format"})
    if config.get("effort") not in (None, *EFFORTS):
        refuse(f"{path}.effort", f"Input should be one of {', '.join(EFFORTS)}")
    if config.get("format") is not None:
        output_format = config["format"]
        check_fields(output_format, f"{path}.format", {"type", "schema"}, ("type", "schema"))
        if output_format["type"] != "json_schema":
            refuse(f"{path}.format.type", "Input should be 'json_schema'")
        check_schema(output_format["schema"], f"{path}.format.schema")


def check_schema(schema: object, path: str) -> None:
    """The part of JSON Schema that answers can be held to."""
    if not isinstance(schema, dict):
        refuse(path, "Input should be an object")
    for name in sorted(UNSUPPORTED_IN_SCHEMAS & schema.keys()):
        refuse(path, f"For '{schema.get('type')}' type, property '{name}' is not supported")
    if schema.get("minItems", 0) not in (0, 1):
        refuse(path, "For 'array' type, 'minItems' values other than 0 or 1 are not supported")
    if schema.get("type") == "object" or "properties" in schema:
        check_object_schema(schema, path)
    for name, part in parts_of(schema):
        check_schema(part, f"{path}.{name}")


def check_object_schema(schema: dict, path: str) -> None:
    """An object is closed, and lists which of its properties are required."""
    if schema.get("additionalProperties") is not False:
        refuse(path, "For 'object' type, 'additionalProperties' must be explicitly set to false")
    if not isinstance(schema.get("required"), list):
        refuse(path, "For 'object' type, 'required' must list the required properties")
    for name in schema["required"]:
        if name not in schema.get("properties", {}):
            refuse(path, f"'required' names '{name}', which is no property")


def parts_of(schema: dict) -> list[tuple[str, object]]:
    """The schemas inside a schema, with their places."""
    parts = [
        (f"{group}.{name}", part)
        for group in ("properties", "$defs", "definitions")
        for name, part in schema.get(group, {}).items()
    ]
    parts += [
        (f"{group}.{number}", part)
        for group in ("anyOf", "allOf")
        for number, part in enumerate(schema.get(group, ()))
    ]
    return parts + ([("items", schema["items"])] if "items" in schema else [])


def check_count(params: object) -> None:
    """The shape of a request to count tokens."""
    check_fields(params, "", COUNTED_FIELDS, ("model", "messages"))
    check_counted_params(params)


# Sense -----------------------------------------------------------------------------------------


def full_name(model: str) -> str:
    """The dated name of a model."""
    return ALIASES.get(model, model)


def check_sense(params: dict) -> None:
    """Whether the model exists and accepts what is asked of it."""
    model = MODELS.get(full_name(params["model"]))
    if model is None:
        raise RefusedError(404, f"model: {params['model']}")
    if params.get("max_tokens", 1) > model.max_tokens:
        refuse(
            "max_tokens",
            f"{params['max_tokens']} > {model.max_tokens}, which is the maximum allowed number of "
            f"output tokens for {params['model']}",
        )
    check_thinking_sense(params, model)
    if params.get("output_config", {}).get("effort") and not model.has_effort:
        raise RefusedError(400, "This model does not support the effort parameter.")


def check_thinking_sense(params: dict, model: Model) -> None:
    """Whether the model thinks in the way that is asked for, and has room left to answer."""
    thinking = params.get("thinking", {"type": "disabled"})
    if thinking["type"] not in model.thinking:
        refuse("thinking.type", f"'{thinking['type']}' is not supported by {params['model']}")
    if thinking.get("budget_tokens", 0) >= params.get("max_tokens", float("inf")):
        raise RefusedError(400, "`max_tokens` must be greater than `thinking.budget_tokens`.")

"""A validator's error in plain words.

The same engine decides and explains: jsonschema-rs gives each error as a structured value with its tree of alternatives,
so an explanation never disagrees with the decision. Its own texts are not used, they print whole documents.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from jsonschema_rs import ValidationError
from jsonschema_rs import ValidationErrorKind as Kind

from compiler.canonical import Json
from compiler.problems import Finding, Pointer
from compiler.suggest import did_you_mean, listed, quoted

_TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a string",
}
_BEST_FIRST = ("wrong-type", "wrong-length", "out-of-range", "wrong-value")


@dataclass(frozen=True)
class Context:
    """The schema that was broken, for what it says of itself: known fields, `x-expects` and `x-why`.

    Without `fixes` no known field is looked for in the place of an unknown one.
    """

    schema: Json
    fixes: bool = True

    def at(self, error: ValidationError) -> dict[str, Any]:
        """The subschema that holds the broken keyword; empty where it cannot be found."""
        node = self.schema
        for step in error.schema_path[:-1]:
            try:
                node = node[step]
            except (KeyError, IndexError, TypeError):
                return {}
        return node if isinstance(node, dict) else {}


def explain(errors: Iterable[ValidationError], schema: Json, *, fixes: bool = True) -> tuple[Finding, ...]:
    """Findings for a validator's errors against `schema`, each once, best match first where a value had alternatives.

    Who tells only what is wrong spares the search for the field that was meant, without `fixes`.
    """
    context = Context(schema, fixes)
    found = (finding for error in errors for finding in _explain(error, context))
    return tuple(_best(dict.fromkeys(found)))


def _best(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Of several complaints about one value the one that says most; each missing or unknown field stands for itself."""
    chosen: dict[tuple[object, ...], Finding] = {}
    for finding in findings:
        if finding.rule in _BEST_FIRST:
            key: tuple[object, ...] = (finding.pointer, finding.at_key)
            best = chosen.setdefault(key, finding)
            if _BEST_FIRST.index(finding.rule) < _BEST_FIRST.index(best.rule):
                chosen[key] = finding
        else:
            chosen[(finding,)] = finding
    yield from chosen.values()


def _explain(error: ValidationError, context: Context) -> Iterator[Finding]:
    pointer = tuple(error.instance_path)
    say = partial(Finding, pointer)
    match error.kind:
        case Kind.AdditionalProperties(names) | Kind.UnevaluatedProperties(names):
            yield from (_unknown(pointer, name, error, context) for name in names)
        case Kind.Required(name):
            yield _missing(pointer, name, context.at(error))
        case Kind.AnyOf(branches) | Kind.OneOfNotValid(branches):
            yield from _alternatives(error, branches, context)
        case Kind.OneOfMultipleValid():
            yield say("wrong-value", f"{_found(error)} fits several alternatives of which only one may fit.")
        case Kind.PropertyNames(inner):
            yield _bad_name(pointer, inner, context)
        case Kind.Not():
            yield say("wrong-value", f"{_found(error)} is just what the schema excludes.")
        case Kind.FalseSchema():
            yield say("wrong-value", f"No value is allowed here; found {_described(error.instance)}.")
        case _:
            yield _limit(error, context.at(error))


def _limit(error: ValidationError, schema: dict[str, Any]) -> Finding:
    """One value against one keyword."""
    rule, text = _wording(error)
    expected = expectation(schema)
    if isinstance(error.kind, Kind.Pattern) and expected:
        text = "is not accepted here"  # the expectation says the same as the pattern, in words
    parts = (_nearest(error), f"Expected {expected}." if expected else None, schema.get("x-why"))
    fix = " ".join(part for part in parts if part) or None
    return Finding(tuple(error.instance_path), rule, f"{_found(error)} {text}.", fix)


def _nearest(error: ValidationError) -> str | None:
    """The option that a misspelt word meant."""
    match error.kind:
        case Kind.Enum(options) if isinstance(error.instance, str):
            return did_you_mean(error.instance, [option for option in options if isinstance(option, str)])
        case _:
            return None


def _wording(error: ValidationError) -> tuple[str, str]:  # noqa: C901, PLR0912 - one case a keyword
    """The rule's name and what follows "Found x": one case for each keyword."""
    match error.kind:
        case Kind.Type(types):
            return "wrong-type", f"is not {' or '.join(_TYPES[name] for name in sorted(types))}"
        case Kind.Enum(options):
            return "wrong-value", f"is not one of {_values(options)}"
        case Kind.Constant(value):
            return "wrong-value", f"is not {_described(value)}"
        case Kind.Pattern(pattern):
            return "wrong-value", f"does not match the pattern {pattern}"
        case Kind.Format(name):
            return "wrong-value", f"is not in the format {quoted(name)}"
        case Kind.Minimum(limit):
            return "out-of-range", f"is less than {number(limit)}"
        case Kind.Maximum(limit):
            return "out-of-range", f"is more than {number(limit)}"
        case Kind.ExclusiveMinimum(limit):
            return "out-of-range", f"is not more than {number(limit)}"
        case Kind.ExclusiveMaximum(limit):
            return "out-of-range", f"is not less than {number(limit)}"
        case Kind.MultipleOf(factor):
            return "out-of-range", f"is no multiple of {number(factor)}"
        case Kind.MinLength(limit):
            return "wrong-length", f"is shorter than {_count(limit, 'character')}"
        case Kind.MaxLength(limit):
            return "wrong-length", f"is longer than {_count(limit, 'character')}"
        case Kind.MinItems(limit):
            return "wrong-length", f"has fewer than {_count(limit, 'item')}"
        case Kind.MaxItems(limit) | Kind.AdditionalItems(limit):
            return "wrong-length", f"has more than {_count(limit, 'item')}"
        case Kind.MinProperties(limit):
            return "wrong-length", f"has fewer than {_count(limit, 'field')}"
        case Kind.MaxProperties(limit):
            return "wrong-length", f"has more than {_count(limit, 'field')}"
        case Kind.UniqueItems():
            return "duplicate-item", f"holds {_twice(error.instance)} twice"
        case Kind.Contains():
            return "wrong-value", "lacks an item that it must contain"
        case kind:
            return "wrong-value", f"breaks the schema's {quoted(kind.name)}"


def _twice(items: Json) -> str:
    """The first item that stands in the list before."""
    listed = items if isinstance(items, list) else []
    found = next((item for number, item in enumerate(listed) if item in listed[:number]), None)
    return "an item" if isinstance(found, dict | list | None) else _described(found)


def expectation(schema: dict[str, Any]) -> str | None:
    """What a schema takes, in words: its own `x-expects`, or what its type and limits say."""
    if "x-expects" in schema:
        return str(schema["x-expects"])
    if schema.get("type") == "integer" and "minimum" in schema and "maximum" in schema:
        return f"a whole number from {schema['minimum']} to {schema['maximum']}"
    return None


def _missing(pointer: Pointer, name: str, schema: dict[str, Any]) -> Finding:
    below = schema.get("properties", {}).get(name, {})
    expected = expectation(below) if isinstance(below, dict) else None
    fix = f"Add {quoted(name)}: {expected}." if expected else f"Add {quoted(name)}."
    return Finding(pointer, "missing-field", f"The field {quoted(name)} is missing.", fix)


def _unknown(pointer: Pointer, name: str, error: ValidationError, context: Context) -> Finding:
    fix = _known_field(name, context.at(error)) if context.fixes else None
    return Finding((*pointer, name), "unknown-field", f"There is no field {quoted(name)}.", fix, at_key=True)


def _known_field(name: str, schema: dict[str, Any]) -> str:
    known = list(schema.get("properties", {}))
    shown = [field for field in known if not field.startswith("$")]
    return did_you_mean(name, known) or (f"Known fields: {listed(shown, 'and')}." if shown else "Remove it.")


def _bad_name(pointer: Pointer, inner: ValidationError, context: Context) -> Finding:
    finding = _limit(inner, context.at(inner))
    return Finding((*pointer, str(inner.instance)), "wrong-name", finding.message, finding.fix, at_key=True)


def _alternatives(
    error: ValidationError, branches: list[list[ValidationError]], context: Context
) -> Iterator[Finding]:
    """The errors of the one alternative that was meant, or what the alternatives are."""
    meant = [branch for branch in branches if not any(_rules_out(inner, error) for inner in branch)]
    if len(meant) == 1:
        yield from (finding for inner in meant[0] for finding in _explain(inner, context))
        return
    expected = expectation(context.at(error))
    near = next((text for branch in branches for inner in branch if (text := _nearest(inner))), None)
    parts = (near, f"Expected {expected}." if expected else None)
    fix = " ".join(part for part in parts if part) or None
    yield Finding(tuple(error.instance_path), "wrong-value", f"{_found(error)} is not accepted here.", fix)


def _rules_out(inner: ValidationError, error: ValidationError) -> bool:
    """True where an alternative was not meant: the value as a whole has another type, or is another word."""
    whole = inner.instance_path == error.instance_path
    return whole and isinstance(inner.kind, Kind.Type | Kind.Constant | Kind.Enum)


def _found(error: ValidationError) -> str:
    text = _described(error.instance)
    return text[:1].upper() + text[1:] if text.startswith("a") else text


def _described(value: Json) -> str:
    match value:
        case None | bool():
            return json.dumps(value)
        case int() | float() | Decimal():
            return number(value)
        case str():
            return quoted(value if len(value) <= 60 else value[:59] + "…")
        case list():
            return f"a list of {_count(len(value), 'item')}"
        case _:
            return "an object"


def number(value: Any) -> str:
    """A number as JSON writes it, Decimal included; cut at 40 characters."""
    text = str(value) if isinstance(value, Decimal) else json.dumps(value)
    return text if len(text) <= 40 else text[:39] + "…"


def _values(options: list[Json]) -> str:
    texts = [json.dumps(option, ensure_ascii=False, default=str) for option in options[:12]]
    return ", ".join([*texts, *(["…"] if len(options) > 12 else [])])


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"

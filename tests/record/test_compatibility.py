"""Does a new record schema admit what an old one admitted? A table of changes, and any two schemas."""

import json
from copy import deepcopy
from decimal import Decimal

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compiler.canonical import JsonDocument
from compiler.record.compatibility import Verdict, compare, shown
from compiler.record.meaning import same_meaning
from tests.record.strategies import dataset_of, manifests, property_schemas, records

YES, NO, UNKNOWN = Verdict.YES, Verdict.NO, Verdict.UNKNOWN
UUID, INSTANT = {"type": "string", "format": "uuid"}, {"type": "string", "format": "date-time"}


def text(**keywords):
    return {"type": "string", **keywords}


def integer(**keywords):
    return {"type": "integer", **keywords}


def closed(required=(), **properties):
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": properties,
    }


def effective(record, options=None):
    """The effective schema of a dataset with that record, an instant that it always has, and those columns."""
    record = {**record, "properties": {"at": INSTANT, **record.get("properties", {})}}
    record["required"] = ["at", *record.get("required", [])]
    if record.get("additionalProperties") is not False and "unevaluatedProperties" not in record:
        options = {"raw": {"from": "$record"}, **(options or {})}
    manifest = {
        "name": "alerts",
        "version": 1,
        "owner": "team",
        "record": deepcopy(record),
        "table": {"key": "$message", "columns": options or {}},
    }
    return dataset_of(manifest).effective


def opened(**properties):
    return {"type": "object", "properties": properties}


def tree(value):
    node = closed(below={"type": "array", "items": {"$ref": "#/$defs/node"}}, value=value)
    return {**closed(root={"$ref": "#/$defs/node"}), "$defs": {"node": node}}


def scale(type_):
    return {"amount": {"type": type_}}


AMOUNT = closed(amount={"type": "number"})
BOTH = closed(a=integer(), b=integer())
# title: (old, new, verdict, part of what is told of the change or of the sample)
CASES = {
    "nothing": (closed(a=text()), closed(a=text()), YES, ""),
    "description only": (closed(a=text(description="x")), closed(a=text(description="y")), YES, ""),
    "enum widened": (closed(a=text(enum=["x"])), closed(a=text(enum=["x", "y"])), YES, 'gained "y"'),
    "enum narrowed": (closed(a=text(enum=["x", "y"])), closed(a=text(enum=["x"])), NO, '"y" is not one of'),
    "enum added": (closed(a=text()), closed(a=text(enum=["x"])), NO, '"enum" is new'),
    "const added": (closed(a=integer()), closed(a={"const": 1}), NO, "is not 1"),
    "const another": (closed(a={"const": "x"}), closed(a={"const": "y"}), NO, '"x" is not "y"'),
    "const to enum": (closed(a={"const": "x"}), closed(a={"enum": ["x", "y"]}), YES, '"const" was "x"'),
    "longer text": (closed(a=text(maxLength=5)), closed(a=text(maxLength=9)), YES, "was 5 and is 9"),
    "shorter text": (closed(a=text(maxLength=9)), closed(a=text(maxLength=5)), NO, "longer than 5"),
    "minLength up": (closed(a=text(minLength=1)), closed(a=text(minLength=2)), NO, "shorter than 2"),
    "minLength down": (closed(a=text(minLength=2)), closed(a=text(minLength=1)), YES, "was 2 and is 1"),
    "maximum down": (closed(a=integer(maximum=9)), closed(a=integer(maximum=8)), NO, "9 is more than 8"),
    "maximum up": (closed(a=integer(maximum=8)), closed(a=integer(maximum=9)), YES, "was 8 and is 9"),
    "required added": (closed(a=text()), closed(["a"], a=text()), NO, 'The field "a" is missing'),
    "required removed": (closed(["a"], a=text()), closed(a=text()), YES, "no longer required"),
    "optional property to closed": (closed(a=text()), closed(a=text(), b=text()), YES, "b: new"),
    "required property to closed": (
        closed(a=text()),
        closed(["b"], a=text(), b=text()),
        NO,
        '"b" is missing',
    ),
    "property to open": (opened(a=text()), opened(a=text(), b=integer()), NO, "is not a whole number"),
    "optional property removed": (closed(a=text(), b=text()), closed(a=text()), UNKNOWN, 'no field "b"'),
    "required property removed": (closed(["b"], a=text(), b=text()), closed(a=text()), NO, 'no field "b"'),
    "removed and narrowed": (closed(a=text(), b=text()), closed(a=text(maxLength=5)), NO, "longer than 5"),
    "property removed from open": (opened(a=text(), b=text()), opened(a=text()), YES, "no longer declared"),
    "closed": (opened(a=text()), closed(a=text()), NO, 'no field "other"'),
    "opened": (closed(a=text()), opened(a=text()), YES, '"additionalProperties" was false'),
    "integer to number": (closed(a=integer()), closed(a={"type": "number"}), YES, 'was "integer"'),
    "number to integer": (closed(a={"type": "number"}), closed(a=integer()), NO, "is not a whole number"),
    "text to integer": (closed(a=text()), closed(a=integer()), NO, "is not a whole number"),
    "null admitted": (closed(a=text()), closed(a={"type": ["string", "null"]}), YES, "was"),
    "null no longer": (closed(a={"type": ["string", "null"]}), closed(a=text()), NO, "null is not a string"),
    "pattern removed": (closed(a=text(pattern="^a")), closed(a=text()), YES, "is gone"),
    "pattern added": (closed(a=text()), closed(a=text(pattern="^[b-y]$")), NO, "does not match"),
    "pattern narrowed": (
        closed(["a"], a=text(pattern="^[a-f0-9]+$")),
        closed(["a"], a=text(pattern="^[a-f]+$")),
        NO,
        '"0" does not match the pattern',
    ),
    "pattern widened": (
        closed(a=text(pattern="^[a-f]+$")),
        closed(a=text(pattern="^[a-f0-9]+$")),
        UNKNOWN,
        '"pattern" was "^[a-f]+$" and is',
    ),
    "format added": (closed(a=text()), closed(a=UUID), NO, '"format" is new: "uuid"'),
    "format removed": (closed(a=UUID), closed(a=text()), YES, "is gone"),
    "format another": (closed(a=UUID), closed(a=INSTANT), NO, "does not match"),
    "nested property added": (
        closed(o=closed(a=text())),
        closed(o=closed(a=text(), b=text())),
        YES,
        "o.b: new",
    ),
    "nested property removed": (
        closed(o=closed(a=text(), b=text())),
        closed(o=closed(a=text())),
        UNKNOWN,
        'o.b: There is no field "b"',
    ),
    "nested limit": (
        closed(o=closed(a=integer(maximum=9))),
        closed(o=closed(a=integer(maximum=5))),
        NO,
        "o.a: 9 is more than 5",
    ),
    "items narrowed": (
        closed(o={"type": "array", "items": text()}),
        closed(o={"type": "array", "items": text(enum=["x"])}),
        NO,
        "o[]: ",
    ),
    "fewer items": (
        closed(o={"type": "array", "items": text(), "maxItems": 3}),
        closed(o={"type": "array", "items": text(), "maxItems": 2}),
        NO,
        "more than 2 items",
    ),
    "values of a map narrowed": (
        closed(o={"type": "object", "additionalProperties": {"type": ["string", "integer"]}}),
        closed(o={"type": "object", "additionalProperties": text()}),
        NO,
        "o.other: ",
    ),
    "names of a map narrowed": (
        closed(o={"type": "object", "additionalProperties": text()}),
        closed(
            o={"type": "object", "additionalProperties": text(), "propertyNames": {"pattern": "^[a-z]+$"}}
        ),
        NO,
        "o",
    ),
    "one field asks for another": (BOTH, {**BOTH, "dependentRequired": {"a": ["b"]}}, NO, '"b" is missing'),
    "a condition": (
        BOTH,
        {**BOTH, "if": {"required": ["a"]}, "then": {"required": ["b"]}},
        NO,
        '"b" is missing',
    ),
    "recursion, unchanged": (tree(integer()), tree(integer()), YES, ""),
    "recursion, narrowed": (tree({"type": "number"}), tree(integer()), NO, "root.value"),
    "recursion, widened": (tree(integer()), tree({"type": "number"}), UNKNOWN, 'root.value: "type" was'),
}
NUMERICS = {
    "more digits": ("numeric(6,2)", "numeric(8,2)", YES, "was 10000 and is 1000000"),
    "fewer digits": ("numeric(8,2)", "numeric(6,2)", NO, "is not less than 10000"),
    "more decimals": ("numeric(8,2)", "numeric(10,4)", YES, "was 0.01 and is 0.0001"),
    "fewer decimals": ("numeric(10,4)", "numeric(8,2)", NO, "is no multiple of 0.01"),
}


def judged(old, new):
    found = compare(old, new)
    proven(found, old, new)
    return found


def proven(found, old, new):
    """Each sample is admitted by the one schema and refused by the other."""
    for samples, admits, refuses in ((found.refused, old, new), (found.admitted, new, old)):
        for sample in samples:
            assert validator(admits).is_valid(sample.record.value), sample
            assert not validator(refuses).is_valid(sample.record.value), sample


def validator(document):
    return jsonschema_rs.Draft202012Validator(document.value, validate_formats=True)


def told(found):
    return " | ".join(map(str, (*found.changes, *found.refused)))


@pytest.mark.parametrize(("old", "new", "verdict", "words"), CASES.values(), ids=CASES)
def test_a_change_is_judged_and_told(old, new, verdict, words):
    found = judged(effective(old), effective(new))
    assert (found.verdict, words in told(found)) == (verdict, True), told(found)
    assert bool(found.refused) or verdict is not NO, "a no has its sample"


@pytest.mark.parametrize(("old", "new", "verdict", "words"), NUMERICS.values(), ids=NUMERICS)
def test_a_columns_type_is_judged_with_the_record(old, new, verdict, words):
    found = judged(effective(AMOUNT, scale(old)), effective(AMOUNT, scale(new)))
    assert (found.verdict, words in told(found)) == (verdict, True), told(found)


def test_each_difference_has_a_sample_that_shows_only_that_one():
    old = closed(a=text(enum=["x", "y"]), b=integer(maximum=9), c=text())
    new = closed(["c"], a=text(enum=["x"]), b=integer(maximum=5), c=text())
    found = judged(effective(old), effective(new))
    refuse = validator(effective(new))
    assert [len(list(refuse.iter_errors(sample.record.value))) for sample in found.refused] == [1, 1, 1]
    assert [sample.pointer for sample in found.refused] == [("a",), ("b",), ()]


def test_what_is_admitted_now_is_told_too():
    found = judged(effective(closed(a=text(maxLength=5))), effective(closed(a=text(maxLength=6), b=text())))
    assert (found.verdict, found.widens) == (YES, YES)
    assert [sample.pointer for sample in found.admitted] == [("a",), ("b",)]
    assert judged(effective(closed(a=text())), effective(closed(a=text()))).widens is NO


def test_a_record_outweighs_a_proof_that_is_open():
    date = text(format="date")
    found = judged(effective(closed(a=date)), effective(closed(a={**date, "maxLength": 9})))
    assert (found.proof, found.verdict) == (UNKNOWN, NO)


def test_a_known_record_is_looked_at():
    pattern = "^(?=.*7).{3}$"
    old, new = (
        effective(closed(["a"], a=text(pattern=pattern))),
        effective(closed(["a"], a=text(maxLength=2))),
    )
    known = {"at": "2024-01-02T03:04:05Z", "a": "x7x"}
    assert compare(old, new, [known]).refused[0].record.value == known


def test_the_same_schemas_give_the_same_samples():
    old, new = effective(closed(a=text(), b=UUID)), effective(closed(a=text(maxLength=7), b=INSTANT))
    assert compare(old, new) == compare(old, new)


def test_of_two_datasets_that_take_the_same_step_each_is_shown_a_record_of_its_own():
    def shown_of(name):
        old, new = (effective(closed([name], **{name: UUID}, a=text(maxLength=most))) for most in (9, 5))
        return compare(old, new).refused[0].record.value

    assert [set(shown_of(name)) for name in ("host", "job")] == [{"at", "host", "a"}, {"at", "job", "a"}]


def test_annotations_are_no_change_of_meaning():
    assert same_meaning(effective(closed(a=text(title="x"))), effective(closed(a=text(title="y"))))
    assert not same_meaning(effective(closed(a=text())), effective(closed(a=text(maxLength=5))))


def test_a_change_of_what_the_platform_says_of_jsonb_is_none_of_the_author():
    old = effective(closed(o={"type": "object"})).value
    old["$defs"]["sluice_json"]["multipleOf"] = 1e-300
    new = effective(closed(o={"type": "object"}))
    assert same_meaning(JsonDocument.of(old), new)
    assert compare(JsonDocument.of(old), new).verdict is YES


def test_a_word_that_is_lost_among_many_is_found():
    many = [f"v{number}" for number in range(3000)]
    found = judged(effective(closed(a=text(enum=many))), effective(closed(a=text(enum=many[:-20]))))
    assert found.refused[0].record.value["a"] in many[-20:]
    assert str(found.changes[0]).endswith('"v2990", "v2991", …')


def test_a_long_text_is_cut_for_people():
    assert shown({"a": "x" * 1500, "b": [1]}) == '{"a": "' + "x" * 60 + '… (1,500 characters)", "b": [1]}'


@st.composite
def pairs(draw):
    """Two datasets: the second has properties of the first drawn anew, one dropped, others required or not."""
    old = draw(manifests())
    new = deepcopy(old)
    record, columns = new["record"], new["table"].setdefault("columns", {})
    new["table"] |= {"key": "$message"}
    new["table"].pop("on_conflict", None)
    for part in ("indexes", "checks"):
        new["table"].pop(part, None)
    for name in draw(st.sets(st.sampled_from(sorted(record["properties"])), max_size=2)):
        changed, options = draw(property_schemas())
        kept = {key: value for key, value in columns.get(name, {}).items() if key == "column"}
        record["properties"][name], columns[name] = changed, {**options, **kept}
    if len(record["properties"]) > 1 and draw(st.integers(0, 3)) == 0:
        name = draw(st.sampled_from(sorted(record["properties"])))
        record["properties"].pop(name)
        columns.pop(name, None)
    record["required"] = [
        name for name in record["properties"] if (name in record["required"]) ^ (draw(st.integers(0, 7)) == 0)
    ]
    return dataset_of(old), dataset_of(new)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(pair=pairs(), data=st.data())
def test_a_yes_holds_for_any_record_and_a_sample_for_both_validators(pair, data):
    old, new = pair
    found = judged(old.effective, new.effective)
    if found.verdict is YES:
        admits = validator(new.effective)
        for _ in range(5):
            record = data.draw(records(old))
            assert admits.is_valid(record), json.dumps(record, default=as_text)


def as_text(value):
    assert isinstance(value, Decimal)
    return str(value)


ALIKE = {
    "same": text(pattern="^[A-Z]{3}$"),
    "other": integer(minimum=7),
    "free": {"type": ["object", "null"]},
}


@pytest.mark.parametrize("case", CASES)
def test_properties_that_are_alike_decide_nothing(case):
    """They are set apart where each property is judged by itself, and a sample has those that are required."""
    old, new, verdict, words = CASES[case]
    if any(side.get("additionalProperties") is not False or "$ref" in side for side in (old, new)):
        return
    more = (
        {**side, "properties": {**side["properties"], **ALIKE}, "required": [*side["required"], "same"]}
        for side in (old, new)
    )
    found = judged(*map(effective, more))
    assert (found.verdict, words in told(found)) == (verdict, True)
    assert all(sample.record.value["same"] for sample in (*found.refused, *found.admitted))


def test_a_property_on_which_another_depends_is_not_set_apart():
    old = closed(["kind", "note"], kind=text(enum=["a", "b"]), note=text())
    rule = {
        "if": {"properties": {"kind": {"const": "b"}}},
        "then": {"properties": {"note": {"maxLength": 3}}},
    }
    found = judged(effective(old), effective({**old, **rule}))
    assert (found.verdict, found.refused[0].record.value["kind"]) == (NO, "b")


def test_no_record_shown_holds_what_the_decoder_refuses():
    old, new = (effective(closed(word={"enum": words})) for words in (["b\0", "bcd", "b\0c"], ["x\0"]))
    found = compare(old, new)
    assert [sample.record.value["word"] for sample in found.refused] == ["bcd"]
    assert not found.admitted


def test_a_property_that_was_not_known_is_shown_by_its_shortest_value():
    options = {"word": {"enum": ["longest", "long", "longer"]}, "count": integer(minimum=100, maximum=200)}
    found = compare(effective(closed()), effective(closed(**options)))
    shown_now = [sample.record.value for sample in found.admitted]
    assert [{name: value for name, value in record.items() if name != "at"} for record in shown_now] == [
        {"count": 100},
        {"word": "long"},
    ]

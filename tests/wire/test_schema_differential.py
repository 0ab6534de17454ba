# SPDX-License-Identifier: Apache-2.0
"""Verdicts against python3-jsonschema, over schemas and instances made from a seed; each of ours by tree, by bytes, and explained.
COMMUTE_TEST_SEEDS: how many seeds (4), from COMMUTE_TEST_FIRST on; a seed is 600 schemas with 12 instances each.

Versions of it before 4.18, Debian's among them, decide draft 2019-09, `unevaluated…` and dynamic references wrongly: with a newer one
(run pytest with a Python that has it) those are asked too. `unevaluated…` of draft 2019-09 is not: 4.26 has it wrong still."""
import contextlib
import importlib.metadata
import json
import os
import random
import subprocess

import pytest

DRAFTS = {"http://json-schema.org/draft-04/schema#": "Draft4Validator",
          "http://json-schema.org/draft-06/schema#": "Draft6Validator",
          "http://json-schema.org/draft-07/schema#": "Draft7Validator",
          "https://json-schema.org/draft/2020-12/schema": "Draft202012Validator"}
MODERN = False
with contextlib.suppress(ImportError):
    MODERN = tuple(map(int, importlib.metadata.version("jsonschema").split(".")[:2])) >= (4, 18)
if MODERN:
    DRAFTS["https://json-schema.org/draft/2019-09/schema"] = "Draft201909Validator"
ROOT = "https://test.example/root"
NAMES = ["a", "b", "c", "ab", "é"]
# Neither 0 nor 1: Debian's version takes them for false and true inside of enum.
SCALARS = [None, True, False, -1, 2, 2.0, 3, 4, 1.5, 10, "", "a", "b", "ab", "aa", "é", "abc", 0.5, 100]


def value(seeded, depth):
    kind = seeded.random()
    if depth <= 0 or kind < .5:
        return seeded.choice(SCALARS)
    if kind < .75:
        return [value(seeded, depth - 1) for _ in range(seeded.randint(0, 3))]
    return {name: value(seeded, depth - 1) for name in seeded.sample(NAMES, seeded.randint(0, 4))}


class Maker:
    """Schemas of one draft, of keywords whose meaning is not in doubt."""

    def __init__(self, seeded, dialect):
        self.seeded, self.old = seeded, "/draft-0" in dialect
        self.four, self.seven, self.nine = "draft-04" in dialect, "draft-07" in dialect or not self.old, "2019" in dialect
        self.resources = MODERN and not self.old and seeded.random() < .3       # definitions are resources, refers dynamically
        self.definitions = "definitions" if self.old else "$defs"

    def document(self, dialect):
        schema = self.schema(3)
        schema = {} if isinstance(schema, bool) else schema
        if self.old and "$ref" in schema:
            schema = {"allOf": [schema]}
        definitions = {name: self.schema(2, False) for name in "xyz"}
        result = {"$schema": dialect, **schema, self.definitions: definitions}
        if self.resources:
            for name, inner in [(ROOT, result), *definitions.items()]:
                if isinstance(inner, dict):
                    inner["$id"] = name
                    if self.seeded.random() < .7:
                        inner.update({"$recursiveAnchor": True} if self.nine else {"$dynamicAnchor": "node"})
            result.update({} if self.nine else {"$dynamicAnchor": "node"})
        return result

    def schema(self, depth, refers=True):
        seeded = self.seeded
        if seeded.random() < .08 and not self.four:
            return seeded.random() < .7
        result = {}
        for _ in range(seeded.choice([1, 1, 2, 3])):
            self.keyword(result, depth, refers)
        return result

    def many(self, depth, refers):
        return [self.schema(depth - 1, refers) for _ in range(self.seeded.randint(1, 3))]

    def child(self, depth, refers):
        """Of what is inside the instance: a dynamic reference ends there."""
        if self.resources and self.seeded.random() < .25:
            return {"$recursiveRef": "#"} if self.nine else {"$dynamicRef": f"{ROOT}#node"}
        return self.schema(depth - 1, refers)

    def keyword(self, to, depth, refers):
        seeded = self.seeded
        simple = [self.types, self.numbers, self.strings, self.sizes, self.values, self.required]
        nested = [self.properties, self.items, self.branches, self.conditions, self.additional]
        if MODERN and not self.old and not self.nine:
            nested.append(self.unevaluated)
        if refers and seeded.random() < (.3 if self.resources else .1):
            to["$ref"] = f"{ROOT if self.resources else ''}#/{self.definitions}/{seeded.choice('xyz')}"
        elif depth <= 0 or seeded.random() < .45:
            seeded.choice(simple)(to)
        else:
            seeded.choice(nested)(to, depth, refers)

    def types(self, to):
        kinds = ["null", "boolean", "integer", "number", "string", "array", "object"]
        to["type"] = self.seeded.choice(kinds) if self.seeded.random() < .6 else self.seeded.sample(kinds, self.seeded.randint(1,
                4))

    def numbers(self, to):
        name = self.seeded.choice(["minimum", "maximum", "multipleOf"] + ([] if self.four else ["exclusiveMinimum",
                                                                                                "exclusiveMaximum"]))
        to[name] = self.seeded.choice([1, 2, 0.5, 3] if name == "multipleOf" else [-1, 0, 1, 1.5, 2, 10])
        if self.four and name != "multipleOf" and self.seeded.random() < .3:
            to["exclusive" + name.capitalize()] = True

    def strings(self, to):
        name = self.seeded.choice(["minLength", "maxLength", "pattern"])
        to[name] = self.seeded.choice(["^a", "b$", "^[a-c]*$", "é", "^.{2}$",
                                       "a|b"]) if name == "pattern" else self.seeded.randint(0, 3)

    def sizes(self, to):
        name = self.seeded.choice(["minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties"])
        to[name] = True if name == "uniqueItems" else self.seeded.randint(0, 3)

    def values(self, to):
        if self.four or self.seeded.random() < .6:
            chosen = []
            for _ in range(4):
                one = value(self.seeded, 1)
                if one not in chosen:
                    chosen.append(one)
            to["enum"] = chosen
        else:
            to["const"] = value(self.seeded, 2)

    def required(self, to):
        to["required"] = self.seeded.sample(NAMES, self.seeded.randint(1, 2))

    def properties(self, to, depth, refers):
        name = self.seeded.choice(["properties", "patternProperties"])
        keys = NAMES if name == "properties" else ["^a", "b", "é$"]
        to[name] = {key: self.child(depth, refers) for key in self.seeded.sample(keys, self.seeded.randint(1, 3))}

    def unevaluated(self, to, depth, refers):
        name = self.seeded.choice(["unevaluatedProperties", "unevaluatedItems"])
        to[name] = False if self.seeded.random() < .5 else self.child(depth, refers)
        where = self.seeded.choice([self.branches, self.conditions, self.items, self.properties, self.additional])
        where(to, depth, refers)

    def additional(self, to, depth, refers):
        names = ["additionalProperties"] + ([] if self.four else ["propertyNames"]) + ([] if self.old else ["dependentSchemas"])
        name = self.seeded.choice(names)
        inner = self.schema(depth - 1, refers)
        to[name] = {self.seeded.choice(NAMES): inner} if name == "dependentSchemas" else inner
        if self.four and isinstance(inner, dict) and self.seeded.random() < .3:
            to[name] = False

    def items(self, to, depth, refers):
        if not self.four and self.seeded.random() < .3:
            to["contains"] = self.schema(depth - 1, refers)
            if not self.old and self.seeded.random() < .5:
                to[self.seeded.choice(["minContains", "maxContains"])] = self.seeded.randint(0, 2)
        elif (self.old or self.nine) and self.seeded.random() < .4:
            to["items"] = self.many(depth, refers)
            if self.seeded.random() < .6:
                to["additionalItems"] = self.schema(depth - 1, refers)
        elif not self.old and not self.nine and self.seeded.random() < .4:
            to["prefixItems"] = self.many(depth, refers)
        else:
            to["items"] = self.child(depth, refers)

    def branches(self, to, depth, refers):
        name = self.seeded.choice(["allOf", "anyOf", "oneOf", "not"])
        to[name] = self.schema(depth - 1, refers) if name == "not" else self.many(depth, refers)

    def conditions(self, to, depth, refers):
        if not self.seven:
            return self.branches(to, depth, refers)
        for name in ("if", "then", "else"):
            if name == "if" or self.seeded.random() < .7:
                to[name] = self.schema(depth - 1, refers)
        return None


def questions(seed, count):
    seeded = random.Random(seed)
    for _ in range(count):
        dialect = seeded.choice(sorted(DRAFTS))
        yield [Maker(seeded, dialect).document(dialect)] + [value(seeded, 3) for _ in range(12)]


FIRST = int(os.environ.get("COMMUTE_TEST_FIRST", "0"))


@pytest.mark.parametrize("seed", range(FIRST, FIRST + int(os.environ.get("COMMUTE_TEST_SEEDS", "4"))))
def test_verdicts_are_those_of_another_implementation(build, seed):
    jsonschema = pytest.importorskip("jsonschema", reason="python3-jsonschema is not installed")
    asked = list(questions(seed, 600))
    text = "".join(json.dumps(["schema", *question]) + "\n" for question in asked)
    done = subprocess.run([build / "tests/probe"], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    answers = done.stdout.splitlines()
    assert len(answers) == len(asked)
    different, decided = [], 0
    for (schema, *instances), answer in zip(asked, answers):
        validator = getattr(jsonschema, DRAFTS[schema["$schema"]])(schema)
        try:
            theirs = "".join("1" if validator.is_valid(instance) else "0" for instance in instances)
        except TypeError:               # 4.26 of an additionalItems beside an `items` that is no list
            continue
        decided += len(answer) == len(instances)
        if answer != theirs:
            wrong = [instance for instance, our, their in zip(instances, answer, theirs) if our != their]
            different.append((json.dumps(schema), answer, theirs, json.dumps(wrong)))
    assert not different, f"{len(different)} differ: {min(different, key=lambda one: len(one[0]))}"
    assert decided > 500


def test_in_draft_4_how_a_number_is_written_decides_whether_it_is_an_integer(build):
    schema = {"$schema": "http://json-schema.org/draft-04/schema#", "type": "integer", "enum": [2, 3]}
    done = subprocess.run([build / "tests/probe"], input=json.dumps(["schema", schema, 2, 2.0, 4]) + "\n", capture_output=True, text=True)
    assert done.stdout == "100\n"

# SPDX-License-Identifier: Apache-2.0
"""What is measured: sets of a schema and instances, made from a seed. The user's events are the contracts of the tree; the other
schemas are ours, written in the manner of what they are named after."""
import json
import pathlib
import random
import string

ROOT = pathlib.Path(__file__).resolve().parents[2]
DRAFT = "https://json-schema.org/draft/2020-12/schema"
SEVEN = "http://json-schema.org/draft-07/schema#"
TEXT = {"type": "string"}
WHOLE = {"type": "integer"}


def word(seeded, least=3, most=10):
    return "".join(seeded.choice(string.ascii_lowercase) for _ in range(seeded.randint(least, most)))


def sentence(seeded, count):
    return " ".join(word(seeded) for _ in range(count)).capitalize()


def shuffled(seeded, value):
    if isinstance(value, dict):
        items = list(value.items())
        seeded.shuffle(items)
        return {key: shuffled(seeded, inner) for key, inner in items}
    return [shuffled(seeded, inner) for inner in value] if isinstance(value, list) else value


def event(seeded, schema, number):
    """An instance of a contract: of each property what its schema says."""
    if "$ref" in schema:
        raise ValueError("resolve references first")
    kind = schema.get("type")
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return seeded.choice(schema["enum"])
    if kind == "object":
        return {name: event(seeded, inner, number) for name, inner in schema.get("properties", {}).items()}
    if kind == "array":
        return [event(seeded, schema.get("items", TEXT), number) for _ in range(3)]
    if kind == "integer":
        return max(schema.get("minimum", 1), 1) + number % 100000
    if kind == "number":
        return round(seeded.random() * 100, 2)
    if kind == "boolean":
        return seeded.random() < .5
    if schema.get("format") == "date-time":
        return f"2024-0{seeded.randint(1, 9)}-1{seeded.randint(0, 9)}T10:{seeded.randint(10, 59)}:00Z"
    return sentence(seeded, 2)[:schema.get("maxLength", 100)]


def inlined(schema, root):
    if isinstance(schema, dict):
        if "$ref" in schema:
            place = root
            for token in schema["$ref"].split("/")[1:]:
                place = place[token]
            return inlined(place, root)
        return {key: inlined(value, root) for key, value in schema.items()}
    return schema


def spoilt(seeded, instance):
    """The instance with one mistake: a member too many, one missing, or one of another type."""
    instance = json.loads(json.dumps(instance))
    target = instance["payload"] if "payload" in instance and seeded.random() < .5 else instance
    name = seeded.choice(sorted(target))
    mistake = seeded.randrange(3)
    if mistake == 0:
        target["not_there"] = 1
    elif mistake == 1:
        target[name] = [None]
    else:
        target[name] = {"a": 1}
    return instance


def contract(name):
    def make(seeded, count):
        schema = json.loads((ROOT / f"contracts/{name}.v0.json").read_text())
        plain = inlined(schema, schema)
        instances = []
        for number in range(count):
            instance = event(seeded, plain, number)
            if seeded.random() < .2:
                instance = shuffled(seeded, instance)
            instances.append(spoilt(seeded, instance) if seeded.random() < .05 else instance)
        return schema, instances
    return make


def closed(properties, required=()):
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def manifest(seeded, count):
    names = {"type": "object", "propertyNames": {"pattern": "^(@[a-z0-9-]+/)?[a-z0-9-]+$"}, "additionalProperties": TEXT}
    schema = {"$schema": SEVEN, **closed({
        "name": {"type": "string", "minLength": 1, "maxLength": 214, "pattern": "^[a-z][a-z0-9-]*$"},
        "version": {"type": "string", "pattern": "^\\d+\\.\\d+\\.\\d+$"}, "description": TEXT, "private": {"type": "boolean"},
        "keywords": {"type": "array", "items": TEXT}, "license": {"enum": ["MIT", "Apache-2.0", "ISC", "BSD-3-Clause"]},
        "author": {"oneOf": [TEXT, closed({"name": TEXT, "email": TEXT, "url": TEXT}, ["name"])]},
        "dependencies": names, "devDependencies": names, "scripts": {"type": "object", "additionalProperties": TEXT},
        "engines": {"type": "object", "properties": {"node": TEXT}}, "files": {"type": "array", "items": TEXT, "uniqueItems": True},
        "main": TEXT, "exports": {"type": ["string", "object", "null"]}}, ["name", "version"])}

    def one():
        some = {word(seeded): f"^{seeded.randint(0, 9)}.{seeded.randint(0, 20)}.0" for _ in range(12)}
        return {"name": word(seeded), "version": "1.2.3", "description": sentence(seeded, 8),
                "keywords": [word(seeded) for _ in range(5)],
                "license": "MIT", "author": {"name": "A B", "email": "a@b.c"} if seeded.random() < .5 else "A B",
                "dependencies": some,
                "devDependencies": {"@x/" + word(seeded): "~1.0.0" for _ in range(8)}, "scripts": {"test": "make test",
                                                                                                   "build": "make"},
                "files": [word(seeded) + str(n) for n in range(6)], "main": "index.js", "engines": {"node": ">=18"}}
    return schema, [one() for _ in range(count)]


def workflow(seeded, count):
    step = {**closed({"name": TEXT, "id": TEXT, "uses": TEXT, "run": TEXT, "if": TEXT, "with": {"type": "object"},
                      "env": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}},
                      "continue-on-error": {"type": "boolean"}, "timeout-minutes": {"type": "number", "minimum": 1}}),
            "oneOf": [{"required": ["uses"]}, {"required": ["run"]}]}
    job = closed({"runs-on": {"anyOf": [TEXT, {"type": "array", "items": TEXT, "minItems": 1}]}, "needs": {"anyOf": [TEXT,
            {"type": "array"}]},
                  "steps": {"type": "array", "items": {"$ref": "#/$defs/step"}, "minItems": 1}, "strategy": {"type": "object"},
                  "env": {"type": "object"}, "timeout-minutes": {"type": "number"}}, ["runs-on", "steps"])
    schema = {"$schema": DRAFT, **closed({
        "name": TEXT, "on": {"oneOf": [TEXT, {"type": "array", "items": TEXT}, {"type": "object"}]}, "env": {"type": "object"},
        "permissions": {"type": "object", "additionalProperties": {"enum": ["read", "write", "none"]}},
        "jobs": {"type": "object", "patternProperties": {"^[_a-zA-Z][a-zA-Z0-9_-]*$": job}, "additionalProperties": False,
                 "minProperties": 1}}, ["on", "jobs"]), "$defs": {"step": step}}

    def one():
        steps = [{"uses": "actions/checkout@v4", "with": {"depth": 0}}] + \
            [{"name": sentence(seeded, 3), "run": sentence(seeded, 9), "env": {"A": 1, "B": "x"}} for _ in range(5)]
        return {"name": word(seeded), "on": {"push": {"branches": ["main"]}}, "permissions": {"contents": "read"},
                "jobs": {word(seeded): {"runs-on": "ubuntu-latest", "steps": steps, "timeout-minutes": 30} for _ in range(4)}}
    return schema, [one() for _ in range(count)]


def geojson(seeded, count):
    position = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 3}
    ring = {"type": "array", "items": {"$ref": "#/$defs/position"}, "minItems": 4}

    def shape(name, coordinates):
        return {"type": "object", "required": ["type", "coordinates"], "properties": {"type": {"const": name},
                                                                                      "coordinates": coordinates}}
    schema = {"$schema": DRAFT, "type": "object", "required": ["type", "features"], "properties": {
        "type": {"const": "FeatureCollection"}, "features": {"type": "array", "items": {
            "type": "object", "required": ["type", "geometry", "properties"], "properties": {
                "type": {"const": "Feature"}, "properties": {"type": ["object", "null"]}, "geometry": {"oneOf": [
                    shape("Point", {"$ref": "#/$defs/position"}), shape("LineString", {"type": "array",
                                                                                       "items": {"$ref": "#/$defs/position"}}),
                    shape("Polygon", {"type": "array", "items": ring})]}}}}}, "$defs": {"position": position}}

    def place():
        return [round(seeded.uniform(-180, 180), 6), round(seeded.uniform(-90, 90), 6)]

    def feature():
        kind = seeded.choice(["Point", "LineString", "Polygon"])
        line = [place() for _ in range(20)]
        return {"type": "Feature", "properties": {"name": word(seeded)},
                "geometry": {"type": kind, "coordinates": place() if kind == "Point" else line if kind == "LineString" else [line]}}
    return schema, [{"type": "FeatureCollection", "features": [feature() for _ in range(25)]} for _ in range(count)]


def one_of(seeded, count):
    kinds = [f"kind_{number}" for number in range(40)]
    schema = {"$schema": DRAFT, "oneOf": [closed({"kind": {"const": kind}, "id": WHOLE, f"value_{number}": {"type": "string",
            "maxLength": 40},
                                                 "at": WHOLE, "tags": {"type": "array", "items": TEXT}}, ["kind", "id",
                                                         f"value_{number}"])
                                          for number, kind in enumerate(kinds)]}
    numbers = [seeded.randrange(40) for _ in range(count)]
    return schema, [{"kind": kinds[n], "id": i, f"value_{n}": sentence(seeded, 3), "at": 1700000000 + i, "tags": [word(seeded)]}
                    for i, n in enumerate(numbers)]


def dynamic(seeded, count):
    tree = {"$id": "https://example.com/tree", "$dynamicAnchor": "node", "type": "object", "properties": {
        "data": True, "children": {"type": "array", "items": {"$dynamicRef": "#node"}}}}
    schema = {"$schema": DRAFT, "$id": "https://example.com/strict", "$dynamicAnchor": "node", "$ref": "tree",
              "properties": {"data": {"type": "integer"}}, "unevaluatedProperties": False, "$defs": {"tree": tree}}

    def node(depth):
        return {"data": seeded.randint(0, 999), "children": [node(depth - 1) for _ in range(3)] if depth else []}
    return schema, [node(4) for _ in range(count)]


def large_array(seeded, count):
    row = closed({"id": WHOLE, "x": {"type": "number", "minimum": 0, "maximum": 1}, "name": {"type": "string", "minLength": 1},
                  "on": {"type": "boolean"}, "tag": {"enum": ["a", "b", "c"]}}, ["id", "x", "name", "on", "tag"])
    rows = [[{"id": i, "x": round(seeded.random(), 6), "name": word(seeded), "on": seeded.random() < .5,
              "tag": seeded.choice("abc")}
             for i in range(1500)] for _ in range(count)]
    return {"$schema": DRAFT, "type": "array", "items": row, "maxItems": 100000}, rows


def openapi(seeded, count):
    schema = {"$schema": DRAFT, "type": "object", "required": ["openapi", "info", "paths"], "properties": {
        "openapi": {"type": "string", "pattern": "^3\\.1\\.\\d+(-.+)?$"}, "info": {"$ref": "#/$defs/info"},
        "paths": {"type": "object", "patternProperties": {"^/": {"$ref": "#/$defs/path"}}, "unevaluatedProperties": False},
        "components": {"type": "object", "properties": {"schemas": {"type": "object", "additionalProperties": {"type": ["object",
                "boolean"]}}}}},
        "unevaluatedProperties": False, "$defs": {
            "info": {"type": "object", "properties": {"title": TEXT, "version": TEXT, "description": TEXT}, "required": ["title",
                    "version"]},
            "path": {"type": "object", "properties": {method: {"$ref": "#/$defs/operation"} for method in ("get", "put", "post",
                    "delete")}},
            "operation": {"type": "object", "properties": {
                "tags": {"type": "array", "items": TEXT}, "summary": TEXT, "operationId": TEXT,
                "parameters": {"type": "array", "items": {"$ref": "#/$defs/parameter"}},
                "responses": {"type": "object", "patternProperties": {"^[1-5](?:\\d{2}|XX)$": {"$ref": "#/$defs/response"}},
                              "minProperties": 1}}, "unevaluatedProperties": False},
            "parameter": {"type": "object", "properties": {"name": TEXT, "in": {"enum": ["query", "header", "path", "cookie"]},
                                                           "required": {"type": "boolean"}, "schema": {"type": ["object",
                                                                   "boolean"]}},
                          "required": ["name", "in"], "if": {"properties": {"in": {"const": "path"}}, "required": ["in"]},
                          "then": {"properties": {"required": {"const": True}}, "required": ["required"]}},
            "response": {"type": "object", "properties": {"description": TEXT, "content": {"type": "object"}},
                         "required": ["description"]}}}

    def operation():
        return {"tags": [word(seeded)], "summary": sentence(seeded, 5), "operationId": word(seeded),
                "parameters": [{"name": word(seeded), "in": "path", "required": True, "schema": {"type": "string"}},
                               {"name": word(seeded), "in": "query", "schema": {"type": "integer"}}],
                "responses": {"200": {"description": sentence(seeded, 3),
                                      "content": {"application/json": {"schema": {"type": "object"}}}},
                              "404": {"description": "none"}}}
    return schema, [{"openapi": "3.1.0", "info": {"title": "T", "version": "1"},
                     "paths": {"/" + word(seeded) + "/{id}": {"get": operation(), "post": operation()} for _ in range(20)},
                     "components": {"schemas": {word(seeded): {"type": "object", "properties": {"a": {}}} for _ in range(10)}}}
                    for _ in range(count)]


def logs(seeded, count):
    schema = {"$schema": SEVEN, "type": "object", "required": ["time", "level", "message"], "properties": {
        "time": {"type": "string", "pattern": "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$"},
        "level": {"enum": ["debug", "info", "warn", "error"]}, "message": {"type": "string", "minLength": 1}, "service": TEXT,
        "trace": {"type": "string", "pattern": "^[0-9a-f]{32}$"}, "status": {"type": "integer", "minimum": 100, "maximum": 599},
        "duration": {"type": "number", "minimum": 0}, "labels": {"type": "object", "additionalProperties": TEXT}}}
    return schema, [{"time": "2024-05-06T07:08:09.123Z", "level": seeded.choice(["info", "warn",
                                                                                 "oops" if i % 50 == 0 else "error"]),
                     "message": sentence(seeded, 8), "service": word(seeded), "trace": f"{seeded.getrandbits(128):032x}",
                     "status": 200,
                     "duration": round(seeded.random() * 100, 3), "labels": {"zone": "a",
                                                                             "pod": word(seeded)}} for i in range(count)]


def catalogue(seeded, count):
    money = closed({"amount": {"type": "number", "minimum": 0, "multipleOf": 0.01}, "currency": {"type": "string",
                                                                                                 "pattern": "^[A-Z]{3}$"}},
                   ["amount", "currency"])
    schema = {"$schema": DRAFT, **closed({
        "sku": {"type": "string", "pattern": "^[A-Z]{2}-\\d{6}$"}, "title": {"type": "string", "maxLength": 200}, "price": money,
        "stock": {"type": "integer", "minimum": 0}, "categories": {"type": "array", "items": TEXT, "minItems": 1,
                                                                   "uniqueItems": True},
        "attributes": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}},
        "variants": {"type": "array", "items": closed({"id": WHOLE, "color": TEXT, "price": money}, ["id"])},
        "images": {"type": "array", "items": {"type": "string", "pattern": "^https://"}}}, ["sku", "title", "price"])}
    return schema, [{"sku": f"AB-{i:06d}", "title": sentence(seeded, 6), "price": {"amount": seeded.randint(1, 9999),
                                                                                   "currency": "EUR"},
                     "stock": seeded.randint(0, 99), "categories": [word(seeded) + str(n) for n in range(4)],
                     "attributes": {word(seeded): seeded.choice(["x", 1, True]) for _ in range(6)},
                     "variants": [{"id": n, "color": word(seeded), "price": {"amount": n, "currency": "EUR"}} for n in range(5)],
                     "images": ["https://example.com/" + word(seeded) for _ in range(3)]} for i in range(count)]


def deep(seeded, count):
    schema = {"$schema": DRAFT, "$ref": "#/$defs/node", "$defs": {"node": closed({
        "left": {"$ref": "#/$defs/node"}, "right": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/node"}]}, "key": WHOLE},
        ["key"])}}

    def node(depth):
        return {"key": seeded.randint(0, 999), "left": node(depth - 1), "right": None} if depth else {"key": 1}
    return schema, [node(60) for _ in range(count)]


def strings(seeded, count):
    schema = {"$schema": DRAFT, **closed({"title": {"type": "string", "maxLength": 300}, "body": {"type": "string",
                                                                                                  "minLength": 100},
                                         "slug": {"type": "string", "pattern": "^[a-z0-9]+(?:-[a-z0-9]+)*$"},
                                         "lines": {"type": "array", "items": {"type": "string", "maxLength": 1000}}}, ["title",
                                                 "body", "slug"])}
    return schema, [{"title": sentence(seeded, 10), "body": sentence(seeded, 400) + " é😀\n\"quoted\"",
                     "slug": "-".join(word(seeded) for _ in range(8)),
                     "lines": [sentence(seeded, 40) for _ in range(10)]} for _ in range(count)]


def skipping(seeded, count):
    """The schema looks at the head alone; the rest, 100 kB, is anything."""
    schema = {"$schema": DRAFT, "type": "object", "required": ["id", "data"], "properties": {"id": WHOLE, "kind": {"enum": ["a",
            "b"]}}}
    return schema, [{"id": i, "kind": "a", "data": [{"x": seeded.random(), "s": sentence(seeded, 6), "t": [1, 2, None, True]}
                                                    for _ in range(1200)]} for i in range(count)]


# name: (what makes it, instances)
SETS = {
    "ManagerCreated": (contract("ManagerCreated"), 100000), "TaskCompleted": (contract("TaskCompletedSuccessful"), 100000),
    "manifest": (manifest, 2000), "workflow": (workflow, 1000), "geojson": (geojson, 300), "oneOf-40": (one_of, 20000),
    "dynamicRef": (dynamic, 300), "array-100k": (large_array, 30), "openapi": (openapi, 200), "log-records": (logs, 20000),
    "catalogue": (catalogue, 3000), "deep": (deep, 1000), "strings": (strings, 500), "skip-100k": (skipping, 20),
}


def adversarial():
    """What is built to be slow: (name, schema, the instance's text, what its verdict may take in microseconds)."""
    seeded = random.Random("adversarial")
    names = [f"property_{number:04d}" for number in range(1000)]
    members = {name: 1000 + number for number, name in enumerate(names)}
    mixed = dict(seeded.sample(list(members.items()), len(members)))
    words = [f"{number:05d}" for number in seeded.sample(range(100000), 2500)]
    compact = (",", ":")
    nested = {"anyOf": [{"type": "array", "maxItems": 1, "items": {"$ref": "#"}}] * 2}
    return [
        ("1000-closed", closed({name: WHOLE for name in names}), json.dumps(members, separators=compact), 30),
        ("1000-shuffled", closed({name: WHOLE for name in names}), json.dumps(mixed, separators=compact), 30),
        ("1000-unknown", {"type": "object"}, json.dumps(mixed, separators=compact), None),
        ("unique-2500", {"uniqueItems": True}, json.dumps(words, separators=compact), 100),
        ("unique-repeated", {"uniqueItems": True}, json.dumps(words[1:] + words[-1:], separators=compact), 100),
        ("unique-objects", {"uniqueItems": True}, json.dumps([{"a": one} for one in words], separators=compact), None),
        ("(a|a)*", {"pattern": "^(a|a)*$"}, json.dumps("a" * 10000), 1000),
        ("(a|a)*-b", {"pattern": "^(a|a)*$"}, json.dumps("a" * 9999 + "b"), 1000),
        ("(a*)*-b", {"pattern": "^(a*)*$"}, json.dumps("a" * 9999 + "b"), 1000),
        ("nested-anyOf", nested, "[" * 60 + "0" + "]" * 60, None),
    ]


def make(name, share=1.0):
    """The schema and the instances, always the same."""
    function, count = SETS[name]
    return function(random.Random(name), max(2, int(count * share)))

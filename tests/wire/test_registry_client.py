# SPDX-License-Identifier: Apache-2.0
"""The schema registry as Confluent's own Python client (Debian's python3-confluent-kafka) sees it: answers, and errors with their codes."""
import json

import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError
from test_registry import Registry

ORDER = {"title": "Order", "type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
OTHER = {**ORDER, "properties": {"a": {"type": "string"}}}


def schema_of(value, *references):
    return Schema(json.dumps(value), "JSON", list(references))


@pytest.fixture
def client(commute, start, tmp_path, free_port):
    registry = Registry(commute, start, tmp_path, (free_port(), free_port(), free_port()))
    registry.serve()
    return SchemaRegistryClient({"url": f"http://127.0.0.1:{registry.registry}"})


def fails(status, code, call, *arguments, **more):
    with pytest.raises(SchemaRegistryError) as caught:
        call(*arguments, **more)
    assert (caught.value.http_status_code, caught.value.error_code) == (status, code)
    return caught.value.error_message


def test_schemas(client):
    order = client.register_schema("orders-value", schema_of(ORDER))
    assert client.register_schema("a/b c:d", schema_of(ORDER)) == order
    assert client.get_schema(order).schema_type == "JSON" and json.loads(client.get_schema(order).schema_str) == ORDER
    found = client.lookup_schema("orders-value", schema_of(ORDER))
    assert (found.subject, found.version, found.schema_id) == ("orders-value", 1, order)
    assert client.get_latest_version("a/b c:d").schema_id == client.get_version("a/b c:d", 1).schema_id == order
    assert client.get_versions("orders-value") == [1] and {"orders-value", "a/b c:d"} <= set(client.get_subjects())
    assert "TYPE_CHANGED" in fails(409, 409, client.register_schema, "orders-value", schema_of(OTHER))
    fails(404, 40403, client.lookup_schema, "orders-value", schema_of(OTHER))
    fails(404, 40403, client.get_schema, 999)
    fails(404, 40401, client.get_versions, "nobody")
    fails(404, 40402, client.get_version, "orders-value", 2)
    assert "AVRO" in fails(422, 42201, client.register_schema, "orders-value", Schema('"string"', "AVRO"))


def test_references_and_deletion(client):
    client.register_schema("orders-value", schema_of(ORDER))
    uses = client.register_schema("uses", schema_of({"properties": {"order": {"$ref": "order.json"}}},
                                                    SchemaReference("order.json", "orders-value", 1)))
    fails(422, 42206, client.delete_version, "orders-value", 1)
    assert client.delete_subject("uses") == [1] and client.get_schema(uses).schema_type == "JSON"
    assert client.delete_version("orders-value", 1) == 1
    fails(404, 40401, client.get_versions, "orders-value")
    fails(404, 40404, client.delete_subject, "orders-value")
    assert client.register_schema("again", schema_of(OTHER)) and client.delete_subject("again") == [1]


def test_levels(client):
    assert client.get_compatibility() == "BACKWARD"
    assert client.set_compatibility(level="FULL")["compatibility"] == "FULL"
    fails(404, 40408, client.get_compatibility, "orders-value")
    assert client.set_compatibility("orders-value", "none")["compatibility"] == "NONE"
    assert client.get_compatibility("orders-value") == "NONE"
    fails(422, 42203, client.set_compatibility, "orders-value", "SOMEHOW")


def test_values_in_its_wire_format(client):
    context = SerializationContext("orders", MessageField.VALUE)
    serialize, deserialize = JSONSerializer(json.dumps(ORDER), client), JSONDeserializer(json.dumps(ORDER))
    value = serialize({"a": 5}, context)
    assert value[0] == 0 and int.from_bytes(value[1:5], "big") == client.get_latest_version("orders-value").schema_id
    assert deserialize(value, context) == {"a": 5}
    with pytest.raises(SerializationError):
        serialize({"a": "five"}, context)

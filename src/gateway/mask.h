// SPDX-License-Identifier: Apache-2.0
// What is told of values that belong to a person: their type and a hash with this log's key, by which two places can be compared and
// nothing else be found out. Of an event with personal values no value is told that is not known to be another's: a body of a call,
// a request's target, a row's key. Pure; any thread.
#pragma once

#include "base/hash.h"
#include "json/writer.h"
#include "model/model.h"

// "(personal, 5f1d22c01a7b9e44)"
void mask_text(const struct hash_key *key, struct bytes value, struct buffer *text);
// The value; of an event with personal values "a string (personal, …)". Nothing of objects, arrays and long strings.
void mask_value(const struct hash_key *key, const struct model_event *event, const struct json *value, struct buffer *text);
// Of an event whose key is personal the mask, else the key.
void mask_key(const struct hash_key *key, const struct model_event *event, struct bytes value, struct buffer *text);
// Of an event with personal values the mask, else the target of a request.
void mask_target(const struct hash_key *key, const struct model_event *event, struct bytes target, struct buffer *text);
// Writes the document with each personal value of the version masked; version NULL: each string and number.
void mask_write(const struct hash_key *key, const struct model_version *version, const struct json *document,
                struct json_writer *writer);

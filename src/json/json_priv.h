// SPDX-License-Identifier: Apache-2.0
// Shared inside json/: the order of an object's members, errors.
#pragma once

#include "json/json.h"

enum { JSON_ORDER_FROM = 17 };          // objects of so many members keep their keys sorted

// Always false.
bool json_error_at(struct bytes source, const char *at, struct error *error, enum error_code code, const char *what);
// The error of the string whose opening quote, or of the number whose first byte, is there, and which the scanners have refused.
bool json_string_error(struct bytes source, const char *quote, struct error *error);
bool json_number_error(struct bytes source, const char *at, struct error *error);

typedef int json_key_compare(struct bytes a, struct bytes b);

// order.c: the slots of an object of many members, in the order that is kept with it.
uint32_t json_key_hash(struct bytes key);
void json_order_keys(const struct json *object, struct json_slot *slots);
const struct json *json_order_find(const struct json *object, struct bytes key);        // the value, or NULL
int json_slot_compare(const struct json *object, struct json_slot a, struct json_slot b);

// By length, then bytes: the cheapest total order.
int json_key_by_length(struct bytes a, struct bytes b);

// Fills order[0 .. count of the object) with the distances from the object to its keys, sorted; of an object of few members.
void json_sort_keys(const struct json *object, uint32_t *order, json_key_compare *compare);

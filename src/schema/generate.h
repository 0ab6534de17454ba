// SPDX-License-Identifier: Apache-2.0
// Instances made up from a JSON Schema: what a mapping between versions is tried on beside real events. One seed gives one sequence.
// Pure; one thread for each generator.
//
// It follows type, properties, required, items, enum, const, default, examples, format, lengths, bounds, $ref within the document, allOf,
// anyOf and oneOf; whatever else a schema says is met by luck: what it makes is validated, and thrown away if it is not valid.
#pragma once

#include "schema/schema.h"

struct generator;

enum { GENERATE_TRIES = 50, GENERATE_DEPTH_MAX = 16, GENERATE_TEXTS_MAX = 64, GENERATE_TEXT_MAX = 200 };

// The schema is used until the generator is freed.
MUST_USE bool generator_new(const struct schema *schema, uint64_t seed, struct generator **ret_generator, struct error *error);
const struct schema *generator_schema(const struct generator *generator);
void generator_free(struct generator *generator);               // NULL is allowed
// A text that strings may be: of a real event. Copied; beyond the limits it is not taken.
void generator_text(struct generator *generator, struct bytes text);
// Appends a valid instance. False: none was found in GENERATE_TRIES.
MUST_USE bool generator_next(struct generator *generator, struct buffer *buffer);

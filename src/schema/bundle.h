// SPDX-License-Identifier: Apache-2.0
// One document out of many: what a schema refers to in other documents is embedded in it (2020-12 Core, 9.3). Pure.
#pragma once

#include "schema/schema.h"

// Appends the bundle of the schema: its own document with each other one that it needs, and those need, below "$defs" (up to draft 7
// "definitions"), named and identified by its URI. What needs none is appended as it is. options->resolve gives the documents; the
// drafts' own meta-schemas are not embedded. The bundle has the same verdicts. Fails as schema_compile does, and with
// ERROR_UNSUPPORTED if a document identifies itself otherwise than by the URI that it is asked for by.
MUST_USE bool schema_bundle(struct bytes source, const struct schema_options *options, struct buffer *buffer, struct error *error);

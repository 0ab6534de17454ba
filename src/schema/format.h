// SPDX-License-Identifier: Apache-2.0
// The formats of the specification, as assertions about strings. Pure: any thread.
#pragma once

#include "base/arena.h"
#include "base/bytes.h"
#include "schema/schema.h"

enum schema_format { FORMAT_NONE };                     // and one for each format

// FORMAT_NONE: that draft has no such format.
enum schema_format format_find(struct bytes name, enum schema_draft draft);

enum format_verdict { FORMAT_VALID, FORMAT_INVALID, FORMAT_UNDECIDED };
enum format_verdict format_check(enum schema_format format, struct bytes text, struct arena *scratch);

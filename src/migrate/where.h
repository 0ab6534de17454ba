// SPDX-License-Identifier: Apache-2.0
// Where the fields that a version has no more, or has otherwise, still occur: contracts of other events, mappings, what a communication
// renders. Pure, from the configuration alone.
#pragma once

#include "json/writer.h"
#include "model/model.h"

enum { WHERE_FIELDS_MAX = 64, WHERE_PLACES_MAX = 200, WHERE_DEPTH_MAX = 12 };

// Writes an array of {"field":"/title","place":"event TaskRated, version 0: /title"}.
void where_write(struct json_writer *writer, const struct model *model, const struct model_event *event, unsigned from, unsigned to);

// SPDX-License-Identifier: Apache-2.0
// Where the fields that a version has no more, or has otherwise, still occur: contracts of other events, mappings, what a communication
// renders, what an owner gives, and bodies of synchronous communications that were sampled as they passed. The control thread.
#pragma once

#include "gateway/sampler.h"
#include "json/writer.h"
#include "model/model.h"

enum { WHERE_FIELDS_MAX = 64, WHERE_PLACES_MAX = 200, WHERE_DEPTH_MAX = 12 };

// Writes an array of {"field":"/title","place":"event TaskRated, version 0: /title"}; of a sampled body also "communication",
// "direction" ("request", "answer"), "pointer", "samples" (that had it), "looked_at" (of so many) and "last" (Unix milliseconds).
// sampler NULL: nothing was sampled.
void where_write(struct json_writer *writer, const struct model *model, const struct sampler *sampler, const struct model_event *event,
                 unsigned from, unsigned to);
// What the samples rest on: an array of {"communication","direction","looked_at","not_json","too_large","missed","more"}, one for each
// direction of which a body has passed.
void where_write_samples(struct json_writer *writer, const struct model *model, const struct sampler *sampler);

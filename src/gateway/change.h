// SPDX-License-Identifier: Apache-2.0
// One event from one of its versions to another, by the mappings between neighbouring versions (model.h): templates where they are
// asked for, jq programs in the converter's process, so that this may end later. What comes out has been validated.
//
// A change belongs to the converter's loop. It is its owner's, and stays where it is until done; body and json are in the arena.
#pragma once

#include "convert/convert.h"
#include "model/model.h"

struct schema;

enum change_result {
        CHANGE_DONE,                            // body, json, filled are there
        CHANGE_FAILED,                          // error: ERROR_REJECTED, ERROR_LIMIT, ERROR_INVALID; ERROR_UNAVAILABLE: try again
        CHANGE_WAITS,                           // done will be called
};

struct change {
        struct converter *converter;            // NULL: the model has no programs
        const struct model_event *event;
        unsigned from, to;                      // versions that the event has
        const struct schema *schema;            // of `to`; NULL: nothing is validated
        struct template_inputs inputs;          // for templates; `event` is set here
        struct arena *arena;
        void (*done)(struct change *change);    // on the loop, never inside change_begin
        void *user;
        // the outcome
        enum change_result result;
        struct bytes body;
        const struct json *json;
        bool filled;                            // defaults were filled in
        struct error error;
        // its own
        unsigned at;
        size_t steps;                           // of the conversion under way
        struct conversion conversion;
};

// body: an event of version `from`, in memory that lasts as long as the change.
enum change_result change_begin(struct change *change, struct bytes body);

// Whether all of the way runs where it is asked for; true for no way at all.
bool change_is_immediate(const struct model_event *event, unsigned from, unsigned to);

// Whether a body says its version, in its member `event_version`: a number, or a string of digits.
bool change_says_version(const struct json *body, uint64_t *ret_version);
// False with ERROR_REJECTED that names both if it says another one, or is a number that is no version.
MUST_USE bool change_check_version(const struct model_event *event, unsigned version, const struct json *body, struct error *error);

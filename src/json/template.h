// SPDX-License-Identifier: Apache-2.0
// Mapping templates: JSON with references, rendered exactly. {event_id: $sequence, created_at: $now, payload: $body}
//
// In the source a string value that starts with `$` is a reference; everything else, member names included, is literal.
//
//      $body $event $response          the whole document; $body/task_id: a JSON pointer into it (a copy of the value, of any
//                                      type; numbers keep their text)
//      $path/NAME $query/NAME          a JSON string: the percent-decoded variable of the path, or the query parameter, which
//                                      must be there exactly once
//      $sequence                       a JSON integer, durable, given by the caller
//      $id $now                        JSON strings: the message's identity; a time, RFC 3339
//      $$text                          the literal string `$text`
//
// An object with one of these as its only member is a value that a pseudonym stands for, or stood for:
//
//      {$pseudonym: {purpose: NAME, of: REFERENCE}}    a JSON string: the pseudonym, for this purpose, of the value
//      {$resolve: {purpose: NAME, of: REFERENCE}}      the value of a pseudonym, of the type that it had
//
// A member of an object whose value is {$optional: REFERENCE} is left out where $body, $event or $response has no such value.
//
// How pseudonyms are made whoever renders gives (template_pseudonyms); a template by itself is pure.
//
// Compile once, render from any thread. Rendering the same inputs gives the same bytes. A reference that leads nowhere is an
// error that names it; nothing is rendered half.
#pragma once

#include "json/json.h"

struct template;

enum template_input {
        TEMPLATE_BODY, TEMPLATE_EVENT, TEMPLATE_RESPONSE,
        TEMPLATE_PATH, TEMPLATE_QUERY,
        TEMPLATE_SEQUENCE, TEMPLATE_ID, TEMPLATE_NOW,
};

struct named_value {
        struct bytes name, value;       // decoded
};

// Appends to `out`: `pseudonym` the text for a value that is given as canonical JSON; `resolve` the canonical JSON for a text. Any
// thread. Errors do not name the value. ERROR_REJECTED: no pseudonym of this purpose; ERROR_LIMIT: too long.
struct template_pseudonyms {
        bool (*pseudonym)(void *user, struct bytes purpose, struct bytes value, struct buffer *out, struct error *error);
        bool (*resolve)(void *user, struct bytes purpose, struct bytes text, struct buffer *out, struct error *error);
        void *user;
};

// What a rendering may use. Absent: NULL nodes, {NULL, 0} bytes, no values, has_sequence false. All borrowed for the call.
struct template_inputs {
        const struct json *body, *event, *response;
        const struct named_value *path, *query;
        size_t path_count, query_count;
        uint64_t sequence;
        bool has_sequence;
        struct bytes id, now;
        const struct template_pseudonyms *pseudonyms;           // NULL: there are none, and asking for one is ERROR_UNSUPPORTED
};

enum { TEMPLATE_REFERENCES_MAX = 1000, TEMPLATE_PURPOSE_MAX = 64 };

// A purpose of pseudonyms: 1 to TEMPLATE_PURPOSE_MAX letters, digits, . _ and -.
bool template_is_purpose(struct bytes name);

// Copies what it needs of `source`. Errors (ERROR_INVALID) give the place in the template as a JSON pointer.
// A configuration in YAML becomes a source by writing it with json/writer.h and parsing that.
MUST_USE bool template_compile(const struct json *source, struct template **ret_template, struct error *error);
void template_free(struct template *template);                 // NULL is allowed

// Appends the document (compact) to the buffer; on failure the buffer is as before. ERROR_REJECTED: a reference leads nowhere.
MUST_USE bool template_render(const struct template *template, const struct template_inputs *inputs, struct buffer *buffer,
                              struct error *error);

// The document it was compiled from. Lives as long as the template.
const struct json *template_source(const struct template *template);

// For checks of a configuration: which inputs are used (bits 1 << enum template_input), and each reference.
unsigned template_references(const struct template *template);
struct template_reference {
        enum template_input input;
        const char *text;               // as written, "$path/manager_id"
        const char *place;              // JSON pointer inside the template
        struct bytes name;              // of $path and $query: the NAME
        const char *purpose;            // it is the `of` of a pseudonym for this purpose; NULL: it is not
        bool resolve;                   // … of $resolve
        bool optional;                  // what it names may be missing: {$optional: …}
};
size_t template_reference_count(const struct template *template);
struct template_reference template_reference_at(const struct template *template, size_t index);

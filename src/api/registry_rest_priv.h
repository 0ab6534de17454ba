// SPDX-License-Identifier: Apache-2.0
// What the files of the registry's REST API use of each other:
//      registry_rest.c         routes, paths and query parameters
//      registry_rest_parts.c   answers, and the parts of a request that several routes read
//      registry_rest_read.c    routes that read
//      registry_rest_change.c  routes that change: schemas, deletion
//      registry_rest_config.c  configuration, mode, compatibility
#pragma once

#include "api/registry_rest.h"
#include "json/json.h"

struct json_writer;

// Query parameters: exchange->flags, and the `queries` of a route.
enum rest_query {
        Q_DELETED = 1, Q_DELETED_ONLY = 2, Q_PERMANENT = 4, Q_NORMALIZE = 8, Q_MAX_ID = 16, Q_DEFAULT = 32, Q_LATEST = 64,
        Q_OFFSET = 128, Q_LIMIT = 256, Q_SUBJECT = 512, Q_PREFIX = 1024, Q_FORMAT = 2048, Q_VERBOSE = 4096, Q_KEY = 8192,
        Q_VALUE = 16384,
        Q_PAGE = Q_OFFSET | Q_LIMIT,
};

// ---- registry_rest_parts.c ----
// Each of the first five answers, which ends the exchange. The others answer only where they return false.
void rest_send(struct registry_exchange *exchange, int status);
void rest_reply(struct registry_exchange *exchange, struct json_writer *writer);
void rest_reply_list(struct registry_exchange *exchange, struct json_writer *writer);   // ends the array
void rest_fail(struct registry_exchange *exchange, enum registry_error code, const char *format, ...) PRINTF_LIKE(3, 4);
void rest_fail_incompatible(struct registry_exchange *exchange);       // with the exchange's objections
void rest_fail_with(struct registry_exchange *exchange, enum registry_error invalid, const struct error *error);
bool rest_page(const struct registry_exchange *exchange, uint64_t *seen);
bool rest_page_ended(const struct registry_exchange *exchange, uint64_t seen);
bool rest_visible(const struct registry_exchange *exchange, bool deleted);
MUST_USE bool rest_find_subject(struct registry_exchange *exchange, struct registry_subject *ret_subject);
MUST_USE bool rest_parse_number(struct registry_exchange *exchange, struct bytes text, uint32_t *ret_number);
MUST_USE bool rest_parse_version(struct registry_exchange *exchange, uint32_t *ret_number);
MUST_USE bool rest_find_version(struct registry_exchange *exchange, struct registry_subject *ret_subject,
                                struct registry_version *ret_version);
MUST_USE bool rest_parse_body(struct registry_exchange *exchange, const struct json **ret_body);
MUST_USE bool rest_parse_schema(struct registry_exchange *exchange, struct registry_draft *ret_draft);

// ---- registry_rest_read.c ----
void rest_get_root(struct registry_exchange *exchange);
void rest_get_contexts(struct registry_exchange *exchange);
void rest_get_subjects(struct registry_exchange *exchange);
void rest_lookup(struct registry_exchange *exchange);
void rest_get_versions(struct registry_exchange *exchange);
void rest_get_version(struct registry_exchange *exchange);
// A version and its schema; without subject where the name is empty.
void rest_write_version(struct json_writer *writer, const struct registry_exchange *exchange, struct bytes subject,
                        const struct registry_version *version);
void rest_get_by_metadata(struct registry_exchange *exchange);
void rest_get_version_schema(struct registry_exchange *exchange);
void rest_get_referenced_by(struct registry_exchange *exchange);
void rest_get_schemas(struct registry_exchange *exchange);
void rest_get_types(struct registry_exchange *exchange);
void rest_get_id(struct registry_exchange *exchange);
void rest_get_id_schema(struct registry_exchange *exchange);
void rest_get_id_versions(struct registry_exchange *exchange);
void rest_get_id_subjects(struct registry_exchange *exchange);

// ---- registry_rest_change.c ----
void rest_delete_subject(struct registry_exchange *exchange);
void rest_post_version(struct registry_exchange *exchange);
void rest_delete_version(struct registry_exchange *exchange);
void rest_submit(struct registry_exchange *exchange, struct registry_change change);

// ---- registry_rest_config.c ----
void rest_get_config(struct registry_exchange *exchange);
void rest_put_config(struct registry_exchange *exchange);
void rest_delete_config(struct registry_exchange *exchange);
void rest_get_mode(struct registry_exchange *exchange);
void rest_put_mode(struct registry_exchange *exchange);
void rest_delete_mode(struct registry_exchange *exchange);
void rest_post_compatibility(struct registry_exchange *exchange);

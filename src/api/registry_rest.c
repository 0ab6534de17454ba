// SPDX-License-Identifier: Apache-2.0
// A request is taken apart (path, query, headers) and finds its route, whose function answers, or submits a change and answers
// when that has ended. Memory: the exchange's arena. Control thread only. It fails by answering.
#include "api/registry_rest.h"

#include "api/registry_rest_priv.h"
#include "json/target.h"

#define VND_TYPE "application/vnd.schemaregistry.v1+json"

enum query_kind { QUERY_FLAG, QUERY_NUMBER, QUERY_TEXT, QUERY_EMPTY, QUERY_LIST };
static const struct {
        const char *name;
        enum rest_query query;
        enum query_kind kind;
} queries[] = {
        {"deleted", Q_DELETED, QUERY_FLAG},
        {"deletedOnly", Q_DELETED_ONLY, QUERY_FLAG},
        {"deleted_only", Q_DELETED_ONLY, QUERY_FLAG},   // Confluent's Python client spells it so
        {"permanent", Q_PERMANENT, QUERY_FLAG},
        {"normalize", Q_NORMALIZE, QUERY_FLAG},         // schemas are compared in canonical form in any case
        {"fetchMaxId", Q_MAX_ID, QUERY_FLAG},
        {"defaultToGlobal", Q_DEFAULT, QUERY_FLAG},
        {"latestOnly", Q_LATEST, QUERY_FLAG},
        {"offset", Q_OFFSET, QUERY_NUMBER},
        {"limit", Q_LIMIT, QUERY_NUMBER},
        {"subject", Q_SUBJECT, QUERY_TEXT},             // with an id: a hint for contexts; the id says it all
        {"subjectPrefix", Q_PREFIX, QUERY_TEXT},
        {"format", Q_FORMAT, QUERY_EMPTY},
        {"verbose", Q_VERBOSE, QUERY_FLAG},
        {"key", Q_KEY, QUERY_LIST},
        {"value", Q_VALUE, QUERY_LIST},
};

// ---- routes ----

// `*` is any one segment; that after subjects, config or mode is a subject's name.
static const struct route {
        const char *method;
        const char *path;
        void (*answer)(struct registry_exchange *exchange);
        unsigned queries;
} routes[] = {
        {"GET", "", rest_get_root, 0},
        {"GET", "contexts", rest_get_contexts, Q_PAGE},
        {"GET", "subjects", rest_get_subjects, Q_DELETED | Q_DELETED_ONLY | Q_PREFIX | Q_PAGE},
        {"POST", "subjects/*", rest_lookup, Q_DELETED | Q_NORMALIZE | Q_FORMAT},
        {"DELETE", "subjects/*", rest_delete_subject, Q_PERMANENT},
        {"GET", "subjects/*/metadata", rest_get_by_metadata, Q_DELETED | Q_FORMAT | Q_KEY | Q_VALUE},
        {"GET", "subjects/*/versions", rest_get_versions, Q_DELETED | Q_DELETED_ONLY | Q_PAGE},
        {"POST", "subjects/*/versions", rest_post_version, Q_NORMALIZE | Q_FORMAT},
        {"GET", "subjects/*/versions/*", rest_get_version, Q_DELETED | Q_FORMAT},
        {"DELETE", "subjects/*/versions/*", rest_delete_version, Q_PERMANENT},
        {"GET", "subjects/*/versions/*/schema", rest_get_version_schema, Q_DELETED | Q_FORMAT},
        {"GET", "subjects/*/versions/*/referencedby", rest_get_referenced_by, Q_DELETED | Q_PAGE},
        {"GET", "schemas", rest_get_schemas, Q_DELETED | Q_LATEST | Q_PREFIX | Q_PAGE},
        {"GET", "schemas/types", rest_get_types, 0},
        {"GET", "schemas/ids/*", rest_get_id, Q_SUBJECT | Q_MAX_ID | Q_FORMAT},
        {"GET", "schemas/ids/*/schema", rest_get_id_schema, Q_SUBJECT | Q_FORMAT},
        {"GET", "schemas/ids/*/versions", rest_get_id_versions, Q_DELETED | Q_SUBJECT | Q_PAGE},
        {"GET", "schemas/ids/*/subjects", rest_get_id_subjects, Q_DELETED | Q_SUBJECT | Q_PAGE},
        {"GET", "config", rest_get_config, Q_DEFAULT},
        {"PUT", "config", rest_put_config, 0},
        {"DELETE", "config", rest_delete_config, 0},
        {"GET", "config/*", rest_get_config, Q_DEFAULT},
        {"PUT", "config/*", rest_put_config, 0},
        {"DELETE", "config/*", rest_delete_config, 0},
        {"GET", "mode", rest_get_mode, 0},
        {"PUT", "mode", rest_put_mode, 0},
        {"DELETE", "mode", rest_delete_mode, 0},
        {"GET", "mode/*", rest_get_mode, Q_DEFAULT},
        {"PUT", "mode/*", rest_put_mode, 0},
        {"DELETE", "mode/*", rest_delete_mode, 0},
        {"POST", "compatibility/subjects/*/versions", rest_post_compatibility, Q_VERBOSE | Q_NORMALIZE},
        {"POST", "compatibility/subjects/*/versions/*", rest_post_compatibility, Q_VERBOSE | Q_NORMALIZE},
};

static int hex_digit(char digit) {
        if (digit >= '0' && digit <= '9')
                return digit - '0';
        if (digit >= 'a' && digit <= 'f')
                return digit - 'a' + 10;
        return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

static bool decode(struct arena *arena, struct bytes raw, struct bytes *ret_decoded) {
        char *decoded = arena_alloc(arena, raw.size + 1);
        size_t size = 0;
        for (size_t at = 0; at < raw.size; at++) {
                char byte = raw.data[at];
                if (byte == '%') {
                        if (raw.size - at < 3 || hex_digit(raw.data[at + 1]) < 0 || hex_digit(raw.data[at + 2]) < 0)
                                return false;
                        byte = (char)(hex_digit(raw.data[at + 1]) * 16 + hex_digit(raw.data[at + 2]));
                        at += 2;
                }
                if (byte == 0)
                        return false;
                decoded[size++] = byte;
        }
        *ret_decoded = (struct bytes){decoded, size};
        return true;
}

// "/a/b" and "/a/b/" are two segments, "/" none. False, and answered, when it cannot be a path of the registry.
static bool split_path(struct registry_exchange *exchange) {
        struct bytes rest = exchange->path;
        if (!bytes_starts_with(rest, BYTES("/"))) {
                rest_fail(exchange, REGISTRY_ERROR_NO_PATH, "HTTP 404 Not Found");
                return false;
        }
        while (rest.size > 1) {
                rest = (struct bytes){rest.data + 1, rest.size - 1};
                const char *slash = memchr(rest.data, '/', rest.size);
                struct bytes segment = {rest.data, slash ? (size_t)(slash - rest.data) : rest.size};
                if (exchange->segment_count == REGISTRY_REST_SEGMENTS_MAX) {
                        rest_fail(exchange, REGISTRY_ERROR_NO_PATH, "HTTP 404 Not Found");
                        return false;
                }
                if (!decode(&exchange->arena, segment, &exchange->segments[exchange->segment_count++])) {
                        rest_fail(exchange, REGISTRY_ERROR_BAD_REQUEST, "the path has a broken percent escape, or a NUL");
                        return false;
                }
                rest = (struct bytes){rest.data + segment.size, rest.size - segment.size};
        }
        return true;
}

static bool matches(const struct registry_exchange *exchange, const char *path) {
        size_t at = 0;
        for (struct bytes rest = bytes_of(path); rest.size > 0; at++) {
                const char *slash = memchr(rest.data, '/', rest.size);
                struct bytes segment = {rest.data, slash ? (size_t)(slash - rest.data) : rest.size};
                if (at == exchange->segment_count ||
                    (!bytes_equal(segment, BYTES("*")) && !bytes_equal(segment, exchange->segments[at])))
                        return false;
                size_t used = segment.size + (slash != NULL);
                rest = (struct bytes){rest.data + used, rest.size - used};
        }
        return at == exchange->segment_count;
}

// Clients spell out defaults, also of parameters that this registry does not have.
static bool asks_nothing(struct bytes value) {
        return value.size == 0 || bytes_equal_ignore_case(value, BYTES("false"));
}

// ":.:name" is a name in the default context, which is the only one.
static struct bytes without_context(struct bytes name) {
        return bytes_starts_with(name, BYTES(":.:")) ? (struct bytes){name.data + 3, name.size - 3} : name;
}

static bool read_item(struct registry_exchange *exchange, struct bytes **items, size_t *count, struct bytes value) {
        if (!*items)
                *items = arena_alloc(&exchange->arena, REGISTRY_PROPERTIES_MAX * sizeof **items);
        if (*count == REGISTRY_PROPERTIES_MAX)
                return false;
        (*items)[(*count)++] = value;
        return true;
}

static bool read_query(struct registry_exchange *exchange, size_t kind, struct bytes value) {
        uint64_t number;
        switch (queries[kind].kind) {
        case QUERY_FLAG:
                if (bytes_equal_ignore_case(value, BYTES("true")))
                        exchange->flags |= queries[kind].query;
                else
                        return asks_nothing(value);
                return true;
        case QUERY_NUMBER:
                if (queries[kind].query == Q_LIMIT && bytes_starts_with(value, BYTES("-"))) {
                        value = (struct bytes){value.data + 1, value.size - 1};
                        return bytes_to_u64(value, &number);    // no limit, as 0, which is the default
                }
                if (!bytes_to_u64(value, &number))
                        return false;
                if (queries[kind].query == Q_OFFSET)
                        exchange->offset = number;
                else
                        exchange->limit = number ? number : UINT64_MAX;
                return true;
        case QUERY_TEXT:
                if (queries[kind].query == Q_SUBJECT)
                        exchange->subject = without_context(value);
                else            // ":*:": in any context
                        exchange->prefix = bytes_starts_with(value, BYTES(":*:")) ? (struct bytes){value.data + 3, value.size - 3}
                                                                                   : without_context(value);
                return true;
        case QUERY_EMPTY:
                return value.size == 0;
        case QUERY_LIST:
                return queries[kind].query == Q_KEY ? read_item(exchange, &exchange->keys, &exchange->key_count, value)
                                                    : read_item(exchange, &exchange->values, &exchange->value_count, value);
        }
        return false;
}

static bool read_queries(struct registry_exchange *exchange, unsigned allowed) {
        struct named_value *values;
        size_t count;
        struct error error;
        if (!query_parse(exchange->query, &exchange->arena, &values, &count, &error)) {
                rest_fail(exchange, REGISTRY_ERROR_BAD_REQUEST, "query: %s", error.text);
                return false;
        }
        for (size_t at = 0; at < count; at++) {
                size_t kind = 0;
                while (kind < ARRAY_SIZE(queries) && !bytes_equal(values[at].name, bytes_of(queries[kind].name)))
                        kind++;
                bool known = kind < ARRAY_SIZE(queries) && (queries[kind].query & allowed);
                if (!known && asks_nothing(values[at].value))
                        continue;
                if (!known) {
                        rest_fail(exchange, REGISTRY_ERROR_BAD_REQUEST, "query parameter '%.*s' is not supported here",
                                  BYTES_PRINT(values[at].name));
                        return false;
                }
                if (!read_query(exchange, kind, values[at].value)) {
                        rest_fail(exchange, REGISTRY_ERROR_BAD_REQUEST, "query parameter '%s' cannot be '%.*s'",
                                  queries[kind].name, BYTES_PRINT(values[at].value));
                        return false;
                }
        }
        return true;
}

// The media type of a body, without parameters.
static bool known_type(struct bytes type) {
        static const char *const known[] = {VND_TYPE, "application/vnd.schemaregistry+json", "application/json",
                                            "application/octet-stream"};
        const char *end = type.size ? memchr(type.data, ';', type.size) : NULL;
        if (end)
                type.size = (size_t)(end - type.data);
        while (type.size > 0 && type.data[type.size - 1] == ' ')
                type.size--;
        for (size_t at = 0; at < ARRAY_SIZE(known); at++)
                if (bytes_equal_ignore_case(type, bytes_of(known[at])))
                        return true;
        return type.size == 0;
}

// The registry's own type, unless the client asks for application/json and not for it.
static const char *answer_type(struct bytes accept) {
        bool json = accept.size && memmem(accept.data, accept.size, "application/json", strlen("application/json"));
        bool own = accept.size && memmem(accept.data, accept.size, VND_TYPE, strlen(VND_TYPE));
        return json && !own ? "application/json" : VND_TYPE;
}

static bool check_request(struct registry_exchange *exchange, const struct route *route) {
        struct error error;
        if (!read_queries(exchange, route->queries))
                return false;
        if (exchange->body.size > 0 && !known_type(exchange->content_type)) {
                rest_fail(exchange, REGISTRY_ERROR_MEDIA_TYPE, "the body's type is not " VND_TYPE " or application/json");
                return false;
        }
        size_t place = bytes_equal(exchange->segments[0], BYTES("compatibility")) ? 2 : 1;
        bool named = exchange->segment_count > place && !bytes_equal(exchange->segments[0], BYTES("schemas"));
        if (named && bytes_equal(exchange->segments[place], BYTES(":.:")) && exchange->segment_count == 2 &&
            !bytes_equal(exchange->segments[0], BYTES("subjects"))) {
                exchange->segment_count = 1;            // config, mode: the whole registry
                return true;
        }
        if (named)
                exchange->segments[place] = without_context(exchange->segments[place]);
        if (named && !registry_check_subject(exchange->segments[place], &error)) {
                rest_fail(exchange, REGISTRY_ERROR_SUBJECT, "The specified subject '%.*s' is not a valid subject: %s",
                          BYTES_PRINT(exchange->segments[place]), error.text);
                return false;
        }
        return true;
}

void registry_rest_handle(const struct registry_rest *rest, struct registry_exchange *exchange) {
        exchange->rest = rest;
        exchange->limit = UINT64_MAX;
        exchange->content_type_out = answer_type(exchange->accept);
        if (!split_path(exchange))
                return;
        // The server leaves out the body of what answers a HEAD.
        struct bytes method = bytes_equal(exchange->method, BYTES("HEAD")) ? BYTES("GET") : exchange->method;
        const char *allow = NULL;
        for (size_t at = 0; at < ARRAY_SIZE(routes); at++) {
                if (!matches(exchange, routes[at].path))
                        continue;
                if (!bytes_equal(method, bytes_of(routes[at].method))) {
                        const char *also = strcmp(routes[at].method, "GET") == 0 ? "GET, HEAD" : routes[at].method;
                        allow = arena_print(&exchange->arena, "%s%s%s", allow ? allow : "", allow ? ", " : "", also);
                        continue;
                }
                if (check_request(exchange, &routes[at]))
                        routes[at].answer(exchange);
                return;
        }
        exchange->allow = allow;
        if (allow)
                rest_fail(exchange, REGISTRY_ERROR_METHOD, "HTTP 405 Method Not Allowed");
        else
                rest_fail(exchange, REGISTRY_ERROR_NO_PATH, "HTTP 404 Not Found");
}

void registry_exchange_clear(struct registry_exchange *exchange) {
        buffer_free(&exchange->answer);
        registry_objections_free(&exchange->objections);
        arena_free(&exchange->arena);
        *exchange = (struct registry_exchange){0};
}

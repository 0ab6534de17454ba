// SPDX-License-Identifier: Apache-2.0
// A request is taken apart (path, query, headers), finds its route, and the route's function answers with `reply` or `fail`, or
// submits a change and answers when that has ended. Memory: the exchange's arena. Control thread only. It fails by answering.
#include "api/registry_rest.h"

#include <stdarg.h>
#include <stdio.h>

#include "json/target.h"
#include "json/writer.h"

#define VND_TYPE "application/vnd.schemaregistry.v1+json"

// Query parameters: bit of a route's `queries`, how it is read
enum query_kind { QUERY_FLAG, QUERY_NUMBER, QUERY_TEXT, QUERY_EMPTY };
enum query {
        Q_DELETED = 1, Q_DELETED_ONLY = 2, Q_PERMANENT = 4, Q_NORMALIZE = 8, Q_MAX_ID = 16, Q_DEFAULT = 32, Q_LATEST = 64,
        Q_OFFSET = 128, Q_LIMIT = 256, Q_SUBJECT = 512, Q_PREFIX = 1024, Q_FORMAT = 2048,
        Q_PAGE = Q_OFFSET | Q_LIMIT,
};
static const struct {
        const char *name;
        enum query query;
        enum query_kind kind;
} queries[] = {
        {"deleted", Q_DELETED, QUERY_FLAG},
        {"deletedOnly", Q_DELETED_ONLY, QUERY_FLAG},
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
};

// ---- answers ----

static void send(struct registry_exchange *exchange, int status) {
        exchange->status = status;
        exchange->answered(exchange);
}

static void reply(struct registry_exchange *exchange, struct json_writer *writer) {
        json_end(writer);
        send(exchange, 200);
}

PRINTF_LIKE(3, 4)
static void fail(struct registry_exchange *exchange, enum registry_error code, const char *format, ...) {
        char message[ERROR_TEXT_MAX];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(message, sizeof message, format, arguments);
        va_end(arguments);
        buffer_clear(&exchange->answer);
        struct json_writer writer = {.buffer = &exchange->answer};
        json_begin_object(&writer);
        json_member_u64(&writer, "error_code", code);
        json_member_text(&writer, "message", message);
        json_end_object(&writer);
        json_end(&writer);
        send(exchange, code >= 1000 ? (int)code / 100 : (int)code);
}

// invalid: the code for what the user got wrong.
static void fail_with(struct registry_exchange *exchange, enum registry_error invalid, const struct error *error) {
        enum registry_error code = REGISTRY_ERROR_STORE;
        if (error->code == ERROR_INVALID || error->code == ERROR_UNSUPPORTED || error->code == ERROR_REJECTED)
                code = invalid;
        else if (error->code == ERROR_LIMIT)
                code = REGISTRY_ERROR_TOO_LARGE;
        else if (error->code == ERROR_NOT_FOUND)
                code = REGISTRY_ERROR_NO_SUBJECT;
        else if (error_retriable(error->code))
                code = REGISTRY_ERROR_UNAVAILABLE;
        fail(exchange, code, "%s%s", code == REGISTRY_ERROR_SCHEMA ? "Invalid schema: " : "", error->text);
}

static void fail_subject(struct registry_exchange *exchange, struct bytes name) {
        fail(exchange, REGISTRY_ERROR_NO_SUBJECT, "Subject '%.*s' not found.", BYTES_PRINT(name));
}

// ---- parts of a request ----

// True: the item at *seen of a list is within ?offset and ?limit. Counts it.
static bool page(const struct registry_exchange *exchange, uint64_t *seen) {
        uint64_t at = (*seen)++;
        return at >= exchange->offset && at - exchange->offset < exchange->limit;
}

// Of a subject's version: is it to be seen with these query flags?
static bool visible(const struct registry_exchange *exchange, bool deleted) {
        if (exchange->flags & Q_DELETED_ONLY)
                return deleted;
        return !deleted || (exchange->flags & Q_DELETED);
}

// The subject in the path. False, and answered, when there is none that may be seen.
static bool find_subject(struct registry_exchange *exchange, struct registry_subject *ret_subject) {
        struct bytes name = exchange->segments[1];
        struct registry_subject subject;
        if (!registry_subject(exchange->rest->registry, name, &subject) || subject.count == 0 ||
            (subject.live == 0 && !(exchange->flags & (Q_DELETED | Q_DELETED_ONLY)))) {
                fail_subject(exchange, name);
                return false;
        }
        *ret_subject = subject;
        return true;
}

// The number in the path, 0 for the latest. False, and answered, when it is none.
static bool parse_version(struct registry_exchange *exchange, uint32_t *ret_number) {
        struct bytes text = exchange->segments[3];
        uint64_t number;
        if (bytes_equal(text, BYTES("latest")) || bytes_equal(text, BYTES("-1"))) {
                *ret_number = 0;
                return true;
        }
        if (!bytes_to_u64(text, &number) || number == 0 || number > INT32_MAX) {
                fail(exchange, REGISTRY_ERROR_VERSION, "The specified version '%.*s' is not a valid version id. Allowed "
                     "values are between [1, 2^31-1] and the string \"latest\"", BYTES_PRINT(text));
                return false;
        }
        *ret_number = (uint32_t)number;
        return true;
}

static bool find_version(struct registry_exchange *exchange, struct registry_subject *ret_subject,
                         struct registry_version *ret_version) {
        struct registry_subject subject;
        uint32_t number;
        if (!parse_version(exchange, &number) || !find_subject(exchange, &subject))
                return false;
        size_t at = number ? number : subject.count;
        while (number == 0 && at > 0 && !visible(exchange, subject.versions[at - 1].deleted))
                at--;
        if (at == 0 || at > subject.count || !visible(exchange, subject.versions[at - 1].deleted)) {
                fail(exchange, REGISTRY_ERROR_NO_VERSION, "Version %.*s not found.", BYTES_PRINT(exchange->segments[3]));
                return false;
        }
        *ret_subject = subject;
        *ret_version = subject.versions[at - 1];
        return true;
}

static bool find_id(struct registry_exchange *exchange, uint32_t *ret_id) {
        struct bytes text = exchange->segments[2];
        uint64_t id;
        if (!bytes_to_u64(text, &id) || id == 0 || id > registry_ids(exchange->rest->registry)) {
                fail(exchange, REGISTRY_ERROR_NO_SCHEMA, "Schema %.*s not found", BYTES_PRINT(text));
                return false;
        }
        *ret_id = (uint32_t)id;
        return true;
}

static bool parse_body(struct registry_exchange *exchange, const struct json **ret_body) {
        struct error error;
        const struct json *body;
        if (!json_parse(exchange->body, NULL, &exchange->arena, &body, &error)) {
                fail(exchange, REGISTRY_ERROR_BAD_REQUEST, "the body is not JSON: %s", error.text);
                return false;
        }
        if (!json_is(body, JSON_OBJECT)) {
                fail(exchange, REGISTRY_ERROR_BAD_REQUEST, "the body is not a JSON object");
                return false;
        }
        *ret_body = body;
        return true;
}

// Members that Confluent's registry knows and this one does not: they may say "nothing" and nothing else.
static bool says_nothing(struct bytes key, const struct json *value) {
        int64_t number;
        if (bytes_equal(key, BYTES("id")) || bytes_equal(key, BYTES("version")))
                return json_is(value, JSON_NULL) || (json_is(value, JSON_NUMBER) && json_to_i64(value, &number) && number <= 0);
        if (json_is(value, JSON_ARRAY) || json_is(value, JSON_OBJECT))
                return json_count(value) == 0;
        return json_is(value, JSON_NULL);
}

static bool check_other_member(struct registry_exchange *exchange, struct bytes key, const struct json *value) {
        static const char *const not_supported[] = {
                "references", "metadata", "ruleSet", "id", "version", "schemaTagsToAdd", "schemaTagsToRemove",
                "propagateSchemaTags",
        };
        for (size_t at = 0; at < ARRAY_SIZE(not_supported); at++) {
                if (!bytes_equal(key, bytes_of(not_supported[at])))
                        continue;
                if (says_nothing(key, value))
                        return true;
                fail(exchange, REGISTRY_ERROR_SCHEMA, "Invalid schema: \"%s\" is not supported", not_supported[at]);
                return false;
        }
        if (bytes_equal(key, BYTES("subject")))         // the path says it; clients that send back what they read repeat it
                return true;
        fail(exchange, REGISTRY_ERROR_MEMBER, "Unrecognized field: %.*s", BYTES_PRINT(key));
        return false;
}

// {"schema":"…","schemaType":"JSON"}. False, and answered, when it is anything else.
static bool parse_schema(struct registry_exchange *exchange, struct bytes *ret_schema) {
        const struct json *body, *schema = NULL;
        struct bytes type = BYTES("AVRO");              // what Confluent's registry takes it for
        if (!parse_body(exchange, &body))
                return false;
        JSON_FOR_EACH_MEMBER(key, value, body) {
                bool is_type = bytes_equal(json_text(key), BYTES("schemaType"));
                if (is_type && json_is(value, JSON_STRING))
                        type = json_text(value);
                else if (bytes_equal(json_text(key), BYTES("schema")) && json_is(value, JSON_STRING))
                        schema = value;
                else if (!is_type && !check_other_member(exchange, json_text(key), value))
                        return false;
        }
        if (!bytes_equal(type, BYTES("JSON"))) {
                fail(exchange, REGISTRY_ERROR_SCHEMA, "Invalid schema: schema type %.*s is not supported, only JSON is "
                     "(\"schemaType\":\"JSON\")", BYTES_PRINT(type));
                return false;
        }
        if (!schema) {
                fail(exchange, REGISTRY_ERROR_SCHEMA, "Invalid schema: there is no \"schema\", or it is not a string");
                return false;
        }
        *ret_schema = json_text(schema);
        return true;
}

// ---- schemas and subjects ----

static void write_version(struct json_writer *writer, const struct registry_exchange *exchange, struct bytes subject,
                          const struct registry_version *version) {
        json_begin_object(writer);
        json_member_bytes(writer, "subject", subject);
        json_member_u64(writer, "version", version->version);
        json_member_u64(writer, "id", version->id);
        json_member_text(writer, "schemaType", "JSON");
        json_member_bytes(writer, "schema", registry_schema_text(exchange->rest->registry, version->id));
        json_end_object(writer);
}

static void get_root(struct registry_exchange *exchange) {
        buffer_append(&exchange->answer, BYTES("{}"));
        send(exchange, 200);
}

static void get_types(struct registry_exchange *exchange) {
        buffer_append(&exchange->answer, BYTES("[\"JSON\"]"));
        send(exchange, 200);
}

static void get_contexts(struct registry_exchange *exchange) {
        buffer_append(&exchange->answer, BYTES("[\".\"]"));             // the default one
        send(exchange, 200);
}

static void get_subjects(struct registry_exchange *exchange) {
        struct json_writer writer = {.buffer = &exchange->answer};
        struct registry_subject subject;
        uint64_t seen = 0;
        json_begin_array(&writer);
        for (size_t at = 0; registry_subject_at(exchange->rest->registry, at, &subject); at++)
                if (subject.count > 0 && visible(exchange, subject.live == 0) &&
                    bytes_starts_with(subject.name, exchange->prefix) && page(exchange, &seen))
                        json_string(&writer, subject.name);
        json_end_array(&writer);
        reply(exchange, &writer);
}

static void get_versions(struct registry_exchange *exchange) {
        struct registry_subject subject;
        if (!find_subject(exchange, &subject))
                return;
        struct json_writer writer = {.buffer = &exchange->answer};
        uint64_t seen = 0;
        json_begin_array(&writer);
        for (size_t at = 0; at < subject.count; at++)
                if (visible(exchange, subject.versions[at].deleted) && page(exchange, &seen))
                        json_u64(&writer, subject.versions[at].version);
        json_end_array(&writer);
        reply(exchange, &writer);
}

static void get_version(struct registry_exchange *exchange) {
        struct registry_subject subject;
        struct registry_version version;
        if (!find_version(exchange, &subject, &version))
                return;
        struct json_writer writer = {.buffer = &exchange->answer};
        write_version(&writer, exchange, subject.name, &version);
        reply(exchange, &writer);
}

static void get_version_schema(struct registry_exchange *exchange) {
        struct registry_subject subject;
        struct registry_version version;
        if (!find_version(exchange, &subject, &version))
                return;
        buffer_append(&exchange->answer, registry_schema_text(exchange->rest->registry, version.id));
        send(exchange, 200);
}

// Schemas that refer to this one: references are not supported, so there are none.
static void get_referenced_by(struct registry_exchange *exchange) {
        struct registry_subject subject;
        struct registry_version version;
        if (!find_version(exchange, &subject, &version))
                return;
        buffer_append(&exchange->answer, BYTES("[]"));
        send(exchange, 200);
}

static void get_schemas(struct registry_exchange *exchange) {
        struct json_writer writer = {.buffer = &exchange->answer};
        struct registry_subject subject;
        uint64_t seen = 0;
        json_begin_array(&writer);
        for (size_t at = 0; registry_subject_at(exchange->rest->registry, at, &subject); at++) {
                if (!bytes_starts_with(subject.name, exchange->prefix))
                        continue;
                const struct registry_version *last = NULL;
                for (size_t each = 0; each < subject.count; each++) {
                        if (!visible(exchange, subject.versions[each].deleted))
                                continue;
                        last = &subject.versions[each];
                        if (!(exchange->flags & Q_LATEST) && page(exchange, &seen))
                                write_version(&writer, exchange, subject.name, last);
                }
                if ((exchange->flags & Q_LATEST) && last && page(exchange, &seen))
                        write_version(&writer, exchange, subject.name, last);
        }
        json_end_array(&writer);
        reply(exchange, &writer);
}

static void get_id(struct registry_exchange *exchange) {
        uint32_t id;
        if (!find_id(exchange, &id))
                return;
        struct json_writer writer = {.buffer = &exchange->answer};
        json_begin_object(&writer);
        json_member_bytes(&writer, "schema", registry_schema_text(exchange->rest->registry, id));
        json_member_text(&writer, "schemaType", "JSON");
        if (exchange->flags & Q_MAX_ID)
                json_member_u64(&writer, "maxId", registry_ids(exchange->rest->registry));
        json_end_object(&writer);
        reply(exchange, &writer);
}

static void get_id_schema(struct registry_exchange *exchange) {
        uint32_t id;
        if (!find_id(exchange, &id))
                return;
        buffer_append(&exchange->answer, registry_schema_text(exchange->rest->registry, id));
        send(exchange, 200);
}

// Where an id is used: the versions, or only the subjects.
static void write_uses(struct registry_exchange *exchange, bool versions) {
        struct registry_subject subject;
        uint32_t id;
        if (!find_id(exchange, &id))
                return;
        struct json_writer writer = {.buffer = &exchange->answer};
        uint64_t seen = 0;
        json_begin_array(&writer);
        for (size_t at = 0; registry_subject_at(exchange->rest->registry, at, &subject); at++) {
                bool named = false;
                if (exchange->subject.size > 0 && !bytes_equal(exchange->subject, subject.name))
                        continue;
                for (size_t each = 0; each < subject.count && !named; each++) {
                        const struct registry_version *version = &subject.versions[each];
                        if (version->id != id || !visible(exchange, version->deleted) || !page(exchange, &seen))
                                continue;
                        if (!versions) {
                                json_string(&writer, subject.name);
                                named = true;
                                continue;
                        }
                        json_begin_object(&writer);
                        json_member_bytes(&writer, "subject", subject.name);
                        json_member_u64(&writer, "version", version->version);
                        json_end_object(&writer);
                }
        }
        json_end_array(&writer);
        reply(exchange, &writer);
}

static void get_id_versions(struct registry_exchange *exchange) {
        write_uses(exchange, true);
}

static void get_id_subjects(struct registry_exchange *exchange) {
        write_uses(exchange, false);
}

static void lookup(struct registry_exchange *exchange) {
        struct bytes schema;
        struct registry_subject subject;
        struct registry_version version;
        struct error error;
        if (!parse_schema(exchange, &schema) || !find_subject(exchange, &subject))
                return;
        if (!registry_lookup(exchange->rest->registry, subject.name, schema, exchange->flags & Q_DELETED, &version, &error)) {
                if (error.code == ERROR_NOT_FOUND)
                        fail(exchange, REGISTRY_ERROR_NO_SCHEMA, "Schema not found");
                else
                        fail_with(exchange, REGISTRY_ERROR_SCHEMA, &error);
                return;
        }
        struct json_writer writer = {.buffer = &exchange->answer};
        write_version(&writer, exchange, subject.name, &version);
        reply(exchange, &writer);
}

// ---- changes ----

static void registered(struct registry_change *change, const struct error *error) {
        struct registry_exchange *exchange = change->user;
        if (error) {
                fail_with(exchange, REGISTRY_ERROR_SCHEMA, error);
                return;
        }
        struct json_writer writer = {.buffer = &exchange->answer};
        json_begin_object(&writer);
        json_member_u64(&writer, "id", change->registered.id);
        json_end_object(&writer);
        reply(exchange, &writer);
}

static void submit(struct registry_exchange *exchange, struct registry_change change) {
        exchange->change = change;
        exchange->change.user = exchange;
        registry_submit(exchange->rest->changes, &exchange->change);
}

static void post_version(struct registry_exchange *exchange) {
        struct bytes schema;
        if (parse_schema(exchange, &schema))
                submit(exchange, (struct registry_change){
                        .kind = REGISTRY_REGISTER, .subject = exchange->segments[1], .schema = schema, .done = registered});
}

static void version_deleted(struct registry_change *change, const struct error *error) {
        struct registry_exchange *exchange = change->user;
        if (error) {
                fail_with(exchange, REGISTRY_ERROR_VERSION, error);
                return;
        }
        buffer_print(&exchange->answer, "%u", change->version);
        send(exchange, 200);
}

// Answers what was live when the request came and is not now.
static void subject_deleted(struct registry_change *change, const struct error *error) {
        struct registry_exchange *exchange = change->user;
        struct registry_subject now;
        if (error) {
                fail_with(exchange, REGISTRY_ERROR_SUBJECT, error);
                return;
        }
        bool there = registry_subject(exchange->rest->registry, change->subject, &now);
        ASSERT(there && now.count >= exchange->before.count);
        struct json_writer writer = {.buffer = &exchange->answer};
        json_begin_array(&writer);
        for (size_t at = 0; at < now.count; at++)
                if (now.versions[at].deleted && (at >= exchange->before.count || !exchange->before.versions[at].deleted))
                        json_u64(&writer, now.versions[at].version);
        json_end_array(&writer);
        reply(exchange, &writer);
}

static bool may_delete(struct registry_exchange *exchange) {
        if (!(exchange->flags & Q_PERMANENT))
                return true;
        fail(exchange, REGISTRY_ERROR_NOT_PERMITTED,
                     "permanent deletion is not supported: events of the past need their schemas");
        return false;
}

static void delete_version(struct registry_exchange *exchange) {
        struct registry_subject subject;
        struct registry_version version;
        if (!may_delete(exchange))
                return;
        exchange->flags |= Q_DELETED;
        if (!find_version(exchange, &subject, &version))
                return;
        uint32_t number;
        if (!parse_version(exchange, &number))
                return;
        if (number == 0 && registry_version(exchange->rest->registry, subject.name, 0, &version))
                number = version.version;
        if (version.deleted) {
                fail(exchange, REGISTRY_ERROR_VERSION_DELETED, "Subject '%.*s' Version %u was soft deleted.",
                     BYTES_PRINT(subject.name), version.version);
                return;
        }
        submit(exchange, (struct registry_change){.kind = REGISTRY_DELETE, .subject = exchange->segments[1],
                                                  .version = number, .done = version_deleted});
}

static void delete_subject(struct registry_exchange *exchange) {
        struct registry_subject subject;
        if (!may_delete(exchange))
                return;
        exchange->flags |= Q_DELETED;
        if (!find_subject(exchange, &subject))
                return;
        if (subject.live == 0) {
                fail(exchange, REGISTRY_ERROR_SUBJECT_DELETED, "Subject '%.*s' was soft deleted.", BYTES_PRINT(subject.name));
                return;
        }
        size_t size = subject.count * sizeof *subject.versions;
        exchange->before = subject;
        exchange->before.versions = memcpy(arena_alloc(&exchange->arena, size), subject.versions, size);
        submit(exchange, (struct registry_change){.kind = REGISTRY_DELETE, .subject = exchange->segments[1],
                                                  .done = subject_deleted});
}

// ---- compatibility and mode ----

static void reply_text(struct registry_exchange *exchange, const char *key, const char *value) {
        struct json_writer writer = {.buffer = &exchange->answer};
        json_begin_object(&writer);
        json_member_text(&writer, key, value);
        json_end_object(&writer);
        reply(exchange, &writer);
}

// {KEY: "text"} and nothing else; upper case.
static bool parse_only_text(struct registry_exchange *exchange, const char *key, struct bytes *ret_text) {
        const struct json *body;
        if (!parse_body(exchange, &body))
                return false;
        JSON_FOR_EACH_MEMBER(name, value, body)
                if (!bytes_equal(json_text(name), bytes_of(key))) {
                        fail(exchange, REGISTRY_ERROR_MEMBER, "\"%.*s\" is not supported here", BYTES_PRINT(json_text(name)));
                        return false;
                }
        const struct json *value = json_get_text(body, key);
        if (!json_is(value, JSON_STRING)) {
                fail(exchange, REGISTRY_ERROR_MEMBER, "\"%s\" is not there, or not a string", key);
                return false;
        }
        struct bytes text = json_text(value);
        char *upper = arena_text(&exchange->arena, text);
        for (size_t at = 0; at < text.size; at++)
                if (upper[at] >= 'a' && upper[at] <= 'z')
                        upper[at] = (char)(upper[at] - 'a' + 'A');
        *ret_text = (struct bytes){upper, text.size};
        return true;
}

// The subject's name of /config[/{subject}] and /mode[/{subject}]; empty: the registry itself.
static struct bytes scope(const struct registry_exchange *exchange) {
        return exchange->segment_count > 1 ? exchange->segments[1] : (struct bytes){0};
}

static void get_config(struct registry_exchange *exchange) {
        enum registry_level level = registry_compatibility(exchange->rest->registry, scope(exchange));
        if (level == REGISTRY_LEVEL_UNSET && (exchange->flags & Q_DEFAULT))
                level = registry_compatibility(exchange->rest->registry, (struct bytes){0});
        if (level == REGISTRY_LEVEL_UNSET)
                fail(exchange, REGISTRY_ERROR_NO_LEVEL, "Subject '%.*s' does not have subject-level compatibility configured",
                     BYTES_PRINT(scope(exchange)));
        else
                reply_text(exchange, "compatibilityLevel", registry_level_name(level));
}

static void configured(struct registry_change *change, const struct error *error) {
        struct registry_exchange *exchange = change->user;
        if (error)
                fail_with(exchange, REGISTRY_ERROR_LEVEL, error);
        else
                reply_text(exchange, "compatibility", registry_level_name(change->level));
}

// Answers the level that was removed.
static void unconfigured(struct registry_change *change, const struct error *error) {
        struct registry_exchange *exchange = change->user;
        if (error)
                fail_with(exchange, REGISTRY_ERROR_LEVEL, error);
        else
                reply_text(exchange, "compatibility", registry_level_name(REGISTRY_LEVEL_NONE));        // there is no other yet
}

static void put_config(struct registry_exchange *exchange) {
        struct bytes name;
        enum registry_level level;
        if (!parse_only_text(exchange, "compatibility", &name))
                return;
        if (!registry_level_of(name, &level)) {
                fail(exchange, REGISTRY_ERROR_LEVEL, "Invalid compatibility level. Valid values are none, backward, forward, "
                     "full, backward_transitive, forward_transitive, and full_transitive");
                return;
        }
        submit(exchange, (struct registry_change){.kind = REGISTRY_COMPATIBILITY, .subject = scope(exchange), .level = level,
                                                  .done = configured});
}

static void delete_config(struct registry_exchange *exchange) {
        if (registry_compatibility(exchange->rest->registry, scope(exchange)) == REGISTRY_LEVEL_UNSET) {
                fail(exchange, REGISTRY_ERROR_NO_LEVEL, "Subject '%.*s' does not have subject-level compatibility configured",
                     BYTES_PRINT(scope(exchange)));
                return;
        }
        submit(exchange, (struct registry_change){.kind = REGISTRY_COMPATIBILITY, .subject = scope(exchange),
                                                  .level = REGISTRY_LEVEL_UNSET, .done = unconfigured});
}

static void get_mode(struct registry_exchange *exchange) {
        if (scope(exchange).size > 0 && !(exchange->flags & Q_DEFAULT))
                fail(exchange, REGISTRY_ERROR_NO_MODE, "Subject '%.*s' does not have subject-level mode configured",
                     BYTES_PRINT(scope(exchange)));
        else
                reply_text(exchange, "mode", "READWRITE");
}

static void put_mode(struct registry_exchange *exchange) {
        struct bytes mode;
        if (!parse_only_text(exchange, "mode", &mode))
                return;
        if (bytes_equal(mode, BYTES("READWRITE")) && scope(exchange).size == 0)
                reply_text(exchange, "mode", "READWRITE");
        else
                fail(exchange, REGISTRY_ERROR_MODE, "mode %.*s is not supported, only READWRITE for the whole registry is",
                     BYTES_PRINT(mode));
}

static void post_compatibility(struct registry_exchange *exchange) {
        fail(exchange, REGISTRY_ERROR_NOT_PERMITTED, "compatibility checks are not supported yet; the only level is NONE");
}

// ---- routes ----

// `*` is any one segment; that after subjects, config or mode is a subject's name.
static const struct route {
        const char *method;
        const char *path;
        void (*answer)(struct registry_exchange *exchange);
        unsigned queries;
} routes[] = {
        {"GET", "", get_root, 0},
        {"GET", "contexts", get_contexts, Q_PAGE},
        {"GET", "subjects", get_subjects, Q_DELETED | Q_DELETED_ONLY | Q_PREFIX | Q_PAGE},
        {"POST", "subjects/*", lookup, Q_DELETED | Q_NORMALIZE | Q_FORMAT},
        {"DELETE", "subjects/*", delete_subject, Q_PERMANENT},
        {"GET", "subjects/*/versions", get_versions, Q_DELETED | Q_DELETED_ONLY | Q_PAGE},
        {"POST", "subjects/*/versions", post_version, Q_NORMALIZE | Q_FORMAT},
        {"GET", "subjects/*/versions/*", get_version, Q_DELETED | Q_FORMAT},
        {"DELETE", "subjects/*/versions/*", delete_version, Q_PERMANENT},
        {"GET", "subjects/*/versions/*/schema", get_version_schema, Q_DELETED | Q_FORMAT},
        {"GET", "subjects/*/versions/*/referencedby", get_referenced_by, Q_DELETED | Q_PAGE},
        {"GET", "schemas", get_schemas, Q_DELETED | Q_LATEST | Q_PREFIX | Q_PAGE},
        {"GET", "schemas/types", get_types, 0},
        {"GET", "schemas/ids/*", get_id, Q_SUBJECT | Q_MAX_ID | Q_FORMAT},
        {"GET", "schemas/ids/*/schema", get_id_schema, Q_SUBJECT | Q_FORMAT},
        {"GET", "schemas/ids/*/versions", get_id_versions, Q_DELETED | Q_SUBJECT | Q_PAGE},
        {"GET", "schemas/ids/*/subjects", get_id_subjects, Q_DELETED | Q_SUBJECT | Q_PAGE},
        {"GET", "config", get_config, Q_DEFAULT},
        {"PUT", "config", put_config, 0},
        {"DELETE", "config", delete_config, 0},
        {"GET", "config/*", get_config, Q_DEFAULT},
        {"PUT", "config/*", put_config, 0},
        {"DELETE", "config/*", delete_config, 0},
        {"GET", "mode", get_mode, 0},
        {"PUT", "mode", put_mode, 0},
        {"GET", "mode/*", get_mode, Q_DEFAULT},
        {"PUT", "mode/*", put_mode, 0},
        {"POST", "compatibility/subjects/*/versions", post_compatibility, ~0U},
        {"POST", "compatibility/subjects/*/versions/*", post_compatibility, ~0U},
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

// "/a/b" and "/a/b/" are two segments, "/" none.
static bool split_path(struct registry_exchange *exchange) {
        struct bytes rest = exchange->path;
        if (rest.size == 0 || rest.data[0] != '/')
                return false;
        while (rest.size > 1) {
                rest = (struct bytes){rest.data + 1, rest.size - 1};
                const char *slash = memchr(rest.data, '/', rest.size);
                struct bytes segment = {rest.data, slash ? (size_t)(slash - rest.data) : rest.size};
                if (exchange->segment_count == REGISTRY_REST_SEGMENTS_MAX ||
                    !decode(&exchange->arena, segment, &exchange->segments[exchange->segment_count]))
                        return false;
                exchange->segment_count++;
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

static bool read_query(struct registry_exchange *exchange, size_t kind, struct bytes value) {
        uint64_t number;
        switch (queries[kind].kind) {
        case QUERY_FLAG:
                if (bytes_equal_ignore_case(value, BYTES("true")))
                        exchange->flags |= queries[kind].query;
                else
                        return bytes_equal_ignore_case(value, BYTES("false"));
                return true;
        case QUERY_NUMBER:
                if (queries[kind].query == Q_LIMIT && bytes_equal(value, BYTES("-1")))
                        return true;            // no limit, which is the default
                if (!bytes_to_u64(value, &number))
                        return false;
                *(queries[kind].query == Q_LIMIT ? &exchange->limit : &exchange->offset) = number;
                return true;
        case QUERY_TEXT:
                *(queries[kind].query == Q_SUBJECT ? &exchange->subject : &exchange->prefix) = value;
                return true;
        case QUERY_EMPTY:
                return value.size == 0;
        }
        return false;
}

static bool read_queries(struct registry_exchange *exchange, unsigned allowed) {
        struct named_value *values;
        size_t count;
        struct error error;
        if (!query_parse(exchange->query, &exchange->arena, &values, &count, &error)) {
                fail(exchange, REGISTRY_ERROR_BAD_REQUEST, "query: %s", error.text);
                return false;
        }
        for (size_t at = 0; at < count; at++) {
                size_t kind = 0;
                while (kind < ARRAY_SIZE(queries) && !bytes_equal(values[at].name, bytes_of(queries[kind].name)))
                        kind++;
                if (kind == ARRAY_SIZE(queries) || !(queries[kind].query & allowed)) {
                        fail(exchange, REGISTRY_ERROR_BAD_REQUEST, "query parameter '%.*s' is not supported here",
                             BYTES_PRINT(values[at].name));
                        return false;
                }
                if (!read_query(exchange, kind, values[at].value)) {
                        fail(exchange, REGISTRY_ERROR_BAD_REQUEST, "query parameter '%s' cannot be '%.*s'", queries[kind].name,
                             BYTES_PRINT(values[at].value));
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
                fail(exchange, REGISTRY_ERROR_MEDIA_TYPE, "the body's type is not " VND_TYPE " or application/json");
                return false;
        }
        bool named = exchange->segment_count > 1 && !bytes_equal(exchange->segments[0], BYTES("schemas")) &&
                     !bytes_equal(exchange->segments[0], BYTES("compatibility"));
        if (named && !registry_check_subject(exchange->segments[1], &error)) {
                fail(exchange, REGISTRY_ERROR_SUBJECT, "The specified subject '%.*s' is not a valid subject: %s",
                     BYTES_PRINT(exchange->segments[1]), error.text);
                return false;
        }
        return true;
}

void registry_rest_handle(const struct registry_rest *rest, struct registry_exchange *exchange) {
        exchange->rest = rest;
        exchange->limit = UINT64_MAX;
        exchange->content_type_out = answer_type(exchange->accept);
        if (!split_path(exchange)) {
                fail(exchange, REGISTRY_ERROR_BAD_REQUEST, "a path that is too long, or has a wrong escape");
                return;
        }
        bool other_method = false;
        for (size_t at = 0; at < ARRAY_SIZE(routes); at++) {
                if (!matches(exchange, routes[at].path))
                        continue;
                other_method = true;
                if (!bytes_equal(exchange->method, bytes_of(routes[at].method)))
                        continue;
                if (check_request(exchange, &routes[at]))
                        routes[at].answer(exchange);
                return;
        }
        if (other_method)
                fail(exchange, REGISTRY_ERROR_METHOD, "HTTP 405 Method Not Allowed");
        else
                fail(exchange, REGISTRY_ERROR_NO_PATH, "HTTP 404 Not Found");
}

void registry_exchange_clear(struct registry_exchange *exchange) {
        buffer_free(&exchange->answer);
        arena_free(&exchange->arena);
        *exchange = (struct registry_exchange){0};
}

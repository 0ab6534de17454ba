// SPDX-License-Identifier: Apache-2.0
// Answers of the registry's REST API, and the parts of a request that several routes read.
#include "api/registry_rest_priv.h"

#include <stdarg.h>
#include <stdio.h>

#include "json/writer.h"

// ---- answers ----

void rest_send(struct registry_exchange *exchange, int status) {
        exchange->status = status;
        exchange->answered(exchange);
}

void rest_reply(struct registry_exchange *exchange, struct json_writer *writer) {
        json_end(writer);
        rest_send(exchange, 200);
}

PRINTF_LIKE(3, 4)
void rest_fail(struct registry_exchange *exchange, enum registry_error code, const char *format, ...) {
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
        rest_send(exchange, code >= 1000 ? (int)code / 100 : (int)code);
}

// The list is part of a text, as clients expect it; it may be longer than an error's.
void rest_fail_incompatible(struct registry_exchange *exchange) {
        CLEANUP(buffer_free) struct buffer message = {0};
        buffer_print(&message, "Schema being registered is incompatible with an earlier schema for subject \"%.*s\", details: [",
                     BYTES_PRINT(exchange->segments[1]));
        for (size_t at = 0; at < exchange->objections.count; at++)
                buffer_print(&message, "%s%s", at ? ", " : "", exchange->objections.items[at]);
        buffer_append_byte(&message, ']');
        buffer_clear(&exchange->answer);
        struct json_writer writer = {.buffer = &exchange->answer};
        json_begin_object(&writer);
        json_member_u64(&writer, "error_code", REGISTRY_ERROR_INCOMPATIBLE);
        json_member_bytes(&writer, "message", buffer_bytes(&message));
        json_end_object(&writer);
        json_end(&writer);
        rest_send(exchange, REGISTRY_ERROR_INCOMPATIBLE);
}

// invalid: the code for what the user got wrong.
void rest_fail_with(struct registry_exchange *exchange, enum registry_error invalid, const struct error *error) {
        enum registry_error code = REGISTRY_ERROR_STORE;
        if (error->code == ERROR_INVALID || error->code == ERROR_UNSUPPORTED || error->code == ERROR_REJECTED)
                code = invalid;
        else if (error->code == ERROR_LIMIT)
                code = REGISTRY_ERROR_TOO_LARGE;
        else if (error->code == ERROR_EXHAUSTED)
                code = REGISTRY_ERROR_EXHAUSTED;
        else if (error->code == ERROR_CONFLICT)
                code = REGISTRY_ERROR_REFERENCED;
        else if (error->code == ERROR_NOT_FOUND)
                code = REGISTRY_ERROR_NO_SUBJECT;
        else if (error_retriable(error->code))
                code = REGISTRY_ERROR_UNAVAILABLE;
        rest_fail(exchange, code, "%s%s", code == REGISTRY_ERROR_SCHEMA ? "Invalid schema: " : "", error->text);
}

static void fail_subject(struct registry_exchange *exchange, struct bytes name) {
        rest_fail(exchange, REGISTRY_ERROR_NO_SUBJECT, "Subject '%.*s' not found.", BYTES_PRINT(name));
}

// ---- parts of a request ----

// True: the item at *seen of a list is within ?offset and ?limit. Counts it.
bool rest_page(const struct registry_exchange *exchange, uint64_t *seen) {
        uint64_t at = (*seen)++;
        return at >= exchange->offset && at - exchange->offset < exchange->limit;
}

// True: no item from `seen` on is within ?limit, or the answer is too large already.
bool rest_page_ended(const struct registry_exchange *exchange, uint64_t seen) {
        return (seen >= exchange->offset && seen - exchange->offset >= exchange->limit) ||
               exchange->answer.size > REGISTRY_REST_ANSWER_MAX;
}

void rest_reply_list(struct registry_exchange *exchange, struct json_writer *writer) {
        json_end_array(writer);
        if (exchange->answer.size > REGISTRY_REST_ANSWER_MAX)
                rest_fail(exchange, REGISTRY_ERROR_TOO_LARGE, "the answer has more than %d bytes: ask for parts of it by offset and limit",
                          REGISTRY_REST_ANSWER_MAX);
        else
                rest_reply(exchange, writer);
}

// Of a subject's version: is it to be seen with these query flags?
bool rest_visible(const struct registry_exchange *exchange, bool deleted) {
        if (exchange->flags & Q_DELETED_ONLY)
                return deleted;
        return !deleted || (exchange->flags & Q_DELETED);
}

// The subject in the path. False, and answered, when there is none that may be seen.
bool rest_find_subject(struct registry_exchange *exchange, struct registry_subject *ret_subject) {
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

// The number in a path, 0 for the latest. False, and answered, when it is none.
bool rest_parse_version(struct registry_exchange *exchange, uint32_t *ret_number) {
        return rest_parse_number(exchange, exchange->segments[3], ret_number);
}

bool rest_parse_number(struct registry_exchange *exchange, struct bytes text, uint32_t *ret_number) {
        uint64_t number;
        if (bytes_equal(text, BYTES("latest")) || bytes_equal(text, BYTES("-1"))) {
                *ret_number = 0;
                return true;
        }
        if (!bytes_to_u64(text, &number) || number == 0 || number > INT32_MAX) {
                rest_fail(exchange, REGISTRY_ERROR_VERSION, "The specified version '%.*s' is not a valid version id. Allowed "
                          "values are between [1, 2^31-1] and the string \"latest\"", BYTES_PRINT(text));
                return false;
        }
        *ret_number = (uint32_t)number;
        return true;
}

bool rest_find_version(struct registry_exchange *exchange, struct registry_subject *ret_subject,
                       struct registry_version *ret_version) {
        struct registry_subject subject;
        uint32_t number;
        if (!rest_parse_version(exchange, &number) || !rest_find_subject(exchange, &subject))
                return false;
        size_t at = number ? number : subject.count;
        while (number == 0 && at > 0 && !rest_visible(exchange, subject.versions[at - 1].deleted))
                at--;
        if (at == 0 || at > subject.count || !rest_visible(exchange, subject.versions[at - 1].deleted)) {
                rest_fail(exchange, REGISTRY_ERROR_NO_VERSION, "Version %.*s not found.", BYTES_PRINT(exchange->segments[3]));
                return false;
        }
        *ret_subject = subject;
        *ret_version = subject.versions[at - 1];
        return true;
}

bool rest_parse_body(struct registry_exchange *exchange, const struct json **ret_body) {
        struct error error;
        const struct json *body;
        if (!json_parse(exchange->body, NULL, &exchange->arena, &body, &error)) {
                rest_fail(exchange, REGISTRY_ERROR_BAD_REQUEST, "the body is not JSON: %s", error.text);
                return false;
        }
        if (!json_is(body, JSON_OBJECT)) {
                rest_fail(exchange, REGISTRY_ERROR_BAD_REQUEST, "the body is not a JSON object");
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
                "ruleSet", "id", "version", "schemaTagsToAdd", "schemaTagsToRemove",
                "propagateSchemaTags",
        };
        for (size_t at = 0; at < ARRAY_SIZE(not_supported); at++) {
                if (!bytes_equal(key, bytes_of(not_supported[at])))
                        continue;
                if (says_nothing(key, value))
                        return true;
                rest_fail(exchange, REGISTRY_ERROR_SCHEMA, "Invalid schema: \"%s\" is not supported", not_supported[at]);
                return false;
        }
        if (bytes_equal(key, BYTES("subject")))         // the path says it; clients that send back what they read repeat it
                return true;
        rest_fail(exchange, REGISTRY_ERROR_MEMBER, "Unrecognized field: %.*s", BYTES_PRINT(key));
        return false;
}

static struct bytes text_of(struct registry_exchange *exchange, const struct json *value) {
        CLEANUP(buffer_free) struct buffer text = {0};
        json_write(&text, value);
        return arena_copy(&exchange->arena, buffer_bytes(&text));
}

// A member that must be a string. Null is as if it were not there.
static bool parse_text(struct registry_exchange *exchange, struct bytes key, const struct json *value, struct bytes *ret_text) {
        if (json_is(value, JSON_NULL))
                return true;
        if (!json_is(value, JSON_STRING)) {
                bool schema = bytes_equal(key, BYTES("schema"));
                rest_fail(exchange, REGISTRY_ERROR_SCHEMA, "Invalid schema: \"%.*s\" must be a string%s", BYTES_PRINT(key),
                          schema ? ": the schema's JSON as a text" : "");
                return false;
        }
        *ret_text = json_text(value).size ? json_text(value) : BYTES("");
        return true;
}

static bool parse_member(struct registry_exchange *exchange, struct bytes key, const struct json *value, struct bytes *type,
                         struct registry_draft *draft) {
        if (bytes_equal(key, BYTES("schemaType")))
                return parse_text(exchange, key, value, type);
        if (bytes_equal(key, BYTES("schema")))
                return parse_text(exchange, key, value, &draft->text);
        if (bytes_equal(key, BYTES("metadata")))
                draft->metadata = json_is(value, JSON_NULL) ? (struct bytes){0} : text_of(exchange, value);
        else if (bytes_equal(key, BYTES("references")))
                draft->references = text_of(exchange, value);
        else
                return check_other_member(exchange, key, value);
        return true;
}

// {"schema":"…","schemaType":"JSON","metadata":{…},"references":[…]}, the last two if wanted; metadata null is as none given. False,
// and answered, when it is anything else.
bool rest_parse_schema(struct registry_exchange *exchange, struct registry_draft *ret_draft) {
        struct registry_draft draft = {0};
        const struct json *body;
        struct bytes type = BYTES("AVRO");              // what Confluent's registry takes it for
        if (!rest_parse_body(exchange, &body))
                return false;
        JSON_FOR_EACH_MEMBER(key, value, body)
                if (!parse_member(exchange, json_text(key), value, &type, &draft))
                        return false;
        if (!bytes_equal(type, BYTES("JSON"))) {
                rest_fail(exchange, REGISTRY_ERROR_SCHEMA, "Invalid schema: schema type %.*s is not supported, only JSON is "
                          "(\"schemaType\":\"JSON\")", BYTES_PRINT(type));
                return false;
        }
        if (!draft.text.data) {
                rest_fail(exchange, REGISTRY_ERROR_SCHEMA, "Invalid schema: there is no \"schema\": it must be a string, the schema's "
                          "JSON as a text");
                return false;
        }
        *ret_draft = draft;
        return true;
}

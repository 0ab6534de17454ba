// SPDX-License-Identifier: Apache-2.0
// Each test is a conversation: requests in order, each with the status and the body that must come back.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "api/registry_rest.h"

struct step {
        const char *request;            // "METHOD path?query"
        const char *body;               // sent; NULL: none
        int status;
        const char *answer;             // the whole body; "~part": contains it
};

struct server {
        struct registry_rest rest;
        unsigned answered;
        bool hold;                      // appends do not end by themselves
};

static void append(void *user, struct bytes body) {
        struct server *server = user;
        assert_true(body.size > 0);
        if (!server->hold)
                registry_appended(server->rest.changes, NULL);
}

static int start_with(void **state, const struct registry_options *options) {
        static struct server server;
        server = (struct server){.rest.registry = registry_new(options)};
        server.rest.changes = registry_changes_new(server.rest.registry, append, &server);
        *state = &server;
        return 0;
}

static int start(void **state) {
        return start_with(state, NULL);
}

static int start_small(void **state) {
        return start_with(state, &(struct registry_options){.memory_max = 11000, .subjects_max = 3});
}

static int stop(void **state) {
        struct server *server = *state;
        registry_changes_free(server->rest.changes);
        registry_free(server->rest.registry);
        return 0;
}

static void count_answer(struct registry_exchange *exchange) {
        ((struct server *)exchange->user)->answered++;
}

static void ask(struct server *server, struct registry_exchange *exchange, const char *request, const char *body) {
        const char *space = strchr(request, ' '), *query = strchr(request, '?');
        *exchange = (struct registry_exchange){
                .method = {request, (size_t)(space - request)},
                .path = {space + 1, query ? (size_t)(query - space - 1) : strlen(space + 1)},
                .query = bytes_of(query ? query + 1 : NULL),
                .body = bytes_of(body),
                .answered = count_answer,
                .user = server,
        };
        registry_rest_handle(&server->rest, exchange);
}

static void check_answer(const struct registry_exchange *exchange, const struct step *step) {
        struct bytes answer = buffer_bytes(&exchange->answer), expected = bytes_of(step->answer);
        bool part = expected.data[0] == '~';
        bool good = part ? answer.size && memmem(answer.data, answer.size, expected.data + 1, expected.size - 1)
                         : bytes_equal(answer, expected);
        if (exchange->status != step->status || !good)
                fail_msg("%s %s: %d %.*s, and not %d %s", step->request, step->body ? step->body : "", exchange->status,
                         BYTES_PRINT(answer), step->status, step->answer);
}

static void talk(struct server *server, const struct step *steps, size_t count) {
        for (size_t at = 0; at < count; at++) {
                struct registry_exchange exchange;
                unsigned before = server->answered;
                ask(server, &exchange, steps[at].request, steps[at].body);
                assert_int_equal(server->answered, before + 1);
                check_answer(&exchange, &steps[at]);
                registry_exchange_clear(&exchange);
        }
}
#define TALK(state, ...) \
        talk(*(state), (const struct step[]){__VA_ARGS__}, ARRAY_SIZE(((const struct step[]){__VA_ARGS__})))

#define JSON_SCHEMA(text) "{\"schemaType\":\"JSON\",\"schema\":\"" text "\"}"
#define ONE JSON_SCHEMA("{\\\"const\\\":1}")
#define ONE_SPACED JSON_SCHEMA("{ \\\"const\\\" : 1.0 }")
#define TWO JSON_SCHEMA("{\\\"const\\\":2}")
#define ONE_READ(subject, version) \
        "{\"subject\":\"" subject "\",\"version\":" version ",\"id\":1,\"schemaType\":\"JSON\",\"schema\":\"{\\\"const\\\":1}\"}"

static void schemas_are_registered_and_read(void **state) {
        TALK(state, {"GET /", NULL, 200, "{}"}, {"GET /subjects", NULL, 200, "[]"},
             {"POST /subjects/a-value/versions", ONE, 200, "~\"id\":1,"},
             {"POST /subjects/a-value/versions?normalize=False", ONE_SPACED, 200,
              "{\"version\":1,\"id\":1,\"schemaType\":\"JSON\",\"schema\":\"{\\\"const\\\":1}\"}"},
             {"POST /subjects/a-value/versions", TWO, 200, "~\"id\":2,"}, {"POST /subjects/b/versions", TWO, 200, "~\"id\":2,"},
             {"GET /subjects", NULL, 200, "[\"a-value\",\"b\"]"}, {"GET /subjects/?subjectPrefix=a", NULL, 200, "[\"a-value\"]"},
             {"GET /subjects?offset=1&limit=1", NULL, 200, "[\"b\"]"},
             {"GET /subjects/a-value/versions", NULL, 200, "[1,2]"},
             {"GET /subjects/a-value/versions/1", NULL, 200, ONE_READ("a-value", "1")},
             {"GET /subjects/a-value/versions/latest", NULL, 200, "~\"version\":2,\"id\":2"},
             {"GET /subjects/a-value/versions/-1", NULL, 200, "~\"version\":2,\"id\":2"},
             {"GET /subjects/a-value/versions/1/schema", NULL, 200, "{\"const\":1}"},
             {"GET /subjects/a-value/versions/1/referencedby", NULL, 200, "[]"},
             {"GET /schemas/ids/1", NULL, 200, "{\"schema\":\"{\\\"const\\\":1}\",\"schemaType\":\"JSON\"}"},
             {"GET /schemas/ids/1?fetchMaxId=true&subject=a-value", NULL, 200, "~\"maxId\":2"},
             {"GET /schemas/ids/2/schema", NULL, 200, "{\"const\":2}"},
             {"GET /schemas/ids/2/versions", NULL, 200,
              "[{\"subject\":\"a-value\",\"version\":2},{\"subject\":\"b\",\"version\":1}]"},
             {"GET /schemas/ids/2/subjects", NULL, 200, "[\"a-value\",\"b\"]"},
             {"GET /schemas/types", NULL, 200, "[\"JSON\"]"}, {"GET /contexts", NULL, 200, "[\".\"]"},
             {"GET /schemas?latestOnly=true&subjectPrefix=a", NULL, 200, "~[{\"subject\":\"a-value\",\"version\":2"},
             {"GET /schemas", NULL, 200, "~" ONE_READ("a-value", "1") ",{"});
}

static void lists_come_in_parts(void **state) {
        TALK(state, {"POST /subjects/a/versions", ONE, 200, "~\"id\":1,"}, {"POST /subjects/a/versions", TWO, 200, "~\"id\":2,"},
             {"POST /subjects/b/versions", ONE, 200, "~\"id\":1,"}, {"POST /subjects/c/versions", ONE, 200, "~\"id\":1,"},
             {"GET /subjects?limit=2", NULL, 200, "[\"a\",\"b\"]"}, {"GET /subjects?limit=0", NULL, 200, "[\"a\",\"b\",\"c\"]"},
             {"GET /subjects?limit=-5&offset=2", NULL, 200, "[\"c\"]"}, {"GET /subjects?limit=-", NULL, 400, "~cannot be '-'"},
             {"GET /subjects?limit=x", NULL, 400, "~cannot be 'x'"}, {"GET /subjects?offset=-1", NULL, 400, "~cannot be '-1'"},
             {"GET /subjects/a/versions?limit=1", NULL, 200, "[1]"}, {"GET /subjects/a/versions?offset=1&limit=1", NULL, 200, "[2]"},
             {"GET /schemas/ids/1/subjects?limit=1&offset=1", NULL, 200, "[\"b\"]"},
             {"GET /schemas/ids/1/subjects?subject=c", NULL, 200, "[\"c\"]"}, {"GET /schemas/ids/1/subjects?subject=x", NULL, 200, "[]"},
             {"GET /schemas/ids/1/versions?offset=2", NULL, 200, "[{\"subject\":\"c\",\"version\":1}]"},
             {"GET /schemas?limit=1", NULL, 200, "[" ONE_READ("a", "1") "]"},
             {"GET /schemas?limit=1&offset=2", NULL, 200, "[" ONE_READ("b", "1") "]"},
             {"GET /schemas?latestOnly=true&limit=1&offset=1", NULL, 200, "[" ONE_READ("b", "1") "]"});
}

static size_t count_of(struct bytes text, const char *part) {
        size_t count = 0, size = strlen(part);
        for (const char *at = text.data; (at = memmem(at, (size_t)(text.data + text.size - at), part, size)); at += size)
                count++;
        return count;
}

// Registers versions 1 … count of a subject, each with a title of so many bytes.
static void register_many(struct server *server, const char *subject, unsigned count, size_t title) {
        CLEANUP(buffer_free) struct buffer request = {0};
        buffer_print(&request, "POST /subjects/%s/versions", subject);
        buffer_append_byte(&request, 0);
        for (unsigned i = 0; i < count; i++) {
                CLEANUP(buffer_free) struct buffer body = {0};
                buffer_print(&body, "{\"schemaType\":\"JSON\",\"schema\":\"{\\\"const\\\":\\\"%s%u", subject, i);
                for (size_t at = 0; at < title; at++)
                        buffer_append_byte(&body, 'x');
                buffer_append(&body, BYTES("\\\"}\"}"));
                buffer_append_byte(&body, 0);
                struct registry_exchange exchange;
                ask(server, &exchange, request.data, body.data);
                assert_int_equal(exchange.status, 200);
                registry_exchange_clear(&exchange);
        }
}

static void an_answer_has_at_most_so_many_schemas(void **state) {
        struct server *server = *state;
        struct registry_exchange exchange;
        register_many(server, "a", REGISTRY_REST_SCHEMAS_MAX, 0);
        register_many(server, "b", 3, 0);
        static const struct {
                const char *query;
                size_t count;
        } cases[] = {{"", REGISTRY_REST_SCHEMAS_MAX}, {"?limit=5000", REGISTRY_REST_SCHEMAS_MAX}, {"?offset=1000", 3}, {"?limit=999", 999}};
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                char request[64];
                snprintf(request, sizeof request, "GET /schemas%s", cases[i].query);
                ask(server, &exchange, request, NULL);
                assert_int_equal(exchange.status, 200);
                assert_int_equal(count_of(buffer_bytes(&exchange.answer), "\"subject\":"), cases[i].count);
                registry_exchange_clear(&exchange);
        }
}

static void an_answer_has_at_most_so_many_bytes(void **state) {
        struct server *server = *state;
        register_many(server, "a", REGISTRY_REST_ANSWER_MAX / (1000 << 10) + 1, 1000 << 10);
        TALK(state, {"GET /schemas", NULL, 413,
                     "~\"message\":\"the answer has more than 67108864 bytes: ask for parts of it by offset and limit\"}"},
             {"GET /schemas?limit=2", NULL, 200, "~\"version\":2"}, {"GET /subjects/a/versions?limit=2", NULL, 200, "[1,2]"});
}

static void schemas_are_looked_up(void **state) {
        TALK(state, {"POST /subjects/a", ONE, 404, "{\"error_code\":40401,\"message\":\"Subject 'a' not found.\"}"},
             {"POST /subjects/a/versions", ONE, 200, "~\"id\":1,"}, {"POST /subjects/a", ONE_SPACED, 200, ONE_READ("a", "1")},
             {"POST /subjects/a?normalize=true&deleted=false", ONE, 200, ONE_READ("a", "1")},
             {"POST /subjects/a", TWO, 404, "{\"error_code\":40403,\"message\":\"Schema not found\"}"},
             {"POST /subjects/a", JSON_SCHEMA("{"), 422, "~\"error_code\":42201,"});
}

static void what_is_not_there_has_confluents_codes(void **state) {
        TALK(state, {"GET /subjects/a/versions", NULL, 404, "~40401"}, {"GET /subjects/a/versions/1", NULL, 404, "~40401"},
             {"DELETE /subjects/a", NULL, 404, "~40401"}, {"GET /schemas/ids/1", NULL, 404, "~40403"},
             {"GET /schemas/ids/x", NULL, 404, "~40403"}, {"POST /subjects/a/versions", ONE, 200, "~\"id\":1,"},
             {"GET /subjects/a/versions/2", NULL, 404, "{\"error_code\":40402,\"message\":\"Version 2 not found.\"}"},
             {"GET /subjects/a/versions/0", NULL, 422, "~42202"}, {"GET /subjects/a/versions/x", NULL, 422, "~42202"},
             {"GET /subjects/a/versions/2147483648", NULL, 422, "~42202"},
             {"GET /subjects/__GLOBAL/versions", NULL, 422, "~42208"}, {"GET /subjects/%0a/versions", NULL, 422, "~42208"},
             {"GET /nothing", NULL, 404, "{\"error_code\":404,\"message\":\"HTTP 404 Not Found\"}"},
             {"PATCH /subjects", NULL, 405, "{\"error_code\":405,\"message\":\"HTTP 405 Method Not Allowed\"}"},
             {"GET /subjects/%zz", NULL, 400, "~\"error_code\":400"}, {"GET /1/2/3/4/5/6/7/8/9", NULL, 404, "~404"},
             {"GET /subjects/a%00", NULL, 400, "~a broken percent escape, or a NUL"},
             {"GET /subjects?deleted_only=false&offset=0&limit=-1&color=False&shape=", NULL, 200, "[\"a\"]"},
             {"GET /subjects?color=red", NULL, 400, "~'color' is not supported"},
             {"GET /subjects?deleted", NULL, 200, "[\"a\"]"}, {"HEAD /subjects", NULL, 200, "[\"a\"]"},
             {"GET /subjects?deleted=maybe", NULL, 400, "~'deleted' cannot be 'maybe'"});
}

static void what_is_kept_has_a_limit(void **state) {
        TALK(state, {"POST /subjects/a/versions", ONE, 200, "~\"id\":1,"}, {"POST /subjects/b/versions", ONE, 200, "~\"id\":1,"});
        register_many(*state, "c", 1, 0);
        TALK(state, {"POST /subjects/d/versions", ONE, 507,
                     "{\"error_code\":507,\"message\":\"there are 3 subjects, which is the limit\"}"},
             {"PUT /config/d", "{\"compatibility\":\"FULL\"}", 507, "~3 subjects"},
             {"POST /subjects/a/versions", TWO, 507, "~and 11000 are allowed (limits.max_registry)"},
             {"GET /subjects/a/versions", NULL, 200, "[1]"}, {"POST /subjects/b/versions", ONE, 200, "~\"id\":1,"});
}

static void names_of_subjects_are_decoded(void **state) {
        TALK(state, {"POST /subjects/a%2Fb%20c/versions", ONE, 200, "~\"id\":1,"}, {"GET /subjects", NULL, 200, "[\"a/b c\"]"},
             {"GET /subjects/a%2fb%20c/versions/1", NULL, 200, ONE_READ("a/b c", "1")});
}

static void the_default_context_is_the_only_one(void **state) {
        TALK(state, {"POST /subjects/:.:a/versions", ONE, 200, "~\"id\":1,"}, {"GET /subjects", NULL, 200, "[\"a\"]"},
             {"GET /subjects/:.:a/versions/1", NULL, 200, ONE_READ("a", "1")}, {"GET /subjects?subjectPrefix=:*:", NULL, 200, "[\"a\"]"},
             {"GET /subjects?subjectPrefix=:.:a", NULL, 200, "[\"a\"]"}, {"GET /subjects?subjectPrefix=:.other:", NULL, 200, "[]"},
             {"GET /subjects/:.other:a/versions", NULL, 422, "~contexts of schemas"}, {"GET /subjects/:.:/versions", NULL, 422, "~42208"},
             {"PUT /config/:.:", "{\"compatibility\":\"FULL\"}", 200, "{\"compatibility\":\"FULL\"}"},
             {"GET /config", NULL, 200, "{\"compatibilityLevel\":\"FULL\"}"}, {"GET /mode/:.:", NULL, 200, "{\"mode\":\"READWRITE\"}"},
             {"POST /compatibility/subjects/:.:a/versions", ONE, 200, "{\"is_compatible\":true}"},
             {"GET /schemas/ids/1/subjects?subject=:.:a", NULL, 200, "[\"a\"]"});
}

static void other_methods_are_named(void **state) {
        static const struct {
                const char *request, *allow;
        } cases[] = {{"PATCH /subjects", "GET, HEAD"}, {"OPTIONS /config/a", "GET, HEAD, PUT, DELETE"}, {"PUT /subjects/a", "POST, DELETE"},
                     {"GET /compatibility/subjects/a/versions", "POST"}, {"GET /nothing", NULL}, {"GET /subjects", NULL}};
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct registry_exchange exchange;
                ask(*state, &exchange, cases[i].request, NULL);
                assert_int_equal(exchange.status == 405, cases[i].allow != NULL);
                if (cases[i].allow)
                        assert_string_equal(exchange.allow, cases[i].allow);
                else
                        assert_null(exchange.allow);
                registry_exchange_clear(&exchange);
        }
}

static void what_is_not_supported_is_refused_by_name(void **state) {
        TALK(state, {"POST /subjects/a/versions", "{\"schema\":\"{}\"}", 422, "~schema type AVRO is not supported"},
             {"POST /subjects/a/versions", "{\"schemaType\":\"PROTOBUF\",\"schema\":\"\"}", 422, "~42201"},
             {"POST /subjects/a/versions", "{\"schemaType\":\"JSON\"}", 422, "~42201,\"message\":\"Invalid schema: there is no "},
             {"POST /subjects/a/versions", "{\"schemaType\":\"JSON\",\"schema\":null}", 422,
              "~there is no \\\"schema\\\": it must be a string"},
             {"POST /subjects/a/versions", "{\"schemaType\":\"JSON\",\"schema\":{}}", 422,
              "~42201,\"message\":\"Invalid schema: \\\"schema\\\" must be a string: the schema's JSON as a text\"}"},
             {"POST /subjects/a/versions", "{\"schemaType\":5,\"schema\":\"{}\"}", 422, "~\\\"schemaType\\\" must be a string\"}"},
             {"POST /subjects/a/versions", "{\"schemaType\":null,\"schema\":\"{}\"}", 422, "~schema type AVRO is not supported"},
             {"POST /subjects/a/versions", "{\"schemaType\":\"JSON\",\"schema\":\"\"}", 422, "~42201"},
             {"POST /subjects/a/versions", "{\"schemaType\":\"JSON\",\"schema\":\"{}\",\"references\":[{}]}", 422,
              "~Invalid schema: references: expected"},
             {"POST /subjects/a/versions", "{\"schemaType\":\"JSON\",\"schema\":\"{}\",\"metadata\":{\"tags\":{\"a\":[\"PII\"]}}}", 422,
              "~metadata: \\\"tags\\\" is not supported"},
             {"POST /subjects/a/versions",
              "{\"schemaType\":\"JSON\",\"schema\":\"{}\",\"metadata\":{\"properties\":{\"confluent:version\":\"1\"}}}", 422,
              "~\\\"confluent:version\\\" is not supported"},
             {"POST /subjects/a/versions", "{\"schemaType\":\"JSON\",\"schema\":\"{}\",\"metadata\":{\"properties\":{\"a\":1}}}", 422,
              "~metadata: property \\\"a\\\" is not a string"},
             {"POST /subjects/a/versions", "{\"schemaType\":\"JSON\",\"schema\":\"{}\",\"ruleSet\":{\"domainRules\":[]}}", 422,
              "~\\\"ruleSet\\\" is not supported"},
             {"POST /subjects/a/versions", "{\"schemaType\":\"JSON\",\"schema\":\"{}\",\"id\":7}", 422,
              "~\\\"id\\\" is not supported"},
             {"POST /subjects/a/versions", "{\"schemaType\":\"JSON\",\"schema\":\"{}\",\"x\":1}", 422, "~Unrecognized field: x"},
             {"POST /subjects/a/versions", JSON_SCHEMA("{\\\"$ref\\\":\\\"http://a\\\"}"), 422, "~http://a"},
             {"POST /subjects/a/versions", "{", 400, "~\"error_code\":400"}, {"POST /subjects/a/versions", "[]", 400, "~400"},
             {"POST /subjects/a/versions", NULL, 400, "~400"},
             {"GET /subjects", NULL, 200, "[]"},
             {"POST /subjects/a/versions",
              "{\"schemaType\":\"JSON\",\"schema\":\"{}\",\"references\":[],\"metadata\":null,\"id\":-1,\"version\":0}", 200,
              "~\"id\":1,"},
             {"DELETE /subjects/a?permanent=true", NULL, 422, "~\"error_code\":42205,"});
}

static void deletion_is_soft(void **state) {
        TALK(state, {"POST /subjects/a/versions", ONE, 200, "~\"id\":1,"}, {"POST /subjects/a/versions", TWO, 200, "~\"id\":2,"},
             {"POST /subjects/a/versions", JSON_SCHEMA("true"), 200, "~\"id\":3,"},
             {"DELETE /subjects/a/versions/1", NULL, 200, "1"},
             {"DELETE /subjects/a/versions/1", NULL, 404, "~40406"}, {"DELETE /subjects/a/versions/9", NULL, 404, "~40402"},
             {"DELETE /subjects/a/versions/latest", NULL, 200, "3"}, {"GET /subjects/a/versions", NULL, 200, "[2]"},
             {"GET /subjects/a/versions?deleted=true", NULL, 200, "[1,2,3]"},
             {"GET /subjects/a/versions?deletedOnly=true", NULL, 200, "[1,3]"},
             {"GET /subjects/a/versions/1", NULL, 404, "~40402"},
             {"GET /subjects/a/versions/1?deleted=true", NULL, 200, ONE_READ("a", "1")},
             {"GET /schemas/ids/1/versions", NULL, 200, "[]"},
             {"GET /schemas/ids/1/versions?deleted=true", NULL, 200, "[{\"subject\":\"a\",\"version\":1}]"},
             {"POST /subjects/a", ONE, 404, "~40403"}, {"POST /subjects/a?deleted=true", ONE, 200, ONE_READ("a", "1")},
             {"DELETE /subjects/a", NULL, 200, "[2]"}, {"DELETE /subjects/a", NULL, 404, "~40404"},
             {"GET /subjects", NULL, 200, "[]"}, {"GET /subjects?deleted=true", NULL, 200, "[\"a\"]"},
             {"GET /subjects/a/versions/latest", NULL, 404, "~40401"}, {"GET /schemas/ids/1", NULL, 200, "~const"},
             {"POST /subjects/a/versions", ONE, 200, "~\"id\":1,"}, {"GET /subjects/a/versions", NULL, 200, "[4]"});
}

static void levels_are_set_and_the_only_mode_is_readwrite(void **state) {
        TALK(state, {"GET /config", NULL, 200, "{\"compatibilityLevel\":\"NONE\"}"},
             {"PUT /config", "{\"compatibility\":\"backward\"}", 200, "{\"compatibility\":\"BACKWARD\"}"},
             {"GET /config", NULL, 200, "{\"compatibilityLevel\":\"BACKWARD\"}"},
             {"PUT /config", "{\"compatibility\":\"SOME\"}", 422, "~Invalid compatibility level"},
             {"PUT /config", "{\"compatibility\":\"NONE\",\"alias\":\"b\"}", 422, "~\\\"alias\\\" is not supported"},
             {"PUT /config", "{\"compatibility\":\"NONE\",\"normalize\":true}", 422, "~\\\"normalize\\\" is not supported"},
             {"PUT /config", "{\"compatibilityPolicy\":\"LENIENT\"}", 422, "~\\\"compatibilityPolicy\\\" is not supported"},
             {"PUT /config", "{\"compatibility\":\"FULL\",\"compatibilityLevel\":\"NONE\"}", 422, "~42203"},
             {"PUT /config", "{\"compatibilityLevel\":\"BACKWARD\"}", 200, "{\"compatibility\":\"BACKWARD\"}"},
             {"PUT /config", "{\"compatibilityGroup\":5}", 422, "~\\\"compatibilityGroup\\\" must be a string"},
             {"PUT /config", "{}", 422, "~\"error_code\":422,"}, {"GET /config/a", NULL, 404, "~40408"},
             {"GET /config/a?defaultToGlobal=true", NULL, 200, "{\"compatibilityLevel\":\"BACKWARD\"}"},
             {"PUT /config/a", "{\"compatibilityGroup\":\"v\"}", 200, "{\"compatibilityGroup\":\"v\"}"},
             {"GET /config/a", NULL, 200, "{\"compatibilityLevel\":\"BACKWARD\",\"compatibilityGroup\":\"v\"}"},
             {"PUT /config/a", "{\"compatibility\":\"FULL\"}", 200, "{\"compatibility\":\"FULL\",\"compatibilityGroup\":\"v\"}"},
             {"PUT /config/a", "{\"compatibilityGroup\":null}", 200, "{\"compatibility\":\"FULL\"}"},
             {"GET /config/a", NULL, 200, "{\"compatibilityLevel\":\"FULL\"}"}, {"GET /subjects", NULL, 200, "[]"},
             {"GET /subjects/a/versions", NULL, 404, "~40401"},
             {"DELETE /config/a", NULL, 200, "{\"compatibilityLevel\":\"FULL\"}"}, {"DELETE /config/a", NULL, 404, "~40401"},
             {"DELETE /config", NULL, 200, "{\"compatibilityLevel\":\"BACKWARD\"}"},
             {"GET /config", NULL, 200, "{\"compatibilityLevel\":\"BACKWARD\",\"compatibilityGroup\":\"event_version\"}"},
             {"GET /mode", NULL, 200, "{\"mode\":\"READWRITE\"}"}, {"GET /mode/a", NULL, 404, "~40409"},
             {"DELETE /mode", NULL, 200, "{\"mode\":\"READWRITE\"}"}, {"DELETE /mode/a", NULL, 404, "~40401"},
             {"PUT /mode", "{\"mode\":\"READWRITE\"}", 200, "{\"mode\":\"READWRITE\"}"},
             {"PUT /mode", "{\"mode\":\"READONLY\"}", 422, "~42204"});
}

// A level that is taken away is the default, as Confluent's registry has it, and never NONE.
static void no_level_is_weakened_by_null(void **state) {
        TALK(state, {"PUT /config", "{\"compatibility\":\"FULL\",\"compatibilityGroup\":\"v\"}", 200, "~FULL"},
             {"PUT /config", "{\"compatibility\":null}", 200, "{\"compatibility\":\"BACKWARD\",\"compatibilityGroup\":\"v\"}"},
             {"GET /config", NULL, 200, "{\"compatibilityLevel\":\"BACKWARD\",\"compatibilityGroup\":\"v\"}"},
             {"PUT /config", "{\"compatibility\":\"FULL\"}", 200, "~FULL"},
             {"PUT /config", "{\"compatibility\":null,\"compatibilityGroup\":null}", 200, "{\"compatibility\":\"BACKWARD\"}"},
             {"PUT /config", "{\"compatibility\":\"FULL\"}", 200, "{\"compatibility\":\"FULL\"}"},
             {"PUT /config", "{\"compatibilityGroup\":null}", 200, "{\"compatibility\":\"FULL\"}"},       // absent: it stays
             {"PUT /config", "{\"compatibilityGroup\":\"\"}", 200, "{\"compatibility\":\"FULL\"}"},
             // a subject's: the registry's holds again
             {"PUT /config/a", "{\"compatibility\":\"NONE\"}", 200, "{\"compatibility\":\"NONE\"}"},
             {"PUT /config/a", "{\"compatibility\":null}", 200, "{}"}, {"GET /config/a", NULL, 404, "~40408"},
             {"GET /config/a?defaultToGlobal=true", NULL, 200, "{\"compatibilityLevel\":\"FULL\"}"});
}

// What holds is shown, the level as the group, of a subject that has something of its own.
static void a_configuration_shows_what_holds(void **state) {
        TALK(state, {"PUT /config", "{\"compatibility\":\"FULL\",\"compatibilityGroup\":\"v\"}", 200, "~FULL"},
             {"GET /config/a", NULL, 404, "~40408"},
             {"GET /config/a?defaultToGlobal=true", NULL, 200, "{\"compatibilityLevel\":\"FULL\",\"compatibilityGroup\":\"v\"}"},
             {"PUT /config/a", "{\"compatibility\":\"NONE\"}", 200, "{\"compatibility\":\"NONE\"}"},
             {"GET /config/a", NULL, 200, "{\"compatibilityLevel\":\"NONE\",\"compatibilityGroup\":\"v\"}"},
             {"GET /config/a?defaultToGlobal=true", NULL, 200, "{\"compatibilityLevel\":\"NONE\",\"compatibilityGroup\":\"v\"}"},
             {"PUT /config/b", "{\"compatibilityGroup\":\"w\"}", 200, "{\"compatibilityGroup\":\"w\"}"},
             {"GET /config/b", NULL, 200, "{\"compatibilityLevel\":\"FULL\",\"compatibilityGroup\":\"w\"}"},
             // an empty group: none, whatever the registry has
             {"PUT /config/b", "{\"compatibilityGroup\":\"\"}", 200, "{\"compatibilityGroup\":\"\"}"},
             {"GET /config/b", NULL, 200, "{\"compatibilityLevel\":\"FULL\",\"compatibilityGroup\":\"\"}"},
             {"DELETE /config/b", NULL, 200, "{\"compatibilityGroup\":\"\"}"}, {"GET /config/b", NULL, 404, "~40408"},
             {"DELETE /config/b", NULL, 404, "~\"error_code\":40401"});
}

#define CLOSED(properties) JSON_SCHEMA("{\\\"properties\\\":{" properties "},\\\"additionalProperties\\\":false}")
#define OF_A CLOSED("\\\"a\\\":{}")
#define OF_A_AND_B CLOSED("\\\"a\\\":{},\\\"b\\\":{}")
#define OF_B CLOSED("\\\"b\\\":{}")

static void versions_are_compared(void **state) {
        TALK(state, {"PUT /config", "{\"compatibility\":\"BACKWARD\"}", 200, "~BACKWARD"},
             {"POST /compatibility/subjects/a/versions/latest", OF_A, 200, "{\"is_compatible\":true}"},
             {"POST /compatibility/subjects/a/versions/1", OF_A, 404, "{\"error_code\":40402,\"message\":\"Version 1 not found.\"}"},
             {"POST /subjects/a/versions", OF_A_AND_B, 200, "~\"id\":1,"},
             {"POST /subjects/a/versions", OF_A, 409,
              "{\"error_code\":409,\"message\":\"Schema being registered is incompatible with an earlier schema for subject \\\"a\\\", "
              "details: [{errorType:\\\"PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL\\\", description:\\\"at path '#/properties/b': "
              "the old schema has this member, and the new schema, which is closed, does not\\\"}, {oldSchemaVersion: 1}, "
              "{oldSchema: '{\\\"properties\\\":{\\\"a\\\":{},\\\"b\\\":{}},\\\"additionalProperties\\\":false}'}, "
              "{validateFields: 'false', compatibility: 'BACKWARD'}]\"}"},
             {"GET /subjects/a/versions", NULL, 200, "[1]"},
             {"POST /compatibility/subjects/a/versions/1", OF_A, 200, "{\"is_compatible\":false}"},
             {"POST /compatibility/subjects/a/versions/latest?verbose=true", OF_A_AND_B, 200, "{\"is_compatible\":true,\"messages\":[]}"},
             {"POST /compatibility/subjects/a/versions?verbose=true", OF_A, 200,
              "~{\"is_compatible\":false,\"messages\":[\"{errorType:\\\"PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL\\\""},
             {"POST /compatibility/subjects/a/versions?verbose=true", OF_A, 200,
              "~],\"compatibility\":\"BACKWARD\",\"oldSchemaVersion\":1,\"differences\":[{\"errorType\":"
              "\"PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL\",\"reader\":\"new\",\"schema\":\"old\",\"place\":\"#/properties/b\","
              "\"description\":\"the old schema has this member, and the new schema, which is closed, does not\",\"decided\":true}]}"},
             {"POST /compatibility/subjects/a/versions/x", OF_A, 422, "~42202"},
             {"POST /compatibility/subjects/a/versions", JSON_SCHEMA("7"), 422, "~42201"},
             {"POST /compatibility/subjects/a/versions?verbose=true", JSON_SCHEMA("7"), 200,
              "~{\"is_compatible\":false,\"messages\":[\"Invalid schema: "},
             {"PUT /config/a", "{\"compatibility\":\"FORWARD\"}", 200, "~FORWARD"},
             {"POST /subjects/a/versions", OF_A, 200, "~\"id\":2,"}, {"POST /subjects/a/versions", OF_A_AND_B, 200, "~\"id\":1,"},
             {"PUT /config/a", "{\"compatibility\":\"FULL\"}", 200, "~FULL"}, {"POST /subjects/a/versions", OF_B, 409, "~2}, {oldSchema"},
             {"POST /compatibility/subjects/a/versions?verbose=true", OF_B, 200,
              "~\"compatibility\":\"FULL\",\"oldSchemaVersion\":2,\"differences\":[{\"errorType\":"
              "\"PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL\",\"reader\":\"old\",\"schema\":\"new\",\"place\":\"#/properties/b\""},
             {"POST /compatibility/subjects/a/versions?verbose=true", OF_B, 200,
              "~{\"errorType\":\"PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL\",\"reader\":\"new\",\"schema\":\"old\","
              "\"place\":\"#/properties/a\""},
             {"PUT /config/a", "{\"compatibility\":\"FORWARD_TRANSITIVE\"}", 200, "~FORWARD"},
             {"POST /subjects/a/versions", OF_B, 409, "~{oldSchemaVersion: 2}"},
             {"DELETE /subjects/a/versions/2", NULL, 200, "2"}, {"POST /subjects/a/versions", OF_B, 200, "~\"id\":3,"},
             {"PUT /config/a", "{\"compatibility\":\"BACKWARD_TRANSITIVE\"}", 200, "~BACKWARD"},
             {"POST /subjects/a/versions", CLOSED("\\\"b\\\":{},\\\"c\\\":{}"), 409, "~{oldSchemaVersion: 1}"},
             {"PUT /config/a", "{\"compatibility\":\"BACKWARD\"}", 200, "~BACKWARD"},
             {"POST /subjects/a/versions", CLOSED("\\\"b\\\":{},\\\"c\\\":{}"), 200, "~\"id\":4,"},
             {"PUT /config/a", "{\"compatibility\":\"NONE\"}", 200, "~NONE"}, {"POST /subjects/a/versions", OF_A, 200, "~\"id\":2,"});
}

#define IN_GROUP(value, properties)                                                                                        \
        "{\"schemaType\":\"JSON\",\"metadata\":{\"properties\":{\"v\":\"" value "\",\"team\":\"x\"}},\"schema\":"          \
        "\"{\\\"properties\\\":{" properties "},\\\"additionalProperties\\\":false}\"}"
#define METADATA(value) "\"metadata\":{\"properties\":{\"team\":\"x\",\"v\":\"" value "\"}}"

static void versions_are_compared_within_their_group(void **state) {
        TALK(state, {"PUT /config", "{\"compatibility\":\"BACKWARD_TRANSITIVE\",\"compatibilityGroup\":\"v\"}", 200,
                     "{\"compatibility\":\"BACKWARD_TRANSITIVE\",\"compatibilityGroup\":\"v\"}"},
             {"POST /subjects/a/versions", IN_GROUP("1", "\\\"a\\\":{}"), 200,
              "~{\"version\":1,\"id\":1,\"schemaType\":\"JSON\"," METADATA("1")},
             {"POST /subjects/a/versions", IN_GROUP("1", "\\\"b\\\":{}"), 409, "~oldSchemaVersion: 1"},
             {"POST /subjects/a/versions", IN_GROUP("2", "\\\"b\\\":{}"), 200,
              "~{\"version\":2,\"id\":2,\"schemaType\":\"JSON\"," METADATA("2")},
             {"POST /subjects/a/versions", IN_GROUP("1", "\\\"a\\\":{},\\\"c\\\":{}"), 200, "~\"id\":3"},
             // the same schema with other metadata is another one
             {"POST /subjects/a/versions", IN_GROUP("3", "\\\"b\\\":{}"), 200, "~\"id\":4"},
             {"GET /subjects/a/versions/2", NULL, 200, "~\"schemaType\":\"JSON\"," METADATA("2") ",\"schema\""},
             {"GET /schemas/ids/4", NULL, 200, "~" METADATA("3")},
             {"POST /subjects/a", IN_GROUP("2", "\\\"b\\\":{}"), 200, "~\"version\":2"},
             {"POST /subjects/a", IN_GROUP("4", "\\\"b\\\":{}"), 404, "~40403"},
             // without metadata: what is there with any, or else that of the version before
             {"POST /subjects/a", OF_B, 200, "~\"version\":4"}, {"POST /subjects/a/versions", OF_A, 200, "~\"id\":1"},
             {"POST /subjects/a/versions", CLOSED(""), 409, "~oldSchemaVersion: 4"},
             {"POST /subjects/a/versions", OF_A_AND_B, 200, "~{\"version\":5,\"id\":5,\"schemaType\":\"JSON\"," METADATA("3")},
             {"POST /compatibility/subjects/a/versions/1", OF_B, 200, "{\"is_compatible\":false}"},
             {"POST /compatibility/subjects/a/versions", OF_B, 200, "{\"is_compatible\":false}"},
             {"POST /compatibility/subjects/a/versions", IN_GROUP("9", "\\\"z\\\":{}"), 200, "{\"is_compatible\":true}"},
             {"POST /compatibility/subjects/a/versions/2", IN_GROUP("9", "\\\"z\\\":{}"), 200, "{\"is_compatible\":true}"},
             // a subject without a group: all versions are compared
             {"PUT /config/a", "{\"compatibilityGroup\":\"\"}", 200, "{\"compatibilityGroup\":\"\"}"},
             {"POST /compatibility/subjects/a/versions/2", IN_GROUP("9", "\\\"z\\\":{}"), 200, "{\"is_compatible\":false}"});
}

static void a_version_is_found_by_its_metadata(void **state) {
        TALK(state, {"GET /subjects/a/metadata?key=v&value=1", NULL, 404, "~40401"},
             {"POST /subjects/a/versions", JSON_SCHEMA("true"), 200, "~\"version\":1"},
             {"GET /subjects/a/metadata", NULL, 404, "~40403"},
             {"POST /subjects/a/versions", IN_GROUP("1", "\\\"a\\\":{}"), 200, "~\"version\":2"},
             {"POST /subjects/a/versions", IN_GROUP("2", "\\\"a\\\":{}"), 200, "~\"version\":3"},
             {"POST /subjects/a/versions", IN_GROUP("1", "\\\"b\\\":{}"), 200, "~\"version\":4"},
             {"GET /subjects/a/metadata?key=v&value=1", NULL, 200, "~{\"subject\":\"a\",\"version\":4,\"id\":4,"},
             {"GET /subjects/a/metadata?key=v&value=2&key=team&value=x", NULL, 200, "~\"version\":3"},
             {"GET /subjects/a/metadata?key=v&value=2&key=team&value=y", NULL, 404, "~40403"},
             {"GET /subjects/a/metadata?key=none&value=1", NULL, 404, "~40403"}, {"GET /subjects/a/metadata", NULL, 200, "~\"version\":4"},
             {"GET /subjects/a/metadata?key=v", NULL, 400, "~1 keys, and 0 values"}, {"GET /subjects?key=v", NULL, 400, "~'key' is not"},
             {"DELETE /subjects/a/versions/4", NULL, 200, "4"}, {"GET /subjects/a/metadata?key=v&value=1", NULL, 200, "~\"version\":2"},
             {"GET /subjects/a/metadata?key=v&value=1&deleted=true", NULL, 200, "~\"version\":4"});
        CLEANUP(buffer_free) struct buffer request = {0};
        buffer_append(&request, BYTES("GET /subjects/a/metadata?key=v"));
        for (int i = 0; i < REGISTRY_PROPERTIES_MAX; i++)
                buffer_append(&request, BYTES("&key=v"));
        buffer_append_byte(&request, 0);
        TALK(state, {request.data, NULL, 400, "~'key' cannot be 'v'"});
}

#define NOTHING "{\"is_compatible\":true,\"messages\":[],\"remark\":\"nothing was compared: "

static void a_check_that_compares_nothing_says_so(void **state) {
        TALK(state, {"POST /compatibility/subjects/a/versions?verbose=true", OF_A, 200, NOTHING "the level is NONE\"}"},
             {"PUT /config", "{\"compatibility\":\"BACKWARD\",\"compatibilityGroup\":\"v\"}", 200, "~BACKWARD"},
             {"POST /compatibility/subjects/a/versions?verbose=true", OF_A, 200, NOTHING "subject 'a' has no version\"}"},
             {"POST /subjects/a/versions", IN_GROUP("1", "\\\"a\\\":{}"), 200, "~\"id\":1"},
             {"POST /compatibility/subjects/a/versions/1?verbose=true", IN_GROUP("2", "\\\"b\\\":{}"), 200,
              NOTHING "versions are compared within a value of the property 'v': version 1 has '1', this schema '2'\"}"},
             {"POST /compatibility/subjects/a/versions?verbose=true", IN_GROUP("2", "\\\"b\\\":{}"), 200,
              NOTHING "versions are compared within a value of the property 'v', and none of subject 'a' has '2'\"}"},
             {"POST /compatibility/subjects/a/versions/1", IN_GROUP("2", "\\\"b\\\":{}"), 200, "{\"is_compatible\":true}"},
             {"POST /compatibility/subjects/a/versions/1?verbose=true", IN_GROUP("1", "\\\"a\\\":{}"), 200,
              "{\"is_compatible\":true,\"messages\":[]}"},
             {"DELETE /subjects/a", NULL, 200, "[1]"},
             {"POST /compatibility/subjects/a/versions/latest?verbose=true", OF_A, 200, NOTHING "subject 'a' has no version\"}"});
}

#define REFERS(name, subject, version, text)                                                                                \
        "{\"schemaType\":\"JSON\",\"references\":[{\"name\":\"" name "\",\"subject\":\"" subject "\",\"version\":" version "}]," \
        "\"schema\":\"" text "\"}"
#define ORDER "{\\\"$id\\\":\\\"http://example.org/order.json\\\",\\\"properties\\\":{\\\"to\\\":{\\\"$ref\\\":\\\"address.json\\\"}}}"

static void schemas_refer_to_each_other(void **state) {
        TALK(state, {"PUT /config", "{\"compatibility\":\"BACKWARD\"}", 200, "~BACKWARD"},
             {"POST /subjects/city/versions", JSON_SCHEMA("{\\\"type\\\":\\\"string\\\"}"), 200, "~\"id\":1,"},
             {"POST /subjects/address/versions", REFERS("city.json", "city", "1", "{\\\"properties\\\":{\\\"city\\\":{\\\"$ref\\\":"
                     "\\\"city.json\\\"}}}"), 200,
              "~\"id\":2,\"schemaType\":\"JSON\",\"references\":[{\"name\":\"city.json\",\"subject\":\"city\",\"version\":1}],"},
             {"POST /subjects/order/versions", JSON_SCHEMA(ORDER), 422, "~another document"},
             {"POST /subjects/order/versions", REFERS("address.json", "address", "2", ORDER), 422, "~no version 2 of subject 'address'"},
             {"POST /subjects/order/versions", REFERS("other.json", "address", "1", ORDER), 422, "~http://example.org/address.json"},
             {"POST /subjects/order/versions", REFERS("address.json", "address", "-1", ORDER), 200, "~\"id\":3"},
             {"POST /subjects/order/versions", REFERS("address.json", "address", "1", ORDER), 200, "~\"id\":3"},
             {"GET /schemas/ids/3", NULL, 200, "~\"references\":[{\"name\":\"address.json\",\"subject\":\"address\",\"version\":1}]"},
             {"GET /subjects/address/versions/1/referencedby", NULL, 200, "[3]"},
             {"GET /subjects/city/versions/1/referencedby", NULL, 200, "[2]"},
             {"POST /subjects/house/versions", REFERS("address.json", "address", "1", "{\\\"$ref\\\":\\\"address.json\\\"}"), 200,
              "~\"id\":4"},
             {"GET /subjects/address/versions/1/referencedby", NULL, 200, "[3,4]"},
             {"GET /subjects/address/versions/1/referencedby?limit=1", NULL, 200, "[3]"},
             {"GET /subjects/address/versions/1/referencedby?offset=1&limit=1", NULL, 200, "[4]"},
             {"GET /subjects/address/versions/1/referencedby?offset=1&limit=-1", NULL, 200, "[4]"},
             {"GET /subjects/address/versions/1/referencedby?limit=0", NULL, 200, "[3,4]"},
             {"GET /subjects/address/versions/1/referencedby?offset=2", NULL, 200, "[]"},
             {"DELETE /subjects/house", NULL, 200, "[1]"}, {"GET /subjects/address/versions/1/referencedby", NULL, 200, "[3]"},
             {"DELETE /subjects/city/versions/1", NULL, 422, "~42206"}, {"DELETE /subjects/address", NULL, 422, "~42206"},
             // what is referred to counts in a comparison
             {"PUT /config", "{\"compatibility\":\"NONE\"}", 200, "~NONE"},
             {"POST /subjects/city/versions", JSON_SCHEMA("{\\\"type\\\":\\\"number\\\"}"), 200, "~\"id\":5,"},
             {"PUT /config", "{\"compatibility\":\"BACKWARD\"}", 200, "~BACKWARD"},
             {"POST /subjects/address/versions", REFERS("city.json", "city", "2", "{\\\"properties\\\":{\\\"city\\\":{\\\"$ref\\\":"
                     "\\\"city.json\\\"}}}"), 409, "~{errorType:\\\"TYPE_CHANGED\\\", description:\\\"at path 'city.json#/type'"},
             {"DELETE /subjects/order", NULL, 200, "[1]"}, {"DELETE /subjects/address", NULL, 200, "[1]"});
}

static void an_answer_waits_until_the_record_is_durable(void **state) {
        struct server *server = *state;
        struct registry_exchange first, second, read;
        server->hold = true;
        ask(server, &first, "POST /subjects/a/versions", ONE);
        ask(server, &second, "POST /subjects/a/versions", TWO);
        assert_int_equal(server->answered, 0);
        ask(server, &read, "GET /subjects", NULL);
        check_answer(&read, &(struct step){"GET /subjects", NULL, 200, "[]"});
        registry_exchange_clear(&read);
        struct error error;
        IGNORE(error_set(&error, ERROR_FULL, "append: no space left on device"));
        registry_appended(server->rest.changes, &error);
        check_answer(&first, &(struct step){"first", ONE, 503,
                                            "{\"error_code\":50301,\"message\":\"append: no space left on device\"}"});
        registry_appended(server->rest.changes, NULL);
        check_answer(&second, &(struct step){"second", TWO, 200, "~\"id\":1,"});
        registry_exchange_clear(&first);
        registry_exchange_clear(&second);
}

static void types_of_bodies_are_checked_and_chosen(void **state) {
        static const struct {
                const char *content, *accept;
                int status;
                const char *out;
        } cases[] = {
                {"application/vnd.schemaregistry.v1+json", "", 200, "application/vnd.schemaregistry.v1+json"},
                {"application/json; charset=utf-8", "*/*", 200, "application/vnd.schemaregistry.v1+json"},
                {"application/json", "application/json", 200, "application/json"},
                {"", "application/json, application/vnd.schemaregistry.v1+json", 200, "application/vnd.schemaregistry.v1+json"},
                {"text/plain", "", 415, "application/vnd.schemaregistry.v1+json"},
                {"application/x-www-form-urlencoded", "application/json", 415, "application/json"},
        };
        struct server *server = *state;
        for (size_t at = 0; at < ARRAY_SIZE(cases); at++) {
                struct registry_exchange exchange = {
                        .method = BYTES("POST"), .path = BYTES("/subjects/a/versions"), .body = BYTES(ONE),
                        .content_type = bytes_of(cases[at].content), .accept = bytes_of(cases[at].accept),
                        .answered = count_answer, .user = server,
                };
                registry_rest_handle(&server->rest, &exchange);
                assert_int_equal(exchange.status, cases[at].status);
                assert_string_equal(exchange.content_type_out, cases[at].out);
                registry_exchange_clear(&exchange);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(schemas_are_registered_and_read, start, stop),
                cmocka_unit_test_setup_teardown(lists_come_in_parts, start, stop),
                cmocka_unit_test_setup_teardown(an_answer_has_at_most_so_many_schemas, start, stop),
                cmocka_unit_test_setup_teardown(an_answer_has_at_most_so_many_bytes, start, stop),
                cmocka_unit_test_setup_teardown(what_is_kept_has_a_limit, start_small, stop),
                cmocka_unit_test_setup_teardown(schemas_are_looked_up, start, stop),
                cmocka_unit_test_setup_teardown(what_is_not_there_has_confluents_codes, start, stop),
                cmocka_unit_test_setup_teardown(names_of_subjects_are_decoded, start, stop),
                cmocka_unit_test_setup_teardown(the_default_context_is_the_only_one, start, stop),
                cmocka_unit_test_setup_teardown(other_methods_are_named, start, stop),
                cmocka_unit_test_setup_teardown(what_is_not_supported_is_refused_by_name, start, stop),
                cmocka_unit_test_setup_teardown(deletion_is_soft, start, stop),
                cmocka_unit_test_setup_teardown(levels_are_set_and_the_only_mode_is_readwrite, start, stop),
                cmocka_unit_test_setup_teardown(no_level_is_weakened_by_null, start, stop),
                cmocka_unit_test_setup_teardown(a_configuration_shows_what_holds, start, stop),
                cmocka_unit_test_setup_teardown(versions_are_compared, start, stop),
                cmocka_unit_test_setup_teardown(versions_are_compared_within_their_group, start, stop),
                cmocka_unit_test_setup_teardown(a_version_is_found_by_its_metadata, start, stop),
                cmocka_unit_test_setup_teardown(a_check_that_compares_nothing_says_so, start, stop),
                cmocka_unit_test_setup_teardown(schemas_refer_to_each_other, start, stop),
                cmocka_unit_test_setup_teardown(an_answer_waits_until_the_record_is_durable, start, stop),
                cmocka_unit_test_setup_teardown(types_of_bodies_are_checked_and_chosen, start, stop),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

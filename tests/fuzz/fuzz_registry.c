// SPDX-License-Identifier: Apache-2.0
// Requests to the schema registry, one in each line: METHOD TARGET BODY. Each has one answer, which is JSON; the records that the
// changes leave make the same registry again, and so does its snapshot.
#include "api/registry_rest.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz {
        struct registry_rest rest;
        struct registry *again;                 // the fold of the records
        unsigned answered;
};

static void append(void *user, struct bytes body) {
        struct fuzz *fuzz = user;
        ASSERT(registry_apply(fuzz->again, body, NULL));
        registry_appended(fuzz->rest.changes, NULL);
}

static void answered(struct registry_exchange *exchange) {
        ((struct fuzz *)exchange->user)->answered++;
}

static struct bytes take(struct bytes *rest, char until) {
        const char *end = rest->size ? memchr(rest->data, until, rest->size) : NULL;
        struct bytes taken = {rest->data, end ? (size_t)(end - rest->data) : rest->size};
        size_t used = taken.size + (end != NULL);
        *rest = (struct bytes){rest->data + used, rest->size - used};
        return taken;
}

static void check_answer(const struct registry_exchange *exchange) {
        CLEANUP(arena_free) struct arena arena = {0};
        const struct json_limits limits = {.bytes = JSON_BYTES_MAX, .nodes = JSON_BYTES_MAX};
        const struct json *answer;
        struct error error;
        ASSERT(exchange->status >= 200 && exchange->status < 600 && exchange->status != 500);
        if (!json_parse(buffer_bytes(&exchange->answer), &limits, &arena, &answer, &error))
                ASSERT(error.code == ERROR_LIMIT);
        else if (exchange->status != 200)
                ASSERT(json_get_text(answer, "error_code") && json_get_text(answer, "message"));
}

static void ask(struct fuzz *fuzz, struct bytes line) {
        struct registry_exchange exchange = {.answered = answered, .user = fuzz};
        exchange.method = take(&line, ' ');
        exchange.query = take(&line, ' ');
        exchange.path = take(&exchange.query, '?');
        exchange.body = line;
        unsigned before = fuzz->answered;
        registry_rest_handle(&fuzz->rest, &exchange);
        ASSERT(fuzz->answered == before + 1);
        check_answer(&exchange);
        registry_exchange_clear(&exchange);
}

static void check_same(const struct fuzz *fuzz) {
        CLEANUP(buffer_free) struct buffer one = {0}, two = {0}, three = {0};
        CLEANUP(registry_freep) struct registry *restored = registry_new(NULL);
        registry_snapshot(fuzz->rest.registry, &one);
        registry_snapshot(fuzz->again, &two);
        ASSERT(bytes_equal(buffer_bytes(&one), buffer_bytes(&two)));
        ASSERT(registry_restore(restored, buffer_bytes(&one), NULL));
        registry_snapshot(restored, &three);
        ASSERT(bytes_equal(buffer_bytes(&one), buffer_bytes(&three)));
        ASSERT(registry_memory(fuzz->again) == registry_memory(fuzz->rest.registry));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct fuzz fuzz = {.rest.registry = registry_new(NULL), .again = registry_new(NULL)};
        struct bytes rest = {(const char *)data, size};
        fuzz.rest.changes = registry_changes_new(fuzz.rest.registry, append, &fuzz);
        while (rest.size)
                ask(&fuzz, take(&rest, '\n'));
        check_same(&fuzz);
        registry_changes_free(fuzz.rest.changes);
        registry_free(fuzz.rest.registry);
        registry_free(fuzz.again);
        return 0;
}

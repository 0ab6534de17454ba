// SPDX-License-Identifier: Apache-2.0
// What is kept of bodies that pass: pointers, counts and times, one body a direction between two digests, within the limits.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/sampler.h"

struct kept {
        char text[20000];
        struct sampler_seen last;
        size_t count;
};

static void keep(void *context, const struct sampler_seen *seen) {
        struct kept *kept = context;
        size_t size = strlen(kept->text);
        snprintf(kept->text + size, sizeof kept->text - size, "%.*s %.*s %llu %lld\n", BYTES_PRINT(seen->pointer),
                 BYTES_PRINT(seen->name), (unsigned long long)seen->samples, (long long)seen->last_ms);
        kept->count++;
}

static struct kept kept_of(const struct sampler *sampler, size_t communication, enum sampler_direction direction) {
        struct kept kept = {0};
        sampler_each(sampler, communication, direction, keep, &kept);
        return kept;
}

static void offer(struct sampler *sampler, const char *body) {
        sampler_offer(sampler, 1, SAMPLER_ANSWER, bytes_of(body));
}

static void pointers_of_what_passed(void **state) {
        (void)state;
        struct sampler *sampler = sampler_new(2);
        offer(sampler, "{\"items\":[{\"title\":\"a\"},{\"title\":\"b\"}],\"next\":null}");
        assert_int_equal(kept_of(sampler, 1, SAMPLER_ANSWER).count, 0);         // nobody has looked yet
        sampler_digest(sampler, 7);
        assert_string_equal(kept_of(sampler, 1, SAMPLER_ANSWER).text, "/items items 1 7\n/items/-/title title 1 7\n/next next 1 7\n");
        assert_int_equal(kept_of(sampler, 1, SAMPLER_REQUEST).count, 0);
        assert_int_equal(kept_of(sampler, 0, SAMPLER_ANSWER).count, 0);
        offer(sampler, "{\"next\":1,\"a/b~c\":2}");
        sampler_digest(sampler, 9);
        assert_string_equal(kept_of(sampler, 1, SAMPLER_ANSWER).text,
                            "/items items 1 7\n/items/-/title title 1 7\n/next next 2 9\n/a~1b~0c a~1b~0c 1 9\n");
        sampler_free(sampler);
        sampler_free(NULL);
        sampler_offer(NULL, 0, SAMPLER_REQUEST, BYTES("{}"));
}

static void one_body_between_two_digests(void **state) {
        (void)state;
        struct sampler *sampler = sampler_new(2);
        for (int i = 0; i < 100; i++)
                offer(sampler, i ? "{\"later\":1}" : "{\"first\":1}");
        sampler_offer(sampler, 1, SAMPLER_REQUEST, BYTES("{\"asked\":1}"));     // another direction, another body
        sampler_offer(sampler, 0, SAMPLER_REQUEST, (struct bytes){0});          // nothing is no sample
        sampler_digest(sampler, 1);
        assert_string_equal(kept_of(sampler, 1, SAMPLER_ANSWER).text, "/first first 1 1\n");
        assert_string_equal(kept_of(sampler, 1, SAMPLER_REQUEST).text, "/asked asked 1 1\n");
        assert_int_equal(sampler_figures(sampler, 1, SAMPLER_ANSWER).looked_at, 1);
        assert_int_equal(sampler_figures(sampler, 0, SAMPLER_REQUEST).looked_at, 0);
        offer(sampler, "{\"later\":1}");
        sampler_digest(sampler, 2);
        assert_int_equal(sampler_figures(sampler, 1, SAMPLER_ANSWER).looked_at, 2);
        sampler_free(sampler);
}

static void what_cannot_be_looked_at_is_counted(void **state) {
        (void)state;
        struct sampler *sampler = sampler_new(SAMPLER_SLOTS + 3);
        char *large = must_malloc(SAMPLER_BODY_MAX + 2);
        memset(large, ' ', SAMPLER_BODY_MAX + 1);
        large[SAMPLER_BODY_MAX + 1] = '\0';
        memcpy(large, "{\"a\":1}", 7);
        offer(sampler, large);
        sampler_digest(sampler, 1);
        assert_int_equal(sampler_figures(sampler, 1, SAMPLER_ANSWER).too_large, 1);
        large[SAMPLER_BODY_MAX] = '\0';                 // one byte less is looked at
        offer(sampler, large);
        sampler_digest(sampler, 1);
        assert_int_equal(sampler_figures(sampler, 1, SAMPLER_ANSWER).looked_at, 1);
        free(large);
        offer(sampler, "title=plain");
        sampler_digest(sampler, 1);
        assert_int_equal(sampler_figures(sampler, 1, SAMPLER_ANSWER).not_json, 1);
        for (size_t i = 0; i < SAMPLER_SLOTS + 3; i++)
                sampler_offer(sampler, i, SAMPLER_REQUEST, BYTES("{\"x\":1}"));
        uint64_t missed = 0, looked_at = 0;
        sampler_digest(sampler, 1);
        for (size_t i = 0; i < SAMPLER_SLOTS + 3; i++) {
                missed += sampler_figures(sampler, i, SAMPLER_REQUEST).missed;
                looked_at += sampler_figures(sampler, i, SAMPLER_REQUEST).looked_at;
        }
        assert_int_equal(missed, 3);
        assert_int_equal(looked_at, SAMPLER_SLOTS);
        for (int round = 0; round < 2; round++) {       // who found no slot goes before the others, then all are equal again
                for (size_t i = 0; i < SAMPLER_SLOTS + 3; i++)
                        sampler_offer(sampler, i, SAMPLER_REQUEST, BYTES("{\"x\":1}"));
                sampler_digest(sampler, 1);
                assert_int_equal(sampler_figures(sampler, SAMPLER_SLOTS, SAMPLER_REQUEST).looked_at, 1);
                assert_int_equal(sampler_figures(sampler, SAMPLER_SLOTS + 2, SAMPLER_REQUEST).looked_at, 1);
                assert_int_equal(sampler_figures(sampler, 0, SAMPLER_REQUEST).looked_at, 1 + round);
        }
        sampler_free(sampler);
}

static void names_that_look_like_values_are_not_kept(void **state) {
        (void)state;
        static const char body[] =
                "{\"ann@example.org\":{\"title\":1},\"4711\":2,\"two words\":3,\"5f1d22c0-1a7b\":4,\"\":5,\"bed\":6,"
                "\"a\\u009b2J\":8,\"a\\u202e\":8,\"ann.k\":8,\"user_1234\":8,\"-1\":8,"
                "\"gr\xc3\xb6\xc3\x9f" "e\":7}";
        struct sampler *sampler = sampler_new(2);
        offer(sampler, body);
        sampler_digest(sampler, 1);
        struct kept kept = kept_of(sampler, 1, SAMPLER_ANSWER);
        assert_string_equal(kept.text, "/* * 1 1\n/*/title title 1 1\n/bed bed 1 1\n/gr\xc3\xb6\xc3\x9f" "e gr\xc3\xb6\xc3\x9f" "e 1 1\n");
        char longer[SAMPLER_NAME_MAX + 2], text[200];
        memset(longer, 'n', sizeof longer - 1);
        longer[sizeof longer - 1] = '\0';
        snprintf(text, sizeof text, "{\"%s\":1}", longer);
        offer(sampler, text);
        snprintf(text, sizeof text, "{\"%s\":1}", longer + 1);
        sampler_digest(sampler, 1);
        assert_null(strstr(kept_of(sampler, 1, SAMPLER_ANSWER).text, longer));
        offer(sampler, text);
        sampler_digest(sampler, 1);
        assert_non_null(strstr(kept_of(sampler, 1, SAMPLER_ANSWER).text, longer + 1));
        sampler_free(sampler);
}

static void a_large_object_is_a_map(void **state) {
        (void)state;
        struct sampler *sampler = sampler_new(2);
        struct buffer body = {0};
        for (int members = SAMPLER_MAP_FROM - 1; members <= SAMPLER_MAP_FROM; members++) {
                buffer_clear(&body);
                for (int i = 0; i < members; i++)
                        buffer_print(&body, "%s\"k%d\":{\"title\":1}", i ? "," : "{", i);
                buffer_append_byte(&body, '}');
                sampler_offer(sampler, (size_t)(members - SAMPLER_MAP_FROM + 1), SAMPLER_ANSWER, buffer_bytes(&body));
        }
        sampler_digest(sampler, 1);
        assert_int_equal(kept_of(sampler, 0, SAMPLER_ANSWER).count, 2 * (SAMPLER_MAP_FROM - 1));
        assert_string_equal(kept_of(sampler, 1, SAMPLER_ANSWER).text, "/* * 1 1\n/*/title title 1 1\n");
        buffer_free(&body);
        sampler_free(sampler);
}

// Objects of 41 members each.
static void give_members(struct sampler *sampler, const char *name, int count) {
        struct buffer body = {0};
        for (int i = 0; i < count; i++)
                buffer_print(&body, "%s\"%s%d\":0", i % 41 ? "," : i ? "},{" : "[{", name, i);
        buffer_append(&body, BYTES("}]"));
        sampler_offer(sampler, 1, SAMPLER_ANSWER, buffer_bytes(&body));
        sampler_digest(sampler, 1);
        buffer_free(&body);
}

static void members_are_kept_up_to_a_number(void **state) {
        (void)state;
        struct sampler *sampler = sampler_new(2);
        struct buffer body = {0};
        give_members(sampler, "m", SAMPLER_POINTERS_MAX + 5);
        assert_int_equal(kept_of(sampler, 1, SAMPLER_ANSWER).count, SAMPLER_POINTERS_MAX);
        assert_int_equal(sampler_figures(sampler, 1, SAMPLER_ANSWER).more, 5);
        give_members(sampler, "new", 2);                // in the place of the oldest
        struct kept kept = kept_of(sampler, 1, SAMPLER_ANSWER);
        assert_int_equal(kept.count, SAMPLER_POINTERS_MAX);
        assert_non_null(strstr(kept.text, "/-/new0 new0 1 1\n/-/new1 new1 1 1\n/-/m2 m2 1 1\n"));
        assert_null(strstr(kept.text, "/-/m1 "));
        assert_int_equal(sampler_figures(sampler, 1, SAMPLER_ANSWER).more, 7);
        for (int levels = 1; levels <= 20; levels++)    // of 31 bytes each, and the slash
                buffer_append(&body, BYTES("{\"abcdefghijklmnopqrstuvwxyzabcdz\":"));
        buffer_append_byte(&body, '0');
        for (int levels = 1; levels <= 20; levels++)
                buffer_append_byte(&body, '}');
        sampler_offer(sampler, 0, SAMPLER_REQUEST, buffer_bytes(&body));
        sampler_digest(sampler, 1);
        assert_int_equal(kept_of(sampler, 0, SAMPLER_REQUEST).count, SAMPLER_POINTER_MAX / 32);
        assert_int_equal(sampler_figures(sampler, 0, SAMPLER_REQUEST).more, 20 - SAMPLER_POINTER_MAX / 32);
        buffer_clear(&body);
        buffer_append_byte(&body, '[');                 // members are looked at up to a number as well
        for (int i = 0; i < SAMPLER_MEMBERS_MAX; i++)
                buffer_print(&body, "{\"a\":0},");
        buffer_print(&body, "{\"behind\":0}]");
        assert_true(body.size <= SAMPLER_BODY_MAX);
        sampler_offer(sampler, 0, SAMPLER_ANSWER, buffer_bytes(&body));
        sampler_digest(sampler, 1);
        assert_string_equal(kept_of(sampler, 0, SAMPLER_ANSWER).text, "/-/a a 1 1\n");
        assert_int_equal(sampler_figures(sampler, 0, SAMPLER_ANSWER).more, 1);
        buffer_free(&body);
        sampler_free(sampler);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(pointers_of_what_passed),
                cmocka_unit_test(one_body_between_two_digests),
                cmocka_unit_test(what_cannot_be_looked_at_is_counted),
                cmocka_unit_test(names_that_look_like_values_are_not_kept),
                cmocka_unit_test(a_large_object_is_a_map),
                cmocka_unit_test(members_are_kept_up_to_a_number),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

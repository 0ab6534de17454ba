// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "registry/changes.h"

// A log that keeps what is appended, and ends an append when told, or at once.
struct journal {
        struct registry_changes *changes;
        size_t appended;
        bool at_once;
};

static void append(void *user, struct bytes body) {
        struct journal *journal = user;
        assert_true(body.size > 0);
        journal->appended++;
        if (journal->at_once)
                registry_appended(journal->changes, NULL);
}

struct submission {
        struct registry_change change;
        bool done;
        enum error_code code;
};

static void is_done(struct registry_change *change, const struct error *error) {
        struct submission *submission = change->user;
        assert_false(submission->done);
        submission->done = true;
        submission->code = error ? error->code : ERROR_NONE;
}

static void register_schema(struct registry_changes *changes, struct submission *submission, const char *subject,
                            const char *schema) {
        *submission = (struct submission){.change = {.kind = REGISTRY_REGISTER, .subject = bytes_of(subject),
                                                     .draft.text = bytes_of(schema), .done = is_done, .user = submission}};
        registry_submit(changes, &submission->change);
}

static void assert_registered(const struct submission *submission, uint32_t version, uint32_t id) {
        assert_true(submission->done);
        assert_int_equal(submission->code, ERROR_NONE);
        assert_int_equal(submission->change.registered.version, version);
        assert_int_equal(submission->change.registered.id, id);
}

static void one_change_is_under_way_at_a_time(void **state) {
        (void)state;
        CLEANUP(registry_freep) struct registry *registry = registry_new(NULL);
        struct journal journal = {0};
        journal.changes = registry_changes_new(registry, append, &journal);
        struct submission first, second, same;
        register_schema(journal.changes, &first, "one", "{\"const\":1}");
        register_schema(journal.changes, &second, "two", "{\"const\":2}");
        register_schema(journal.changes, &same, "one", "{\"const\":1.0}");
        assert_int_equal(journal.appended, 1);
        assert_false(first.done);
        assert_int_equal(registry_ids(registry), 0);            // nothing is seen before it is durable
        registry_appended(journal.changes, NULL);
        assert_registered(&first, 1, 1);
        assert_int_equal(journal.appended, 2);
        registry_appended(journal.changes, NULL);
        assert_registered(&second, 1, 2);
        assert_registered(&same, 1, 1);                         // holds by now: not appended
        assert_true(same.change.held);
        assert_int_equal(journal.appended, 2);
        registry_changes_free(journal.changes);
}

static void a_failed_append_changes_nothing_and_the_next_goes_on(void **state) {
        (void)state;
        CLEANUP(registry_freep) struct registry *registry = registry_new(NULL);
        struct journal journal = {0};
        journal.changes = registry_changes_new(registry, append, &journal);
        struct submission first, second;
        register_schema(journal.changes, &first, "one", "{\"const\":1}");
        register_schema(journal.changes, &second, "two", "{\"const\":2}");
        struct error full;
        IGNORE(error_set(&full, ERROR_FULL, "no space"));
        registry_appended(journal.changes, &full);
        assert_true(first.done);
        assert_int_equal(first.code, ERROR_FULL);
        registry_appended(journal.changes, NULL);
        assert_registered(&second, 1, 1);                       // ids stay dense
        registry_changes_free(journal.changes);
}

static void what_cannot_be_is_not_appended(void **state) {
        (void)state;
        CLEANUP(registry_freep) struct registry *registry = registry_new(NULL);
        struct journal journal = {.at_once = true};
        journal.changes = registry_changes_new(registry, append, &journal);
        struct submission wrong, right;
        register_schema(journal.changes, &wrong, "one", "{");
        assert_int_equal(wrong.code, ERROR_INVALID);
        assert_int_equal(journal.appended, 0);
        register_schema(journal.changes, &right, "one", "true");
        assert_registered(&right, 1, 1);
        registry_changes_free(journal.changes);
}

static void the_queue_is_bounded_and_ends_with_the_registry(void **state) {
        (void)state;
        CLEANUP(registry_freep) struct registry *registry = registry_new(NULL);
        struct journal journal = {0};
        journal.changes = registry_changes_new(registry, append, &journal);
        static struct submission submissions[REGISTRY_CHANGES_MAX + 1];
        for (size_t at = 0; at < ARRAY_SIZE(submissions); at++)
                register_schema(journal.changes, &submissions[at], "one", "true");
        assert_true(submissions[REGISTRY_CHANGES_MAX].done);
        assert_int_equal(submissions[REGISTRY_CHANGES_MAX].code, ERROR_FULL);
        assert_false(submissions[REGISTRY_CHANGES_MAX - 1].done);
        registry_changes_free(journal.changes);
        for (size_t at = 0; at < REGISTRY_CHANGES_MAX; at++)
                assert_int_equal(submissions[at].code, ERROR_UNAVAILABLE);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_change_is_under_way_at_a_time),
                cmocka_unit_test(a_failed_append_changes_nothing_and_the_next_goes_on),
                cmocka_unit_test(what_cannot_be_is_not_appended),
                cmocka_unit_test(the_queue_is_bounded_and_ends_with_the_registry),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

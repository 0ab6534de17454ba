// SPDX-License-Identifier: Apache-2.0
// The pure parts of data communications: locks of keys, the overlay, dirty keys, the backfill rule.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "gateway/data_lock.h"
#include "gateway/data_memory.h"

// ---- locks ----

static struct key_claim *last_granted;

static void granted(struct key_claim *claim) {
        last_granted = claim;
}

static void a_key_is_held_by_one_and_given_on_in_order(void **state) {
        (void)state;
        struct key_locks locks;
        struct key_claim a = {0}, b = {0}, c = {0}, other = {0};
        locks_init(&locks, 10, granted);
        assert_int_equal(lock_take(&locks, &a, BYTES("7")), LOCK_HELD);
        assert_int_equal(lock_take(&locks, &b, BYTES("7")), LOCK_WAITS);
        assert_int_equal(lock_take(&locks, &c, BYTES("7")), LOCK_WAITS);
        assert_int_equal(lock_take(&locks, &other, BYTES("8")), LOCK_HELD);
        lock_release(&locks, &a);
        assert_ptr_equal(last_granted, &b);
        lock_release(&locks, &a);                       // once more: nothing
        assert_ptr_equal(last_granted, &b);
        lock_release(&locks, &b);
        assert_ptr_equal(last_granted, &c);
        assert_true(lock_is_taken(&locks, BYTES("7")));
        lock_release(&locks, &c);
        assert_false(lock_is_taken(&locks, BYTES("7")));
        assert_int_equal(locks.waiting, 0);
        lock_release(&locks, &other);
        assert_int_equal(locks.table.count, 0);
        locks_free(&locks);
}

static void who_gives_up_waiting_is_passed_over(void **state) {
        (void)state;
        struct key_locks locks;
        struct key_claim a = {0}, b = {0}, c = {0};
        locks_init(&locks, 10, granted);
        lock_take(&locks, &a, BYTES("7"));
        lock_take(&locks, &b, BYTES("7"));
        lock_take(&locks, &c, BYTES("7"));
        last_granted = NULL;
        lock_release(&locks, &b);
        assert_null(last_granted);
        lock_release(&locks, &a);
        assert_ptr_equal(last_granted, &c);
        lock_release(&locks, &c);
        locks_free(&locks);
}

static void only_so_many_may_wait(void **state) {
        (void)state;
        struct key_locks locks;
        struct key_claim a = {0}, b = {0}, c = {0}, d = {0};
        locks_init(&locks, 1, granted);
        assert_int_equal(lock_take(&locks, &a, BYTES("7")), LOCK_HELD);
        assert_int_equal(lock_take(&locks, &b, BYTES("7")), LOCK_WAITS);
        assert_int_equal(lock_take(&locks, &c, BYTES("7")), LOCK_FULL);
        assert_int_equal(lock_take(&locks, &d, BYTES("8")), LOCK_HELD); // a free key is not waited for
        lock_release(&locks, &c);
        lock_release(&locks, &a);
        assert_int_equal(lock_take(&locks, &a, BYTES("7")), LOCK_WAITS);
        locks_free(&locks);
}

// ---- overlay ----

static void the_newest_event_of_a_key_stays_until_the_views_have_it(void **state) {
        (void)state;
        struct overlay overlay;
        overlay_init(&overlay);
        overlay_put(&overlay, BYTES("7"), BYTES("one"), false, 0, 10);
        overlay_put(&overlay, BYTES("8"), BYTES("two"), false, 0, 11);
        overlay_put(&overlay, BYTES("7"), BYTES(""), true, 0, 12);
        overlay_passed(&overlay, 10);
        const struct overlay_row *row = overlay_find(&overlay, BYTES("7"));
        assert_true(row && row->tombstone && row->position == 12 && row->body.size == 0);
        row = overlay_find(&overlay, BYTES("8"));
        assert_true(row && bytes_equal(row->body, BYTES("two")));
        overlay_passed(&overlay, 11);
        assert_null(overlay_find(&overlay, BYTES("8")));
        assert_non_null(overlay_find(&overlay, BYTES("7")));
        overlay_passed(&overlay, 12);
        assert_int_equal(overlay.rows.count, 0);
        overlay_free(&overlay);
}

// ---- dirty keys ----

static struct dirty dirty;

static void a_dirty_key_is_read_after_its_last_write_has_settled(void **state) {
        (void)state;
        uint64_t next;
        dirty_init(&dirty);
        dirty_mark(&dirty, BYTES("7"), 10, 100);
        dirty_mark(&dirty, BYTES("8"), 11, 110);
        dirty_mark(&dirty, BYTES("7"), 12, 120);        // again: settle begins anew
        assert_null(dirty_due(&dirty, 109, &next));
        assert_int_equal(next, 110);
        struct dirty_key *key = dirty_due(&dirty, 110, &next);
        assert_true(key && bytes_equal(key->key, BYTES("8")));
        assert_null(dirty_due(&dirty, 119, &next));
        assert_int_equal(next, 120);
        key = dirty_due(&dirty, 120, &next);
        assert_true(key && bytes_equal(key->key, BYTES("7")) && key->newest == 12);
        assert_true(dirty_has(&dirty, BYTES("7")));     // while it is read
        dirty_again(&dirty, BYTES("7"), 200);
        assert_null(dirty_due(&dirty, 199, &next));
        assert_int_equal(next, 200);
        assert_non_null(dirty_due(&dirty, 200, &next));
        dirty_clean(&dirty, BYTES("7"), 12);
        assert_false(dirty_has(&dirty, BYTES("7")));
        assert_int_equal(dirty_count(&dirty), 1);
        dirty_free(&dirty);
}

static void a_read_does_not_answer_for_a_later_write(void **state) {
        (void)state;
        uint64_t next;
        dirty_init(&dirty);
        dirty_mark(&dirty, BYTES("7"), 10, 100);
        assert_non_null(dirty_due(&dirty, 100, &next));
        dirty_mark(&dirty, BYTES("7"), 15, 150);
        dirty_clean(&dirty, BYTES("7"), 10);
        assert_true(dirty_has(&dirty, BYTES("7")));
        dirty_again(&dirty, BYTES("7"), 101);           // it waits already
        assert_null(dirty_due(&dirty, 149, &next));
        assert_non_null(dirty_due(&dirty, 150, &next));
        dirty_clean(&dirty, BYTES("7"), 15);
        assert_int_equal(dirty_count(&dirty), 0);
        dirty_free(&dirty);
}

static void a_backfill_answers_for_writes_without_a_key_that_have_settled_before_it(void **state) {
        (void)state;
        uint64_t up_to, next;
        dirty_init(&dirty);
        dirty_mark(&dirty, BYTES(""), 10, 100);
        dirty_mark(&dirty, BYTES(""), 11, 300);         // it came later and ended later
        dirty_mark(&dirty, BYTES(""), 12, 120);
        dirty_topic_due(&dirty, 99, &up_to, &next);
        assert_int_equal(up_to, 0);
        assert_int_equal(next, 100);
        dirty_topic_due(&dirty, 150, &up_to, &next);
        assert_int_equal(up_to, 10);                    // not 12: 11 may be executed still
        assert_int_equal(next, 300);
        dirty_topic_clean(&dirty, up_to);
        assert_true(dirty_has_topic(&dirty));
        dirty_topic_due(&dirty, 300, &up_to, &next);
        assert_int_equal(up_to, 12);
        dirty_topic_clean(&dirty, up_to);
        assert_false(dirty_has_topic(&dirty));
        dirty_free(&dirty);
}

static void writes_without_a_key_beyond_the_limit_are_answered_for_together(void **state) {
        (void)state;
        uint64_t up_to, next;
        dirty_init(&dirty);
        for (uint64_t i = 1; i <= 2 * DIRTY_TOPIC_MAX; i++)
                dirty_mark(&dirty, BYTES(""), i, 100 + i);
        assert_int_equal(dirty.topic_count, DIRTY_TOPIC_MAX);
        dirty_topic_due(&dirty, 100 + 2 * DIRTY_TOPIC_MAX - 1, &up_to, &next);
        assert_int_equal(up_to, DIRTY_TOPIC_MAX - 1);
        dirty_topic_due(&dirty, 100 + 2 * DIRTY_TOPIC_MAX, &up_to, &next);
        assert_int_equal(up_to, 2 * DIRTY_TOPIC_MAX);
        dirty_free(&dirty);
}

// ---- backfill ----

static void a_row_goes_in_only_where_nothing_was_captured(void **state) {
        (void)state;
        assert_true(backfill_inserts(0, 100));          // nothing is known of the key
        assert_true(backfill_inserts(99, 100));         // of an older time
        assert_false(backfill_inserts(101, 100));       // an event or a tombstone since
}

static void what_was_seen_is_known(void **state) {
        (void)state;
        struct seen seen;
        seen_init(&seen, 17);
        char key[16];
        for (int i = 0; i < 5000; i += 2) {
                int size = snprintf(key, sizeof key, "%d", i);
                seen_add(&seen, (struct bytes){key, (size_t)size});
        }
        assert_int_equal(seen.count, 2500);
        for (int i = 0; i < 5000; i++) {
                int size = snprintf(key, sizeof key, "%d", i);
                assert_int_equal(seen_has(&seen, (struct bytes){key, (size_t)size}), i % 2 == 0);
        }
        seen_free(&seen);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_key_is_held_by_one_and_given_on_in_order),
                cmocka_unit_test(who_gives_up_waiting_is_passed_over),
                cmocka_unit_test(only_so_many_may_wait),
                cmocka_unit_test(the_newest_event_of_a_key_stays_until_the_views_have_it),
                cmocka_unit_test(a_dirty_key_is_read_after_its_last_write_has_settled),
                cmocka_unit_test(a_read_does_not_answer_for_a_later_write),
                cmocka_unit_test(a_backfill_answers_for_writes_without_a_key_that_have_settled_before_it),
                cmocka_unit_test(writes_without_a_key_beyond_the_limit_are_answered_for_together),
                cmocka_unit_test(a_row_goes_in_only_where_nothing_was_captured),
                cmocka_unit_test(what_was_seen_is_known),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

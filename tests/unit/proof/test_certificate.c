// SPDX-License-Identifier: Apache-2.0
// A certificate is verified with the file and the public key alone; every change of a value, and a wrong key, is told.
#include "proof/certificate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct desk {
        struct buffer secret, open, file;
        struct arena arena;
        struct certificate certificate;
};

static const struct bytes assumptions[] = {{"the provider recognises identities (Idempotency-Key)", 53}};
static const struct certificate_epoch epochs[] = {{.shard = 3, .epoch = 2, .mode = LANE_ASYNC, .position = 40, .time_ms = 1700}};

static int make_desk(void **state) {
        struct desk *desk = must_calloc(1, sizeof *desk);
        if (!certificate_key_new(&desk->secret, &desk->open, NULL))
                return -1;
        desk->certificate = (struct certificate){
                .communication = BYTES("COMM-040"), .log_id = {0xab, 1, 2}, .position = 12345678901234567u,
                .time_ms = 1700000000000,
                .config_hash = BYTES("00ff"), .epochs = epochs, .epoch_count = 1, .assumptions = assumptions,
                .assumption_count = 1,
        };
        desk->certificate.sums.count[LEDGER_ADMITTED] = 7;
        desk->certificate.sums.count[LEDGER_APPENDED] = 5;
        desk->certificate.sums.count[LEDGER_ANSWERED] = 2;
        desk->certificate.sums.count[LEDGER_DELIVERED] = 5;
        *state = desk;
        return 0;
}

static int remove_desk(void **state) {
        struct desk *desk = *state;
        buffer_free(&desk->secret);
        buffer_free(&desk->open);
        buffer_free(&desk->file);
        arena_free(&desk->arena);
        free(desk);
        return 0;
}

static void sign(struct desk *desk) {
        struct error error;
        buffer_clear(&desk->file);
        if (!certificate_sign(&desk->certificate, buffer_bytes(&desk->secret), &desk->file, &error))
                fail_msg("%s", error.text);
}

static struct error verify(struct desk *desk) {
        struct error error = {0};
        struct certificate read;
        if (certificate_verify(buffer_bytes(&desk->file), buffer_bytes(&desk->open), &desk->arena, &read, &error))
                assert_int_equal(error.code, ERROR_NONE);
        return error;
}

static void what_was_signed_is_read_back(void **state) {
        struct desk *desk = *state;
        struct certificate read;
        struct error error;
        sign(desk);
        if (!certificate_verify(buffer_bytes(&desk->file), buffer_bytes(&desk->open), &desk->arena, &read, &error))
                fail_msg("%s", error.text);
        assert_true(bytes_equal(read.communication, BYTES("COMM-040")));
        assert_int_equal(read.position, 12345678901234567u);
        assert_int_equal(read.log_id[0], 0xab);
        assert_int_equal(read.sums.count[LEDGER_DELIVERED], 5);
        assert_int_equal(read.epoch_count, 1);
        assert_int_equal(read.epochs[0].mode, LANE_ASYNC);
        assert_int_equal(read.assumption_count, 1);
}

// Every character of the file in turn: the file is refused, or it is white space or the hint that changed.
static void no_change_goes_unseen(void **state) {
        struct desk *desk = *state;
        sign(desk);
        const char *hint = memmem(desk->file.data, desk->file.size, "\"public_key\"", strlen("\"public_key\""));
        assert_non_null(hint);
        size_t changed = 0;
        for (size_t i = 0; i < (size_t)(hint - desk->file.data); i++) {
                char was = desk->file.data[i];
                if (was == ' ' || was == '\n')
                        continue;
                desk->file.data[i] = was == '1' ? '2' : '1';
                if (verify(desk).code == ERROR_NONE)
                        fail_msg("byte %zu ('%c') changed and nobody saw it", i, was);
                desk->file.data[i] = was;
                changed++;
        }
        assert_true(changed > 500);
        assert_int_equal(verify(desk).code, ERROR_NONE);
}

static void another_key_does_not_verify(void **state) {
        struct desk *desk = *state;
        struct buffer other = {0};
        sign(desk);
        buffer_clear(&desk->open);
        assert_true(certificate_key_new(&other, &desk->open, NULL));
        struct error error = verify(desk);
        assert_int_equal(error.code, ERROR_UNAUTHORIZED);
        buffer_clear(&desk->open);
        buffer_append(&desk->open, BYTES("no key"));
        error = verify(desk);
        assert_int_equal(error.code, ERROR_INVALID);
        assert_non_null(strstr(error.text, "not an Ed25519 public key"));
        buffer_free(&other);
}

static void a_ledger_that_does_not_add_up_fails_though_signed(void **state) {
        struct desk *desk = *state;
        desk->certificate.sums.count[LEDGER_DELIVERED] = 4;
        sign(desk);
        struct error error = verify(desk);
        assert_int_equal(error.code, ERROR_CORRUPT);
        assert_non_null(strstr(error.text, "5 appended, but 0 waiting"));
        desk->certificate.sums.count[LEDGER_DELIVERED] = 5;
        struct certificate_fault fault = {.kind = BYTES("sequence"), .first = BYTES("a gap"), .count = 2, .position = 9};
        desk->certificate.faults = &fault;
        desk->certificate.fault_count = 1;
        sign(desk);
        error = verify(desk);
        assert_int_equal(error.code, ERROR_CORRUPT);
        assert_non_null(strstr(error.text, "2 of kind sequence, the first at position 9: a gap"));
}

static void what_is_no_certificate_is_told(void **state) {
        struct desk *desk = *state;
        static const char *const files[] = {"", "[]", "{}", "{\"certificate\":1}", "{\"certificate\":{}}",
                                            "{\"certificate\":{},\"signature\":\"00\"}"};
        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                buffer_clear(&desk->file);
                buffer_append(&desk->file, bytes_of(files[i]));
                struct error error = verify(desk);
                assert_int_equal(error.code, ERROR_INVALID);
                assert_non_null(strstr(error.text, "not a certificate"));
        }
        buffer_clear(&desk->file);
        memset(buffer_reserve(&desk->file, CERTIFICATE_SIZE_MAX + 1), ' ', CERTIFICATE_SIZE_MAX + 1);
        desk->file.size = CERTIFICATE_SIZE_MAX + 1;
        assert_int_equal(verify(desk).code, ERROR_LIMIT);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_desk, remove_desk)
        const struct CMUnitTest tests[] = {
                TEST(what_was_signed_is_read_back),
                TEST(no_change_goes_unseen),
                TEST(another_key_does_not_verify),
                TEST(a_ledger_that_does_not_add_up_fails_though_signed),
                TEST(what_is_no_certificate_is_told),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

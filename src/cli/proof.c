// SPDX-License-Identifier: Apache-2.0
// `commute proof` fetches a certificate from a running commute; `commute verify` checks one offline, with the public key alone.
#include "cli/cli_priv.h"

#include <stdio.h>

#include "cli/client.h"
#include "json/writer.h"
#include "proof/certificate.h"

// ---- proof ----

static bool write_file(const char *path, struct bytes content, struct error *error) {
        FILE *file = fopen(path, "we");
        if (!file)
                return error_set(error, ERROR_IO, "%s: %m", path);
        bool written = fwrite(content.data, 1, content.size, file) == content.size;
        if (fclose(file) != 0 || !written)
                return error_set(error, ERROR_IO, "write %s: %m", path);
        return true;
}

int cli_proof(const struct cli_options *options) {
        struct arena CLEANUP(arena_free) arena = {0};
        struct control CLEANUP(control_closep) *control = NULL;
        struct buffer CLEANUP(buffer_free) text = {0};
        const char *name = options->arguments[0], *path = options->value[CLI_OUTPUT];
        const struct json *answer;
        struct error error;
        if (!client_is_name(name))
                return client_refuse_name(options, "a communication", name);
        if (!control_open(options, &control, &error) ||
            !control_call(control, "GET", arena_print(&arena, "/proof/%s", name), (struct bytes){0}, &arena, &answer, &error))
                return cli_fail(options, &error);
        json_write_pretty(&text, answer);
        buffer_append_byte(&text, '\n');
        if (!path) {
                cli_print(buffer_bytes(&text));
                return 0;
        }
        if (!write_file(path, buffer_bytes(&text), &error))
                return cli_fail(options, &error);
        if (!options->given[CLI_JSON])
                printf("%s: %s up to position %llu\n", path, name,
                       (unsigned long long)client_number(json_get_text(answer, "certificate"), "position"));
        return 0;
}

// ---- verify ----

static bool read_file(const char *path, struct buffer *text, struct error *error) {
        FILE *file = fopen(path, "re");
        if (!file)
                return error_set(error, ERROR_NOT_FOUND, "%s: %m", path);
        text->size = fread(buffer_reserve(text, CERTIFICATE_SIZE_MAX + 1), 1, CERTIFICATE_SIZE_MAX + 1, file);
        bool failed = ferror(file);
        fclose(file);
        return !failed || error_set(error, ERROR_IO, "%s: cannot be read", path);
}

static void print_certificate(const struct certificate *certificate) {
        printf("valid: %.*s up to position %llu, %lld admitted\n", BYTES_PRINT(certificate->communication),
               (unsigned long long)certificate->position, (long long)certificate->sums.count[LEDGER_ADMITTED]);
        for (unsigned i = LEDGER_NONE + 1; i < LEDGER_ACCOUNT_COUNT; i++)
                if (certificate->sums.count[i])
                        printf("  %-22s %lld\n", ledger_account_name((enum ledger_state)i), (long long)certificate->sums.count[i]);
        for (size_t i = 0; i < certificate->assumption_count; i++)
                printf("  assumed: %.*s\n", BYTES_PRINT(certificate->assumptions[i]));
}

static void print_verdict(const struct certificate *certificate) {
        struct buffer CLEANUP(buffer_free) text = {0};
        struct json_writer writer = {.buffer = &text};
        json_begin_object(&writer);
        json_member_boolean(&writer, "valid", true);
        json_member_bytes(&writer, "communication", certificate->communication);
        json_member_u64(&writer, "position", certificate->position);
        json_member_i64(&writer, "admitted", certificate->sums.count[LEDGER_ADMITTED]);
        json_end_object(&writer);
        json_end(&writer);
        cli_print(buffer_bytes(&text));
}

int cli_verify(const struct cli_options *options) {
        struct arena CLEANUP(arena_free) arena = {0};
        struct buffer CLEANUP(buffer_free) file = {0}, key = {0};
        struct certificate certificate;
        struct error error;
        if (!options->given[CLI_KEY]) {
                IGNORE(error_set(&error, ERROR_INVALID, "say --key FILE: certificate.pub of the data folder that it came from, by a way "
                                 "that you trust"));                                                    // always false
                return cli_fail(options, &error);
        }
        if (!read_file(options->arguments[0], &file, &error) || !read_file(options->value[CLI_KEY], &key, &error))
                return cli_fail(options, &error);
        if (!certificate_verify(buffer_bytes(&file), buffer_bytes(&key), &arena, &certificate, &error)) {
                error_wrap(&error, "%s", options->arguments[0]);
                return cli_fail(options, &error);
        }
        (options->given[CLI_JSON] ? print_verdict : print_certificate)(&certificate);
        return 0;
}

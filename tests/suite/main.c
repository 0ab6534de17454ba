// SPDX-License-Identifier: Apache-2.0
// Runs a checkout of the JSON-Schema-Test-Suite: build/tests/suite [-v] [--required] TESTS_DIR REMOTES_DIR [DRAFT…]
// TESTS_DIR holds draft4, draft6, draft7, draft2019-09, draft2020-12; REMOTES_DIR the documents that the tests know as
// http://localhost:1234/. Beside TESTS_DIR, output-tests and annotations are run where they are. Prints passed, failed and excepted per
// draft and part (required, output, annotations, optional, format: with `format` as an assertion). Each test is decided by every way
// that the engine has (verdict, verdict from the bytes, explanation, output), which must agree. Exceptions are listed here with their
// reasons, and are not run. Exit status 1 when anything failed, or nothing ran. --required: the optional parts are left out. -v names
// what is excepted.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "suite.h"

static const struct { const char *part, *description, *reason; } exceptions[] = {
        {"", "", ""},                           // none
};

static const struct { const char *name; enum schema_draft draft; } drafts[] = {
        {"draft4", SCHEMA_DRAFT_4}, {"draft6", SCHEMA_DRAFT_6}, {"draft7", SCHEMA_DRAFT_7},
        {"draft2019-09", SCHEMA_DRAFT_2019_09}, {"draft2020-12", SCHEMA_DRAFT_2020_12},
};

static bool verbose;

bool suite_read(const char *path, struct buffer *buffer) {
        FILE *file = fopen(path, "rb");
        size_t size;
        if (!file)
                return false;
        while ((size = fread(buffer_reserve(buffer, 65536), 1, 65536, file)) > 0)
                buffer->size += size;
        return fclose(file) == 0;
}

static bool remote(void *user, struct bytes uri, struct bytes *ret_source, struct error *error) {
        struct run *run = user;
        struct bytes host = BYTES("http://localhost:1234/");
        CLEANUP(free_pointer) char *path = NULL;
        buffer_clear(&run->remote);
        bool output = bytes_starts_with(uri, BYTES("https://json-schema.org/draft/")) &&
                      memmem(uri.data, uri.size, "/output/schema", strlen("/output/schema"));
        if (uri.size < host.size)
                return error_set(error, ERROR_NOT_FOUND, "no such remote document");
        int made = output ? asprintf(&path, "%s/../output-tests/%s/output-schema.json", run->tests, run->draft_name)
                          : asprintf(&path, "%s/%.*s", run->remotes, (int)(uri.size - host.size), uri.data + host.size);
        if ((!output && !bytes_starts_with(uri, host)) || made < 0 || !suite_read(path, &run->remote))
                return error_set(error, ERROR_NOT_FOUND, "no such remote document");
        *ret_source = buffer_bytes(&run->remote);
        return true;
}

static const char *exception(const struct run *run, struct bytes description) {
        for (size_t i = 0; i < ARRAY_SIZE(exceptions); i++)
                if (strcmp(exceptions[i].part, run->part) == 0 && bytes_equal(bytes_of(exceptions[i].description), description))
                        return exceptions[i].reason;
        return NULL;
}

static bool decide(const struct schema *schema, const struct json *data, bool valid, struct arena *arena) {
        enum schema_verdict expected = valid ? SCHEMA_VALID : SCHEMA_INVALID;
        struct schema_failure *failures;
        struct schema_output_options options = {.format = SCHEMA_OUTPUT_DETAILED, .annotations = true};
        size_t count;
        CLEANUP(buffer_free) struct buffer text = {0};
        CLEANUP(buffer_free) struct buffer output = {0};
        json_write(&text, data);
        const struct json *parsed;
        if (!json_parse(buffer_bytes(&text), NULL, arena, &parsed, NULL))
                return false;
        enum schema_verdict scanned;
        return schema_verdict(schema, parsed, arena) == expected &&
               schema_verdict_bytes(schema, buffer_bytes(&text), NULL, arena, &scanned, NULL) && scanned == expected &&
               schema_explain(schema, buffer_bytes(&text), parsed, arena, 100, &failures, &count) == expected &&
               (count > 0) == !valid &&
               schema_output(schema, buffer_bytes(&text), parsed, &options, arena, &output) == expected &&
               json_parse(buffer_bytes(&output), NULL, arena, &parsed, NULL);
}

struct schema *suite_compile(struct run *run, const char *file, const struct json *group) {
        struct bytes description = json_text(json_get_text(group, "description"));
        struct schema *schema = NULL;
        struct error error;
        CLEANUP(buffer_free) struct buffer text = {0};
        json_write(&text, json_get_text(group, "schema"));
        if (schema_compile(buffer_bytes(&text), &run->options, &schema, &error))
                return schema;
        printf("FAILED: %s/%s: %.*s: %s\n", run->draft_name, file, BYTES_PRINT(description), error.text);
        return NULL;
}

static void run_group(struct run *run, const char *file, const struct json *group, struct arena *arena) {
        struct bytes description = json_text(json_get_text(group, "description"));
        const char *reason = exception(run, description);
        if (reason) {
                run->excepted += (unsigned)json_count(json_get_text(group, "tests"));
                if (verbose)
                        printf("excepted: %s/%s: %.*s: %s\n", run->draft_name, file, BYTES_PRINT(description), reason);
                return;
        }
        struct schema *schema = suite_compile(run, file, group);
        JSON_FOR_EACH(test, json_get_text(group, "tests")) {
                struct bytes what = json_text(json_get_text(test, "description"));
                bool valid = json_bool(json_get_text(test, "valid"));
                bool good = schema && decide(schema, json_get_text(test, "data"), valid, arena);
                run->passed += good;
                run->failed += !good;
                if (schema && !good)
                        printf("FAILED: %s/%s: %.*s: %.*s: is %s\n", run->draft_name, file, BYTES_PRINT(description),
                               BYTES_PRINT(what), valid ? "valid" : "invalid");
        }
        schema_free(schema);
}

static const struct { const char *part; suite_group *run; } kinds[] = {
        {"", run_group}, {"output", suite_output}, {"annotations", suite_annotations},
};

static void run_file(struct run *run, const char *path, const char *name) {
        CLEANUP(buffer_free) struct buffer text = {0};
        CLEANUP(arena_free) struct arena arena = {0};
        const struct json *groups = NULL;
        struct error error;
        if (!suite_read(path, &text) || !json_parse(buffer_bytes(&text), NULL, &arena, &groups, &error)) {
                printf("FAILED: %s cannot be read\n", path);
                run->failed++;
                return;
        }
        // Of what this file asks, one test is about the format regex, though it is not among the formats in each draft's folder.
        bool assert_format = run->options.assert_format;
        run->options.assert_format |= strcmp(name, "ecmascript-regex.json") == 0;
        suite_group *const *kind = &kinds[0].run;
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                if (strcmp(kinds[i].part, run->part) == 0)
                        kind = &kinds[i].run;
        if (!json_is(groups, JSON_ARRAY))
                groups = json_get_text(groups, "suite");
        JSON_FOR_EACH(group, groups)
                (*kind)(run, name, group, &arena);
        run->options.assert_format = assert_format;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
        return strcmp((*a)->d_name, (*b)->d_name);
}

// All files of one folder; false: it is not there.
static bool run_folder(struct run *run, const char *folder) {
        struct dirent **entries;
        int count = scandir(folder, &entries, NULL, by_name);
        for (int i = 0; i < count; i++) {
                CLEANUP(free_pointer) char *path = NULL;
                size_t size = strlen(entries[i]->d_name);
                bool json = size >= 5 && strcmp(entries[i]->d_name + size - 5, ".json") == 0;
                if (json && asprintf(&path, "%s/%s", folder, entries[i]->d_name) >= 0)
                        run_file(run, path, entries[i]->d_name);
                free(entries[i]);
        }
        if (count >= 0)
                free(entries);
        return count >= 0;
}

static bool run_part(const char *tests, const char *remotes, size_t draft, const char *part, const char *folder) {
        CLEANUP(free_pointer) char *path = NULL;
        struct run run = {.tests = tests, .remotes = remotes, .draft_name = drafts[draft].name, .part = part,
                          .draft = drafts[draft].draft};
        run.options = (struct schema_options){.draft = drafts[draft].draft, .assert_format = strcmp(part, "format") == 0,
                                              .assert_content = drafts[draft].draft == SCHEMA_DRAFT_7 &&
                                                                strcmp(part, "optional") == 0,
                                              .resolve = remote, .user = &run};
        bool output = strcmp(part, "output") == 0, annotations = strcmp(part, "annotations") == 0;
        int made = annotations ? asprintf(&path, "%s/../annotations/tests", tests)
                               : asprintf(&path, output ? "%s/../output-tests/%s/%s" : "%s/%s/%s", tests, drafts[draft].name, folder);
        if (made < 0)
                abort();
        bool there = run_folder(&run, path);
        buffer_free(&run.remote);
        if (!there)
                return output || annotations;
        printf("%s %s: %u passed, %u failed, %u excepted\n", drafts[draft].name, part, run.passed, run.failed, run.excepted);
        return run.failed == 0 && run.passed > 0;
}

int main(int count, char **arguments) {
        bool required = false, good = true;
        for (; count > 1 && arguments[1][0] == '-'; count--, arguments++) {
                verbose |= strcmp(arguments[1], "-v") == 0;
                required |= strcmp(arguments[1], "--required") == 0;
        }
        if (count < 3) {
                fprintf(stderr, "usage: suite [-v] [--required] TESTS_DIR REMOTES_DIR [DRAFT…]\n");
                return 64;
        }
        for (size_t draft = 0; draft < ARRAY_SIZE(drafts); draft++) {
                bool wanted = count == 3;
                for (int i = 3; i < count; i++)
                        wanted |= strcmp(arguments[i], drafts[draft].name) == 0;
                if (!wanted)
                        continue;
                const char *tests = arguments[1], *remotes = arguments[2];
                good = run_part(tests, remotes, draft, "required", "") && good;
                good = run_part(tests, remotes, draft, "output", "content") && good;
                good = run_part(tests, remotes, draft, "annotations", "") && good;
                if (required)
                        continue;
                good = run_part(tests, remotes, draft, "optional", "optional") && good;
                good = run_part(tests, remotes, draft, "format", "optional/format") && good;
        }
        return good ? 0 : 1;
}

// SPDX-License-Identifier: Apache-2.0
// Runs a checkout of the JSON-Schema-Test-Suite: build/tests/suite [-v] TESTS_DIR [DRAFT…]
// (TESTS_DIR holds draft7, draft2020-12, …). Prints passed, failed and refused per draft: refused are tests whose schema the
// compiler does not support and says so. Exit status 1 when anything failed. -v names each failed and refused group.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "schema/schema.h"

struct counts {
        unsigned passed, failed, refused;
};

static bool verbose;

static bool read_file(const char *path, struct buffer *buffer) {
        FILE *file = fopen(path, "rb");
        size_t size;
        if (!file)
                return false;
        while ((size = fread(buffer_reserve(buffer, 65536), 1, 65536, file)) > 0)
                buffer->size += size;
        return fclose(file) == 0;
}

static void run_group(const char *file, const struct json *group, enum schema_draft draft, struct arena *arena,
                      struct counts *counts) {
        struct bytes description = json_text(json_get_text(group, "description"));
        struct schema_options options = {.draft = draft};
        struct schema *schema = NULL;
        struct error error;
        CLEANUP(buffer_free) struct buffer text = {0};
        json_write(&text, json_get_text(group, "schema"));
        bool compiled = schema_compile(buffer_bytes(&text), &options, &schema, &error);
        if (!compiled && verbose)
                printf("refused: %s: %.*s: %s\n", file, BYTES_PRINT(description), error.text);
        JSON_FOR_EACH(test, json_get_text(group, "tests")) {
                struct bytes what = json_text(json_get_text(test, "description"));
                const struct json *data = json_get_text(test, "data");
                bool valid = json_bool(json_get_text(test, "valid"));
                if (!compiled) {
                        counts->refused++;
                        continue;
                }
                struct schema_failure *failures;
                size_t count;
                enum schema_verdict verdict = schema_verdict(schema, data, arena);
                enum schema_verdict explained = schema_explain(schema, (struct bytes){0}, data, arena, 100, &failures, &count);
                bool good = verdict == (valid ? SCHEMA_VALID : SCHEMA_INVALID) && explained == verdict && (count > 0) == !valid;
                counts->passed += good;
                counts->failed += !good;
                if (!good)
                        printf("FAILED: %s: %.*s: %.*s: verdict %d, explained %d with %zu failures\n", file,
                               BYTES_PRINT(description), BYTES_PRINT(what), verdict, explained, count);
        }
        schema_free(schema);
}

static void run_file(const char *path, const char *name, enum schema_draft draft, struct counts *counts) {
        CLEANUP(buffer_free) struct buffer text = {0};
        CLEANUP(arena_free) struct arena arena = {0};
        const struct json *groups = NULL;
        struct error error;
        if (!read_file(path, &text) || !json_parse(buffer_bytes(&text), NULL, &arena, &groups, &error)) {
                printf("FAILED: %s cannot be read\n", path);
                counts->failed++;
                return;
        }
        JSON_FOR_EACH(group, groups)
                run_group(name, group, draft, &arena, counts);
}

static bool run_draft(const char *directory, const char *name) {
        enum schema_draft draft = strstr(name, "draft7") ? SCHEMA_DRAFT_7 : SCHEMA_DRAFT_2020_12;
        CLEANUP(free_pointer) char *path = NULL;
        struct counts counts = {0};
        if (asprintf(&path, "%s/%s", directory, name) < 0)
                abort();
        DIR *entries = opendir(path);
        if (!entries) {
                printf("%s: not there\n", path);
                return false;
        }
        for (struct dirent *entry; (entry = readdir(entries)); ) {
                CLEANUP(free_pointer) char *file = NULL;
                size_t size = strlen(entry->d_name);
                if (size < 5 || strcmp(entry->d_name + size - 5, ".json") != 0)
                        continue;
                if (asprintf(&file, "%s/%s", path, entry->d_name) < 0)
                        abort();
                run_file(file, entry->d_name, draft, &counts);
        }
        closedir(entries);
        printf("%s: %u passed, %u failed, %u refused\n", name, counts.passed, counts.failed, counts.refused);
        return counts.failed == 0;
}

int main(int count, char **arguments) {
        if (count > 1 && strcmp(arguments[1], "-v") == 0) {
                verbose = true;
                count--;
                arguments++;
        }
        if (count < 2) {
                fprintf(stderr, "usage: suite [-v] TESTS_DIR [DRAFT…]\n");
                return 64;
        }
        static const char *const all[] = {"draft7", "draft2020-12"};
        bool good = true;
        for (int i = 2; i < count; i++)
                good = run_draft(arguments[1], arguments[i]) && good;
        for (size_t i = 0; count == 2 && i < ARRAY_SIZE(all); i++)
                good = run_draft(arguments[1], all[i]) && good;
        return good ? 0 : 1;
}

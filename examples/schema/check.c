// SPDX-License-Identifier: Apache-2.0
// A program that uses libcommute-schema: check SCHEMA FILE…; prints each file's verdict and why. Build it with
//
//     cc check.c $(pkg-config --cflags --libs commute-schema) -o check
#include <stdio.h>
#include <stdlib.h>

#include <commute-schema.h>

static char *read_file(const char *path, size_t *ret_size) {
        FILE *file = fopen(path, "rb");
        char *text = NULL;
        size_t size = 0, got;
        if (!file)
                return NULL;
        do {
                text = realloc(text, size + 65536);
                got = text ? fread(text + size, 1, 65536, file) : 0;
                size += got;
        } while (got > 0);
        fclose(file);
        *ret_size = size;
        return text;
}

static struct commute_schema *load(const char *path) {
        struct commute_schema_options options = COMMUTE_SCHEMA_OPTIONS;
        struct commute_schema_error error;
        struct commute_schema *schema = NULL;
        size_t size;
        char *text = read_file(path, &size);
        options.assert_format = true;
        if (!text)
                fprintf(stderr, "%s: cannot be read\n", path);
        else if (!commute_schema_compile(text, size, &options, &schema, &error))
                fprintf(stderr, "%s: %s\n", path, error.text);
        free(text);
        return schema;
}

// The fast question first; why not only where the answer is no.
static int check(const struct commute_schema *schema, struct commute_schema_workspace *workspace, const char *path) {
        struct commute_schema_error error;
        enum commute_schema_verdict verdict = COMMUTE_SCHEMA_INVALID;
        const char *output = "";
        size_t size, output_size;
        char *text = read_file(path, &size);
        if (!text) {
                printf("%s: cannot be read\n", path);
        } else if (!commute_schema_validate(schema, workspace, text, size, &verdict, &error)) {
                printf("%s: %s\n", path, error.text);
        } else if (verdict == COMMUTE_SCHEMA_VALID) {
                printf("%s: valid\n", path);
        } else if (commute_schema_explain(schema, workspace, text, size, COMMUTE_SCHEMA_BASIC, 0, &verdict, &output, &output_size,
                                          &error)) {
                printf("%s: invalid: %s\n", path, output);
        }
        free(text);
        return verdict == COMMUTE_SCHEMA_VALID ? 0 : 1;
}

int main(int argc, char **argv) {
        if (argc < 3) {
                fprintf(stderr, "usage: check SCHEMA FILE... (libcommute-schema %s)\n", commute_schema_version());
                return 2;
        }
        struct commute_schema *schema = load(argv[1]);
        if (!schema)
                return 2;
        struct commute_schema_workspace *workspace = commute_schema_workspace_new();
        int status = 0;
        for (int i = 2; i < argc; i++)
                status |= check(schema, workspace, argv[i]);
        commute_schema_workspace_free(workspace);
        commute_schema_free(schema);
        return status;
}

// SPDX-License-Identifier: Apache-2.0
// Contracts: the files `contracts/NAME.v*.json` of an event, and what can be seen without an event about whether a mapping fits.
// What is read is in the model's arena. Only what is certainly wrong is a problem: the shadow gate sees the rest.
#include "model/reader_priv.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "schema/schema.h"

bool reader_file(struct reader *reader, const struct yaml_node *node, const char *path, size_t most, struct bytes *ret_content) {
        FILE *file = fopen(path, "re");
        if (!file)
                return problem_add_code(reader->problems, node, ERROR_NOT_FOUND, "%s: %m", path);
        struct buffer CLEANUP(buffer_free) text = {0};
        enum { STEP = 64 * 1024 };
        size_t got;
        do {
                got = fread(buffer_reserve(&text, STEP), 1, STEP, file);
                text.size += got;
        } while (got == STEP && text.size <= most);
        bool failed = ferror(file);
        fclose(file);
        if (failed)
                return problem_add_code(reader->problems, node, ERROR_IO, "%s: cannot be read", path);
        if (text.size > most)
                return problem_add_code(reader->problems, node, ERROR_LIMIT, "%s: more than %zu bytes", path, most);
        *ret_content = arena_copy(reader->arena, buffer_bytes(&text));
        return true;
}

static bool read_contract(struct reader *reader, const struct yaml_node *node, struct model_version *version) {
        struct error error;
        if (!reader_file(reader, node, version->path, MODEL_CONTRACT_MAX, &version->source))
                return false;
        struct schema *schema;
        if (!schema_compile(version->source, NULL, &schema, &error))
                return problem_add_code(reader->problems, node, error.code, "%s: %s", version->path, error.text);
        schema_free(schema);
        return true;
}

static int compare_versions(const void *left, const void *right) {
        const struct model_version *a = left, *b = right;
        return a->version < b->version ? -1 : a->version > b->version;
}

// The number in a file's name where the pattern has its star. False: the name does not match.
static bool version_of(struct bytes name, struct bytes before, struct bytes behind, struct bytes *ret_digits) {
        if (name.size < before.size + behind.size || !bytes_starts_with(name, before) ||
            memcmp(name.data + name.size - behind.size, behind.data, behind.size) != 0)
                return false;
        *ret_digits = (struct bytes){name.data + before.size, name.size - before.size - behind.size};
        return true;
}

static bool find_versions(struct reader *reader, const struct yaml_node *node, DIR *folder, const char *folder_path,
                          struct bytes file, struct model_version *versions, size_t *ret_count) {
        const char *star = memchr(file.data, '*', file.size);
        struct bytes before = {file.data, (size_t)(star - file.data)}, behind = {star + 1, file.size - before.size - 1};
        size_t count = 0;
        for (struct dirent *entry; (entry = readdir(folder)); ) {
                struct bytes digits;
                uint64_t number;
                if (!version_of(bytes_of(entry->d_name), before, behind, &digits))
                        continue;
                if (!bytes_to_u64(digits, &number) || (digits.size > 1 && digits.data[0] == '0'))
                        return problem_add(reader->problems, node, "%s/%s: expected a version number for the *", folder_path,
                                           entry->d_name);
                if (number >= MODEL_VERSIONS_MAX || count == MODEL_VERSIONS_MAX)
                        return problem_add_code(reader->problems, node, ERROR_LIMIT, "%s/%s: more than %d versions", folder_path,
                                                entry->d_name, MODEL_VERSIONS_MAX);
                versions[count++] = (struct model_version){
                        .version = (unsigned)number, .path = arena_print(reader->arena, "%s/%s", folder_path, entry->d_name)};
        }
        *ret_count = count;
        return true;
}

// The folder and the file's part of a pattern: exactly one star, in the file's part.
static bool split_pattern(struct reader *reader, const struct yaml_node *node, const char *pattern, const char **ret_folder,
                          struct bytes *ret_file) {
        const char *slash = strrchr(pattern, '/'), *file = slash ? slash + 1 : pattern;
        const char *star = strchr(pattern, '*');
        if (!star || star < file || strchr(star + 1, '*'))
                return problem_add(reader->problems, node,
                                   "expected a file name with one * for the version, as contracts/NAME.v*.json, got \"%s\"",
                                   pattern);
        struct bytes given = {pattern, slash ? MAX((size_t)(slash - pattern), (size_t)1) : 0};
        if (pattern[0] == '/')
                *ret_folder = arena_text(reader->arena, given);
        else if (given.size)
                *ret_folder = arena_print(reader->arena, "%s/%.*s", reader->folder, BYTES_PRINT(given));
        else
                *ret_folder = reader->folder;
        *ret_file = bytes_of(file);
        return true;
}

bool contract_read_all(struct reader *reader, const struct yaml_node *node, const char *pattern, struct model_event *event,
                       struct model_version **ret_versions) {
        const char *folder_path;
        struct bytes file = {0};
        size_t count = 0;
        if (!split_pattern(reader, node, pattern, &folder_path, &file))
                return false;
        DIR *folder = opendir(folder_path);
        if (!folder)
                return problem_add_code(reader->problems, node, ERROR_NOT_FOUND, "%s: %m", folder_path);
        struct model_version CLEANUP(free_pointer) *found = must_calloc(MODEL_VERSIONS_MAX, sizeof *found);
        bool good = find_versions(reader, node, folder, folder_path, file, found, &count);
        closedir(folder);
        if (!good)
                return false;
        qsort(found, count, sizeof *found, compare_versions);
        for (size_t i = 0; i < count; i++) {
                if (found[i].version != i)
                        return problem_add(reader->problems, node, "%s: version %zu is missing before it", found[i].path, i);
                good &= read_contract(reader, node, &found[i]);
        }
        if (!good)
                return false;
        struct model_version *versions = arena_alloc(reader->arena, (count + 1) * sizeof *versions);
        if (count)
                memcpy(versions, found, count * sizeof *versions);
        event->versions = *ret_versions = versions;
        event->version_count = count;
        return true;
}

// The subschema behind local references ("#/$defs/X"); NULL where it leads elsewhere or in circles.
static const struct json *behind_references(const struct json *root, const struct json *schema, struct arena *scratch) {
        for (int hops = 0; hops < 16; hops++) {
                const struct json *reference = json_get_text(schema, "$ref");
                if (!reference)
                        return schema;
                struct json_pointer pointer;
                struct bytes text = json_is(reference, JSON_STRING) ? json_text(reference) : (struct bytes){0};
                if (!text.size || text.data[0] != '#' ||
                    !json_pointer_parse((struct bytes){text.data + 1, text.size - 1}, scratch, &pointer, NULL))
                        return NULL;
                schema = json_pointer_resolve(&pointer, root);
                if (!schema)
                        return NULL;
        }
        return NULL;
}

static bool closed(const struct json *schema) {
        const struct json *additional = json_get_text(schema, "additionalProperties");
        return json_is(additional, JSON_BOOL) && !json_bool(additional) && !json_get_text(schema, "patternProperties");
}

enum naming { NAMED, OPEN, LACKING };

static enum naming look_for(struct bytes contract, const struct json_pointer *pointer) {
        struct arena CLEANUP(arena_free) scratch = {0};
        const struct json *root, *schema;
        if (!json_parse(contract, NULL, &scratch, &root, NULL))
                return OPEN;
        schema = root;
        for (size_t i = 0; i < pointer->count; i++) {
                schema = behind_references(root, schema, &scratch);
                const struct json *property = json_get(json_get_text(schema, "properties"), pointer->tokens[i]);
                if (!property)
                        return schema && closed(schema) ? LACKING : OPEN;
                schema = property;
        }
        return NAMED;
}

bool contract_lacks(struct bytes contract, const struct json_pointer *pointer) {
        return look_for(contract, pointer) == LACKING;
}

bool contract_names(struct bytes contract, const struct json_pointer *pointer) {
        return look_for(contract, pointer) == NAMED;
}

const char *contract_mismatch(struct bytes contract, const struct yaml_node *wrap, struct arena *arena) {
        struct arena CLEANUP(arena_free) scratch = {0};
        const struct json *root;
        if (wrap->kind != YAML_MAPPING || !json_parse(contract, NULL, &scratch, &root, NULL))
                return NULL;
        const struct json *properties = json_get_text(root, "properties"), *required = json_get_text(root, "required");
        if (json_is(required, JSON_ARRAY)) {
                JSON_FOR_EACH(name, required) {
                        if (!json_is(name, JSON_STRING) || json_get_text(json_get(properties, json_text(name)), "default"))
                                continue;
                        if (!yaml_get(wrap, arena_text(&scratch, json_text(name))))
                                return arena_print(arena, "\"%.*s\" is required and not given", BYTES_PRINT(json_text(name)));
                }
        }
        YAML_FOR_EACH(member, wrap)
                if (closed(root) && !json_get(properties, member->key->text))
                        return arena_print(arena, "it has no \"%.*s\"", BYTES_PRINT(member->key->text));
        return NULL;
}

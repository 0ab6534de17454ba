// SPDX-License-Identifier: Apache-2.0
// The annotation tests: which annotations a keyword leaves on a place of the instance, and which place of the schema each is from. The
// output `basic` is asked for them. A test names places of the schema by their pointer in its document; the output does by the URI
// of the resource, which is why the schema is compiled as a document of its own that another one refers to.
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>

#include "json/pointer.h"

#define DOCUMENT "urn:commute:annotated"

static unsigned release_of(enum schema_draft draft) {
        switch (draft) {
        case SCHEMA_DRAFT_4: return 4;
        case SCHEMA_DRAFT_6: return 6;
        case SCHEMA_DRAFT_7: return 7;
        case SCHEMA_DRAFT_2019_09: return 2019;
        case SCHEMA_DRAFT_2020_12: return 2020;
        }
        abort();
}

// "6,<=2019", "=2020", "7": all parts must hold; without them any draft will do.
static bool is_compatible(const struct json *compatibility, unsigned release) {
        struct bytes text = compatibility ? json_text(compatibility) : BYTES("");
        bool good = true;
        for (size_t i = 0; i < text.size; i++) {                // i: behind a part it is at the comma
                size_t sign = 0;
                unsigned number = 0;
                for (; i < text.size && (text.data[i] == '<' || text.data[i] == '='); i++)
                        sign++;
                for (; i < text.size && text.data[i] != ','; i++)
                        number = number * 10 + (unsigned)(text.data[i] - '0');
                good &= sign == 0 ? release >= number : sign == 1 ? release == number : release <= number;
        }
        return good;
}

struct group {
        struct run *run;
        const struct json *schema, *others;
        struct buffer text;                     // of the document last asked for
};

static bool resolve(void *user, struct bytes uri, struct bytes *ret_source, struct error *error) {
        struct group *group = user;
        const struct json *document = bytes_equal(uri, BYTES(DOCUMENT)) ? group->schema : json_get(group->others, uri);
        if (!document)
                return group->run->options.resolve(group->run->options.user, uri, ret_source, error);
        buffer_clear(&group->text);
        json_write(&group->text, document);
        *ret_source = buffer_bytes(&group->text);
        return true;
}

static struct bytes decode(struct bytes text, struct arena *arena) {
        char *to = arena_alloc(arena, text.size + 1);
        size_t size = 0;
        for (size_t i = 0; i < text.size; i++) {
                char digits[3] = {0};
                if (text.data[i] == '%' && i + 2 < text.size)
                        memcpy(digits, text.data + i + 1, 2);
                to[size++] = digits[0] ? (char)strtoul(digits, NULL, 16) : text.data[i];
                i += digits[0] ? 2 : 0;
        }
        return (struct bytes){to, size};
}

static const struct json *node_at(struct bytes pointer_text, const struct json *root, struct arena *arena) {
        struct json_pointer pointer;
        return json_pointer_parse(pointer_text, arena, &pointer, NULL) ? json_pointer_resolve(&pointer, root) : NULL;
}

// "#/properties/foo": what a test expects is from there.
static const struct json *node_of(const struct json *key, const struct json *root, struct arena *arena) {
        struct bytes text = json_text(key);
        ASSERT(text.size && text.data[0] == '#');
        return node_at(decode((struct bytes){text.data + 1, text.size - 1}, arena), root, arena);
}

// Whose URI it is: the document's, or that of a schema in it whose $id is the URI, or its end.
static const struct json *resource_of(struct bytes uri, const struct json *root) {
        if (bytes_equal(uri, BYTES(DOCUMENT)))
                return root;
        for (const struct json *node = root; node < json_next(root); node++) {
                const struct json *id = json_get_text(node, "$id");
                struct bytes name = json_is(id, JSON_STRING) ? json_text(id) : BYTES("");
                if (name.size && uri.size >= name.size && memcmp(uri.data + uri.size - name.size, name.data, name.size) == 0)
                        return node;
        }
        return NULL;
}

struct found {
        const struct json *schema, *value;      // the subschema that has the keyword, and what it says
        struct bytes keyword;
};

// False: the unit is no annotation.
static bool read_unit(const struct json *unit, const struct json *root, struct arena *arena, struct found *found) {
        const struct json *location = json_get_text(unit, "absoluteKeywordLocation");
        found->value = json_get_text(unit, "annotation");
        if (!found->value || !location)
                return false;
        struct bytes text = json_text(location), pointer;
        const char *hash = memchr(text.data, '#', text.size);
        ASSERT(hash);
        pointer = decode((struct bytes){hash + 1, text.size - (size_t)(hash + 1 - text.data)}, arena);
        struct bytes above = pointer;
        while (above.size && above.data[--above.size] != '/')
                ;
        found->keyword = (struct bytes){pointer.data + above.size + 1, pointer.size - above.size - 1};
        const struct json *resource = resource_of((struct bytes){text.data, (size_t)(hash - text.data)}, root);
        found->schema = resource ? node_at(above, resource, arena) : NULL;
        return true;
}

// Every annotation is expected, and every one that is expected is there.
static bool check(const struct json *units, const struct json *assertion, const struct json *root, struct arena *arena) {
        const struct json *expected = json_get_text(assertion, "expected");
        struct bytes keyword = json_text(json_get_text(assertion, "keyword"));
        struct bytes place = json_text(json_get_text(assertion, "location"));
        size_t count = json_count(expected);
        bool *there = arena_alloc(arena, count + 1);
        memset(there, 0, count + 1);
        JSON_FOR_EACH(unit, units) {
                struct found found;
                size_t i = 0, which = count;
                if (!read_unit(unit, root, arena, &found) || !bytes_equal(found.keyword, keyword) ||
                    !bytes_equal(json_text(json_get_text(unit, "instanceLocation")), place))
                        continue;
                JSON_FOR_EACH_MEMBER(key, value, expected) {
                        if (found.schema && node_of(key, root, arena) == found.schema && json_equal(found.value, value))
                                which = i;
                        i++;
                }
                if (which == count)
                        return false;
                there[which] = true;
        }
        for (size_t i = 0; i < count; i++)
                if (!there[i])
                        return false;
        return true;
}

static void run_test(struct group *group, const char *file, const struct schema *schema, const struct json *test, struct arena *arena) {
        struct schema_output_options options = {.format = SCHEMA_OUTPUT_BASIC, .annotations = true};
        CLEANUP(buffer_free) struct buffer text = {0};
        CLEANUP(buffer_free) struct buffer output = {0};
        const struct json *instance, *made = NULL;
        struct run *run = group->run;
        json_write(&text, json_get_text(test, "instance"));
        bool valid = schema && json_parse(buffer_bytes(&text), NULL, arena, &instance, NULL) &&
                     schema_output(schema, buffer_bytes(&text), instance, &options, arena, &output) == SCHEMA_VALID &&
                     json_parse(buffer_bytes(&output), NULL, arena, &made, NULL);
        JSON_FOR_EACH(assertion, json_get_text(test, "assertions")) {
                bool good = valid && check(json_get_text(made, "annotations"), assertion, group->schema, arena);
                run->passed += good;
                run->failed += !good;
                if (!good)
                        printf("FAILED: %s/annotations/%s: %.*s at \"%.*s\": %.*s\n", run->draft_name, file,
                               BYTES_PRINT(json_text(json_get_text(assertion, "keyword"))),
                               BYTES_PRINT(json_text(json_get_text(assertion, "location"))), BYTES_PRINT(buffer_bytes(&output)));
        }
}

void suite_annotations(struct run *run, const char *file, const struct json *json, struct arena *arena) {
        struct group group = {.run = run, .schema = json_get_text(json, "schema"), .others = json_get_text(json, "externalSchemas")};
        struct schema_options options = run->options;
        struct schema *schema = NULL;
        struct error error;
        if (!is_compatible(json_get_text(json, "compatibility"), release_of(run->draft)))
                return;
        options.resolve = resolve;
        options.user = &group;
        if (!schema_compile(BYTES("{\"$ref\":\"" DOCUMENT "\"}"), &options, &schema, &error))
                printf("FAILED: %s/annotations/%s: %s\n", run->draft_name, file, error.text);
        JSON_FOR_EACH(test, json_get_text(json, "tests"))
                run_test(&group, file, schema, test, arena);
        schema_free(schema);
        buffer_free(&group.text);
}

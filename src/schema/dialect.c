// SPDX-License-Identifier: Apache-2.0
// Dialects: what $schema means. The drafts' own meta-schemas are built in, as one bundle a draft; of others, $vocabulary says
// which keywords there are, and their own $schema which draft's.
#include "schema/schema_priv.h"

static struct bytes without_hash(struct bytes uri) {
        uri.size -= uri.size && uri.data[uri.size - 1] == '#';
        return uri;
}

static const struct { struct bytes uri; enum schema_draft draft; } drafts[] = {
        {BYTES("https://json-schema.org/draft/2020-12/schema"), SCHEMA_DRAFT_2020_12},
        {BYTES("https://json-schema.org/draft/2019-09/schema"), SCHEMA_DRAFT_2019_09},
        {BYTES("http://json-schema.org/draft-07/schema"), SCHEMA_DRAFT_7},
        {BYTES("http://json-schema.org/draft-06/schema"), SCHEMA_DRAFT_6},
        {BYTES("http://json-schema.org/draft-04/schema"), SCHEMA_DRAFT_4},
};

struct bytes meta_bundle(struct bytes uri) {
        if (bytes_starts_with(uri, BYTES("https://json-schema.org/draft/2020-12/")))
                return meta_2020_12();
        if (bytes_starts_with(uri, BYTES("https://json-schema.org/draft/2019-09/")))
                return meta_2019_09();
        if (bytes_equal(uri, BYTES("http://json-schema.org/draft-07/schema")))
                return meta_draft7();
        if (bytes_equal(uri, BYTES("http://json-schema.org/draft-06/schema")))
                return meta_draft6();
        return bytes_equal(uri, BYTES("http://json-schema.org/draft-04/schema")) ? meta_draft4() : (struct bytes){0};
}

// The vocabularies of 2019-09 and 2020-12 by the last part of their names.
static const struct { const char *name; unsigned bits, bits_2019; } vocabularies[] = {
        {"core", VOCABULARY_CORE, VOCABULARY_CORE},
        {"applicator", VOCABULARY_APPLICATOR, VOCABULARY_APPLICATOR | VOCABULARY_UNEVALUATED},
        {"unevaluated", VOCABULARY_UNEVALUATED, 0},
        {"validation", VOCABULARY_VALIDATION, VOCABULARY_VALIDATION},
        {"meta-data", VOCABULARY_METADATA, VOCABULARY_METADATA},
        {"format", 0, VOCABULARY_FORMAT},
        {"format-annotation", VOCABULARY_FORMAT, 0},
        {"format-assertion", VOCABULARY_FORMAT | VOCABULARY_ASSERTS_FORMAT, 0},
        {"content", VOCABULARY_CONTENT, VOCABULARY_CONTENT},
};

static unsigned vocabulary_bits(struct bytes uri, bool required) {
        static const struct bytes bases[] = {
                BYTES("https://json-schema.org/draft/2020-12/vocab/"), BYTES("https://json-schema.org/draft/2019-09/vocab/"),
        };
        for (size_t base = 0; base < ARRAY_SIZE(bases); base++) {
                if (!bytes_starts_with(uri, bases[base]))
                        continue;
                struct bytes name = {uri.data + bases[base].size, uri.size - bases[base].size};
                for (size_t i = 0; i < ARRAY_SIZE(vocabularies); i++) {
                        if (!bytes_equal(name, bytes_of(vocabularies[i].name)))
                                continue;
                        bool format_2019 = base == 1 && required && strcmp(vocabularies[i].name, "format") == 0;
                        unsigned bits = base == 0 ? vocabularies[i].bits : vocabularies[i].bits_2019;
                        return format_2019 ? bits | VOCABULARY_ASSERTS_FORMAT : bits;
                }
        }
        return 0;
}

// A meta-schema that is none of the drafts', read once for all that name it.
struct meta {
        struct bytes uri;
        const struct json *root;                // NULL: there is none
        bool read;
        unsigned vocabularies;
};

static bool is_meta(const void *element, const void *key) {
        return bytes_equal(((const struct meta *)element)->uri, *(const struct bytes *)key);
}

static const struct json *load_meta(struct compiler *compiler, struct bytes uri) {
        const struct schema_options *options = compiler->options;
        const struct resource *resource = resource_find(compiler, uri);
        const struct json *root = NULL;
        struct bytes source;
        struct error error;
        if (resource)
                return resource->node;
        if (!options->resolve || !options->resolve(options->user, uri, &source, &error) ||
            !document_parse(source, &compiler->arena, &root, &error))
                return NULL;
        return root;
}

static bool meta_find(struct compiler *compiler, const struct json *blame, struct bytes uri, struct meta **ret_meta) {
        uint64_t hash = compile_hash(compiler, uri);
        struct meta *meta = table_find(&compiler->metas, hash, &uri, is_meta);
        if (!meta) {
                if (compiler->meta_count++ == SCHEMA_DOCUMENTS_MAX)
                        return compile_wrong(compiler, blame, ERROR_LIMIT, "more than %d meta-schemas", SCHEMA_DOCUMENTS_MAX);
                meta = arena_alloc(&compiler->arena, sizeof *meta);
                *meta = (struct meta){.uri = uri, .root = load_meta(compiler, uri), .vocabularies = VOCABULARY_ALL};
                table_insert(&compiler->metas, hash, meta);
        }
        *ret_meta = meta;
        return true;
}

static bool read_vocabularies(struct compiler *compiler, struct meta *meta, const struct json *blame, struct dialect *dialect) {
        const struct json *list = json_get_text(meta->root, "$vocabulary");
        if (meta->read || !json_is(list, JSON_OBJECT)) {
                dialect->vocabularies = meta->vocabularies;
                return true;
        }
        dialect->vocabularies = VOCABULARY_CORE;
        JSON_FOR_EACH_MEMBER(key, value, list) {
                bool required = json_is(value, JSON_BOOL) && json_bool(value);
                unsigned bits = vocabulary_bits(json_text(key), required);
                if (!bits && required)
                        return compile_wrong(compiler, blame, ERROR_UNSUPPORTED,
                                             "its meta-schema requires the vocabulary \"%.*s\", which is not supported",
                                             BYTES_PRINT(json_text(key)));
                dialect->vocabularies |= bits;
        }
        compiler->schema->looks += json_count(list);
        meta->read = true;
        meta->vocabularies = dialect->vocabularies;
        return true;
}

static struct bytes without_scheme(struct bytes uri) {
        const char *end = memmem(uri.data, uri.size, "://", 3);
        return end ? (struct bytes){end + 3, uri.size - (size_t)(end + 3 - uri.data)} : uri;
}

// A draft's URI with http in place of https, or the other way round; NULL: it is none.
static const char *meant_uri(struct bytes uri) {
        for (size_t i = 0; i < ARRAY_SIZE(drafts); i++)
                if (bytes_equal(without_scheme(uri), without_scheme(drafts[i].uri)))
                        return drafts[i].uri.data;
        return NULL;
}

enum { META_CHAIN_MAX = 10 };

// Follows $schema from meta-schema to meta-schema until one of the drafts is reached; the first one's vocabularies count.
bool dialect_find(struct compiler *compiler, const struct json *value, struct dialect *ret_dialect) {
        if (!json_is(value, JSON_STRING))
                return compile_wrong(compiler, value, ERROR_INVALID, "expected a URI");
        struct bytes uri = without_hash(json_text(value));
        struct dialect dialect = {.vocabularies = VOCABULARY_ALL};
        for (int chain = 0; chain < META_CHAIN_MAX; chain++) {
                for (size_t i = 0; i < ARRAY_SIZE(drafts); i++) {
                        if (!bytes_equal(drafts[i].uri, uri))
                                continue;
                        dialect.draft = drafts[i].draft;
                        if (dialect.draft != SCHEMA_DRAFT_2019_09 && dialect.draft != SCHEMA_DRAFT_2020_12)
                                dialect.vocabularies = VOCABULARY_ALL;
                        *ret_dialect = dialect;
                        return true;
                }
                struct meta *meta;
                if (!meta_find(compiler, value, uri, &meta) || (chain == 0 && !read_vocabularies(compiler, meta, value, &dialect)))
                        return false;
                const struct json *next = json_get_text(meta->root, "$schema");
                if (!json_is(next, JSON_STRING))
                        break;
                uri = without_hash(json_text(next));
        }
        const char *meant = meant_uri(without_hash(json_text(value)));
        if (meant)
                return compile_wrong(compiler, value, ERROR_UNSUPPORTED, "$schema is no draft's; is \"%s\" meant?", meant);
        return compile_wrong(compiler, value, ERROR_UNSUPPORTED, "$schema is not supported: neither the meta-schema of draft 4, 6, "
                             "7, 2019-09 or 2020-12, nor one that is known and built on these");
}

// SPDX-License-Identifier: Apache-2.0
// Documents, the resources ($id) in them, their anchors, and what references lead to. All of it is in the schema's arena but the
// tables by number of node, which are the compiler's.
#include "schema/schema_priv.h"

#include <stdlib.h>

#include "json/pointer.h"

struct document *document_of(const struct compiler *compiler, const struct json *node) {
        for (struct document *document = compiler->documents; document; document = document->next)
                if (node >= document->root && node < json_next(document->root))
                        return document;
        UNREACHABLE("a node of no document");
}

struct resource *resource_of(const struct compiler *compiler, const struct json *node) {
        struct document *document = document_of(compiler, node);
        return document->resources[node - document->root];
}

bool document_parse(struct bytes source, struct arena *arena, const struct json **ret_root, struct error *error) {
        struct json_limits limits = {.bytes = SCHEMA_BYTES_MAX, .nodes = SCHEMA_NODES_MAX};
        return json_parse(source, &limits, arena, ret_root, error);
}

bool document_parse_copy(struct bytes *source, struct arena *arena, const struct json **ret_root, struct error *error) {
        if (source->size <= SCHEMA_BYTES_MAX)
                *source = arena_copy(arena, *source);
        return document_parse(*source, arena, ret_root, error);
}

static bool uri_fits(const struct compiler *compiler, const struct json *node, size_t size) {
        return size <= SCHEMA_URI_MAX || compile_wrong(compiler, node, ERROR_LIMIT, "a URI of %zu bytes; at most %d are accepted", size,
                                                       SCHEMA_URI_MAX);
}

static bool add_resource(struct compiler *compiler, const struct document *document, const struct json *node, const char *uri,
                         const struct dialect *dialect, struct resource **ret_resource) {
        struct resource *known = resource_find(compiler, bytes_of(uri));
        if (known && known->document == document && known->node != node)
                return compile_wrong(compiler, node, ERROR_INVALID, "\"%s\" names another place already", uri);
        if (compiler->resource_count++ == SCHEMA_RESOURCES_MAX)
                return compile_wrong(compiler, node, ERROR_LIMIT, "more than %d resources", SCHEMA_RESOURCES_MAX);
        struct resource *resource = arena_alloc(&compiler->schema->arena, sizeof *resource);
        *resource = (struct resource){compiler->resources, uri, document, node, *dialect, NULL, 0};
        compiler->resources = resource;
        resource_keep(compiler, resource);
        *ret_resource = resource;
        return true;
}

static bool add_anchor(struct compiler *compiler, struct resource *resource, const struct json *node, struct bytes name,
                       bool dynamic) {
        struct anchor *anchor = anchor_find(compiler, resource, name);
        if (anchor && anchor->node != node)
                return compile_wrong(compiler, node, ERROR_INVALID, "the anchor \"%.*s\" names another place already",
                                     BYTES_PRINT(name));
        if (!anchor) {
                anchor = arena_alloc(&compiler->schema->arena, sizeof *anchor);
                *anchor = (struct anchor){.next = resource->anchors, .resource = resource, .name = name, .node = node};
                resource->anchors = anchor;
                anchor_keep(compiler, anchor);
        }
        if (dynamic)
                anchor_make_dynamic(compiler, anchor);
        return true;
}

static bool index_anchors(struct compiler *compiler, struct resource *resource, const struct json *node) {
        enum schema_draft draft = resource->dialect.draft;
        static const char *const names[] = {"$anchor", "$dynamicAnchor"};
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                const struct json *anchor = json_get_text(node, names[i]);
                bool known = draft == SCHEMA_DRAFT_2020_12 || (draft == SCHEMA_DRAFT_2019_09 && i == 0);
                if (!known || !anchor)
                        continue;
                if (!json_is(anchor, JSON_STRING) || json_count(anchor) == 0)
                        return compile_wrong(compiler, anchor, ERROR_INVALID, "expected a name");
                if (!add_anchor(compiler, resource, node, json_text(anchor), i == 1))
                        return false;
        }
        const struct json *recursive = json_get_text(node, "$recursiveAnchor");
        bool counts = draft == SCHEMA_DRAFT_2019_09 && json_is(recursive, JSON_BOOL) && json_bool(recursive) &&
                      node == resource->node;
        return !counts || add_anchor(compiler, resource, node, (struct bytes){"", 0}, true);
}

static bool is_old(const struct dialect *dialect) {
        return dialect->draft == SCHEMA_DRAFT_4 || dialect->draft == SCHEMA_DRAFT_6 || dialect->draft == SCHEMA_DRAFT_7;
}

// The resource that begins here, if one does, or the one around it.
static bool index_id(struct compiler *compiler, const struct document *document, const struct json *node,
                     struct resource **resource) {
        struct dialect dialect = (*resource)->dialect;
        const struct json *schema = json_get_text(node, "$schema");
        if (schema && node != document->root && json_get_text(node, "$id") && !dialect_find(compiler, schema, &dialect))
                return false;
        const struct json *id = json_get_text(node, dialect.draft == SCHEMA_DRAFT_4 ? "id" : "$id");
        if (!id || (is_old(&dialect) && json_get_text(node, "$ref")))
                return true;
        if (!json_is(id, JSON_STRING))
                return compile_wrong(compiler, id, ERROR_INVALID, "expected a URI");
        CLEANUP(buffer_free) struct buffer uri = {0};
        uri_resolve(&uri, bytes_of((*resource)->uri), json_text(id));
        const char *hash = uri.size ? memchr(uri.data, '#', uri.size) : NULL;
        size_t size = hash ? (size_t)(hash - uri.data) : uri.size;
        struct bytes fragment = {hash ? hash + 1 : NULL, hash ? uri.size - size - 1 : 0};
        if (fragment.size && !is_old(&dialect))
                return compile_wrong(compiler, id, ERROR_INVALID, "a $id may have no fragment");
        struct bytes base = {uri.data, size};
        if (!uri_fits(compiler, id, size))
                return false;
        bool pointer = fragment.size && fragment.data[0] == '/';
        if (!bytes_equal(base, bytes_of((*resource)->uri)) || (node == (*resource)->node && fragment.size == 0)) {
                const char *text = arena_text(&compiler->schema->arena, base);
                if (!add_resource(compiler, document, node, text, &dialect, resource))
                        return false;
        }
        return fragment.size == 0 || pointer ||
               add_anchor(compiler, *resource, node, arena_copy(&compiler->schema->arena, fragment), false);
}

static bool index_schema(struct compiler *compiler, struct document *document, const struct json *node,
                         struct resource *resource);

static bool index_below(struct compiler *compiler, struct document *document, const struct json *value, enum shape shape,
                        struct resource *resource) {
        if (shape == SHAPE_ONE_OR_LIST)
                shape = json_is(value, JSON_ARRAY) ? SHAPE_LIST : SHAPE_ONE;
        if (shape == SHAPE_ONE)
                return index_schema(compiler, document, value, resource);
        if (shape == SHAPE_LIST && json_is(value, JSON_ARRAY)) {
                JSON_FOR_EACH(element, value)
                        if (!index_schema(compiler, document, element, resource))
                                return false;
        } else if (shape == SHAPE_MAP && json_is(value, JSON_OBJECT)) {
                JSON_FOR_EACH_MEMBER(key, member, value)
                        if (!index_schema(compiler, document, member, resource))
                                return false;
        }
        return true;
}

static bool index_schema(struct compiler *compiler, struct document *document, const struct json *node,
                         struct resource *resource) {
        struct resource **place = &document->resources[node - document->root];
        if (*place)
                return true;
        *place = resource;
        if (!json_is(node, JSON_OBJECT))
                return true;
        if (!index_id(compiler, document, node, &resource) || !index_anchors(compiler, resource, node))
                return false;
        *place = resource;
        bool alone = is_old(&resource->dialect) && json_get_text(node, "$ref");
        JSON_FOR_EACH_MEMBER(key, value, node) {
                const struct keyword *keyword = keyword_find(json_text(key), &resource->dialect);
                bool definitions = keyword && keyword->shape == SHAPE_MAP && keyword->vocabulary == VOCABULARY_CORE;
                if (keyword && (!alone || definitions) &&
                    !index_below(compiler, document, value, (enum shape)keyword->shape, resource))
                        return false;
        }
        return true;
}

bool document_add(struct compiler *compiler, const char *uri, struct bytes source, const struct json *root,
                  const struct dialect *dialect, struct document **ret_document) {
        struct schema *schema = compiler->schema;
        struct document *document = arena_alloc(&schema->arena, sizeof *document);
        *document = (struct document){compiler->documents, uri, source, root, must_calloc(root->span, sizeof(struct resource *)),
                                      must_calloc(root->span, sizeof(struct subschema *))};
        compiler->documents = document;
        if (compiler->document_count++ == SCHEMA_DOCUMENTS_MAX)
                return compile_wrong(compiler, root, ERROR_LIMIT, "more than %d documents", SCHEMA_DOCUMENTS_MAX);
        struct dialect own = *dialect;
        struct resource *resource;
        const struct json *named = json_get_text(root, "$schema");
        if (named && !dialect_find(compiler, named, &own))
                return false;
        if (!add_resource(compiler, document, root, uri, &own, &resource) || !index_schema(compiler, document, root, resource))
                return false;
        *ret_document = document;
        return true;
}

// Loads the document of a URI: built in, or from the caller.
static bool load(struct compiler *compiler, const struct resource *from, const struct json *reference, struct bytes uri,
                 struct resource **ret_resource) {
        struct arena *arena = &compiler->schema->arena;
        const struct schema_options *options = compiler->options;
        struct bytes source = meta_bundle(uri);
        const struct json *root = NULL;
        struct error error;
        if (source.data) {
                bool parsed = json_parse(source, NULL, arena, &root, NULL);
                ASSERT(parsed);
                root = json_get(root, uri);
        }
        if (!root && uri.size && options->resolve && options->resolve(options->user, uri, &source, &error)) {
                if (!document_parse_copy(&source, arena, &root, &error))
                        return compile_wrong(compiler, reference, ERROR_INVALID, "the document \"%.*s\": %s", BYTES_PRINT(uri),
                                             error.text);
        } else if (!root && uri.size && options->resolve && error.code != ERROR_NOT_FOUND) {
                return compile_wrong(compiler, reference, error.code, "the document \"%.*s\": %s", BYTES_PRINT(uri), error.text);
        }
        bool asked = uri.size && options->resolve;
        if (!root)
                return compile_wrong(compiler, reference, ERROR_UNSUPPORTED,
                                     "this leads to another document, which is not known: \"%.*s\"%s%s%s", BYTES_PRINT(uri),
                                     asked ? " (" : "", asked ? error.text : "", asked ? ")" : "");
        struct document *document;
        if (!document_add(compiler, arena_text(arena, uri), source, root, &from->dialect, &document))
                return false;
        *ret_resource = resource_find(compiler, uri);
        ASSERT(*ret_resource);
        return true;
}

// The place that a JSON pointer names below the resource. One that the index did not know is what the place around it is.
static bool follow_pointer(struct compiler *compiler, struct resource *resource, struct bytes text, const struct json **ret_node) {
        CLEANUP(arena_free) struct arena arena = {0};
        struct json_pointer pointer;
        const struct json *node = resource->node;
        struct document *document = document_of(compiler, node);
        *ret_node = NULL;
        if (!json_pointer_parse(text, &arena, &pointer, NULL))
                return true;
        for (size_t i = 0; i < pointer.count && node; i++) {
                node = compile_step(compiler, node, pointer.tokens[i]);
                if (node && document->resources[node - document->root])
                        resource = document->resources[node - document->root];
        }
        if (node && !index_schema(compiler, document, node, resource))
                return false;
        *ret_node = node;
        return true;
}

bool reference_find(struct compiler *compiler, const struct resource *from, const struct json *reference,
                    const struct json **ret_node, struct anchor **ret_anchor) {
        CLEANUP(buffer_free) struct buffer uri = {0};
        CLEANUP(buffer_free) struct buffer fragment = {0};
        uri_resolve(&uri, bytes_of(from->uri), json_text(reference));
        buffer_reserve(&uri, 1);
        const char *hash = uri.size ? memchr(uri.data, '#', uri.size) : NULL;
        struct bytes document = {uri.data, hash ? (size_t)(hash - uri.data) : uri.size};
        if (hash && !uri_decode((struct bytes){hash + 1, uri.size - document.size - 1}, &fragment))
                return compile_wrong(compiler, reference, ERROR_INVALID, "a broken percent escape");
        if (!uri_fits(compiler, reference, document.size))
                return false;
        struct resource *resource = resource_find(compiler, document);
        if (!resource && !load(compiler, from, reference, document, &resource))
                return false;
        const struct json *node = resource->node;
        struct anchor *anchor = NULL;
        if (fragment.size && fragment.data[0] == '/') {
                if (!follow_pointer(compiler, resource, buffer_bytes(&fragment), &node))
                        return false;
        } else if (fragment.size) {
                anchor = anchor_find(compiler, resource, buffer_bytes(&fragment));
                node = anchor ? anchor->node : NULL;
        }
        if (!node)
                return compile_wrong(compiler, reference, ERROR_INVALID, "this reference leads nowhere");
        *ret_node = node;
        *ret_anchor = anchor;
        return true;
}

// SPDX-License-Identifier: Apache-2.0
// libcommute-schema: the schema engine behind the names and types of include/commute-schema.h, and nothing else of commute. Built
// with hidden visibility: only what that header declares can be linked to.
#include <commute-schema.h>

#include <stdlib.h>

#include "json/json.h"
#include "schema/schema.h"

struct commute_schema {
        struct schema *schema;
};

struct commute_schema_workspace {
        struct arena arena;
        struct buffer output;
};

enum { WORKSPACE_KEPT = 1 << 20 };              // bytes, from one instance to the next

static bool fail(struct commute_schema_error *to, const struct error *from) {
        static const enum commute_schema_code codes[] = {
                [ERROR_INVALID] = COMMUTE_SCHEMA_ERROR_INVALID, [ERROR_UNSUPPORTED] = COMMUTE_SCHEMA_ERROR_UNSUPPORTED,
                [ERROR_LIMIT] = COMMUTE_SCHEMA_ERROR_LIMIT,
        };
        static_assert(sizeof to->text == sizeof from->text, "a sentence fits");
        if (!to)
                return false;
        to->code = (size_t)from->code < ARRAY_SIZE(codes) ? codes[from->code] : COMMUTE_SCHEMA_OK;
        if (to->code == COMMUTE_SCHEMA_OK)
                to->code = COMMUTE_SCHEMA_ERROR_OTHER;
        memcpy(to->text, from->text, sizeof to->text);
        return false;
}

static bool resolve(void *user, struct bytes uri, struct bytes *ret_source, struct error *error) {
        const struct commute_schema_options *options = user;
        char *text = bytes_to_text(uri);
        bool found = options->resolve(options->user, text, &ret_source->data, &ret_source->size);
        free(text);
        return found || error_set(error, ERROR_NOT_FOUND, "the resolver does not know it");
}

bool commute_schema_compile(const char *text, size_t size, const struct commute_schema_options *options,
                            struct commute_schema **ret_schema, struct commute_schema_error *error) {
        static const enum schema_draft drafts[] = {
                [COMMUTE_SCHEMA_DRAFT_2020_12] = SCHEMA_DRAFT_2020_12, [COMMUTE_SCHEMA_DRAFT_2019_09] = SCHEMA_DRAFT_2019_09,
                [COMMUTE_SCHEMA_DRAFT_7] = SCHEMA_DRAFT_7, [COMMUTE_SCHEMA_DRAFT_6] = SCHEMA_DRAFT_6,
                [COMMUTE_SCHEMA_DRAFT_4] = SCHEMA_DRAFT_4,
        };
        struct commute_schema_options given = COMMUTE_SCHEMA_OPTIONS;
        struct schema *schema = NULL;
        struct error inner;
        if (options && options->size < sizeof given) {          // the first form that there was
                IGNORE(error_set(&inner, ERROR_INVALID, "the options' size is %zu, at least %zu: begin with COMMUTE_SCHEMA_OPTIONS",
                                 options->size, sizeof given));                                 // always false
                return fail(error, &inner);
        }
        if (options)
                memcpy(&given, options, sizeof given);
        if ((size_t)given.draft >= ARRAY_SIZE(drafts)) {
                IGNORE(error_set(&inner, ERROR_UNSUPPORTED, "the options name no draft"));      // always false
                return fail(error, &inner);
        }
        struct schema_options chosen = {
                .draft = drafts[given.draft], .assert_format = given.assert_format, .assert_content = given.assert_content,
                .resolve = given.resolve ? resolve : NULL, .user = &given,
        };
        if (!schema_compile((struct bytes){text, size}, &chosen, &schema, &inner))
                return fail(error, &inner);
        struct commute_schema *result = must_malloc(sizeof *result);
        *result = (struct commute_schema){schema};
        *ret_schema = result;
        return true;
}

void commute_schema_free(struct commute_schema *schema) {
        if (!schema)
                return;
        schema_free(schema->schema);
        free(schema);
}

struct commute_schema_workspace *commute_schema_workspace_new(void) {
        return must_calloc(1, sizeof(struct commute_schema_workspace));
}

void commute_schema_workspace_free(struct commute_schema_workspace *workspace) {
        if (!workspace)
                return;
        arena_free(&workspace->arena);
        buffer_free(&workspace->output);
        free(workspace);
}

static bool decide(enum schema_verdict verdict, enum commute_schema_verdict *ret_verdict, struct commute_schema_error *error) {
        struct error inner;
        if (verdict == SCHEMA_UNDECIDED) {
                IGNORE(error_set(&inner, ERROR_LIMIT, "undecided: a limit of the validation was reached"));     // always false
                return fail(error, &inner);
        }
        *ret_verdict = verdict == SCHEMA_VALID ? COMMUTE_SCHEMA_VALID : COMMUTE_SCHEMA_INVALID;
        return true;
}

bool commute_schema_validate(const struct commute_schema *schema, struct commute_schema_workspace *workspace, const char *text,
                             size_t size, enum commute_schema_verdict *ret_verdict, struct commute_schema_error *error) {
        enum schema_verdict verdict;
        struct error inner;
        arena_reset_keeping(&workspace->arena, WORKSPACE_KEPT);
        if (!schema_verdict_bytes(schema->schema, (struct bytes){text, size}, NULL, &workspace->arena, &verdict, &inner))
                return fail(error, &inner);
        return decide(verdict, ret_verdict, error);
}

static bool parse(struct commute_schema_workspace *workspace, struct bytes source, const struct json **ret_root,
                  struct commute_schema_error *error) {
        struct error inner;
        arena_reset_keeping(&workspace->arena, WORKSPACE_KEPT);
        buffer_clear(&workspace->output);
        return json_parse(source, NULL, &workspace->arena, ret_root, &inner) || fail(error, &inner);
}

static void hand_over(struct commute_schema_workspace *workspace, const char **ret_text, size_t *ret_size) {
        *ret_size = workspace->output.size;
        buffer_append_byte(&workspace->output, '\0');
        *ret_text = workspace->output.data;
}

bool commute_schema_explain(const struct commute_schema *schema, struct commute_schema_workspace *workspace, const char *text,
                            size_t size, enum commute_schema_form form, unsigned flags, enum commute_schema_verdict *ret_verdict,
                            const char **ret_output, size_t *ret_output_size, struct commute_schema_error *error) {
        static const enum schema_output_format forms[] = {
                [COMMUTE_SCHEMA_FLAG] = SCHEMA_OUTPUT_FLAG, [COMMUTE_SCHEMA_BASIC] = SCHEMA_OUTPUT_BASIC,
                [COMMUTE_SCHEMA_DETAILED] = SCHEMA_OUTPUT_DETAILED,
        };
        struct bytes source = {text, size};
        const struct json *instance;
        struct error inner;
        if ((size_t)form >= ARRAY_SIZE(forms)) {
                IGNORE(error_set(&inner, ERROR_UNSUPPORTED, "there is no such form of output"));        // always false
                return fail(error, &inner);
        }
        struct schema_output_options options = {
                .format = forms[form], .annotations = flags & COMMUTE_SCHEMA_ANNOTATIONS, .values = flags & COMMUTE_SCHEMA_VALUES,
        };
        if (!parse(workspace, source, &instance, error))
                return false;
        enum schema_verdict verdict = schema_output(schema->schema, source, instance, &options, &workspace->arena, &workspace->output);
        if (!decide(verdict, ret_verdict, error))
                return false;
        hand_over(workspace, ret_output, ret_output_size);
        return true;
}

bool commute_schema_fill_defaults(const struct commute_schema *schema, struct commute_schema_workspace *workspace, const char *text,
                                  size_t size, const char **ret_text, size_t *ret_size, struct commute_schema_error *error) {
        struct bytes source = {text, size};
        const struct json *instance;
        struct error inner;
        bool filled;
        if (!parse(workspace, source, &instance, error))
                return false;
        if (!schema_fill_defaults(schema->schema, instance, &workspace->output, &filled, &inner))
                return fail(error, &inner);
        if (!filled)
                buffer_append(&workspace->output, source);
        hand_over(workspace, ret_text, ret_size);
        return true;
}

const char *commute_schema_version(void) {
        return COMMUTE_VERSION;
}

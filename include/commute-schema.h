/* SPDX-License-Identifier: Apache-2.0
 * JSON Schema validation, drafts 4, 6, 7, 2019-09 and 2020-12, for C and C++. See commute-schema(3).
 *
 * A compiled schema is immutable: compile once, validate from any number of threads at once, each with a workspace of its own and
 * 1 MiB of stack.
 * Nothing here reads files, opens connections or starts threads. Functions that fail return false and fill the error, if one is
 * given; what they would have returned is untouched then. When memory runs out, the process ends with a message.
 *
 *      struct commute_schema *schema;
 *      struct commute_schema_error error;
 *      if (!commute_schema_compile(text, strlen(text), NULL, &schema, &error))
 *              puts(error.text);
 *      struct commute_schema_workspace *workspace = commute_schema_workspace_new();
 *      enum commute_schema_verdict verdict;
 *      if (commute_schema_validate(schema, workspace, json, json_size, &verdict, &error) && verdict == COMMUTE_SCHEMA_VALID)
 *              puts("valid");
 */
#ifndef COMMUTE_SCHEMA_H
#define COMMUTE_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define COMMUTE_SCHEMA_API __attribute__((visibility("default")))
#else
#define COMMUTE_SCHEMA_API
#endif

struct commute_schema;
struct commute_schema_workspace;

enum commute_schema_code {
        COMMUTE_SCHEMA_OK = 0,
        COMMUTE_SCHEMA_ERROR_INVALID = 1,       /* not JSON, or a keyword's value is wrong */
        COMMUTE_SCHEMA_ERROR_UNSUPPORTED = 2,   /* an unknown dialect, a document that nobody gave */
        COMMUTE_SCHEMA_ERROR_LIMIT = 3,         /* too large, too deep, too much work */
        COMMUTE_SCHEMA_ERROR_OTHER = 4
};

struct commute_schema_error {
        enum commute_schema_code code;
        char text[1000];                        /* a sentence with the place, ended by NUL */
};

enum commute_schema_draft {
        COMMUTE_SCHEMA_DRAFT_2020_12 = 0,
        COMMUTE_SCHEMA_DRAFT_2019_09 = 1,
        COMMUTE_SCHEMA_DRAFT_7 = 2,
        COMMUTE_SCHEMA_DRAFT_6 = 3,
        COMMUTE_SCHEMA_DRAFT_4 = 4
};

/* Gives the document of an absolute URI (without a fragment, ended by NUL). The bytes must live until commute_schema_compile has
 * returned. False: there is none, and the schema that needs it is refused. */
typedef bool commute_schema_resolver(void *user, const char *uri, const char **ret_text, size_t *ret_size);

/* Begin with `struct commute_schema_options options = COMMUTE_SCHEMA_OPTIONS;`: what later versions add is absent then. */
struct commute_schema_options {
        size_t size;                            /* sizeof this struct */
        enum commute_schema_draft draft;        /* where the schema has no $schema */
        bool assert_format;                     /* `format` asserts in every draft */
        bool assert_content;                    /* contentEncoding and contentMediaType assert, as draft 7 allows */
        commute_schema_resolver *resolve;       /* NULL: no other documents */
        void *user;
};
#define COMMUTE_SCHEMA_OPTIONS { sizeof(struct commute_schema_options), COMMUTE_SCHEMA_DRAFT_2020_12, false, false, 0, 0 }

/* options and error may be NULL. The text need not live on. */
COMMUTE_SCHEMA_API bool commute_schema_compile(const char *text, size_t size, const struct commute_schema_options *options,
                                               struct commute_schema **ret_schema, struct commute_schema_error *error);
COMMUTE_SCHEMA_API void commute_schema_free(struct commute_schema *schema);     /* NULL is allowed */

/* What one thread needs to validate; it grows to the largest instance and keeps its memory. */
COMMUTE_SCHEMA_API struct commute_schema_workspace *commute_schema_workspace_new(void);
COMMUTE_SCHEMA_API void commute_schema_workspace_free(struct commute_schema_workspace *workspace);

enum commute_schema_verdict { COMMUTE_SCHEMA_VALID = 0, COMMUTE_SCHEMA_INVALID = 1 };

/* True: there is a verdict. False: the instance is not JSON, or a limit was reached, which is no verdict. */
COMMUTE_SCHEMA_API bool commute_schema_validate(const struct commute_schema *schema, struct commute_schema_workspace *workspace,
                                                const char *text, size_t size, enum commute_schema_verdict *ret_verdict,
                                                struct commute_schema_error *error);

enum commute_schema_form { COMMUTE_SCHEMA_FLAG = 0, COMMUTE_SCHEMA_BASIC = 1, COMMUTE_SCHEMA_DETAILED = 2 };
enum {
        COMMUTE_SCHEMA_ANNOTATIONS = 1,         /* of a valid instance, too */
        COMMUTE_SCHEMA_VALUES = 2               /* sentences show values of the instance, except those tagged as personal */
};

/* The same with an output of the specification (2020-12 Core, 12.4) as JSON, ended by NUL; each error also has byte, line and column.
 * It is the workspace's, until the workspace is used again. */
COMMUTE_SCHEMA_API bool commute_schema_explain(const struct commute_schema *schema, struct commute_schema_workspace *workspace,
                                               const char *text, size_t size, enum commute_schema_form form, unsigned flags,
                                               enum commute_schema_verdict *ret_verdict, const char **ret_output,
                                               size_t *ret_output_size, struct commute_schema_error *error);

/* The instance with the schema's `default`s filled in, ended by NUL, the workspace's as above. The same text if nothing is missing. */
COMMUTE_SCHEMA_API bool commute_schema_fill_defaults(const struct commute_schema *schema, struct commute_schema_workspace *workspace,
                                                     const char *text, size_t size, const char **ret_text, size_t *ret_size,
                                                     struct commute_schema_error *error);

COMMUTE_SCHEMA_API const char *commute_schema_version(void);                    /* "0.1.0" */

#ifdef __cplusplus
}
#endif

#endif

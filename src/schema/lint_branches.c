// SPDX-License-Identifier: Apache-2.0
// Rules about branches: those that nothing can take, and those that decide nothing.
#include "schema/lint_priv.h"

static void check_list(struct lint *lint, const struct json *list, bool any) {
        size_t always = 0, possible = 0;
        JSON_FOR_EACH(branch, list) {
                always += lint_is_true(branch);
                possible += !lint_is_false(branch);
                if (lint_is_false(branch))
                        lint_find(lint, "unreachable", branch, "nothing can take the branch false");
        }
        lint_duplicates(lint, list, any ? "this branch is there twice" :
                                          "this branch is there twice: what matches it matches two, which oneOf refuses");
        if (!possible)
                lint_find(lint, "never-matches", list, "no branch can match");
        else if (any && always && json_count(list) > 1 && !lint->collects)
                lint_find(lint, "unreachable", list, "one branch takes everything: the others decide nothing");
        else if (!any && always > 1)
                lint_find(lint, "never-matches", list, "two branches take everything, and oneOf wants exactly one");
}

// {"not": {}} is how draft 4 writes false.
static bool is_plain_not(const struct json *schema) {
        JSON_FOR_EACH_MEMBER(key, value, schema) {
                struct bytes name = json_text(key);
                if (!bytes_equal(name, BYTES("not")) && !bytes_equal(name, BYTES("$comment")) && !bytes_equal(name, BYTES("title")) &&
                    !bytes_equal(name, BYTES("description")))
                        return false;
        }
        return true;
}

void lint_branches(struct lint *lint, const struct json *schema) {
        const struct json *any = lint_get(lint, schema, "anyOf"), *one = lint_get(lint, schema, "oneOf");
        const struct json *all = lint_get(lint, schema, "allOf"), *not = lint_get(lint, schema, "not");
        if (json_is(any, JSON_ARRAY))
                check_list(lint, any, true);
        if (json_is(one, JSON_ARRAY))
                check_list(lint, one, false);
        if (json_is(all, JSON_ARRAY)) {
                JSON_FOR_EACH(branch, all)
                        if (lint_is_false(branch))
                                lint_find(lint, "never-matches", branch, "allOf with false matches nothing");
        }
        if (not && lint_is_true(not) && !is_plain_not(schema))
                lint_find(lint, "never-matches", not, "not of what matches everything matches nothing");
}

void lint_conditions(struct lint *lint, const struct json *schema) {
        const struct json *condition = lint_get(lint, schema, "if"), *then = lint_get(lint, schema, "then");
        const struct json *otherwise = lint_get(lint, schema, "else");
        if (!condition && then)
                lint_find(lint, "without-effect", then, "then without if says nothing");
        if (!condition && otherwise)
                lint_find(lint, "without-effect", otherwise, "else without if says nothing");
        if (condition && !then && !otherwise && !lint->collects)
                lint_find(lint, "without-effect", condition, "if without then and else says nothing");
        if (condition && then && lint_is_false(condition))
                lint_find(lint, "unreachable", then, "the condition is false: nothing comes here");
        if (condition && otherwise && lint_is_true(condition))
                lint_find(lint, "unreachable", otherwise, "the condition matches everything: nothing comes here");
}

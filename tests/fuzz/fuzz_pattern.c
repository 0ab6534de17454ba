// SPDX-License-Identifier: Apache-2.0
// The input is a pattern, a NUL, and a text. Whatever way a pattern is searched, the verdict is one: an empty lookahead behind it
// forces the simulation, an empty group that is referred to forces backtracking.
#include "json/utf8.h"
#include "schema/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum pattern_verdict verdict(struct bytes source, const char *behind, struct bytes text, struct arena *arena) {
        CLEANUP(buffer_free) struct buffer whole = {0};
        struct pattern *pattern = NULL;
        struct error error;
        buffer_print(&whole, "(?:");
        buffer_append(&whole, source);
        buffer_print(&whole, ")%s", behind);
        if (!pattern_compile(buffer_bytes(&whole), &pattern, &error)) {
                ASSERT(error.code == ERROR_LIMIT);      // it was a pattern without what is around it
                return PATTERN_UNDECIDED;
        }
        enum pattern_verdict result = pattern_search(pattern, text, arena);
        pattern_free(pattern);
        return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP(arena_free) struct arena arena = {0};
        const uint8_t *end = size ? memchr(data, '\0', size) : NULL;
        struct bytes source = {(const char *)data, end ? (size_t)(end - data) : size};
        struct bytes text = {end ? (const char *)end + 1 : "", end ? size - source.size - 1 : 0};
        struct pattern *pattern = NULL;
        struct error error;
        if (!utf8_valid(text))
                return 0;
        if (!pattern_compile(source, &pattern, &error)) {
                ASSERT(error.code == ERROR_INVALID || error.code == ERROR_UNSUPPORTED || error.code == ERROR_LIMIT);
                ASSERT(error.code != ERROR_INVALID || pattern_check(source, &arena) == PATTERN_NO_MATCH);
                return 0;
        }
        ASSERT(pattern_check(source, &arena) == PATTERN_MATCH && pattern_memory(pattern) > 0);
        enum pattern_verdict found = pattern_search(pattern, text, &arena);
        pattern_free(pattern);
        enum pattern_verdict simulated = verdict(source, "(?=)", text, &arena);
        enum pattern_verdict tried = verdict(source, "(?<zz9>)\\k<zz9>", text, &arena);
        ASSERT(found != PATTERN_MATCH || !pattern_matches_nothing(source, &arena));
        ASSERT(found == simulated || found == PATTERN_UNDECIDED || simulated == PATTERN_UNDECIDED);
        ASSERT(found == tried || found == PATTERN_UNDECIDED || tried == PATTERN_UNDECIDED);
        return 0;
}

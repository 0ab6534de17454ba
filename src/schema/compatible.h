// SPDX-License-Identifier: Apache-2.0
// Whether everything that is valid under one schema (the writer's) is valid under another (the reader's): what "the new version can
// read what the old one wrote" means for JSON Schema.
//
// The answer is a proof or none. COMPATIBLE is only said when every instance of the writer's is proven to be one of the reader's, for
// all keywords of all drafts; what has no proof is a difference, by the name that Confluent's registry has for it where it has one,
// with its place. A difference is `uncertain` where only the proof is missing (two patterns, overlapping branches, dynamic references,
// unevaluated… across branches, a limit): it counts as incompatible, and says that it could not be decided.
//
// Pure; any thread. Time and memory (128 MiB, gone at the end; the differences are the arena's) are bounded by COMPATIBLE_STEPS_MAX.
#pragma once

#include "schema/schema.h"

enum {
        COMPATIBLE_STEPS_MAX = 2000000,         // of one comparison; beyond, what is left is uncertain
        COMPATIBLE_DEPTH_MAX = 300,             // goals within each other
        COMPATIBLE_DIFFERENCES_MAX = 100,       // told
};

// name, sentence: {R} is the reader's name, {W} the writer's
#define SCHEMA_DIFFERENCES(X)                                                                                                        \
        X(TYPE_NARROWED, "{R} schema allows fewer types here than {W} schema")                                                       \
        X(TYPE_CHANGED, "{R} schema allows none of what {W} schema allows here")                                                     \
        X(SUM_TYPE_NARROWED, "{R} schema has no alternative here for something that {W} schema allows")                              \
        X(COMBINED_TYPE_SUBSCHEMAS_CHANGED, "alternatives of {R} schema overlap here, so that more than one may match")              \
        X(NOT_TYPE_EXTENDED, "{R} schema excludes something here that {W} schema may allow")                                         \
        X(ENUM_ARRAY_NARROWED, "{R} schema lacks values here that {W} schema allows")                                                \
        X(SCHEMA_ADDED, "{R} schema describes here what {W} schema leaves open")                                                     \
        X(MINIMUM_ADDED, "{R} schema has a minimum here that {W} schema has not")                                                    \
        X(MINIMUM_INCREASED, "the minimum of {R} schema is above that of {W} schema")                                                \
        X(MAXIMUM_ADDED, "{R} schema has a maximum here that {W} schema has not")                                                    \
        X(MAXIMUM_DECREASED, "the maximum of {R} schema is below that of {W} schema")                                                \
        X(EXCLUSIVE_MINIMUM_ADDED, "{R} schema has an exclusive minimum here that {W} schema has not")                               \
        X(EXCLUSIVE_MINIMUM_INCREASED, "the exclusive minimum of {R} schema is above that of {W} schema")                            \
        X(EXCLUSIVE_MAXIMUM_ADDED, "{R} schema has an exclusive maximum here that {W} schema has not")                               \
        X(EXCLUSIVE_MAXIMUM_DECREASED, "the exclusive maximum of {R} schema is below that of {W} schema")                            \
        X(MULTIPLE_OF_ADDED, "{R} schema asks for multiples here, {W} schema does not")                                              \
        X(MULTIPLE_OF_CHANGED, "multiples that {W} schema allows are none in {R} schema")                                            \
        X(MIN_LENGTH_ADDED, "{R} schema has a least length here that {W} schema has not")                                            \
        X(MIN_LENGTH_INCREASED, "the least length of {R} schema is above that of {W} schema")                                        \
        X(MAX_LENGTH_ADDED, "{R} schema has a greatest length here that {W} schema has not")                                         \
        X(MAX_LENGTH_DECREASED, "the greatest length of {R} schema is below that of {W} schema")                                     \
        X(PATTERN_ADDED, "{R} schema has a pattern here that {W} schema has not")                                                    \
        X(PATTERN_CHANGED, "the pattern of {R} schema is another one than that of {W} schema")                                       \
        X(FORMAT_ADDED, "{R} schema asserts a format here that {W} schema does not")                                                 \
        X(FORMAT_CHANGED, "{R} schema asserts another format here than {W} schema")                                                  \
        X(CONTENT_ADDED, "{R} schema asserts the content of the text here, {W} schema does not")                                     \
        X(REQUIRED_ATTRIBUTE_ADDED, "{R} schema requires {M}, which {W} schema does not")                                            \
        X(REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED, "{R} schema requires {M}, which {W} schema does not; it has a default")             \
        X(REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL, "{R} schema requires {M}, which {W} schema does not describe")            \
        X(REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_UNOPEN_CONTENT_MODEL,                                                              \
          "{R} schema requires {M}, which {W} schema does not describe; it has a default")                                           \
        X(PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL,                                                                                      \
          "{R} schema describes this member, and {W} schema is open: it allows any value there")                                     \
        X(PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL,                                                                \
          "{R} schema describes this member, and {W} schema allows other values there")                                              \
        X(PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL, "{W} schema has this member, and {R} schema, which is closed, does not")       \
        X(PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL,                                                              \
          "{W} schema has this member, and {R} schema allows only other values in members that it does not name")                    \
        X(ADDITIONAL_PROPERTIES_REMOVED, "{R} schema is closed, {W} schema allows members that it does not name")                    \
        X(ADDITIONAL_PROPERTIES_NARROWED, "{R} schema allows fewer values in members that it does not name than {W} schema")         \
        X(PROPERTY_NAMES_NARROWED, "{R} schema allows fewer names of members than {W} schema")                                       \
        X(UNEVALUATED_PROPERTIES_NARROWED, "{R} schema allows fewer members that its branches do not describe")                      \
        X(MIN_PROPERTIES_ADDED, "{R} schema asks for a least number of members, {W} schema does not")                                \
        X(MIN_PROPERTIES_INCREASED, "{R} schema asks for more members than {W} schema")                                              \
        X(MAX_PROPERTIES_ADDED, "{R} schema limits the number of members, {W} schema does not")                                      \
        X(MAX_PROPERTIES_DECREASED, "{R} schema allows fewer members than {W} schema")                                               \
        X(DEPENDENCY_ARRAY_ADDED, "{R} schema asks for other members beside this one, {W} schema does not")                          \
        X(DEPENDENCY_ARRAY_EXTENDED, "{R} schema asks for more members beside this one than {W} schema")                             \
        X(DEPENDENCY_SCHEMA_ADDED, "{R} schema says how an object with this member looks, {W} schema does not")                      \
        X(MIN_ITEMS_ADDED, "{R} schema asks for a least number of elements, {W} schema does not")                                    \
        X(MIN_ITEMS_INCREASED, "{R} schema asks for more elements than {W} schema")                                                  \
        X(MAX_ITEMS_ADDED, "{R} schema limits the number of elements, {W} schema does not")                                          \
        X(MAX_ITEMS_DECREASED, "{R} schema allows fewer elements than {W} schema")                                                   \
        X(UNIQUE_ITEMS_ADDED, "{R} schema asks for elements that differ, {W} schema does not")                                       \
        X(ITEM_ADDED_TO_OPEN_CONTENT_MODEL, "{R} schema describes this element, and {W} schema is open: it allows any value there")  \
        X(ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL,                                                                    \
          "{R} schema describes this element, and {W} schema allows other values there")                                             \
        X(ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL, "{W} schema has this element, and {R} schema, which is closed, does not")          \
        X(ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL,                                                                  \
          "{W} schema has this element, and {R} schema allows only other values there")                                              \
        X(ADDITIONAL_ITEMS_REMOVED, "{R} schema allows no further elements, {W} schema does")                                        \
        X(ADDITIONAL_ITEMS_NARROWED, "{R} schema allows fewer values in further elements than {W} schema")                           \
        X(CONTAINS_ADDED, "{R} schema asks for certain elements that {W} schema does not ask for")                                   \
        X(MIN_CONTAINS_INCREASED, "{R} schema asks for more of certain elements than {W} schema")                                    \
        X(MAX_CONTAINS_ADDED, "{R} schema limits the number of certain elements, {W} schema does not")                               \
        X(MAX_CONTAINS_DECREASED, "{R} schema allows fewer of certain elements than {W} schema")                                     \
        X(UNEVALUATED_ITEMS_NARROWED, "{R} schema allows fewer elements that its branches do not describe")                          \
        X(DYNAMIC_REFERENCE, "where this reference of {R} schema leads depends on the instance")                                     \
        X(LIMIT_REACHED, "the comparison of {R} schema with {W} schema takes more steps than are allowed")

enum schema_difference_kind {
#define X(name, sentence) SCHEMA_DIFFERENCE_##name,
        SCHEMA_DIFFERENCES(X)
#undef X
};
const char *schema_difference_name(enum schema_difference_kind kind);           // "TYPE_NARROWED"

struct schema_difference {
        enum schema_difference_kind kind;
        bool uncertain;                         // no proof, and no proof of the contrary
        bool tolerated;                         // only where defaults count: see below
        bool in_writer;                         // the place is in the writer's document, else in the reader's
        const char *place;                      // "#/properties/a/maximum", with a URI before it in another document
        const char *sentence;
};

enum schema_compatibility {
        SCHEMA_COMPATIBLE,
        SCHEMA_TOLERABLE,                       // but for members that the reader requires, which have a valid default each
        SCHEMA_INCOMPATIBLE,
        SCHEMA_UNCERTAIN,                       // every difference that is not tolerated is uncertain
};
struct schema_compatible_options {
        bool defaults;                          // a required member with a default may be missing, as Confluent's registry has it
        const char *writer_name, *reader_name;  // in sentences; "the writer's", "the reader's" without
        uint64_t *budget;                       // steps that are left, in and out: of several comparisons together; NULL: no other limit
};

// options may be NULL. Differences and their texts are in the arena, in the order of the reader's schema; at most
// COMPATIBLE_DIFFERENCES_MAX. None when compatible.
MUST_USE enum schema_compatibility schema_compatible(const struct schema *writer, const struct schema *reader,
                                                     const struct schema_compatible_options *options, struct arena *arena,
                                                     struct schema_difference **ret_differences, size_t *ret_count);

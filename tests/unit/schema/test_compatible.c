// SPDX-License-Identifier: Apache-2.0
// What a reader accepts of a writer's, as a table: one pair a row. The random pairs are in test_compatible_random.c.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <cmocka.h>

#include "schema/compatible.h"

// expected: "" compatible, else the differences in order, "NAME place; …"; ~ before what is uncertain, + before what is tolerated.
struct row { const char *writer, *reader, *expected; };

// Text with ' for ".
static struct schema *compile(const char *text) {
        struct schema *schema = NULL;
        struct error error;
        char *quoted = strdup(text);
        assert_non_null(quoted);
        for (char *at = quoted; *at; at++)
                *at = *at == '\'' ? '"' : *at;
        if (!schema_compile(bytes_of(quoted), NULL, &schema, &error))
                fail_msg("%s: %s", text, error.text);
        free(quoted);
        return schema;
}

static enum schema_compatibility compare(const char *writer_text, const char *reader_text, bool defaults, struct buffer *told) {
        struct schema *writer = compile(writer_text), *reader = compile(reader_text);
        const struct schema_compatible_options options = {.defaults = defaults};
        CLEANUP(arena_free) struct arena arena = {0};
        struct schema_difference *differences;
        size_t count;
        enum schema_compatibility answer = schema_compatible(writer, reader, &options, &arena, &differences, &count);
        for (size_t i = 0; i < count; i++) {
                assert_true(strlen(differences[i].sentence) > 10 && !strchr(differences[i].sentence, '{'));
                buffer_print(told, "%s%s%s %s", i ? "; " : "", differences[i].uncertain ? "~" : differences[i].tolerated ? "+" : "",
                             schema_difference_name(differences[i].kind), differences[i].place);
        }
        schema_free(writer);
        schema_free(reader);
        return answer;
}

static enum schema_compatibility expected_answer(const char *expected) {
        bool certain = false, tolerated = false, uncertain = false;
        if (!*expected)
                return SCHEMA_COMPATIBLE;
        for (const char *at = expected; at; at = strstr(at, "; ") ? strstr(at, "; ") + 2 : NULL) {
                certain |= *at != '~' && *at != '+';
                tolerated |= *at == '+';
                uncertain |= *at == '~';
        }
        return certain ? SCHEMA_INCOMPATIBLE : tolerated && !uncertain ? SCHEMA_TOLERABLE : SCHEMA_UNCERTAIN;
}

static void check(const struct row *rows, size_t count, bool defaults) {
        for (size_t i = 0; i < count; i++) {
                CLEANUP(buffer_free) struct buffer told = {0};
                enum schema_compatibility answer = compare(rows[i].writer, rows[i].reader, defaults, &told);
                buffer_append_byte(&told, 0);
                if (strcmp(told.data, rows[i].expected) != 0 || answer != expected_answer(rows[i].expected))
                        fail_msg("%s\n=> %s\n\"%s\" (%d), expected \"%s\"", rows[i].writer, rows[i].reader, told.data, (int)answer,
                                 rows[i].expected);
        }
}

#define D4 "'$schema':'http://json-schema.org/draft-04/schema#',"
#define D7 "'$schema':'http://json-schema.org/draft-07/schema#',"

static void types_and_values(void **state) {
        static const struct row rows[] = {
                {"{'type':'integer'}", "{'type':'number'}", ""},
                {"{'type':'number'}", "{'type':'integer'}", "TYPE_NARROWED #/type"},
                {"{'type':'number','multipleOf':2}", "{'type':'integer'}", ""},
                {"{'type':'string'}", "{'type':'number'}", "TYPE_CHANGED #/type"},
                {"{'type':['string','null']}", "{'type':'string'}", "SUM_TYPE_NARROWED #/type"},
                {"{}", "{'type':'string'}", "TYPE_NARROWED #/type"},
                {"{'not':{'type':'null'},'type':['string','null']}", "{'type':'string'}", ""},
                {"{" D4 "'type':'integer'}", "{'type':'integer'}", ""},
                {"{'type':'integer'}", "{" D4 "'type':'integer'}", "TYPE_NARROWED #/type"},     // 1.0
                {"false", "{'type':'string'}", ""},
                {"{}", "false", "TYPE_CHANGED #"},
                {"{'type':'string','minLength':3,'maxLength':2}", "false", ""},                 // nothing is valid
                {"{'enum':[1,2]}", "{'enum':[2,1.0,3]}", ""},
                {"{'enum':[1,2,3]}", "{'enum':[1,2]}", "ENUM_ARRAY_NARROWED #/enum"},
                {"{'const':'a'}", "{'type':'string','maxLength':1}", ""},
                {"{'const':'ab'}", "{'type':'string','maxLength':1}", "MAX_LENGTH_ADDED #/maxLength"},
                {"{'type':'boolean'}", "{'enum':[true,false]}", ""},
                {"{'enum':['a','b',7],'type':'string'}", "{'enum':['a','b']}", ""},
                {"{'type':'string'}", "{'type':'string','enum':['a']}", "ENUM_ARRAY_NARROWED #/enum"},
                {"{'enum':[{'a':1},{'a':2}]}", "{'properties':{'a':{'maximum':2}},'required':['a'],'additionalProperties':false}", ""},
        };
        (void)state;
        check(rows, ARRAY_SIZE(rows), false);
}

static void numbers_and_strings(void **state) {
        static const struct row rows[] = {
                {"{'type':'number','minimum':2,'maximum':3}", "{'minimum':2,'maximum':3.0}", ""},
                {"{'minimum':2}", "{'minimum':3}", "MINIMUM_INCREASED #/minimum"},
                {"{'type':'number'}", "{'minimum':3}", "MINIMUM_ADDED #/minimum"},
                {"{'exclusiveMinimum':3}", "{'minimum':3}", ""},
                {"{'minimum':3}", "{'exclusiveMinimum':3}", "EXCLUSIVE_MINIMUM_ADDED #/exclusiveMinimum"},
                {"{'type':'integer','exclusiveMinimum':3}", "{'minimum':4}", ""},
                {"{'type':'integer','exclusiveMinimum':3}", "{'minimum':5}", "MINIMUM_ADDED #/minimum"},
                {"{'type':'number','exclusiveMinimum':3}", "{'minimum':4}", "MINIMUM_ADDED #/minimum"},
                {"{'maximum':9007199254740993}", "{'maximum':9007199254740992}", "MAXIMUM_DECREASED #/maximum"},
                {"{" D4 "'minimum':3,'exclusiveMinimum':true}", "{'exclusiveMinimum':3}", ""},
                {"{'multipleOf':6}", "{'multipleOf':3}", ""},
                {"{'multipleOf':3}", "{'multipleOf':6}", "MULTIPLE_OF_CHANGED #/multipleOf"},
                {"{'type':'integer'}", "{'multipleOf':0.5}", ""},
                {"{'type':'number'}", "{'multipleOf':0.5}", "MULTIPLE_OF_ADDED #/multipleOf"},
                {"{'type':'string','maxLength':3}", "{'maxLength':4,'pattern':''}", ""},
                {"{'maxLength':4}", "{'maxLength':3}", "MAX_LENGTH_DECREASED #/maxLength"},
                {"{'pattern':'^a'}", "{'pattern':'^a'}", ""}, {"{'pattern':'^a'}", "{}", ""},
                {"{}", "{'pattern':'^a'}", "PATTERN_ADDED #/pattern"},
                {"{'pattern':'^aa'}", "{'pattern':'^a'}", "~PATTERN_CHANGED #/pattern"},        // true, and we do not know it
                {"{'format':'email'}", "{'format':'uri'}", ""},                                 // annotations
                {"{'type':'integer','maximum':0}", "{'type':'integer','minLength':8,'minItems':1}", ""},
        };
        (void)state;
        check(rows, ARRAY_SIZE(rows), false);
}

static void objects(void **state) {
        static const struct row rows[] = {
                {"{'properties':{'a':{'type':'string'}}}", "{'properties':{'a':{'type':'string'}},'required':['a']}",
                 "REQUIRED_ATTRIBUTE_ADDED #/properties/a"},
                {"{'required':['a']}", "{}", ""}, {"{'required':['a','b']}", "{'required':['b']}", ""},
                {"{'type':'object'}", "{'required':['a']}", "REQUIRED_ATTRIBUTE_ADDED #/required/0"},
                {"{'required':['b'],'type':'object'}", "{'required':['a','b','c']}",
                 "REQUIRED_ATTRIBUTE_ADDED #/required/0; REQUIRED_ATTRIBUTE_ADDED #/required/2"},
                {"{'properties':{'a':{}},'additionalProperties':false}", "{'properties':{'a':{},'b':{}},'required':['b']}",
                 "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/b"},
                {"{'properties':{'a':{}},'additionalProperties':false}", "{'properties':{'a':{},'b':{'type':'null'}}}", ""},
                {"{'properties':{'a':{}}}", "{'properties':{'a':{},'b':{'type':'null'}}}",
                 "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/properties/b"},
                {"{'properties':{'a':{}}}", "{'properties':{'a':{},'b':true}}", ""},
                {"{'properties':{'a':{},'b':{}}}", "{'properties':{'a':{}}}", ""},
                {"{'properties':{'a':{},'b':{}},'additionalProperties':false}", "{'properties':{'a':{}},'additionalProperties':false}",
                 "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL #/properties/b"},
                {"{'properties':{'a':{},'b':false},'additionalProperties':false}", "{'properties':{'a':{}},'additionalProperties':false}",
                 ""},
                {"{'properties':{'b':{'type':'integer'}},'additionalProperties':false}", "{'additionalProperties':{'type':'number'}}", ""},
                {"{'properties':{'b':{'type':'string'}},'additionalProperties':false}", "{'additionalProperties':{'type':'number'}}",
                 "TYPE_CHANGED #/additionalProperties/type; PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/b"},
                {"{'additionalProperties':{'type':'integer'}}", "{'properties':{'b':{'type':'number'}}}", ""},
                {"{'additionalProperties':{'type':'string'}}", "{'properties':{'b':{'type':'number'}}}",
                 "TYPE_CHANGED #/properties/b/type; PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/b"},
                {"{}", "{'additionalProperties':false}", "ADDITIONAL_PROPERTIES_REMOVED #/additionalProperties"},
                {"{}", "{'additionalProperties':{'type':'null'}}", "ADDITIONAL_PROPERTIES_NARROWED #/additionalProperties"},
                {"{'patternProperties':{'^x':{'type':'integer'}},'additionalProperties':false}",
                 "{'patternProperties':{'^x':{'type':'number'}},'additionalProperties':{'type':'null'}}", ""},
                {"{'patternProperties':{'^x':{'type':'integer'}},'additionalProperties':false}",
                 "{'additionalProperties':{'type':'number'}}", ""},
                {"{'patternProperties':{'^x':{'type':'integer'}}}", "{'properties':{'x1':{'type':'number'}}}", ""},
                {"{'patternProperties':{'x':{}},'additionalProperties':{'type':'null'}}", "{'patternProperties':{'y':{'type':'null'}}}",
                 "~PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/patternProperties/y"},
                {"{'properties':{'a':{}},'patternProperties':{'x':{}},'additionalProperties':false}", "{'maxProperties':1}",
                 "MAX_PROPERTIES_ADDED #/maxProperties"},
                {"{}", "{'patternProperties':{'^x':{'type':'null'}}}", "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/patternProperties/^x"},
                {"{'propertyNames':{'maxLength':3}}", "{'propertyNames':{'maxLength':4}}", ""},
                {"{'properties':{'a':{},'b':{}},'additionalProperties':false}",
                 "{'propertyNames':{'enum':['a','b','c']},'maxProperties':2}", ""},
                {"{}", "{'propertyNames':{'maxLength':4}}", "PROPERTY_NAMES_NARROWED #/propertyNames"},
        };
        (void)state;
        check(rows, ARRAY_SIZE(rows), false);
}

static void numbers_of_members(void **state) {
        static const struct row rows[] = {
                {"{'required':['a','b']}", "{'minProperties':2}", ""}, {"{'required':['a']}", "{'minProperties':2}",
                                                                        "MIN_PROPERTIES_INCREASED #/minProperties"},
                {"{'maxProperties':2}", "{'maxProperties':1}", "MAX_PROPERTIES_DECREASED #/maxProperties"},
                {"{'required':['b']}", "{'dependentRequired':{'a':['b']}}", ""},
                {"{'dependentRequired':{'a':['b','c']}}", "{'dependentRequired':{'a':['c']}}", ""},
                {"{'dependentRequired':{'a':['b']}}", "{'dependentRequired':{'a':['c']}}",
                 "DEPENDENCY_ARRAY_EXTENDED #/dependentRequired/a"},
                {"{'type':'object'}", "{'dependentRequired':{'a':['b']}}", "DEPENDENCY_ARRAY_ADDED #/dependentRequired/a"},
                {"{'properties':{'b':{}},'additionalProperties':false}", "{'dependentRequired':{'a':['b']}}", ""},      // no a ever
                {"{" D7 "'dependencies':{'a':{'required':['b']}}}",
                 "{'dependentSchemas':{'a':{'minProperties':1,'required':['b']}}}", ""},
                {"{}", "{'dependentSchemas':{'a':{'maxProperties':1}}}",
                 "MAX_PROPERTIES_ADDED #/dependentSchemas/a/maxProperties; DEPENDENCY_SCHEMA_ADDED #/dependentSchemas/a"},
                {"{'properties':{'a':{}},'unevaluatedProperties':false}",
                 "{'properties':{'a':{},'b':{}},'additionalProperties':false}", ""},
                {"{'allOf':[{'properties':{'a':{}}}],'unevaluatedProperties':false}",
                 "{'allOf':[{'properties':{'a':{}}},true],'unevaluatedProperties':false}", ""},
                {"{'$ref':'#/$defs/b','properties':{'a':{}},'unevaluatedProperties':false,'$defs':{'b':{'properties':{'b':{}}}}}",
                 "{'properties':{'a':{},'b':{},'c':{}},'additionalProperties':false}", ""},
                {"{'properties':{'a':{},'b':{}},'additionalProperties':false}",
                 "{'$ref':'#/$defs/b','properties':{'a':{}},'unevaluatedProperties':false,'$defs':{'b':{'properties':{'b':{}}}}}", ""},
                {"{'properties':{'a':{},'c':{}},'additionalProperties':false}",
                 "{'$ref':'#/$defs/b','properties':{'a':{}},'unevaluatedProperties':false,'$defs':{'b':{'properties':{'b':{}}}}}",
                 "~UNEVALUATED_PROPERTIES_NARROWED #/unevaluatedProperties"},
                {"{'anyOf':[{'properties':{'a':{}}},{'properties':{'b':{}}}],'unevaluatedProperties':false}",
                 "{'properties':{'a':{},'b':{}},'additionalProperties':false}", ""},
                {"{'anyOf':[{'properties':{'a':{}}},{'properties':{'b':{}}}],'unevaluatedProperties':false}",
                 "{'properties':{'a':{}},'additionalProperties':false}",
                 "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL #/anyOf/1/properties/b"},
        };
        (void)state;
        check(rows, ARRAY_SIZE(rows), false);
}

static void arrays(void **state) {
        static const struct row rows[] = {
                {"{'items':{'type':'integer'}}", "{'items':{'type':'number'}}", ""},
                {"{'items':{'type':'number'}}", "{'items':{'type':'integer'}}", "TYPE_NARROWED #/items/type"},
                {"{'items':{'type':'integer'}}", "{" D4 "'items':{'type':'integer'}}", "TYPE_NARROWED #/items/type"},   // the same words
                {"{}", "{'items':{'type':'integer'}}", "SCHEMA_ADDED #/items"},
                {"{'maxItems':0}", "{'items':{'type':'integer'},'uniqueItems':true}", ""},
                {"{'minItems':2}", "{'minItems':3}", "MIN_ITEMS_INCREASED #/minItems"},
                {"{'maxItems':2}", "{'maxItems':1}", "MAX_ITEMS_DECREASED #/maxItems"},
                {"{'uniqueItems':true}", "{}", ""}, {"{}", "{'uniqueItems':true}", "UNIQUE_ITEMS_ADDED #/uniqueItems"},
                {"{'prefixItems':[{'type':'string'}],'items':false}", "{'items':{'type':'string'},'maxItems':1}", ""},
                {"{" D7 "'items':[{'type':'string'}],'additionalItems':false}", "{'prefixItems':[{'type':'string'},{'type':'null'}]}", ""},
                {"{'prefixItems':[{}]}", "{'prefixItems':[{},{'type':'null'}]}", "ITEM_ADDED_TO_OPEN_CONTENT_MODEL #/prefixItems/1"},
                {"{'prefixItems':[{},{}],'items':false}", "{'prefixItems':[{}],'items':false}",
                 "ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL #/prefixItems/1"},
                {"{'prefixItems':[{}]}", "{'prefixItems':[{}],'items':false}", "ADDITIONAL_ITEMS_REMOVED #/items"},
                {"{'allOf':[{'prefixItems':[{},{}]}],'unevaluatedItems':false}", "{'maxItems':2}", "MAX_ITEMS_ADDED #/maxItems"},
                {"{'allOf':[{'prefixItems':[{},{}]}],'unevaluatedItems':false}", "{'prefixItems':[true,true],'items':false}", ""},
                {"{'maxItems':2}", "{'allOf':[{'prefixItems':[{},{}]}],'unevaluatedItems':false}", ""},
                {"{'maxItems':3}", "{'allOf':[{'prefixItems':[{},{}]}],'unevaluatedItems':false}",
                 "~UNEVALUATED_ITEMS_NARROWED #/unevaluatedItems"},
                {"{'contains':{'const':1}}", "{'contains':{'type':'integer'}}", ""},
                {"{'items':{'type':'integer'},'minItems':2}", "{'contains':{'type':'number'},'minContains':2}", ""},
                {"{'contains':{'const':1}}", "{'contains':{'const':1},'minContains':2}", "~MIN_CONTAINS_INCREASED #/contains"},
                {"{'prefixItems':[{}],'items':{'type':'integer'},'minItems':1}", "{'contains':{'type':'integer'}}",
                 "~CONTAINS_ADDED #/contains"},
                {"{'contains':{'type':'integer'}}", "{'contains':{'const':1}}", "~MIN_CONTAINS_INCREASED #/contains"},
                {"{'contains':{'type':'number'},'maxContains':1}", "{'contains':{'type':'integer'},'maxContains':2,'minContains':0}", ""},
        };
        (void)state;
        check(rows, ARRAY_SIZE(rows), false);
}

static void branches(void **state) {
        static const struct row rows[] = {
                {"{'type':'string'}", "{'anyOf':[{'type':'number'},{'type':'string'}]}", ""},
                {"{'anyOf':[{'type':'number'},{'type':'string'}]}", "{'oneOf':[{'type':'string'},{'type':'number'}]}", ""},
                {"{'anyOf':[{'type':'number'},{'type':'string'}]}", "{'type':'string'}", "TYPE_CHANGED #/type"},
                {"{'type':['number','string']}", "{'anyOf':[{'type':'string'},{'type':'number','minimum':0}]}",
                 "~SUM_TYPE_NARROWED #/anyOf"},
                {"{'oneOf':[{'type':'integer'},{'minimum':2}]}", "{'oneOf':[{'minimum':2},{'type':'integer'}]}", ""},
                {"{'oneOf':[{'required':['a']},{'required':['b']}]}", "{'anyOf':[{'required':['b']},{'required':['a']}]}", ""},
                {"{'anyOf':[{'required':['a']},{'required':['b']}]}", "{'oneOf':[{'required':['a']},{'required':['b']}]}",
                 "~COMBINED_TYPE_SUBSCHEMAS_CHANGED #/oneOf"},
                {"{'oneOf':[{'properties':{'k':{'const':1}},'required':['k']},{'properties':{'k':{'const':2}},'required':['k']}]}",
                 "{'oneOf':[{'properties':{'k':{'const':2}},'required':['k']},{'properties':{'k':{'const':3}},'required':['k']},"
                 "{'properties':{'k':{'const':1}},'required':['k']}]}", ""},
                {"{'allOf':[{'type':'string'},{'maxLength':3}]}", "{'type':'string','maxLength':3}", ""},
                {"{'type':'integer'}", "{'not':{'type':'string'}}", ""},
                {"{'not':{'type':'number'}}", "{'not':{'type':'integer'}}", ""},
                {"{'not':{'type':'integer'}}", "{'not':{'type':'number'}}", "~NOT_TYPE_EXTENDED #/not"},
                {"{'if':{'required':['a']},'then':{'required':['b']}}", "{'if':{'required':['a']},'then':{'required':['b']}}", ""},
                {"{'if':{'required':['a']},'then':{'required':['b','c']}}", "{'if':{'required':['a']},'then':{'required':['b']}}", ""},
                {"{'required':['b'],'type':'object'}", "{'if':{'required':['a']},'then':{'required':['b']}}", ""},
                {"{'type':'object'}", "{'if':{'required':['a']},'then':{'required':['b']}}", "REQUIRED_ATTRIBUTE_ADDED #/then/required/0"},
        };
        (void)state;
        check(rows, ARRAY_SIZE(rows), false);
}

// Two schemas that lead to each other, w with a v of this type.
#define MUTUAL(type)                                                                                                         \
        "'$defs':{'w':{'type':'object','properties':{'m':{'$ref':'#/$defs/m'},'v':{'type':'" type "'}},"                     \
        "'additionalProperties':false},'m':{'type':'object','properties':{'w':{'$ref':'#/$defs/w'}},'additionalProperties':false}}"

static void references(void **state) {
        static const struct row rows[] = {
                {"{'$ref':'#/$defs/a','$defs':{'a':{'type':'integer'}}}", "{'type':'number'}", ""},
                {"{'type':'integer'}", "{'$ref':'#/$defs/a','$defs':{'a':{'type':'string'}}}", "TYPE_CHANGED #/$defs/a/type"},
                // lists, by what is being proven
                {"{'properties':{'next':{'$ref':'#'},'v':{'type':'integer'}},'additionalProperties':false}",
                 "{'properties':{'v':{'type':'number'},'next':{'$ref':'#'}}}", ""},
                {"{'properties':{'next':{'$ref':'#'},'v':{'type':'number'}},'additionalProperties':false}",
                 "{'properties':{'v':{'type':'integer'},'next':{'$ref':'#'}}}", "TYPE_NARROWED #/properties/v/type"},
                {"{'properties':{'next':{'$ref':'#/$defs/n'}},'$defs':{'n':{'properties':{'next':{'$ref':'#'}}}}}",
                 "{'properties':{'next':{'$ref':'#'}}}", ""},
                // p is tried first, and does without w in the end: what was proven of m while w was assumed must not outlive that
                {"{'properties':{'p':{'allOf':[{'contains':{'$ref':'#/$defs/w'}},{'contains':{'const':{}}}]},"
                 "'q':{'properties':{'r':{'properties':{'m':{'$ref':'#/$defs/m'}}}}}}," MUTUAL("number") "}",
                 "{'properties':{'p':{'contains':{'$ref':'#/$defs/w'}},"
                 "'q':{'properties':{'r':{'properties':{'m':{'$ref':'#/$defs/m'}}}}}}," MUTUAL("integer") "}",
                 "TYPE_NARROWED #/$defs/w/properties/v/type"},
                {"{'required':['next'],'properties':{'next':{'$ref':'#'}},'type':'object'}", "false", ""},      // no such instance ends
                {"{'items':{'$dynamicRef':'#n'},'$dynamicAnchor':'n'}", "{'items':{'$dynamicRef':'#n'},'$dynamicAnchor':'n'}", ""},
                {"{'$defs':{'n':{'$dynamicAnchor':'n','type':'integer'},'m':{'$id':'http://x/m','$dynamicAnchor':'n','items':"
                 "{'$dynamicRef':'#n'}},'o':{'$id':'http://x/o','$dynamicAnchor':'n','$ref':'m'}},'anyOf':[{'$ref':'http://x/m'},"
                 "{'$ref':'http://x/o'}]}", "{}", ""},
                // behind a dynamic reference the same subschema says another thing: a tree is no strict one
                {"{'maxProperties':1}",
                 "{'$id':'http://x/r','if':{'$ref':'tree'},'then':{'$ref':'strict'},'$defs':{'tree':{'$id':'tree','$dynamicAnchor':'n',"
                 "'type':'object','properties':{'children':{'type':'array','items':{'$dynamicRef':'#n'}}}},"
                 "'strict':{'$id':'strict','$dynamicAnchor':'n','$ref':'tree','maxProperties':1}}}",
                 "~DYNAMIC_REFERENCE #/$defs/tree/properties/children/items/$dynamicRef"},
        };
        (void)state;
        check(rows, ARRAY_SIZE(rows), false);
}

static void defaults_stand_in(void **state) {
        static const struct row rows[] = {
                {"{'properties':{'a':{}}}", "{'properties':{'a':{'default':1}},'required':['a']}",
                 "+REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED #/properties/a"},
                {"{'additionalProperties':false}", "{'properties':{'a':{'default':1}},'required':['a']}",
                 "+REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/a"},
                // not where the default is wrong, something limits the members, or a neighbour may refuse the new one
                {"{}", "{'properties':{'a':{'not':{'const':1},'default':1}},'required':['a']}",
                 "REQUIRED_ATTRIBUTE_ADDED #/properties/a; ~PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/properties/a"},
                {"{'maxProperties':1}", "{'properties':{'a':{'default':1}},'required':['a'],'maxProperties':1}",
                 "REQUIRED_ATTRIBUTE_ADDED #/properties/a"},
                {"{'maxProperties':0}", "{'allOf':[{'maxProperties':0},{'properties':{'a':{'default':1}},'required':['a']}]}",
                 "REQUIRED_ATTRIBUTE_ADDED #/allOf/1/properties/a"},
                // nor in a condition that is the whole again
                {"{'type':'object','properties':{'next':{'$ref':'#'},'v':{'type':'integer'}},'additionalProperties':false}",
                 "{'type':'object','properties':{'next':{'if':{'$ref':'#'},'then':true,'else':false},'v':{'type':'integer','default':1}},"
                 "'required':['v'],'additionalProperties':false}",
                 "+REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED #/properties/v; ~TYPE_CHANGED #/properties/next/else"},
        };
        (void)state;
        check(rows, ARRAY_SIZE(rows), true);
}

// ---- limits ----

static void print_many(struct buffer *text, const char *begin, const char *each, size_t count, const char *end) {
        buffer_append(text, bytes_of(begin));
        for (size_t i = 0; i < count; i++) {
                buffer_append(text, bytes_of(i ? "," : ""));
                buffer_print(text, "{\"properties\":{\"p%zu\":{\"minimum\":%zu}},\"required\":[\"p%zu\"],%s}", i, i, i, each);
        }
        buffer_append(text, bytes_of(end));
        buffer_append_byte(text, 0);
}

static void work_is_limited(void **state) {
        (void)state;
        CLEANUP(buffer_free) struct buffer first = {0};
        CLEANUP(buffer_free) struct buffer second = {0};
        CLEANUP(buffer_free) struct buffer told = {0};
        print_many(&first, "{\"anyOf\":[", "\"maxProperties\":9", 200, "]}");
        print_many(&second, "{\"oneOf\":[", "\"maxProperties\":8", 200, "]}");
        assert_int_equal(compare(first.data, second.data, false, &told), SCHEMA_UNCERTAIN);
        buffer_append_byte(&told, 0);
        assert_non_null(strstr(told.data, "~LIMIT_REACHED #"));
}

// The memory that the process takes at most, in kB.
static long peak(void) {
        struct rusage usage;
        getrusage(RUSAGE_SELF, &usage);
        return usage.ru_maxrss;
}

// Whatever loops or allocates spends steps: what they are spent on is a product here of what the writer and the reader say.
static void memory_is_limited(void **state) {
        static const char *const begins[] = {"{\"anyOf\":[", "{\"patternProperties\":{"}, *const ends[] = {"]}", "}}"};
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(begins); i++) {
                struct buffer texts[2] = {0};
                for (int side = 0; side < 2; side++) {
                        buffer_append(&texts[side], bytes_of(begins[i]));
                        for (int at = 0; at < 2000; at++)
                                buffer_print(&texts[side], i ? "%s\"^%c%d\":{\"minimum\":%d}" :
                                                               "%s{\"required\":[\"%c%d\"],\"minimum\":%d}",
                                             at ? "," : "", "wr"[side], at, at + side);
                        buffer_append(&texts[side], bytes_of(ends[i]));
                        buffer_append_byte(&texts[side], 0);
                }
                struct schema *writer = compile(texts[0].data), *reader = compile(texts[1].data);
                CLEANUP(arena_free) struct arena arena = {0};
                struct schema_difference *differences;
                size_t count;
                long before = peak();
                assert_int_equal(schema_compatible(writer, reader, NULL, &arena, &differences, &count), SCHEMA_UNCERTAIN);
                assert_int_equal(differences[count - 1].kind, SCHEMA_DIFFERENCE_LIMIT_REACHED);
                assert_true(peak() - before < 300 * 1024);      // an allocator that looks for errors takes more than is asked for
                buffer_free(&texts[0]);
                buffer_free(&texts[1]);
                schema_free(writer);
                schema_free(reader);
        }
}

static void several_comparisons_share_a_budget(void **state) {
        uint64_t budget = 1000, before;
        const struct schema_compatible_options options = {.budget = &budget};
        CLEANUP(arena_free) struct arena arena = {0};
        struct schema *schema = compile("{'properties':{'a':{'minimum':1},'b':{'minimum':1}}}");
        struct schema *other = compile("{'properties':{'a':{}}}");
        struct schema_difference *differences;
        size_t count, good = 0;
        (void)state;
        do {
                before = budget;
                good++;
        } while (schema_compatible(schema, other, &options, &arena, &differences, &count) == SCHEMA_COMPATIBLE && budget < before);
        assert_true(good > 3 && good < 200);
        assert_int_equal(budget, 0);
        assert_int_equal(differences[0].kind, SCHEMA_DIFFERENCE_LIMIT_REACHED);
        schema_free(schema);
        schema_free(other);
}

// By the place, or where the place is in `required` by the sentence.
static void a_required_member_is_named(void **state) {
        struct schema *writer = compile("{'type':'object'}"), *reader = compile("{'properties':{'a':{}},'required':['a','b\\u000a']}");
        const struct schema_compatible_options options = {.writer_name = "old", .reader_name = "new"};
        CLEANUP(arena_free) struct arena arena = {0};
        struct schema_difference *differences;
        size_t count;
        (void)state;
        assert_int_equal(schema_compatible(writer, reader, &options, &arena, &differences, &count), SCHEMA_INCOMPATIBLE);
        assert_int_equal(count, 2);
        assert_string_equal(differences[0].place, "#/properties/a");
        assert_string_equal(differences[0].sentence, "the new schema requires this member, which the old schema does not");
        assert_string_equal(differences[1].place, "#/required/1");
        assert_string_equal(differences[1].sentence, "the new schema requires member \"b\n\", which the old schema does not");
        schema_free(writer);
        schema_free(reader);
}

static void the_rest_is_not_told(void **state) {
        (void)state;
        CLEANUP(buffer_free) struct buffer text = {0};
        CLEANUP(arena_free) struct arena arena = {0};
        buffer_append(&text, BYTES("{\"properties\":{"));
        for (int i = 0; i < COMPATIBLE_DIFFERENCES_MAX + 20; i++)
                buffer_print(&text, "%s\"p%d\":{\"type\":\"null\"}", i ? "," : "", i);
        buffer_append(&text, BYTES("}}"));
        buffer_append_byte(&text, 0);
        struct schema *writer = compile("{}"), *reader = compile(text.data);
        struct schema_difference *differences;
        size_t count;
        assert_int_equal(schema_compatible(writer, reader, NULL, &arena, &differences, &count), SCHEMA_INCOMPATIBLE);
        assert_int_equal(count, COMPATIBLE_DIFFERENCES_MAX);
        schema_free(writer);
        schema_free(reader);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(types_and_values), cmocka_unit_test(numbers_and_strings), cmocka_unit_test(objects),
                cmocka_unit_test(numbers_of_members),
                cmocka_unit_test(arrays), cmocka_unit_test(branches), cmocka_unit_test(references), cmocka_unit_test(defaults_stand_in),
                cmocka_unit_test(work_is_limited), cmocka_unit_test(memory_is_limited),
                cmocka_unit_test(several_comparisons_share_a_budget), cmocka_unit_test(the_rest_is_not_told),
                cmocka_unit_test(a_required_member_is_named),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

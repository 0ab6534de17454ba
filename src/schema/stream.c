// SPDX-License-Identifier: Apache-2.0
// The machine: one pass over the bytes of an instance, along a plan. It accepts exactly the JSON that the parser accepts; where it
// finds a failure it only says so, and the whole is looked at again: to see that it is JSON, or by the parser, for its error.
// Nothing is allocated but in the scratch arena, and there only for escapes, patterns, very long objects and what is not planned.
#include "schema/schema.h"

#include "json/number.h"
#include "json/scan.h"
#include "schema/stream_priv.h"

// ---- scalars ----

static enum run run_word(struct machine *machine, struct bytes word) {
        if ((size_t)(machine->end - machine->at) < word.size || memcmp(machine->at, word.data, word.size) != 0)
                return RUN_SYNTAX;
        machine->at += word.size;
        return RUN_GOOD;
}

struct bytes run_decode(struct machine *machine, const char *at, const char *end) {
        char *text = arena_alloc(machine->scratch, (size_t)(end - at) + 1), *last = scan_decode(at, end, text);
        return (struct bytes){last ? text : NULL, last ? (size_t)(last - text) : 0};
}

static enum run check_string_rules(struct machine *machine, const struct plan_string *plan, struct bytes text, bool ascii) {
        // A character has one to four bytes: often their number is enough.
        if (text.size > plan->most || text.size < plan->least * 4 || plan->least > UINT64_MAX / 4) {
                size_t length = ascii ? text.size : utf8_count(text);
                if (length < plan->least || length > plan->most)
                        return RUN_INVALID;
        }
        for (uint32_t i = 0; i < plan->rule_count; i++) {
                const struct string_rules *rules = plan->rules[i];
                if (rules->pattern) {
                        enum pattern_verdict verdict = pattern_search(rules->pattern, text, machine->scratch);
                        if (verdict != PATTERN_MATCH)
                                return verdict == PATTERN_UNDECIDED ? RUN_DEFER : RUN_INVALID;
                }
                if (rules->format) {
                        enum format_verdict verdict = format_check(rules->format, text, machine->scratch);
                        if (verdict != FORMAT_VALID)
                                return verdict == FORMAT_UNDECIDED ? RUN_DEFER : RUN_INVALID;
                }
                if ((rules->base64 || rules->json) && content_failure(rules, text, machine->scratch))
                        return RUN_INVALID;
        }
        return RUN_GOOD;
}

enum run run_string_rules(struct machine *machine, const struct plan *plan, struct bytes text, bool ascii) {
        if (!(plan->types & 1u << JSON_STRING))
                return RUN_INVALID;
        if (plan->listed[JSON_STRING])
                return values_have_string(plan->listed[JSON_STRING], text, machine->seed) ? RUN_GOOD : RUN_INVALID;
        return plan->string ? check_string_rules(machine, plan->string, text, ascii) : RUN_GOOD;
}

static enum run run_string(struct machine *machine, const struct plan *plan) {
        struct scanned_string found;
        const char *start = machine->at + 1, *end = scan_string(machine->start, start, machine->end, &found);
        if (__builtin_expect(!end, 0))
                return RUN_SYNTAX;
        machine->at = end + 1;
        machine->escaped = found.escaped;
        if (found.escaped && !scan_escapes(start, end))
                return RUN_SYNTAX;
        if (plan->string_any)
                return RUN_GOOD;
        struct bytes text = {start, (size_t)(end - start)};
        if (found.escaped && (plan->string || plan->listed[JSON_STRING])) {
                text = run_decode(machine, start, end);
                found.ascii = false;            // a \u may be anything
        }
        return run_string_rules(machine, plan, text, found.ascii);
}

static bool number_rules_hold(const struct number_rules *rules, struct bytes text) {
        return !((rules->minimum.data && json_number_compare(text, rules->minimum) < 0) ||
                 (rules->maximum.data && json_number_compare(text, rules->maximum) > 0) ||
                 (rules->above.data && json_number_compare(text, rules->above) <= 0) ||
                 (rules->below.data && json_number_compare(text, rules->below) >= 0) ||
                 (rules->multiple.data && !json_number_is_multiple(text, rules->multiple)));
}

static enum run run_parsed(struct machine *machine, const char *start, const struct schema_list *set);

static bool small_rules_hold(const struct plan_number *rules, struct json_small number) {
        int low = rules->least.set ? json_small_compare(number, rules->least.value) : 1;
        int high = rules->most.set ? json_small_compare(number, rules->most.value) : -1;
        return (low > 0 || (low == 0 && !rules->least.exclusive)) && (high < 0 || (high == 0 && !rules->most.exclusive)) &&
               (rules->unit.mantissa == 0 || json_small_is_multiple(number, rules->unit));
}

static enum run run_number(struct machine *machine, const struct plan *plan) {
        struct scanned_number found;
        const char *start = machine->at, *end = scan_number(start, machine->end, &found);
        const struct plan_number *rules = plan->number;
        if (__builtin_expect(!end, 0))
                return RUN_SYNTAX;
        machine->at = end;
        struct bytes text = {start, (size_t)(end - start)};
        if (plan->listed[JSON_NUMBER])
                return found.fraction && plan->plain_listed                      ? run_parsed(machine, start, &plan->set)
                       : values_have_number(plan->listed[JSON_NUMBER], text, machine->seed) ? RUN_GOOD
                                                                             : RUN_INVALID;
        if (!rules)
                return RUN_GOOD;
        if (found.fraction && rules->whole && (rules->plain_whole || !json_number_is_integer(text)))
                return RUN_INVALID;
        if (rules->quick && found.small) {
                bool good = found.value >= rules->low && found.value <= rules->high &&
                            (rules->divisor == 0 || found.value % rules->divisor == 0);
                return good ? RUN_GOOD : RUN_INVALID;
        }
        struct json_small number = {found.value, 0};
        if (rules->small && (found.small || json_number_to_small(text, &number)))
                return small_rules_hold(rules, number) ? RUN_GOOD : RUN_INVALID;
        for (uint32_t i = 0; i < rules->rule_count; i++)
                if (!number_rules_hold(rules->rules[i], text))
                        return RUN_INVALID;
        return RUN_GOOD;
}

// ---- what is not planned, and what is scanned again ----

// The range that was scanned strictly is parsed and evaluated by everything in the plan's set.
static enum run run_parsed(struct machine *machine, const char *start, const struct schema_list *set) {
        struct json_limits limits = {.depth = machine->depth_limit - machine->depth, .nodes = JSON_BYTES_MAX, .bytes = JSON_BYTES_MAX};
        const struct json *node;
        struct bytes range = {start, (size_t)(machine->at - start)};
        if (limits.depth == 0)
                limits.depth = 1;                               // a scalar
        machine->again -= (int64_t)range.size * SCAN_PARSED_COST;
        if (machine->again < 0 || !json_parse(range, &limits, machine->scratch, &node, NULL))
                return RUN_DEFER;
        for (size_t i = 0; i < set->count; i++) {
                struct evaluation evaluation = evaluation_begin(machine->schema, node, machine->scratch);
                bool good = evaluate(&evaluation, set->items[i], node, step_to(NULL), NULL);
                if (evaluation.undecided)
                        return RUN_DEFER;
                if (!good)
                        return RUN_INVALID;
        }
        return RUN_GOOD;
}

enum run run_again(struct machine *machine, const char *start, const struct plan *plan) {
        const char *end = machine->at;
        unsigned depth = machine->depth;
        size_t entries = machine->entry_count, bits = machine->bit_count, nodes = machine->nodes;
        machine->again -= end - start + SCAN_AGAIN_COST;
        if (machine->again < 0 || machine->nested == SCAN_NESTED_MAX)
                return RUN_DEFER;
        machine->nested++;
        machine->at = start;
        enum run run = run_value(machine, plan);
        machine->nested--;
        machine->at = end;
        machine->depth = depth;
        machine->entry_count = entries;
        machine->bit_count = bits;
        machine->nodes = nodes;
        return run;
}

static enum run run_branches(struct machine *machine, const char *start, const struct plan_group *group) {
        uint32_t wanted = group->mode == PLAN_ANY ? 1 : 2, found = 0;
        for (uint32_t i = 0; i < group->count && found < wanted; i++) {
                enum run run = run_again(machine, start, group->branches[i]);
                if (run >= RUN_SYNTAX)
                        return run;
                found += run == RUN_GOOD;
        }
        return found == 1 ? RUN_GOOD : RUN_INVALID;
}

enum run run_groups(struct machine *machine, const char *start, const struct plan_group *groups, uint32_t count) {
        for (uint32_t i = 0; i < count; i++) {
                enum run run;
                switch (groups[i].mode) {
                case PLAN_NOT:
                        run = run_again(machine, start, groups[i].branches[0]);
                        if (run < RUN_SYNTAX)
                                run = run == RUN_GOOD ? RUN_INVALID : RUN_GOOD;
                        break;
                case PLAN_IF:
                        run = run_again(machine, start, groups[i].branches[0]);
                        if (run < RUN_SYNTAX)
                                run = run_again(machine, start, groups[i].branches[run == RUN_GOOD ? 1 : 2]);
                        break;
                case PLAN_ANY:
                case PLAN_ONE:
                default:
                        run = run_branches(machine, start, &groups[i]);
                        break;
                }
                if (run != RUN_GOOD)
                        return run;
        }
        return RUN_GOOD;
}

// ---- arrays ----

struct elements {
        const struct plan_array *plan;
        const char *start;
        size_t count;
        uint64_t found[8];                      // of contains
        struct unique unique;
};

static enum run run_element(struct machine *machine, struct elements *elements) {
        const struct plan_array *plan = elements->plan;
        machine->at = scan_space(machine->at, machine->end);
        const char *start = machine->at;
        enum run run = run_value(machine, elements->count < plan->prefix_count ? plan->prefix[elements->count] : plan->rest);
        if (run != RUN_GOOD)
                return run;
        elements->count++;
        if (plan->unique)
                unique_note(machine, &elements->unique, start);
        for (uint32_t i = 0; i < plan->contains_count; i++) {
                run = run_again(machine, start, plan->contains[i].plan);
                if (run >= RUN_SYNTAX)
                        return run;
                elements->found[i] += run == RUN_GOOD;
        }
        return RUN_GOOD;
}

static enum run end_array(struct machine *machine, const struct elements *elements) {
        const struct plan_array *plan = elements->plan;
        if (elements->count < plan->least || elements->count > plan->most)
                return RUN_INVALID;
        for (uint32_t i = 0; i < plan->contains_count; i++)
                if (elements->found[i] < plan->contains[i].least || elements->found[i] > plan->contains[i].most)
                        return RUN_INVALID;
        return plan->unique ? unique_end(machine, &elements->unique, elements->start) : RUN_GOOD;
}

static enum run run_simple_array(struct machine *machine, const struct plan_array *plan) {
        const struct plan *rest = plan->rest;
        size_t count = 0;
        if (machine->depth++ == machine->depth_limit)
                return RUN_SYNTAX;
        machine->at = scan_space(machine->at + 1, machine->end);
        bool ended = machine->at < machine->end && *machine->at == ']';
        machine->at += ended;
        while (!ended) {
                enum run run = run_value(machine, rest);
                if (run != RUN_GOOD)
                        return run;
                count++;
                const char *at = scan_space(machine->at, machine->end);
                if (at == machine->end || (*at != ',' && *at != ']'))
                        return RUN_SYNTAX;
                machine->at = at + 1;
                ended = *at == ']';
        }
        machine->depth--;
        return count >= plan->least && count <= plan->most ? RUN_GOOD : RUN_INVALID;
}

static enum run run_array(struct machine *machine, const struct plan_array *plan) {
        struct elements elements;
        if (plan->simple)
                return run_simple_array(machine, plan);
        elements.plan = plan;
        elements.start = machine->at;
        elements.count = 0;
        elements.unique = (struct unique){.first = machine->entry_count};
        if (plan->contains_count > ARRAY_SIZE(elements.found))
                return RUN_DEFER;
        for (uint32_t i = 0; i < plan->contains_count; i++)
                elements.found[i] = 0;
        if (machine->depth++ == machine->depth_limit)
                return RUN_SYNTAX;
        machine->at = scan_space(machine->at + 1, machine->end);
        if (machine->at < machine->end && *machine->at == ']') {
                machine->at++;
                machine->depth--;
                return end_array(machine, &elements);
        }
        while (true) {
                enum run run = run_element(machine, &elements);
                if (run != RUN_GOOD)
                        return run;
                const char *at = scan_space(machine->at, machine->end);
                if (at == machine->end || (*at != ',' && *at != ']'))
                        return RUN_SYNTAX;
                machine->at = at + 1;
                if (*at == ']')
                        break;
        }
        machine->depth--;
        return end_array(machine, &elements);
}

// ---- any value ----

static enum run run_kind(struct machine *machine, const struct plan *plan, enum json_type type) {
        switch (type) {
        case JSON_STRING:
                return run_string(machine, plan);
        case JSON_NUMBER:
                return run_number(machine, plan);
        case JSON_OBJECT:
                if (plan->object)
                        return run_object(machine, plan->object);
                machine->nodes--;                               // skipping counts it
                return run_skip(machine);
        case JSON_ARRAY:
                if (plan->array)
                        return run_array(machine, plan->array);
                machine->nodes--;
                return run_skip(machine);
        case JSON_BOOL:
                if (plan->listed[JSON_BOOL] && !plan->listed[JSON_BOOL]->truth[*machine->at == 't'])
                        return RUN_INVALID;
                return *machine->at == 't' ? run_word(machine, BYTES("true")) : run_word(machine, BYTES("false"));
        case JSON_NULL:
        default:
                return run_word(machine, BYTES("null"));
        }
}

enum { NO_VALUE = 7 };
static const uint8_t kinds[256] = {
        ['"'] = JSON_STRING + 1, ['{'] = JSON_OBJECT + 1, ['['] = JSON_ARRAY + 1, ['t'] = JSON_BOOL + 1, ['f'] = JSON_BOOL + 1,
        ['n'] = JSON_NULL + 1, ['-'] = JSON_NUMBER + 1, ['0'] = JSON_NUMBER + 1, ['1'] = JSON_NUMBER + 1,
        ['2'] = JSON_NUMBER + 1, ['3'] = JSON_NUMBER + 1, ['4'] = JSON_NUMBER + 1, ['5'] = JSON_NUMBER + 1,
        ['6'] = JSON_NUMBER + 1, ['7'] = JSON_NUMBER + 1, ['8'] = JSON_NUMBER + 1, ['9'] = JSON_NUMBER + 1,
};

enum run run_value(struct machine *machine, const struct plan *plan) {
        machine->at = scan_space(machine->at, machine->end);
        if (__builtin_expect(machine->at == machine->end, 0))
                return RUN_SYNTAX;
        unsigned kind = kinds[(uint8_t)*machine->at];
        if (__builtin_expect(kind == 0, 0))
                return RUN_SYNTAX;
        enum json_type type = (enum json_type)(kind - 1);
        machine->nodes++;
        if (__builtin_expect(!(plan->types & 1u << type), 0))
                return RUN_INVALID;
        if (type == JSON_STRING && plan->string_any)
                return run_string(machine, plan);
        if (type == JSON_NUMBER && plan->number_any) {
                struct scanned_number found;
                const char *behind = scan_number(machine->at, machine->end, &found);
                machine->at = behind ? behind : machine->at;
                return behind ? RUN_GOOD : RUN_SYNTAX;
        }
        if (plan->any) {
                machine->nodes--;
                return run_skip(machine);
        }
        const char *start = machine->at;
        if (__builtin_expect(plan->dom & 1u << type, 0)) {
                machine->nodes--;
                enum run run = run_skip(machine);
                return run == RUN_GOOD ? run_parsed(machine, start, &plan->set) : run;
        }
        enum run run = run_kind(machine, plan, type);
        if (run == RUN_GOOD && plan->group_counts[type])
                run = run_groups(machine, start, plan->groups[type], plan->group_counts[type]);
        return run;
}

static void begin(struct machine *machine, const struct schema *schema, struct bytes source, unsigned depth_limit,
                  struct arena *scratch) {
        machine->start = machine->at = source.data;
        machine->end = source.data + source.size;
        machine->schema = schema;
        machine->seed = schema->seed;
        machine->scratch = scratch;
        machine->anything = schema->stream->anything;
        machine->depth = machine->nested = 0;
        machine->depth_limit = depth_limit;
        machine->nodes = 0;
        machine->again = (int64_t)source.size * SCAN_AGAIN_TIMES + SCAN_AGAIN_MIN;
        machine->entries = machine->entry_room;
        machine->entry_count = 0;
        machine->entry_capacity = ENTRIES_ROOM;
        machine->bits = machine->bit_room;
        machine->bit_count = 0;
        machine->bit_capacity = BITS_ROOM;
        machine->table = NULL;
        machine->table_size = 0;
}

static enum run run_document(struct machine *machine, const struct plan *plan, size_t nodes_limit) {
        enum run run = run_value(machine, plan);
        if (run != RUN_GOOD)
                return run;
        machine->at = scan_space(machine->at, machine->end);
        return machine->at == machine->end && machine->nodes <= nodes_limit ? RUN_GOOD : RUN_SYNTAX;
}

static bool parse_and_evaluate(const struct schema *schema, struct bytes source, const struct json_limits *limits,
                               struct arena *scratch, enum schema_verdict *ret_verdict, struct error *error) {
        const struct json *instance;
        if (!json_parse(source, limits, scratch, &instance, error))
                return false;
        *ret_verdict = schema_verdict(schema, instance, scratch);
        return true;
}

bool schema_verdict_bytes(const struct schema *schema, struct bytes source, const struct json_limits *limits,
                          struct arena *scratch, enum schema_verdict *ret_verdict, struct error *error) {
        struct json_limits limit = json_limits_of(limits);
        UNINITIALIZED struct machine machine;
        if (!schema->stream || !source.data || source.size > limit.bytes || limit.keep_last)
                return parse_and_evaluate(schema, source, limits, scratch, ret_verdict, error);
        begin(&machine, schema, source, limit.depth, scratch);
        enum run run = run_document(&machine, schema->stream->root, limit.nodes);
        if (run == RUN_GOOD) {
                *ret_verdict = SCHEMA_VALID;
                return true;
        }
        if (run == RUN_INVALID) {
                begin(&machine, schema, source, limit.depth, scratch);
                if (run_document(&machine, machine.anything, limit.nodes) == RUN_GOOD) {
                        *ret_verdict = SCHEMA_INVALID;
                        return true;
                }
        }
        return parse_and_evaluate(schema, source, limits, scratch, ret_verdict, error);
}

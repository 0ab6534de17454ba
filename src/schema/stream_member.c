// SPDX-License-Identifier: Apache-2.0
// Objects with a plan: the next key is guessed (the schema's order), else found in the plan's table; keys that are not named are
// noted, to see that they differ; required ones are a mask.
#include "schema/stream_priv.h"

#include "json/scan.h"
#include "schema/stream_keys_priv.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

struct members {
        const struct plan_object *plan;
        const char *start;
        uint64_t one, *seen;                    // a bit a key
        size_t count, base;                     // base: of its bits in the machine
        uint64_t found;                         // patterns that the name of the member matches, where there are picks
        struct noted noted;                     // keys that are not named
        uint32_t guess;
};

// Whether this key, a closing quote and a colon stand at `at`.
static inline bool is_key(const struct plan_key *key, const char *at, const char *end) {
        uint32_t mask = key->quoted_mask;
#ifdef __SSE2__
        if (__builtin_expect(end - at >= 32, 1)) {
                __m128i low = _mm_loadu_si128((const __m128i *)(const void *)at);
                __m128i key_low = _mm_loadu_si128((const __m128i *)(const void *)key->quoted);
                uint32_t same = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(low, key_low));
                if (mask > 0xFFFF) {
                        __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(at + 16));
                        __m128i key_high = _mm_loadu_si128((const __m128i *)(const void *)(key->quoted + 16));
                        same |= (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(high, key_high)) << 16;
                }
                return mask && (same & mask) == mask;
        }
#endif
        return mask && (size_t)(end - at) >= key->size + 2u && memcmp(at, key->quoted, key->size + 2u) == 0;
}

static uint32_t find_key(const struct plan_object *plan, struct bytes name, uint32_t hash) {
        for (uint32_t at = hash & plan->slot_mask, slot; (slot = plan->slots[at]); at = (at + 1) & plan->slot_mask) {
                const struct plan_key *key = &plan->keys[(slot & 0xFFFF) - 1];
                if ((slot ^ hash) >> 16 == 0 && key->size == name.size && memcmp(key->name, name.data, name.size) == 0)
                        return (slot & 0xFFFF) - 1u;
        }
        return UINT32_MAX;
}

static enum run unnamed(struct machine *machine, struct members *members, struct bytes name, uint32_t hash,
                        const struct plan **ret_plan) {
        const struct plan_object *plan = members->plan;
        *ret_plan = plan->rest;
        if (plan->pattern_count == 0 && plan->rest->types == 0)
                return RUN_INVALID;
        if (plan->pattern_count) {
                uint64_t found = 0;
                for (uint32_t i = 0; i < plan->pattern_count; i++) {
                        enum pattern_verdict verdict = pattern_search(plan->patterns[i], name, machine->scratch);
                        if (verdict == PATTERN_UNDECIDED)
                                return RUN_DEFER;
                        found |= (uint64_t)(verdict == PATTERN_MATCH) << i;
                }
                members->found = found;
                *ret_plan = plan->by_patterns ? plan->by_patterns[found] : NULL;
        }
        return note_key(machine, &members->noted, name, hash);
}

static inline enum run mark_seen(struct members *members, uint32_t key) {
        uint64_t *word = &members->seen[key / 64], bit = (uint64_t)1 << key % 64;
        if (__builtin_expect((*word & bit) != 0, 0))
                return RUN_SYNTAX;                      // twice
        *word |= bit;
        members->guess = key + 1;
        return RUN_GOOD;
}

// The value of a member that is not named, where the patterns are many: all that apply, the first one on the way.
static enum run run_picks(struct machine *machine, const struct members *members) {
        const struct plan_object *plan = members->plan;
        const struct plan *first = NULL;
        machine->at = scan_space(machine->at, machine->end);
        const char *start = machine->at;
        for (uint32_t i = 0; i < plan->pick_count; i++) {
                const struct plan_pick *pick = &plan->picks[i];
                if (((members->found & pick->mask) != 0) == pick->absent)
                        continue;
                enum run run = first ? run_again(machine, start, pick->plan) : run_value(machine, pick->plan);
                if (run != RUN_GOOD)
                        return run;
                first = pick->plan;
        }
        return first ? RUN_GOOD : run_skip(machine);
}

// `quote`: where the name begins.
static enum run run_name(struct machine *machine, const struct plan_object *plan, struct bytes name, const char *quote) {
        return plan->names_again ? run_again(machine, quote, plan->names) : run_string_rules(machine, plan->names, name, false);
}

// Of a key that is named: its name must match, and where its value begins may be asked for when the object ends.
static enum run run_special(struct machine *machine, const struct members *members, uint32_t key, const char *quote,
                            const char *value) {
        const struct plan_object *plan = members->plan;
        uint32_t place = plan->keys[key].place;
        if (place)
                machine->bits[members->base + plan->words + place - 1] = (uint64_t)(value - machine->start);
        if (!plan->names)
                return RUN_GOOD;
        return run_name(machine, plan, (struct bytes){plan->keys[key].name, plan->keys[key].size}, quote);
}

// The key at the machine's place where it has no escapes: where it ends, and its hash.
struct reading {
        const char *quote;                      // NULL: it has to be read slowly
        uint32_t hash;
        bool absent;                            // it is not named
};

// Reads a key that was not found fast, and the colon. No plan: there are picks.
static enum run find_member(struct machine *machine, struct members *members, struct reading reading, const struct plan **ret_value) {
        const struct plan_object *plan = members->plan;
        const char *quote = machine->at;
        struct bytes name = {quote + 1, reading.quote ? (size_t)(reading.quote - quote) - 1 : 0};
        if (reading.quote)
                machine->at = reading.quote + 1;
        else if (read_key_slowly(machine, &name) != RUN_GOOD)
                return RUN_SYNTAX;
        uint32_t hash = reading.quote ? reading.hash : key_hash(name.data, name.size, machine->seed);
        uint32_t key = reading.absent ? UINT32_MAX : find_key(plan, name, hash);
        enum run run;
        if (key != UINT32_MAX) {
                *ret_value = plan->keys[key].plan;
                run = mark_seen(members, key);
                if (run == RUN_GOOD)
                        run = pass_colon(machine);
                return run == RUN_GOOD && plan->special ? run_special(machine, members, key, quote, machine->at) : run;
        }
        run = unnamed(machine, members, name, hash, ret_value);
        if (run == RUN_GOOD && plan->names)
                run = run_name(machine, plan, name, quote);
        return run == RUN_GOOD ? pass_colon(machine) : run;
}

// The same where the key is named and has no escapes: the end of the colon, or NULL.
static inline const char *find_fast(struct machine *machine, const struct plan_object *plan, uint32_t *ret_key,
                                    struct reading *ret_reading) {
        const char *at = machine->at + 1, *quote = scan_plain(machine->start, at, machine->end);
        *ret_reading = (struct reading){0};
        if (quote == machine->end || *quote != '"')
                return NULL;
        uint32_t hash = key_hash(at, (size_t)(quote - at), machine->seed), place = hash & plan->slot_mask, slot;
        for (; (slot = plan->slots[place]); place = (place + 1) & plan->slot_mask) {
                const struct plan_key *key = &plan->keys[(slot & 0xFFFF) - 1];
                if ((slot ^ hash) >> 16)
                        continue;
                *ret_key = (slot & 0xFFFF) - 1;
                if (is_key(key, at, machine->end))
                        return quote + 2;
                if (key->size != (size_t)(quote - at) || memcmp(key->name, at, key->size) != 0)
                        continue;
                at = scan_space(quote + 1, machine->end);
                return at < machine->end && *at == ':' ? at + 1 : NULL;
        }
        *ret_reading = (struct reading){quote, hash, true};
        return NULL;
}

// The value at `at`, if it is a string of which nothing is asked, or a short integer: its end, or NULL.
static inline const char *easy_value(const struct machine *machine, const struct plan *plan, const char *at) {
        const char *end = machine->end;
        if (at == end)
                return NULL;
        if (*at == '"' && plan->string_any) {
                const char *close = scan_plain(machine->start, at + 1, end);
                return close < end && *close == '"' ? close + 1 : NULL;
        }
        const struct plan_number *rules = plan->number;
        uint64_t word;
        if (!plan->integer_easy || end - at <= 8)
                return NULL;
        unsigned count = scan_digits8(at, &word);
        char next = at[count];
        if (count == 0 || count == 8 || next == '.' || (next | 0x20) == 'e' || (*at == '0' && count > 1))
                return NULL;
        if (rules && (rules->low > 0 || rules->high < 10000000)) {
                int64_t value = scan_digits_value(word, count);
                if (value < rules->low || value > rules->high)
                        return NULL;
        }
        return at + count;
}

// One member, from its opening quote on.
static inline enum run run_member(struct machine *machine, struct members *members) {
        const struct plan_object *plan = members->plan;
        const struct plan *value;
        const char *at = machine->at, *behind;
        struct reading reading;
        enum run run;
        uint32_t key = members->guess;
        members->count++;
        machine->nodes++;
        if (__builtin_expect(key < plan->key_count && is_key(&plan->keys[key], at + 1, machine->end), 1))
                behind = at + plan->keys[key].size + 3;
        else
                behind = find_fast(machine, plan, &key, &reading);
        if (__builtin_expect(behind != NULL, 1)) {
                value = plan->keys[key].plan;
                run = mark_seen(members, key);
                if (__builtin_expect(plan->special, 0) && run == RUN_GOOD)
                        run = run_special(machine, members, key, at, behind);
                at = behind;
        } else {
                run = find_member(machine, members, reading, &value);
                at = machine->at;
        }
        if (__builtin_expect(run != RUN_GOOD, 0))
                return run;
        if (__builtin_expect(!value, 0))
                return run_picks(machine, members);
        at += at < machine->end && *at == ' ';                  // usual where people read it
        behind = easy_value(machine, value, at);
        if (__builtin_expect(behind != NULL, 1)) {
                machine->nodes++;
                machine->at = behind;
                return RUN_GOOD;
        }
        machine->at = at;
        return run_value(machine, value);
}

static bool complete(const struct members *members) {
        const struct plan_object *plan = members->plan;
        if (members->count < plan->least || members->count > plan->most)
                return false;
        for (uint32_t i = 0; plan->requires && i < plan->words; i++)
                if ((members->seen[i] & plan->required[i]) != plan->required[i])
                        return false;
        for (uint32_t i = 0; i < plan->need_count; i++) {
                uint32_t key = plan->needs[i].key, needed = plan->needs[i].needed;
                if ((members->seen[key / 64] >> key % 64 & 1) && !(members->seen[needed / 64] >> needed % 64 & 1))
                        return false;
        }
        return true;
}

static enum run end_members(struct machine *machine, const struct members *members) {
        const struct plan_object *plan = members->plan;
        size_t unnamed = machine->entry_count - members->noted.first;
        enum run run = end_keys(machine, &members->noted);
        if (run != RUN_GOOD)
                return run;
        if (!complete(members))
                return RUN_INVALID;
        if (__builtin_expect(!plan->test, 1))
                return RUN_GOOD;
        const uint64_t *one = members->seen == &members->one ? &members->one : NULL;
        struct ended ended = {plan, members->start, one, members->base, members->count, unnamed};
        return run_formula(machine, &ended);
}

static enum run run_members(struct machine *machine, const struct plan_object *plan) {
        UNINITIALIZED struct members members;
        members.plan = plan;
        members.start = machine->at;
        members.noted = (struct noted){machine->entry_count, 0};
        members.count = 0;
        members.guess = 0;
        members.one = 0;
        members.seen = &members.one;
        size_t base = members.base = machine->bit_count;
        bool pushes = plan->words > 1 || plan->place_count > 0;
        if (__builtin_expect(pushes, 0))
                members.seen = bits_push(machine, plan->words + plan->place_count);
        enum run more = enter(machine);
        while (more == RUN_GOOD) {
                enum run run = run_member(machine, &members);
                if (__builtin_expect(run != RUN_GOOD, 0))
                        return run;
                if (__builtin_expect(pushes, 0))
                        members.seen = machine->bits + base;    // it may have moved
                more = pass_comma(machine);
        }
        if (more != RUN_INVALID)
                return more;
        enum run run = end_members(machine, &members);
        machine->bit_count = base;
        return run;
}

static enum run choose(struct machine *machine, const struct plan_dispatch *dispatch, const struct plan_choice **ret_choice) {
        struct bytes value;
        *ret_choice = dispatch->other;
        if (machine->at == machine->end || *machine->at != '"')
                return RUN_GOOD;
        if (read_key(machine, &value) != RUN_GOOD)
                return RUN_SYNTAX;
        uint32_t at = key_hash(value.data, value.size, machine->seed) & dispatch->slot_mask, slot;
        for (; (slot = dispatch->slots[at]); at = (at + 1) & dispatch->slot_mask)
                if (bytes_equal(dispatch->values[slot - 1], value))
                        *ret_choice = dispatch->choices[slot - 1];
        return RUN_GOOD;
}

// Looks for the member that tells the branches apart, and comes back.
static enum run find_choice(struct machine *machine, const struct plan_dispatch *dispatch, const struct plan_choice **ret_choice) {
        const char *start = machine->at;
        unsigned depth = machine->depth;
        size_t nodes = machine->nodes;
        enum run more = enter(machine);
        *ret_choice = dispatch->missing;
        while (more == RUN_GOOD) {
                struct bytes name;
                bool found = is_key(&dispatch->key, machine->at + 1, machine->end);
                if (found) {
                        machine->at += dispatch->key.size + 2;
                } else {
                        if (read_key(machine, &name) != RUN_GOOD)
                                return RUN_SYNTAX;
                        found = bytes_equal(name, (struct bytes){dispatch->key.name, dispatch->key.size});
                }
                if (pass_colon(machine) != RUN_GOOD)
                        return RUN_SYNTAX;
                machine->at = scan_space(machine->at, machine->end);
                if (found) {
                        if (choose(machine, dispatch, ret_choice) != RUN_GOOD)
                                return RUN_SYNTAX;
                        more = RUN_INVALID;
                        break;
                }
                enum run run = run_skip(machine);
                if (run != RUN_GOOD)
                        return run;
                more = pass_comma(machine);
        }
        machine->again -= machine->at - start;
        machine->at = start;
        machine->depth = depth;
        machine->nodes = nodes;
        return more != RUN_INVALID ? more : machine->again < 0 ? RUN_DEFER : RUN_GOOD;
}

enum run run_object(struct machine *machine, const struct plan_choice *choice) {
        while (choice && choice->dispatch) {
                enum run run = find_choice(machine, choice->dispatch, &choice);
                if (run != RUN_GOOD)
                        return run;
        }
        machine->nodes -= !choice || (!choice->never && !choice->object);      // skipping counts it
        if (!choice)
                return run_skip(machine);
        if (choice->never)
                return RUN_INVALID;
        return choice->object ? run_members(machine, choice->object) : run_skip(machine);
}

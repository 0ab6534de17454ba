// SPDX-License-Identifier: Apache-2.0
// A slot goes round: empty -(whoever offers, by compare-and-swap)-> filling -> full -(digest)-> empty. Bodies are wiped once they have
// been looked at.
//
// A member's name may be a value (an object by logins, by numbers): one that looks like that is kept as "*", see is_name.
#include "gateway/sampler.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/arena.h"
#include "json/json.h"
#include "json/pointer.h"

enum { DEPTH_MAX = 32 };
enum slot_state { SLOT_EMPTY, SLOT_FILLING, SLOT_FULL };

struct slot {
        atomic_int state;
        size_t gate, size;
        char body[SAMPLER_BODY_MAX];
};

struct pointer {
        char *text;
        size_t size, name_at;
        uint64_t hash;
        uint64_t samples, last_sample;          // last_sample: the number of the sample that had it last
        int64_t last_ms;
};

// Of one communication and direction.
struct gate {
        atomic_bool closed;                     // a body was taken since the last digest
        bool served;                            // and looked at, while others found no slot
        atomic_uint_fast64_t too_large, missed;
        uint64_t missed_before;
        uint64_t looked_at, not_json, more;
        struct pointer *pointers;
        size_t count;
};

struct sampler {
        size_t gate_count;
        struct gate *gates;
        struct slot slots[SAMPLER_SLOTS];
};

struct sampler *sampler_new(size_t communication_count) {
        struct sampler *sampler = must_calloc(1, sizeof *sampler);
        sampler->gate_count = communication_count * SAMPLER_DIRECTIONS;
        sampler->gates = must_calloc(MAX(sampler->gate_count, (size_t)1), sizeof *sampler->gates);
        return sampler;
}

void sampler_free(struct sampler *sampler) {
        if (!sampler)
                return;
        for (size_t i = 0; i < sampler->gate_count; i++) {
                for (size_t j = 0; j < sampler->gates[i].count; j++)
                        free(sampler->gates[i].pointers[j].text);
                free(sampler->gates[i].pointers);
        }
        free(sampler->gates);
        free(sampler);
}

static size_t gate_of(const struct sampler *sampler, size_t communication, enum sampler_direction direction) {
        size_t gate = communication * SAMPLER_DIRECTIONS + direction;
        ASSERT(gate < sampler->gate_count);
        return gate;
}

// ---- where bodies pass ----

void sampler_offer(struct sampler *sampler, size_t communication, enum sampler_direction direction, struct bytes body) {
        if (!sampler || !body.size)
                return;
        size_t number = gate_of(sampler, communication, direction);
        struct gate *gate = &sampler->gates[number];
        if (atomic_load_explicit(&gate->closed, memory_order_relaxed) || atomic_exchange(&gate->closed, true))
                return;
        if (body.size > SAMPLER_BODY_MAX) {
                atomic_fetch_add(&gate->too_large, 1);
                return;
        }
        for (size_t i = 0; i < SAMPLER_SLOTS; i++) {
                struct slot *slot = &sampler->slots[i];
                int state = SLOT_EMPTY;
                if (!atomic_compare_exchange_strong(&slot->state, &state, SLOT_FILLING))
                        continue;
                slot->gate = number;
                slot->size = body.size;
                memcpy(slot->body, body.data, body.size);
                atomic_store(&slot->state, SLOT_FULL);
                return;
        }
        atomic_fetch_add(&gate->missed, 1);
}

// ---- what they have ----

struct looking {
        struct gate *gate;
        struct buffer path;
        size_t members;
        int64_t wall_ms;
};

// Controls beyond ASCII, and what turns the direction of text: U+0080 to U+009F, U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to
// U+2069. UTF-8, which the parser has checked.
static bool is_hidden(const char *at, size_t size) {
        const unsigned char *c = (const unsigned char *)at;
        if (size >= 2 && ((c[0] == 0xC2 && c[1] < 0xA0) || (c[0] == 0xD8 && c[1] == 0x9C)))
                return true;
        return size >= 3 && c[0] == 0xE2 &&
               ((c[1] == 0x80 && (c[2] == 0x8E || c[2] == 0x8F || (c[2] >= 0xAA && c[2] <= 0xAE))) ||
                (c[1] == 0x81 && c[2] >= 0xA6 && c[2] <= 0xA9));
}

// Not what looks like a value: with blanks, a dot or an @; a number, four digits or more, hexadecimal digits; a long text.
static bool is_name(struct bytes token) {
        size_t digits = 0, hex = 0;
        for (size_t i = 0; i < token.size; i++) {
                char c = token.data[i];
                if ((unsigned char)c <= ' ' || c == '@' || c == '.' || c == 0x7f || is_hidden(token.data + i, token.size - i))
                        return false;
                digits += c >= '0' && c <= '9';
                hex += (c >= '0' && c <= '9') || c == '-' || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        }
        bool number = digits > 3 || (digits && digits + (token.data[0] == '-' || token.data[0] == '+') == token.size);
        return token.size && token.size <= SAMPLER_NAME_MAX && !number && (hex < token.size || token.size < 8);
}

static bool is_pointer(const struct pointer *pointer, struct bytes path, uint64_t hash) {
        return pointer->hash == hash && pointer->size == path.size && memcmp(pointer->text, path.data, path.size) == 0;
}

// Where a new one goes: behind the others, or where the one is that was seen last the longest ago. NULL: all are of this sample.
static struct pointer *place_of_new(struct gate *gate) {
        if (!gate->pointers)
                gate->pointers = must_calloc(SAMPLER_POINTERS_MAX, sizeof *gate->pointers);
        if (gate->count < SAMPLER_POINTERS_MAX)
                return &gate->pointers[gate->count++];
        struct pointer *oldest = &gate->pointers[0];
        for (size_t i = 1; i < gate->count; i++)
                if (gate->pointers[i].last_sample < oldest->last_sample)
                        oldest = &gate->pointers[i];
        gate->more++;
        if (oldest->last_sample == gate->looked_at)
                return NULL;
        free(oldest->text);
        return oldest;
}

static void note(struct looking *looking, size_t name_at) {
        struct gate *gate = looking->gate;
        struct bytes path = buffer_bytes(&looking->path);
        uint64_t hash = XXH3_64bits(path.data, path.size);
        size_t i = 0;
        if (path.size > SAMPLER_POINTER_MAX) {
                gate->more++;
                return;
        }
        while (i < gate->count && !is_pointer(&gate->pointers[i], path, hash))
                i++;
        bool known = i < gate->count;
        struct pointer *pointer = known ? &gate->pointers[i] : place_of_new(gate);
        if (!pointer)
                return;
        if (!known)
                *pointer = (struct pointer){.text = bytes_to_text(path), .size = path.size, .name_at = name_at, .hash = hash};
        pointer->samples += pointer->last_sample != gate->looked_at;    // once, however many elements have it
        pointer->last_sample = gate->looked_at;
        pointer->last_ms = looking->wall_ms;
}

static void look_at(struct looking *looking, const struct json *node, unsigned depth) {
        size_t before = looking->path.size;
        if (depth == DEPTH_MAX || looking->members > SAMPLER_MEMBERS_MAX)
                return;
        if (json_is(node, JSON_OBJECT)) {
                bool map = json_count(node) >= SAMPLER_MAP_FROM;
                JSON_FOR_EACH_MEMBER(key, value, node) {
                        if (++looking->members > SAMPLER_MEMBERS_MAX) {
                                looking->gate->more++;
                                return;
                        }
                        json_pointer_append(&looking->path, !map && is_name(json_text(key)) ? json_text(key) : BYTES("*"));
                        note(looking, before + 1);
                        look_at(looking, value, depth + 1);
                        looking->path.size = before;
                }
        } else if (json_is(node, JSON_ARRAY)) {
                json_pointer_append(&looking->path, BYTES("-"));
                JSON_FOR_EACH(element, node)
                        look_at(looking, element, depth + 1);
                looking->path.size = before;
        }
}

static void digest(struct sampler *sampler, struct slot *slot, struct arena *arena, int64_t wall_ms) {
        struct looking looking = {.gate = &sampler->gates[slot->gate], .wall_ms = wall_ms};
        struct json_limits limits = {.depth = DEPTH_MAX};
        const struct json *root;
        arena_reset(arena);
        if (json_parse((struct bytes){slot->body, slot->size}, &limits, arena, &root, NULL)) {
                looking.gate->looked_at++;
                look_at(&looking, root, 0);
        } else {
                looking.gate->not_json++;
        }
        buffer_free(&looking.path);
        explicit_bzero(slot->body, slot->size);
        looking.gate->served = true;
        atomic_store(&slot->state, SLOT_EMPTY);
}

// Who was served stays closed while others find no slot.
static void open_gates(struct sampler *sampler) {
        bool missed = false;
        for (size_t i = 0; i < sampler->gate_count; i++) {
                struct gate *gate = &sampler->gates[i];
                uint64_t now = atomic_load(&gate->missed);
                missed |= now != gate->missed_before;
                gate->missed_before = now;
        }
        for (size_t i = 0; i < sampler->gate_count; i++) {
                struct gate *gate = &sampler->gates[i];
                gate->served = missed && gate->served;
                if (!gate->served)
                        atomic_store_explicit(&gate->closed, false, memory_order_relaxed);
        }
}

void sampler_digest(struct sampler *sampler, int64_t wall_ms) {
        struct arena CLEANUP(arena_free) arena = {0};
        for (size_t i = 0; i < SAMPLER_SLOTS; i++)
                if (atomic_load(&sampler->slots[i].state) == SLOT_FULL)
                        digest(sampler, &sampler->slots[i], &arena, wall_ms);
        open_gates(sampler);
}

// ---- what is asked ----

struct sampler_figures sampler_figures(const struct sampler *sampler, size_t communication, enum sampler_direction direction) {
        const struct gate *gate = &sampler->gates[gate_of(sampler, communication, direction)];
        return (struct sampler_figures){
                .looked_at = gate->looked_at, .not_json = gate->not_json, .too_large = atomic_load(&gate->too_large),
                .missed = atomic_load(&gate->missed), .more = gate->more,
        };
}

void sampler_each(const struct sampler *sampler, size_t communication, enum sampler_direction direction, sampler_visit *visit,
                  void *context) {
        const struct gate *gate = &sampler->gates[gate_of(sampler, communication, direction)];
        for (size_t i = 0; i < gate->count; i++) {
                const struct pointer *pointer = &gate->pointers[i];
                struct sampler_seen seen = {
                        .pointer = {pointer->text, pointer->size},
                        .name = {pointer->text + pointer->name_at, pointer->size - pointer->name_at},
                        .samples = pointer->samples, .last_ms = pointer->last_ms,
                };
                visit(context, &seen);
        }
}

// SPDX-License-Identifier: Apache-2.0
// A slot goes round: empty -(whoever offers, by compare-and-swap)-> filling -> full -(digest)-> empty. Bodies are wiped once they have
// been looked at.
//
// A member's name may be a value (an object by logins, by numbers): one that looks like that is kept as "*", see is_name.
#include "gateway/sampler.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

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
        uint64_t samples, last_sample;          // last_sample: the number of the sample that had it last
        int64_t last_ms;
};

// Of one communication and direction.
struct gate {
        atomic_bool closed;                     // a body was taken since the last digest
        atomic_uint_fast64_t too_large, missed;
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

// Not what looks like a value: a number, an address, something with blanks or of hexadecimal digits, a long text.
static bool is_name(struct bytes token) {
        bool digits = true, hex = token.size >= 8;
        for (size_t i = 0; i < token.size; i++) {
                char c = token.data[i];
                if ((unsigned char)c <= ' ' || c == '@' || c == 0x7f)
                        return false;
                bool digit = c >= '0' && c <= '9';
                digits = digits && (digit || c == '-' || c == '.' || c == '+');
                hex = hex && (digit || c == '-' || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'));
        }
        return token.size && token.size <= SAMPLER_NAME_MAX && !digits && !hex;
}

static void note(struct looking *looking, size_t name_at) {
        struct gate *gate = looking->gate;
        size_t i = 0;
        while (i < gate->count && (gate->pointers[i].size != looking->path.size ||
                                   memcmp(gate->pointers[i].text, looking->path.data, looking->path.size) != 0))
                i++;
        if (i == SAMPLER_POINTERS_MAX) {
                gate->more++;
                return;
        }
        if (i == gate->count) {
                if (!gate->pointers)
                        gate->pointers = must_calloc(SAMPLER_POINTERS_MAX, sizeof *gate->pointers);
                gate->pointers[gate->count++] = (struct pointer){
                        .text = bytes_to_text(buffer_bytes(&looking->path)), .size = looking->path.size, .name_at = name_at};
        }
        struct pointer *pointer = &gate->pointers[i];
        pointer->samples += pointer->last_sample != gate->looked_at;    // once, however many elements have it
        pointer->last_sample = gate->looked_at;
        pointer->last_ms = looking->wall_ms;
}

static void look_at(struct looking *looking, const struct json *node, unsigned depth) {
        size_t before = looking->path.size;
        if (depth == DEPTH_MAX || looking->members > SAMPLER_MEMBERS_MAX)
                return;
        if (json_is(node, JSON_OBJECT)) {
                JSON_FOR_EACH_MEMBER(key, value, node) {
                        if (++looking->members > SAMPLER_MEMBERS_MAX)
                                return;
                        json_pointer_append(&looking->path, is_name(json_text(key)) ? json_text(key) : BYTES("*"));
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
        atomic_store(&slot->state, SLOT_EMPTY);
}

void sampler_digest(struct sampler *sampler, int64_t wall_ms) {
        struct arena CLEANUP(arena_free) arena = {0};
        for (size_t i = 0; i < SAMPLER_SLOTS; i++)
                if (atomic_load(&sampler->slots[i].state) == SLOT_FULL)
                        digest(sampler, &sampler->slots[i], &arena, wall_ms);
        for (size_t i = 0; i < sampler->gate_count; i++)
                atomic_store_explicit(&sampler->gates[i].closed, false, memory_order_relaxed);
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

// SPDX-License-Identifier: Apache-2.0
#include "migrate/prove.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/change.h"
#include "json/writer.h"
#include "log/log.h"
#include "log/record.h"
#include "os/loop.h"
#include "registry/registry.h"
#include "schema/generate.h"
#include "store/state.h"

enum {
        PAGE_RECORDS = 64, PAGE_BYTES = 1 << 20, PAUSE_MS = 2,         // between two pages: the log has others to serve
        TURN = 32,                              // events looked at before others get the loop
        GENERATED = 200, SEED = 20261126,
        TEXT_DEPTH = 8,                         // texts of real events for generated ones are looked for so deep
};

struct prover {
        struct prover_options options;
        struct log_reader *log_reader;
        struct converter *converter;            // made with the first proof that needs it
        struct migrate_proof *proof;            // NULL: none is under way
        struct list waiting;                    // struct migrate_proof
        struct loop_timer timer;
        // where it is
        unsigned partition;
        int64_t offset;
        struct arena page;
        struct log_record *records;
        size_t count, at;
        bool copies;                            // rows of commute's copy are looked at, too, and are not through yet
        uint32_t family;                        // of the topic in the views
        struct buffer after;                    // the key of the row that was looked at last
        struct state_replica *rows;
        size_t row_count, row_at;
        struct generator *generator;
        unsigned made;
        // the event under way
        struct arena arena;
        struct change change;
        const struct json *event;
        unsigned version;
        uint64_t position;                      // 0: generated
        bool back;                              // on its way back
};

static void proceed(struct prover *prover);

static void fire(struct loop_timer *timer) {
        proceed(CONTAINER_OF(timer, struct prover, timer));
}

static void soon(struct prover *prover, uint64_t ms) {
        prover->timer.fire = fire;
        loop_timer_set(prover->options.loop, &prover->timer, loop_now_ns(prover->options.loop) + MILLISECONDS(ms));
}

struct prover *prover_new(const struct prover_options *options) {
        struct prover *prover = must_calloc(1, sizeof *prover);
        prover->options = *options;
        list_init(&prover->waiting);
        return prover;
}

static void forget(struct prover *prover) {
        generator_free(TAKE(prover->generator));
        arena_free(&prover->page);
        arena_free(&prover->arena);
        buffer_free(&prover->after);
        prover->records = NULL;
        prover->rows = NULL;
        prover->count = prover->at = prover->row_count = prover->row_at = 0;
}

void prover_free(struct prover *prover) {
        if (!prover)
                return;
        prover->proof = NULL;
        loop_timer_cancel(prover->options.loop, &prover->timer);
        converter_free(prover->converter);
        forget(prover);
        log_reader_close(prover->log_reader);
        free(prover);
}

// ---- its end, and what is found ----

static void end(struct prover *prover) {
        struct migrate_proof *proof = TAKE(prover->proof);
        forget(prover);
        proof->done(proof);
        if (list_empty(&prover->waiting))
                return;
        struct migrate_proof *next = LIST_FIRST(&prover->waiting, struct migrate_proof, link);
        list_remove(&next->link);
        prover_prove(prover, next);
}

static void broken(struct prover *prover, const struct error *error) {
        prover->proof->broken = true;
        snprintf(prover->proof->failure, sizeof prover->proof->failure, "%.390s", error->text);
        end(prover);
}

static void fails(struct prover *prover, const struct error *error) {
        struct migrate_proof *proof = prover->proof;
        char where[64];
        if (proof->failed++)
                return;
        if (prover->position)
                snprintf(where, sizeof where, "the event at position %" PRIu64, prover->position);
        else
                snprintf(where, sizeof where, "generated event %u", prover->made);
        snprintf(proof->failure, sizeof proof->failure, "%s: %.320s", where, error->text);
}

// Pointers at which a has something that b has not, or has otherwise.
static void find_lost(const struct json *a, const struct json *b, struct buffer *path, struct migrate_proof *proof) {
        if (json_is(a, JSON_OBJECT) && json_is(b, JSON_OBJECT)) {
                size_t before = path->size;
                JSON_FOR_EACH_MEMBER(key, value, a) {
                        json_pointer_append(path, json_text(key));
                        find_lost(value, json_get(b, json_text(key)), path, proof);
                        path->size = before;
                }
                JSON_FOR_EACH_MEMBER(key, value, b) {
                        json_pointer_append(path, json_text(key));
                        if (!json_get(a, json_text(key)))
                                find_lost(value, NULL, path, proof);
                        path->size = before;
                }
                return;
        }
        if (b && json_equal(a, b))
                return;
        size_t size = strlen(proof->lost);
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)MIN(path->size, (size_t)120), path->size ? path->data : "");
        const char *there = strstr(proof->lost, name);
        if (there && (there[strlen(name)] == ',' || !there[strlen(name)]))
                return;
        snprintf(proof->lost + size, sizeof proof->lost - size, "%s%s", size ? ", " : "", *name ? name : "the whole event");
}

// ---- one event ----

static bool prepare(struct prover *prover, unsigned from, unsigned to, struct error *error) {
        const struct model_event *event = prover->proof->event;
        struct registry_version found;
        if (!registry_version(prover->options.registry, bytes_of(event->name), to + 1, &found))
                return error_set(error, ERROR_NOT_FOUND, "version %u of %s is not registered", to, event->name);
        prover->change = (struct change){
                .converter = prover->converter, .event = event, .from = from, .to = to, .arena = &prover->arena,
                .schema = registry_schema(prover->options.registry, found.id),
        };
        if (prover->options.inputs)
                prover->change.inputs = prover->options.inputs(prover->options.user);
        return true;
}

static void changed(struct change *change);

// There, and if that is well, back. True: it is under way.
static bool judge(struct prover *prover) {
        struct migrate_proof *proof = prover->proof;
        struct change *change = &prover->change;
        if (change->result == CHANGE_FAILED && change->error.code == ERROR_UNAVAILABLE) {
                broken(prover, &change->error);
                return true;
        }
        if (change->result == CHANGE_FAILED && !prover->back) {
                fails(prover, &change->error);
                return false;
        }
        if (prover->back) {
                CLEANUP(buffer_free) struct buffer path = {0};
                bool same = change->result == CHANGE_DONE && json_equal(prover->event, change->json);
                proof->lossy += !same;
                if (!same)
                        find_lost(prover->event, change->result == CHANGE_DONE ? change->json : NULL, &path, proof);
                return false;
        }
        if (!model_way(proof->event, proof->to, prover->version, NULL))
                return false;                           // there is no way back
        struct bytes body = change->body;
        struct error error;
        if (!prepare(prover, proof->to, prover->version, &error)) {
                broken(prover, &error);
                return true;
        }
        prover->back = true;
        change->done = changed;
        return change_begin(change, body) == CHANGE_WAITS || judge(prover);
}

static void changed(struct change *change) {
        struct prover *prover = CONTAINER_OF(change, struct prover, change);
        if (prover->proof && !judge(prover))
                soon(prover, 0);
}

static bool begin_event(struct prover *prover, struct bytes body) {
        struct migrate_proof *proof = prover->proof;
        struct error error;
        if (prover->version == proof->to)
                return false;
        if (!prepare(prover, prover->version, proof->to, &error)) {
                broken(prover, &error);
                return true;
        }
        prover->back = false;
        prover->change.done = changed;
        return change_begin(&prover->change, body) == CHANGE_WAITS || judge(prover);
}

// ---- retained events ----

static void gather_texts(struct prover *prover, const struct json *node, unsigned depth) {
        if (json_is(node, JSON_STRING))
                generator_text(prover->generator, json_text(node));
        else if (json_is(node, JSON_OBJECT) && depth < TEXT_DEPTH)
                JSON_FOR_EACH_MEMBER(key, value, node) {
                        (void)key;
                        gather_texts(prover, value, depth + 1);
                }
}

static bool version_of(const struct prover *prover, uint32_t schema_id, unsigned *ret_version) {
        const struct model_event *event = prover->proof->event;
        if (!schema_id) {                               // written down before versions were
                *ret_version = event->produces;
                return true;
        }
        for (unsigned version = 0; version < event->version_count; version++) {
                struct registry_version found;
                if (registry_version(prover->options.registry, bytes_of(event->name), version + 1, &found) && found.id == schema_id) {
                        *ret_version = version;
                        return true;
                }
        }
        return false;
}

// One in a version of the event. True: it is under way, or all is over.
static bool look_at_event(struct prover *prover, uint64_t position, uint32_t schema_id, struct bytes body) {
        struct migrate_proof *proof = prover->proof;
        struct error error;
        prover->position = position;
        arena_reset(&prover->arena);
        if (!version_of(prover, schema_id, &prover->version)) {
                error_set(&error, ERROR_REJECTED, "schema %" PRIu32 " is no version of %s", schema_id, proof->event->name);
                fails(prover, &error);
                return false;
        }
        struct registry_version found;
        const struct schema *schema = NULL;
        if (registry_version(prover->options.registry, bytes_of(proof->event->name), prover->version + 1, &found))
                schema = registry_schema(prover->options.registry, found.id);
        if (!json_parse(body, NULL, &prover->arena, &prover->event, &error) ||
            (proof->old_only && schema && (!schema_validate(schema, body, prover->event, &prover->arena, &error) ||
                                 !change_check_version(proof->event, prover->version, prover->event, &error)))) {
                fails(prover, &error);
                return false;
        }
        if (proof->old_only)
                return false;
        if (prover->version == proof->from)
                gather_texts(prover, prover->event, 0);
        return begin_event(prover, arena_copy(&prover->arena, body));
}

// True: it is under way, or all is over.
static bool look_at(struct prover *prover, const struct log_record *entry) {
        struct migrate_proof *proof = prover->proof;
        struct record record;
        struct error error;
        if (!record_decode(entry->header, &record, &error)) {
                broken(prover, &error);
                return true;
        }
        if (record.kind != RECORD_MESSAGE || (record.flags & RECORD_TOMBSTONE))
                return false;
        proof->retained++;
        return look_at_event(prover, entry->position, record.schema_id, entry->body);
}

// A row of the copy may be older than what the log retains. True: as above.
static bool look_at_row(struct prover *prover, const struct state_replica *row) {
        prover->proof->copies++;
        return look_at_event(prover, row->position, row->schema_id, row->body);
}

// The next rows of the copy. False: that was all, or it is over.
static bool read_rows(struct prover *prover) {
        struct error error;
        arena_reset(&prover->page);
        prover->row_at = prover->row_count = 0;
        if (!state_replica_list(prover->options.reader, prover->family, buffer_bytes(&prover->after), PAGE_RECORDS, &prover->page,
                                &prover->rows, &prover->row_count, &error)) {
                broken(prover, &error);
                return false;
        }
        prover->copies = prover->row_count > 0;
        if (prover->copies) {
                buffer_clear(&prover->after);
                buffer_append(&prover->after, prover->rows[prover->row_count - 1].key);
        }
        return prover->copies;
}

static bool find_copies(struct prover *prover, struct error *error) {
        const struct model_event *event = prover->proof->event;
        char name[LOG_NAME_MAX + 1];
        struct error why = {0};
        int size = snprintf(name, sizeof name, "topic/%s", event->topic);
        buffer_clear(&prover->after);
        prover->copies = prover->options.reader && event->reader && event->reader->async->keep_gateway &&
                         state_family(prover->options.reader, (struct bytes){name, (size_t)size}, &prover->family, &why);
        return why.code == ERROR_NONE || why.code == ERROR_NOT_FOUND || error_set(error, why.code, "%s", why.text);
}

// The next page of the topic. False: that was all, or it is over.
static bool read_page(struct prover *prover) {
        const struct model_event *event = prover->proof->event;
        struct error error;
        arena_reset(&prover->page);
        prover->at = prover->count = 0;
        while (prover->partition < event->partitions) {
                char name[LOG_NAME_MAX + 1];
                int size = snprintf(name, sizeof name, "topic/%s/%u", event->topic, prover->partition);
                uint32_t stream;
                if (!log_stream(prover->options.log, (struct bytes){name, (size_t)size}, LOG_STREAM_OFFSETS, &stream, &error) ||
                    !log_read_stream(prover->log_reader, stream, prover->offset, PAGE_RECORDS, PAGE_BYTES, &prover->page, &prover->records,
                                     &prover->count, &error)) {
                        broken(prover, &error);
                        return false;
                }
                if (prover->count) {
                        prover->offset = prover->records[prover->count - 1].offset + 1;
                        return true;
                }
                prover->partition++;
                prover->offset = 0;
        }
        return false;
}

// ---- generated ones ----

// Says this version where it says one.
static void say_version(struct prover *prover, struct bytes *body) {
        CLEANUP(buffer_free) struct buffer text = {0};
        struct json_writer writer = {.buffer = &text};
        const struct json *member = json_get_text(prover->event, "event_version");
        uint64_t said;
        bool says = change_says_version(prover->event, &said);
        if (says ? said == prover->version : !json_is(member, JSON_NUMBER))
                return;
        json_begin_object(&writer);
        JSON_FOR_EACH_MEMBER(key, value, prover->event) {
                json_key_bytes(&writer, json_text(key));
                if (bytes_equal(json_text(key), BYTES("event_version")))
                        json_u64(&writer, prover->version);
                else
                        json_node(&writer, value);
        }
        json_end_object(&writer);
        json_end(&writer);
        *body = arena_copy(&prover->arena, buffer_bytes(&text));
}

// As it would lie in the topic: with its version, and with its defaults. False: it would not be taken.
static bool as_appended(struct prover *prover, struct bytes *body, struct error *error) {
        const struct schema *schema = generator_schema(prover->generator);
        CLEANUP(buffer_free) struct buffer filled = {0};
        if (!json_parse(*body, NULL, &prover->arena, &prover->event, error))
                return false;
        say_version(prover, body);
        if (!json_parse(*body, NULL, &prover->arena, &prover->event, error))
                return false;
        bool fills;
        if (!schema_fill_defaults(schema, prover->event, &filled, &fills, error))
                return false;
        if (fills) {
                *body = arena_copy(&prover->arena, buffer_bytes(&filled));
                if (!json_parse(*body, NULL, &prover->arena, &prover->event, error))
                        return false;
        }
        return schema_validate(schema, *body, prover->event, &prover->arena, error) &&
               change_check_version(prover->proof->event, prover->version, prover->event, error);
}

// True: it is under way, or all is over.
static bool generate(struct prover *prover) {
        CLEANUP(buffer_free) struct buffer text = {0};
        struct error error;
        prover->made++;
        arena_reset(&prover->arena);
        if (!generator_next(prover->generator, &text))
                return false;                           // its schema says more than the generator knows
        prover->proof->generated++;
        prover->position = 0;
        prover->version = prover->proof->from;
        struct bytes body = arena_copy(&prover->arena, buffer_bytes(&text));
        if (!as_appended(prover, &body, &error)) {
                prover->proof->generated--;             // no producer could have sent it
                return false;
        }
        return begin_event(prover, body);
}

static void proceed(struct prover *prover) {
        for (unsigned i = 0; i < TURN; i++) {
                if (!prover->proof)
                        return;
                if (prover->at < prover->count) {
                        if (look_at(prover, &prover->records[prover->at++]))
                                return;
                } else if (prover->partition < prover->proof->event->partitions) {
                        if (read_page(prover)) {
                                soon(prover, PAUSE_MS);
                                return;
                        }
                } else if (prover->row_at < prover->row_count) {
                        if (look_at_row(prover, &prover->rows[prover->row_at++]))
                                return;
                } else if (prover->copies) {
                        if (read_rows(prover)) {
                                soon(prover, PAUSE_MS);
                                return;
                        }
                } else if (!prover->proof->old_only && prover->made < GENERATED) {
                        if (generate(prover))
                                return;
                } else {
                        end(prover);
                        return;
                }
        }
        soon(prover, 0);
}

static bool begin(struct prover *prover, struct error *error) {
        const struct migrate_proof *proof = prover->proof;
        const struct model *model = prover->options.model;
        struct registry_version found;
        if (!prover->log_reader && !log_reader_open(prover->options.log, &prover->log_reader, error))
                return false;
        if (!prover->converter && model->program_count && !proof->old_only) {
                struct converter_options options = {
                        .loop = prover->options.loop, .programs = model->programs, .program_count = model->program_count,
                        .executable = prover->options.converter,
                };
                if (!converter_new(&options, &prover->converter, error))
                        return false;
        }
        if (!find_copies(prover, error))
                return false;
        if (proof->old_only)
                return true;
        if (!registry_version(prover->options.registry, bytes_of(proof->event->name), proof->from + 1, &found))
                return error_set(error, ERROR_NOT_FOUND, "version %u of %s is not registered", proof->from, proof->event->name);
        return generator_new(registry_schema(prover->options.registry, found.id), SEED, &prover->generator, error);
}

void prover_prove(struct prover *prover, struct migrate_proof *proof) {
        struct error error;
        list_init(&proof->link);
        if (prover->proof) {
                list_append(&prover->waiting, &proof->link);
                return;
        }
        prover->proof = proof;
        prover->partition = prover->made = 0;
        prover->offset = 0;
        if (begin(prover, &error))
                soon(prover, 0);
        else
                broken(prover, &error);
}

// SPDX-License-Identifier: Apache-2.0
// One key looked at: read from the owner while its lock is held, so that no captured write is under way, and published or compared.
//
//      dirty           published whatever it says, `settle` after the write that nobody knows the outcome of; answers for every
//                      CAPTURE of the key up to the newest
//      shadow          compared with what the copy would answer; counts
//      reconcile       compared; a difference is a write that came past the gateway; repaired by a re-read
//      sweep           compared; a difference is a row of an older time; repaired
//      refresh         published, in the version that is emitted now
//
// The lock keeps writes of the key away, but for those whose key nobody knows yet: a difference that is seen while such a write is
// under way is looked at again when that has ended.
//
// A look that fails (the owner is down) is begun again: dirty keys after a second, the others by whoever began them.
#include "gateway/data_priv.h"
#include "gateway/mask.h"

#include <stdlib.h>

enum { AGAIN_MS = 1000, ROUNDS_MAX = 5, ROUND_MS = 10 };

static void difference_of_row(struct data *data, struct bytes key, const char *what) {
        struct buffer CLEANUP(buffer_free) text = {0};
        mask_key(&data->gateway->options.hash_key, data->event, key, &text);
        shadow_difference(data->route, "%.*s: %s", BYTES_PRINT(buffer_bytes(&text)), what);
}

static void look_held(struct data_claim *claim);

static void look_end(struct look *look) {
        struct data *data = look->claim.data;
        bool of_walk = look->of_walk, dirty = look->kind == LOOK_DIRTY;
        data_release(&look->claim);
        list_remove(&look->link);
        data->look_count--;
        arena_free(&look->arena);
        free(look);
        if (of_walk)
                walk_went_on(data);
        if (dirty)
                look_dirty(data);
}

static void look_failed(struct look *look) {
        struct data *data = look->claim.data;
        if (look->kind == LOOK_DIRTY)
                dirty_again(&data->dirty, look->key, data_now(data) + MILLISECONDS(AGAIN_MS));
        look_end(look);
}

static void published(struct publication *publication) {
        struct look *look = CONTAINER_OF(publication, struct look, publication);
        if (!publication->durable) {
                look_failed(look);
                return;
        }
        publication->data->rereads++;
        publication->data->refreshed += look->kind == LOOK_REFRESH;
        look_end(look);
}

// event NULL: the owner has it no more.
static void publish(struct look *look, const struct data_event *event) {
        struct data *data = look->claim.data;
        look->publication.request.key = look->key;
        look->publication.data = data;
        look->publication.done = published;
        look->publication.flags = RECORD_REREAD | (event ? event->flags : (unsigned)RECORD_TOMBSTONE);
        look->publication.body = event ? event->body : (struct bytes){0};
        look->publication.version = look->publication.given = data->event->produces;
        look->publication.producer = arena_print(&look->arena, "%s by %s", data->communication->from->name,
                                                 target_source(data->event->read));
        look->publication.arena = &look->arena;
        data_publish(&look->publication);
}

static void next_round(struct loop_timer *timer) {
        struct look *look = CONTAINER_OF(timer, struct look, timer);
        struct data *data = look->claim.data;
        if (!data->stopping && capture_oldest_without_key(data) <= look->waits_for)
                loop_timer_set(data->gateway->owner, timer, data_now(data) + MILLISECONDS(ROUND_MS));
        else if (data->stopping || !data_claim(data, &look->claim, look->key, look_held))
                look_failed(look);
}

// Whether a write whose key nobody knows may have made the difference; then it is looked at again when that has ended.
static bool waits_for_keyless(struct look *look) {
        struct data *data = look->claim.data;
        look->waits_for = capture_newest_without_key(data);
        if (!look->waits_for || look->rounds++ == ROUNDS_MAX)
                return false;
        data_release(&look->claim);                     // that write will want it
        look->asked = 0;
        look->timer.fire = next_round;
        loop_timer_set(data->gateway->owner, &look->timer, data_now(data) + MILLISECONDS(ROUND_MS));
        return true;
}

static void judge_met(struct look *look) {
        struct data *data = look->claim.data;
        const struct data_event *event = look->is_event ? &look->event : NULL;
        CLEANUP(buffer_free) struct buffer text = {0};
        if (data->stopping) {
                look_failed(look);
                return;
        }
        bool agrees = data_agrees(data, look->key, &look->meeting, &look->arena, &text);
        if (!agrees && waits_for_keyless(look))
                return;
        if (look->kind == LOOK_SHADOW) {
                if (agrees && data->route->shadow.on)
                        data->route->shadow.compared++;
                else if (!agrees)
                        shadow_difference(data->route, "%.*s", BYTES_PRINT(buffer_bytes(&text)));
                look_end(look);
                return;
        }
        bool swept = look->kind == LOOK_SWEEP;
        if (agrees && !(swept && event)) {
                look_end(look);
                return;
        }
        if (swept) {
                data->backfill.removed += !event;
        } else {
                data->reconciliation.differing++;
                if (data->reconciliation.bypassed++ == 0)
                        data_note(data->reconciliation.first_bypass, sizeof data->reconciliation.first_bypass, "%.*s",
                                  BYTES_PRINT(buffer_bytes(&text)));
        }
        publish(look, event);
}

static void met(struct meeting *meeting) {
        judge_met(CONTAINER_OF(meeting, struct look, meeting));
}

// event: what would be published for the row; NULL: the owner has none, or this is only compared.
static void judge(struct look *look, const struct json *row, struct bytes body, const struct data_event *event) {
        struct data *data = look->claim.data;
        struct copy copy = data_copy(data, look->key, &look->arena);
        // What nobody knows of now is no evidence: a re-read will answer for it.
        bool unknown = dirty_has(&data->dirty, look->key) || (row && look->kind != LOOK_SWEEP && dirty_has_topic(&data->dirty));
        look->is_event = event != NULL;
        if (event)
                look->event = *event;
        if (copy.state == COPY_UNREADABLE || unknown) {
                look_end(look);
                return;
        }
        look->meeting.met = met;
        if (data_meet(&look->meeting, data, row, body, &copy, &look->arena) != CHANGE_WAITS)
                judge_met(look);
}

static void read_back(void *user, const struct http_call_result *result) {
        struct look *look = user;
        struct data *data = look->claim.data;
        bool gone = result->outcome == HTTP_CALL_OK && (result->status == 404 || result->status == 410);
        bool found = result->outcome == HTTP_CALL_OK && result->status / 100 == 2;
        if (data->stopping || (!gone && !found)) {
                look_failed(look);
                return;
        }
        struct data_event event = {0};
        struct error error;
        const struct json *row = NULL;
        struct bytes body = arena_copy(&look->arena, result->body);
        // The reader of a copy in commute would see the event in place of the owner's answer; else the event is what was delivered.
        bool raw = look->kind == LOOK_SHADOW && data->communication->async->keep_gateway;
        if (found && raw && json_parse(body, NULL, &look->arena, &row, NULL)) {
                judge(look, row, body, NULL);
                return;
        }
        if (found && !data_event_of(data, body, look->key, &look->arena, &event, &error)) {
                if (look->kind == LOOK_SHADOW)
                        difference_of_row(data, look->key, error.text);
                data_note(data->reconciliation.failure, sizeof data->reconciliation.failure, "%s", error.text);
                look_failed(look);
                return;
        }
        if (look->kind == LOOK_DIRTY || look->kind == LOOK_REFRESH)
                publish(look, found ? &event : NULL);
        else
                judge(look, found ? event.json : NULL, event.body, found ? &event : NULL);
}

static void look_held(struct data_claim *claim) {
        struct look *look = (struct look *)claim;
        struct data *data = claim->data;
        bool raw = look->kind == LOOK_SHADOW && data->communication->async->keep_gateway;
        const struct target *target = raw ? data->communication->pull : data->event->read;
        struct named_value key = {target_variable(target, 0), look->key};
        struct error error;
        look->asked = log_last_position(data->gateway->options.log);
        if (data->stopping || !data_get(data, target, key, read_back, look, NULL, &error))
                look_failed(look);
}

static struct look *look_new(struct data *data, enum look_kind kind, struct bytes key) {
        struct look *look = must_calloc(1, sizeof *look);
        look->kind = kind;
        look->key = arena_copy(&look->arena, key);
        list_init(&look->link);
        if (!data_claim(data, &look->claim, look->key, look_held)) {
                arena_free(&look->arena);
                free(look);
                return NULL;
        }
        list_append(&data->looks, &look->link);
        data->look_count++;
        return look;
}

bool look_begin(struct data *data, enum look_kind kind, struct bytes key, bool of_walk) {
        if (data->stopping || !data->event->read || data->look_count >= DATA_LOOKS_MAX)
                return false;
        struct look *look = look_new(data, kind, key);
        if (look)
                look->of_walk = of_walk;
        return look != NULL;
}

bool look_is_under_way(const struct data *data, uint64_t up_to) {
        LIST_FOR_EACH(link, &data->looks) {
                const struct look *look = CONTAINER_OF(link, struct look, link);
                if (look->asked && look->asked <= up_to)
                        return true;
        }
        return false;
}

void look_dirty(struct data *data) {
        uint64_t now = data_now(data), next = 0, topic_next = 0, topic_up_to = 0;
        if (data->stopping)
                return;
        for (struct dirty_key *key; data->event->read && data->look_count < DATA_LOOKS_MAX &&
                                    (key = dirty_due(&data->dirty, now, &next));) {
                // Where nothing is captured nothing is published: it stays dirty until that begins again.
                struct look *look = data_mode(data, key->key) == LANE_PLAIN ? NULL : look_new(data, LOOK_DIRTY, key->key);
                if (look)
                        look->publication.reference = key->newest;
                else
                        dirty_again(&data->dirty, key->key, now + MILLISECONDS(AGAIN_MS));
        }
        dirty_topic_due(&data->dirty, now, &topic_up_to, &topic_next);
        if (topic_up_to && data->walk.kind != WALK_BACKFILL && data->event->backfill && data_captures(data))
                walk_begin(data, WALK_BACKFILL);
        else if (topic_up_to)
                topic_next = now + MILLISECONDS(AGAIN_MS);
        if (topic_next && (!next || topic_next < next))
                next = topic_next;
        if (next)
                loop_timer_set(data->gateway->owner, &data->dirty_timer, MAX(next, now + MILLISECONDS(1)));
}

void looks_free(struct data *data) {
        LIST_FOR_EACH_SAFE(link, &data->looks) {
                struct look *look = CONTAINER_OF(link, struct look, link);
                look->claim.task.run = look->publication.task.run = data_bury;
                loop_timer_cancel(data->gateway->owner, &look->timer);
                arena_free(&look->arena);
                list_remove(&look->link);
        }
}

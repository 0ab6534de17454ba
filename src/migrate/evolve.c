// SPDX-License-Identifier: Apache-2.0
// The versions of an event: the user's steps as a table (MISSION.md, 5), its looks and its acts. "Old" is every version below the one
// that is moved to, or above it on a way down; what is old and where it still lies is struct migrate_usage.
#include "migrate/migrate_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "migrate/where.h"

enum {
        MOVED_EVENTS = 20, MOVED_MS = 60000,    // a producer has moved: so many events in a row, or so long without an old one
        VIEWS_NEAR = 5000,                      // positions behind the log's end that steady traffic explains
        AGAIN_MS = 10000,                       // between two proofs that fail
        GROUP_TEXT_MAX = MIGRATE_GROUP_MAX + 60,
};
#define NOTHING_TO_UNDO "nothing to undo"

static const struct model_event *event_of(const struct migrate_view *view) {
        return view->subject->event;
}

static bool has_forms(const struct migrate_view *view) {
        return view->communication->kind == MODEL_FUNCTIONAL;
}

// Whether its owner's bodies become events.
static bool gives_bodies(const struct model_event *event) {
        return event->reader && event->reader->kind == MODEL_DATA && (event->capture_count || event->backfill || event->read);
}

// ---- 1: contract ----

static enum migrate_verdict look_contract(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct model_event *event = event_of(view);
        unsigned from = view->subject->from, to = view->subject->to;
        migrate_figure(evidence, "versions", event->version_count);
        unsigned missing;
        bool back = model_way(event, to, from, NULL);
        if (!model_way(event, from, to, &missing))
                return migrate_say(evidence, MIGRATE_WAIT, "%s has no mapping to version %u on the way from %u: write `%s` of version %u",
                                   event->name, missing, from, from < to ? "up" : "down", from < to ? missing : missing + 1);
        if (gives_bodies(event) && !model_way(event, event->produces, to, &missing))
                return migrate_say(evidence, MIGRATE_WAIT, "%s gives version %u, from which no mapping leads to version %u on the way "
                                   "to %u", event->from->name, event->produces, missing, to);
        if (has_forms(view) && !view->communication->async->forms[to].wrap)
                return migrate_say(evidence, MIGRATE_WAIT, "%s has no `wrap` of version %u, so that its calls cannot be emitted in it",
                                   view->communication->name, to);
        return migrate_say(evidence, MIGRATE_PASS, "version %u compiles, and so do the mappings from version %u%s", to, from,
                           back ? " and back" : "; there is none back: a reader of the old version alone gets nothing new");
}

// ---- 2 and 3: registered and proven ----

static void proved(struct migrate_proof *proof) {
        struct migration *migration = CONTAINER_OF(proof, struct migration, proof);
        proof->ended = true;
        migration->proving = false;
}

// Phases of the acts that prove: 0 nothing was asked for, 1 the proof is under way or has ended.
static enum migrate_verdict act_proved(struct migration *migration, bool old_only, struct migrate_evidence *evidence) {
        const struct migrate_options *options = &migration->migrate->options;
        struct migrate_proof *proof = &migration->proof;
        bool nothing = !old_only && !proof->retained && !proof->copies && !proof->generated;
        if (migration->phase == 1 && proof->ended && (proof->failed || proof->broken || nothing) &&
            (uint64_t)migration->view.now_ms - migration->base >= AGAIN_MS)
                migration->phase = 0;                   // a person may have mended it
        if (migration->phase == 0 && !migration->proving) {
                migration->base = (uint64_t)migration->view.now_ms;
                *proof = (struct migrate_proof){
                        .event = migration->subject.event, .from = migration->subject.from, .to = migration->subject.to,
                        .old_only = old_only, .done = proved,
                };
                migration->phase = 1;
                migration->proving = true;
                options->ops->prove(options->user, proof);
        }
        migrate_figure(evidence, "retained", proof->retained);
        migrate_figure(evidence, "generated", proof->generated);
        if (proof->copies)
                migrate_figure(evidence, "copies", proof->copies);
        migrate_figure(evidence, "failed", proof->failed);
        migrate_figure(evidence, "lossy", proof->lossy);
        if (!proof->ended)
                return migrate_say(evidence, MIGRATE_WAIT, "%" PRIu64 " retained and %" PRIu64 " generated events looked at so far",
                                   proof->retained, proof->generated);
        if (!proof->failed && !proof->broken)
                return MIGRATE_PASS;
        return migrate_say(evidence, proof->broken ? MIGRATE_WAIT : MIGRATE_FAIL, "%" PRIu64 " of %" PRIu64 " retained and %" PRIu64
                           " generated events fail; first: %s", proof->failed, proof->retained, proof->generated, proof->failure);
}

static enum migrate_verdict act_old_registered(struct migration *migration, struct migrate_evidence *evidence) {
        unsigned from = migration->subject.from, to = migration->subject.to;
        enum migrate_verdict verdict = migrate_act_registered(migration, migration->subject.event, from < to ? to - 1 : from, evidence);
        if (verdict == MIGRATE_PASS)
                verdict = act_proved(migration, true, evidence);
        if (verdict != MIGRATE_PASS)
                return verdict;
        return migrate_say(evidence, MIGRATE_PASS, "version %u is registered; %" PRIu64 " retained event%s, each valid in its version",
                           from, migration->proof.retained, migrate_plural(migration->proof.retained));
}

// " (in compatibility group 1 of its subject)", or nothing; versions are compared within a group (registry.h).
static const char *group_of(const struct migration *migration, unsigned version, char text[static GROUP_TEXT_MAX]) {
        const struct migrate_options *options = &migration->migrate->options;
        char value[MIGRATE_GROUP_MAX];
        uint32_t id;
        struct error error;
        text[0] = 0;
        if (options->ops->registered(options->user, migration->subject.event, version, &id, &error) &&
            options->ops->group(options->user, id, value))
                snprintf(text, GROUP_TEXT_MAX, " (in compatibility group %s of its subject)", value);
        return text;
}

static enum migrate_verdict act_new_registered(struct migration *migration, struct migrate_evidence *evidence) {
        unsigned from = migration->subject.from, to = migration->subject.to;
        const struct migrate_proof *proof = &migration->proof;
        enum migrate_verdict verdict = migrate_act_registered(migration, migration->subject.event, MAX(from, to), evidence);
        if (verdict == MIGRATE_PASS)
                verdict = act_proved(migration, false, evidence);
        if (verdict != MIGRATE_PASS)
                return verdict;
        if (!proof->retained && !proof->copies && !proof->generated)
                return migrate_say(evidence, MIGRATE_WAIT, "nothing is proven: no event is retained, and none could be made up from the "
                                   "contract of version %u", from);
        char lost[400] = "each comes back as it was", rows[60] = "", group[GROUP_TEXT_MAX];
        if (proof->copies)
                snprintf(rows, sizeof rows, " (and %" PRIu64 " rows of commute's copy)", proof->copies);
        if (proof->lossy)
                snprintf(lost, sizeof lost, "%" PRIu64 " of them do not come back as they were: %s", proof->lossy, proof->lost);
        return migrate_say(evidence, MIGRATE_PASS, "%" PRIu64 " retained%s and %" PRIu64 " generated events of version %u are valid in "
                           "version %u%s; %s", proof->retained, rows, proof->generated, from, to, group_of(migration, to, group), lost);
}

// ---- 4: consumers ----

// What the reader gets of the version that is moved to: that one, or the nearest.
static unsigned delivered_version(const struct migrate_view *view) {
        const struct model_async *async = view->communication->async;
        unsigned to = view->subject->to, version = to;
        if (!has_forms(view))
                return model_reads(async, to) ? to : model_reads_instead(async, to);
        while (version > 0 && !async->forms[version].unwrap)
                version--;
        return version;
}

static bool is_old(const struct migrate_view *view, unsigned version) {
        return view->subject->from < view->subject->to ? version < view->subject->to : version > view->subject->to;
}

// The reader understands no newer one than an old version.
static bool gets_old(const struct migrate_view *view) {
        return is_old(view, delivered_version(view));
}

// Whether the reader understands the version, and what it gets if not.
static void say_reader(const struct migrate_view *view, char text[static MIGRATE_SENTENCE_MAX]) {
        const struct model_communication *communication = view->communication;
        unsigned to = view->subject->to, instead = delivered_version(view);
        if (instead == to)
                migrate_print(text, "%s by %s reads version %u", communication->to->name, communication->name, to);
        else
                migrate_print(text, "%s by %s does not read version %u: it gets version %u, which is made of it", communication->to->name,
                              communication->name, to, instead);
}

static bool way_to_reader(const struct migrate_view *view, unsigned *ret_missing) {
        unsigned wanted = delivered_version(view);
        return model_way(event_of(view), view->subject->to, wanted, ret_missing);
}

// What a target of its deliveries is made of, and neither the version that it gets nor a version 0 made of it has.
static const char *target_lacks(const struct migrate_view *view) {
        const struct model_communication *communication = view->communication;
        const struct model_delivery *deliver = &communication->async->deliver;
        unsigned version = delivered_version(view);
        const char *lacks = NULL;
        if (deliver->target && deliver->target != communication->call)
                lacks = model_delivery_lacks(deliver, version);
        if (!lacks && communication->push.target)
                lacks = model_delivery_lacks(&communication->push, version);
        return lacks;
}

static enum migrate_verdict look_consumers(const struct migrate_view *view, struct migrate_evidence *evidence) {
        char reader[MIGRATE_SENTENCE_MAX];
        unsigned missing;
        const struct model_communication *communication = view->communication;
        if (migrate_running(view->migrate, communication))
                return migrate_say(evidence, MIGRATE_WAIT, "a migration of %s is under way: let it end first", communication->name);
        say_reader(view, reader);
        if (!way_to_reader(view, &missing))
                return migrate_say(evidence, MIGRATE_FAIL, "%.300s; but there is no mapping to version %u", reader, missing);
        if (communication->async->keep_gateway)
                return migrate_say(evidence, MIGRATE_PASS, "%s; commute keeps its copy", reader);
        const char *lacks = target_lacks(view);
        if (lacks)
                return migrate_say(evidence, MIGRATE_FAIL, "%.200s; but the contract of version %u names no %.100s, of which the target of "
                                   "its deliveries is made, and no `down` leads to version 0, which has it", reader,
                                   delivered_version(view), lacks);
        if (!view->question)
                return migrate_say(evidence, MIGRATE_WAIT, "%s is being asked whether it answers", communication->to->name);
        return migrate_say(evidence, view->question->answers ? MIGRATE_PASS : MIGRATE_WAIT, "%.200s; %.240s", reader,
                           view->question->sentence);
}

// ---- 5: producer ----

static enum migrate_verdict act_emit(struct migration *migration, unsigned version, struct migrate_evidence *evidence) {
        if (migration->now->emitted == version)
                return migrate_say(evidence, MIGRATE_PASS, "version %u is emitted", version);
        if (!migration->next) {
                struct migration_state *next = migration_move(migration);
                next->emitted = version;
                next->refused_below = MIN(next->refused_below, version);
                migration_note(next, migration->view.now_ms, "version %u is emitted from here on", version);
                migration_commit(migration, next);
        }
        return migrate_say(evidence, MIGRATE_WAIT, "that version %u is emitted is being recorded", version);
}

static enum migrate_verdict act_emit_new(struct migration *migration, struct migrate_evidence *evidence) {
        return act_emit(migration, migration->subject.to, evidence);
}

static enum migrate_verdict act_emit_old(struct migration *migration, struct migrate_evidence *evidence) {
        return act_emit(migration, migration->subject.from, evidence);
}

static enum migrate_verdict no_usage(struct migrate_evidence *evidence) {
        return migrate_say(evidence, MIGRATE_WAIT, "the views cannot be read now");
}

static uint64_t came_new(const struct migrate_view *view) {
        const struct migrate_usage *before = view->usage_before;
        return before && view->usage->written_new > before->written_new ? view->usage->written_new - before->written_new : 0;
}

static enum migrate_verdict look_emitted(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct migrate_usage *usage = view->usage;
        if (!usage)
                return no_usage(evidence);
        uint64_t came = came_new(view);
        unsigned to = view->subject->to;
        migrate_figure(evidence, "appended", came);
        migrate_figure(evidence, "unsettled", usage->unsettled_new);
        if (view->state.paused)
                return migrate_say(evidence, MIGRATE_WAIT, "deliveries of %s are paused", view->communication->name);
        if (!came)
                return migrate_say(evidence, MIGRATE_WAIT, "no event of version %u has come since it is emitted", to);
        if (usage->unsettled_new >= came)
                return migrate_say(evidence, MIGRATE_WAIT, "%" PRIu64 " event%s of version %u came, and none of them is delivered yet",
                                   came,
                                   migrate_plural(came), to);
        return migrate_say(evidence, MIGRATE_PASS, "%" PRIu64 " event%s of version %u came, and %" PRIu64 " of them %s through", came,
                           migrate_plural(came), to, came - usage->unsettled_new, came - usage->unsettled_new == 1 ? "is" : "are");
}

// ---- 6: the old version is not produced any more ----

// A producer that publishes by itself, sent an old version last, and has not been seen to send the new one since. (What commute
// captures is converted, and is nobody's to change but the owner's.)
static const struct gateway_user *old_producer(const struct migrate_view *view) {
        const struct gateway_versions *versions = view->versions;
        for (size_t i = 0; versions && i < versions->user_count; i++) {
                const struct gateway_user *user = &versions->users[i];
                bool others = strcmp(user->name, GATEWAY_OTHERS) == 0;
                if (user->use != GATEWAY_PRODUCES || !is_old(view, user->version) ||
                    !(others || strstr(user->name, " by POST /events/")))
                        continue;
                bool moved = false;             // of others nobody can say
                for (size_t j = 0; j < versions->user_count; j++)
                        moved |= versions->users[j].use == GATEWAY_PRODUCES && versions->users[j].version == view->subject->to &&
                                 strcmp(versions->users[j].name, user->name) == 0 && versions->users[j].last_ms >= user->last_ms;
                // One that moves instance by instance sends both for a while.
                moved = moved && (user->others_since >= MOVED_EVENTS ||
                                  (user->others_since && view->now_ms - user->last_ms >= MOVED_MS));
                if (!moved)
                        return user;
        }
        return NULL;
}

// The owner of captured writes gives an old version by itself, and nobody has said that it stays so.
static bool old_owner(const struct migrate_view *view) {
        const struct model_event *event = event_of(view);
        return gives_bodies(event) && is_old(view, event->produces) && !event->owner_stays;
}

// By what it gave it last, as far as that has been seen; NULL: not since the start.
static const struct gateway_user *given_last(const struct migrate_view *view) {
        const struct gateway_versions *versions = view->versions;
        const struct gateway_user *last = NULL;
        for (size_t i = 0; versions && i < versions->user_count; i++) {
                const struct gateway_user *user = &versions->users[i];
                if (user->use == GATEWAY_PRODUCES && user->version == event_of(view)->produces &&
                    !strstr(user->name, " by POST /events/") && (!last || user->last_ms > last->last_ms))
                        last = user;
        }
        return last;
}

static enum migrate_verdict say_old_owner(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct model_event *event = event_of(view);
        const struct gateway_user *last = given_last(view);
        char when[GATEWAY_USER_NAME_MAX + 40] = "";
        if (last)
                snprintf(when, sizeof when, " (%s, %" PRId64 " s ago)", last->name, (view->now_ms - last->last_ms) / 1000);
        return migrate_say(evidence, MIGRATE_WAIT, "%s gives version %u by itself%s: have it give version %u and say `produces: %u` of %s, "
                           "or say `owner: stays`, and what it gives is converted for good", event->from->name, event->produces, when,
                           view->subject->to, view->subject->to, event->name);
}

static enum migrate_verdict look_old_off(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct migrate_usage *usage = view->usage;
        unsigned to = view->subject->to;
        if (!usage)
                return no_usage(evidence);
        uint64_t came = came_new(view);
        migrate_figure(evidence, "appended", came);
        const struct gateway_user *producer = old_producer(view);
        if (producer)
                return migrate_say(evidence, MIGRATE_WAIT, "%s sent version %u %" PRId64 " s ago, and %" PRIu64 " of another since (%d in "
                                   "a row, or one and a minute, are wanted): have it send version %u", producer->name, producer->version,
                                   (view->now_ms - producer->last_ms) / 1000, producer->others_since, (int)MOVED_EVENTS, to);
        if (old_owner(view))
                return say_old_owner(view, evidence);
        if (view->usage_before && usage->last_old > view->usage_before->last_old)
                return migrate_say(evidence, MIGRATE_WAIT, "an event of an old version was appended at position %" PRIu64 " after "
                                   "version %u was emitted", usage->last_old, to);
        if (!came)
                return migrate_say(evidence, MIGRATE_WAIT, "no event has come yet by which it could be seen that the old version is off");
        char owner[200] = "";
        if (gives_bodies(event_of(view)) && is_old(view, event_of(view)->produces))
                snprintf(owner, sizeof owner, "; %.64s stays at version %u, which is converted", event_of(view)->from->name,
                         event_of(view)->produces);
        return migrate_say(evidence, MIGRATE_PASS, "%" PRIu64 " event%s of version %u came, none of an old version; the last of those is "
                           "at position %" PRIu64 "%s", came, migrate_plural(came), to, usage->last_old, owner);
}

// ---- 7: drained ----

static enum migrate_verdict say_partition(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct migrate_usage *usage = view->usage;
        const char *topic = event_of(view)->topic, *reader = view->communication->to->name;
        char what[160];
        if (usage->parked)
                snprintf(what, sizeof what, "%" PRIu64 " parked, the first at position %" PRIu64 " (`commute parked show %" PRIu64 "`)",
                         usage->parked, usage->first_parked, usage->first_parked);
        else if (usage->indeterminate)
                snprintf(what, sizeof what, "%" PRIu64 " of which nobody knows the outcome, the first at position %" PRIu64,
                         usage->indeterminate, usage->first_indeterminate);
        else if (usage->trying)
                snprintf(what, sizeof what, "%" PRIu64 " being delivered or tried again", usage->trying);
        else if (view->state.last_failure)
                snprintf(what, sizeof what, "%" PRIu64 " waiting (the last delivery that failed got %u)", usage->waiting,
                         view->state.last_failure);
        else
                snprintf(what, sizeof what, "%" PRIu64 " waiting", usage->waiting);
        for (unsigned i = 0; i < usage->partition_count; i++) {
                const struct migrate_partition *partition = &usage->partitions[i];
                if (partition->unsettled_old)
                        return migrate_say(evidence, MIGRATE_WAIT, "%s has not passed the old version: %s; topic/%s/%u has it up to "
                                           "position %" PRIu64 ", and %" PRIu64 " before it are open, from %" PRIu64 " on",
                                           reader, what, topic, i, partition->last_old, partition->unsettled_old,
                                           partition->first_old);
        }
        return migrate_say(evidence, MIGRATE_WAIT, "%s has not passed the old version: %s", reader, what);
}

static enum migrate_verdict look_drained(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct migrate_usage *usage = view->usage;
        const struct model_communication *communication = view->communication;
        if (!usage)
                return no_usage(evidence);
        migrate_figure(evidence, "waiting", usage->waiting);
        migrate_figure(evidence, "trying", usage->trying);
        migrate_figure(evidence, "indeterminate", usage->indeterminate);
        migrate_figure(evidence, "parked", usage->parked);
        migrate_figure(evidence, "unknown", usage->unknown);
        migrate_figure(evidence, "copy_rows", usage->kept_old);
        if (migrate_running(view->migrate, communication))
                return migrate_say(evidence, MIGRATE_WAIT, "a migration of %s is under way: let it end first", communication->name);
        if (usage->views_position < usage->last_old || usage->views_position + VIEWS_NEAR < usage->log_end)
                return migrate_say(evidence, MIGRATE_WAIT, "the views hold up to position %" PRIu64 ", the log ends at %" PRIu64,
                                   usage->views_position, usage->log_end);
        if (usage->unknown)
                return migrate_say(evidence, MIGRATE_WAIT, "%" PRIu64 " event%s of no version that is known %s parked or waiting",
                                   usage->unknown, migrate_plural(usage->unknown), usage->unknown == 1 ? "is" : "are");
        uint64_t open = usage->waiting + usage->trying + usage->indeterminate + usage->parked;
        if (open && view->state.paused)
                return migrate_say(evidence, MIGRATE_WAIT, "deliveries of %s are paused, with %" PRIu64 " event%s of an old version "
                                   "waiting",
                                   communication->name, open, migrate_plural(open));
        if (open && !usage->parked && view->state.provider_fails)
                return migrate_say(evidence, MIGRATE_WAIT, "%s fails, with %" PRIu64 " event%s of an old version waiting for it",
                                   communication->to->name, open, migrate_plural(open));
        if (open)
                return say_partition(view, evidence);
        if (usage->kept_old)
                return migrate_say(evidence, MIGRATE_WAIT, "%" PRIu64 " row%s of commute's copy %s of an old version", usage->kept_old,
                                   migrate_plural(usage->kept_old), usage->kept_old == 1 ? "is" : "are");
        return migrate_say(evidence, MIGRATE_PASS, "nothing of an old version is before %s, parked, or in a copy; the last was at position "
                           "%" PRIu64, communication->to->name, usage->last_old);
}

// Rows of the copy are read from their owner again, and appended in the version that is emitted.
static enum migrate_verdict act_drained(struct migration *migration, struct migrate_evidence *evidence) {
        const struct migrate_view *view = &migration->view;
        enum migrate_verdict verdict = look_drained(view, evidence);
        if (verdict == MIGRATE_PASS || !view->usage || !view->usage->kept_old)
                return verdict;
        const struct model_event *event = migration->subject.event;
        if (!event->read)
                return migrate_say(evidence, MIGRATE_WAIT, "%" PRIu64 " row%s of commute's copy %s of an old version, and %s has no "
                                   "`read`: they stay until each has been written again", view->usage->kept_old,
                                   migrate_plural(view->usage->kept_old), view->usage->kept_old == 1 ? "is" : "are", event->name);
        if (!view->state.refreshing)
                migration_order(migration, GATEWAY_REFRESH, 0, true);
        return verdict;
}

// ---- 8: clean ----

static enum migrate_verdict act_clean(struct migration *migration, struct migrate_evidence *evidence) {
        const struct migrate_view *view = &migration->view;
        unsigned from = migration->subject.from, to = migration->subject.to;
        unsigned refused = from < to ? to : 0;
        if (migration->now->refused_below != refused && !migration->next) {
                struct migration_state *next = migration_move(migration);
                next->refused_below = refused;
                migration_note(next, view->now_ms, "versions below %u are refused from producers from here on", refused);
                migration_commit(migration, next);
                return migrate_say(evidence, MIGRATE_WAIT, "that old versions are refused is being recorded");
        }
        const struct model_event *event = migration->subject.event;
        const char *reader = view->communication->to->name, *owner = event->from->name;
        char stays[200];
        if (gets_old(view))
                snprintf(stays, sizeof stays, "%.64s still gets version %u, so that its contract and `%s` stay", reader,
                         delivered_version(view), from < to ? "down" : "up");
        else if (gives_bodies(event) && is_old(view, event->produces))
                snprintf(stays, sizeof stays, "%.64s goes on giving version %u, so that its contract and `%s` stay", owner,
                         event->produces, from < to ? "up" : "down");
        else if (view->usage && view->usage->old_retained)
                snprintf(stays, sizeof stays, "the log still has events of an old version, so that the mappings stay until they are "
                         "trimmed");
        else
                snprintf(stays, sizeof stays, "the log has no event of an old version any more: their mappings and contracts may go");
        return migrate_say(evidence, MIGRATE_PASS, "old versions are refused from producers; %s", stays);
}

// ---- what is seen ----

static void write_users(struct json_writer *writer, const char *key, const struct gateway_versions *versions, enum gateway_use use) {
        json_key(writer, key);
        json_begin_array(writer);
        for (size_t i = 0; i < versions->user_count; i++) {
                const struct gateway_user *user = &versions->users[i];
                if (user->use != use)
                        continue;
                json_begin_object(writer);
                json_member_text(writer, "name", user->name);
                json_member_u64(writer, "version", user->version);
                json_member_u64(writer, "count", user->count);
                json_member_i64(writer, "last", user->last_ms);
                json_end_object(writer);
        }
        json_end_array(writer);
}

static void write_usage(struct json_writer *writer, const struct migrate_usage *usage) {
        json_begin_object(writer);
        json_member_u64(writer, "written", usage->written_old);
        json_member_u64(writer, "last", usage->last_old);
        json_member_i64(writer, "last_ms", usage->last_old_ms);
        json_member_u64(writer, "waiting", usage->waiting);
        json_member_u64(writer, "trying", usage->trying);
        json_member_u64(writer, "indeterminate", usage->indeterminate);
        json_member_u64(writer, "parked", usage->parked);
        json_member_u64(writer, "unknown", usage->unknown);
        json_member_u64(writer, "copy_rows", usage->kept_old);
        json_member_boolean(writer, "retained", usage->old_retained);
        json_key(writer, "partitions");
        json_begin_array(writer);
        for (unsigned i = 0; i < usage->partition_count; i++) {
                const struct migrate_partition *partition = &usage->partitions[i];
                if (!partition->last_old && !partition->unsettled_old)
                        continue;
                json_begin_object(writer);
                json_member_u64(writer, "partition", i);
                json_member_u64(writer, "up_to", partition->last_old);
                json_member_u64(writer, "open", partition->unsettled_old);
                json_member_u64(writer, "from", partition->first_old);
                json_end_object(writer);
        }
        json_end_array(writer);
        json_end_object(writer);
}

static void write_reader(struct json_writer *writer, const struct migrate_view *view) {
        const struct model_async *async = view->communication->async;
        char sentence[MIGRATE_SENTENCE_MAX];
        say_reader(view, sentence);
        json_key(writer, "reader");
        json_begin_object(writer);
        json_member_text(writer, "service", view->communication->to->name);
        json_member_text(writer, "communication", view->communication->name);
        json_key(writer, "reads");
        json_begin_array(writer);
        for (size_t i = 0; i < async->read_count; i++)
                json_u64(writer, async->reads[i]);
        json_end_array(writer);
        json_member_text(writer, "sentence", sentence);
        json_end_object(writer);
}

static void write_move(struct json_writer *writer, const struct migrate *migrate, const struct model_event *event) {
        char sentence[MIGRATE_SENTENCE_MAX];
        json_key(writer, "migration");
        if (migrate_event_sentence(migrate, event, sentence))
                json_string_text(writer, sentence);
        else
                json_null(writer);
}

static void write_verdict(struct json_writer *writer, const struct migrate_view *view) {
        struct migrate_evidence evidence = {0};
        enum migrate_verdict verdict = look_drained(view, &evidence);
        const struct gateway_user *producer = old_producer(view);
        if (verdict == MIGRATE_PASS && view->versions->emitted != view->subject->to)
                verdict = migrate_say(&evidence, MIGRATE_WAIT, "version %u is emitted, not %u", view->versions->emitted, view->subject->to);
        if (verdict == MIGRATE_PASS && producer)
                verdict = migrate_say(&evidence, MIGRATE_WAIT, "%s sent version %u last", producer->name, producer->version);
        if (verdict == MIGRATE_PASS && old_owner(view))
                verdict = say_old_owner(view, &evidence);
        if (verdict == MIGRATE_PASS && gets_old(view))
                verdict = migrate_say(&evidence, MIGRATE_WAIT, "%s by %s still gets version %u, which is made of version %u: it reads no "
                                      "newer one", view->communication->to->name, view->communication->name, delivered_version(view),
                                      view->subject->to);
        json_member_boolean(writer, "may_go", verdict == MIGRATE_PASS);
        json_member_text(writer, "why", evidence.sentence);
}

void migrate_event_show(const struct migrate *migrate, const struct model_event *event, const struct gateway_command *command,
                        struct json_writer *writer) {
        const struct migration *migration = migration_of_event(migrate, event);
        const struct migrate_options *options = &migrate->options;
        unsigned emitted = migration_emitted(migration);
        struct migrate_subject subject = migration->subject;
        struct migrate_usage CLEANUP(free_pointer) *usage = NULL;
        struct migrate_usage *read = usage = must_calloc(1, sizeof *usage);
        struct error error;
        if (!migration->now)
                subject.from = 0, subject.to = MAX(emitted, (unsigned)MAX(event->version_count, (size_t)1) - 1);
        struct migrate_view view = {
                .migrate = migrate, .communication = event->reader, .subject = &subject, .now_ms = migrate_now(migrate),
                .state = command->state, .versions = command->versions,
        };
        view.usage = options->ops->usage(options->user, event, subject.from, subject.to, read, &error) ? read : NULL;
        json_begin_object(writer);
        json_member_text(writer, "event", event->name);
        json_member_u64(writer, "emitted", emitted);
        json_member_u64(writer, "from", subject.from);
        json_member_u64(writer, "to", subject.to);
        json_member_u64(writer, "refused_below", command->versions->refused_below);
        write_move(writer, migrate, event);
        write_verdict(writer, &view);
        write_reader(writer, &view);
        write_users(writer, "producers", command->versions, GATEWAY_PRODUCES);
        write_users(writer, "consumers", command->versions, GATEWAY_CONSUMES);
        json_key(writer, "old");
        if (view.usage)
                write_usage(writer, view.usage);
        else
                json_null(writer);
        json_key(writer, "conversions");
        json_begin_object(writer);
        json_member_u64(writer, "done", command->versions->changed);
        json_member_u64(writer, "failed", command->versions->failed);
        json_member_text(writer, "last_failure", command->versions->failure);
        json_end_object(writer);
        json_key(writer, "where");
        where_write(writer, options->model, options->sampler, event, subject.from, subject.to);
        json_key(writer, "samples");
        where_write_samples(writer, options->model, options->sampler);
        json_end_object(writer);
}

// ---- the table ----

static const struct migrate_step steps[] = {
        {
                .name = "contract", .title = "the new version is written, and how events get there and back", .fact = look_contract,
                .wants = "version {version} of {event} compiles, and mappings lead to it from version {before}",
                .to_do = "write {contract} for version {version}, and `versions` with `up` and `down` in the configuration",
                .way_back = NOTHING_TO_UNDO,
        },
        {
                .name = "old-registered", .title = "the old version is in the schema registry, and every event fits it",
                .act = act_old_registered,
                .wants = "every event of {topic} that is retained is valid in its own version",
                .does = "registers what is not there yet, and checks every event that is retained",
                .way_back = "nothing to undo: a registered schema harms nobody",
        },
        {
                .name = "registered", .title = "the new version is in the schema registry", .act = act_new_registered,
                .wants = "every event that is retained, and generated ones, are valid in version {version}",
                .does = "registers version {version}, and moves every event there and back",
                .way_back = "nothing to undo: a registered schema harms nobody",
        },
        {
                .name = "consumers", .title = "consumers support the new version", .fact = look_consumers, .asks = true, .reader = true,
                .wants = "{to} reads version {version}, or one that can be made of it, and answers",
                .to_do = "have {to} support version {version}, and list it under `reads`", .way_back = NOTHING_TO_UNDO,
        },
        {
                .name = "producer", .title = "the producer emits the new version", .act = act_emit_new, .gate = look_emitted,
                .back = act_emit_old, .measures = true, .commits = true,
                .wants = "events of version {version} come, and are delivered",
                .does = "from one record on, events of {event} are appended in version {version}",
                .way_back = "at once: version {before} is emitted again; what was appended meanwhile is converted for its readers",
        },
        {
                .name = "old-off", .title = "the old version is produced no more", .gate = look_old_off, .measures = true,
                .wants = "events of version {version} come, and in the same time none of an old one; no producer sends an old one",
                .way_back = "as of the producer",
        },
        {
                .name = "drained", .title = "every old event is processed", .act = act_drained, .measures = true,
                .wants = "nothing of an old version is before a consumer's position, tried again, parked, open, or in a copy",
                .does = "reads rows of the copy that are of an old version from their owner again",
                .way_back = "as of the producer",
        },
        {
                .name = "clean", .title = "clean up, update the documentation", .act = act_clean, .measures = true,
                .does = "refuses the old version from producers",
                .to_do = "remove version {before} of {event} from {to}, and from the documentation; `up` stays as long as an event of "
                         "version {before} is retained",
                .way_back = "a move to version {before}",
        },
};
static_assert(ARRAY_SIZE(steps) <= MIGRATE_STEPS_MAX, "evidence has room");

const struct migrate_table migrate_evolve = {
        .kind = MODEL_DATA, .from = MODEL_ASYNC, .to = MODEL_ASYNC, .steps = steps, .count = ARRAY_SIZE(steps),
        .not_observable = "whether {to} uses a field of {event} that version {version} has not, and events that do not pass the gateway",
};

bool evolve_possible(const struct migrate *migrate, const struct model_event *event, unsigned from, unsigned to, struct error *error) {
        (void)migrate;
        if (!event->reader)
                return error_set(error, ERROR_UNSUPPORTED, "%s is read by no communication: there is nobody to move", event->name);
        if (to >= event->version_count)
                return error_set(error, ERROR_NOT_FOUND, "there is no version %u of %s in %s", to, event->name, event->schemas);
        if (from == to)
                return error_set(error, ERROR_CONFLICT, "%s is emitted in version %u already", event->name, to);
        return true;
}

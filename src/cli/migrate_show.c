// SPDX-License-Identifier: Apache-2.0
#include "cli/migrate_show.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static void print_part(const char *what, struct bytes text) {
        if (text.size)
                printf("        %-10s%.*s\n", what, BYTES_PRINT(text));
}

// What moves, and between what: a communication between modes, an event between versions.
static struct bytes mover(const struct json *object) {
        struct bytes name = client_text(object, "communication");
        return name.size ? name : client_text(object, "event");
}

static void print_end(const struct json *object, const char *key) {
        if (json_is(json_get_text(object, key), JSON_NUMBER))
                printf("version %llu", (unsigned long long)client_number(object, key));
        else
                printf("%.*s", BYTES_PRINT(client_text(object, key)));
}

static void print_ends(const struct json *object) {
        printf("%.*s, from ", BYTES_PRINT(mover(object)));
        print_end(object, "from");
        printf(" to ");
        print_end(object, "to");
}

// ---- plans ----

static void show_planned(const struct json *step) {
        bool holds = client_truth(step, "holds");
        struct bytes verdict = client_text(step, "verdict");
        const char *mark = holds ? "✓" : bytes_equal(verdict, BYTES("fail")) ? "✗" : "…";
        printf("%3llu  %s %.*s%s\n", (unsigned long long)client_number(step, "number"), mark,
               BYTES_PRINT(client_text(step, "title")), holds ? " (it is so already: nothing to do)" : "");
        print_part("now", client_text(step, "sentence"));
        if (holds)
                return;
        print_part("gate", client_text(step, "wants"));
        print_part("does", client_text(step, "does"));
        print_part("you", client_text(step, "to_do"));
        print_part("way back", client_text(step, "way_back"));
}

void migrate_show_plan(const struct json *plan) {
        print_ends(plan);
        printf("; nothing is changed by looking%s\n", client_truth(plan, "running") ? "; a migration is under way" : "");
        const struct json *steps = json_get_text(plan, "steps");
        if (json_is(steps, JSON_ARRAY))
                JSON_FOR_EACH(step, steps)
                        show_planned(step);
        printf("indeterminate: %.*s\nnot observable: %.*s\n", BYTES_PRINT(client_text(plan, "indeterminate")),
               BYTES_PRINT(client_text(plan, "not_observable")));
}

// ---- migrations ----

static const struct json *step_now(const struct json *migration) {
        uint64_t number = client_number(migration, "number");
        const struct json *steps = json_get_text(migration, "steps");
        return json_is(steps, JSON_ARRAY) && number > 0 ? json_at(steps, (size_t)number - 1) : NULL;
}

static const char *state_words(struct bytes status) {
        static const char *const words[][2] = {
                {"before", "gate"}, {"ready", "waits for `commute advance`"}, {"acting", "acting"}, {"gate", "gate"},
                {"person", "waits for you"}, {"paused", "paused: `commute advance` goes on"}, {"back", "going back"},
        };
        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                if (bytes_equal(status, bytes_of(words[i][0])))
                        return words[i][1];
        return "";
}

static void show_step(const struct json *step, struct bytes status, bool last) {
        const struct json *evidence = json_get_text(step, "evidence");
        struct bytes sentence = client_text(evidence, "sentence");
        bool now = bytes_equal(client_text(step, "status"), BYTES("now"));
        bool done = bytes_equal(client_text(step, "status"), BYTES("done"));
        const char *mark = done ? "✓" : now ? "…" : " ";
        if (now && bytes_equal(client_text(evidence, "verdict"), BYTES("fail")))
                mark = "✗";
        printf("%3llu  %s %.*s\n", (unsigned long long)client_number(step, "number"), mark, BYTES_PRINT(client_text(step, "title")));
        if (now && *state_words(status))
                printf("        %s%s%.*s\n", state_words(status), sentence.size ? ": " : "", BYTES_PRINT(sentence));
        else if (sentence.size)
                printf("        %.*s\n", BYTES_PRINT(sentence));
        if (now || (done && last))
                print_part("you", client_text(step, "to_do"));
}

void migrate_show(const struct json *migration) {
        if (!json_is(migration, JSON_OBJECT)) {
                puts("no migration");
                return;
        }
        struct bytes status = client_text(migration, "status");
        print_ends(migration);
        printf(": %.*s, step %llu of %llu\n", BYTES_PRINT(status), (unsigned long long)client_number(migration, "number"),
               (unsigned long long)client_number(migration, "count"));
        const struct json *steps = json_get_text(migration, "steps");
        if (json_is(steps, JSON_ARRAY))
                JSON_FOR_EACH(step, steps)
                        show_step(step, status, client_number(step, "number") == client_number(migration, "count"));
}

// ---- versions of events ----

static void show_users(const char *what, const struct json *users) {
        if (!json_is(users, JSON_ARRAY))
                return;
        JSON_FOR_EACH(user, users)
                printf("  %-10s version %llu  %.*s: %llu, the last at %llu\n", what, (unsigned long long)client_number(user, "version"),
                       BYTES_PRINT(client_text(user, "name")), (unsigned long long)client_number(user, "count"),
                       (unsigned long long)client_number(user, "last"));
}

static void show_place(const struct json *place) {
        time_t last = (time_t)(client_number(place, "last") / 1000);
        struct tm local;
        char text[32] = "";
        if (last && localtime_r(&last, &local))
                strftime(text, sizeof text, ", last at %H:%M:%S", &local);
        printf("  %-10.*s %.*s%s\n", BYTES_PRINT(client_text(place, "field")), BYTES_PRINT(client_text(place, "place")), text);
}

// So that "not there" is not taken for what nobody has looked at.
static void show_sample(const struct json *sample) {
        printf("  sampled    %.*s, %.*ss: %llu bodies looked at, %llu not\n", BYTES_PRINT(client_text(sample, "communication")),
               BYTES_PRINT(client_text(sample, "direction")), (unsigned long long)client_number(sample, "looked_at"),
               (unsigned long long)(client_number(sample, "not_json") + client_number(sample, "too_large") +
                                    client_number(sample, "missed")));
}

void migrate_show_event(const struct json *event) {
        struct bytes migration = client_text(event, "migration");
        const struct json *old = json_get_text(event, "old"), *where = json_get_text(event, "where");
        printf("%.*s: version %llu is emitted", BYTES_PRINT(client_text(event, "event")),
               (unsigned long long)client_number(event, "emitted"));
        printf(migration.size ? "; %.*s\n" : "%.*s\n", BYTES_PRINT(migration));
        printf("  may the old version go? %s: %.*s\n", client_truth(event, "may_go") ? "yes" : "no",
               BYTES_PRINT(client_text(event, "why")));
        printf("  reader     %.*s\n", BYTES_PRINT(client_text(json_get_text(event, "reader"), "sentence")));
        show_users("producer", json_get_text(event, "producers"));
        show_users("consumer", json_get_text(event, "consumers"));
        if (json_is(old, JSON_OBJECT)) {
                const struct json *partitions = json_get_text(old, "partitions");
                if (json_is(partitions, JSON_ARRAY))
                        JSON_FOR_EACH(partition, partitions)
                                printf("  partition  %llu has it up to position %llu, %llu open\n",
                                       (unsigned long long)client_number(partition, "partition"),
                                       (unsigned long long)client_number(partition, "up_to"),
                                       (unsigned long long)client_number(partition, "open"));
                printf("  copy       %llu rows of it\n", (unsigned long long)client_number(old, "copy_rows"));
        }
        if (json_is(where, JSON_ARRAY))
                JSON_FOR_EACH(place, where)
                        show_place(place);
        const struct json *samples = json_get_text(event, "samples");
        if (json_is(samples, JSON_ARRAY))
                JSON_FOR_EACH(sample, samples)
                        show_sample(sample);
}

void migrate_show_events(const struct json *events) {
        const struct json *list = json_get_text(events, "events");
        if (!json_is(list, JSON_ARRAY) || !json_count(list)) {
                puts("no event has more than one version");
                return;
        }
        JSON_FOR_EACH(event, list)
                migrate_show_event(event);
}

// ---- following ----

static void print_clock(uint64_t unix_ms) {
        time_t seconds = (time_t)(unix_ms / 1000);
        struct tm local;
        char text[16] = "";
        if (localtime_r(&seconds, &local))
                strftime(text, sizeof text, "%H:%M:%S", &local);
        printf("%s  ", text);
}

static void clear_line(void) {
        if (isatty(STDOUT_FILENO))
                fputs("\r\033[K", stdout);
}

size_t migrate_show_changes(const struct json *migration, size_t shown) {
        const struct json *history = json_get_text(migration, "history");
        size_t at = 0;
        if (!json_is(history, JSON_ARRAY))
                return shown;
        JSON_FOR_EACH(entry, history) {
                if (at++ < shown)
                        continue;
                clear_line();
                print_clock(client_number(entry, "at"));
                printf("%-12.*s  %.*s\n", BYTES_PRINT(client_text(entry, "step")), BYTES_PRINT(client_text(entry, "what")));
        }
        if (at > shown && bytes_equal(client_text(migration, "status"), BYTES("person")))
                print_part("you", client_text(step_now(migration), "to_do"));
        fflush(stdout);
        return at;
}

void migrate_show_waiting(const struct json *migration) {
        const struct json *step = step_now(migration);
        if (!isatty(STDOUT_FILENO) || !step)
                return;
        clear_line();
        struct bytes sentence = client_text(json_get_text(step, "evidence"), "sentence");
        sentence.size = MIN(sentence.size, (size_t)90);         // one line of a terminal
        printf("          %-12.*s  %s: %.*s", BYTES_PRINT(client_text(step, "name")), state_words(client_text(migration, "status")),
               BYTES_PRINT(sentence));
        fflush(stdout);
}

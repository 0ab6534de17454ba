// SPDX-License-Identifier: Apache-2.0
#include "cli/migrate_show.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static void print_part(const char *what, struct bytes text) {
        if (text.size)
                printf("        %-10s%.*s\n", what, BYTES_PRINT(text));
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
        printf("%.*s, from %.*s to %.*s; nothing is changed by looking%s\n", BYTES_PRINT(client_text(plan, "communication")),
               BYTES_PRINT(client_text(plan, "from")), BYTES_PRINT(client_text(plan, "to")),
               client_truth(plan, "running") ? "; a migration is under way" : "");
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
        printf("%.*s, from %.*s to %.*s: %.*s, step %llu of %llu\n", BYTES_PRINT(client_text(migration, "communication")),
               BYTES_PRINT(client_text(migration, "from")), BYTES_PRINT(client_text(migration, "to")), BYTES_PRINT(status),
               (unsigned long long)client_number(migration, "number"), (unsigned long long)client_number(migration, "count"));
        const struct json *steps = json_get_text(migration, "steps");
        if (json_is(steps, JSON_ARRAY))
                JSON_FOR_EACH(step, steps)
                        show_step(step, status, client_number(step, "number") == client_number(migration, "count"));
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

// SPDX-License-Identifier: Apache-2.0
#include "daemon/say.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "json/writer.h"
#include "os/clock.h"

static const char *const names[SAY_LEVEL_COUNT] = {"debug", "info", "warn", "error"};

bool say_level_of(struct bytes name, enum say_level *ret_level) {
        for (unsigned i = 0; i < SAY_LEVEL_COUNT; i++) {
                if (bytes_equal(name, bytes_of(names[i]))) {
                        *ret_level = (enum say_level)i;
                        return true;
                }
        }
        return false;
}

const char *say_number(char text[static SAY_NUMBER_SIZE], uint64_t number) {
        snprintf(text, SAY_NUMBER_SIZE, "%" PRIu64, number);
        return text;
}

static void print_time(char text[static 32]) {
        int64_t now_ms = clock_wall_ms(clock_real());
        time_t seconds = (time_t)(now_ms / 1000);
        struct tm parts;
        gmtime_r(&seconds, &parts);
        size_t size = strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &parts);
        snprintf(text + size, 32 - size, ".%03dZ", (int)(now_ms % 1000));
}

static bool is_plain(const char *value) {
        for (const char *at = value; *at; at++)
                if ((unsigned char)*at <= ' ' || *at == '"' || *at == '=' || *at == '\\' || *at == 0x7f)
                        return false;
        return *value;
}

static void write_text(struct buffer *line, const char *time, enum say_level level, const char *event,
                       const struct say_field *fields) {
        buffer_print(line, "%s %s %s", time, names[level], event);
        for (; fields->key; fields++) {
                buffer_print(line, " %s=", fields->key);
                if (is_plain(fields->value))
                        buffer_append(line, bytes_of(fields->value));
                else
                        json_quote(line, bytes_of(fields->value));
        }
}

static void write_json(struct buffer *line, const char *time, enum say_level level, const char *event,
                       const struct say_field *fields) {
        struct json_writer writer = {.buffer = line};
        json_begin_object(&writer);
        json_member_text(&writer, "time", time);
        json_member_text(&writer, "level", names[level]);
        json_member_text(&writer, "event", event);
        for (; fields->key; fields++)
                json_member_text(&writer, fields->key, fields->value);
        json_end_object(&writer);
        json_end(&writer);
}

void say_line(const struct say *say, enum say_level level, const char *event, const struct say_field *fields) {
        if (level < say->least)
                return;
        char time[32];
        struct buffer CLEANUP(buffer_free) line = {0};
        print_time(time);
        (say->json ? write_json : write_text)(&line, time, level, event, fields);
        buffer_append_byte(&line, '\n');
        IGNORE(write(STDERR_FILENO, line.data, line.size) < 0); // nobody is left to be told
}

void say_error(const struct say *say, enum say_level level, const char *event, const struct error *error) {
        say_line(say, level, event,
                 (const struct say_field[]){{"code", error_name(error->code)}, {"message", error->text}, {NULL, NULL}});
}

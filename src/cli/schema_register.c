// SPDX-License-Identifier: Apache-2.0
// `commute schema register SUBJECT SCHEMA`: one version more in the registry of a running commute, or with --dry-run its opinion.
#include "cli/cli_priv.h"

#include <stdio.h>

#include "cli/client.h"
#include "cli/schema_differences.h"
#include "cli/schema_problem.h"
#include "json/writer.h"

enum { REFERENCES_MAX = 100 };                  // as the registry has it

struct registration {
        const struct cli_options *options;
        struct schema_files files;              // the schema alone
        const struct json *root;
        struct buffer body;                     // of every request
        struct control *registry;
        // of the registry's opinion
        uint64_t old_version;                   // with which it is not compatible
        const char *level;
        struct schema_direction backward, forward;
};

// A path segment (RFC 3986, 3.3): all but unreserved characters is encoded.
static void append_segment(struct buffer *buffer, const char *text) {
        for (; *text; text++) {
                char low = (char)(*text | 0x20);
                if ((low >= 'a' && low <= 'z') || (*text >= '0' && *text <= '9') || strchr("-._~", *text))
                        buffer_append_byte(buffer, *text);
                else
                        buffer_print(buffer, "%%%02X", (unsigned)(uint8_t)*text);
        }
}

// NAME=SUBJECT:VERSION,…; a name may have = in it, a subject : and neither a comma.
static bool append_references(struct json_writer *writer, struct bytes list, struct error *error) {
        for (size_t count = 1; ; count++) {
                const char *comma = memchr(list.data, ',', list.size);
                struct bytes one = {list.data, comma ? (size_t)(comma - list.data) : list.size};
                const char *equals = memrchr(one.data, '=', one.size), *colon = memrchr(one.data, ':', one.size);
                uint64_t version = 0;
                if (count > REFERENCES_MAX)
                        return error_set(error, ERROR_LIMIT, "--references: more than %d", REFERENCES_MAX);
                if (!equals || !colon || colon <= equals + 1 || equals == one.data ||
                    !bytes_to_u64((struct bytes){colon + 1, one.size - (size_t)(colon + 1 - one.data)}, &version))
                        return error_set(error, ERROR_INVALID, "--references: expected NAME=SUBJECT:VERSION, the version a number, not "
                                         "\"%.*s\"", BYTES_PRINT(one));
                json_begin_object(writer);
                json_member_bytes(writer, "name", (struct bytes){one.data, (size_t)(equals - one.data)});
                json_member_bytes(writer, "subject", (struct bytes){equals + 1, (size_t)(colon - equals) - 1});
                json_member_u64(writer, "version", version);
                json_end_object(writer);
                if (!comma)
                        return true;
                list = (struct bytes){comma + 1, list.size - one.size - 1};
        }
}

static bool make_body(const struct registration *registration, struct buffer *body, struct error *error) {
        struct json_writer writer = {.buffer = body};
        const char *references = registration->options->value[CLI_REFERENCES];
        json_begin_object(&writer);
        json_member_text(&writer, "schemaType", "JSON");
        json_member_bytes(&writer, "schema", registration->files.source);
        if (references) {
                json_key(&writer, "references");
                json_begin_array(&writer);
                if (!append_references(&writer, bytes_of(references), error))
                        return false;
                json_end_array(&writer);
        }
        json_end_object(&writer);
        json_end(&writer);
        return true;
}

// The schema as it is sent: without what it refers to, which is the registry's.
static bool read_schema(struct registration *registration, struct error *error) {
        CLEANUP(buffer_free) struct buffer text = {0};
        struct schema_files *files = &registration->files;
        struct json_limits limits = {.bytes = SCHEMA_BYTES_MAX, .nodes = SCHEMA_NODES_MAX};
        files->path = registration->options->arguments[1];
        if (!schema_file_read(files->path, SCHEMA_BYTES_MAX, &text, error))
                return false;
        files->source = arena_copy(&files->arena, buffer_bytes(&text));
        return json_parse(files->source, &limits, &files->arena, &registration->root, error);
}

static struct schema_told told_of(const struct registration *registration, const struct json *difference, struct arena *arena) {
        bool old = bytes_equal(client_text(difference, "schema"), BYTES("old"));
        struct schema_told told = {.name = arena_text(arena, client_text(difference, "errorType")),
                                   .place = arena_text(arena, client_text(difference, "place")),
                                   .sentence = arena_text(arena, client_text(difference, "description")),
                                   .file = old ? NULL : registration->files.path, .version = registration->old_version,
                                   .uncertain = !client_truth(difference, "decided")};
        if (!old)
                IGNORE(schema_told_find(told.place, registration->files.source, registration->root, &told.position)); // in another one
        return told;
}

// From what the registry has found, if it says so by itself; from any other there are its messages.
static void take_differences(struct registration *registration, const struct json *answer, struct arena *arena) {
        const struct json *differences = json_get_text(answer, "differences");
        size_t count = json_is(differences, JSON_ARRAY) ? json_count(differences) : 0;
        registration->old_version = client_number(answer, "oldSchemaVersion");
        registration->level = arena_text(arena, client_text(answer, "compatibility"));
        registration->backward = schema_backward;
        registration->forward = schema_forward;
        registration->backward.told = arena_alloc(arena, (count + 1) * sizeof(struct schema_told));
        registration->forward.told = arena_alloc(arena, (count + 1) * sizeof(struct schema_told));
        if (!count)
                return;
        JSON_FOR_EACH(difference, differences) {
                bool forward = bytes_equal(client_text(difference, "reader"), BYTES("old"));
                struct schema_direction *direction = forward ? &registration->forward : &registration->backward;
                direction->holds = false;
                direction->told[direction->count++] = told_of(registration, difference, arena);
        }
}

static void print_messages(const struct json *messages) {
        if (json_is(messages, JSON_ARRAY))
                JSON_FOR_EACH(message, messages)
                        cli_print_line(stdout, "  %.*s", BYTES_PRINT(json_is(message, JSON_STRING) ? json_text(message) : BYTES("")));
}

static void print_opinion(const struct registration *registration, const struct json *answer, bool good) {
        const char *subject = registration->options->arguments[0], *would = registration->options->given[CLI_DRY_RUN] ? "would be " : "";
        struct bytes remark = client_text(answer, "remark");
        if (good) {
                cli_print_line(stdout, "%s: would be taken%s%.*s%s", subject, remark.size ? " (" : "", BYTES_PRINT(remark),
                               remark.size ? ")" : "");
        } else if (registration->backward.count + registration->forward.count) {
                cli_print_line(stdout, "%s: %srefused: not %s compatible with version %ju", subject, would, registration->level,
                               (uintmax_t)registration->old_version);
                if (registration->backward.count)
                        schema_direction_print(&registration->backward);
                if (registration->forward.count)
                        schema_direction_print(&registration->forward);
        } else {
                cli_print_line(stdout, "%s: %srefused", subject, would);
                print_messages(json_get_text(answer, "messages"));
        }
}

static void write_opinion(const struct registration *registration, const struct json *answer, bool good) {
        CLEANUP(buffer_free) struct buffer text = {0};
        struct json_writer writer = {.buffer = &text};
        const struct json *messages = json_get_text(answer, "messages");
        bool told = registration->backward.count + registration->forward.count > 0;
        json_begin_object(&writer);
        json_member_text(&writer, "subject", registration->options->arguments[0]);
        json_member_boolean(&writer, "is_compatible", good);
        if (!good) {
                json_member_text(&writer, "error", error_name(ERROR_REJECTED));
                json_member_text(&writer, "message", "not compatible with an earlier version");
        }
        if (told) {
                json_member_text(&writer, "compatibility", registration->level);
                json_member_u64(&writer, "oldSchemaVersion", registration->old_version);
        }
        json_key(&writer, "backward");
        schema_direction_write(&writer, &registration->backward);
        json_key(&writer, "forward");
        schema_direction_write(&writer, &registration->forward);
        json_key(&writer, "messages");
        if (json_is(messages, JSON_ARRAY))
                json_node(&writer, messages);
        else
                json_raw(&writer, BYTES("[]"));
        if (client_text(answer, "remark").size)
                json_member_bytes(&writer, "remark", client_text(answer, "remark"));
        json_end_object(&writer);
        json_end(&writer);
        cli_print(buffer_bytes(&text));
}

static void print_version(const struct cli_options *options, const struct json *answer) {
        CLEANUP(buffer_free) struct buffer text = {0};
        struct json_writer writer = {.buffer = &text};
        uint64_t version = client_number(answer, "version"), id = client_number(answer, "id");
        if (!options->given[CLI_JSON]) {
                cli_print_line(stdout, "%s: version %ju, id %ju", options->arguments[0], (uintmax_t)version, (uintmax_t)id);
                return;
        }
        json_begin_object(&writer);
        json_member_text(&writer, "subject", options->arguments[0]);
        json_member_u64(&writer, "version", version);
        json_member_u64(&writer, "id", id);
        json_end_object(&writer);
        json_end(&writer);
        cli_print(buffer_bytes(&text));
}

static bool call(struct registration *registration, const char *before, const char *behind, struct arena *arena,
                 const struct json **ret_answer, struct error *error) {
        CLEANUP(buffer_free) struct buffer target = {0};
        buffer_append(&target, bytes_of(before));
        append_segment(&target, registration->options->arguments[0]);
        buffer_append(&target, bytes_of(behind));
        buffer_append_byte(&target, '\0');
        return control_call(registration->registry, "POST", target.data, buffer_bytes(&registration->body), arena, ret_answer, error);
}

// What a registry says of a text that is no schema begins so.
static const char not_a_schema[] = "Invalid schema: ";

static bool is_no_schema(const char *sentence) {
        return strncmp(sentence, not_a_schema, sizeof not_a_schema - 1) == 0;
}

static int fail_schema(struct registration *registration, const char *sentence) {
        struct error error;
        IGNORE(error_set(&error, ERROR_INVALID, "%s", sentence + sizeof not_a_schema - 1));     // always false
        return schema_problem_fail(registration->options, &registration->files, &error);
}

static const char *first_message(const struct json *answer, struct arena *arena) {
        const struct json *messages = json_get_text(answer, "messages");
        const struct json *first = json_is(messages, JSON_ARRAY) ? json_at(messages, 0) : NULL;
        return json_is(first, JSON_STRING) ? arena_text(arena, json_text(first)) : "";
}

// Asks whether it would be taken. refused: why it was not, as far as that is known already, or NULL.
static int ask(struct registration *registration, const struct error *refused) {
        CLEANUP(arena_free) struct arena arena = {0};
        const struct cli_options *options = registration->options;
        const struct json *answer;
        struct error error;
        if (!call(registration, "/compatibility/subjects/", "/versions?verbose=true", &arena, &answer, &error))
                return refused ? cli_fail(options, refused) : cli_fail(options, &error);
        bool good = client_truth(answer, "is_compatible");
        if (good && refused)
                return cli_fail(options, refused);              // somebody has changed it meanwhile
        if (!good && is_no_schema(first_message(answer, &arena)))
                return fail_schema(registration, first_message(answer, &arena));
        take_differences(registration, answer, &arena);
        if (options->given[CLI_JSON])
                write_opinion(registration, answer, good);
        else
                print_opinion(registration, answer, good);
        return good ? 0 : error_exit_status(ERROR_REJECTED);
}

// The answer to a registration is the id alone: the version is looked up.
static int make(struct registration *registration) {
        CLEANUP(arena_free) struct arena arena = {0};
        const struct json *answer;
        struct error error;
        if (!call(registration, "/subjects/", "/versions", &arena, &answer, &error)) {
                if (error.code == ERROR_REJECTED)
                        return ask(registration, &error);
                if (is_no_schema(error.text))
                        return fail_schema(registration, error.text);
                return cli_fail(registration->options, &error);
        }
        if (!call(registration, "/subjects/", "", &arena, &answer, &error))
                return cli_fail(registration->options, &error);
        print_version(registration->options, answer);
        return 0;
}

static int run(struct registration *registration) {
        const struct cli_options *options = registration->options;
        struct error error;
        if (!read_schema(registration, &error))
                return schema_problem_fail(options, &registration->files, &error);
        if (!make_body(registration, &registration->body, &error) || !control_open_registry(options, &registration->registry, &error))
                return cli_fail(options, &error);
        return options->given[CLI_DRY_RUN] ? ask(registration, NULL) : make(registration);
}

int cli_schema_register(const struct cli_options *options) {
        struct registration registration = {.options = options};
        int status = run(&registration);
        schema_files_free(&registration.files);
        buffer_free(&registration.body);
        control_close(registration.registry);
        return status;
}

// SPDX-License-Identifier: Apache-2.0
// `commute schema register SUBJECT SCHEMA`: one version more in the registry of a running commute, or with --dry-run its opinion.
#include "cli/cli_priv.h"

#include <stdio.h>

#include "cli/client.h"
#include "cli/schema_files.h"
#include "json/writer.h"

enum { REFERENCES_MAX = 100 };                  // as the registry has it

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

static bool make_body(const struct cli_options *options, struct buffer *body, struct error *error) {
        CLEANUP(buffer_free) struct buffer text = {0};
        CLEANUP(arena_free) struct arena arena = {0};
        struct json_limits limits = {.bytes = SCHEMA_BYTES_MAX, .nodes = SCHEMA_NODES_MAX};
        struct json_writer writer = {.buffer = body};
        const char *path = options->arguments[1], *references = options->value[CLI_REFERENCES];
        const struct json *root;
        if (!schema_file_read(path, SCHEMA_BYTES_MAX, &text, error))
                return false;
        if (!json_parse(buffer_bytes(&text), &limits, &arena, &root, error))
                return error_wrap(error, "%s", path);
        json_begin_object(&writer);
        json_member_text(&writer, "schemaType", "JSON");
        json_member_bytes(&writer, "schema", buffer_bytes(&text));
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

static int print_opinion(const struct cli_options *options, const struct json *answer) {
        const struct json *messages = json_get_text(answer, "messages");
        bool good = client_truth(answer, "is_compatible");
        if (options->given[CLI_JSON]) {
                CLEANUP(buffer_free) struct buffer text = {0};
                json_write(&text, answer);
                cli_print(buffer_bytes(&text));
        } else {
                printf("%s: %s\n", options->arguments[0], good ? "would be taken" : "would be refused");
                if (json_is(messages, JSON_ARRAY))
                        JSON_FOR_EACH(message, messages)
                                printf("  %.*s\n", BYTES_PRINT(json_is(message, JSON_STRING) ? json_text(message) : BYTES("")));
        }
        return good ? 0 : error_exit_status(ERROR_REJECTED);
}

static void print_version(const struct cli_options *options, const struct json *answer) {
        CLEANUP(buffer_free) struct buffer text = {0};
        struct json_writer writer = {.buffer = &text};
        uint64_t version = client_number(answer, "version"), id = client_number(answer, "id");
        if (!options->given[CLI_JSON]) {
                printf("%s: version %ju, id %ju\n", options->arguments[0], (uintmax_t)version, (uintmax_t)id);
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

// The answer to a registration is the id alone: the version is looked up.
int cli_schema_register(const struct cli_options *options) {
        CLEANUP(arena_free) struct arena arena = {0};
        CLEANUP(control_closep) struct control *registry = NULL;
        CLEANUP(buffer_free) struct buffer body = {0}, subject = {0}, target = {0};
        const struct json *answer;
        struct error error;
        append_segment(&subject, options->arguments[0]);
        bool dry = options->given[CLI_DRY_RUN];
        buffer_print(&target, dry ? "/compatibility/subjects/%.*s/versions?verbose=true" : "/subjects/%.*s/versions",
                     BYTES_PRINT(buffer_bytes(&subject)));
        if (!make_body(options, &body, &error) || !control_open_registry(options, &registry, &error) ||
            !control_call(registry, "POST", target.data, buffer_bytes(&body), &arena, &answer, &error))
                return cli_fail(options, &error);
        if (dry)
                return print_opinion(options, answer);
        buffer_clear(&target);
        buffer_print(&target, "/subjects/%.*s", BYTES_PRINT(buffer_bytes(&subject)));
        if (!control_call(registry, "POST", target.data, buffer_bytes(&body), &arena, &answer, &error))
                return cli_fail(options, &error);
        print_version(options, answer);
        return 0;
}

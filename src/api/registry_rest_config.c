// SPDX-License-Identifier: Apache-2.0
// The registry's REST API: configuration (compatibility levels and groups), modes, compatibility checks.
#include "api/registry_rest_priv.h"

#include "json/writer.h"

// The subject's name of /config[/{subject}] and /mode[/{subject}]; empty: the registry itself.
static struct bytes scope(const struct registry_exchange *exchange) {
        return exchange->segment_count > 1 ? exchange->segments[1] : (struct bytes){0};
}

static struct bytes upper(struct registry_exchange *exchange, struct bytes text) {
        char *copy = arena_text(&exchange->arena, text);
        for (size_t at = 0; at < text.size; at++)
                if (copy[at] >= 'a' && copy[at] <= 'z')
                        copy[at] = (char)(copy[at] - 'a' + 'A');
        return (struct bytes){copy, text.size};
}

// ---- configuration ----

static void reply_config(struct registry_exchange *exchange, const char *level_key, const struct registry_config *config) {
        struct json_writer writer = {.buffer = &exchange->answer};
        json_begin_object(&writer);
        if (config->level != REGISTRY_LEVEL_UNSET)
                json_member_text(&writer, level_key, registry_level_name(config->level));
        if (config->group.data)
                json_member_bytes(&writer, "compatibilityGroup", config->group);
        json_end_object(&writer);
        rest_reply(exchange, &writer);
}

static bool has_none(const struct registry_config *config) {
        return config->level == REGISTRY_LEVEL_UNSET && !config->group.data;
}

// What holds, the level as the group: own or inherited. Without ?defaultToGlobal only of a subject that has something of its own.
void rest_get_config(struct registry_exchange *exchange) {
        const struct registry *registry = exchange->rest->registry;
        struct registry_config own = registry_config(registry, scope(exchange));
        struct registry_config config = registry_config_in_scope(registry, scope(exchange));
        if (has_none(&own) && !(exchange->flags & Q_DEFAULT)) {
                rest_fail(exchange, REGISTRY_ERROR_NO_LEVEL, "Subject '%.*s' does not have subject-level compatibility configured",
                          BYTES_PRINT(scope(exchange)));
                return;
        }
        reply_config(exchange, "compatibilityLevel", &config);
}

static void configured(struct registry_change *change, const struct error *error) {
        struct registry_exchange *exchange = change->user;
        struct registry_config config = registry_config(exchange->rest->registry, scope(exchange));
        if (error)
                rest_fail_with(exchange, REGISTRY_ERROR_LEVEL, error);
        else
                reply_config(exchange, "compatibility", &config);
}

static bool parse_level(struct registry_exchange *exchange, const struct json *value, struct registry_config_change *change) {
        if (!change->keep_level) {
                rest_fail(exchange, REGISTRY_ERROR_LEVEL, "both \"compatibility\" and \"compatibilityLevel\" are there");
                return false;
        }
        change->keep_level = false;
        if (json_is(value, JSON_NULL))
                return true;
        if (json_is(value, JSON_STRING) && registry_level_of(upper(exchange, json_text(value)), &change->level))
                return true;
        rest_fail(exchange, REGISTRY_ERROR_LEVEL, "Invalid compatibility level. Valid values are none, backward, "
                  "forward, full, backward_transitive, forward_transitive, and full_transitive");
        return false;
}

static bool parse_group(struct registry_exchange *exchange, const struct json *value, struct registry_config_change *change) {
        change->keep_group = false;
        if (json_is(value, JSON_NULL))
                return true;
        if (!json_is(value, JSON_STRING)) {
                rest_fail(exchange, REGISTRY_ERROR_MEMBER, "\"compatibilityGroup\" must be a string, the name of a metadata property");
                return false;
        }
        change->group = json_text(value).size ? json_text(value) : BYTES("");
        return true;
}

// Members of Confluent's that say what is so in any case.
static bool says_nothing(struct bytes key, const struct json *value) {
        bool strict = json_is(value, JSON_STRING) && bytes_equal_ignore_case(json_text(value), BYTES("STRICT"));
        if (bytes_equal(key, BYTES("compatibilityPolicy")) && strict)
                return true;
        return json_is(value, JSON_NULL) || (json_is(value, JSON_BOOL) && !json_bool(value));
}

static bool parse_config(struct registry_exchange *exchange, struct registry_config_change *change) {
        const struct json *body;
        *change = (struct registry_config_change){.keep_level = true, .keep_group = true};
        if (!rest_parse_body(exchange, &body))
                return false;
        JSON_FOR_EACH_MEMBER(key, value, body) {
                struct bytes name = json_text(key);
                bool good = true;
                if (bytes_equal(name, BYTES("compatibility")) || bytes_equal(name, BYTES("compatibilityLevel")))
                        good = parse_level(exchange, value, change);
                else if (bytes_equal(name, BYTES("compatibilityGroup")))
                        good = parse_group(exchange, value, change);
                else if (!says_nothing(name, value)) {
                        rest_fail(exchange, REGISTRY_ERROR_MEMBER, "\"%.*s\" is not supported here", BYTES_PRINT(name));
                        good = false;
                }
                if (!good)
                        return false;
        }
        if (change->keep_level && change->keep_group) {
                rest_fail(exchange, REGISTRY_ERROR_MEMBER, "neither \"compatibility\" nor \"compatibilityGroup\" is there");
                return false;
        }
        return true;
}

void rest_put_config(struct registry_exchange *exchange) {
        struct registry_config_change change;
        if (parse_config(exchange, &change))
                rest_submit(exchange, (struct registry_change){.kind = REGISTRY_CONFIG, .subject = scope(exchange), .config = change,
                                                               .done = configured});
}

// Answers what was removed.
static void unconfigured(struct registry_change *change, const struct error *error) {
        struct registry_exchange *exchange = change->user;
        if (error)
                rest_fail_with(exchange, REGISTRY_ERROR_LEVEL, error);
        else
                reply_config(exchange, "compatibilityLevel", &exchange->removed);
}

// The registry's own returns to the default, a subject's to what the registry has.
void rest_delete_config(struct registry_exchange *exchange) {
        struct registry_config now = registry_config(exchange->rest->registry, scope(exchange));
        struct registry_config_change change = {0};
        if (has_none(&now)) {
                rest_fail(exchange, REGISTRY_ERROR_NO_SUBJECT, "Subject '%.*s' not found: it has no configuration of its own",
                          BYTES_PRINT(scope(exchange)));
                return;
        }
        if (!scope(exchange).size)
                change = (struct registry_config_change){.level = REGISTRY_DEFAULT_LEVEL, .group = REGISTRY_DEFAULT_GROUP};
        exchange->removed = now;
        if (now.group.size)
                exchange->removed.group = arena_copy(&exchange->arena, now.group);
        else if (now.group.data)
                exchange->removed.group = BYTES("");
        rest_submit(exchange, (struct registry_change){.kind = REGISTRY_CONFIG, .subject = scope(exchange), .config = change,
                                                       .done = unconfigured});
}

// ---- mode ----

static void reply_mode(struct registry_exchange *exchange) {
        struct json_writer writer = {.buffer = &exchange->answer};
        json_begin_object(&writer);
        json_member_text(&writer, "mode", "READWRITE");
        json_end_object(&writer);
        rest_reply(exchange, &writer);
}

void rest_get_mode(struct registry_exchange *exchange) {
        if (scope(exchange).size > 0 && !(exchange->flags & Q_DEFAULT))
                rest_fail(exchange, REGISTRY_ERROR_NO_MODE, "Subject '%.*s' does not have subject-level mode configured",
                          BYTES_PRINT(scope(exchange)));
        else
                reply_mode(exchange);
}

// Nothing was ever set, so nothing is removed.
void rest_delete_mode(struct registry_exchange *exchange) {
        if (scope(exchange).size > 0)
                rest_fail(exchange, REGISTRY_ERROR_NO_SUBJECT, "Subject '%.*s' not found: it has no mode of its own",
                          BYTES_PRINT(scope(exchange)));
        else
                reply_mode(exchange);
}

void rest_put_mode(struct registry_exchange *exchange) {
        const struct json *body;
        if (!rest_parse_body(exchange, &body))
                return;
        JSON_FOR_EACH_MEMBER(key, value, body)
                if (!bytes_equal(json_text(key), BYTES("mode"))) {
                        rest_fail(exchange, REGISTRY_ERROR_MEMBER, "\"%.*s\" is not supported here", BYTES_PRINT(json_text(key)));
                        return;
                }
        const struct json *value = json_get_text(body, "mode");
        if (!json_is(value, JSON_STRING)) {
                rest_fail(exchange, REGISTRY_ERROR_MEMBER, "\"mode\" is not there, or not a string");
                return;
        }
        struct bytes mode = upper(exchange, json_text(value));
        if (bytes_equal(mode, BYTES("READWRITE")) && scope(exchange).size == 0)
                reply_mode(exchange);
        else
                rest_fail(exchange, REGISTRY_ERROR_MODE, "mode %.*s%s is not supported, only READWRITE for the whole registry is",
                          BYTES_PRINT(mode), scope(exchange).size ? " of a subject" : "");
}

// ---- compatibility ----

// The objections once more, for programs: where in which schema, and which of the two cannot read the other's.
static void write_differences(struct json_writer *writer, const struct registry_objections *objections) {
        json_member_text(writer, "compatibility", registry_level_name(objections->level));
        json_member_u64(writer, "oldSchemaVersion", objections->version);
        json_key(writer, "differences");
        json_begin_array(writer);
        for (size_t at = 0; at < objections->difference_count; at++) {
                const struct registry_difference *difference = &objections->differences[at];
                json_begin_object(writer);
                json_member_text(writer, "errorType", difference->name);
                json_member_text(writer, "reader", difference->old_reader ? "old" : "new");
                json_member_text(writer, "schema", difference->old_place ? "old" : "new");
                json_member_text(writer, "place", difference->place);
                json_member_text(writer, "description", difference->sentence);
                json_member_boolean(writer, "decided", !difference->uncertain);
                json_end_object(writer);
        }
        json_end_array(writer);
}

// The remark is no message: Confluent's clients take any message for an incompatibility, whatever is_compatible says.
static void reply_compatibility(struct registry_exchange *exchange) {
        const struct registry_objections *objections = &exchange->objections;
        struct json_writer writer = {.buffer = &exchange->answer};
        json_begin_object(&writer);
        json_member_boolean(&writer, "is_compatible", objections->count == 0);
        if (exchange->flags & Q_VERBOSE) {
                json_key(&writer, "messages");
                json_begin_array(&writer);
                for (size_t at = 0; at < objections->count; at++)
                        json_string_text(&writer, objections->items[at]);
                json_end_array(&writer);
                if (objections->difference_count)
                        write_differences(&writer, objections);
                if (objections->uncompared) {
                        json_key(&writer, "remark");
                        json_string_print(&writer, "nothing was compared: %s", objections->uncompared);
                }
        }
        json_end_object(&writer);
        rest_reply(exchange, &writer);
}

// Whoever asks for reasons gets them for a schema that is none, too.
static void reply_invalid(struct registry_exchange *exchange, const struct error *error) {
        if (!(exchange->flags & Q_VERBOSE)) {
                rest_fail_with(exchange, REGISTRY_ERROR_SCHEMA, error);
                return;
        }
        struct json_writer writer = {.buffer = &exchange->answer};
        json_begin_object(&writer);
        json_member_boolean(&writer, "is_compatible", false);
        json_key(&writer, "messages");
        json_begin_array(&writer);
        json_string_print(&writer, "Invalid schema: %s", error->text);
        json_end_array(&writer);
        json_end_object(&writer);
        rest_reply(exchange, &writer);
}

// compatibility/subjects/{subject}/versions[/{version}]
void rest_post_compatibility(struct registry_exchange *exchange) {
        const struct registry *registry = exchange->rest->registry;
        struct bytes name = exchange->segments[2];
        struct registry_version version = {0};
        struct registry_draft draft;
        struct error error;
        if (exchange->segment_count > 4) {
                uint32_t number;
                if (!rest_parse_number(exchange, exchange->segments[4], &number))
                        return;
                if (!registry_version(registry, name, number, &version) && number) {
                        rest_fail(exchange, REGISTRY_ERROR_NO_VERSION, "Version %u not found.", number);
                        return;
                }
        }
        if (!rest_parse_schema(exchange, &draft))
                return;
        if (registry_check(registry, name, &draft, version.version, &exchange->objections, &error))
                reply_compatibility(exchange);
        else if (error.code == ERROR_INVALID || error.code == ERROR_UNSUPPORTED)
                reply_invalid(exchange, &error);
        else
                rest_fail_with(exchange, REGISTRY_ERROR_SCHEMA, &error);
}

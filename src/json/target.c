// SPDX-License-Identifier: Apache-2.0
#include "json/target.h"

#include <stdlib.h>

#include "json/utf8.h"

// A path segment or a query parameter.
struct part {
        struct bytes key;                       // of a parameter, decoded; of a segment nothing
        struct bytes raw, literal;              // what it says, as written and decoded
        bool is_variable;
        size_t variable;
};

struct target {
        struct arena arena;
        const char *source;
        const char *method;
        struct part *segments, *parameters;
        size_t segment_count, parameter_count, variable_count;
        struct bytes variables[TARGET_VARIABLES_MAX];
};

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        char low = (char)(c | 0x20);
        return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

// Decodes percent escapes once, and `+` in a form. Borrows where there is nothing to decode. False: broken escape, NUL, no UTF-8.
static bool decode(struct bytes raw, bool form, struct arena *arena, struct bytes *ret_value) {
        bool plain = true;
        for (size_t i = 0; i < raw.size; i++)
                plain = plain && raw.data[i] != '%' && !(form && raw.data[i] == '+');
        struct bytes value = raw;
        if (!plain) {
                char *to = arena_alloc(arena, raw.size + 1);
                value = (struct bytes){to, 0};
                for (size_t i = 0; i < raw.size; i++) {
                        char c = raw.data[i];
                        if (c == '%') {
                                int high = i + 2 < raw.size ? hex_digit(raw.data[i + 1]) : -1;
                                int low = i + 2 < raw.size ? hex_digit(raw.data[i + 2]) : -1;
                                if (high < 0 || low < 0)
                                        return false;
                                c = (char)(high << 4 | low);
                                i += 2;
                        } else if (form && c == '+') {
                                c = ' ';
                        }
                        to[value.size++] = c;
                }
        }
        if (value.size && (memchr(value.data, '\0', value.size) || !utf8_valid(value)))
                return false;
        *ret_value = value;
        return true;
}

static bool is_dots(struct bytes segment) {
        return bytes_equal(segment, BYTES(".")) || bytes_equal(segment, BYTES(".."));
}

// Cuts at the next `stop` or the end; *rest is what follows it, {NULL, 0} at the end.
static struct bytes cut(struct bytes *rest, char stop) {
        const char *found = rest->size ? memchr(rest->data, stop, rest->size) : NULL;
        struct bytes piece = {rest->data, found ? (size_t)(found - rest->data) : rest->size};
        *rest = found ? (struct bytes){found + 1, rest->size - piece.size - 1} : (struct bytes){0};
        return piece;
}

static bool is_name(struct bytes name) {
        for (size_t i = 0; i < name.size; i++) {
                char c = name.data[i], low = (char)(c | 0x20);
                if (!(low >= 'a' && low <= 'z') && !(i && c >= '0' && c <= '9') && c != '_')
                        return false;
        }
        return name.size > 0;
}

static bool wrong(const struct target *target, struct bytes where, struct error *error, const char *what) {
        size_t column = where.data ? (size_t)(where.data - target->source) + 1 : strlen(target->source) + 1;
        return error_set(error, ERROR_INVALID, "\"%s\", column %zu: %s", target->source, column, what);
}

static bool is_literal(struct bytes text) {
        static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$'()*,;:@%";
        for (size_t i = 0; i < text.size; i++)
                if (text.data[i] == '\0' || !strchr(allowed, text.data[i]))
                        return false;
        return true;
}

// A literal or {variable}.
static bool compile_part(struct target *target, struct bytes raw, struct part *part, struct error *error) {
        part->raw = raw;
        if (raw.size == 0 || raw.data[0] != '{') {
                if (!is_literal(raw) || !decode(raw, false, &target->arena, &part->literal))
                        return wrong(target, raw, error, "expected a {variable}, or characters that may stand in a URL");
                return true;
        }
        struct bytes name = {raw.data + 1, raw.size - 1};
        if (name.size && name.data[name.size - 1] == '}')
                name.size--;
        else
                return wrong(target, raw, error, "a {variable} must be a whole segment or value");
        if (!is_name(name))
                return wrong(target, raw, error, "expected a name of letters, digits and _ between { and }");
        for (size_t i = 0; i < target->variable_count; i++)
                if (bytes_equal(target->variables[i], name))
                        return wrong(target, raw, error, "this variable is there already");
        if (target->variable_count == TARGET_VARIABLES_MAX)
                return wrong(target, raw, error, "too many variables");
        part->is_variable = true;
        part->variable = target->variable_count;
        target->variables[target->variable_count++] = name;
        return true;
}

static bool compile_path(struct target *target, struct bytes path, struct error *error) {
        if (path.size == 0 || path.data[0] != '/')
                return wrong(target, path, error, "expected a path that starts with /");
        struct bytes rest = {path.data + 1, path.size - 1};
        if (rest.size == 0)
                return true;
        for (bool more = true; more; target->segment_count++) {
                struct part *part = &target->segments[target->segment_count];
                struct bytes raw = cut(&rest, '/');
                more = rest.data != NULL;
                if (!compile_part(target, raw, part, error))
                        return false;
                if (!part->is_variable && (part->literal.size == 0 || is_dots(part->literal)))
                        return wrong(target, raw, error, "an empty, . or .. segment");
        }
        return true;
}

static bool compile_query(struct target *target, struct bytes query, struct error *error) {
        for (struct bytes rest = query; rest.data; target->parameter_count++) {
                struct part *part = &target->parameters[target->parameter_count];
                struct bytes value = cut(&rest, '&'), raw = cut(&value, '=');
                if (raw.size == 0 || !value.data || !is_literal(raw) || !decode(raw, true, &target->arena, &part->key))
                        return wrong(target, raw, error, "expected name={variable} or name=literal");
                for (size_t i = 0; i < target->parameter_count; i++)
                        if (bytes_equal(target->parameters[i].key, part->key))
                                return wrong(target, raw, error, "this parameter is there already");
                if (!compile_part(target, value, part, error))
                        return false;
        }
        return true;
}

static bool compile(struct target *target, struct error *error) {
        struct bytes path = bytes_of(target->source), method = cut(&path, ' ');
        bool upper = method.size > 0 && method.size <= 16;
        for (size_t i = 0; i < method.size; i++)
                upper = upper && method.data[i] >= 'A' && method.data[i] <= 'Z';
        if (!upper || !path.data)
                return wrong(target, method, error, "expected METHOD /path, the method in capitals");
        target->method = arena_text(&target->arena, method);
        struct bytes query = path, before = cut(&query, '?');
        size_t segments = 1, parameters = 1;
        for (size_t i = 0; i < path.size; i++) {
                segments += path.data[i] == '/';
                parameters += path.data[i] == '&';
        }
        target->segments = arena_alloc(&target->arena, segments * sizeof *target->segments);
        target->parameters = arena_alloc(&target->arena, parameters * sizeof *target->parameters);
        return compile_path(target, before, error) && compile_query(target, query, error);
}

bool target_compile(struct bytes source, struct target **ret_target, struct error *error) {
        if (source.size > TARGET_BYTES_MAX)
                return error_set(error, ERROR_LIMIT, "a target of %zu bytes; at most %d are accepted", source.size,
                        TARGET_BYTES_MAX);
        if (source.size && memchr(source.data, '\0', source.size))
                return error_set(error, ERROR_INVALID, "a target with a NUL");
        struct target *target = must_calloc(1, sizeof *target);
        target->source = arena_text(&target->arena, source);
        if (!compile(target, error)) {
                target_free(target);
                return false;
        }
        *ret_target = target;
        return true;
}

void target_free(struct target *target) {
        if (!target)
                return;
        arena_free(&target->arena);
        free(target);
}

const char *target_method(const struct target *target) {
        return target->method;
}

const char *target_source(const struct target *target) {
        return target->source;
}

size_t target_variable_count(const struct target *target) {
        return target->variable_count;
}

struct bytes target_variable(const struct target *target, size_t index) {
        ASSERT(index < target->variable_count);
        return target->variables[index];
}

static bool take(const struct target *target, const struct part *part, struct bytes value, struct named_value *values) {
        if (!part->is_variable)
                return bytes_equal(part->literal, value);
        values[part->variable] = (struct named_value){target->variables[part->variable], value};
        return true;
}

static enum target_match match_path(const struct target *target, struct bytes path, struct arena *arena,
                                    struct named_value *values) {
        if (path.size == 0 || path.data[0] != '/')
                return TARGET_MALFORMED;
        struct bytes rest = {path.data + 1, path.size - 1};
        bool same = true;
        size_t count = 0;
        for (bool more = rest.size > 0; more; count++) {
                struct bytes value, raw = cut(&rest, '/');
                more = rest.data != NULL;
                if (!decode(raw, false, arena, &value) || is_dots(value))
                        return TARGET_MALFORMED;
                same = same && value.size > 0 && count < target->segment_count &&
                       take(target, &target->segments[count], value, values);
        }
        return same && count == target->segment_count ? TARGET_MATCHES : TARGET_DIFFERS;
}

static enum target_match match_query(const struct target *target, struct bytes query, struct arena *arena,
                                     struct named_value *values, bool *ret_extra) {
        struct named_value *given;
        size_t count = 0;
        if (!query_parse(query, arena, &given, &count, NULL))
                return TARGET_MALFORMED;
        for (size_t i = 0; i < target->parameter_count; i++) {
                const struct part *part = &target->parameters[i];
                size_t times = 0;
                bool same = true;
                for (size_t j = 0; j < count; j++) {
                        if (!bytes_equal(given[j].name, part->key))
                                continue;
                        times++;
                        same = take(target, part, given[j].value, values);
                }
                if (times != 1 || !same)
                        return TARGET_DIFFERS;
        }
        *ret_extra = count > target->parameter_count;
        return TARGET_MATCHES;
}

enum target_match target_match(const struct target *target, struct bytes method, struct bytes path, struct bytes query,
                               struct arena *arena, struct named_value *values, bool *ret_extra_query) {
        bool extra = false;
        enum target_match match = match_path(target, path, arena, values);
        if (!bytes_equal(method, bytes_of(target->method)))
                return match == TARGET_MATCHES ? TARGET_OTHER_METHOD : TARGET_DIFFERS;
        if (match == TARGET_MATCHES)
                match = match_query(target, query, arena, values, &extra);
        if (match == TARGET_MATCHES && ret_extra_query)
                *ret_extra_query = extra;
        return match;
}

static void encode(struct buffer *buffer, struct bytes value) {
        static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
        for (size_t i = 0; i < value.size; i++) {
                if (strchr(plain, value.data[i]))
                        buffer_append_byte(buffer, value.data[i]);
                else
                        buffer_print(buffer, "%%%02X", (unsigned)(uint8_t)value.data[i]);
        }
}

static bool render_part(const struct target *target, const struct part *part, bool segment, const struct named_value *values,
                        size_t count, struct buffer *buffer, struct error *error) {
        if (!part->is_variable) {
                buffer_append(buffer, part->raw);
                return true;
        }
        struct bytes name = target->variables[part->variable];
        const struct named_value *found = NULL;
        for (size_t i = 0; i < count && !found; i++)
                if (bytes_equal(values[i].name, name))
                        found = &values[i];
        if (!found)
                return error_set(error, ERROR_REJECTED, "\"%s\": {%.*s} has no value", target->source, BYTES_PRINT(name));
        bool good = utf8_valid(found->value) && !(found->value.size && memchr(found->value.data, '\0', found->value.size));
        if (!good || (segment && (found->value.size == 0 || is_dots(found->value))))
                return error_set(error, ERROR_REJECTED,
                        "\"%s\": {%.*s} has a value that may not stand in a URL: it is empty, dots, "
                                 "or no text", target->source, BYTES_PRINT(name));
        encode(buffer, found->value);
        return true;
}

bool target_render(const struct target *target, const struct named_value *values, size_t count, struct buffer *buffer,
                   struct error *error) {
        size_t before = buffer->size;
        bool good = true;
        if (target->segment_count == 0)
                buffer_append_byte(buffer, '/');
        for (size_t i = 0; i < target->segment_count && good; i++) {
                buffer_append_byte(buffer, '/');
                good = render_part(target, &target->segments[i], true, values, count, buffer, error);
        }
        for (size_t i = 0; i < target->parameter_count && good; i++) {
                buffer_append_byte(buffer, i ? '&' : '?');
                encode(buffer, target->parameters[i].key);
                buffer_append_byte(buffer, '=');
                good = render_part(target, &target->parameters[i], false, values, count, buffer, error);
        }
        if (!good)
                buffer->size = before;
        return good;
}

bool query_parse(struct bytes query, struct arena *arena, struct named_value **ret_values, size_t *ret_count,
                 struct error *error) {
        size_t most = 1, count = 0;
        for (size_t i = 0; i < query.size; i++)
                most += query.data[i] == '&';
        if (most > TARGET_QUERY_MAX)
                return error_set(error, ERROR_LIMIT, "more than %d parameters in a query", TARGET_QUERY_MAX);
        struct named_value *values = arena_alloc(arena, most * sizeof *values);
        for (struct bytes rest = query; rest.data; ) {
                struct bytes raw_value = cut(&rest, '&'), raw_name = cut(&raw_value, '=');
                if (raw_name.size == 0 && !raw_value.data)
                        continue;
                struct named_value *value = &values[count++];
                if (!decode(raw_name, true, arena, &value->name) || !decode(raw_value, true, arena, &value->value))
                        return error_set(error, ERROR_INVALID, "the query has a broken percent escape, a NUL, or is not UTF-8");
        }
        *ret_values = values;
        *ret_count = count;
        return true;
}

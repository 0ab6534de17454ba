// SPDX-License-Identifier: Apache-2.0
// Values of one kind each: text, numbers, sizes, durations, addresses, URLs, targets, pointers. See reader_priv.h.
#include "model/reader_priv.h"

#include "http/address.h"
#include "http/client.h"

struct unit {
        const char *name;
        uint64_t factor;
};

bool read_text(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct bytes text;
        (void)key;
        if (!reader_string(reader, node, "text", &text))
                return false;
        *(const char **)field = arena_text(reader->arena, text);
        return true;
}

static bool out_of_bounds(struct reader *reader, const struct yaml_node *node, const char *least, const char *most) {
        return problem_add_code(reader->problems, node, ERROR_LIMIT, "expected from %s to %s, got %.*s", least, most,
                                BYTES_PRINT(node->text));
}

bool read_number(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        uint64_t number;
        if (node->kind != YAML_SCALAR || !node->plain || !bytes_to_u64(node->text, &number) ||
            (node->text.size > 1 && node->text.data[0] == '0'))
                return reader_unexpected(reader, node, "a whole number");
        if (number < key->least || number > key->most)
                return problem_add_code(reader->problems, node, ERROR_LIMIT, "expected from %lu to %lu, got %lu",
                                        (unsigned long)key->least, (unsigned long)key->most, (unsigned long)number);
        *(uint64_t *)field = number;
        return true;
}

// Digits and one of the units. False: not so, or it does not fit.
static bool with_unit(struct bytes text, const struct unit *units, size_t count, uint64_t *ret_value) {
        size_t digits = 0;
        while (digits < text.size && text.data[digits] >= '0' && text.data[digits] <= '9')
                digits++;
        uint64_t number;
        struct bytes unit = {text.data + digits, text.size - digits};
        if (!bytes_to_u64((struct bytes){text.data, digits}, &number))
                return false;
        for (size_t i = 0; i < count; i++)
                if (bytes_equal(unit, bytes_of(units[i].name)))
                        return !__builtin_mul_overflow(number, units[i].factor, ret_value);
        return false;
}

// The largest unit that gives a whole number.
static const char *print_unit(uint64_t value, const struct unit *units, size_t count, char *text, size_t size) {
        size_t best = count;
        for (size_t i = 0; i < count; i++)
                if (value % units[i].factor == 0 && (best == count || units[i].factor > units[best].factor) &&
                    value >= units[i].factor)
                        best = i;
        struct buffer CLEANUP(buffer_free) made = {0};
        buffer_print(&made, "%lu%s", (unsigned long)(best == count ? value : value / units[best].factor),
                     best == count ? units[0].name : units[best].name);
        ASSERT(made.size < size);
        memcpy(text, made.data, made.size);
        text[made.size] = 0;
        return text;
}

static bool read_unit(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field,
                      const struct unit *units, size_t count, const char *expected) {
        uint64_t value;
        char least[32], most[32];
        if (node->kind != YAML_SCALAR || !with_unit(node->text, units, count, &value))
                return reader_unexpected(reader, node, expected);
        if (value < key->least || value > key->most)
                return out_of_bounds(reader, node, print_unit(key->least, units, count, least, sizeof least),
                                     print_unit(key->most, units, count, most, sizeof most));
        *(uint64_t *)field = value;
        return true;
}

bool read_duration(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        static const struct unit units[] = {
                {"ms", 1}, {"s", MODEL_SECOND}, {"m", MODEL_MINUTE}, {"h", MODEL_HOUR}, {"d", MODEL_DAY}};
        return read_unit(reader, node, key, field, units, ARRAY_SIZE(units), "a duration, as 25ms, 30s, 10m, 2h or 7d");
}

bool read_size(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        static const struct unit units[] = {{"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
        return read_unit(reader, node, key, field, units, ARRAY_SIZE(units), "a size, as 65536, 64KiB or 1MiB");
}

bool read_minutes(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        uint64_t minutes;
        if (!read_number(reader, node, key, &minutes))
                return false;
        *(uint64_t *)field = minutes * MODEL_MINUTE;
        return true;
}

bool read_path(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct bytes text;
        (void)key;
        if (!reader_string(reader, node, "a file name", &text))
                return false;
        *(const char **)field = text.data[0] == '/' ? arena_text(reader->arena, text)
                                                    : arena_print(reader->arena, "%s/%.*s", reader->folder, BYTES_PRINT(text));
        return true;
}

bool read_url(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct bytes text;
        struct error error;
        (void)key;
        if (!reader_string(reader, node, "a URL", &text))
                return false;
        if (memchr(text.data, '@', text.size))          // not echoed: it may be a password
                return problem_add(reader->problems, node, "a URL does not carry user names and passwords: see auth.bearer_file");
        if (!http_url_check(text, &error))
                return problem_add_error(reader->problems, node, &error);
        *(const char **)field = arena_text(reader->arena, text);
        return true;
}

bool read_address(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct bytes text;
        struct error error;
        struct http_address address;
        (void)key;
        if (!reader_string(reader, node, "an address and port", &text))
                return false;
        if (!http_address_parse(text, &address, &error))
                return problem_add_error(reader->problems, node, &error);
        *(const char **)field = arena_text(reader->arena, text);
        return true;
}

bool read_target(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        (void)key;
        return reader_compile_target(reader, node, field);
}

bool read_targets(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        if (node->kind != YAML_LIST)
                return reader_unexpected(reader, node, "a list of METHOD /path");
        if (node->count < key->least || node->count > key->most)
                return problem_add_code(reader->problems, node, ERROR_LIMIT, "expected from %lu to %lu entries, got %zu",
                                        (unsigned long)key->least, (unsigned long)key->most, node->count);
        struct target_list list = {.targets = arena_alloc(reader->arena, (node->count + 1) * sizeof *list.targets)};
        bool good = true;
        YAML_FOR_EACH(element, node) {
                if (!reader_compile_target(reader, element, &list.targets[list.count++]))
                        good = false;
        }
        if (good)
                *(struct target_list *)field = list;
        return good;
}

bool read_pointer(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct error error;
        (void)key;
        if (node->kind != YAML_SCALAR || yaml_is_null(node))
                return reader_unexpected(reader, node, "a JSON pointer, as /manager_id");
        if (!json_pointer_parse(node->text, reader->arena, field, &error))
                return problem_add(reader->problems, node, "expected a JSON pointer, as /manager_id, got \"%.*s\": %s",
                                   BYTES_PRINT(node->text), error.text);
        return true;
}

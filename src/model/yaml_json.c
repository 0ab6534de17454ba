// SPDX-License-Identifier: Apache-2.0
// YAML nodes as JSON (yaml_priv.h): how mapping templates get from the configuration to json/template.h.
#include "model/yaml_priv.h"

// Plain scalars that YAML 1.1 readers take for something else than the string they are here.
static const char *const ambiguous_words[] = {
        "yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF", "y", "Y", "n", "N",
        "True", "TRUE", "False", "FALSE",
        ".inf", ".Inf", ".INF", "-.inf", "-.Inf", "-.INF", "+.inf", "+.Inf", "+.INF", ".nan", ".NaN", ".NAN",
};

static bool one_of(struct bytes text, const char *const *words, size_t count) {
        for (size_t i = 0; i < count; i++)
                if (bytes_equal(text, bytes_of(words[i])))
                        return true;
        return false;
}

bool yaml_is_null(const struct yaml_node *node) {
        static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
        return node->kind == YAML_SCALAR && node->plain && one_of(node->text, nulls, ARRAY_SIZE(nulls));
}

static bool json_number(struct bytes text) {
        struct arena CLEANUP(arena_free) arena = {0};
        const struct json *node;
        return text.size && (text.data[0] == '-' || (text.data[0] >= '0' && text.data[0] <= '9')) &&
               json_parse(text, NULL, &arena, &node, NULL) && json_is(node, JSON_NUMBER);
}

// Begins like a number and has only what numbers of any YAML have: 012, 0x1F, 0o17, 1_000, .5, +1, 1., 12:30:45
static bool like_number(struct bytes text) {
        size_t at = 0;
        if (at < text.size && (text.data[at] == '+' || text.data[at] == '-'))
                at++;
        if (at < text.size && text.data[at] == '.')
                at++;
        if (at == text.size || text.data[at] < '0' || text.data[at] > '9')
                return false;
        bool based = text.data[at] == '0' && at + 1 < text.size && strchr("xXoObB", text.data[at + 1]);
        size_t dots = 0;
        for (; at < text.size; at++) {
                dots += text.data[at] == '.';           // 127.0.0.1:8080 is nobody's number
                if (!memchr(based ? "0123456789abcdefABCDEFxXoO_" : "0123456789eE+-._:", text.data[at], based ? 27 : 17))
                        return false;
        }
        return dots < 2;
}

static bool scalar_to_json(const struct yaml_node *node, struct problems *problems, struct json_writer *writer) {
        struct bytes text = node->text;
        if (!node->plain)
                json_string(writer, text);
        else if (yaml_is_null(node))
                json_null(writer);
        else if (bytes_equal(text, BYTES("true")) || bytes_equal(text, BYTES("false")))
                json_boolean(writer, text.size == 4);
        else if (json_number(text))
                json_raw(writer, text);
        else if (one_of(text, ambiguous_words, ARRAY_SIZE(ambiguous_words)) || like_number(text))
                return problem_add(problems, node,
                                   "%.*s is read differently by different YAML: put it in quotes, or write it as JSON",
                                   BYTES_PRINT(text));
        else
                json_string(writer, text);
        return true;
}

bool yaml_to_json(const struct yaml_node *node, struct problems *problems, struct json_writer *writer) {
        if (node->kind == YAML_SCALAR)
                return scalar_to_json(node, problems, writer);
        bool mapping = node->kind == YAML_MAPPING;
        if (mapping)
                json_begin_object(writer);
        else
                json_begin_array(writer);
        YAML_FOR_EACH(child, node) {
                if (mapping)
                        json_key_bytes(writer, child->key->text);
                if (!yaml_to_json(child, problems, writer))
                        return false;
        }
        if (mapping)
                json_end_object(writer);
        else
                json_end_array(writer);
        return true;
}

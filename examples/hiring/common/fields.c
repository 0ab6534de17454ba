// SPDX-License-Identifier: Apache-2.0
#include "common/fields.h"

#include <string.h>

#include "common/memory.h"

static const struct field *find(const struct field *fields, const char *name)
{
        for (const struct field *f = fields; f->name; f++)
                if (strcmp(f->name, name) == 0)
                        return f;
        return NULL;
}

static char *read_field(const struct field *field, json_t *value)
{
        if (!value)
                return field->optional ? NULL : must_print("field '%s' is missing", field->name);
        if (field->kind == FIELD_INTEGER) {
                if (!json_is_integer(value))
                        return must_print("field '%s' must be an integer", field->name);
                int64_t number = json_integer_value(value);
                if (number < field->minimum || number > field->maximum)
                        return must_print("field '%s' must be from %lld to %lld, not %lld", field->name,
                                          (long long)field->minimum, (long long)field->maximum, (long long)number);
                *(int64_t *)field->where = number;
                return NULL;
        }
        if (!json_is_string(value))
                return must_print("field '%s' must be a string", field->name);
        size_t size = json_string_length(value);
        size_t least = field->kind == FIELD_TEXT;
        if (size < least || size > TEXT_LIMIT_BYTES)
                return must_print("field '%s' must have from %zu to %d bytes, not %zu", field->name, least, TEXT_LIMIT_BYTES, size);
        *(const char **)field->where = json_string_value(value);
        return NULL;
}

static char *read_all(const struct field *fields, json_t *body)
{
        if (!json_is_object(body))
                return must_print("the body must be a JSON object");
        for (const struct field *f = fields; f->name; f++) {
                char *problem = read_field(f, json_object_get(body, f->name));
                if (problem)
                        return problem;
        }
        const char *name;
        json_t *value;
        json_object_foreach(body, name, value)
                if (!find(fields, name))
                        return must_print("field '%.100s' is not known", name);
        return NULL;
}

json_t *fields_read(const char *text, size_t size, const struct field *fields, int *ret_status, char **ret_problem)
{
        json_error_t error;
        json_t *body = json_loadb(text ? text : "", size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
        if (!body) {
                *ret_status = 400;
                *ret_problem = must_print("the body is not JSON: %s, line %d column %d", error.text, error.line, error.column);
                return NULL;
        }
        char *problem = read_all(fields, body);
        if (problem) {
                *ret_status = 422;
                *ret_problem = problem;
                json_decref(body);
                return NULL;
        }
        return body;
}

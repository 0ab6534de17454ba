// SPDX-License-Identifier: Apache-2.0
#include "common/arguments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

static void print_help(const char *purpose, const struct argument *table)
{
        printf("%s: %s\n\n", program_invocation_short_name, purpose);
        for (const struct argument *a = table; a->name; a++) {
                char shown[64];
                snprintf(shown, sizeof(shown), "--%s%s", a->name,
                         a->kind == ARGUMENT_FLAG ? "" : a->kind == ARGUMENT_INTEGER ? " N" : " TEXT");
                printf("  %-26s %s", shown, a->help);
                if (a->kind == ARGUMENT_INTEGER)
                        printf(" (default %lld)", (long long)*(int64_t *)a->where);
                else if (a->kind == ARGUMENT_TEXT && *(const char **)a->where)
                        printf(" (default %s)", *(const char **)a->where);
                printf("%s\n", a->needed ? " (needed)" : "");
        }
        printf("  %-26s this text\n", "--help");
}

static void set_integer(const struct argument *argument, const char *value)
{
        char *end;
        errno = 0;
        long long number = strtoll(value, &end, 10);
        if (errno || end == value || *end || number < argument->minimum || number > argument->maximum)
                die("--%s: an integer from %lld to %lld is expected, not '%s'", argument->name,
                    (long long)argument->minimum, (long long)argument->maximum, value);
        *(int64_t *)argument->where = number;
}

static void add_text(const struct argument *argument, const char *value)
{
        const char **texts = argument->where;
        size_t count = 0;
        while (texts[count])
                if (++count == TEXTS_LIMIT)
                        die("--%s: more than %d of them", argument->name, TEXTS_LIMIT);
        texts[count] = value;
}

static const struct argument *find(const struct argument *table, const char *name, size_t size)
{
        for (const struct argument *a = table; a->name; a++)
                if (strlen(a->name) == size && strncmp(a->name, name, size) == 0)
                        return a;
        die("unknown option --%.*s; see --help", (int)size, name);
}

void arguments_parse(int count, char **values, const char *purpose, const struct argument *table)
{
        for (int i = 1; i < count; i++) {
                const char *given = values[i];
                if (strcmp(given, "--help") == 0) {
                        print_help(purpose, table);
                        exit(0);
                }
                if (strncmp(given, "--", 2) != 0)
                        die("unexpected '%s'; see --help", given);
                const char *equals = strchr(given, '=');
                size_t size = equals ? (size_t)(equals - given - 2) : strlen(given + 2);
                const struct argument *argument = find(table, given + 2, size);
                if (argument->kind == ARGUMENT_FLAG) {
                        if (equals)
                                die("--%s takes no value", argument->name);
                        *(bool *)argument->where = true;
                        continue;
                }
                const char *value = equals ? equals + 1 : ++i < count ? values[i] : NULL;
                if (!value)
                        die("--%s needs a value", argument->name);
                if (argument->kind == ARGUMENT_INTEGER)
                        set_integer(argument, value);
                else if (argument->kind == ARGUMENT_TEXTS)
                        add_text(argument, value);
                else
                        *(const char **)argument->where = value;
        }
        for (const struct argument *a = table; a->name; a++)
                if (a->needed && !*(const char **)a->where)
                        die("--%s is needed; see --help", a->name);
}

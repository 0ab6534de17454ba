// SPDX-License-Identifier: Apache-2.0
// Finds the command, parses its options, runs it. See cli.h.
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli_priv.h"
#include "json/json.h"
#include "json/writer.h"

struct option_spec {
        const char *name, *letter, *value, *help;
};

static const struct option_spec specs[CLI_OPTION_COUNT] = {
        [CLI_HELP] = {"--help", "-h", NULL, "this text"},
        [CLI_JSON] = {"--json", NULL, NULL, "one JSON document on standard output, errors included (not the command line's)"},
        [CLI_CONFIG] = {"--config", "-c", "FILE", "the configuration (commute.yaml)"},
        [CLI_PRINT_SCHEMA] = {"--print-schema", NULL, NULL, "print the JSON Schema of the configuration, and nothing else"},
        [CLI_CONTROL] = {"--control", NULL, "URL", "of the control API (http://127.0.0.1:8082)"},
        [CLI_TOKEN_FILE] = {"--token-file", NULL, "FILE", "the control API's token (DATA/token of the configuration)"},
        [CLI_TO] = {"--to", NULL, "MODE", "sync, pull, push or async; a version's number for evolve"},
        [CLI_AUTO] = {"--auto", NULL, NULL, "take every step whose gate passes, until it is done"},
        [CLI_STEP] = {"--step", NULL, NULL, "stop before each step and wait for advance"},
        [CLI_DONE] = {"--done", NULL, NULL, "the provider has done it: so its data say"},
        [CLI_WATCH] = {"--watch", "-w", NULL, "twice a second, with rates, until interrupted"},
        [CLI_AFTER] = {"--after", NULL, "POSITION", "begin behind this position"},
        [CLI_KEY] = {"--key", NULL, "FILE", "the public key: certificate.pub of the data folder"},
        [CLI_VALUES_FILE] = {"--values", NULL, "FILE", "values to look for, one a line"},
        [CLI_TAG] = {"--tag", NULL, NULL, "look for what contracts tag as personal, too"},
        [CLI_OUTPUT] = {"--output", "-o", "FILE", "write to the file"},
        [CLI_FORM] = {"--output", NULL, "FORM", "flag, basic or detailed: the specification's output of each instance, one a line"},
        [CLI_DRAFT] = {"--draft", NULL, "DRAFT", "4, 6, 7, 2019-09 or 2020-12, for schemas without $schema (2020-12)"},
        [CLI_MAX_DEPTH] = {"--max-depth", NULL, "N", "arrays and objects within each other in an instance, up to 512 (128)"},
        [CLI_FORMAT_ASSERTION] = {"--format-assertion", NULL, NULL, "what \"format\" says must hold, in every draft"},
        [CLI_LINES] = {"--lines", NULL, NULL, "one instance a line, whatever the file's name (.jsonl and .ndjson are so anyway)"},
        [CLI_WITH] = {"--with", NULL, "PATH", "a schema, or a folder of them, that references find by $id; or URI=FILE: the document of\n"
                      "                         that URI is this file. Again for more"},
        [CLI_VALUES] = {"--values", NULL, NULL, "sentences show values of the instance, but personal ones"},
        [CLI_ANNOTATIONS] = {"--annotations", NULL, NULL, "annotations of what is valid, in the output (basic)"},
        [CLI_REGISTRY] = {"--registry", NULL, "URL", "of the registry (http://127.0.0.1:8081)"},
        [CLI_REFERENCES] = {"--references", NULL, "LIST", "what $ref finds by a name: NAME=SUBJECT:VERSION,…"},
        [CLI_DRY_RUN] = {"--dry-run", NULL, NULL, "only say whether it would be taken"},
        [CLI_BENCHMARK] = {"--benchmark", NULL, NULL, "measure instead: parse and validate, from memory, on one thread"},
};

void cli_print(struct bytes text) {
        fwrite(text.data, 1, text.size, stdout);
        if (text.size && text.data[text.size - 1] != '\n')
                fputc('\n', stdout);
}

void cli_print_visible(FILE *file, const char *text) {
        for (const char *at = text; *at; at++) {
                uint8_t c = (uint8_t)*at, next = (uint8_t)at[1];
                bool wide = c == 0xC2 && next >= 0x80 && next < 0xA0;                  // U+0080 to U+009F
                if (c >= 0x20 && c != 0x7F && !wide) {
                        fputc(c, file);
                        continue;
                }
                fprintf(file, "\\u%04x", (unsigned)(wide ? next : c));
                at += wide;
        }
}

void cli_print_line(FILE *file, const char *format, ...) {
        char *line = NULL;
        va_list arguments;
        va_start(arguments, format);
        if (vasprintf(&line, format, arguments) < 0)
                line = must_calloc(1, 1);               // too long for an int: an empty line
        va_end(arguments);
        cli_print_visible(file, line);
        fputc('\n', file);
        free(line);
}

int cli_fail(const struct cli_options *options, const struct error *error) {
        if (options->given[CLI_JSON]) {
                struct buffer CLEANUP(buffer_free) text = {0};
                struct json_writer writer = {.buffer = &text};
                json_begin_object(&writer);
                json_member_text(&writer, "error", error_name(error->code));
                json_member_text(&writer, "message", error->text);
                json_end_object(&writer);
                json_end(&writer);
                cli_print(buffer_bytes(&text));
        } else {
                cli_print_line(stderr, "commute: %s", error->text);
        }
        return error_exit_status(error->code);
}

void cli_print_help(const struct cli_command *command) {
        printf("commute %s%s%s\n\n%s\n\nOptions\n", command->name, *command->synopsis ? " " : "", command->synopsis, command->help);
        for (unsigned i = 0; i < CLI_OPTION_COUNT; i++) {
                if (i != CLI_HELP && !(command->options & 1u << i))
                        continue;
                const struct option_spec *spec = &specs[i];
                char left[48];
                snprintf(left, sizeof left, "%s%s%s%s%s", spec->letter ? spec->letter : "", spec->letter ? ", " : "", spec->name,
                         spec->value ? " " : "", spec->value ? spec->value : "");
                printf("  %-22s %s\n", left, spec->help);
        }
}

static bool wrong(const struct cli_command *command, const char *problem, const char *what) {
        fprintf(stderr, "commute %s: %s%s\nSee commute %s --help.\n", command->name, problem, what, command->name);
        return false;
}

enum { CHOICES_MAX = 6 };

static const struct { enum cli_option option; const char *names[CHOICES_MAX]; } choices[] = {
        {CLI_FORM, {"flag", "basic", "detailed"}}, {CLI_DRAFT, {"4", "6", "7", "2019-09", "2020-12"}},
};

static_assert(JSON_DEPTH_MAX == 512 && JSON_DEPTH_DEFAULT == 128, "as --max-depth says");

// False: the value of --max-depth is no such number, which was printed.
static bool take_depth(const struct cli_command *command, const char *value, unsigned *ret_depth) {
        uint64_t depth;
        if (!bytes_to_u64(bytes_of(value), &depth) || depth < 1 || depth > JSON_DEPTH_MAX) {
                cli_print_line(stderr, "commute %s: --max-depth is a number from 1 to %d, not \"%s\"", command->name, JSON_DEPTH_MAX,
                               value);
                cli_print_line(stderr, "See commute %s --help.", command->name);
                return false;
        }
        *ret_depth = (unsigned)depth;
        return true;
}

// False: the option's value is none of those that it may have, which was printed.
static bool is_choice(const struct cli_command *command, unsigned option, const char *value) {
        const char *const *names = NULL;
        size_t count = 0;
        for (size_t i = 0; i < ARRAY_SIZE(choices); i++)
                if (choices[i].option == option)
                        names = choices[i].names;
        for (; names && count < CHOICES_MAX && names[count]; count++)
                if (strcmp(names[count], value) == 0)
                        return true;
        if (!names)
                return true;
        fprintf(stderr, "commute %s: %s is ", command->name, specs[option].name);
        for (size_t i = 0; i < count; i++)
                fprintf(stderr, "%s%s", names[i], i + 2 < count ? ", " : i + 2 == count ? " or " : "");
        fprintf(stderr, ", not \"%s\"\nSee commute %s --help.\n", value, command->name);
        return false;
}

// The option that the argument names, of those that the command takes; *ret_value points behind "=" if it has one.
static bool find_option(const struct cli_command *command, const char *argument, unsigned *ret_option, const char **ret_value) {
        const char *equals = strncmp(argument, "--", 2) == 0 ? strchr(argument, '=') : NULL;
        size_t length = equals ? (size_t)(equals - argument) : strlen(argument);
        for (unsigned i = 0; i < CLI_OPTION_COUNT; i++) {
                bool named = strlen(specs[i].name) == length && strncmp(argument, specs[i].name, length) == 0;
                if (!named && !(specs[i].letter && strcmp(argument, specs[i].letter) == 0))
                        continue;
                if (i != CLI_HELP && !(command->options & 1u << i))
                        continue;               // another command's; --output has two meanings
                *ret_option = i;
                *ret_value = equals ? equals + 1 : NULL;
                return true;
        }
        return false;
}

bool cli_parse(const struct cli_command *command, int argc, char **argv, struct cli_options *ret_options) {
        struct cli_options options = {.arguments = (const char *const *)argv};
        bool all_arguments = false;
        for (int i = 0; i < argc; i++) {
                unsigned option = 0;
                const char *value = NULL;
                if (all_arguments || argv[i][0] != '-' || !argv[i][1]) {
                        if (options.argument_count == CLI_ARGUMENTS_MAX)
                                return wrong(command, "too many arguments", "");
                        argv[options.argument_count++] = argv[i];
                        continue;
                }
                if (strcmp(argv[i], "--") == 0) {
                        all_arguments = true;
                        continue;
                }
                if (!find_option(command, argv[i], &option, &value))
                        return wrong(command, "there is no option ", argv[i]);
                if (options.given[option] && option != CLI_WITH)
                        return wrong(command, "given twice: ", specs[option].name);
                if (specs[option].value && !value) {
                        if (i + 1 == argc)
                                return wrong(command, "a value is missing behind ", argv[i]);
                        value = argv[++i];
                } else if (!specs[option].value && value) {
                        return wrong(command, "takes no value: ", specs[option].name);
                }
                if (value && !is_choice(command, option, value))
                        return false;
                if (option == CLI_MAX_DEPTH && !take_depth(command, value, &options.max_depth))
                        return false;
                if (option == CLI_WITH && options.with_count == CLI_WITH_MAX)
                        return wrong(command, "given too often: ", specs[option].name);
                if (option == CLI_WITH)
                        options.with[options.with_count++] = value;
                options.given[option] = true;
                options.value[option] = value;
        }
        if (!options.given[CLI_HELP] && options.argument_count < (size_t)command->least)
                return wrong(command, "an argument is missing: ", command->synopsis);
        if (options.argument_count > (size_t)command->most)
                return wrong(command, "one argument too many: ", options.arguments[command->most]);
        *ret_options = options;
        return true;
}

static bool is_there(const struct cli_command *command, const struct cli_programs *programs) {
        return command->run || (programs->serve && strcmp(command->name, "serve") == 0);
}

static void print_usage(FILE *file, const struct cli_programs *programs) {
        fputs("commute moves the communications of services, live: from calls to events and back.\n\n"
              "commute COMMAND [ARGUMENT…] [OPTION…]\n\n", file);
        for (size_t i = 0; i < cli_command_count; i++)
                fprintf(file, "  %-18s %s%s\n", cli_commands[i].name, cli_commands[i].summary,
                        is_there(&cli_commands[i], programs) ? "" : " (not in this version)");
        fputs("\ncommute COMMAND --help says more. commute --version says which version this is.\n"
              "Exit status: 0 done, 64 wrong command line, 65 invalid input, 66 not found, 69 not supported,\n"
              "70 a mistake in commute, 74 the disk failed, 75 not now (try again), 77 not allowed.\n", file);
}

// How many words of argv the command's name has: "schema validate" two. 0: it is not this one.
static int words_of(const struct cli_command *command, int argc, char **argv) {
        const char *space = strchr(command->name, ' ');
        size_t first = space ? (size_t)(space - command->name) : strlen(command->name);
        if (argc < 1 || strlen(argv[0]) != first || strncmp(argv[0], command->name, first) != 0)
                return 0;
        if (!space)
                return 1;
        return argc >= 2 && strcmp(argv[1], space + 1) == 0 ? 2 : 0;
}

static bool begins_with(const struct cli_command *command, const char *word) {
        size_t length = strlen(word);
        return strncmp(command->name, word, length) == 0 && command->name[length] == ' ';
}

static bool is_family(const char *word) {
        bool found = false;
        for (size_t i = 0; i < cli_command_count; i++)
                found |= begins_with(&cli_commands[i], word);
        return found;
}

// `commute schema` and `commute schema --help`: the commands that begin so. False: there is none.
static bool print_family(const char *word, FILE *file) {
        bool found = false;
        for (size_t i = 0; i < cli_command_count; i++) {
                if (!begins_with(&cli_commands[i], word))
                        continue;
                fprintf(file, "commute %s %s\n        %s\n", cli_commands[i].name, cli_commands[i].synopsis,
                        cli_commands[i].summary);
                found = true;
        }
        return found;
}

// What was printed must have come to where it belongs: a verdict that nobody could read is none.
static int finish(int status) {
        if (fflush(stdout) == 0 && !ferror(stdout))
                return status;
        fputs("commute: standard output could not be written\n", stderr);
        return error_exit_status(ERROR_IO);
}

static int run(const struct cli_command *command, int argc, char **argv, const struct cli_programs *programs) {
        struct cli_options options;
        if (!cli_parse(command, argc, argv, &options))
                return CLI_USAGE;
        if (options.given[CLI_HELP]) {
                cli_print_help(command);
                if (!is_there(command, programs))
                        printf("\nThis version does not have it yet.\n");
                return 0;
        }
        if (command->run)
                return finish(command->run(&options));
        struct error error;
        IGNORE(error_set(&error, ERROR_UNSUPPORTED, "%s: not in this version", command->name));        // always false
        return cli_fail(&options, &error);
}

static bool is_help(const char *word) {
        return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

int cli_main(int argc, char **argv, const struct cli_programs *programs) {
        if (argc < 2) {
                print_usage(stderr, programs);
                return CLI_USAGE;
        }
        if (is_help(argv[1])) {
                print_usage(stdout, programs);
                return 0;
        }
        if (strcmp(argv[1], "--version") == 0) {
                puts("commute " COMMUTE_VERSION);
                return 0;
        }
        bool asks = argc > 2 && is_help(argv[argc - 1]);
        if (strcmp(argv[1], "serve") == 0 && programs->serve && !asks)
                return programs->serve(argc - 1, argv + 1);
        for (size_t i = 0; i < cli_command_count; i++) {
                int words = words_of(&cli_commands[i], argc - 1, argv + 1);
                if (words)
                        return run(&cli_commands[i], argc - 1 - words, argv + 1 + words, programs);
        }
        if (argc > 2 && !asks && is_family(argv[1]))
                fprintf(stderr, "commute: there is no command \"%s %s\".\n", argv[1], argv[2]);
        if (print_family(argv[1], asks ? stdout : stderr))
                return asks ? 0 : CLI_USAGE;
        fprintf(stderr, "commute: there is no command \"%s\". See commute --help.\n", argv[1]);
        return CLI_USAGE;
}

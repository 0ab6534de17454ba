// SPDX-License-Identifier: Apache-2.0
// The table of commands, with what each says of itself. A command without `run` is refused by name.
#include "cli/cli_priv.h"

#define TAKES(option) (1u << CLI_##option)
#define SCHEMAS (TAKES(FORMAT_ASSERTION) | TAKES(WITH) | TAKES(DRAFT))
#define CLIENT (TAKES(JSON) | TAKES(CONTROL) | TAKES(TOKEN_FILE) | TAKES(CONFIG))

const struct cli_command cli_commands[] = {
        {"serve", "[-c FILE] [--log-level LEVEL] [--log-format text|json]", "run the gateway, the schema registry and the control API",
         "Runs until SIGTERM or SIGINT, which end what is under way first, for at most 10 seconds; a second signal ends it at once.\n"
         "SIGHUP reads the configuration again: if it is right, and another one, commute begins anew on the same sockets; if not, a\n"
         "log line says why and nothing changes. The addresses stand in the configuration\n"
         "under \"listen\". Log lines go to standard error, from --log-level (debug, info, warn, error) on, as logfmt or JSON.\n"
         "docs/operations.md says more.",
         TAKES(CONFIG), 0, 0, NULL},
        {"check", "[-c FILE] [--json] [--print-schema]", "check the configuration, offline",
         "Reads the configuration and every file it names, and prints what is wrong: FILE:LINE:COLUMN: place: what was expected,\n"
         "up to 20 of them. Prints one line and exits with 0 when nothing is. --json prints the effective configuration, all\n"
         "defaults filled in, and its hash; or {\"error\", \"message\", \"problems\": [{line, column, place, message}]}.\n"
         "docs/configuration.md explains every key.",
         TAKES(CONFIG) | TAKES(JSON) | TAKES(PRINT_SCHEMA), 0, 0, cli_check},
        {"plan", "COMMUNICATION --to MODE | EVENT --to VERSION",
         "show every step of a migration, its gate and the verdict now; change nothing",
         "Lists the steps in their order: what each ensures, whether that holds already, what its gate wants and what it sees now\n"
         "(pass, wait or fail with the first counterexample), what a person has to do, and the way back from there.",
         CLIENT | TAKES(TO), 1, 1, cli_plan},
        {"migrate", "COMMUNICATION --to MODE [--auto | --step]", "begin a migration",
         "Begins to move the communication to another mode. With --auto it takes each step whose gate passes by itself and stops\n"
         "only at what a person has to do; without --json the command then follows it to its end and prints each change (exit status\n"
         "0: done, 75: paused or cancelled). With --step (the default) it waits for \"commute advance\" before each act.",
         CLIENT | TAKES(TO) | TAKES(AUTO) | TAKES(STEP), 1, 1, cli_migrate},
        {"advance", "COMMUNICATION | EVENT", "take the next step of a migration",
         "Measures the next step's gate and takes the step if it passes; else says what is missing. Also says\n"
         "\"done\" to a step that waits for you; where there is a check, it is made.", CLIENT, 1, 1, cli_advance},
        {"pause", "COMMUNICATION | EVENT", "stop a migration where it is",
         "Nothing moves until \"commute advance\" or \"commute rollback\". Traffic goes on as it is.", CLIENT, 1, 1, cli_pause},
        {"rollback", "COMMUNICATION | EVENT", "go one step of a migration back, then pause",
         "Undoes the last step. From where that would read something stale it is a forward migration: \"commute plan\" says which.",
         CLIENT, 1, 1, cli_rollback},
        {"cancel", "COMMUNICATION | EVENT", "go back to where a migration began", "As rollback, step by step, to the start.", CLIENT,
         1, 1, cli_cancel},
        {"status", "[COMMUNICATION] [--watch]", "show each communication, its mode, and why it waits",
         "One line for each communication: mode, step, rates, lag, what is parked or indeterminate, and the reason for every\n"
         "wait. With a name: its accounts, its lanes that stay behind, and the migration's steps with their evidence.",
         CLIENT | TAKES(WATCH), 0, 1, cli_status},
        {"evolve", "EVENT --to VERSION [--auto | --step] | EVENT status | status",
         "move an event to another version, or show who uses which",
         "Begins to move the event to another of its versions (docs/versions.md), as \"commute migrate\" moves a communication: plan,\n"
         "advance, pause, rollback and cancel take the event's name, too, and --auto follows to the end.\n"
         "\"commute evolve status\" lists the events with more than one version; \"commute evolve EVENT status\" says who gives and gets\n"
         "which version, where an old one still lies and whether it may go, and where fields that it had still occur.",
         CLIENT | TAKES(TO) | TAKES(AUTO) | TAKES(STEP), 1, 2, cli_evolve},
        {"parked list", "[COMMUNICATION] [--after POSITION]", "list messages that wait for a person",
         "Each with its position, state, last status, attempts, since when, identity, and why it waits.", CLIENT | TAKES(AFTER), 0, 1,
         cli_parked_list},
        {"parked show", "POSITION", "show one of them", "What was sent, its body included, what came back, and how often it was tried.",
         CLIENT, 1, 1, cli_parked_show},
        {"parked retry", "POSITION", "deliver it again",
         "Refused until the provider's longest request (\"settle\") has passed since the last attempt.", CLIENT, 1, 1, cli_parked_retry},
        {"parked settle", "POSITION --done", "say that the provider has done it",
         "Look into the provider's data first: nobody else knows. Refused until \"settle\" has passed since the last attempt.",
         CLIENT | TAKES(DONE), 1, 1, cli_parked_settle},
        {"parked discard", "POSITION", "give it up",
         "It will not be delivered, and its account says so. What waits behind it in its lane goes on.", CLIENT, 1, 1, cli_parked_discard},
        {"privacy erase", "EVENT…", "erase an event's personal values from topics, copies, calls and snapshots, live",
         "Rewrites what the log holds of the events below the version that is emitted, which must have no personal values: bodies are\n"
         "converted up, requests and answers of settled calls go, copies and snapshots are made anew, and both databases are swept.\n"
         "Positions and offsets stay. Without --json the command follows the job to its end (exit status 0: done, 75: it failed);\n"
         "kill commute or this command anywhere, and it goes on. docs/privacy.md says what is promised.", CLIENT, 1, CLI_ARGUMENTS_MAX,
         cli_privacy_erase},
        {"privacy scan", "[VALUE…] [--values FILE] [--tag]", "look for personal values in everything that commute keeps",
         "Looks for the values, given as arguments or one a line in a file, in every live file of the data folder (bytes, in several\n"
         "encodings), in every record, row and snapshot (decoded), and prints each place; with --tag also for whatever the contracts\n"
         "tag as personal, in topics, shadow topics, recorded calls, stored answers and copies. Up to 200,000 values. A value is named\n"
         "by its number, never shown. Exit status 0: nothing was found, 1: something was. Reads the data folder itself: run it where\n"
         "commute runs.", CLIENT | TAKES(VALUES_FILE) | TAKES(TAG), 0, CLI_ARGUMENTS_MAX,
         cli_privacy_scan},
        {"privacy status", "", "show the last erasure", "Its phase, how far it is, what it counted, why it waits or has failed.", CLIENT,
         0, 0, cli_privacy_status},
        {"proof", "COMMUNICATION [-o FILE]", "write a signed certificate of a communication's accounts",
         "The ledger's sums and equations at one position, what they assume, and the configuration's hash, signed with Ed25519.",
         CLIENT | TAKES(OUTPUT), 1, 1, cli_proof},
        {"verify", "FILE --key FILE", "verify a certificate, offline",
         "Checks the signature with the public key that you give (certificate.pub of the data folder that it came from), and\n"
         "every equation. Exits with 77 if the signature is not of this key, 74 if the ledger does not add up.",
         TAKES(JSON) | TAKES(KEY), 1, 1, cli_verify},
        {"schema validate", "SCHEMA FILE… [--lines] [--output FORM] [--with PATH|URI=FILE]…",
         "validate JSON documents against a JSON Schema, offline",
         "Drafts 4, 6, 7, 2019-09 and 2020-12. A FILE is one document, or JSON Lines; - is standard input. Prints \"FILE: valid\"\n"
         "or every failure with line, column, instance path and keyword. Other schemas come from files beside SCHEMA and from\n"
         "--with PATH (by $id) or --with URI=FILE, never from a network. --json: one array with the basic output of each. Exits with\n"
         "65 if one is invalid, not JSON or beyond a limit, 66 if a file is not there; the rest is validated all the same.\n"
         "docs/schema.md says more.",
         TAKES(JSON) | SCHEMAS | TAKES(FORM) | TAKES(LINES) | TAKES(VALUES) | TAKES(ANNOTATIONS) | TAKES(BENCHMARK) |
         TAKES(MAX_DEPTH), 2, CLI_ARGUMENTS_MAX, cli_schema_validate},
        {"schema check", "SCHEMA… [--with PATH|URI=FILE]…", "check that schemas compile",
         "Says of each whether it compiles. What cannot be asserted is refused, by name and place.",
         TAKES(JSON) | SCHEMAS, 1, CLI_ARGUMENTS_MAX, cli_schema_check},
        {"schema lint", "SCHEMA… [--with PATH|URI=FILE]…", "find mistakes in schemas that compile",
         "Schemas that can never match, unknown keywords, keywords without effect, branches that nothing can take, names in required that\n"
         "a closed object does not have, defaults that their own schema refuses, and more, each with line and column. Exits with 65 if\n"
         "there is any.",
         TAKES(JSON) | SCHEMAS, 1, CLI_ARGUMENTS_MAX, cli_schema_lint},
        {"schema bundle", "SCHEMA [--with PATH|URI=FILE]… [-o FILE]", "put a schema and all that it refers to into one document",
         "Other documents are embedded under $defs (up to draft 7 definitions) with their URI as $id. The bundle validates the same.\n"
         "Without -o, or with -o -, it goes to standard output.",
         TAKES(JSON) | SCHEMAS | TAKES(OUTPUT), 1, 1, cli_schema_bundle},
        {"schema diff", "OLD NEW [--with PATH|URI=FILE]…", "say which levels of compatibility hold, and what breaks the others",
         "BACKWARD: readers with NEW can read what was written with OLD; FORWARD: the other way round; FULL: both. As the registry\n"
         "decides it, difference by difference, with line and column. \"not decided\" has no proof either way, and counts as\n"
         "incompatible. Exits with 65 if NEW is not backward compatible. docs/schema.md says more.",
         TAKES(JSON) | SCHEMAS, 2, 2, cli_schema_diff},
        {"schema register", "SUBJECT SCHEMA [--registry URL] [--references LIST] [--dry-run]", "register a schema with a running registry",
         "Prints the version and id that the subject has it under now; what is there already keeps them. A schema that is not\n"
         "compatible with the subject's earlier versions is refused, each difference told as \"schema diff\" tells it, and exits with\n"
         "65. --dry-run asks for that verdict and changes nothing. The registry is that of the configuration, or --registry;\n"
         "any with Confluent's API will do.\n"
         "Files beside the schema are not sent along: bundle them first, or register them and name them in --references.",
         TAKES(JSON) | TAKES(CONFIG) | TAKES(REGISTRY) | TAKES(REFERENCES) | TAKES(DRY_RUN), 2, 2, cli_schema_register},
        {"docs", "", "write the documentation of the communications", "Markdown, from the configuration and the log.", CLIENT,
         0, 0, NULL},
        {"demo", "", "show it: the hiring platform under load", "As make demo.", 0, 0, 0, NULL},
};
const size_t cli_command_count = ARRAY_SIZE(cli_commands);

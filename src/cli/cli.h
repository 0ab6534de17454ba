// SPDX-License-Identifier: Apache-2.0
// The command line: `commute COMMAND …`. Commands are a table (commands.c); those that need a running commute talk to its control
// API (control.h), the others work offline. Main thread only. Exit status: base/error.h, and 64 for a wrong command line.
#pragma once

#include "base/base.h"

enum { CLI_USAGE = 64 };

// What the command line cannot know itself. NULL: not in this version.
struct cli_programs {
        int (*serve)(int argc, char **argv);    // argv[0] is "serve"; returns the exit status
};

int cli_main(int argc, char **argv, const struct cli_programs *programs);

// SPDX-License-Identifier: Apache-2.0
// Joins the daemon and the command line; nothing else knows both. The same program is the process in which jq programs run.
#include "cli/cli.h"
#include "convert/convert.h"
#include "daemon/serve.h"

#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
        if (argc > 1 && strcmp(argv[1], CONVERT_COMMAND) == 0)
                return convert_child_main(argc - 1, argv + 1);
        unsetenv("HOME");       // libjq, where it checks a program, would read $HOME/.jq as a part of it
        const struct cli_programs programs = {.serve = daemon_serve};
        return cli_main(argc, argv, &programs);
}

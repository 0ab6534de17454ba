// SPDX-License-Identifier: Apache-2.0
// Joins the daemon and the command line; nothing else knows both.
#include "cli/cli.h"
#include "daemon/serve.h"

int main(int argc, char **argv) {
        const struct cli_programs programs = {.serve = daemon_serve};
        return cli_main(argc, argv, &programs);
}

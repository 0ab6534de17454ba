// SPDX-License-Identifier: Apache-2.0
// `commute serve`: the gateway, the schema registry and the control API in one process, until a signal ends it.
#pragma once

// argv[0] is "serve". Main thread, before any other thread is started; blocks signals and never unblocks them. Returns the exit
// status: 0 ended after all that was under way; 64 wrong command line; 75 cut short by a second signal or the deadline; else
// error_exit_status of what it could not do.
int daemon_serve(int argc, char **argv);

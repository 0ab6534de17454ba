// SPDX-License-Identifier: Apache-2.0
// Tells a service manager how this process is (sd_notify(3), its protocol): a datagram to the socket that $NOTIFY_SOCKET names.
#pragma once

#include "base/error.h"

// state: "READY=1", "STOPPING=1", …. True without doing anything when no manager listens. Any thread that may read the environment.
MUST_USE bool notify_supervisor(const char *state, struct error *error);

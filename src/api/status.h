// SPDX-License-Identifier: Apache-2.0
// What status and certificates share.
#pragma once

#include "api/api.h"
#include "proof/ledger.h"

// The accounts of all shards of a communication, at one position of the views. ERROR_UNAVAILABLE: they moved between all tries.
// The control thread.
MUST_USE bool api_accounts(const struct api *api, const char *communication, struct ledger_sums *ret_sums, uint64_t *ret_position,
                           struct error *error);

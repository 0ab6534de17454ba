// SPDX-License-Identifier: Apache-2.0
// The control API's routes of migrations (docs/migrations.md): plans, commands, and what each migration sees.
//      GET  /plan/{communication}?to=async
//      GET  /migrations                        POST /migrations/{communication}   {"to": "async", "auto": true}
//      GET  /migrations/{communication}        POST /migrations/{communication}/advance | pause | rollback | cancel
// Everything runs on the control thread.
#pragma once

struct api;
struct migrate;

// Adds the routes, and what /status says of a communication's migration. The machine outlives the api.
void migrate_rest_add(struct api *api, struct migrate *migrate);

// SPDX-License-Identifier: Apache-2.0
// The control API's routes of privacy (docs/privacy.md):
//      POST /privacy/erase  {"events": ["TaskCreated"]}                GET /privacy/erase
//      POST /privacy/scan   {"values": ["…"], "tags": true}            GET /privacy/scan
// Everything runs on the control thread.
#pragma once

struct api;
struct erase;
struct scan;

// What the routes use; outlives the api.
struct privacy_rest {
        struct erase *erase;
        struct scan *scan;
};
void privacy_rest_add(struct api *api, struct privacy_rest *rest);

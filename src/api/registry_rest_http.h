// SPDX-License-Identifier: Apache-2.0
// Joins the registry's REST API to an HTTP server: give registry_rest_http to http_server_new as its handler, with the struct
// registry_rest as its user and REGISTRY_REST_BODY_MAX as max_body. The server's loop is the control thread's.
#pragma once

#include "api/registry_rest.h"
#include "http/server.h"

http_handle registry_rest_http;

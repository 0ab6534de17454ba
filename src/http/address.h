// SPDX-License-Identifier: Apache-2.0
// Addresses to listen on and URLs to call, as text. Pure but for the types of <netinet/in.h>; nothing is looked up. Any thread.
#pragma once

#include <netinet/in.h>

#include "base/error.h"
#include "base/bytes.h"

enum { HTTP_HOST_MAX = 253, HTTP_ADDRESSES_MAX = 8 };

struct http_address {
        socklen_t size;
        union {
                struct sockaddr any;
                struct sockaddr_in v4;
                struct sockaddr_in6 v6;
        };
};

// An IPv4 or IPv6 address without brackets, or "localhost" (127.0.0.1); false: it is another name.
bool http_address_literal(struct bytes host, uint16_t port, struct http_address *ret_address);

// "127.0.0.1:8080", "[::1]:8080", "localhost:8080", ":8080", "*:8080". Port 0 is allowed.
MUST_USE bool http_address_parse(struct bytes text, struct http_address *ret_address, struct error *error);
uint16_t http_address_port(const struct http_address *address);

// http://HOST[:PORT][/BASE]; the parts point into the text. base has no slash at its end, and is empty or begins with one.
struct http_url {
        struct bytes host;              // without brackets
        struct bytes authority;         // as given, for Host
        struct bytes base;
        uint16_t port;
};
MUST_USE bool http_url_parse(struct bytes text, struct http_url *ret_url, struct error *error);

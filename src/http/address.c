// SPDX-License-Identifier: Apache-2.0
#include "http/address.h"

#include <arpa/inet.h>
#include <string.h>

#include "http/chars.h"
#include "http/client.h"

static struct http_address v4(in_addr_t host, uint16_t port) {
        struct http_address address = {.size = sizeof address.v4};
        address.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = host};
        return address;
}

bool http_address_literal(struct bytes host, uint16_t port, struct http_address *ret_address) {
        char text[INET6_ADDRSTRLEN + 1];
        if (bytes_equal_ignore_case(host, BYTES("localhost"))) {
                *ret_address = v4(htonl(INADDR_LOOPBACK), port);
                return true;
        }
        if (!host.size || host.size >= sizeof text)
                return false;
        memcpy(text, host.data, host.size);
        text[host.size] = 0;
        struct in_addr four;
        if (inet_pton(AF_INET, text, &four) == 1) {
                *ret_address = v4(four.s_addr, port);
                return true;
        }
        struct in6_addr six;
        if (inet_pton(AF_INET6, text, &six) != 1)
                return false;
        *ret_address = (struct http_address){.size = sizeof ret_address->v6};
        ret_address->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = six};
        return true;
}

// Cuts HOST[:PORT], HOST in brackets if it is IPv6. ret_port is empty if there is none.
static bool split(struct bytes text, struct bytes *ret_host, struct bytes *ret_port) {
        struct bytes host = text, port = {0};
        if (text.size && text.data[0] == '[') {
                const char *end = memchr(text.data, ']', text.size);
                if (!end)
                        return false;
                host = (struct bytes){text.data + 1, (size_t)(end - text.data) - 1};
                struct bytes rest = {end + 1, text.size - host.size - 2};
                if (rest.size && rest.data[0] != ':')
                        return false;
                if (rest.size)
                        port = (struct bytes){rest.data + 1, rest.size - 1};
                if (!memchr(host.data, ':', host.size) || (rest.size && !port.size))
                        return false;
        } else {
                const char *colon = memchr(text.data, ':', text.size);
                if (colon) {
                        host.size = (size_t)(colon - text.data);
                        port = (struct bytes){colon + 1, text.size - host.size - 1};
                        if (!port.size)
                                return false;
                }
        }
        *ret_host = host;
        *ret_port = port;
        return true;
}

bool http_address_parse(struct bytes text, struct http_address *ret_address, struct error *error) {
        struct bytes host, port_text;
        uint64_t port;
        if (!text.size || !split(text, &host, &port_text) || !bytes_to_u64(port_text, &port) || port > UINT16_MAX)
                return error_set(error, ERROR_INVALID,
                                 "\"%.*s\" is not an address and port, as 127.0.0.1:8080 or [::1]:8080 or :8080",
                                 BYTES_PRINT(text));
        if (!host.size || bytes_equal(host, BYTES("*"))) {
                *ret_address = v4(htonl(INADDR_ANY), (uint16_t)port);
                return true;
        }
        if (!http_address_literal(host, (uint16_t)port, ret_address))
                return error_set(error, ERROR_INVALID,
                                 "\"%.*s\" is not an address of this machine: give an IP address or localhost",
                                 BYTES_PRINT(host));
        return true;
}

uint16_t http_address_port(const struct http_address *address) {
        return ntohs(address->any.sa_family == AF_INET6 ? address->v6.sin6_port : address->v4.sin_port);
}

static bool host_valid(struct bytes host, bool bracketed) {
        struct http_address address;
        if (bracketed)
                return http_address_literal(host, 0, &address) && address.any.sa_family == AF_INET6;
        for (size_t i = 0; i < host.size; i++) {
                char c = host.data[i];
                bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
                if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '.' && c != '_')
                        return false;
        }
        return host.size && host.size <= HTTP_HOST_MAX;
}

bool http_url_parse(struct bytes text, struct http_url *ret_url, struct error *error) {
        if (text.size >= 8 && bytes_equal_ignore_case((struct bytes){text.data, 8}, BYTES("https://")))
                return error_set(error, ERROR_UNSUPPORTED, "%.*s: https is not supported yet, only http", BYTES_PRINT(text));
        if (text.size < 7 || !bytes_equal_ignore_case((struct bytes){text.data, 7}, BYTES("http://")))
                return error_set(error, ERROR_INVALID, "\"%.*s\" is not a URL: expected http://HOST[:PORT][/BASE]",
                                 BYTES_PRINT(text));
        struct bytes rest = {text.data + 7, text.size - 7};
        if (!http_all(rest, CHAR_TARGET) || memchr(rest.data, '?', rest.size))
                return error_set(error, ERROR_INVALID, "%.*s: a base URL has no query, no fragment, and visible ASCII only",
                                 BYTES_PRINT(text));
        const char *slash = memchr(rest.data, '/', rest.size);
        struct http_url url = {.authority = {rest.data, slash ? (size_t)(slash - rest.data) : rest.size}, .port = 80};
        if (url.authority.size && memchr(url.authority.data, '@', url.authority.size))
                return error_set(error, ERROR_INVALID, "%.*s: a URL does not carry user names and passwords here",
                                 BYTES_PRINT(text));
        struct bytes port_text;
        uint64_t port = 80;
        if (!url.authority.size || !split(url.authority, &url.host, &port_text) ||
            !host_valid(url.host, url.authority.data[0] == '['))
                return error_set(error, ERROR_INVALID, "%.*s: no valid host", BYTES_PRINT(text));
        if (port_text.size && (!bytes_to_u64(port_text, &port) || !port || port > UINT16_MAX))
                return error_set(error, ERROR_INVALID, "%.*s: the port is not a number from 1 to 65535", BYTES_PRINT(text));
        url.port = (uint16_t)port;
        if (slash)
                url.base = (struct bytes){slash, rest.size - url.authority.size};
        while (url.base.size && url.base.data[url.base.size - 1] == '/')
                url.base.size--;
        if (url.base.size && http_path_climbs(url.base))
                return error_set(error, ERROR_INVALID, "%.*s: the path has a segment . or ..", BYTES_PRINT(text));
        *ret_url = url;
        return true;
}

bool http_url_check(struct bytes url, struct error *error) {
        struct http_url parsed;
        return http_url_parse(url, &parsed, error);
}

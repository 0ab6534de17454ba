// SPDX-License-Identifier: Apache-2.0
// An exchange of the registry lives in one allocation beside the server's, from the request until the answer. The server keeps
// the bytes of the request until it is answered, and drops the answer when the client is gone.
#include "api/registry_rest_http.h"

#include <stdlib.h>

static struct bytes header(const struct http_exchange *from, const char *name) {
        struct bytes value;
        return http_header_find(from->headers, from->header_count, bytes_of(name), &value) ? value : (struct bytes){0};
}

static void answered(struct registry_exchange *exchange) {
        const struct http_header headers[] = {{BYTES("Content-Type"), bytes_of(exchange->content_type_out)},
                                              {BYTES("Allow"), bytes_of(exchange->allow)}};
        http_answer(exchange->user, (unsigned)exchange->status, headers, exchange->allow ? 2 : 1, buffer_bytes(&exchange->answer));
        registry_exchange_clear(exchange);
        free(exchange);
}

void registry_rest_http(void *user, struct http_exchange *from) {
        struct registry_exchange *exchange = must_calloc(1, sizeof *exchange);
        exchange->method = from->method;
        exchange->path = from->path;
        exchange->query = from->query;
        exchange->content_type = header(from, "content-type");
        exchange->accept = header(from, "accept");
        exchange->body = from->body;
        exchange->answered = answered;
        exchange->user = from;
        registry_rest_handle(user, exchange);
}

// SPDX-License-Identifier: Apache-2.0
#include "schema/schema_priv.h"

struct uri {
        struct bytes scheme, authority, path, query, fragment;  // .data NULL: absent (the path is never absent)
};

static struct bytes take_until(struct bytes *rest, const char *stops) {
        size_t size = 0;
        while (size < rest->size && (rest->data[size] == '\0' || !strchr(stops, rest->data[size])))
                size++;
        struct bytes piece = {rest->data, size};
        *rest = (struct bytes){rest->data + size, rest->size - size};
        return piece;
}

static struct bytes skip(struct bytes rest, size_t size) {
        return (struct bytes){rest.data + size, rest.size - size};
}

// RFC 3986, appendix B.
static struct uri uri_parse(struct bytes rest) {
        struct uri uri = {0};
        if (!rest.data)
                rest.data = "";
        struct bytes after = rest, scheme = take_until(&after, ":/?#");
        if (scheme.size && after.size && after.data[0] == ':') {
                uri.scheme = scheme;
                rest = skip(after, 1);
        }
        if (bytes_starts_with(rest, BYTES("//"))) {
                rest = skip(rest, 2);
                uri.authority = take_until(&rest, "/?#");
        }
        uri.path = take_until(&rest, "?#");
        if (rest.size && rest.data[0] == '?') {
                rest = skip(rest, 1);
                uri.query = take_until(&rest, "#");
        }
        if (rest.size && rest.data[0] == '#')
                uri.fragment = skip(rest, 1);
        return uri;
}

// RFC 3986, 5.2.4: what is in the buffer from `start` on is a path.
static void remove_dots(struct buffer *buffer, size_t start) {
        char *path = buffer->data + start;
        size_t size = buffer->size - start, to = 0;
        bool absolute = size && path[0] == '/';
        for (size_t at = absolute; absolute && at <= size; ) {
                size_t end = at;
                while (end < size && path[end] != '/')
                        end++;
                struct bytes segment = {path + at, end - at};
                bool last = end == size, up = bytes_equal(segment, BYTES(".."));
                if (up || bytes_equal(segment, BYTES("."))) {
                        while (up && to > 0 && path[--to] != '/')
                                ;
                        if (last)
                                path[to++] = '/';
                } else {
                        path[to++] = '/';
                        memmove(path + to, segment.data, segment.size);
                        to += segment.size;
                }
                at = end + 1;
        }
        if (absolute)
                buffer->size = start + to;
}

static void append_part(struct buffer *buffer, const char *before, struct bytes part, const char *behind) {
        if (!part.data)
                return;
        buffer_append(buffer, bytes_of(before));
        buffer_append(buffer, part);
        buffer_append(buffer, bytes_of(behind));
}

void uri_resolve(struct buffer *buffer, struct bytes base_text, struct bytes reference_text) {
        struct uri base = uri_parse(base_text), uri = uri_parse(reference_text);
        struct bytes directory = {0};
        if (!uri.scheme.data) {
                uri.scheme = base.scheme;
                if (!uri.authority.data) {
                        uri.authority = base.authority;
                        if (uri.path.size == 0) {
                                uri.path = base.path;
                                uri.query = uri.query.data ? uri.query : base.query;
                        } else if (uri.path.data[0] != '/') {
                                directory = base.path;
                                while (directory.size && directory.data[directory.size - 1] != '/')
                                        directory.size--;
                                if (base.authority.data && base.path.size == 0)
                                        directory = BYTES("/");
                        }
                }
        }
        append_part(buffer, "", uri.scheme, ":");
        append_part(buffer, "//", uri.authority, "");
        size_t start = buffer->size;
        buffer_append(buffer, directory);
        buffer_append(buffer, uri.path);
        if (buffer->size > start)
                remove_dots(buffer, start);
        append_part(buffer, "?", uri.query, "");
        append_part(buffer, "#", uri.fragment, "");
}

bool uri_decode(struct bytes text, struct buffer *buffer) {
        static const char digits[] = "0123456789abcdef";
        for (size_t i = 0; i < text.size; i++) {
                if (text.data[i] != '%') {
                        buffer_append_byte(buffer, text.data[i]);
                        continue;
                }
                const char *high = i + 2 < text.size && text.data[i + 1] ? strchr(digits, text.data[i + 1] | 0x20) : NULL;
                const char *low = i + 2 < text.size && text.data[i + 2] ? strchr(digits, text.data[i + 2] | 0x20) : NULL;
                if (!high || !low)
                        return false;
                buffer_append_byte(buffer, (char)((high - digits) << 4 | (low - digits)));
                i += 2;
        }
        return true;
}

// RFC 3986, 3.5. What is not ASCII is encoded, too: this is a URI, and not an IRI.
void uri_append_fragment(struct buffer *buffer, struct bytes text) {
        for (size_t i = 0; i < text.size; i++) {
                char c = text.data[i], low = (char)(c | 0x20);
                bool plain = (c >= '0' && c <= '9') || (low >= 'a' && low <= 'z') || (c && strchr("-._~!$&'()*+,;=:@/?", c));
                if (plain)
                        buffer_append_byte(buffer, c);
                else
                        buffer_print(buffer, "%%%02X", (unsigned)(uint8_t)c);
        }
}

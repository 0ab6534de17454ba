// SPDX-License-Identifier: Apache-2.0
#include "log/record.h"

#include <endian.h>

enum { VERSION = 1 };

struct wire {
        uint8_t version, kind;
        uint16_t flags, status, reserved;
        uint32_t epoch, attempt, schema_id, mapping, shard, mode;
        uint64_t sequence, reference, time_ms;
        struct hash128 lane, identity, body_hash;
        uint16_t key_size, identity_size;
        uint32_t request_size;
};
static_assert(sizeof(struct wire) == RECORD_HEADER_FIXED, "the layout in record.h");
static_assert(offsetof(struct wire, sequence) == 32 && offsetof(struct wire, lane) == 56, "the layout in record.h");

const char *record_kind_name(enum record_kind kind) {
        switch (kind) {
#define X(name, number) case RECORD_##name: return #name;
                RECORD_KINDS(X)
#undef X
        }
        return "?";
}

void record_encode(const struct record *record, struct buffer *buffer) {
        ASSERT(record->key.size <= RECORD_KEY_MAX && record->identity_text.size <= RECORD_IDENTITY_MAX);
        ASSERT(record->request.size <= RECORD_REQUEST_MAX);
        ASSERT(record->flags <= UINT16_MAX);
        struct wire wire = {
                .version = VERSION,
                .kind = (uint8_t)record->kind,
                .flags = htole16((uint16_t)record->flags),
                .status = htole16(record->status),
                .epoch = htole32(record->epoch),
                .attempt = htole32(record->attempt),
                .schema_id = htole32(record->schema_id),
                .mapping = htole32(record->mapping),
                .shard = htole32(record->shard),
                .mode = htole32((uint32_t)record->mode),
                .sequence = htole64(record->sequence),
                .reference = htole64(record->reference),
                .time_ms = htole64((uint64_t)record->time_ms),
                .lane = record->lane,
                .identity = record->identity,
                .body_hash = record->body_hash,
                .key_size = htole16((uint16_t)record->key.size),
                .identity_size = htole16((uint16_t)record->identity_text.size),
                .request_size = htole32((uint32_t)record->request.size),
        };
        buffer_append(buffer, (struct bytes){(const char *)&wire, sizeof wire});
        buffer_append(buffer, record->key);
        buffer_append(buffer, record->identity_text);
        buffer_append(buffer, record->request);
}

static struct bytes take(const char **at, size_t size) {
        struct bytes part = {*at, size};
        *at += size;
        return part;
}

bool record_decode(struct bytes header, struct record *ret_record, struct error *error) {
        struct wire wire;
        if (header.size < sizeof wire)
                return error_set(error, ERROR_CORRUPT, "record header of %zu bytes, at least %zu expected", header.size,
                        sizeof wire);
        memcpy(&wire, header.data, sizeof wire);
        if (wire.version != VERSION)
                return error_set(error, ERROR_CORRUPT, "record header version %u, %d expected", wire.version, VERSION);
        if (record_kind_name((enum record_kind)wire.kind)[0] == '?')
                return error_set(error, ERROR_CORRUPT, "record kind %u is not known", wire.kind);
        size_t key = le16toh(wire.key_size), identity = le16toh(wire.identity_size), request = le32toh(wire.request_size);
        uint32_t mode = le32toh(wire.mode);
        if (key > RECORD_KEY_MAX || identity > RECORD_IDENTITY_MAX || request > RECORD_REQUEST_MAX || mode > LANE_PUSH ||
            header.size != sizeof wire + key + identity + request)
                return error_set(error, ERROR_CORRUPT, "record header of %zu bytes with parts of %zu, %zu and %zu, mode %u",
                                 header.size, key, identity, request, mode);
        const char *at = header.data + sizeof wire;
        *ret_record = (struct record){
                .kind = (enum record_kind)wire.kind,
                .flags = le16toh(wire.flags),
                .status = le16toh(wire.status),
                .epoch = le32toh(wire.epoch),
                .attempt = le32toh(wire.attempt),
                .schema_id = le32toh(wire.schema_id),
                .mapping = le32toh(wire.mapping),
                .shard = le32toh(wire.shard),
                .mode = (enum lane_mode)mode,
                .sequence = le64toh(wire.sequence),
                .reference = le64toh(wire.reference),
                .time_ms = (int64_t)le64toh(wire.time_ms),
                .lane = wire.lane,
                .identity = wire.identity,
                .body_hash = wire.body_hash,
        };
        ret_record->key = take(&at, key);
        ret_record->identity_text = take(&at, identity);
        ret_record->request = take(&at, request);
        return true;
}

// SPDX-License-Identifier: Apache-2.0
// Keys of events as records and tables have them: a key that is personal is the pseudonym (purpose "key") of its text, so that nobody
// reads it in the log or in state.db. In memory, at providers and in the lane's hash it is the key itself: lanes do not depend on it.
#include "gateway/gateway_priv.h"

#include "json/writer.h"

// The pseudonym of so many bytes of JSON still fits into RECORD_KEY_MAX.
enum { KEY_PERSONAL_MAX = RECORD_KEY_MAX / 4 * 3 - 16 };

static bool is_personal(const struct gateway *gateway, const struct model_event *event) {
        return event && event->key_is_personal && gateway->options.pseudonyms;
}

const struct model_event *key_event(const struct route *route) {
        return route->communication->async ? route->communication->async->event : NULL;
}

bool key_check(const struct gateway *gateway, const struct model_event *event, struct bytes key, struct error *error) {
        struct buffer CLEANUP(buffer_free) text = {0};
        if (key.size > RECORD_KEY_MAX)
                return error_set(error, ERROR_LIMIT, "the lane's key has %zu bytes, at most %d are allowed", key.size, RECORD_KEY_MAX);
        if (!is_personal(gateway, event))
                return true;
        json_quote(&text, key);
        return text.size <= KEY_PERSONAL_MAX ||
               error_set(error, ERROR_LIMIT, "the lane's key is personal and has %zu bytes as JSON, at most %d are allowed", text.size,
                         KEY_PERSONAL_MAX);
}

struct bytes key_stored(const struct gateway *gateway, const struct model_event *event, struct bytes key, struct arena *arena) {
        const struct template_pseudonyms *pseudonyms = gateway->options.pseudonyms;
        struct buffer CLEANUP(buffer_free) text = {0};
        struct buffer CLEANUP(buffer_free) stored = {0};
        if (!key.size || !is_personal(gateway, event))
                return key;
        json_quote(&text, key);
        bool made = pseudonyms->pseudonym(pseudonyms->user, BYTES("key"), buffer_bytes(&text), &stored, NULL);
        ASSERT(made && stored.size <= RECORD_KEY_MAX);  // key_check
        return arena_copy(arena, buffer_bytes(&stored));
}

bool key_clear(const struct gateway *gateway, const struct model_event *event, struct bytes stored, struct arena *arena,
               struct bytes *ret_key, struct error *error) {
        const struct template_pseudonyms *pseudonyms = gateway->options.pseudonyms;
        struct buffer CLEANUP(buffer_free) text = {0};
        const struct json *key;
        *ret_key = stored;
        if (!stored.size || !is_personal(gateway, event))
                return true;
        if (!pseudonyms->resolve(pseudonyms->user, BYTES("key"), stored, &text, error) ||
            !json_parse(arena_copy(arena, buffer_bytes(&text)), NULL, arena, &key, error))
                return error_wrap(error, "a key of %s", event->name);
        *ret_key = json_text(key);
        return json_is(key, JSON_STRING) || error_set(error, ERROR_CORRUPT, "a key of %s is no text", event->name);
}

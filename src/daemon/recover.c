// SPDX-License-Identifier: Apache-2.0
// What a start finds in the data folder: the lock, the keys, the log, its views. The registry and the configuration's number are
// folded from the records of the stream `control` as the views replay them; once threads run, changes fold them themselves.
#include "daemon/daemon_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "json/writer.h"
#include "os/disk.h"

static char *path_in(const char *folder, const char *name) {
        struct buffer text = {0};
        buffer_print(&text, "%s/%s", folder, name);
        return buffer_take_text(&text);
}

// {"format":1,"hash":"…","pseudonym_key":"…","personal_keys":[…],"configuration":{…}}. pseudonym_key is the fingerprint of the key in
// force, which must not change: nobody could resolve the pseudonyms of before. personal_keys: events whose key records do not have
// in clear.
static bool fold_config(struct daemon *daemon, const struct record *record, struct bytes body, struct error *error) {
        struct arena CLEANUP(arena_free) arena = {0};
        const struct json *root;
        if (!json_parse(body, NULL, &arena, &root, error))
                return false;
        const struct json *hash = json_get_text(root, "hash");
        if (!json_is(hash, JSON_STRING) || json_text(hash).size >= sizeof daemon->config_hash)
                return error_set(error, ERROR_CORRUPT, "it has no hash");
        snprintf(daemon->config_hash, sizeof daemon->config_hash, "%.*s", BYTES_PRINT(json_text(hash)));
        const struct json *key = json_get_text(root, "pseudonym_key");
        if (json_is(key, JSON_STRING))
                snprintf(daemon->pseudonym_key, sizeof daemon->pseudonym_key, "%.*s", BYTES_PRINT(json_text(key)));
        daemon->config_number = record->mapping;
        configured_fold(daemon, root, body);
        return true;
}

static void control_record(void *context, uint64_t position, const struct record *record, struct bytes body) {
        struct daemon *daemon = context;
        struct error error;
        if (!daemon->replaying || daemon->replay_error.code != ERROR_NONE)
                return;
        bool folded = record->kind == RECORD_REGISTRY ? registry_apply(daemon->registry, body, &error) :
                      record->kind == RECORD_CONFIG   ? fold_config(daemon, record, body, &error) : true;
        if (folded)
                return;
        error_wrap(&error, "%s record at %llu", record_kind_name(record->kind), (unsigned long long)position);
        daemon->replay_error = error;
}

static void moved(void *context, uint64_t position) {
        struct daemon *daemon = context;
        pthread_mutex_lock(&daemon->telling_mutex);
        if (daemon->telling)
                gateway_views_moved(daemon->gateway, position);
        pthread_mutex_unlock(&daemon->telling_mutex);
}

void daemon_tell_log_broken(struct daemon *daemon) {
        pthread_mutex_lock(&daemon->telling_mutex);
        if (daemon->telling)
                gateway_log_broken(daemon->gateway);
        pthread_mutex_unlock(&daemon->telling_mutex);
}

void daemon_stop_telling(struct daemon *daemon) {
        pthread_mutex_lock(&daemon->telling_mutex);
        daemon->telling = false;
        pthread_mutex_unlock(&daemon->telling_mutex);
}

static void progress(void *context, uint64_t position, uint64_t end) {
        struct daemon *daemon = context;
        uint64_t now = clock_monotonic_ns(clock_real());
        if (now - daemon->said_ns < SECONDS(1) && position < end)
                return;
        daemon->said_ns = now;
        SAY(&daemon->say, INFO, "catching-up", {"position", SAY_NUMBER(position)}, {"end", SAY_NUMBER(end)});
}

bool daemon_catch_up(struct daemon *daemon, struct error *error) {
        uint64_t lag = views_lag(daemon->views);
        if (!views_catch_up(daemon->views, lag > VIEWS_BATCH_RECORDS ? progress : NULL, error))
                return false;
        if (daemon->replay_error.code == ERROR_NONE)
                return true;
        *error = daemon->replay_error;
        return false;
}

static bool open_views(struct daemon *daemon, struct error *error) {
        uint64_t window = 0;            // identities must be known for as long as the longest window says
        for (size_t i = 0; i < daemon->model->communication_count; i++)
                window = MAX(window, daemon->model->communications[i].tuning.identity_window_ms);
        uint64_t retention = 0;
        for (size_t i = 0; i < daemon->model->event_count; i++)
                retention = MAX(retention, daemon->model->events[i].retention_ms);
        struct views_options options = {
                .log = daemon->log, .path = daemon->state_path, .identity_window_ms = (int64_t)window,
                .retention_ms = (int64_t)retention,
                .control = control_record, .moved = moved, .context = daemon,
        };
        daemon->replaying = true;
        bool caught_up = views_open(&options, &daemon->views, error) && daemon_catch_up(daemon, error);
        daemon->replaying = false;
        return caught_up;
}

struct landing {
        bool landed;
        struct error error;
};

static void landed(void *user, uint64_t position, const struct error *error) {
        struct landing *landing = user;
        (void)position;
        landing->landed = !error;
        if (error)
                landing->error = *error;
}

// Waits: the journal has no loop yet.
static bool append(struct daemon *daemon, enum record_kind kind, struct bytes body, struct error *error) {
        struct landing landing = {0};
        journal_append(daemon->journal, kind, (struct bytes){0}, body, landed, &landing);
        if (landing.landed)
                return true;
        *error = landing.error;
        return error_wrap(error, "append %s", record_kind_name(kind));
}

static bool append_config(struct daemon *daemon, struct error *error) {
        char pseudonym_key[17];
        pseudonyms_fingerprint(daemon->pseudonyms, pseudonym_key);
        if (daemon->pseudonym_key[0] && strcmp(daemon->pseudonym_key, pseudonym_key) != 0)
                return error_set(error, ERROR_CORRUPT, "%s/pseudonym.key: not the key that pseudonyms of this log were made with. Without "
                                 "it nobody can resolve them: restore the file from a backup", daemon->model->settings.data);
        if (daemon->pseudonym_key[0] && strcmp(daemon->config_hash, daemon->model->hash_text) == 0)
                return true;
        struct buffer CLEANUP(buffer_free) body = {0};
        struct json_writer writer = {.buffer = &body};
        json_begin_object(&writer);
        json_member_u64(&writer, "format", 1);
        json_member_text(&writer, "hash", daemon->model->hash_text);
        json_member_text(&writer, "pseudonym_key", pseudonym_key);
        json_key(&writer, "personal_keys");
        json_begin_array(&writer);
        for (size_t i = 0; i < daemon->model->event_count; i++)
                if (daemon->model->events[i].key_is_personal)
                        json_string_text(&writer, daemon->model->events[i].name);
        json_end_array(&writer);
        json_key(&writer, "configuration");
        json_raw(&writer, daemon->model->canonical);
        json_end_object(&writer);
        json_end(&writer);
        journal_config(daemon->journal, daemon->config_number + 1);
        if (!append(daemon, RECORD_CONFIG, buffer_bytes(&body), error))
                return false;
        daemon->config_number++;
        SAY(&daemon->say, INFO, "configuration", {"number", SAY_NUMBER(daemon->config_number)}, {"hash", daemon->model->hash_text});
        return true;
}

static bool pseudonym(void *user, struct bytes purpose, struct bytes value, struct buffer *out, struct error *error) {
        return pseudonym_make(user, purpose, value, out, error);
}

static bool resolve(void *user, struct bytes purpose, struct bytes text, struct buffer *out, struct error *error) {
        return pseudonym_resolve(user, purpose, text, out, error);
}

static void make_pseudonyms(struct daemon *daemon) {
        daemon->pseudonyms = pseudonyms_new(daemon->keys.pseudonym.bytes);
        daemon->template_pseudonyms = (struct template_pseudonyms){pseudonym, resolve, daemon->pseudonyms};
}

static bool append_start(struct daemon *daemon, struct error *error) {
        struct buffer CLEANUP(buffer_free) body = {0};
        buffer_print(&body, "{\"format\":1,\"process\":%ld}", (long)getpid());
        return append(daemon, RECORD_START, buffer_bytes(&body), error);
}

bool daemon_recover(struct daemon *daemon, struct error *error) {
        const char *folder = daemon->model->settings.data;
        CLEANUP(free_pointer) char *lock_path = path_in(folder, "lock");
        daemon->log_path = path_in(folder, "log.db");
        daemon->state_path = path_in(folder, "state.db");
        if (!keys_folder(folder, error))
                return error_wrap(error, "data folder");
        if (!disk_lock(lock_path, &daemon->lock, error))
                return error_wrap(error, "data folder %s", folder);
        bool log_exists = access(daemon->log_path, F_OK) == 0;
        if (!keys_load(folder, log_exists, &daemon->keys, error))
                return false;
        make_pseudonyms(daemon);
        IGNORE(setenv("SQLITE_TMPDIR", folder, 0) == 0);        // where VACUUM puts its copy, which has no name: /tmp may be small
        struct log_options options = {.threaded = true};
        daemon->registry = registry_new(&(struct registry_options){.memory_max = daemon->model->settings.max_registry});
        if (!log_open(daemon->log_path, &options, &daemon->log, error))
                return error_wrap(error, "open log");
        if (!open_views(daemon, error) || !journal_new(daemon->log, &daemon->journal, error))
                return false;
        daemon->changes = registry_changes_new(daemon->registry, contracts_append, daemon);
        journal_config(daemon->journal, daemon->config_number);
        return configured_allows(daemon, error) && append_start(daemon, error) && append_config(daemon, error) &&
               daemon_catch_up(daemon, error);
}

void daemon_recover_undo(struct daemon *daemon) {
        registry_changes_free(daemon->changes);
        views_close(daemon->views);
        log_close(daemon->log);
        journal_free(daemon->journal);
        registry_free(daemon->registry);
        pseudonyms_free(TAKE(daemon->pseudonyms));
        keys_free(&daemon->keys);
        disk_unlock(daemon->lock);
        free(daemon->log_path);
        free(daemon->state_path);
        buffer_free(&daemon->last_config);
        free(daemon->recognised_before);
}

// SPDX-License-Identifier: Apache-2.0
// The daemon's body, and what its files use of each other:
//      serve.c         the command line, the order of starting and ending, signals
//      reload.c        SIGHUP: whether another configuration may follow, and the beginning anew
//      listeners.c     listening sockets that a reload hands over
//      recover.c       data folder, log, views, registry: what a start finds
//      contracts.c     events' schemas in the registry, and what the gateway is told of them
//      control.c       the control thread: the registry's REST API and the control API
//      erasing.c       what an erasure needs of all this
//      plane.c         the data plane's loops
//      journal.c       appends to the stream `control`
//      keys.c          secrets
//      say.c           the daemon's own log lines
//
// Everything is made and freed by the main thread, in the order of the members below (freed from the last to the first).
#pragma once

#include "api/api.h"
#include "api/privacy_rest.h"
#include "api/registry_rest.h"
#include "base/pseudonym.h"
#include "daemon/journal.h"
#include "daemon/keys.h"
#include "daemon/listeners.h"
#include "daemon/plane.h"
#include "daemon/say.h"
#include "gateway/gateway.h"
#include "gateway/views.h"
#include "log/log.h"
#include "migrate/erase.h"
#include "migrate/runtime.h"
#include "migrate/scan.h"
#include "store/state.h"

struct control {
        struct loop *loop;
        pthread_t thread;
        bool started;
        struct log_reader *log_reader;
        struct state_reader *reader;
        struct registry_rest rest;
        struct http_server *registry, *api_server;
        char registry_address[PLANE_ADDRESS_SIZE], api_address[PLANE_ADDRESS_SIZE];
        struct loop_timer views_timer;          // wakes the views
        struct loop_timer sampler_timer;        // looks at what was sampled
        struct loop_timer drain_timer;
        struct loop_task task;                  // the main thread's orders, one at a time
        unsigned draining;                      // servers
        bool log_was_broken, views_were_failing;
};

struct erasing {
        struct erase *erase;
        struct scan *scan;
        struct loop *loop;                      // of the erasure's thread, for its converter; NULL until it needs one
        struct converter *converter;
        struct privacy_rest rest;
};

// A configuration that is to follow this one.
struct successor {
        const struct model *model;
        bool allowed;
        struct error error;                     // else: why not
};

struct daemon {
        struct say say;
        const struct model *model;
        int lock;                               // of the data folder; -1: not held
        char *log_path, *state_path;
        struct keys keys;
        struct pseudonyms *pseudonyms;
        struct template_pseudonyms template_pseudonyms; // the same, for templates
        char pseudonym_key[17];                 // fingerprint in the last CONFIG record; "": none
        struct log *log;
        struct registry *registry;
        struct views *views;
        bool replaying;                         // `control` records are folded by the views' callback: before the threads run
        struct error replay_error;
        uint64_t said_ns;                       // when progress was last said
        struct journal *journal;
        struct registry_changes *changes;
        uint32_t config_number;
        char config_hash[2 * MODEL_HASH_SIZE + 1];      // of the last CONFIG record; "": none
        struct buffer last_config;              // its body
        bool *recognised_before;                // by communication: an earlier configuration said that its provider recognises
        struct plane plane;
        struct gateway *gateway;
        struct sampler *sampler;                // of synchronous bodies; NULL: no event has versions that anybody asks about
        pthread_mutex_t telling_mutex;
        bool telling;                           // the gateway is told of views and log; false before its loops end: nothing is posted then
        struct control control;
        struct migrate_runtime *migrations;
        struct api *api;
        struct erasing erasing;
        struct loop_task stop_task;             // the gateway's end, on the owner's loop
        struct loop_timer rest_timer;
        int events;                             // eventfd: the data plane has drained, or has come to rest
        struct listeners inherited;             // of the process before a reload, until they are taken
        struct successor *successor;            // what the control thread looks at
        bool handing_over;                      // this end is a reload's: set before anything is drained
};

// ---- recover.c ----
// Locks the folder, opens everything up to the journal, catches up, appends START and CONFIG.
MUST_USE bool daemon_recover(struct daemon *daemon, struct error *error);
MUST_USE bool daemon_catch_up(struct daemon *daemon, struct error *error);
void daemon_tell_log_broken(struct daemon *daemon);
// From here on neither the views' thread nor the control thread's looks post anything to the gateway.
void daemon_stop_telling(struct daemon *daemon);
void daemon_recover_undo(struct daemon *daemon);

// ---- configured.c ----
// A CONFIG record, in the log's order.
void configured_fold(struct daemon *daemon, const struct json *root, struct bytes body);
// Whether this configuration may follow the last one. ERROR_CONFLICT says what may not change.
MUST_USE bool configured_allows(struct daemon *daemon, struct error *error);
// Whether another may follow the one that runs. On the thread of the reader.
MUST_USE bool configured_follows(struct daemon *daemon, const struct model *next, struct state_reader *reader, struct error *error);

// ---- contracts.c ----
// Registers the schemas of events whose communication is async from the start. Before the control thread runs.
MUST_USE bool contracts_register(struct daemon *daemon, struct error *error);
// Whether it could, with another configuration. On the control thread.
MUST_USE bool contracts_allow(struct daemon *daemon, const struct model *next, struct error *error);
// Tells the gateway the newest schema of each event.
void contracts_tell(struct daemon *daemon);
registry_append contracts_append;               // user: the daemon

// ---- erasing.c ----
// Finds an erasure that was under way. After the control thread's reader is open.
MUST_USE bool erasing_open(struct daemon *daemon, struct error *error);
void erasing_close(struct daemon *daemon);      // while the control thread, the views and the log still run
// ---- reload.c ----
// Reads the configuration and says what is wrong with it, or that nothing has changed. True: it may follow, the control thread drains,
// and `ret_next` has the listeners of the next process. False: nothing has changed.
MUST_USE bool reload_begin(struct daemon *daemon, const char *path, struct listeners *ret_next);
// Begins this process anew; returns if that cannot be done.
void reload_execute(struct daemon *daemon, struct listeners *next, int argc, char **argv);

// ---- control.c ----
MUST_USE bool daemon_control_open(struct daemon *daemon, struct error *error);
MUST_USE bool daemon_control_start(struct daemon *daemon, struct error *error);
// Whether a configuration may follow this one: one write to daemon->events. If so, the control thread drains from then on, so that
// it stays so, which ends in another one, as daemon_control_drain does.
void daemon_control_allow(struct daemon *daemon, struct successor *successor);
// Ends in one write to daemon->events, when both servers have drained and no record of theirs is under way.
void daemon_control_drain(struct daemon *daemon);
void daemon_control_stop(struct daemon *daemon);       // ends and joins the thread
void daemon_control_close(struct daemon *daemon);      // all but the loop

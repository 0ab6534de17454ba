// SPDX-License-Identifier: Apache-2.0
// Limits of the configuration file. The bounds and defaults of its values stand in the tables of settings.c, events.c and
// communications.c; docs/configuration.md and commute.schema.json say the same to a reader.
#pragma once

#include <stdint.h>

// Of the file and the files it names
enum {
        MODEL_FILE_MAX = 1 << 20,       // bytes of commute.yaml
        MODEL_NODES_MAX = 50000,        // keys and values in it
        MODEL_MEMBERS_MAX = 4096,       // of one mapping
        MODEL_DEPTH_MAX = 32,           // mappings and lists within each other
        MODEL_CONTRACT_MAX = 4 << 20,   // bytes of a contract
        MODEL_BEARER_MAX = 4096,        // bytes of a token
        MODEL_PERSONAL_TAGS_MAX = 257,  // personal values of one version, and one more
        MODEL_RESOLVES_MAX = 64,        // purposes of one service
        MODEL_SERVICES_MAX = 1000,
        MODEL_EVENTS_MAX = 1000,
        MODEL_COMMUNICATIONS_MAX = 1000,
        MODEL_VERSIONS_MAX = 1000,      // of one event
        MODEL_PARTITIONS_MAX = 256,     // of one topic
        MODEL_TOPIC_NAME_MAX = 200,     // bytes
        MODEL_CAPTURES_MAX = 64,        // of one event
        MODEL_HEADERS_MAX = 32,         // of one communication
        MODEL_MAY_DIFFER_MAX = 64,      // of one communication
        MODEL_PERSONAL_MAX = 256,       // pointers of one event
        MODEL_PROGRAM_MAX = 64 << 10,   // bytes of a jq program
};

#define MODEL_SECOND UINT64_C(1000)
#define MODEL_MINUTE (60 * MODEL_SECOND)
#define MODEL_HOUR (60 * MODEL_MINUTE)
#define MODEL_DAY (24 * MODEL_HOUR)
#define MODEL_RETENTION_MAX (3650 * MODEL_DAY)

// SPDX-License-Identifier: Apache-2.0
// A communication as it is read, before its parts have been looked at together.
#pragma once

#include "model/reader_priv.h"

struct direction {
        bool given;
        const struct model_service *from, *to;
};

struct async_draft {
        struct model_async made;
        uint64_t answer;
        const char *keep;
        const struct yaml_node *reads, *forms;  // `reads`, `versions`; NULL: not given
        const struct yaml_node *node;           // NULL: not given
};

struct communication_draft {
        struct model_communication made;
        struct direction data, functional;
        const char *key;
        struct async_draft async;
        const struct yaml_node *variables;      // a mapping of names to $event/…, or NULL
        const struct yaml_node *node;
};

reader_value read_reads;                // struct async_draft
reader_value read_forms;                // const struct yaml_node *

// Completes made.forms and made.reads from what was read, once made.wrap and made.unwrap are final. check: of one written version.
typedef bool form_check(struct reader *reader, const struct yaml_node *node, unsigned version, const struct model_form *form,
                        void *user);
MUST_USE bool forms_finish(struct reader *reader, struct async_draft *draft, form_check *check, void *user);

// Checks what was read and completes it. final: where the communication is going to stand (an event remembers its reader).
MUST_USE bool communication_finish(struct reader *reader, struct communication_draft *draft,
                                   const struct model_communication *final);

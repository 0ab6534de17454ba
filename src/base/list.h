// SPDX-License-Identifier: Apache-2.0
// An intrusive doubly linked list. The head is a struct list that points to itself when empty; elements embed a struct list.
#pragma once

#include "base/base.h"

struct list {
        struct list *next, *previous;
};

static inline void list_init(struct list *head) {
        head->next = head->previous = head;
}

static inline bool list_empty(const struct list *head) {
        return head->next == head;
}

static inline void list_append(struct list *head, struct list *element) {
        element->next = head;
        element->previous = head->previous;
        head->previous->next = element;
        head->previous = element;
}

static inline void list_prepend(struct list *head, struct list *element) {
        list_append(head->next, element);
}

// Leaves the element pointing to itself, so that removing it twice, or asking list_empty of it, is defined.
static inline void list_remove(struct list *element) {
        element->previous->next = element->next;
        element->next->previous = element->previous;
        list_init(element);
}

#define LIST_FIRST(head, type, member) CONTAINER_OF((head)->next, type, member)
#define LIST_FOR_EACH(element, head) for (struct list *element = (head)->next; element != (head); element = element->next)
// The current element may be removed inside.
#define LIST_FOR_EACH_SAFE(element, head)                                                             \
        for (struct list *element = (head)->next, *after_ = element->next; element != (head);         \
             element = after_, after_ = element->next)

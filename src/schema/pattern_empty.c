// SPDX-License-Identifier: Apache-2.0
// Whether a pattern can match at all: "a^", "$.", "[^\s\S]" cannot. The tree is walked with what is known of the place in the text:
// whether a code point is before it, and whether it has been said that none is behind it. What a lookaround, \b or a back reference asks
// for is taken to hold, so that the answer "nothing" is a proof, and the other one is not.
#include "schema/pattern_priv.h"

// A set of places, one bit each.
enum {
        FIRST = 1,              // nothing before it
        LATER = 2,              // something before it
        FIRST_LAST = 4,         // and nothing behind it
        LATER_LAST = 8,
        BEFORE_END = FIRST | LATER, AT_START = FIRST | FIRST_LAST,
};

enum { VISITS_MAX = 100000 };   // of nodes: repetitions within each other look at the innermost again and again

static unsigned behind(const struct node *node, unsigned places, unsigned *visits);

static unsigned behind_repeat(const struct node *node, unsigned places, unsigned *visits) {
        unsigned reached;
        for (uint32_t i = 0; i < node->least && places; i++) {
                unsigned next = behind(node->child, places, visits);
                if (next == places)             // and so it stays
                        break;
                places = next;
        }
        reached = places;
        for (uint32_t i = node->least; i < node->most; i++) {
                unsigned more = reached | behind(node->child, reached, visits);
                if (more == reached)
                        break;
                reached = more;
        }
        return reached;
}

// The places behind what the node matches, from these on.
static unsigned behind(const struct node *node, unsigned places, unsigned *visits) {
        unsigned any = 0, last = (places & FIRST ? FIRST_LAST : 0) | (places & LATER ? LATER_LAST : 0);
        if (++*visits > VISITS_MAX)
                return BEFORE_END | last;       // it may be anywhere
        switch (node->kind) {
        case NODE_SET:
                return node->set.count && places & BEFORE_END ? LATER : 0;
        case NODE_SEQUENCE:
                for (const struct node *child = node->child; child; child = child->next)
                        places = behind(child, places, visits);
                return places;
        case NODE_CHOICE:
                for (const struct node *child = node->child; child; child = child->next)
                        any |= behind(child, places, visits);
                return any;
        case NODE_REPEAT:
                return behind_repeat(node, places, visits);
        case NODE_GROUP:
                return behind(node->child, places, visits);
        case NODE_BACK:
                return places | (places & BEFORE_END ? LATER : 0);
        case NODE_START:
                return places & AT_START;
        case NODE_END:
                return last | (places & ~(unsigned)BEFORE_END);
        case NODE_EMPTY: case NODE_LOOK: case NODE_WORD:
                break;
        }
        return places;
}

bool pattern_matches_nothing(struct bytes source, struct arena *scratch) {
        struct tree tree;
        unsigned visits = 0;
        return pattern_parse(source, scratch, &tree, NULL) && behind(tree.root, FIRST | LATER, &visits) == 0 && visits <= VISITS_MAX;
}

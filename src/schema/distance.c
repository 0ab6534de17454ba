// SPDX-License-Identifier: Apache-2.0
// How far two names are from each other, for those who guess what was meant.
#include "schema/schema_priv.h"

enum { LONGEST = 40 };

static char lower(char c) {
        return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

// Insertions, deletions and changes of letters (Levenshtein).
size_t name_distance(struct bytes a, struct bytes b) {
        size_t row[LONGEST + 1];
        if (a.size > LONGEST || b.size > LONGEST || a.size > b.size + 2 || b.size > a.size + 2)
                return 3;
        for (size_t j = 0; j <= b.size; j++)
                row[j] = j;
        for (size_t i = 1; i <= a.size; i++) {
                size_t diagonal = row[0];
                row[0] = i;
                for (size_t j = 1; j <= b.size; j++) {
                        size_t other = diagonal + (lower(a.data[i - 1]) != lower(b.data[j - 1]));
                        diagonal = row[j];
                        row[j] = MIN(other, MIN(row[j], row[j - 1]) + 1);
                }
        }
        return row[b.size];
}

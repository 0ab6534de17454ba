// SPDX-License-Identifier: Apache-2.0
// The scanners that parser and validator share: white space, strings and numbers of strict JSON, without looking a byte beyond
// `end`. They say that something is wrong (NULL), not what: the parser tells that by looking again. 16 bytes at a time with SSE2
// where the machine has it, 32 with AVX2 where the processor turns out to have that; else 8 in a register. Any thread.
#pragma once

#include "json/utf8.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

// The first byte from `at` that is a quote, a backslash, a control character or not ASCII; `end` if there is none.
const char *scan_plain_long(const char *at, const char *end);
// The ways to do that, for tests: by name; NULL: not on this machine.
typedef const char *scan_function(const char *at, const char *end);
scan_function *scan_plain_way(const char *name);                // "scalar", "sse2", "avx2"

static inline const char *scan_plain(const char *at, const char *end) {
#ifdef __SSE2__
        if (__builtin_expect(end - at >= 16, 1)) {
                __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
                __m128i special = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                                            _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))),
                                               _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)));      // signed: not ASCII as well
                unsigned mask = (unsigned)_mm_movemask_epi8(special);
                if (mask)
                        return at + __builtin_ctz(mask);
                at += 16;
        }
#endif
        return scan_plain_long(at, end);
}

const char *scan_space_long(const char *at, const char *end);

static inline const char *scan_space(const char *at, const char *end) {
        if (__builtin_expect(at < end && (uint8_t)*at > ' ', 1))
                return at;
        return scan_space_long(at, end);
}

struct scanned_string {
        bool escaped;                   // has backslashes
        bool ascii;
};
// `at` is behind the opening quote. The closing quote, or NULL: none, a control character, invalid UTF-8. Escapes are not looked at
// beyond the byte behind the backslash.
const char *scan_string_rest(const char *at, const char *end, struct scanned_string *found);

static inline const char *scan_string(const char *at, const char *end, struct scanned_string *found) {
        found->escaped = false;
        found->ascii = true;
        at = scan_plain(at, end);
        if (__builtin_expect(at < end && *at == '"', 1))
                return at;
        return scan_string_rest(at, end, found);
}
// Whether all escapes are ones that JSON has, and no surrogate is alone.
bool scan_escapes(const char *at, const char *end);
// Decodes to `to`, which has room for end - at bytes, what scan_string found; NULL if scan_escapes says no. The end of it.
char *scan_decode(const char *at, const char *end, char *to);

struct scanned_number {
        bool fraction;                  // has a fraction or an exponent
        bool small;                     // no fraction and at most 18 digits: `value` is it
        int64_t value;
};
// The end of the number, or NULL: malformed, or an exponent beyond the parser's limit.
const char *scan_number_rest(const char *at, const char *end, struct scanned_number *found);

static inline const char *scan_number(const char *at, const char *end, struct scanned_number *found) {
        const char *digits = at + (*at == '-'), *start = digits;
        int64_t value = 0;
        while (digits < end && (uint8_t)(*digits - '0') <= 9 && digits - start < 18)
                value = value * 10 + (*digits++ - '0');
        bool plain = digits > start && (digits == end || ((uint8_t)(*digits - '0') > 9 && *digits != '.' && (*digits | 0x20) != 'e'));
        if (__builtin_expect(!plain, 0))
                return scan_number_rest(at, end, found);
        if (*start == '0' && digits - start > 1)
                return NULL;
        found->fraction = false;
        found->small = true;
        found->value = start > at ? -value : value;
        return digits;
}

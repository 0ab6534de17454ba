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

#ifdef __SSE2__
static inline unsigned scan_special16(const char *at) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i special = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                                    _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))),
                                       _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)));      // signed: not ASCII as well
        return (unsigned)_mm_movemask_epi8(special);
}
#endif

// `begin`: from where on bytes may be read.
static inline const char *scan_plain(const char *begin, const char *at, const char *end) {
#ifdef __SSE2__
        for (int i = 0; i < 3; i++, at += 16) {
                unsigned mask;
                if (__builtin_expect(end - at >= 16, 1)) {
                        mask = scan_special16(at);
                } else {                                        // the last 16 bytes, less those before `at`
                        if (end - begin < 16)
                                break;
                        mask = scan_special16(end - 16) >> (16 - (end - at));
                        if (!mask)
                                return end;
                }
                if (__builtin_expect(mask != 0, 1))
                        return at + __builtin_ctz(mask);
        }
#else
        (void)begin;
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
// `at` is behind the opening quote, `begin` where the text begins. The closing quote, or NULL: none, a control character, invalid
// UTF-8. Escapes are not looked at beyond the byte behind the backslash.
const char *scan_string_rest(const char *begin, const char *at, const char *end, struct scanned_string *found);

static inline const char *scan_string(const char *begin, const char *at, const char *end, struct scanned_string *found) {
        found->escaped = false;
        found->ascii = true;
        at = scan_plain(begin, at, end);
        if (__builtin_expect(at < end && *at == '"', 1))
                return at;
        return scan_string_rest(begin, at, end, found);
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

// How many of the eight bytes at `at`, from the first on, are digits; *ret_word is each of them less '0'.
static inline unsigned scan_digits8(const char *at, uint64_t *ret_word) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        word ^= 0x3030303030303030u;
        *ret_word = word;
        uint64_t others = ((word + 0x7676767676767676u) | word) & 0x8080808080808080u;
        return others ? (unsigned)__builtin_ctzll(others) / 8 : 8;
}

// The number that the first `count` (1 to 8) digits of such a word are.
static inline int64_t scan_digits_value(uint64_t word, unsigned count) {
        word <<= 64 - 8 * count;
        word = (word * 10 + (word >> 8)) & 0x00FF00FF00FF00FFu;
        word = (word * 100 + (word >> 16)) & 0x0000FFFF0000FFFFu;
        return (int64_t)((word * 10000 + (word >> 32)) & 0xFFFFFFFFu);
}

// Behind the digits from `at` on, or as many of them as are among the first 24 bytes.
static inline const char *scan_digits24(const char *at) {
        uint64_t word;
#ifdef __SSE2__
        __m128i less = _mm_sub_epi8(_mm_loadu_si128((const __m128i *)(const void *)at), _mm_set1_epi8('0'));
        __m128i digit = _mm_cmpeq_epi8(_mm_min_epu8(less, _mm_set1_epi8(9)), less);
        unsigned others = (unsigned)_mm_movemask_epi8(digit) ^ 0xFFFF;
        if (others)
                return at + __builtin_ctz(others);
        at += 16;
#else
        for (int i = 0; i < 2; i++) {
                unsigned count = scan_digits8(at, &word);
                at += count;
                if (count < 8)
                        return at;
        }
#endif
        return at + scan_digits8(at, &word);
}

static inline const char *scan_number(const char *at, const char *end, struct scanned_number *found) {
        const char *start = at + (*at == '-');
        uint64_t word;
        if (__builtin_expect(end - start > 8, 1)) {
                unsigned count = scan_digits8(start, &word);
                char next = start[count];
                bool plain = count > 0 && next != '.' && (next | 0x20) != 'e' && (*start != '0' || count == 1) &&
                             (count < 8 || (uint8_t)(next - '0') > 9);
                if (__builtin_expect(plain, 1)) {
                        int64_t value = scan_digits_value(word, count);
                        *found = (struct scanned_number){false, true, start > at ? -value : value};
                        return start + count;
                }
                const char *fraction = start + count + 1;
                if (next == '.' && count > 0 && count < 8 && (*start != '0' || count == 1) && end - fraction > 24) {
                        const char *digits = scan_digits24(fraction);
                        *found = (struct scanned_number){.fraction = true};
                        if (digits > fraction && digits < fraction + 24 && (*digits | 0x20) != 'e')
                                return digits;
                }
        }
        return scan_number_rest(at, end, found);
}

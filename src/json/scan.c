// SPDX-License-Identifier: Apache-2.0
#include "json/scan.h"

#include "json/json.h"

#if defined __x86_64__ && defined __SSE2__
#define HAS_AVX2_WAY 1
#include <immintrin.h>
#endif

static const char *plain_bytes(const char *at, const char *end) {
        while (at < end && *at != '"' && *at != '\\' && (uint8_t)*at >= 0x20 && (uint8_t)*at < 0x80)
                at++;
        return at;
}

static const char *plain_scalar(const char *at, const char *end) {
        const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
        for (; end - at >= 8; at += 8) {
                uint64_t word;
                memcpy(&word, at, sizeof word);
                uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';
                uint64_t special = (((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
                                    ((word - ones * 0x20) & ~word) | word) & high;
                if (special)
                        break;
        }
        return plain_bytes(at, end);
}

#ifdef __SSE2__
static const char *plain_sse2(const char *at, const char *end) {
        const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), space = _mm_set1_epi8(0x20);
        for (; end - at >= 16; at += 16) {
                __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
                __m128i special = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)),
                                               _mm_cmplt_epi8(bytes, space));
                unsigned mask = (unsigned)_mm_movemask_epi8(special);
                if (mask)
                        return at + __builtin_ctz(mask);
        }
        return plain_scalar(at, end);
}
#endif

#ifdef HAS_AVX2_WAY
__attribute__((target("avx2"))) static const char *plain_avx2(const char *at, const char *end) {
        const __m256i quote = _mm256_set1_epi8('"'), backslash = _mm256_set1_epi8('\\'), limit = _mm256_set1_epi8(0x20);
        for (; end - at >= 32; at += 32) {
                __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)at);
                __m256i special = _mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(bytes, quote),
                                                                  _mm256_cmpeq_epi8(bytes, backslash)),
                                                  _mm256_cmpgt_epi8(limit, bytes));
                unsigned mask = (unsigned)_mm256_movemask_epi8(special);
                if (mask)
                        return at + __builtin_ctz(mask);
        }
        return plain_sse2(at, end);
}
#endif

scan_function *scan_plain_way(const char *name) {
#ifdef HAS_AVX2_WAY
        if (strcmp(name, "avx2") == 0)
                return __builtin_cpu_supports("avx2") ? plain_avx2 : NULL;
#endif
#ifdef __SSE2__
        if (strcmp(name, "sse2") == 0)
                return plain_sse2;
#endif
        return strcmp(name, "scalar") == 0 ? plain_scalar : NULL;
}

const char *scan_plain_long(const char *at, const char *end) {
#ifdef HAS_AVX2_WAY
        if (end - at >= 32 && __builtin_cpu_supports("avx2"))
                return plain_avx2(at, end);
#endif
#ifdef __SSE2__
        return plain_sse2(at, end);
#else
        return plain_scalar(at, end);
#endif
}

static bool is_space(char c) {
        return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

const char *scan_space_long(const char *at, const char *end) {
#ifdef __SSE2__
        // Usual between members: a line's end and its indentation.
        for (; end - at >= 16; at += 16) {
                __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
                __m128i space = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(' ')),
                                                          _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n'))),
                                             _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\r')),
                                                          _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'))));
                unsigned mask = (unsigned)_mm_movemask_epi8(space) ^ 0xFFFF;
                if (mask)
                        return at + __builtin_ctz(mask);
        }
#endif
        while (at < end && is_space(*at))
                at++;
        return at;
}

// Two-byte characters, which most alphabets but the Latin one are made of, in a row.
static const char *two_byte_run(const char *at, const char *end) {
        while (end - at >= 8) {
                uint64_t word;
                memcpy(&word, at, sizeof word);
                if ((word & 0xC0E0C0E0C0E0C0E0u) != 0x80C080C080C080C0u || !(word & 0x1E) || !(word & 0x1E0000) ||
                    !(word & 0x1E00000000) || !(word & 0x1E000000000000))
                        break;
                at += 8;
        }
        return at;
}

const char *scan_string_rest(const char *begin, const char *at, const char *end, struct scanned_string *found) {
        while (at < end) {
                if (*at == '"')
                        return at;
                if (*at == '\\') {
                        found->escaped = true;
                        if (end - at < 2)
                                return NULL;
                        at += 2;
                        // Only what can stand behind a backslash may be skipped: bytes of UTF-8 and quotes are looked at alike
                        if ((uint8_t)at[-1] < 0x20 || (uint8_t)at[-1] >= 0x80)
                                return NULL;
                } else if ((uint8_t)*at < 0x20) {
                        return NULL;
                } else {
                        found->ascii = false;
                        at = two_byte_run(at, end);
                        if (at == end)
                                return NULL;
                        if ((uint8_t)*at >= 0x80) {
                                unsigned length = utf8_sequence(at, end);
                                if (length == 0)
                                        return NULL;
                                at += length;
                                if (at < end && (uint8_t)*at >= 0x80)
                                        continue;
                        }
                }
                at = scan_plain(begin, at, end);
        }
        return NULL;
}

static bool hex4(const char *at, const char *end, uint32_t *ret_unit) {
        uint32_t unit = 0;
        if (end - at < 4)
                return false;
        for (int i = 0; i < 4; i++) {
                char c = at[i];
                if (c >= '0' && c <= '9')
                        unit = unit << 4 | (uint32_t)(c - '0');
                else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
                        unit = unit << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
                else
                        return false;
        }
        *ret_unit = unit;
        return true;
}

// The character of the escape at `at`, a backslash; returns what is behind it, or NULL.
static const char *escape(const char *at, const char *end, uint32_t *ret_point) {
        static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
        uint32_t point, second;
        if (end - at < 2)
                return NULL;
        const char *name = at[1] ? strchr(names, at[1]) : NULL;
        if (name) {
                *ret_point = (uint32_t)values[name - names];
                return at + 2;
        }
        if (at[1] != 'u' || !hex4(at + 2, end, &point))
                return NULL;
        at += 6;
        if (point >= 0xD800 && point < 0xE000) {
                if (point >= 0xDC00 || end - at < 6 || at[0] != '\\' || at[1] != 'u' || !hex4(at + 2, end, &second) ||
                    second < 0xDC00 || second > 0xDFFF)
                        return NULL;
                point = 0x10000 + ((point - 0xD800) << 10) + (second - 0xDC00);
                at += 6;
        }
        *ret_point = point;
        return at;
}

bool scan_escapes(const char *at, const char *end) {
        uint32_t point;
        while (at < end && (at = memchr(at, '\\', (size_t)(end - at)))) {
                at = escape(at, end, &point);
                if (!at)
                        return false;
        }
        return true;
}

char *scan_decode(const char *at, const char *end, char *to) {
        while (at < end) {
                const char *next = memchr(at, '\\', (size_t)(end - at));
                size_t size = next ? (size_t)(next - at) : (size_t)(end - at);
                memcpy(to, at, size);
                to += size;
                at += size;
                uint32_t point;
                if (!next)
                        break;
                at = escape(at, end, &point);
                if (!at)
                        return NULL;
                to += utf8_encode(point, to);
        }
        return to;
}

static const char *digits_end(const char *at, const char *end) {
        uint64_t word;
        while (end - at >= 8) {
                unsigned count = scan_digits8(at, &word);
                at += count;
                if (count < 8)
                        return at;
        }
        while (at < end && (uint8_t)(*at - '0') <= 9)
                at++;
        return at;
}

// Whether the number that begins at `start`, without its sign, and has that exponent written behind `digits` would be written with
// one beyond the limit if one digit stood before its point, as in the canonical form.
static bool exponent_beyond(const char *start, const char *digits, int64_t exponent) {
        const char *point = start, *first = start;
        while (point < digits && *point != '.')
                point++;
        while (first < digits && (*first == '0' || *first == '.'))
                first++;
        if (first == digits)                                    // zero
                return false;
        exponent += first < point ? point - first - 1 : point - first;
        return exponent > JSON_EXPONENT_MAX || exponent < -JSON_EXPONENT_MAX;
}

// `start` as above; the exponent is at `at`.
static const char *exponent_end(const char *start, const char *at, const char *end) {
        const char *e = at++;
        if (at < end && (*at == '+' || *at == '-'))
                at++;
        const char *digits = digits_end(at, end);
        if (digits == at)
                return NULL;
        while (at < digits - 1 && *at == '0')
                at++;
        uint64_t exponent;
        if (!bytes_to_u64((struct bytes){at, (size_t)(digits - at)}, &exponent) || exponent > JSON_EXPONENT_MAX)
                return NULL;
        return exponent_beyond(start, e, e[1] == '-' ? -(int64_t)exponent : (int64_t)exponent) ? NULL : digits;
}

const char *scan_number_rest(const char *at, const char *end, struct scanned_number *found) {
        const char *start = at + (*at == '-'), *digits = digits_end(start, end);
        *found = (struct scanned_number){0};
        if (digits == start || (*start == '0' && digits - start > 1))
                return NULL;
        if (digits < end && *digits == '.') {
                const char *fraction = digits + 1;
                digits = digits_end(fraction, end);
                if (digits == fraction)
                        return NULL;
                found->fraction = true;
        }
        if (digits < end && (*digits | 0x20) == 'e') {
                digits = exponent_end(start, digits, end);
                found->fraction = true;
        }
        found->small = !found->fraction && digits - start <= 18;
        for (const char *digit = start; found->small && digit < digits; digit++)
                found->value = found->value * 10 + (*digit - '0');
        found->value = start > at ? -found->value : found->value;
        return digits;
}

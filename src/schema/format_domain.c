// SPDX-License-Identifier: Apache-2.0
// Internationalized domain names: IDNA2008, as RFC 5891 registers them. A label is in ASCII (RFC 1123), or an A-label, which is xn--
// and the Punycode (RFC 3492) of a U-label, or a U-label: of code points that RFC 5892 allows, some in their context only, in
// normalization form C. If one label is written to the left, all keep to RFC 5893. In the domain of a mail address the normalization
// form of a U-label is not asked for (format_email.c); that of an A-label's is: its Punycode is of the U-label as registered.
#include "schema/format_priv.h"
#include "schema/unicode.h"

enum { LABEL_MAX = 63, NAME_SIZE_MAX = 253 };

struct label {
        const uint32_t *points;
        size_t count;
};

enum normalization { NFC_REQUIRED, NFC_WAIVED };

// --- Punycode

enum { BASE = 36, T_MIN = 1, T_MAX = 26, SKEW = 38, DAMP = 700, BIAS = 72, FIRST = 128 };

static uint32_t adapt(uint32_t delta, uint32_t count, bool first) {
        uint32_t k = 0;
        delta = first ? delta / DAMP : delta / 2;
        delta += delta / count;
        for (; delta > (BASE - T_MIN) * T_MAX / 2; k += BASE)
                delta /= BASE - T_MIN;
        return k + (BASE - T_MIN + 1) * delta / (delta + SKEW);
}

static uint32_t threshold(uint32_t k, uint32_t bias) {
        return k <= bias ? T_MIN : MIN(k - bias, (uint32_t)T_MAX);
}

static bool decode_number(struct scan *scan, uint32_t bias, uint32_t *i) {
        uint64_t value = *i, weight = 1;
        for (uint32_t k = BASE; ; k += BASE) {
                char c = scan_peek(scan), low = (char)(c | 0x20);
                uint32_t digit = is_digit(c) ? (uint32_t)(c - '0') + 26 : low >= 'a' && low <= 'z' ? (uint32_t)(low - 'a') : BASE;
                if (digit == BASE)
                        return false;
                scan->at++;
                value += digit * weight;
                uint32_t t = threshold(k, bias);
                if (value > UINT32_MAX / 2)
                        return false;
                if (digit < t)
                        break;
                weight *= BASE - t;
                if (weight > UINT32_MAX)
                        return false;
        }
        *i = (uint32_t)value;
        return true;
}

// `to` has room for text.size code points.
static bool punycode_decode(struct bytes text, uint32_t *to, size_t *ret_count) {
        struct scan scan = scan_of(text);
        size_t count = 0;
        uint32_t n = FIRST, i = 0, bias = BIAS;
        size_t basic = text.size;
        while (basic > 0 && text.data[basic - 1] != '-')
                basic--;
        for (; basic && count < basic - 1; count++)
                to[count] = (uint8_t)text.data[count];
        scan.at += basic;
        while (scan.at < scan.end) {
                uint32_t before = i;
                if (!decode_number(&scan, bias, &i))
                        return false;
                count++;
                bias = adapt(i - before, (uint32_t)count, before == 0);
                n += i / (uint32_t)count;
                i %= (uint32_t)count;
                if (n > UNICODE_LAST || (n >= 0xD800 && n < 0xE000))
                        return false;
                memmove(to + i + 1, to + i, (count - 1 - i) * sizeof *to);
                to[i++] = n;
        }
        *ret_count = count;
        return true;
}

struct code {
        char text[LABEL_MAX * 8];       // a code point has at most 7 digits
        size_t size;
};

static void put(struct code *code, char byte) {
        ASSERT(code->size < sizeof code->text);
        code->text[code->size++] = byte;
}

static void encode_number(struct code *out, uint32_t delta, uint32_t bias) {
        for (uint32_t k = BASE; ; k += BASE) {
                uint32_t t = threshold(k, bias), digit = delta < t ? delta : t + (delta - t) % (BASE - t);
                put(out, (char)(digit < 26 ? 'a' + digit : '0' + digit - 26));
                if (delta < t)
                        return;
                delta = (delta - t) / (BASE - t);
        }
}

// Of at most LABEL_MAX code points: nothing overflows.
static void punycode_encode(const struct label *label, struct code *out) {
        uint32_t n = FIRST, delta = 0, bias = BIAS, done = 0;
        for (size_t i = 0; i < label->count; i++)
                if (label->points[i] < FIRST)
                        put(out, (char)label->points[i]);
        uint32_t basic = done = (uint32_t)out->size;
        if (basic)
                put(out, '-');
        while (done < label->count) {
                uint32_t next = UINT32_MAX;
                for (size_t i = 0; i < label->count; i++)
                        if (label->points[i] >= n)
                                next = MIN(next, label->points[i]);
                delta += (next - n) * (done + 1);
                n = next;
                for (size_t i = 0; i < label->count; i++) {
                        delta += label->points[i] < n;
                        if (label->points[i] != n)
                                continue;
                        encode_number(out, delta, bias);
                        bias = adapt(delta, done + 1, done == basic);
                        delta = 0;
                        done++;
                }
                delta++;
                n++;
        }
}

// --- what a U-label may contain

static bool follows_virama(const struct label *label, size_t at) {
        return at > 0 && unicode_combining_class(label->points[at - 1]) == 9;
}

// RFC 5892, A.1: (L|D) T* ZWNJ T* (R|D)
static bool joins(const struct label *label, size_t at) {
        enum unicode_joining joining = JOINING_TRANSPARENT;
        for (size_t i = at; i-- > 0 && joining == JOINING_TRANSPARENT; )
                joining = unicode_domain(label->points[i]).joining;
        if (joining != JOINING_LEFT && joining != JOINING_DUAL)
                return false;
        joining = JOINING_TRANSPARENT;
        for (size_t i = at + 1; i < label->count && joining == JOINING_TRANSPARENT; i++)
                joining = unicode_domain(label->points[i]).joining;
        return joining == JOINING_RIGHT || joining == JOINING_DUAL;
}

static bool has_kana_or_han(const struct label *label) {
        for (size_t i = 0; i < label->count; i++)
                if (unicode_has("sc=Hiragana", label->points[i]) || unicode_has("sc=Katakana", label->points[i]) ||
                    unicode_has("sc=Han", label->points[i]))
                        return true;
        return false;
}

static bool has_between(const struct label *label, uint32_t first, uint32_t last) {
        for (size_t i = 0; i < label->count; i++)
                if (label->points[i] >= first && label->points[i] <= last)
                        return true;
        return false;
}

// RFC 5892, appendix A
static bool context_fits(const struct label *label, size_t at) {
        uint32_t point = label->points[at], before = at > 0 ? label->points[at - 1] : 0;
        uint32_t after = at + 1 < label->count ? label->points[at + 1] : 0;
        switch (point) {
        case 0x200C:
                return follows_virama(label, at) || joins(label, at);
        case 0x200D:
                return follows_virama(label, at);
        case 0xB7:
                return before == 'l' && after == 'l';
        case 0x375:
                return unicode_has("sc=Greek", after);
        case 0x5F3: case 0x5F4:
                return unicode_has("sc=Hebrew", before);
        case 0x30FB:
                return has_kana_or_han(label);
        default:
                if (point >= 0x660 && point <= 0x669)
                        return !has_between(label, 0x6F0, 0x6F9);
                ASSERT(point >= 0x6F0 && point <= 0x6F9);
                return !has_between(label, 0x660, 0x669);
        }
}

static bool hyphens_fit(const struct label *label) {
        const uint32_t *points = label->points;
        size_t count = label->count;
        return points[0] != '-' && points[count - 1] != '-' && !(count >= 4 && points[2] == '-' && points[3] == '-');
}

static bool is_u_label(const struct label *label, enum normalization normalization, struct arena *scratch) {
        if (!hyphens_fit(label) || unicode_domain(label->points[0]).mark)
                return false;
        for (size_t i = 0; i < label->count; i++) {
                enum unicode_idna class = unicode_domain(label->points[i]).class;
                if (class == IDNA_DISALLOWED || (class != IDNA_VALID && !context_fits(label, i)))
                        return false;
        }
        return normalization == NFC_WAIVED || unicode_is_nfc(label->points, label->count, scratch);
}

static bool decode_a_label(struct bytes text, struct arena *scratch, struct label *ret_label) {
        uint32_t *points = arena_alloc(scratch, text.size * sizeof *points);
        struct code again = {.size = 0};
        struct label label = {points, 0};
        struct bytes code = {text.data + 4, text.size - 4};
        if (text.size > LABEL_MAX || !code.size || !punycode_decode(code, points, &label.count) || !label.count)
                return false;
        bool wide = false;
        for (size_t i = 0; i < label.count; i++) {
                if (points[i] >= 'A' && points[i] <= 'Z')
                        points[i] |= 0x20;
                wide |= points[i] >= 128;
        }
        if (!wide || !is_u_label(&label, NFC_REQUIRED, scratch))
                return false;
        punycode_encode(&label, &again);
        if (!bytes_equal_ignore_case((struct bytes){again.text, again.size}, code))
                return false;
        *ret_label = label;
        return true;
}

bool domain_is_a_label(struct bytes text, struct arena *scratch) {
        struct label label;
        return decode_a_label(text, scratch, &label);
}

// --- RFC 5893, 2

static bool is_right(const struct label *label) {
        for (size_t i = 0; i < label->count; i++) {
                enum unicode_bidi bidi = unicode_domain(label->points[i]).bidi;
                if (bidi == BIDI_RIGHT || bidi == BIDI_ARABIC_NUMBER)
                        return true;
        }
        return false;
}

static bool direction_fits(const struct label *label) {
        enum unicode_bidi first = unicode_domain(label->points[0]).bidi, last = BIDI_MARK;
        bool right = first == BIDI_RIGHT, arabic = false, european = false;
        if (!right && first != BIDI_LEFT)
                return false;
        for (size_t i = 0; i < label->count; i++) {
                enum unicode_bidi bidi = unicode_domain(label->points[i]).bidi;
                if (bidi == BIDI_ELSE || (right ? bidi == BIDI_LEFT : bidi == BIDI_RIGHT || bidi == BIDI_ARABIC_NUMBER))
                        return false;
                arabic |= bidi == BIDI_ARABIC_NUMBER;
                european |= bidi == BIDI_NUMBER;
                if (bidi != BIDI_MARK)
                        last = bidi;
        }
        if (right && arabic && european)
                return false;
        return last == BIDI_NUMBER || (right ? last == BIDI_RIGHT || last == BIDI_ARABIC_NUMBER : last == BIDI_LEFT);
}

// --- names

static bool is_dot(uint32_t point) {
        return point == '.' || point == 0x3002 || point == 0xFF0E || point == 0xFF61;           // RFC 3490, 3.1
}

static bool ascii_label(const struct label *label, struct arena *scratch, struct label *ret_label) {
        char text[LABEL_MAX];
        if (label->count > LABEL_MAX)
                return false;
        for (size_t i = 0; i < label->count; i++) {
                text[i] = (char)label->points[i];
                if (!is_letter(text[i]) && !is_digit(text[i]) && text[i] != '-')
                        return false;
        }
        struct bytes all = {text, label->count};
        if (all.size >= 4 && bytes_equal_ignore_case((struct bytes){text, 4}, BYTES("xn--")))
                return decode_a_label(all, scratch, ret_label);
        *ret_label = *label;
        return hyphens_fit(label);
}

// The label as what it is a U-label of; *size grows by its size in ASCII.
static bool check_label(struct label *label, enum normalization normalization, struct arena *scratch, size_t *size) {
        bool wide = false;
        if (!label->count)
                return false;
        for (size_t i = 0; i < label->count; i++)
                wide |= label->points[i] >= 128;
        if (!wide) {
                *size += label->count + 1;
                return ascii_label(label, scratch, label);
        }
        struct code code = {.size = 0};
        if (label->count > LABEL_MAX || !is_u_label(label, normalization, scratch))
                return false;
        punycode_encode(label, &code);
        *size += code.size + 5;
        return code.size + 4 <= LABEL_MAX;
}

static bool is_domain(struct bytes text, enum normalization normalization, struct arena *scratch) {
        struct scan scan = scan_of(text);
        struct label *labels = arena_alloc(scratch, (NAME_SIZE_MAX / 2 + 1) * sizeof *labels);
        size_t count = 0, size = 0;
        bool right = false, more = true;
        while (more) {
                if (count > NAME_SIZE_MAX / 2)
                        return false;
                uint32_t *points = arena_alloc(scratch, (LABEL_MAX + 1) * sizeof *points);
                struct label *label = &labels[count++];
                *label = (struct label){points, 0};
                for (more = false; scan.at < scan.end && !more; ) {
                        uint32_t point = scan_point(&scan);
                        more = is_dot(point);
                        if (!more)
                                points[label->count++] = point;
                        if (label->count > LABEL_MAX)
                                return false;
                }
                if (!check_label(label, normalization, scratch, &size))
                        return false;
                right |= is_right(label);
        }
        for (size_t i = 0; right && i < count; i++)
                if (!direction_fits(&labels[i]))
                        return false;
        return size - 1 <= NAME_SIZE_MAX;
}

bool format_idn_hostname(struct bytes text, struct arena *scratch) {
        return is_domain(text, NFC_REQUIRED, scratch);
}

bool domain_is_of_mailbox(struct bytes text, struct arena *scratch) {
        return is_domain(text, NFC_WAIVED, scratch);
}

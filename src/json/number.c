// SPDX-License-Identifier: Apache-2.0
// A number's text is looked at as 0.D × 10^exponent, where D are its significant digits: no zero at either end, in place in the
// text. Two numbers are equal exactly if sign, exponent and D are.
#include "json/number.h"

#include "json/json.h"

struct decimal {
        const char *integer, *fraction;         // the digits as written, before and behind the point
        size_t integer_count;
        size_t lead;                            // zeros at the start that mean nothing
        size_t count;                           // significant digits; 0: the number is zero
        int64_t exponent;
        bool negative;
};

static struct decimal decimal_of(struct bytes number) {
        struct decimal decimal = {0};
        const char *at = number.data, *end = number.data + number.size;
        if (*at == '-') {
                decimal.negative = true;
                at++;
        }
        decimal.integer = at;
        while (at < end && *at >= '0' && *at <= '9')
                at++;
        decimal.integer_count = (size_t)(at - decimal.integer);
        size_t fraction_count = 0;
        if (at < end && *at == '.') {
                decimal.fraction = ++at;
                while (at < end && *at >= '0' && *at <= '9')
                        at++;
                fraction_count = (size_t)(at - decimal.fraction);
        }
        int64_t exponent = 0;
        if (at < end) {
                bool minus = at[1] == '-';
                for (at += 1 + (at[1] == '-' || at[1] == '+'); at < end; at++)
                        exponent = exponent * 10 + (*at - '0');
                exponent = minus ? -exponent : exponent;
        }
        size_t total = decimal.integer_count + fraction_count, lead = 0;
        while (lead < total && (lead < decimal.integer_count ? decimal.integer[lead] : decimal.fraction[lead -
               decimal.integer_count]) == '0')
                lead++;
        while (total > lead && (total > decimal.integer_count ? decimal.fraction[total - 1 - decimal.integer_count]
                                                              : decimal.integer[total - 1]) == '0')
                total--;
        decimal.lead = lead;
        decimal.count = total - lead;
        decimal.exponent = (int64_t)decimal.integer_count - (int64_t)lead + exponent;
        decimal.negative = decimal.negative && decimal.count > 0;
        return decimal;
}

// Digit number i of D, as a character.
static char digit(const struct decimal *decimal, size_t i) {
        i += decimal->lead;
        return i < decimal->integer_count ? decimal->integer[i] : decimal->fraction[i - decimal->integer_count];
}

static int compare_magnitudes(const struct decimal *a, const struct decimal *b) {
        if (a->count == 0 || b->count == 0)
                return (a->count > 0) - (b->count > 0);
        if (a->exponent != b->exponent)
                return a->exponent < b->exponent ? -1 : 1;
        size_t shared = MIN(a->count, b->count);
        for (size_t i = 0; i < shared; i++) {
                int order = digit(a, i) - digit(b, i);
                if (order)
                        return order < 0 ? -1 : 1;
        }
        return (a->count > b->count) - (a->count < b->count);
}

int json_number_compare(struct bytes a, struct bytes b) {
        struct decimal left = decimal_of(a), right = decimal_of(b);
        if (left.negative != right.negative)
                return left.negative ? -1 : 1;
        int order = compare_magnitudes(&left, &right);
        return left.negative ? -order : order;
}

uint64_t json_number_hash(struct bytes number, uint64_t seed) {
        struct decimal decimal = decimal_of(number);
        uint64_t hash = seed ^ (uint64_t)decimal.exponent * 0x9E3779B97F4A7C15u ^ decimal.negative;
        if (decimal.count == 0)
                hash = seed;
        for (size_t i = 0; i < decimal.count; i++) {
                hash = (hash ^ (uint64_t)(digit(&decimal, i) - '0')) * 0xD6E8FEB86659FD93u;
                hash ^= hash >> 32;
        }
        return hash * 0x9E3779B97F4A7C15u ^ hash >> 29;
}

static bool integral(const struct decimal *decimal) {
        return decimal->count == 0 || decimal->exponent >= (int64_t)decimal->count;
}

bool json_number_is_integer(struct bytes number) {
        struct decimal decimal = decimal_of(number);
        return integral(&decimal);
}

bool json_number_is_positive(struct bytes number) {
        struct decimal decimal = decimal_of(number);
        return decimal.count > 0 && !decimal.negative;
}

size_t json_number_digits(struct bytes number) {
        return decimal_of(number).count;
}

static bool magnitude_to_u64(const struct decimal *decimal, uint64_t *ret_number) {
        if (!integral(decimal) || decimal->exponent > 20)
                return decimal->count == 0 ? (*ret_number = 0, true) : false;
        uint64_t number = 0;
        for (size_t i = 0; decimal->count && i < (size_t)decimal->exponent; i++) {
                uint64_t next = i < decimal->count ? (uint64_t)(digit(decimal, i) - '0') : 0;
                if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, next, &number))
                        return false;
        }
        *ret_number = number;
        return true;
}

bool json_number_to_u64(struct bytes number, uint64_t *ret_number) {
        struct decimal decimal = decimal_of(number);
        return !decimal.negative && magnitude_to_u64(&decimal, ret_number);
}

bool json_number_to_i64(struct bytes number, int64_t *ret_number) {
        struct decimal decimal = decimal_of(number);
        uint64_t magnitude;
        if (!magnitude_to_u64(&decimal, &magnitude) || magnitude > (uint64_t)INT64_MAX + decimal.negative)
                return false;
        *ret_number = decimal.negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
        return true;
}

// Integers of up to JSON_DIVISOR_DIGITS_MAX digits, shifted by less than a limb and with one to spare, in limbs of 32 bits, the lowest
// first. Nine decimal digits are taken at once.
enum { LIMBS = JSON_DIVISOR_DIGITS_MAX * 10 / 96 + 4, CHUNK = 9 };

static void times_plus(uint32_t *limbs, size_t count, uint32_t factor, uint64_t addend) {
        uint64_t carry = addend;
        for (size_t i = 0; i < count; i++) {
                carry += (uint64_t)limbs[i] * factor;
                limbs[i] = (uint32_t)carry;
                carry >>= 32;
        }
        ASSERT(carry == 0);
}

// limbs -= factor · modulus; whether that was too much.
static bool subtract(uint32_t *limbs, const uint32_t *modulus, size_t count, uint64_t factor) {
        uint64_t carry = 0;
        int64_t borrow = 0;
        for (size_t i = 0; i < count; i++) {
                carry += factor * modulus[i];
                borrow += (int64_t)limbs[i] - (int64_t)(uint32_t)carry;
                limbs[i] = (uint32_t)borrow;
                borrow >>= 32;
                carry >>= 32;
        }
        borrow += (int64_t)limbs[count] - (int64_t)carry;
        limbs[count] = (uint32_t)borrow;
        return borrow < 0;
}

static void add_back(uint32_t *limbs, const uint32_t *modulus, size_t count) {
        uint64_t carry = 0;
        for (size_t i = 0; i < count; i++) {
                carry += (uint64_t)limbs[i] + modulus[i];
                limbs[i] = (uint32_t)carry;
                carry >>= 32;
        }
        limbs[count] += (uint32_t)carry;
}

// One step of a long division (Knuth, The Art of Computer Programming, 4.3.1, algorithm D): limbs[0 .. count] mod modulus, of which the
// highest bit is set, and which goes into it less than 2^32 times.
static void reduce(uint32_t *limbs, const uint32_t *modulus, size_t count) {
        uint64_t top = (uint64_t)limbs[count] << 32 | limbs[count - 1];
        uint64_t guess = top / modulus[count - 1], rest = top % modulus[count - 1];
        while (guess >> 32 || guess * modulus[count - 2] > (rest << 32 | limbs[count - 2])) {
                guess--;
                rest += modulus[count - 1];
                if (rest >> 32)
                        break;
        }
        if (subtract(limbs, modulus, count, guess))
                add_back(limbs, modulus, count);
}

// Digits i … of D · 10^zeros, up to CHUNK of them, as a number; *ret_power: ten to the number of those.
static uint32_t take_chunk(const struct decimal *decimal, size_t zeros, size_t *i, uint32_t *ret_power) {
        uint32_t value = 0, power = 1;
        for (size_t end = MIN(*i + CHUNK, decimal->count + zeros); *i < end; (*i)++, power *= 10)
                value = value * 10 + (*i < decimal->count ? (uint32_t)(digit(decimal, *i) - '0') : 0);
        *ret_power = power;
        return value;
}

static bool is_zero(const uint32_t *limbs, size_t count) {
        for (size_t i = 0; i < count; i++)
                if (limbs[i])
                        return false;
        return true;
}

// (D · 10^zeros) mod divisor == 0. Powers of ten beyond the divisor's size in bits change nothing: whatever factors 2 and 5 it
// has are then used up. The divisor has more than 18 digits, so that it has two limbs.
static bool large_multiple(const struct decimal *number, uint64_t zeros, const struct decimal *divisor) {
        uint32_t modulus[LIMBS] = {0}, rest[LIMBS] = {0}, power;
        size_t limbs = divisor->count * 10 / 96 + 3, i;
        unsigned shift = 0;
        ASSERT(limbs <= LIMBS);
        for (i = 0; i < divisor->count; ) {
                uint32_t value = take_chunk(divisor, 0, &i, &power);
                times_plus(modulus, limbs, power, value);
        }
        while (modulus[limbs - 1] == 0)
                limbs--;
        ASSERT(limbs >= 2 && limbs < LIMBS);
        while (!(modulus[limbs - 1] << shift >> 31))
                shift++;
        times_plus(modulus, limbs, 1u << shift, 0);
        zeros = MIN(zeros, (uint64_t)limbs * 32);
        for (i = 0; i < number->count + zeros; ) {              // everything is shifted as the modulus is
                if (i >= number->count && is_zero(rest, limbs))
                        return true;
                uint32_t value = take_chunk(number, zeros, &i, &power);
                times_plus(rest, limbs + 1, power, (uint64_t)value << shift);
                reduce(rest, modulus, limbs);
        }
        return is_zero(rest, limbs);
}

bool json_number_is_multiple(struct bytes number, struct bytes divisor) {
        struct decimal a = decimal_of(number), b = decimal_of(divisor);
        ASSERT(b.count > 0 && !b.negative && b.count <= JSON_DIVISOR_DIGITS_MAX);
        if (a.count == 0)
                return true;
        // a = D_a · 10^i, b = D_b · 10^j. If i < j, D_a would have to be a multiple of ten, and it does not end in zero.
        int64_t zeros = (a.exponent - (int64_t)a.count) - (b.exponent - (int64_t)b.count);
        if (zeros < 0)
                return false;
        if (b.count > 18)
                return large_multiple(&a, (uint64_t)zeros, &b);
        uint64_t modulus = 0, rest = 0;
        for (size_t i = 0; i < b.count; i++)
                modulus = modulus * 10 + (uint64_t)(digit(&b, i) - '0');
        for (size_t i = 0; i < a.count; i++)
                rest = (rest * 10 + (uint64_t)(digit(&a, i) - '0')) % modulus;
        for (int64_t i = 0; i < MIN(zeros, (int64_t)64) && rest; i++)
                rest = rest * 10 % modulus;
        return rest == 0;
}

// ---- small numbers ----

// The digits from `at` on, behind which *ret_end is; at most JSON_SMALL_DIGITS + 1 are looked at.
static uint64_t read_digits(const char *at, const char *end, uint64_t before, size_t most, const char **ret_end) {
        for (; at < end && most > 0 && (uint8_t)(*at - '0') <= 9; at++, most--)
                before = before * 10 + (uint64_t)(*at - '0');
        *ret_end = at;
        return before;
}

bool json_number_to_small(struct bytes number, struct json_small *ret_small) {
        bool negative = number.data[0] == '-';
        const char *start = number.data + negative, *end = number.data + number.size, *at;
        uint64_t digits = read_digits(start, end, 0, JSON_SMALL_DIGITS, &at);
        unsigned decimals = 0;
        if (at < end && *at == '.') {
                const char *fraction = at + 1;
                digits = read_digits(fraction, end, digits, (size_t)(JSON_SMALL_DIGITS - (at - start)), &at);
                decimals = (unsigned)(at - fraction);
        }
        if (at < end)
                return false;
        *ret_small = (struct json_small){negative ? -(int64_t)digits : (int64_t)digits, decimals};
        return true;
}

static const int64_t powers[JSON_SMALL_DIGITS + 1] = {
        1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000, 1000000000000,
        10000000000000, 100000000000000, 1000000000000000, 10000000000000000, 100000000000000000, 1000000000000000000,
};

// As multiples of the smaller of their units: at most 36 digits.
static void align(struct json_small a, struct json_small b, __int128 *ret_a, __int128 *ret_b) {
        unsigned decimals = MAX(a.decimals, b.decimals);
        *ret_a = (__int128)a.mantissa * powers[decimals - a.decimals];
        *ret_b = (__int128)b.mantissa * powers[decimals - b.decimals];
}

int json_small_compare(struct json_small a, struct json_small b) {
        __int128 left, right;
        align(a, b, &left, &right);
        return (left > right) - (left < right);
}

bool json_small_is_multiple(struct json_small number, struct json_small divisor) {
        __int128 dividend, unit;
        align(number, divisor, &dividend, &unit);
        if (dividend == (int64_t)dividend && unit == (int64_t)unit)
                return (int64_t)dividend % (int64_t)unit == 0;
        return dividend % unit == 0;
}

// ---- writing ----

static void append_digits(struct buffer *buffer, const struct decimal *decimal, size_t from, size_t to) {
        for (size_t i = from; i < to; i++)
                buffer_append_byte(buffer, i < decimal->count ? digit(decimal, i) : '0');
}

// ECMAScript's Number::toString, on all the digits there are.
void json_number_canonical(struct buffer *buffer, struct bytes number) {
        struct decimal decimal = decimal_of(number);
        int64_t point = decimal.exponent;
        if (decimal.count == 0) {
                buffer_append_byte(buffer, '0');
                return;
        }
        if (decimal.negative)
                buffer_append_byte(buffer, '-');
        if (point > 0 && point <= 21) {
                append_digits(buffer, &decimal, 0, (size_t)point);
                if (decimal.count > (size_t)point) {
                        buffer_append_byte(buffer, '.');
                        append_digits(buffer, &decimal, (size_t)point, decimal.count);
                }
        } else if (point > -6 && point <= 0) {
                buffer_append(buffer, BYTES("0."));
                for (int64_t i = point; i < 0; i++)
                        buffer_append_byte(buffer, '0');
                append_digits(buffer, &decimal, 0, decimal.count);
        } else {
                append_digits(buffer, &decimal, 0, 1);
                if (decimal.count > 1) {
                        buffer_append_byte(buffer, '.');
                        append_digits(buffer, &decimal, 1, decimal.count);
                }
                buffer_print(buffer, "e%+lld", (long long)(point - 1));
        }
}

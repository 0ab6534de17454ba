// SPDX-License-Identifier: Apache-2.0
// A double is written with the fewest digits (15 to 17) that strtod reads as the same double, in json_number_canonical's form.
#include "convert/exact.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "json/number.h"

enum { DIGITS_MIN = 15, DIGITS_MAX = 17, TEXT_MAX = 40 };

static struct bytes shortest(double value, char text[TEXT_MAX]) {
        // What is next to zero has fewer digits to keep: 5e-324 is all there is of the least.
        for (int digits = fabs(value) < DBL_MIN ? 1 : DIGITS_MIN; digits <= DIGITS_MAX; digits++) {
                int size = snprintf(text, TEXT_MAX, "%.*e", digits - 1, value);
                ASSERT(size > 0 && size < TEXT_MAX);
                if (digits == DIGITS_MAX || strtod(text, NULL) == value)
                        return (struct bytes){text, (size_t)size};
        }
        UNREACHABLE("17 digits tell every double apart");
}

bool exact_from_text(struct bytes number, double *ret_value) {
        int64_t integer;
        if (json_number_is_integer(number)) {
                if (!json_number_to_i64(number, &integer) || integer > CONVERT_INTEGER_MAX || integer < -CONVERT_INTEGER_MAX)
                        return false;
                *ret_value = (double)integer;
                return true;
        }
        if (json_number_digits(number) > DIGITS_MAX)
                return false;
        CLEANUP(buffer_free) struct buffer canonical = {0};
        json_number_canonical(&canonical, number);
        buffer_append_byte(&canonical, '\0');
        char text[TEXT_MAX];
        double value = strtod(canonical.data, NULL);
        if (!(value <= CONVERT_INTEGER_MAX && value >= -CONVERT_INTEGER_MAX) || json_number_compare(number, shortest(value, text)) != 0)
                return false;
        *ret_value = value;
        return true;
}

void exact_to_text(struct buffer *buffer, double value) {
        char text[TEXT_MAX];
        ASSERT(value <= CONVERT_INTEGER_MAX && value >= -CONVERT_INTEGER_MAX);
        json_number_canonical(buffer, shortest(value, text));
}

// SPDX-License-Identifier: Apache-2.0
// Dates, times and durations: RFC 3339, 5.6, 5.7 and appendix A.
#include "schema/format_priv.h"

enum { MINUTES_A_DAY = 24 * 60 };

struct date {
        unsigned year, month, day;
};

static unsigned days_of(unsigned year, unsigned month) {
        static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        return days[month - 1] + (unsigned)(month == 2 && leap);
}

static bool scan_date(struct scan *scan, struct date *ret_date) {
        struct date date;
        if (!scan_number(scan, 4, &date.year) || !scan_byte(scan, '-') || !scan_number(scan, 2, &date.month) ||
            !scan_byte(scan, '-') || !scan_number(scan, 2, &date.day))
                return false;
        if (date.month < 1 || date.month > 12 || date.day < 1 || date.day > days_of(date.year, date.month))
                return false;
        *ret_date = date;
        return true;
}

// Z, or the minutes that local time is ahead.
static bool scan_offset(struct scan *scan, int *ret_offset) {
        char sign = scan_peek(scan);
        unsigned hours, minutes;
        if (sign == 'Z' || sign == 'z') {
                scan->at++;
                *ret_offset = 0;
                return true;
        }
        if (!scan_byte(scan, '+') && !scan_byte(scan, '-'))
                return false;
        if (!scan_number(scan, 2, &hours) || !scan_byte(scan, ':') || !scan_number(scan, 2, &minutes) || hours > 23 || minutes > 59)
                return false;
        int offset = (int)(hours * 60 + minutes);
        *ret_offset = sign == '-' ? -offset : offset;
        return true;
}

// A leap second is the last one of a month, in UTC (5.7): 23:59:60Z, and with a date the month's last day.
static bool leap_second_fits(unsigned minute_of_day, int offset, const struct date *date) {
        int utc = (int)minute_of_day - offset;
        int days = utc < 0 ? -1 : utc >= MINUTES_A_DAY ? 1 : 0;
        if (utc - days * MINUTES_A_DAY != MINUTES_A_DAY - 1)
                return false;
        if (!date)
                return true;
        unsigned last = days_of(date->year, date->month);
        return days == 0 ? date->day == last : days < 0 ? date->day == 1 : date->day + 1 == last;
}

static bool scan_time(struct scan *scan, const struct date *date) {
        unsigned hour, minute, second;
        int offset;
        if (!scan_number(scan, 2, &hour) || !scan_byte(scan, ':') || !scan_number(scan, 2, &minute) || !scan_byte(scan, ':') ||
            !scan_number(scan, 2, &second))
                return false;
        if (scan_byte(scan, '.') && !scan_digits(scan))
                return false;
        if (!scan_offset(scan, &offset) || hour > 23 || minute > 59 || second > 60)
                return false;
        return second < 60 || leap_second_fits(hour * 60 + minute, offset, date);
}

bool format_date(struct bytes text, struct arena *scratch) {
        (void)scratch;
        struct scan scan = scan_of(text);
        struct date date;
        return scan_date(&scan, &date) && scan.at == scan.end;
}

bool format_time(struct bytes text, struct arena *scratch) {
        (void)scratch;
        struct scan scan = scan_of(text);
        return scan_time(&scan, NULL) && scan.at == scan.end;
}

bool format_date_time(struct bytes text, struct arena *scratch) {
        (void)scratch;
        struct scan scan = scan_of(text);
        struct date date;
        return scan_date(&scan, &date) && (scan_byte(&scan, 'T') || scan_byte(&scan, 't')) && scan_time(&scan, &date) &&
               scan.at == scan.end;
}

// Units in their order, none left out between two of them.
static bool scan_units(struct scan *scan, const char *units) {
        bool begun = false;
        while (is_digit(scan_peek(scan))) {
                IGNORE(!scan_digits(scan));             // there is one
                char unit = scan_peek(scan);
                const char *found = unit ? strchr(units, unit) : NULL;
                if (!found || (begun && found != units))
                        return false;
                scan->at++;
                units = found + 1;
                begun = true;
        }
        return begun;
}

bool format_duration(struct bytes text, struct arena *scratch) {
        (void)scratch;
        struct scan scan = scan_of(text);
        if (!scan_byte(&scan, 'P'))
                return false;
        struct scan weeks = scan;
        if (scan_digits(&weeks) && scan_byte(&weeks, 'W'))
                return weeks.at == weeks.end;
        if (scan_peek(&scan) != 'T' && !scan_units(&scan, "YMD"))
                return false;
        if (scan_byte(&scan, 'T') && !scan_units(&scan, "HMS"))
                return false;
        return scan.at == scan.end;
}

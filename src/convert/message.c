// SPDX-License-Identifier: Apache-2.0
// libjq's messages quote values in three ways, which are looked for here:
//      KIND (VALUE, cut short)         "number (1) and string (\"Jane…) cannot be added": what is in the brackets is cut out
//      "KEY"                           stays if it stands in the program, since it is a name then
//      … (while parsing 'TEXT')        and "Invalid path expression …": the rest is cut off
//      REGEX (at offset N) is not …    the regular expression stays if it stands in the program
// Whatever else is there a program has given to error(); whether that can have come from an event is judged word by word
// (program_knows_message).
#include "convert/program.h"

#include "convert/convert.h"
#include "json/utf8.h"

static bool stands_in(struct bytes program, struct bytes piece) {
        return piece.size == 0 || memmem(program.data, program.size, piece.data, piece.size) != NULL;
}

static struct bytes behind(struct bytes text, size_t size) {
        return (struct bytes){text.data + size, text.size - size};
}

// " (…)" after the name of a kind: its length, or 0. libjq cuts a value after 14 bytes at most, so the last bracket of these ends it.
static size_t quoted_value(struct bytes rest) {
        enum { VALUE_MAX = 34 };
        static const struct bytes kinds[] = {BYTES("null ("), BYTES("boolean ("), BYTES("number ("), BYTES("string ("),
                                             BYTES("array ("), BYTES("object (")};
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                if (!bytes_starts_with(rest, kinds[i]))
                        continue;
                size_t end = 0;
                for (size_t at = kinds[i].size; at < MIN(rest.size, kinds[i].size + VALUE_MAX); at++)
                        if (rest.data[at] == ')' && (at + 1 == rest.size || rest.data[at + 1] == ' ' || rest.data[at + 1] == ','))
                                end = end && at > kinds[i].size + 14 ? end : at;
                return end ? end + 1 : rest.size;
        }
        return 0;
}

// Where the message ends, if what follows is a value or a document.
static size_t end_of(struct bytes message) {
        static const struct bytes ends[] = {BYTES(" (while parsing '"), BYTES("Invalid path expression")};
        static const size_t kept[] = {0, sizeof("Invalid path expression") - 1};
        for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
                const char *at = memmem(message.data, message.size, ends[i].data, ends[i].size);
                if (at)
                        return (size_t)(at - message.data) + kept[i];
        }
        return message.size;
}

static struct bytes without_regex(struct bytes message, struct bytes program, struct buffer *buffer) {
        static const struct bytes offset = BYTES(" (at offset "), wrong = BYTES(") is not a valid regex");
        const char *at = memmem(message.data, message.size, offset.data, offset.size);
        if (!at || !memmem(message.data, message.size, wrong.data, wrong.size))
                return message;
        struct bytes regex = {message.data, (size_t)(at - message.data)};
        buffer_append(buffer, stands_in(program, regex) ? regex : BYTES("…"));
        return behind(message, regex.size);
}

void program_clean_message(struct bytes message, struct bytes program, struct buffer *buffer) {
        message.size = end_of(message);
        message = without_regex(message, program, buffer);
        while (message.size && buffer->size < CONVERT_MESSAGE_MAX) {
                size_t value = quoted_value(message);
                if (value) {
                        buffer_append(buffer, (struct bytes){message.data, (size_t)((const char *)memchr(message.data, ' ', value) -
                                                                                    message.data)});
                        message = behind(message, value);
                        continue;
                }
                const char *end = message.data[0] == '"' ? memchr(message.data + 1, '"', message.size - 1) : NULL;
                if (end) {
                        struct bytes name = {message.data + 1, (size_t)(end - message.data) - 1};
                        buffer_append_byte(buffer, '"');
                        buffer_append(buffer, stands_in(program, name) ? name : BYTES("…"));
                        buffer_append_byte(buffer, '"');
                        message = behind(message, name.size + 2);
                        continue;
                }
                unsigned size = utf8_sequence(message.data, message.data + message.size);
                buffer_append(buffer, size ? (struct bytes){message.data, size} : BYTES("?"));
                message = behind(message, size ? size : 1);
        }
        if (buffer->size > CONVERT_MESSAGE_MAX) {
                size_t size = CONVERT_MESSAGE_MAX;
                while (size && ((uint8_t)buffer->data[size] & 0xC0) == 0x80)
                        size--;
                buffer->size = size;
        }
}

// ---- whose words they are ----

// All that libjq 1.6 says itself, errors of its regular expressions and of its JSON parser included.
static const char libjq_words[] =
        "Cannot index with iterate over determine check whether has a key use as object keys must be strings null boolean "
        "number string array delete field at index of update Start and end indices an slice numbers Out bounds negative too "
        "large cannot added subtracted multiplied divided remainder because the divisor is zero negated iterated have wrong "
        "length Equality Comparison deep no parsed only can Repeat result long not valid in csv row be escaped for shell base64 "
        "data trailing byte found format formatted tsv mktime requires inputs datetime supported on this platform invalid "
        "gmtime representation explode implode input matched it modifier UTF sorted they are both arrays grouped their "
        "containment checked searched t imploded unicode codepoint needs to numeric error errror converting seconds since epoch "
        "localtime split separator startswith endswith strptime arguments date does match strflocaltime strftime unknown system "
        "failure Range flatten depth or Path specified Paths Invalid path expression literal EOF line column regex premature "
        "empty char class nested repeat operator target bracket parenthesis group name undefined reference back number Regex";

static bool is_word_byte(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (unsigned char)c >= 0x80;
}

static bool has_word(struct bytes text, struct bytes word) {
        for (size_t at = 0; at + word.size <= text.size; at++) {
                const char *found = memmem(text.data + at, text.size - at, word.data, word.size);
                if (!found)
                        return false;
                at = (size_t)(found - text.data);
                if ((at == 0 || !is_word_byte(text.data[at - 1])) &&
                    (at + word.size == text.size || !is_word_byte(text.data[at + word.size])))
                        return true;
        }
        return false;
}

// Of digits alone: which number of several it is tells a value, wherever else it stands.
static bool is_number(struct bytes word) {
        size_t at = 0;
        while (at < word.size && word.data[at] >= '0' && word.data[at] <= '9')
                at++;
        return at == word.size;
}

bool program_knows_message(struct bytes message, struct bytes program) {
        static const struct bytes more = BYTES("…");
        for (size_t at = 0, end; at < message.size; at = end) {
                for (; at < message.size && !is_word_byte(message.data[at]); at++)
                        continue;
                for (end = at; end < message.size && is_word_byte(message.data[end]); end++)
                        continue;
                struct bytes word = {message.data + at, end - at};
                if (!word.size || bytes_equal(word, more))
                        continue;
                if (is_number(word) || (!has_word(program, word) && !has_word(bytes_of(libjq_words), word)))
                        return false;
        }
        return true;
}

// SPDX-License-Identifier: Apache-2.0
#include "convert/program.h"

#include <jq.h>
#include <stdlib.h>

#include "convert/convert.h"
#include "os/process.h"

#if PROCESS_SANITIZED
// libjq 1.6 loses the text of a token or two where a program does not parse.
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
        return "leak:libjq.so\n";
}
#endif

struct program {
        jq_state *jq;
        struct bytes text;              // owned, and NUL-terminated
        struct buffer complaint;        // the first message of a compilation
};

static void complain(void *user, jv message) {
        struct program *program = user;
        message = jq_format_error(message);
        if (!program->complaint.size && jv_get_kind(message) == JV_KIND_STRING)
                buffer_append(&program->complaint, (struct bytes){jv_string_value(message),
                                                                  (size_t)jv_string_length_bytes(jv_copy(message))});
        jv_free(message);
}

// "jq: error: SENTENCE at <top-level>, line 2:\nTHE LINE" → "SENTENCE", 2. Sentences can have newlines of their own: none known has.
static struct bytes sentence_of(struct bytes complaint, size_t *ret_line) {
        static const struct bytes begin = BYTES("jq: error: "), place = BYTES(" at <top-level>, line ");
        static const struct bytes quoting = BYTES(" (Unix shell quoting issues?)");
        if (bytes_starts_with(complaint, begin))
                complaint = (struct bytes){complaint.data + begin.size, complaint.size - begin.size};
        const char *end = complaint.size ? memchr(complaint.data, '\n', complaint.size) : NULL;
        complaint.size = end ? (size_t)(end - complaint.data) : complaint.size;
        const char *at = memmem(complaint.data, complaint.size, place.data, place.size);
        if (at) {
                uint64_t line = 0;
                const char *digit = at + place.size;
                for (; digit < complaint.data + complaint.size && *digit >= '0' && *digit <= '9' && line < UINT32_MAX; digit++)
                        line = line * 10 + (uint64_t)(*digit - '0');
                *ret_line = line;
                complaint.size = (size_t)(at - complaint.data);
        }
        if (complaint.size > quoting.size &&
            memcmp(complaint.data + complaint.size - quoting.size, quoting.data, quoting.size) == 0)
                complaint.size -= quoting.size;
        return complaint;
}

bool program_compile(struct bytes text, struct program **ret_program, size_t *ret_line, struct error *error) {
        struct program *program = must_calloc(1, sizeof *program);
        program->text = (struct bytes){bytes_to_text(text), text.size};
        program->jq = jq_init();
        if (!program->jq) {
                program_free(program);
                return error_set(error, ERROR_LIMIT, "no memory for libjq");
        }
        jq_set_error_cb(program->jq, complain, program);
        if (!jq_compile(program->jq, program->text.data)) {
                size_t line = 0;
                struct bytes sentence = sentence_of(buffer_bytes(&program->complaint), &line);
                if (ret_line)
                        *ret_line = line;
                error_set(error, ERROR_INVALID, "%.*s", BYTES_PRINT(sentence));
                program_free(program);
                return false;
        }
        *ret_program = program;
        return true;
}

void program_free(struct program *program) {
        if (!program)
                return;
        if (program->jq)
                jq_teardown(&program->jq);
        free((char *)(uintptr_t)program->text.data);
        buffer_free(&program->complaint);
        free(program);
}

// Consumes the invalid value that ended a run.
static bool failure_of(const struct program *program, jv end, size_t *ret_said, struct error *error) {
        jv message = jv_invalid_get_msg(end);
        if (jv_get_kind(message) != JV_KIND_STRING)
                message = jv_dump_string(message, 0);
        CLEANUP(buffer_free) struct buffer clean = {0};
        struct bytes said = {jv_string_value(message), (size_t)jv_string_length_bytes(jv_copy(message))};
        program_clean_message(said, program->text, &clean);
        if (!program_knows_message(buffer_bytes(&clean), program->text))
                *ret_said = said.size;
        jv_free(message);
        return error_set(error, ERROR_REJECTED, "%.*s", BYTES_PRINT(buffer_bytes(&clean)));
}

bool program_run(struct program *program, jv input, jv *ret_output, size_t *ret_said, struct error *error) {
        *ret_said = 0;
        jq_start(program->jq, input, 0);
        jv output = jq_next(program->jq);
        if (!jv_is_valid(output)) {
                if (jv_invalid_has_msg(jv_copy(output)))
                        return failure_of(program, output, ret_said, error);
                jv_free(output);
                return error_set(error, ERROR_REJECTED, "it gave no output");
        }
        jv more = jq_next(program->jq);
        if (jv_is_valid(more)) {
                jv_free(output);
                jv_free(more);
                return error_set(error, ERROR_REJECTED, "it gave more than one output");
        }
        if (jv_invalid_has_msg(jv_copy(more))) {
                jv_free(output);
                return failure_of(program, more, ret_said, error);
        }
        jv_free(more);
        *ret_output = output;
        return true;
}

void program_on_no_memory(void (*no_memory)(void *user), void *user) {
        jv_nomem_handler(no_memory, user);
}

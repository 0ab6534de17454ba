// SPDX-License-Identifier: Apache-2.0
// Differences: names, places, sentences. Each place is told once for each kind.
#include "schema/compatible_priv.h"

#include "json/pointer.h"

static const char *const names[] = {
#define X(name, sentence) #name,
        SCHEMA_DIFFERENCES(X)
#undef X
};
static const char *const sentences[] = {
#define X(name, sentence) sentence,
        SCHEMA_DIFFERENCES(X)
#undef X
};

const char *schema_difference_name(enum schema_difference_kind kind) {
        return names[kind];
}

// As a fragment of a URI, whose reserved characters stay as they are: it is read by people.
static const char *place_of(struct proof *proof, struct claim at, const char *keyword, struct bytes token) {
        CLEANUP(buffer_free) struct buffer place = {0};
        const struct document *document = at.subschema->resource->document;
        if (document != proof->schemas[at.side]->root_document)
                buffer_append(&place, bytes_of(document->uri));
        buffer_append_byte(&place, '#');
        json_pointer_of(&place, document->root, at.subschema->source);
        if (keyword)
                json_pointer_append(&place, bytes_of(keyword));
        if (token.data)
                json_pointer_append(&place, token);
        return arena_text(proof->arena, buffer_bytes(&place));
}

// The name that stands at a place in `required`; {NULL, 0}: the place is none of those.
static struct bytes required_name(struct claim at, const char *keyword, struct bytes token) {
        uint64_t index;
        const struct json *required = json_get_text(at.subschema->source, "required");
        if (!keyword || strcmp(keyword, "required") != 0 || !bytes_to_u64(token, &index) || index >= json_count(required))
                return (struct bytes){0};
        return json_text(json_at(required, index));
}

// {R} and {W} are the schemas, {M} the member: this one, or by its name where the place does not have it.
static const char *sentence_of(struct proof *proof, const char *sentence, struct bytes member) {
        const char *writer = proof->options->writer_name, *reader = proof->options->reader_name;
        CLEANUP(buffer_free) struct buffer text = {0};
        while (*sentence) {
                if (strncmp(sentence, "{R}", 3) == 0 || strncmp(sentence, "{W}", 3) == 0) {
                        const char *name = sentence[1] == 'R' ? reader : writer;
                        buffer_print(&text, "the %s", name ? name : sentence[1] == 'R' ? "reader's" : "writer's");
                        sentence += 3;
                } else if (strncmp(sentence, "{M}", 3) == 0) {
                        if (member.data)
                                buffer_print(&text, "member \"%.*s\"", BYTES_PRINT(member));
                        else
                                buffer_append(&text, BYTES("this member"));
                        sentence += 3;
                } else {
                        buffer_append_byte(&text, *sentence++);
                }
        }
        return arena_text(proof->arena, buffer_bytes(&text));
}

bool tell(struct proof *proof, enum schema_difference_kind kind, enum certainty certainty, struct claim at, const char *keyword,
          struct bytes token) {
        proof->doubts += certainty == UNCERTAIN;
        if (proof->quiet || proof->difference_count == COMPATIBLE_DIFFERENCES_MAX)
                return false;
        const char *place = place_of(proof, at, keyword, token);
        for (size_t i = 0; i < proof->difference_count; i++)
                if (proof->differences[i].kind == kind && strcmp(proof->differences[i].place, place) == 0)
                        return false;
        proof->differences[proof->difference_count++] = (struct schema_difference){
                .kind = kind, .uncertain = certainty == UNCERTAIN, .tolerated = certainty == TOLERATED,
                .in_writer = at.side == SIDE_WRITER, .place = place,
                .sentence = sentence_of(proof, sentences[kind], required_name(at, keyword, token)),
        };
        return false;
}

// SPDX-License-Identifier: Apache-2.0
// Steps: the provider answers, and recognises repeats as far as that is declared. What was seen is struct migrate_question (ask.c),
// and what the gateway has seen by itself.
#include "migrate/migrate_priv.h"

#include <inttypes.h>
#include <stdio.h>

enum migrate_verdict migrate_look_endpoint(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct migrate_question *question = view->question;
        if (!question)
                return migrate_say(evidence, MIGRATE_WAIT, "%s is being asked", view->communication->to->name);
        return migrate_say(evidence, question->answers ? MIGRATE_PASS : MIGRATE_WAIT, "%s", question->sentence);
}

// What the probe, sent twice, has shown.
static enum migrate_verdict look_probe(const struct migrate_view *view, char sentence[static MIGRATE_SENTENCE_MAX]) {
        const struct model_recognises *declared = &view->communication->recognises;
        const struct migrate_question *question = view->question;
        const char *to = view->communication->to->name;
        if (!question || !question->probed) {
                migrate_print(sentence, "whether %s recognises %s is not seen yet: the probe was not answered twice with 2xx", to,
                              declared->header);
                return MIGRATE_WAIT;
        }
        if (declared->replayed_name && question->replayed)
                migrate_print(sentence, "%s recognises %s: %s to the second probe", to, declared->header,
                              declared->replayed_name);
        else if (declared->replayed_name)
                migrate_print(sentence, "%s does not show that it recognises %s: no %s to the second probe", to, declared->header,
                              declared->replayed_name);
        else if (question->same)
                migrate_print(sentence, "%s gave the second probe the same answer as the first; no `recognises.replayed` is "
                                        "declared "
                              "that would show more", to);
        else
                migrate_print(sentence, "%s gave the second probe another answer than the first: it does not recognise %s", to,
                              declared->header);
        return (declared->replayed_name ? question->replayed : question->same) ? MIGRATE_PASS : MIGRATE_FAIL;
}

enum migrate_verdict migrate_look_recognition(const struct migrate_view *view, char sentence[static MIGRATE_SENTENCE_MAX]) {
        const struct model_recognises *declared = &view->communication->recognises;
        const char *to = view->communication->to->name;
        uint64_t seen = view->state.recognised;
        if (!declared->header) {
                migrate_print(sentence, "%s recognises no identities: a call or delivery whose outcome nobody knows is parked "
                                        "for a "
                              "person, nothing is doubled", to);
                return MIGRATE_PASS;
        }
        if (declared->probe)
                return look_probe(view, sentence);
        if (!declared->replayed_name) {
                migrate_print(sentence, "nothing can show that %s is recognised: configure `recognises.probe` or "
                              "`recognises.replayed`, or `recognises: none`", declared->header);
                return MIGRATE_WAIT;
        }
        if (seen == 0) {
                migrate_print(sentence, "no repeat has been recognised yet, and on healthy traffic none comes: configure "
                              "`recognises.probe`, or wait for one");
                return MIGRATE_NONE;
        }
        migrate_print(sentence, "%s has recognised %" PRIu64 " repeat%s", to, seen, migrate_plural(seen));
        return MIGRATE_PASS;
}

enum migrate_verdict migrate_look_consumer(const struct migrate_view *view, struct migrate_evidence *evidence) {
        if (migrate_look_endpoint(view, evidence) != MIGRATE_PASS)
                return evidence->verdict;
        char more[MIGRATE_SENTENCE_MAX], first[MIGRATE_SENTENCE_MAX];
        enum migrate_verdict verdict = migrate_look_recognition(view, more);
        migrate_print(first, "%s", evidence->sentence);
        return migrate_say(evidence, verdict == MIGRATE_NONE ? MIGRATE_PASS : verdict, "%.200s; %.270s", first, more);
}

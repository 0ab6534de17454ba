// SPDX-License-Identifier: Apache-2.0
// Whether the formula of an object holds, once its end is reached. Values are looked at where the answer hangs on them; answers that
// several places ask for are remembered.
#include "schema/stream_priv.h"

struct holding {
        const struct ended *object;
        uint64_t known[PLAN_MEMO_MAX / 64], good[PLAN_MEMO_MAX / 64];
};

static const uint64_t *seen_keys(const struct machine *machine, const struct ended *object) {
        return object->one ? object->one : machine->bits + object->base;
}

static bool masks_hold(const struct machine *machine, const struct ended *object, const struct plan_test *test) {
        const uint64_t *seen = seen_keys(machine, object);
        uint64_t wrong = 0;
        for (uint32_t i = 0; i < object->plan->words; i++)
                wrong |= test->kind == TEST_HAS     ? test->mask[i] & ~seen[i]
                         : test->kind == TEST_LACKS ? test->mask[i] & seen[i]
                                                    : seen[i] & ~test->mask[i];
        return wrong == 0 && (test->kind != TEST_CLOSED || object->unnamed == 0);
}

// A member's value lies one level deeper than the object.
static enum run value_holds(struct machine *machine, const struct ended *object, const struct plan_test *test) {
        uint32_t key = test->keys[0];
        if (!(seen_keys(machine, object)[key / 64] >> key % 64 & 1))
                return RUN_GOOD;
        uint32_t place = object->plan->keys[key].place;
        machine->depth++;
        enum run run = run_again(machine, machine->start + machine->bits[object->base + object->plan->words + place - 1], test->plan);
        machine->depth--;
        return run;
}

static enum run holds(struct machine *machine, struct holding *holding, const struct plan_test *test);

// The parts of ALL, ANY and ONE, as many as needed.
static enum run parts_hold(struct machine *machine, struct holding *holding, const struct plan_test *test) {
        uint32_t good = 0;
        for (uint32_t i = 0; i < test->count; i++) {
                enum run run = holds(machine, holding, test->parts[i]);
                if (run >= RUN_SYNTAX)
                        return run;
                good += run == RUN_GOOD;
                if (test->kind == TEST_ALL && run == RUN_INVALID)
                        return RUN_INVALID;
                if (test->kind == TEST_ANY && run == RUN_GOOD)
                        return RUN_GOOD;
                if (good > 1 && test->kind == TEST_ONE)
                        return RUN_INVALID;
        }
        return test->kind == TEST_ALL || good == 1 ? RUN_GOOD : RUN_INVALID;
}

static enum run find_out(struct machine *machine, struct holding *holding, const struct plan_test *test) {
        const struct ended *object = holding->object;
        enum run run;
        switch ((enum test_kind)test->kind) {
        case TEST_ALWAYS:
                return RUN_GOOD;
        case TEST_NEVER:
                return RUN_INVALID;
        case TEST_HAS:
        case TEST_LACKS:
        case TEST_CLOSED:
                return masks_hold(machine, object, test) ? RUN_GOOD : RUN_INVALID;
        case TEST_COUNT:
                return object->count >= test->least && object->count <= test->most ? RUN_GOOD : RUN_INVALID;
        case TEST_VALUE:
                return value_holds(machine, object, test);
        case TEST_WHOLE:
                return run_again(machine, object->start, test->plan);
        case TEST_NOT:
                run = holds(machine, holding, test->parts[0]);
                return run == RUN_GOOD ? RUN_INVALID : run == RUN_INVALID ? RUN_GOOD : run;
        case TEST_IF:
                run = holds(machine, holding, test->parts[0]);
                return run >= RUN_SYNTAX ? run : holds(machine, holding, test->parts[run == RUN_GOOD ? 1 : 2]);
        case TEST_ALL:
        case TEST_ANY:
        case TEST_ONE:
        default:
                return parts_hold(machine, holding, test);
        }
}

static enum run holds(struct machine *machine, struct holding *holding, const struct plan_test *test) {
        if (!test->memo)
                return find_out(machine, holding, test);
        uint64_t *known = &holding->known[(test->memo - 1u) / 64], *good = &holding->good[(test->memo - 1u) / 64];
        uint64_t bit = (uint64_t)1 << (test->memo - 1u) % 64;
        if (*known & bit)
                return *good & bit ? RUN_GOOD : RUN_INVALID;
        enum run run = find_out(machine, holding, test);
        if (run >= RUN_SYNTAX)
                return run;
        *known |= bit;
        *good |= run == RUN_GOOD ? bit : 0;
        return run;
}

enum run run_formula(struct machine *machine, const struct ended *object) {
        UNINITIALIZED struct holding holding;
        machine->again -= object->plan->test_cost;
        if (machine->again < 0)
                return RUN_DEFER;
        holding.object = object;
        for (uint32_t i = 0; i < object->plan->memo_count; i += 64)
                holding.known[i / 64] = holding.good[i / 64] = 0;
        return holds(machine, &holding, object->plan->test);
}

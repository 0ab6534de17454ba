// SPDX-License-Identifier: Apache-2.0
// /proof: a signed certificate of a communication's accounts at one position of the views (proof/certificate.h).
#include "api/status.h"

#include "api/api_priv.h"
#include "proof/certificate.h"

enum { FAULTS_MAX = LEDGER_FAULT_COUNT, ASSUMPTIONS_MAX = 4 };

struct faults {
        struct arena *arena;
        struct certificate_fault list[FAULTS_MAX];
        size_t count;
};

static bool add_fault(void *context, struct bytes kind, uint64_t count, uint64_t first_position, struct bytes first,
                      struct error *error) {
        struct faults *faults = context;
        if (faults->count == FAULTS_MAX)
                return error_set(error, ERROR_CORRUPT, "the views have a fault \"%.*s\"", BYTES_PRINT(kind));
        faults->list[faults->count++] = (struct certificate_fault){
                .kind = arena_copy(faults->arena, kind), .first = arena_copy(faults->arena, first), .count = count,
                .position = first_position,
        };
        return true;
}

static size_t assume(struct arena *arena, const struct model_communication *communication, uint64_t plain,
                     struct bytes list[static ASSUMPTIONS_MAX]) {
        size_t count = 0;
        const char *provider = communication->to->name, *header = communication->recognises.header;
        if (communication->kind == MODEL_FUNCTIONAL && header)
                list[count++] = bytes_of(arena_print(arena, "%s recognises a repeat by %s and does nothing a second time", provider,
                                                     header));
        else if (communication->kind == MODEL_FUNCTIONAL)
                list[count++] = bytes_of(arena_print(arena, "%s recognises no repeats: what was indeterminate, a person settled from its "
                                                     "data", provider));
        list[count++] = BYTES("a 2xx or 3xx answer of a provider says that it has done what was asked, durably");
        if (plain > 0)
                list[count++] = bytes_of(arena_print(arena, "calls in plain sync mode leave no record and are not in the accounts: some "
                                                     "of the %llu requests since this process started", (unsigned long long)plain));
        return count;
}

static void answer_proof(struct api_request *request, void *user) {
        (void)user;
        const struct api_options *options = &request->api->options;
        const struct model_communication *communication = api_communication(request, request->parameters[0]);
        if (!communication)
                return;
        struct error error;
        struct faults faults = {.arena = request->arena};
        struct bytes assumptions[ASSUMPTIONS_MAX];
        struct gateway_counters counters;
        gateway_counters(options->gateway, communication->index, &counters);
        struct certificate certificate = {
                .communication = bytes_of(communication->name),
                .time_ms = clock_wall_ms(loop_clock(options->loop)),
                .config_hash = bytes_of(options->model->hash_text),
                .assumptions = assumptions,
                .assumption_count = assume(request->arena, communication, counters.requests, assumptions),
        };
        log_id(options->log, certificate.log_id);
        if (!api_accounts(request->api, communication->name, &certificate.sums, &certificate.position, &error) ||
            !state_fault_each(options->reader, add_fault, &faults, &error)) {
                api_fail(request, &error);
                return;
        }
        certificate.faults = faults.list;
        certificate.fault_count = faults.count;
        struct buffer CLEANUP(buffer_free) file = {0};
        if (certificate_sign(&certificate, options->private_pem, &file, &error))
                api_answer_bytes(request, 200, "application/json", buffer_bytes(&file));
        else
                api_fail(request, &error);
}

static const struct api_route routes[] = {
        {"GET", "/proof/{communication}", answer_proof, NULL, NULL, false},
};

void api_add_proof(struct api *api) {
        api_add(api, routes, ARRAY_SIZE(routes), NULL);
}

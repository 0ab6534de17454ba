// SPDX-License-Identifier: Apache-2.0
// Runs seeds of the simulated world, and shows that it finds planted errors.
//      sim [--seeds N] [--from SEED] [--seed SEED (one, told in words)] [--mutations] [--mutation NAME]
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/shard_priv.h"
#include "world.h"

enum shard_mutation shard_mutation;

static const char *const names[MUTATIONS_COUNT] = {
        [MUTATION_NONE] = "none",
#define X(name) [MUTATION_##name] = #name,
        SHARD_MUTATIONS_LIST(X)
#undef X
};

// A planted error may also break an assert of the shard: it runs in a child, and a child that dies has been found out.
static bool found(enum shard_mutation mutation, uint64_t from, uint64_t seeds, char *ret_how, size_t size) {
        int ends[2];
        if (pipe(ends))
                abort();
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
                close(ends[0]);
                if (!freopen("/dev/null", "w", stderr))
                        abort();
                shard_mutation = mutation;
                char why[400], line[500];
                for (uint64_t seed = from; seed < from + seeds; seed++) {
                        int length = snprintf(line, sizeof line, "seed %llu: an assert", (unsigned long long)seed);
                        (void)length;
                        if (world_run(&(struct world_options){.seed = seed}, why, sizeof why))
                                continue;
                        length = snprintf(line, sizeof line, "seed %llu: %s", (unsigned long long)seed, why);
                        if (write(ends[1], line, (size_t)length) < 0)
                                abort();
                        _exit(1);
                }
                _exit(0);
        }
        close(ends[1]);
        ssize_t got = read(ends[0], ret_how, size - 1);
        ret_how[got > 0 ? got : 0] = '\0';
        close(ends[0]);
        int status;
        waitpid(child, &status, 0);
        if (WIFSIGNALED(status))
                snprintf(ret_how, size, "an assert of the shard");
        return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static int mutations(uint64_t from, uint64_t seeds, const char *only) {
        int passed = 0, failed = 0;
        for (int mutation = 1; mutation < MUTATIONS_COUNT; mutation++) {
                if (only && strcmp(only, names[mutation]) != 0)
                        continue;
                char how[500];
                bool caught = found((enum shard_mutation)mutation, from, seeds, how, sizeof how);
                printf("%-16s %s%s\n", names[mutation], caught ? "found: " : "NOT FOUND", caught ? how : "");
                passed += caught;
                failed += !caught;
        }
        printf("%d passed, %d failed\n", passed, failed);
        return failed != 0 || passed == 0;
}

static int seeds_run(uint64_t from, uint64_t seeds, bool verbose) {
        uint64_t failed = 0;
        char why[400];
        for (uint64_t seed = from; seed < from + seeds; seed++)
                if (!world_run(&(struct world_options){.seed = seed, .verbose = verbose}, why, sizeof why)) {
                        printf("seed %llu: %s\n", (unsigned long long)seed, why);
                        if (++failed == 20)
                                break;
                }
        const struct world_figures *f = &world_figures;
        printf("%llu runs: %llu messages, %llu executions, %llu records, %llu repeats, %llu kills, %llu switches, "
                "%llu fences (%llu overran), "
               "%llu appends failed, %llu unknown, %llu decisions of the person, %llu steps back\n",
               (unsigned long long)f->runs, (unsigned long long)f->messages, (unsigned long long)f->executions,
               (unsigned long long)f->records, (unsigned long long)f->repeats, (unsigned long long)f->crashes,
               (unsigned long long)f->switches, (unsigned long long)f->fences, (unsigned long long)f->overruns,
               (unsigned long long)f->failed_appends, (unsigned long long)f->unknown_appends, (unsigned long long)f->decided,
               (unsigned long long)f->steps_back);
        printf("%llu passed, %llu failed\n", (unsigned long long)(f->runs - failed), (unsigned long long)failed);
        return failed != 0 || f->runs == 0;
}

int main(int argc, char **argv) {
        uint64_t from = 1, seeds = 500;
        bool mutate = false, verbose = false;
        const char *only = NULL;
        for (int i = 1; i < argc; i++) {
                bool more = i + 1 < argc;
                if (!strcmp(argv[i], "--seeds") && more) {
                        seeds = strtoull(argv[++i], NULL, 10);
                } else if (!strcmp(argv[i], "--from") && more) {
                        from = strtoull(argv[++i], NULL, 10);
                } else if (!strcmp(argv[i], "--seed") && more) {
                        from = strtoull(argv[++i], NULL, 10), seeds = 1, verbose = true;
                } else if (!strcmp(argv[i], "--mutations")) {
                        mutate = true;
                } else if (!strcmp(argv[i], "--mutation") && more) {
                        mutate = true, only = argv[++i];
                } else {
                        fprintf(stderr, "usage: sim [--seeds N] [--from SEED] [--seed SEED] [--mutations] [--mutation NAME]\n");
                        return 64;
                }
        }
        return mutate ? mutations(from, seeds, only) : seeds_run(from, seeds, verbose);
}

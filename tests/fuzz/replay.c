// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target over the files of one folder, where there is no libFuzzer. An empty or missing corpus is a failure.
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LARGEST_INPUT = 1 << 20 };

static void replay(const char *folder, const char *name) {
        char path[4096];
        if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) {
                fprintf(stderr, "replay: path too long: %s/%s\n", folder, name);
                exit(1);
        }
        FILE *file = fopen(path, "rb");
        if (!file) {
                fprintf(stderr, "replay: cannot open %s\n", path);
                exit(1);
        }
        // A block of exactly the input's size, so that a sanitizer sees the first byte read beyond it.
        uint8_t *all = malloc(LARGEST_INPUT);
        size_t size = all ? fread(all, 1, LARGEST_INPUT, file) : 0;
        uint8_t *input = malloc(size ? size : 1);
        if (!all || !input)
                exit(1);
        memcpy(input, all, size);
        LLVMFuzzerTestOneInput(input, size);
        free(input);
        free(all);
        fclose(file);
}

int main(int count, char **arguments) {
        DIR *folder = count == 2 ? opendir(arguments[1]) : NULL;
        if (!folder) {
                fprintf(stderr, "usage: replay FOLDER (which must exist)\n");
                return 2;
        }
        int inputs = 0;
        for (struct dirent *entry; (entry = readdir(folder)); ) {
                if (entry->d_name[0] == '.')
                        continue;
                replay(arguments[1], entry->d_name);
                inputs++;
        }
        closedir(folder);
        printf("%d inputs\n", inputs);
        return inputs ? 0 : 1;
}

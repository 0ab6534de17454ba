// SPDX-License-Identifier: Apache-2.0
// A configuration of any bytes becomes a model or problems with a place, never both, never neither.
#include <stdint.h>

#include "model/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const struct model *model = NULL;
        struct model_problems problems = {0};
        struct error error = {0};
        bool good = model_parse("/nonexistent/commute.yaml", (struct bytes){(const char *)data, size}, &model, &problems, &error);
        ASSERT(good == (problems.count == 0) && good == (model != NULL) && good == (error.code == ERROR_NONE));
        model_unref(model);
        model_problems_free(&problems);
        return 0;
}

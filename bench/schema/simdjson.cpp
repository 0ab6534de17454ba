// SPDX-License-Identifier: Apache-2.0
// The floor of parsing: simdjson's DOM of each line, and nothing else. Prints the fastest round's ns an instance as JSON.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include <simdjson.h>

int main(int argc, char **argv) {
        std::vector<simdjson::padded_string> lines;
        std::ifstream file(argc > 1 ? argv[1] : "");
        for (std::string line; std::getline(file, line); )
                lines.emplace_back(line);
        simdjson::dom::parser parser;
        double best = 1e30, total = 0;
        size_t parsed = 0;
        for (int rounds = 0; rounds < 10 || total < 1e9; rounds++) {
                auto start = std::chrono::steady_clock::now();
                parsed = 0;
                for (const auto &line : lines)
                        parsed += parser.parse(line).error() == simdjson::SUCCESS;
                double took = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
                total += took;
                best = took < best ? took : best;
        }
        std::printf("{\"ns\": %.1f, \"parsed\": %zu}\n", best / double(lines.size()), parsed);
        return lines.empty() || parsed != lines.size();
}

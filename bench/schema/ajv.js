// SPDX-License-Identifier: Apache-2.0
// JSON.parse and ajv's verdict of each line: node ajv.js SCHEMA LINES. Prints the fastest round of a second as JSON.
const fs = require("fs");
const [, , schemaPath, linesPath] = process.argv;
const schema = JSON.parse(fs.readFileSync(schemaPath, "utf8"));
const lines = fs.readFileSync(linesPath, "utf8").split("\n").filter(line => line);
const Ajv = require(String(schema.$schema || "").includes("draft-07") ? "ajv" : "ajv/dist/2020").default;
const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema);
let best = Infinity, total = 0, valid = 0;
for (let rounds = 0; rounds < 10 || total < 1e9; rounds++) {
    valid = 0;
    const start = process.hrtime.bigint();
    for (const line of lines)
        if (validate(JSON.parse(line)))
            valid++;
    const took = Number(process.hrtime.bigint() - start);
    total += took;
    best = Math.min(best, took);
}
console.log(JSON.stringify({ ns: best / lines.length, valid }));

# SPDX-License-Identifier: Apache-2.0
"""Regular expressions of schemas against the RegExp of node, flag u, over patterns and texts made from a seed."""
import json
import random
import re
import shutil
import subprocess

import pytest

ATOMS = ["a", "b", "c", ".", "0", "_", "é", "-", "\\d", "\\w", "\\W", "\\s", "\\S", "\\D", "[a-c]", "[^a]", "[^]", "[]", "[é-ü]", "\\n",
         "\\u{1F600}", "\\ud83d\\ude00", "\\p{L}", "\\P{Lu}", "\\p{Script=Greek}", "[\\p{Lu}\\d_]", "\\x61", "\\.", "[\\w\\s]", "(?:)"]
TEXT = ["a", "b", "c", "A", "0", "_", " ", "é", "α", "\n", "-", ".", "\u2028", "ab", "aa"]
NODE = """
for (const line of require("fs").readFileSync(0, "utf8").split("\\n").filter(line => line)) {
    const [, source, ...texts] = JSON.parse(line);
    let pattern;
    try { pattern = new RegExp(source, "u"); } catch (error) { console.log("invalid"); continue; }
    console.log(texts.map(text => pattern.test(text) ? "1" : "0").join(""));
}"""


def make(seeded, depth, back):
    """A pattern; some are invalid (a back reference without its group), and have to be so for both."""
    def inner():
        return make(seeded, depth - 1, back)
    kind = seeded.random()
    if depth <= 0 or kind < .38:
        return seeded.choice(ATOMS)
    if kind < .44:
        return seeded.choice(["^", "$", "\\b", "\\B"])
    if kind < .60:
        return "".join(inner() for _ in range(seeded.randint(1, 4)))
    if kind < .75:
        return seeded.choice(["(?:", "("]) + "|".join(inner() for _ in range(seeded.randint(1, 3))) + ")"
    if kind < .88:
        body = seeded.choice([lambda: f"(?:{inner()})", lambda: f"({inner()})", lambda: seeded.choice(ATOMS)])()
        return body + seeded.choice(["*", "+", "?", "{2}", "{0,2}", "{1,3}", "{2,}", "*?", "+?", "{0}"])
    if kind < .96:
        return seeded.choice(["(?=", "(?!", "(?<=", "(?<!"]) + inner() + ")"
    return "\\" + str(seeded.randint(1, 3)) if back else seeded.choice(ATOMS)


def questions(seed, count):
    seeded = random.Random(seed)
    for _ in range(count):
        pattern = make(seeded, 4, seeded.random() < .3)
        pattern = seeded.choice(["^", ""]) + pattern + seeded.choice(["$", ""])
        # V8 also looks between the two halves of a surrogate pair, where ECMA-262 does not: no such text without a beginning.
        letters = TEXT + ["😀"] if pattern.startswith("^") and not re.search(r"\||\(\?<", pattern) else TEXT
        yield ["pattern", pattern, ""] + ["".join(seeded.choice(letters) for _ in range(seeded.randint(0, 8))) for _ in range(12)]


@pytest.mark.parametrize("seed", range(3))
def test_verdicts_are_those_of_node(build, seed):
    if not shutil.which("node"):
        pytest.skip("there is no node to compare with")
    asked = list(questions(seed, 3000))
    text = "".join(json.dumps(question) + "\n" for question in asked)
    ours = subprocess.run([build / "tests/probe"], input=text, capture_output=True, text=True, check=True).stdout.splitlines()
    theirs = subprocess.run(["node", "-e", NODE], input=text, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(ours) == len(theirs) == len(asked)
    assert sum(line != "invalid" for line in theirs) > 2500
    different = [(question[1], our, their) for question, our, their in zip(asked, ours, theirs) if our.split()[0] != their]
    assert not different
